#include "jobs/apply.h"

#include <algorithm>
#include <utility>

#include "jobs/apply_run.h"

namespace messina::jobs {

namespace {

/// How long the applier waits when the spool has nothing for it: at first, and at most.
constexpr Duration kShortestNap = std::chrono::milliseconds(5);
constexpr Duration kLongestNap = std::chrono::milliseconds(50);
/// A new pass begins this long after the last one began at least: when there are keys again that a former one
/// has passed by; regularly, for what the watermark held back; and so seldom when the former does not end.
constexpr Duration kPassAgain = std::chrono::milliseconds(50);
constexpr Duration kPassRegularly = std::chrono::seconds(1);
constexpr Duration kLongestPass = std::chrono::seconds(5);
/// How often a paused applier, or one without room, looks whether it may go on.
constexpr Duration kIdleNap = std::chrono::milliseconds(50);
/// Between takings of what may be marks only, for which there is no room.
constexpr Duration kMarksNap = std::chrono::milliseconds(20);
/// Of one taking.
constexpr std::size_t kMostEntries = 10'000;
constexpr std::int64_t kMostBytes = 4 << 20;
constexpr Duration kPublishEvery = std::chrono::milliseconds(200);
constexpr Duration kLookEvery = std::chrono::seconds(1);

/// Where the applier is in the spool's queue.
class Passes {
 public:
  /// True if the next taking is to begin a new pass. `released` grows with the keys that were given back;
  /// `marks_wanted`: those that were left over are wanted now.
  bool restart(MonoTime now, std::uint64_t released, bool marks_wanted) {
    again_ = again_ || marks_wanted;
    const Duration since = now - began_;
    const bool something = again_ || (ended_ && released != released_);
    const bool due = !begun_ || since >= kLongestPass || (ended_ && since >= kPassRegularly) ||
                     (something && since >= kPassAgain);
    if (!due) return false;
    begun_ = true;
    again_ = false;
    began_ = now;
    released_ = released;
    return true;
  }
  void taken(const state::Taken& taken) {
    ended_ = taken.end;
    nap_ = taken.entries.empty() ? std::min(nap_ * 2, kLongestNap) : kShortestNap;
  }
  Duration nap() const { return nap_; }

 private:
  bool begun_ = false, ended_ = false, again_ = false;
  MonoTime began_{};
  std::uint64_t released_ = 0;
  Duration nap_ = kShortestNap;
};

/// Asked for in advance, the watermark would never let a key through that changes all the time: its newest
/// image was always captured since. So while no page is on its way everything is asked for, and what was
/// captured after a page that was sent meanwhile goes back.
MonoTime ask_up_to(ApplyRun& run) {
  const MonoTime now = run.home.now();
  const MonoTime watermark = run.context.watermark->value(now);
  return watermark < now && !run.options.faults.no_watermark ? watermark : MonoTime::max();
}

/// False if there was no room for all marks.
bool accept(ApplyRun& run, std::vector<state::SpoolEntry> entries) {
  const MonoTime watermark =
      run.options.faults.no_watermark ? MonoTime::max() : run.context.watermark->value(run.home.now());
  std::vector<Change> changes, marks, too_late;
  changes.reserve(entries.size());
  for (state::SpoolEntry& entry : entries) {
    Change change;
    change.key = std::move(entry.key);
    change.generation = entry.generation;
    change.reread = entry.kind == state::ChangeKind::reread;
    change.remove = entry.kind == state::ChangeKind::removal;
    change.image = std::move(entry.image);
    change.changed_unix_ms = entry.oldest_change_unix_ms;
    run.key_bytes += bytes_of_held_key(change.key);
    run.image_bytes += static_cast<std::int64_t>(change.image.size());
    const bool passes = change.reread || entry.captured < watermark;
    (!passes ? too_late : change.reread ? marks : changes).push_back(std::move(change));
  }
  if (!too_late.empty()) run.keeper.release(std::move(too_late));
  if (!changes.empty()) run.writer.admit(std::move(changes));
  return marks.empty() || run.reader.add(std::move(marks));
}

/// Until the stop: takes what the spool gives and hands it on.
Task<void> take_changes(std::shared_ptr<ApplyRun> run) {
  Passes passes;
  while (!run->halt.requested()) {
    run->reader.let_through();
    run->reader.start();
    run->writer.dispatch();
    const std::size_t waiting = run->writer.waiting();
    const std::size_t wanted = run->writer.wanted();
    // Half of it at least, so that the takings are few.
    if (run->paused || run->room() <= 0 || 2 * waiting > wanted) {
      co_await run->room_made.wait(run->home, run->home.now() + kIdleNap);
      continue;
    }
    state::TakeRequest request;
    request.restart = passes.restart(run->home.now(), run->keeper.released(), run->reader.wants_left_over());
    request.max_entries = std::min(wanted - waiting, kMostEntries);
    request.max_bytes = static_cast<std::size_t>(std::min(run->room(), kMostBytes));
    request.images_before = request.removals_before = ask_up_to(*run);
    Result<state::Taken> taken = co_await run->context.spool->take(request);
    if (!taken && taken.error().kind != ErrorKind::busy) {
      run->fail_with(std::move(taken.error()));
      break;
    }
    if (!taken) {
      co_await run->home.sleep_for(kLongestNap, &run->halt);
      continue;
    }
    passes.taken(*taken);
    const bool all = accept(*run, std::move(taken->entries));
    const Duration nap = taken->end ? passes.nap() : all ? Duration::zero() : kMarksNap;
    if (nap > Duration::zero()) co_await run->home.sleep_for(nap, &run->halt);
  }
}

/// Figures for whoever watches.
Task<void> watch(std::shared_ptr<ApplyRun> run) {
  MonoTime next_look = run->home.now();
  while (!run->ended.requested()) {
    if (run->home.now() >= next_look) {
      next_look = run->home.now() + kLookEvery;
      const Result<state::SpoolFigures> figures = co_await run->context.spool->figures();
      if (figures) run->totals.spool = *figures;
    }
    run->publish();
    co_await run->home.sleep_for(kPublishEvery, &run->ended);
  }
}

}  // namespace

ApplyRun::ApplyRun(const Apply::Context& job_context, const ApplyOptions& job_options)
    : context(job_context),
      options(job_options),
      home(*job_context.lanes->front().loop),
      writer(*this),
      reader(*this),
      keeper(*this) {}

void ApplyRun::fail_with(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
  }
  halt.request();
  room_made.ring();
}

