// Capture: a stream's records into the spool, without a gap that nobody notices (PROTOCOL rules 8 to 10, 13
// and 14).
//
// One coroutine a shard that is read polls it; records and the shard's new position are one put into the
// spool. Another coroutine lists the shards now and then, and finds children. What the answers mean is
// decided by ShardMap; what is missed goes to the ledger before anything else happens.
//
// Shards are read from their beginning (rule 13), but what was written well before the capture epoch began is
// not put: the history that is read under the epoch contains it.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/async.h"
#include "base/error.h"
#include "base/random.h"
#include "endpoints/endpoint.h"
#include "item/key.h"
#include "jobs/live_ledger.h"
#include "jobs/shard_map.h"
#include "state/spool_store.h"

namespace messina::jobs {

/// Rules that a mutation test removes.
struct CaptureFaults {
  bool begin_at_latest = false;        ///< without rule 13: shards are read from their end
  bool positions_apart = false;        ///< without rule 10: the position is stored before its records
  bool no_gap_by_age = false;          ///< without rule 14: only shards that are lost are a gap
  bool parent_not_waited_for = false;  ///< without the lineage of rule 14: a child is read beside its parent
  bool images_of_any_domain = false;   ///< without rule 9: whatever image there is counts as the newest
  bool children_at_once = false;  ///< without rule 10: a child is read before its parent's end is durable
  bool images_outlive_epochs = false;     ///< a new epoch leaves the images of the former one as they are
  bool replay_what_history_has = false;   ///< records of the time before the epoch are put, too
  bool one_empty_page_is_enough = false;  ///< without rule 14: an empty page counts as nothing left to read
};

struct CaptureOptions {
  /// Switches the stream on where there is none; absent: that needs a person.
  std::optional<endpoints::StreamView> enable;
  /// Begins a new capture epoch although the positions of the last one could be gone on from: history is to
  /// be read again (PROTOCOL rule 15).
  bool new_epoch = false;
  bool carry_expired = true;  ///< deletes by TTL are carried over like any other
  /// Records asked for, but not in the spool yet, in bytes, over all shards.
  std::uint64_t memory_bytes = 32u << 20;
  std::chrono::seconds list_every{10};  ///< DescribeStream has a limit of 10 calls a second for an account
  /// Polls of shards that had nothing to tell become rarer up to this; a claim of being in step needs all
  /// polls younger than 30 s.
  std::chrono::milliseconds idle_poll{2000};
  /// How long the source keeps its records, where it is not what its kind has as a rule.
  std::optional<std::chrono::seconds> retention;
  /// See ShardMapOptions; a quarter of the stream's retention at most.
  std::chrono::seconds retention_margin{1800};
  CaptureFaults faults;
};

/// How the capture stands. A copy is taken by whoever shows it.
struct CaptureFigures {
  bool running = false;
  std::string stream;
  std::string view;
  std::uint64_t events = 0, bytes = 0;  ///< of this process
  std::uint64_t expired_left_out = 0;   ///< deletes by TTL that were skipped
  std::uint64_t older_left_out = 0;     ///< events from before the epoch began: history has them
  double events_per_s = 0;
  std::uint64_t shards_reading = 0, shards_waiting = 0, shards_drained = 0;
  /// Until the oldest record that may be unread is trimmed: the figure that saves the job.
  std::optional<std::chrono::seconds> until_trimmed;
  std::uint64_t throttles = 0, retries = 0;
  bool spool_full = false;  ///< stands until there is room
  std::string trouble;      ///< what is being tried again; empty as a rule
};

/// What a claim needs to know of the capture (PROTOCOL rule 16).
struct CaptureClaim {
  bool following = false;             ///< begin() has ended well and follow() runs
  std::optional<MonoTime> listed_at;  ///< the newest complete listing was asked for then
  bool closed_drained = false;        ///< every shard that is closed in it was read to its end
  /// The oldest of the newest answered polls of the open shards; nullopt: one was never answered.
  std::optional<MonoTime> polled_at;
  /// What was written before is in the spool, as far as the open shards tell: a page that left records unread
  /// does not count as a poll here, and how late records may become readable is counted in.
  std::optional<MonoTime> whole_until;
  /// The newest poll of each found nothing left to read, or its last record at most so old when the server
  /// answered, or so much time has passed since either; 0 if nothing was left of any.
  std::chrono::seconds behind{0};
};

/// Before anything is made: whether there is a stream to capture, or one may be made. Asks a few times only.
/// Errors: config (neither), and what the source answered.
Task<Result<void>> check_stream(Loop& loop, endpoints::Endpoint& source, const CaptureOptions& options,
                                Stop* stop);

/// One table's capture. All of it on one loop; it outlives what its coroutines leave waiting there.
class Capture {
 public:
  struct Context {
    Loop* loop = nullptr;
    endpoints::Endpoint* source = nullptr;  ///< with a feed
    state::SpoolStore* spool = nullptr;
    LiveLedger* ledger = nullptr;
    Stop* stop = nullptr;
    item::KeySchema key;  ///< of the source's table
    Random random{0};
  };
  /// `context` is copied; what it points to outlives the capture.
  Capture(const Context& context, const CaptureOptions& options);
  ~Capture();

  /// Rule 13: finds the stream (or switches it on), lists it once, and stores the positions, or goes on from
  /// those of the spool under the ledger's capture epoch. A new epoch begins also where the ledger's record
  /// names no stream any more: who has history read again can clear it, which outlives a crash. Once it
  /// returns, history may be read: the ledger's record says under which epoch. Gaps that show (an age,
  /// another ARN, another spool) are declared. Errors: config (there is no stream and none may be made),
  /// stopped, and what the source answered for good.
  Task<Result<void>> begin();
  /// Reads until the stop, or an error for good. Outages of the source and a full spool are waited out.
  Task<Result<void>> follow();

  /// Thread-safe.
  CaptureFigures figures() const;
  CaptureClaim claim() const;
  /// Whatever was written before `since` is in the spool: the shards were listed after it, and each that was
  /// open has answered a poll that was sent after it and that left nothing of that time unread (PROTOCOL rule
  /// 17; how late records may become readable is counted in).
  bool polled_since(MonoTime since) const;
  /// The source's clock, as its answers tell it: in whole seconds, so up to one behind.
  WallTime server_now() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace messina::jobs
