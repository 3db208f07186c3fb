// The changes of a table as a server tells them: a stream of shards, each an ordered list of records.
//
// Sources: Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams"; Amazon DynamoDB
// Streams API Reference; ScyllaDB's docs/alternator/compatibility.md, "Alternator Streams", and recordings of
// 5.2 and 6.2.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "base/slab.h"
#include "item/stream_page.h"
#include "item/stream_view.h"

namespace messina::endpoints {

/// Names one life of a table's stream: switching it off and on makes another. Sequence numbers compare within
/// one only (PROTOCOL, order domain).
struct StreamArn {
  std::string value;
  auto operator<=>(const StreamArn&) const = default;
};

struct ShardId {
  std::string value;
  auto operator<=>(const ShardId&) const = default;
};

/// A record's place in its shard: 21 to 40 digits on DynamoDB. Compare as numbers, never as text.
struct SequenceNumber {
  std::string digits;
  bool operator==(const SequenceNumber&) const = default;
};

enum class StreamStatus : std::uint8_t { enabling, enabled, disabling, disabled };

using item::has_new_image;
using item::stream_view;
using item::StreamView;
using item::text_of;

struct ShardInfo {
  ShardId id;
  std::optional<ShardId> parent;  ///< may name a shard that is trimmed by now
  bool closed = false;            ///< it has an ending sequence number: nothing is added any more
  bool operator==(const ShardInfo&) const = default;
};

/// A complete description: all pages of DescribeStream.
struct StreamDescription {
  StreamArn arn;
  StreamStatus status = StreamStatus::enabled;
  StreamView view = StreamView::new_and_old_images;
  std::vector<ShardInfo> shards;
  MonoTime asked_at{};  ///< when the first page was asked for
  /// The server's own time of the first page's answer, as of FeedPage.
  WallTime answered_at{};
};

/// Where to begin to read a shard. Never at its end (PROTOCOL rule 13).
struct ShardStart {
  std::optional<SequenceNumber> after;  ///< nullopt: from the oldest record that is left
};

/// An answered poll of a shard. The records' views point into `bytes`.
struct FeedPage {
  Slab bytes;
  std::vector<item::StreamRecord> records;
  std::string next_iterator;  ///< empty: the shard is closed and read to its end
  MonoTime sent_at{};
  /// The server's own time, by which positions age (PROTOCOL rule 14); the local wall clock where it tells
  /// none.
  WallTime answered_at{};
};

/// What a feed's server grants.
struct FeedLimits {
  /// How long a record can be read after it was written.
  std::chrono::seconds retention{std::chrono::hours(24)};
  /// What the polls of one shard are apart at least.
  std::chrono::milliseconds shard_interval{200};
  /// How late a record may become readable: by as much an empty poll says nothing yet.
  std::chrono::seconds lateness{0};
  /// Records carry what the server's clock says of their order; false: each is only a hint to read the key
  /// (PROTOCOL rule 9, Alternator's streams).
  bool images_in_order = true;
};
/// "DynamoDB Streams … stores this information in a log for up to 24 hours."
inline constexpr std::chrono::hours kStreamRetention{24};
/// GetRecords may be called five times a second a shard (Streams API limits of the SDK's Kinesis adapter:
/// "no more than five calls per second").
inline constexpr std::chrono::milliseconds kShardPollInterval{200};
/// ScyllaDB's alternator_streams_time_window_s (10 s): what is younger is held back.
inline constexpr std::chrono::seconds kAlternatorLateness{10};

/// One table's stream. One attempt each; belongs to one loop.
class Feed {
 public:
  virtual ~Feed() = default;
  virtual FeedLimits limits() const = 0;
  /// The newest stream's name, of one that is switched off, too; nullopt: there never was one.
  virtual Task<Result<std::optional<StreamArn>>> find() = 0;
  /// All pages. Errors: not_found when the stream is gone with its last record.
  virtual Task<Result<StreamDescription>> describe(StreamArn arn) = 0;
  /// Switches a stream on. Returns when the request is accepted; describe() says `enabled` at last. Errors:
  /// `exists` when the table has one already.
  virtual Task<Result<void>> enable(StreamView view) = 0;
  /// Errors: trimmed when the records at `start` are gone, not_found when the shard is.
  virtual Task<Result<std::string>> iterator(StreamArn arn, ShardId shard, ShardStart start) = 0;
  /// The next records. Errors: expired_iterator: ask for another one; trimmed.
  virtual Task<Result<FeedPage>> next(std::string iterator) = 0;
  /// Gives a page's memory back for reuse. Optional.
  virtual void recycle(FeedPage page) { (void)page; }
};

}  // namespace messina::endpoints
