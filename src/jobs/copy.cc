#include "jobs/copy.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "jobs/copy_internal.h"
#include "jobs/copy_run.h"
#include "jobs/copy_start.h"
#include "jobs/governor.h"
#include "jobs/live_ledger.h"
#include "jobs/progress_json.h"
#include "jobs/rate_window.h"
#include "jobs/retry.h"

namespace messina::jobs {

namespace {

/// Until the first page is settled there is no speed that the latency of a side could hold, unless the page
/// takes longer than this.
constexpr Duration kFirstPage = std::chrono::seconds(5);
/// A commit with nothing in it but the heartbeat.
constexpr Duration kHeartbeatEvery = std::chrono::seconds(1);

struct Workers {
  TaskGroup group;
  Stop all_done;
};

Task<void> announce_end(std::shared_ptr<Workers> workers) {
  co_await workers->group.wait();
  workers->all_done.request();
}

/// A table that was made again, or is another's, ends the job; anything else that goes wrong here, the reads
/// and writes will meet, too.
Task<void> check_now(std::shared_ptr<CopyRun> run, Lane& lane, LookAt look, MonoTime* next) {
  if (run->tuning.faults.owner_unchecked) co_return;
  const MonoTime asked = lane.loop->now();
  const Result<bool> same = co_await check_tables(lane, run->pinned, run->authority, look);
  const std::optional<Error> unseen = note_look(same, asked, run->pinned.target, run->owner);
  if (!unseen) co_return;
  if (unseen->kind == ErrorKind::needs_person) run->fail_with(*unseen);
  if (lane.loop->now() > run->may_send_until()) run->note_trouble(*unseen, lane.loop->now());
  *next = lane.loop->now() + kLookAgain;
}

/// The job's own coroutine: commits what the workers settle, keeps the heartbeat, publishes the progress.
class Conductor {
 public:
  Conductor(std::shared_ptr<CopyRun> run, PinnedTables tables, OpenedJob opened)
      : run_(std::move(run)),
        tables_(std::move(tables)),
        opened_(std::move(opened)),
        loop_(*run_->context.lanes->front().loop),
        governor_(run_, tables_),
        per_lane_(run_->options.units_per_lane),
        durable_limit_(opened_.state->begun_limit) {
    totals_.live_rejects = opened_.state->live_rejects;
    for (const state::UnitRecord& unit : opened_.state->units) {
      totals_.counts += unit.counts;
      totals_.units_done += unit.state == state::UnitState::done;
      totals_.units_skipped += unit.state == state::UnitState::skipped;
    }
  }

  Task<Result<CopySummary>> conduct();
  CopySummary summary() const;
  void publish(std::string phase) { run_->context.board->publish(progress(std::move(phase), totals_)); }

 private:
  struct Totals {
    state::Counts counts;
    std::uint64_t live_rejects = 0;
    std::uint64_t units_done = 0, units_skipped = 0;
  };

  void add_workers(Workers& workers, std::uint32_t per_lane);
  Task<void> tick_until_all_done(std::shared_ptr<Workers> workers);
  /// Writes what waits; `last` also ends the job's run.
  enum class Last : std::uint8_t { no, stopped, done };
  Task<bool> commit(Last last);
  void add(Totals& totals, const state::Commit& step) const;
  bool commit_is_due() const;
  Task<void> end();
  /// No request of this process, or of the one before it, can land any more.
  bool wire_is_quiet() const {
    const bool former = opened_.former_may_be_on_wire && loop_.now() < opened_.quiet_until &&
                        !run_->tuning.faults.clean_end_forgets_predecessor;
    return !run_->left_unknown && !former;
  }
  std::uint64_t unit_count() const { return opened_.state->units.size(); }
  std::string phase() const;
  void sample_waits();
  bool loops_are_busy(Duration since);
  pace::SpeedHolder holder_to_tell() const;
  Progress progress(std::string phase, const Totals& totals);

