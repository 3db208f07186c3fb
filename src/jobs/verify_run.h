// What the coroutines of one running verification share; private to src/jobs/verify*.cc.
#pragma once
#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jobs/copy_start.h"
#include "jobs/page_comparison.h"
#include "jobs/rate_window.h"
#include "jobs/read_charge.h"
#include "jobs/retry.h"
#include "jobs/side_pace.h"
#include "jobs/task_group.h"
#include "jobs/trouble.h"
#include "jobs/verify.h"

namespace messina::jobs {

enum class Side : std::uint8_t { source, target };

/// Held by a shared_ptr in every coroutine of it. Belongs to the first lane's loop unless it says otherwise.
struct VerifyRun : std::enable_shared_from_this<VerifyRun> {
  VerifyRun(VerifyContext job_context, VerifyOptions job_options);

  VerifyContext context;
  const VerifyOptions options;
  Loop& home;
  Random random;

  /// A stop by the user or by an error. Any thread.
  Stop halt;
  /// Of its coroutines, which may outlive whoever began them where a loop is destroyed under them.
  Stop housekeeping_over, passed, staying_over;
  void fail_with(Error error);
  std::optional<Error> failure() const;
  bool live() const { return context.live != nullptr; }
  bool paused() const { return context.steering != nullptr && context.steering->settings().paused; }

  SidesOfItems sides;
  std::optional<std::string> ttl_attribute;  ///< of the source

  AsyncSemaphore memory;
  /// Bytes to lease for a page and for what the other side answers about it. Any thread.
  std::atomic<std::int64_t> page_lease;
  /// Of the last answers to a lookup of the source, and of the target. Any thread.
  std::array<std::atomic<std::size_t>, 2> answer_bytes;
  ReadBudget own_source_reads, target_reads, cap;
  ReadBudget& source_reads;  ///< a live migration's, or its own
  std::atomic<std::uint64_t> own_source_throttles{0}, target_throttles{0};
  std::atomic<std::uint64_t>& source_throttles;
  std::atomic<std::uint64_t> retries{0}, throttles{0};
  Trouble trouble;

  // ------------------------------------------------------------- what is to be committed; any thread
  /// Waits while too much waits for a commit already. `keys`, of the unit's side, outlive the call; they are
  /// no part of that: they are added up where they are many.
  Task<void> add(state::VerifyCommit::UnitStep step, std::span<const Uint128> keys,
                 std::vector<std::string> suspects);
  Task<void> add(std::vector<state::KeyNote> notes);
  void note_record();
  /// There are notes that the next commit takes along.
  bool notes_wait() const;
  /// Commits until `over`, and what waits then.
  Task<void> commit_by_and_by(Stop* over);
  /// All that was added before is durable when it returns; false if it cannot be.
  Task<bool> flush();
  /// One commit: the phase, with the units that it reads.
  Task<Result<void>> begin_phase(VerifyPhase phase, std::vector<state::VerifyUnit> new_units);

  // ------------------------------------------------------------- units
  /// The next one of the side; nullopt: none is left.
  std::optional<std::size_t> take_unit();
  void hand_out(state::VerifySide side);
  std::vector<state::VerifyUnit> units;  ///< as they were when the phase began; constant while it lasts
  std::vector<bool> listed;              ///< buckets whose keys are looked up; empty: all. Constant likewise

  // ------------------------------------------------------------- figures; any thread
  mutable std::mutex mutex;
  VerifyFigures shown;  ///< under the mutex
  template <class Change>
  void show(Change change) {
    const std::lock_guard lock(mutex);
    change(shown);
  }
  VerifyRecord record;  ///< the home loop's
  /// The keys of the round that is being judged, and whether a touch of them was forgotten meanwhile: the
  /// spool then does not tell any more that they were written to. The home loop's.
  std::unordered_map<std::string, bool> being_judged;
  std::uint64_t kept_item_bytes = 0;  ///< in notes; the judges'

  /// Suspects are kept in the store: how many, at most.
  std::uint64_t suspects() const {
    const std::lock_guard lock(mutex);
    return shown.notes_of(state::Verdict::suspect);
  }

 private:
  bool take_pending(state::VerifyCommit& commit);
  Task<bool> commit_pending();
  Task<Result<state::NoteCounts>> commit_until_taken(const state::VerifyCommit& commit);

  std::optional<Error> failure_;  ///< under the mutex, as what follows
  std::deque<std::size_t> to_do_;
  std::map<std::size_t, state::VerifyCommit::UnitStep> steps_;
  state::VerifyCommit pending_;
  std::vector<AsyncSemaphore::Lease> waiting_;
  bool record_changed_ = false;
  AsyncSemaphore room_;
  AsyncSemaphore committing_{1};
  RateWindow rates_;
};

/// One read's way through the budgets: the verification's own first, then the side's.
class VerifyCharge {
 public:
  VerifyCharge(VerifyRun& run, Side side)
      : cap_(run.cap, nullptr),
        side_(side == Side::source ? run.source_reads : run.target_reads,
              side == Side::source ? run.context.shared : nullptr),
        capped_(side == Side::source) {}

