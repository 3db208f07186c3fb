// How a service keeps its streams, as data.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sim/engine/stream_text.h"

namespace messina::sim {

/// API references of GetRecords and DescribeStream.
inline constexpr std::size_t kMaxPageRecords = 1000;
inline constexpr std::size_t kMaxPageBytes = 1u << 20;
inline constexpr std::size_t kMaxPageShards = 100;
inline constexpr std::size_t kMaxPageStreams = 100;
/// GetRecords of one shard, and DescribeStream of an account, per second.
inline constexpr double kGetRecordsPerSecond = 5;
inline constexpr double kDescribeStreamPerSecond = 10;
/// ScyllaDB's stream shards are a vnode's part on one CPU; the recorded servers had two CPUs.
inline constexpr std::size_t kScyllaCpus = 2;

inline constexpr std::string_view kIteratorExpired =
    "Iterator expired. It was created longer ago than iterators live, which is 15 minutes.";

struct StreamRules {
  StreamStyle style = StreamStyle::dynamodb;
  /// Developer Guide: "all data in DynamoDB Streams is subject to a 24-hour lifetime". ScyllaDB's log keeps
  /// as long.
  Duration retention = std::chrono::hours(24);
  Duration iterator_life = std::chrono::minutes(15);  ///< zero: they do not age (Alternator)
  /// Records show that much after they were written (ScyllaDB: alternator_streams_time_window_s).
  Duration visible_after{};
  /// DynamoDB: how many there are when the stream is enabled. Alternator: rounded up to whole vnodes.
  std::size_t shards = 4;
  /// Every shard is closed, and followed by another, so often (DynamoDB: about every 4 hours); zero: never.
  Duration roll_every = std::chrono::hours(4);
  /// One open shard splits so often, as long as there are fewer than max_open_shards; zero: never. DynamoDB
  /// only.
  Duration split_every{};
  std::size_t max_open_shards = 64;
  /// Calls beyond the limits are throttled. DynamoDB only.
  bool call_limits = true;
  /// DynamoDB: no record of a write that changes nothing, and an error for what was trimmed. ScyllaDB logs
  /// every write, and goes on silently behind what is gone.
  bool logs_every_write = false;
  bool tells_trims = true;
  /// ScyllaDB: the stream vanishes when it is disabled.
  bool vanishes_when_disabled = false;
  bool space_in_shard_id = true;  ///< ScyllaDB 6.2; 5.2 has none
  /// ScyllaDB: the first tokens of the vnodes, ascending; empty: drawn.
  std::vector<std::int64_t> vnodes = {};
};

}  // namespace messina::sim
