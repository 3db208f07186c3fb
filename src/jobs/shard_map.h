// Which shards of a stream are to be read, from where, and whether anything was missed: PROTOCOL rules 13 and
// 14 as pure decisions. The shell asks the server; this says what the answers mean.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "endpoints/feed.h"
#include "state/spool_store.h"

namespace messina::jobs {

/// A hole in what was captured: changes may have happened that nobody will ever read again (PROTOCOL rule
/// 15).
enum class GapCause : std::uint8_t {
  position_too_old,  ///< a shard was not read for as long as its records are kept
  shard_lost,        ///< a shard that was not read to its end is gone
  parent_unread,     ///< a shard appeared whose parent was not read to its end
  stream_ended,      ///< the stream was switched off, or another one has taken its place
};
/// "position_too_old"
std::string_view to_string(GapCause cause);

struct Gap {
  GapCause cause = GapCause::position_too_old;
  endpoints::ShardId shard;
  WallTime since{};    ///< everything before was read
  WallTime noticed{};  ///< by the server's clock
  bool operator==(const Gap&) const = default;
};

using state::ShardState;

/// What is durable of a shard. Goes to the spool with the events that it counts (PROTOCOL rule 10).
struct ShardRow {
  endpoints::ShardId id;
  std::optional<endpoints::ShardId> parent;
  ShardState state = ShardState::reading;
  std::optional<endpoints::SequenceNumber> read_to;  ///< the last record that was taken; nullopt: none yet
  /// Whatever was written to the shard before was read, by the server's clock; to a drained one and its
  /// children, as they were not there before.
  WallTime read_until{};
  bool operator==(const ShardRow&) const = default;
};
/// As the spool keeps it, of this capture epoch; `read_until` loses what is finer than a millisecond.
state::ShardPosition to_position(const ShardRow& row, std::uint64_t epoch);
ShardRow to_row(const state::ShardPosition& position);

struct ShardMapOptions {
  std::chrono::seconds retention = endpoints::kStreamRetention;
  /// Positions that are older than the retention less this are not trusted. Servers trim in their own time.
  std::chrono::seconds margin{1'800};
  /// How late records may become readable: so much before its answer an empty poll proves nothing.
  std::chrono::seconds lateness{0};
};

/// What one answered poll says.
struct PollSeen {
  std::optional<endpoints::SequenceNumber> last;  ///< of its records; nullopt: there were none
  std::optional<WallTime> last_created;  ///< when the last of them was written, where the server says
  WallTime answered_at{};
  bool end = false;  ///< the shard is closed and read to its end
  /// Of a poll without records: nothing that was readable then is unread. One empty page does not say so: "it
  /// might take multiple calls to get to a portion of the shard that contains stream records" (Streams API
  /// Reference, GetRecords); of a closed shard, none does before the end.
  bool caught_up = false;
};

/// Not thread-safe: the capture job owns it.
class ShardMap {
 public:
  /// What a call has changed. `rows` are to be stored, with what was read, in one atomic step; `forgotten` to
  /// be removed in it.
  struct Step {
    std::vector<ShardRow> rows;
    std::vector<endpoints::ShardId> forgotten;
    std::vector<Gap> gaps;
  };

  explicit ShardMap(const ShardMapOptions& options) : options_(options) {}

  /// The first complete listing of a capture epoch, asked for at `asked_at` (before the first page of
  /// history): the open shards are read from their beginning; what is closed was written before history is
  /// read, so it counts as read. Forgets all else.
  Step begin(const endpoints::StreamDescription& listing, WallTime asked_at);
  /// The rows of a former process, in place of begin().
  void restore(std::vector<ShardRow> rows);

  /// A later complete listing: finds children, forgets what is long gone.
  Step listed(const endpoints::StreamDescription& listing, WallTime asked_at);
  /// A poll of a shard that is being read.
  Step answered(const endpoints::ShardId& shard, const PollSeen& poll);
  /// The server says that the records after the position are gone: the shard is read from its beginning, and
  /// whether something was missed is a matter of the position's age.
  Step trimmed(const endpoints::ShardId& shard, WallTime now);
  /// The server does not know the shard any more.
  Step lost(const endpoints::ShardId& shard, WallTime now);

  /// In no order that matters.
  std::vector<endpoints::ShardId> to_read() const;
  /// nullptr if it is unknown.
  const ShardRow* find(const endpoints::ShardId& shard) const;
  std::vector<ShardRow> rows() const;

  /// How long the oldest record that may be unread is still kept; nullopt if there is nothing to read.
  /// Negative once it may be gone.
  std::optional<std::chrono::seconds> until_trimmed(WallTime now) const;
  /// Whether every shard that is closed in `listing` is read to its end (PROTOCOL rule 16).
  bool closed_are_drained(const endpoints::StreamDescription& listing) const;

 private:
  bool too_old(const ShardRow& row, WallTime now) const {
    return now - row.read_until > options_.retention - options_.margin;
  }
  void start(ShardRow& row, const ShardRow* parent, WallTime now, Step& step);
  void drain(ShardRow& row, Step& step);
  void forget(const endpoints::StreamDescription& listing, WallTime now, Step& step);

  ShardMapOptions options_;
  std::map<endpoints::ShardId, ShardRow> rows_;
};

}  // namespace messina::jobs
