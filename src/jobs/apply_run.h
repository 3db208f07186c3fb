// What the coroutines of one running applier share. Everything here belongs to the first lane's loop unless
// it says otherwise; what is done on another lane's loop is awaited from there.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "jobs/apply.h"
#include "jobs/authority.h"
#include "jobs/bell.h"
#include "jobs/blame.h"
#include "jobs/budgets.h"
#include "jobs/hold_book.h"
#include "jobs/rate_window.h"
#include "jobs/read_charge.h"
#include "jobs/retry.h"
#include "jobs/shared_budgets.h"
#include "jobs/task_group.h"
#include "jobs/trouble.h"
#include "pace/backoff.h"

namespace messina::jobs {

/// A wait of "more than" a time ends this much later.
inline constexpr Duration kMore = std::chrono::milliseconds(1);

/// A key in hand, which the spool holds until settle() or release().
struct Change {
  std::string key;  ///< the spool's: the key's JSON
  state::Generation generation = 0;
  bool remove = false;
  bool reread = false;  ///< a mark; `remove` and `image` are as the source said
  std::string image;    ///< of a put
  std::int64_t changed_unix_ms = 0;
  /// A batch with it was refused then, and perhaps written in part: another state of it must keep its
  /// distance.
  std::optional<MonoTime> perhaps_written_at = {};
};

/// What goes out in one write(). Each is of another key.
struct Batch {
  std::vector<Change> changes;
  Blame blame;
  bool alone() const { return changes.size() == 1; }
};

/// What a held key takes of the memory.
std::int64_t bytes_of_held_key(std::string_view key);

struct ApplyRun;

/// Batches out of changes, and what becomes of them (apply_write.cc).
class ApplyWriter {
 public:
  explicit ApplyWriter(ApplyRun& run);

  /// These may be written, now or later.
  void admit(std::vector<Change> changes);
  /// Starts as many writes as are possible.
  void dispatch();
  /// Changes that wait for their write.
  std::size_t waiting() const;
  /// How many should wait, so that no write has to.
  std::size_t wanted() const;

 private:
  /// One write() at a time.
  struct Slot {
    Lane* lane = nullptr;
    pace::Backoff backoff;
    bool busy = false;
  };
  /// A write on its lane's loop: in memory that outlives either side.
  struct Sending {
    Batch batch;
    std::deque<std::string> transformed;
    std::vector<endpoints::WriteRequest> requests;
    /// nullopt: nothing may be sent any more, and nothing was.
    std::optional<endpoints::WriteOutcome> outcome;
  };
  /// Of keys that failed together and are to be tried together.
  struct Suspicion {
    std::uint64_t group = 0;
    Blame blame;
  };

  Task<void> send_batches(std::shared_ptr<ApplyRun> run, std::size_t number, Batch batch);
  static Task<void> attempt(std::shared_ptr<ApplyRun> run, Lane* lane, std::shared_ptr<Sending> sending);
  Batch next_batch();
  void prepare(Sending& sending);
  /// How long the slot is to pause.
  Duration judge(Slot& slot, Batch& batch, endpoints::WriteOutcome& outcome);
  Duration processed(Slot& slot, Batch& batch, const endpoints::WriteOutcome& outcome);
  Duration not_written(Slot& slot, Batch& batch, const Error& error);
  Duration outcome_unknown(Slot& slot, Batch& batch, const Error& error);
  void take_apart(Batch& batch, const Error& error);
  void suspect(const Batch& batch, bool in_halves);
  std::int64_t unsettled_batches() const;

  ApplyRun& run_;
  std::vector<Slot> slots_;
  std::deque<Change> ready_;
  std::deque<Batch> groups_;  ///< batches that must stay as they are; they go first
  std::unordered_map<std::string, Suspicion> suspects_;
  std::uint64_t next_group_ = 1;
  std::uint64_t acknowledged_ = 0;  ///< batches, whole
  std::size_t on_wire_ = 0;
};

/// Marks: reads their keys from the source, and keeps what was read until the watermark lets it through
/// (apply_read.cc).
class ApplyReader {
 public:
  explicit ApplyReader(ApplyRun& run);

  /// Takes marks over as long as there is room; what is left over goes back to the spool. True if nothing is.
  bool add(std::vector<Change> marks);
  /// Starts as many reads as are possible.
  void start();
  /// Hands on what the watermark lets through by now; what waits too long for it is released.
  void let_through();
  /// True once, as soon as there is room again for marks that were left over.
  bool wants_left_over();

 private:
  struct Reading;
  struct Held {
    MonoTime sent_at{};
    std::vector<Change> changes;
  };

  Task<void> read_marks(std::shared_ptr<ApplyRun> run, Lane* lane, std::vector<Change> marks);
  static Task<void> look_up(std::shared_ptr<ApplyRun> run, Lane* lane, std::shared_ptr<Reading> reading);
  Task<bool> wait_for_budget(std::shared_ptr<ApplyRun> run, ReadCharge& charge, std::size_t keys);
  void answered(Reading& reading, std::vector<Change>& marks);
  Task<bool> after_read(std::shared_ptr<ApplyRun> run, Reading& reading, std::vector<Change>& marks,
                        Retry& retry);
  void ask_apart(std::vector<Change> marks);
  bool memory_allows() const;
  bool same_source_since(const Held& held) const;
  MonoTime watermark() const;

