// What the ledger knows of a live migration beside its units: who may write, what was captured, what was
// missed, and what is still owed before anything may be claimed. Plain data, kept as one JSON text.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace messina::state {

/// Who may write to the target, and under which epoch (PROTOCOL rule 20). The target carries the same two.
struct Authority {
  std::string owner;        ///< random, given when the migration began; empty: none was taken yet
  std::uint64_t epoch = 0;  ///< 1 from the start; each cutover adds one
  bool operator==(const Authority&) const = default;
};

/// A hole in what was captured (PROTOCOL rules 14 and 15), until it is healed.
struct GapRecord {
  std::string cause;   ///< "position_too_old"; see jobs/shard_map.h, and "spool_missing", "spool_older"
  std::string detail;  ///< the shard or the stream that it concerns
  std::int64_t since_unix_ms = 0;  ///< everything before was captured; 0: not known
  std::int64_t noticed_unix_ms = 0;
  bool operator==(const GapRecord&) const = default;
};

/// The pass over the target's keys that finds those which the source does not have any more.
enum class BackwardPass : std::uint8_t {
  not_owed,
  /// Because the target was not empty at the start, or segments were left out: what it finds may be somebody
  /// else's, so that it waits for leave to delete.
  owed,
  due,  ///< owed by a gap or a restart, or there is leave
  done,
};

struct LiveRecord {
  /// Gaps that are told one by one.
  static constexpr std::size_t kMostGaps = 100;

  Authority authority;
  /// The target was taken from another migration, and it was not outwaited yet: it may still write.
  bool awaits_former_owner = false;
  /// Of capture: each begins with a complete listing before the first page of history (PROTOCOL rule 13). 0:
  /// there was none.
  std::uint64_t capture_epoch = 0;
  std::string stream;  ///< of this epoch: its ARN
  std::int64_t capture_began_unix_ms = 0;
  /// The capture epoch under which the units of history are read; 0: none. Claims need it to be the present
  /// one. Set with the units, by JobStore::begin(), and by nothing else.
  std::uint64_t history_epoch = 0;
  BackwardPass backward = BackwardPass::not_owed;
  std::string backward_cursor;  ///< where the pass goes on; opaque
  std::vector<GapRecord> gaps;  ///< not healed yet, oldest first; the last of kMostGaps stands for all later
  /// Of the gaps, from the oldest, that history and the backward pass of this capture epoch heal.
  std::uint64_t gaps_healing = 0;
  bool operator==(const LiveRecord&) const = default;

  bool gap() const { return !gaps.empty(); }
};

/// All but history_epoch.
std::string to_json(const LiveRecord& record);
/// corrupt if the text is none. Members that it does not know are passed over.
Result<LiveRecord> live_record(std::string_view json);

}  // namespace messina::state