std::optional<Error> ApplyRun::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

Task<void> ApplyRun::on_lane(const Lane& lane, Task<void> task) const {
  if (lane.loop == &home) {
    co_await std::move(task);
    co_return;
  }
  TaskGroup there;
  there.spawn(lane.loop->executor(), std::move(task));
  co_await there.wait();
}

void ApplyRun::publish() {
  const MonoTime now = home.now();
  if (worst_lag_s) totals.lag_s = std::exchange(worst_lag_s, std::nullopt);
  totals.unknown_outcomes = keeper.unknown_keys();
  totals.trouble = trouble.recent(
      now, totals.unknown_outcomes > 0 ? options.dead_after + options.clock_error : Duration());
  state::Counts counts;
  counts.read_items = totals.written + totals.removed;
  totals.keys_per_s = rates_.add(now, counts).items_per_s;
  const std::lock_guard lock(mutex_);
  published_ = totals;
}

ApplyFigures ApplyRun::published() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

Apply::Apply(const Context& context, const ApplyOptions& options)
    : run_(std::make_shared<ApplyRun>(context, options)) {}

Apply::~Apply() = default;

Task<Result<void>> Apply::run() {
  const std::shared_ptr<ApplyRun> run = run_;
  Stop::Registration on_stop;
  if (run->context.stop != nullptr) {
    on_stop = run->context.stop->on_request([run] {
      run->halt.request();
      run->room_made.ring();
    });
  }
  run->totals.running = true;
  TaskGroup housekeeping;
  housekeeping.spawn(run->home.executor(), watch(run));
  if (!run->options.faults.no_predecessor_wait) {
    const MonoTime begin = run->context.quiet_until + kMore;
    if (begin > run->home.now()) co_await run->home.sleep_until(begin, &run->halt);
  }
  TaskGroup keeping;
  keeping.spawn(run->home.executor(), run->keeper.settle_by_and_by(run));
  keeping.spawn(run->home.executor(), run->keeper.record_by_and_by(run));
  co_await take_changes(run);
  co_await run->requests.wait();
  run->keeper.close();
  co_await keeping.wait();
  // Before that, a former process's requests may still be there.
  run->quiet = run->keeper.unknown_keys() == 0 && run->home.now() > run->context.quiet_until;
  run->ended.request();
  co_await housekeeping.wait();
  run->totals.running = false;
  run->publish();
  if (std::optional<Error> failure = run->failure()) co_return fail(std::move(*failure));
  co_return Result<void>();
}

bool Apply::wire_is_quiet() const { return run_->quiet; }
void Apply::pause(bool paused) { run_->paused = paused; }
ApplyFigures Apply::figures() const { return run_->published(); }

}  // namespace messina::jobs