  ApplyRun& run_;
  std::deque<Change> marks_;
  std::deque<Held> held_;
  ReadBudget own_budget_;
  ReadBudget& budget_;
  double rcu_per_key_ = 1;
  std::int64_t lookup_bytes_ = 256 * 1024;  ///< a lookup may bring as much
  std::int64_t read_bytes_ = 0;             ///< of images that were read and wait
  std::size_t reading_ = 0;                 ///< lookups under way
  std::size_t next_lane_ = 0;
  bool left_over_ = false;
  MonoTime watermark_wanted_{};  ///< no use in reading before the watermark has passed this
};

/// Holds keys for as long as they must be, and settles them; rejects go by the ledger first (apply_keep.cc).
class ApplyKeeper {
 public:
  explicit ApplyKeeper(ApplyRun& run);

  /// The write of these was answered, just now.
  void acknowledged(std::vector<Change> changes);
  /// Nobody will ever know before D + S are over.
  void unknown(std::vector<Change> changes);
  /// Nothing was written by this attempt: they may be taken again after the pause.
  void turned_away(std::vector<Change> changes, Duration pause);
  /// The target will not take it, and nothing of it is on its way; or only D + S later, if `was_unknown`.
  void reject(Change change, const Error& error, bool was_unknown = false);
  /// They may be taken again at once.
  void release(std::vector<Change> changes);
  /// There is no room for them now.
  void leave_over(std::vector<Change> changes);

  Task<void> settle_by_and_by(std::shared_ptr<ApplyRun> run);
  Task<void> record_by_and_by(std::shared_ptr<ApplyRun> run);
  /// Nothing more will come: both of these end when all is settled.
  void close();

  std::size_t unknown_keys() const { return book_.unknown_keys() + late_rejects_; }
  std::size_t unknown_batches() const { return book_.unknown_batches() + late_rejects_; }
  /// Grows with every key that may be taken again, but for those that were left over.
  std::uint64_t released() const { return released_; }

 private:
  /// Must be in the ledger before its entry may go.
  struct Pending {
    state::Settled settled;
    std::string key;  ///< item::key_bytes
    std::optional<state::Reject> reject;
    std::int64_t image_bytes = 0;
    MonoTime answered{};
  };

  Task<void> reject_later(std::shared_ptr<ApplyRun> run, Pending pending);
  Task<bool> record(std::shared_ptr<ApplyRun> run, std::vector<Pending> together);
  static Task<Result<void>> settle(std::shared_ptr<ApplyRun> run, std::vector<state::Settled> written);
  void hold_after_answer(std::vector<state::Settled> written, MonoTime answered);
  state::Settled settled(Change& change);
  std::vector<std::string> keys_of(std::vector<Change> changes);
  void give_back(const std::vector<std::string>& keys);
  void wake();

  ApplyRun& run_;
  HoldBook book_;
  Bell due_, recording_;
  MonoTime sleeping_until_ = MonoTime::min();  ///< the settling coroutine; min: it does not sleep
  std::deque<Pending> pending_;
  std::size_t late_rejects_ = 0;
  std::uint64_t released_ = 0;
  bool closed_ = false, recorded_ = false;
};

/// A running applier. Held by a shared_ptr in every coroutine of it.
struct ApplyRun : std::enable_shared_from_this<ApplyRun> {
  ApplyRun(const Apply::Context& job_context, const ApplyOptions& job_options);

  Apply::Context context;
  const ApplyOptions options;
  Loop& home;

  /// A stop by the user or by an error: what is on the wire is waited for, and nothing new begun.
  Stop halt;
  Stop ended;  ///< all is settled
  /// Any thread: keeps the first error, and halts.
  void fail_with(Error error);
  std::optional<Error> failure() const;
  /// Whether a write may be sent now. Any thread.
  bool may_send(MonoTime now) const {
    const bool ours = context.owner == nullptr || now <= context.owner->counts_until(kOwnerSeenLasts);
    return !halt.requested() && !paused && ours && now <= context.ledger->send_until();
  }
  std::atomic<bool> paused{false};

  /// Runs `task` on the lane's loop, and comes back.
  Task<void> on_lane(const Lane& lane, Task<void> task) const;

  /// Bytes of keys that are held, and of images in hand.
  std::int64_t key_bytes = 0, image_bytes = 0;
  std::int64_t room() const {
    return static_cast<std::int64_t>(options.memory_bytes) - key_bytes - image_bytes;
  }
  void forget_image(Change& change) {
    image_bytes -= static_cast<std::int64_t>(change.image.size());
    change.image = {};
  }

  ApplyFigures totals;  ///< what the loop counts
  Trouble trouble;
  std::optional<double> worst_lag_s;  ///< since the last look
  void publish();
  ApplyFigures published() const;

  TaskGroup requests;  ///< writes and reads under way
  Bell room_made;      ///< somebody who waits for it may take again
  ApplyWriter writer;
  ApplyReader reader;
  ApplyKeeper keeper;
  std::atomic<bool> quiet{true};

 private:
  mutable std::mutex mutex_;
  std::optional<Error> failure_;
  ApplyFigures published_;
  RateWindow rates_;
};

}  // namespace messina::jobs