  std::shared_ptr<CopyRun> run_;
  PinnedTables tables_;
  OpenedJob opened_;
  Loop& loop_;
  Governor governor_;
  std::uint32_t per_lane_;  ///< workers on each lane
  Totals totals_;           ///< durable
  std::uint64_t durable_limit_;
  MonoTime last_commit_{};
  bool ledger_broken_ = false;
  bool done_ = false;
  RateWindow rates_;
  RateWindow::Rates newest_rates_;
  pace::SpeedHolders holders_;
  MonoTime last_sample_{};
  std::chrono::nanoseconds cpu_used_{};  ///< at the last look
  MonoTime working_since_{};
  bool settled_a_page_ = false;  ///< in this run
  MonoTime last_moved_{};        ///< a page was settled, or nothing could be
};

void Conductor::add_workers(Workers& workers, std::uint32_t per_lane) {
  for (Lane& lane : *run_->context.lanes) {
    for (std::uint32_t i = 0; i < per_lane; ++i) {
      Random random = run_->context.random.fork();
      workers.group.spawn(lane.loop->executor(), work_on_units(run_, lane, random, opened_.state));
    }
  }
}

Task<Result<CopySummary>> Conductor::conduct() {
  const CopyFaults& faults = run_->tuning.faults;
  const bool no_wait =
      faults.no_predecessor_wait || (faults.no_wait_after_clean_end && !opened_.former_heartbeat);
  const MonoTime quiet = no_wait ? loop_.now() : opened_.quiet_until;
  run_->units.emplace(*opened_.state, opened_.former_limit, quiet);
  if (run_->tuning.faults.begin_units_unreserved) run_->units->reserved(unit_count());
  co_await governor_.begin();
  last_commit_ = last_sample_ = last_moved_ = working_since_ = loop_.now();
  if (run_->context.cpu_time) cpu_used_ = run_->context.cpu_time();
  run_->send_until = last_commit_ + kHeartbeatBound;
  publish(phase());

  auto workers = std::make_shared<Workers>();
  add_workers(*workers, per_lane_);
  TaskGroup announcer;
  announcer.spawn(loop_.executor(), announce_end(workers));
  co_await tick_until_all_done(workers);
  co_await announcer.wait();
  // One that was added while the last of the others ended finds nothing to do, and may still be at it.
  co_await workers->group.wait();
  co_await governor_.end();
  co_await end();
  if (run_->context.companion != nullptr) run_->context.companion->copy_is_quiet = wire_is_quiet();

  publish(done_ ? "done" : "stopped");
  if (const std::optional<Error> failure = run_->failure()) co_return fail(*failure);
  if (!done_) co_return fail(ErrorKind::stopped, "stopped before the end: run it again to go on");
  co_return summary();
}

Task<void> Conductor::tick_until_all_done(std::shared_ptr<Workers> workers) {
  TaskGroup checks;
  // The migration that it is a part of looks itself.
  const bool looks = run_->context.companion == nullptr;
  MonoTime next_check = loop_.now() + kCheckTablesEvery;
  std::uint32_t look = 0;
  while (!workers->all_done.requested()) {
    co_await loop_.sleep_for(run_->tuning.commit_period, &workers->all_done);
    sample_waits();
    governor_.tick();
    if (const std::uint32_t more = governor_.more_workers(per_lane_);
        more > 0 && !workers->all_done.requested()) {
      per_lane_ += more;
      add_workers(*workers, more);
    }
    if (commit_is_due()) co_await commit(Last::no);
    publish(phase());
    if (looks && loop_.now() >= next_check && checks.idle()) {
      next_check = loop_.now() + kCheckTablesEvery;
      const LookAt at = ++look % kSourceOnceIn == 0 ? LookAt::both : LookAt::target;
      checks.spawn(loop_.executor(), check_now(run_, run_->context.lanes->front(), at, &next_check));
    }
  }
  co_await checks.wait();
}

bool Conductor::commit_is_due() const {
  if (ledger_broken_) return false;
  return !run_->recorder.empty() || loop_.now() - last_commit_ >= kHeartbeatEvery ||
         run_->units->wanted_limit(reserved_ahead(*run_, unit_count())) > durable_limit_;
}

void Conductor::add(Totals& totals, const state::Commit& step) const {
  for (const state::Commit::UnitStep& unit : step.steps) {
    totals.counts += unit.delta;
    totals.units_done += unit.state == state::UnitState::done;
  }
  totals.live_rejects += step.rejects.size();
}

Task<bool> Conductor::commit(Last last) {
  if (ledger_broken_) co_return false;
  state::Commit step;
  const MonoTime at = loop_.now();
  step.heartbeat_unix_ms = unix_ms(loop_.wall());
  run_->recorder.take(step);
  // The applier may have had the same key refused: one reject of it is live.
  for (const state::Reject& reject : step.rejects) {
    if (!reject.key.empty()) step.settled_keys.push_back(reject.key);
  }
  const std::uint64_t limit = run_->units->wanted_limit(reserved_ahead(*run_, unit_count()));
  if (limit > durable_limit_ && !run_->tuning.faults.begin_units_unreserved) step.begun_limit = limit;
  if (last == Last::done) step.phase = state::JobPhase::done;
  if (run_->context.companion == nullptr) step.clean_end = last != Last::no && wire_is_quiet();
  Totals after = totals_;
  add(after, step);
  const std::string now_in = last == Last::no ? phase() : last == Last::done ? "done" : "stopped";
  // A migration around it tells of itself.
  if (run_->context.companion == nullptr) step.snapshot_json = progress_to_json(progress(now_in, after));

  Result<void> committed = co_await run_->context.store->commit(step);
  if (!committed) {
    // Without the ledger nothing may be claimed, and so nothing more be done.
    ledger_broken_ = true;
    run_->recorder.close();
    run_->fail_with(committed.error());
    co_return false;
  }
  // Before the watermark hears of their pages: what the applier writes next may settle them.
  if (run_->context.companion != nullptr && run_->context.companion->rejects != nullptr) {
    for (const state::Reject& reject : step.rejects) run_->context.companion->rejects->add(reject.key);
  }
  run_->recorder.committed();
  totals_ = after;
  last_commit_ = at;
  if (!step.steps.empty()) {
    last_moved_ = loop_.now();
    settled_a_page_ = true;
  }
  run_->send_until = at + kHeartbeatBound;
  if (loop_.now() > run_->send_until.load()) {
    const auto took = std::chrono::duration_cast<std::chrono::seconds>(loop_.now() - at);
    const Error slow{ErrorKind::disk,
                     fmt::format("the disk under the state directory took {} s for one commit: nothing is "
                                 "written to the target until it is faster",
                                 took.count())};
    run_->note_trouble(slow, loop_.now());
  }
  if (step.begun_limit) {
    durable_limit_ = *step.begun_limit;
    run_->units->reserved(durable_limit_);
  }
  co_return true;
}

Task<void> Conductor::end() {
  if (!run_->recorder.empty()) co_await commit(Last::no);
  const bool all = totals_.units_done + totals_.units_skipped == unit_count();
  if (all && !run_->failed()) {
    publish("finishing");
    Lane& lane = run_->context.lanes->front();
    Random random = run_->context.random.fork();
    auto attempt = [run = run_, &lane] {
      return check_tables(lane, run->pinned, run->authority, LookAt::both);
    };
    const Result<bool> same = co_await with_retries<bool>(loop_, &run_->halt, random, attempt);
    if (same) {
      done_ = co_await commit(Last::done);
      co_return;
    }
    if (same.error().kind != ErrorKind::stopped) run_->fail_with(same.error());
  }
  co_await commit(Last::stopped);
}

CopySummary Conductor::summary() const {
  CopySummary summary;
  summary.counts = totals_.counts;
  summary.live_rejects = totals_.live_rejects;
  summary.units = unit_count();
  summary.units_skipped = totals_.units_skipped;
  summary.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(loop_.now() - run_->started);
  return summary;
}

std::string Conductor::phase() const {
  const auto workers = static_cast<std::int64_t>(run_->context.lanes->size()) * per_lane_;
  if (run_->paused && !run_->halt.requested()) return "paused";
  return run_->waits.of(pace::SpeedHolder::predecessor) >= workers ? "waiting" : "copying";
}

bool is_latency(pace::SpeedHolder holder) {
  return holder == pace::SpeedHolder::source_latency || holder == pace::SpeedHolder::target_latency;
}

/// Whether the loops have used up all but a rest of the time.
bool Conductor::loops_are_busy(Duration since) {
  static constexpr double kBusy = 0.85;
  if (!run_->context.cpu_time) return false;
  const auto used = run_->context.cpu_time();
  const std::chrono::duration<double> spent = used - std::exchange(cpu_used_, used);
  return spent >= kBusy * static_cast<double>(run_->context.lanes->size()) * since;
}

/// Who waits for what right now stands for the time since the last look. An answer that a busy loop has not
/// looked at yet counts as waited for: there the loop is what is waited for.
void Conductor::sample_waits() {
  const MonoTime now = loop_.now();
  const Duration since = now - std::exchange(last_sample_, now);
  const bool busy = loops_are_busy(since);
  for (std::size_t i = 0; i < pace::kSpeedHolders; ++i) {
    const auto holder = static_cast<pace::SpeedHolder>(i);
    const Duration waited = since * run_->waits.of(holder).load();
    holders_.waited(now, busy && is_latency(holder) ? pace::SpeedHolder::cpu : holder, waited);
  }
  newest_rates_ = rates_.add(now, totals_.counts);
  const pace::SpeedHolder holder = holders_.answer(now);
  const bool by_design = holder == pace::SpeedHolder::read_budget ||
                         holder == pace::SpeedHolder::write_budget ||
                         holder == pace::SpeedHolder::predecessor || run_->paused;
  if (by_design) last_moved_ = now;
}

pace::SpeedHolder Conductor::holder_to_tell() const {
  const pace::SpeedHolder holder = holders_.answer(loop_.now());
  const bool too_early = !settled_a_page_ && loop_.now() - working_since_ < kFirstPage;
  return is_latency(holder) && too_early ? pace::SpeedHolder::nothing : holder;
}

Progress Conductor::progress(std::string in_phase, const Totals& totals) {
  Progress p;
  p.table = run_->context.lanes->front().source.table.value;
  p.phase = std::move(in_phase);
  p.counts = totals.counts;
  p.units = unit_count();
  p.units_done = totals.units_done;
  p.units_skipped = totals.units_skipped;
  p.expected_items = tables_.expected_items;
  p.expected_bytes = tables_.expected_bytes;
  const double of_units =
      p.units == 0 ? 1 : static_cast<double>(p.units_done + p.units_skipped) / static_cast<double>(p.units);
  p.share_done = of_units;
  if (p.expected_items.value_or(0) > 0 && of_units < 1) {
    // The expectation is hours old: all but the end can be said by it.
    p.share_done =
        std::min(0.99, static_cast<double>(p.counts.read_items) / static_cast<double>(*p.expected_items));
  }
  p.items_per_s = newest_rates_.items_per_s;
  p.bytes_per_s = newest_rates_.bytes_per_s;
  p.rcu_per_s = newest_rates_.rcu_per_s;
  p.elapsed_s = std::chrono::duration<double>(loop_.now() - run_->started).count();
  if (p.items_per_s > 0 && p.share_done > 0 && p.share_done < 1) {
    p.eta_s = static_cast<double>(p.counts.read_items) * (1 - p.share_done) / p.share_done / p.items_per_s;
  }
  const pace::SpeedHolder holder = holder_to_tell();
  p.holder = std::string(pace::to_string(holder));
  p.unknown_outcomes = run_->unknown_outcomes;
  if (holder == pace::SpeedHolder::hot_partition && run_->hot_unit >= 0) {
    p.holder_detail = opened_.state->units[static_cast<std::size_t>(run_->hot_unit)].id;
  } else if (holder == pace::SpeedHolder::target_latency && p.unknown_outcomes > 0) {
    p.holder_detail =
        p.unknown_outcomes == 1
            ? "1 write of unknown outcome waits to be made again"
            : fmt::format("{} writes of unknown outcome wait to be made again", p.unknown_outcomes);
    const std::string why = run_->recent_trouble(loop_.now());
    if (!why.empty()) p.holder_detail += ": " + why;
  } else if (holder != pace::SpeedHolder::predecessor && holder != pace::SpeedHolder::read_budget &&
             holder != pace::SpeedHolder::write_budget && holder != pace::SpeedHolder::cpu) {
    p.holder_detail = run_->recent_trouble(loop_.now());
  }
  governor_.describe(p);
  p.retries = run_->retries;
  p.throttles = run_->throttles;
  p.memory_bytes =
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, run_->memory.capacity() - run_->memory.free()));
  if (last_moved_ != MonoTime{}) p.idle_s = std::chrono::duration<double>(loop_.now() - last_moved_).count();
  return p;
}

}  // namespace