  /// For a page; or for a lookup that should cost `units`. nullopt: go. Else ask again after that nap.
  std::optional<Duration> ask(MonoTime now, std::optional<double> units);
  void answered(MonoTime now, bool of_keys, std::size_t items, double units);
  void give_up(MonoTime now);

 private:
  ReadCharge cap_, side_;
  bool capped_, passed_cap_ = false;
};

using TakeItems = std::function<Result<void>(std::span<const std::string_view>)>;
/// Looks raw keys up by the lane's endpoint until each of them was answered, several batches at once; they
/// outlive the call. `take` gets each answer's items on the lane's loop, on which it runs. Says what it cost,
/// in RCU. Errors: stopped, of `take`, and what the side answered for good.
Task<Result<double>> look_up(std::shared_ptr<VerifyRun> run, Lane* lane, Side side, Random* random,
                             std::span<const std::string_view> keys, TakeItems take);
/// The same of one batch: at most as many keys as one lookup takes. `expected` (may be nullptr;
/// endpoints::Lookup) outlives the call, too.
Task<Result<double>> look_up_batch(std::shared_ptr<VerifyRun> run, Lane* lane, Side side, Random* random,
                                   std::span<const std::string_view> keys, TakeItems take,
                                   item::ExpectedItems* expected = nullptr);

/// A side is asked for so little at once that whoever sends one lookup at a time spends the time waiting, and
/// being woken: this many go on at once.
inline constexpr std::size_t kLookupsAtOnce = 4;
/// Looks up [first, end) of some keys, and says what it cost. `slot`, below kLookupsAtOnce, is no other
/// call's meanwhile.
using LookUpSome = std::function<Task<Result<double>>(std::size_t slot, std::size_t first, std::size_t end)>;
/// Has so many keys looked up, kLookupsAtOnce batches at once where answers are not large. Says what all
/// cost. Errors: the first one, with which the run fails, so that no other batch goes on trying.
Task<Result<double>> look_up_in_batches(std::shared_ptr<VerifyRun> run, Lane* lane, Side side,
                                        std::size_t keys, LookUpSome look_up_some);

/// The units of a side's table, as many as its lanes keep busy; of a verification of one segment, those of as
/// many segments as that is one of.
Task<Result<std::vector<endpoints::Unit>>> plan_side(std::shared_ptr<VerifyRun> run, Side side);

using ReadOnce = std::function<Task<Result<endpoints::Page>>()>;
/// Has `read` read a page of a side, on the loop on which it runs, until it is answered; within the budgets.
/// Errors: stopped, also where the side answered for good with what the run has failed with then.
Task<Result<endpoints::Page>> read_page(std::shared_ptr<VerifyRun> run, Loop* loop, Side side, Random* random,
                                        ReadOnce read);

/// Waits until a read may be sent: budgets, and a person's pause. False: the run was halted.
Task<bool> may_read(std::shared_ptr<VerifyRun> run, Loop* loop, VerifyCharge* charge,
                    std::optional<double> units);
/// True if it is to be tried again; has waited then.
Task<bool> after_failure(std::shared_ptr<VerifyRun> run, Loop* loop, Side side, Retry* retry, Random* random,
                         Error error);

/// Reads units of the present side until none is left (verify_read.cc).
Task<void> read_units(std::shared_ptr<VerifyRun> run, Lane* lane, Random random, state::VerifySide side);

/// Judges suspects as they come, until `over` and none is left (verify_judge.cc).
Task<void> judge_suspects(std::shared_ptr<VerifyRun> run, Stop* over);
/// Looks once at each key whose change was captured since the pass began; what disagrees becomes a suspect.
Task<Result<void>> look_at_touched(std::shared_ptr<VerifyRun> run);
/// The same, of all that was written until it was called: waits until that is captured.
Task<Result<void>> look_at_all_touched(std::shared_ptr<VerifyRun> run);

/// Holds the target's indexes against its items, those that the record does not have yet (verify_indexes.cc).
Task<Result<void>> verify_indexes(std::shared_ptr<VerifyRun> run);

/// Marks what was found different for the applier, and makes suspects of it (verify_repair.cc).
Task<Result<void>> mark_differences(std::shared_ptr<VerifyRun> run);

/// Compares the digests (verify_digest.cc): the buckets that keys written meanwhile, and keys with a note,
/// do not explain.
struct DigestFindings {
  std::vector<bool> buckets;  ///< that are to be listed
  std::uint64_t differing = 0, to_list = 0;
  std::uint64_t source_keys = 0, target_keys = 0;
  std::string source_sum, target_sum;  ///< hexadecimal
};
Task<Result<DigestFindings>> compare_digests(std::shared_ptr<VerifyRun> run);

}  // namespace messina::jobs