Task<Result<CopySummary>> run_copy(CopyContext& context, const CopyOptions& options, const CopyTuning& tuning,
                                   const UnitRun* only_unit) {
  auto run = std::make_shared<CopyRun>(context, options, tuning);
  Stop::Registration on_stop;
  if (context.stop != nullptr) on_stop = context.stop->on_request([run] { run->halt.request(); });
  Stop::Registration on_lost;
  if (context.companion != nullptr) {
    on_lost = context.companion->target_lost.on_request([run] {
      run->fail_with(Error{ErrorKind::needs_person, "the target is not this migration's any more"});
    });
  }
  const Teardown teardown{run};
  // What is known of the table already stays: counters never go back, and one of many keeps its name.
  const Progress known = context.board->snapshot();
  Progress preparing;
  preparing.table = known.table;
  preparing.counts = known.counts;
  preparing.phase = "preparing";
  context.board->publish(preparing);

  Random pinning = context.random.fork();
  Result<PinnedTables> tables =
      co_await pin_tables(context.lanes->front(), &run->halt, pinning, options.plan_fingerprint);
  if (!tables) co_return fail(tables.error());
  run->pinned = tables->identity;
  run->source_key = tables->source_key;
  run->target_key = tables->target_key;
  if (context.companion != nullptr) {
    run->authority = context.companion->authority;
    const Result<void> ours = check_authority(tables->authority, run->authority, tables->identity.target);
    if (!ours) co_return fail(ours.error());
  }
  Result<OpenedJob> opened = co_await open_job(run, *tables, only_unit);
  if (!opened) co_return fail(opened.error());
  if (context.companion != nullptr) context.companion->history_begun.request();
  const bool already_done = opened->state->phase == state::JobPhase::done;
  if (!already_done && context.companion == nullptr && only_unit == nullptr) {
    const MonoTime asked = context.lanes->front().loop->now();
    const Result<void> taken = co_await take_target(run, *tables, *opened);
    if (!taken) co_return fail(taken.error());
    if (!run->tuning.faults.owner_unchecked) run->owner.seen(asked);
  }
  Conductor conductor(run, std::move(*tables), std::move(*opened));
  if (already_done) {
    conductor.publish("done");
    CopySummary summary = conductor.summary();
    summary.was_already_done = true;
    co_return summary;
  }
  Result<CopySummary> result = co_await conductor.conduct();
  co_return result;
}

Task<Result<CopySummary>> copy(CopyContext& context, const CopyOptions& options) {
  const CopyTuning tuning;
  Result<CopySummary> result = co_await run_copy(context, options, tuning, nullptr);
  co_return result;
}

Task<Result<CopySummary>> copy_unit(CopyContext& context, const CopyOptions& options, const UnitRun& unit) {
  const CopyTuning tuning;
  Result<CopySummary> result = co_await run_copy(context, options, tuning, &unit);
  co_return result;
}

}  // namespace messina::jobs
