#include "live_scenario.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "jobs/authority.h"
#include "jobs/in_step.h"
#include "live_judge.h"
#include "live_plan.h"
#include "live_process.h"

namespace messina::simulation {

namespace {

using namespace std::chrono_literals;

/// Virtual time and steps within which every story must have ended.
constexpr Duration kLongestStory = std::chrono::hours(2);
constexpr std::uint64_t kMostSteps = 3'000'000;
/// Processes after which the job must have come to its end, when nothing happens any more: one may find a
/// gap, the next one heals it.
constexpr std::uint32_t kMostLastLives = 4;
/// A page holds the changes back no longer than 60 s (PROTOCOL rule 12), but for what is on the wire then.
constexpr Duration kHeldBackAtMost = 110s;
/// The spool's size is held against its bound every 5 s, by a call that may be slow.
constexpr Duration kOverItsBoundAtMost = 30s;

/// Longer than whoever takes a target over waits.
constexpr Duration kBlindFor = jobs::kFormerOwnerLeaves + 30s;

jobs::Roles only(bool capture, bool copy, bool apply) {
  return {.capture = capture, .copy = copy, .apply = apply};
}

/// What a migration keeps in its state directory, and what is known of its requests.
struct Ground {
  Ground(World& world, const std::string& spool_id)
      : spool(spool_id), watch(world.universe(), world.plan().clock_error, world.plan().dead_after) {}
  Disk disk;
  SpoolDisk spool;
  WriteWatch watch;
  std::vector<state::SpoolModel> backups;
  std::optional<MonoTime> captures_since;  ///< the first epoch was in the ledger by then
};

class Story {
 public:
  Story(std::uint64_t seed, const LiveFaults& faults, const LiveWeather& weather)
      : universe_(seed),
        random_(universe_.random().fork()),
        weather_(weather),
        plan_(draw_live(random_, faults, weather)),
        world_(universe_, plan_.world),
        history_(world_),
        stream_(world_, plan_.stream),
        options_(plan_.options),
        ground_(std::make_unique<Ground>(world_, "spool")) {
    spool_faults_ = {.slow = random_.chance(0.3) ? 0.01 : 0,
                     .full = random_.chance(0.2) ? 0.05 : 0,
                     .until = universe_.now() + world_.plan().faults_until};
    const StreamPlan& stream = stream_.plan();
    calm_at_ = start_ + std::max({Duration(world_.plan().faults_until), Duration(world_.plan().writing),
                                  Duration(stream.outage_after + stream.outage_lasts),
                                  stream.replaced_after ? *stream.replaced_after + 30s : Duration::zero()});
    // What was written before is readable then, and may wait no longer.
    calm_at_ += stream.lateness + options_.allowed_lag + 1s;
    lives_to_lose_ = static_cast<std::uint32_t>(random_.below(weather.many_lives ? 8 : 4));
    if (plan_.plot.roles_apart) lives_apart_ = 4 + random_.below(4);
  }

  LiveStory tell() {
    while (in_time() && universe_.now() < calm_at_) {
      live();
      pass_time();
    }
    bool ended = come_to_an_end();
    if (ended && owed()) {
      tell_of("extra keys stay");
      options_.delete_extra = true;
      ended = come_to_an_end();
      if (ended && owed()) broken("extra keys are to be looked for although there was leave");
    }
    if (ended && plan_.plot.into_existing) tell_of("extra keys deleted by leave");
    if (ended && former_) keep_former_out();
    former_process_.reset();
    run_until_nothing_happens();
    ScenarioResult& result = told_.result;
    result.violations = world_.violations();
    result.trace_hash = universe_.trace_hash();
    result.steps = universe_.steps();
    result.rejects = disk().rejects.size();
    told_.splits = stream_.splits();
    told_.trimmed_unread = stream_.trimmed_unread();
    return told_;
  }

 private:
  void broken(std::string text) { world_.violate(Violation::Kind::broken_rule, std::move(text)); }
  void wrong(std::string text) { world_.violate(Violation::Kind::wrong_end, std::move(text)); }
  void tell_of(const char* plot) { ++told_.plots[plot]; }

  Disk& disk() { return ground_->disk; }
  const Disk& disk() const { return ground_->disk; }

  bool in_time() {
    if (universe_.now() - start_ < kLongestStory && universe_.steps() < kMostSteps) return true;
    if (!late_) broken("the story does not end");
    late_ = true;
    return false;
  }

  bool gap() const { return disk().job && disk().job->live.gap(); }
  bool unhealed() const { return gap() && disk().job->live.gaps.size() > disk().job->live.gaps_healing; }
  /// One that the process which runs does not heal; whoever is to heal some has not begun to at first.
  bool finds_a_gap(const jobs::MigrateOptions& options) const {
    return unhealed() && !(options.heal && disk().job->live.gaps_healing == 0);
  }
  bool owed() const { return disk().job && disk().job->live.backward == state::BackwardPass::owed; }

  bool come_to_an_end() {
    bool ended = false;
    for (std::uint32_t last = 0; last < kMostLastLives && in_time() && !ended; ++last) ended = live();
    if (!ended && in_time()) broken("it does not come to an end by itself: " + last_words_);
    run_until_nothing_happens();
    if (ended) check_end();
    return ended;
  }

  // ------------------------------------------------------------------ one life

  /// One process from start to crash, stop or end; true if it came to its end, and was started when nobody
  /// wrote any more.
  bool live() {
    ++told_.result.lives;
    ground_->spool.crash(universe_.random());
    const bool last = universe_.now() >= calm_at_;
    if (!last) touch_spool();  // when all is calm, nothing fails
    LiveProcess::Setting with = setting();
    with.options.heal = gap() && (last ? unhealed() || random_.chance(0.5) : random_.chance(0.5));
    if (!last && random_.chance(0.02)) with.options.heal = true;
    with.options.until_in_step = last || random_.chance(0.5);
    // Once history is begun, nobody has to say again that the target is not empty.
    if (disk().job && disk().job->phase != state::JobPhase::planned && random_.chance(0.3))
      with.options.copy.into_existing = false;
    const bool apart = !last && lives_apart_ > 0;
    if (apart) with.options.roles = next_roles();
    if (with.options.roles != jobs::Roles()) with.options.until_in_step = with.options.heal = false;
    if (plan_.plot.restarted && disk().job && random_.chance(0.4)) {
      with.options.copy.restart = true;
      if (with.options.roles.copy && disk().job->phase != state::JobPhase::planned)
        tell_of("restarted in mid-job");
    }
    // Whoever may not look for extra keys is never in step: only whoever watches sees that all else is done.
    const bool without_leave = last && !with.options.delete_extra && (of_others() || owed());
    if (without_leave) with.options.until_in_step = false;
    told_.heals += with.options.heal;
    claimed_at_.reset();
    but_for_leave_since_.reset();
    process_ = std::make_unique<LiveProcess>(with, random_.next());
    note_begin(with.options);
    const bool dies = !last && (lives_to_lose_ > 0 || apart) && random_.chance(apart ? 0.5 : 0.8);
    const bool stops = !last && !dies && (lives_to_lose_ > 0 || apart);
    if (!apart && (dies || stops)) --lives_to_lose_;
    const bool hands_over = !last && plan_.plot.taken_over && !former_ && random_.chance(0.6);
    const std::uint64_t last_step =
        universe_.steps() + 1 + random_.below(1ull << ((apart ? 8 : 4) + random_.below(apart ? 7 : 11)));
    const MonoTime stop_at = calm_at_ + world_.between(0s, 3s);
    over_bound_since_.reset();
    while (!process_->result && in_time()) {
      if (hands_over && universe_.steps() >= last_step && !world_.target_table.tags.empty()) {
        hand_over();
        note("taken over");
        return false;
      }
      if (dies && !hands_over && universe_.steps() >= last_step) {
        crash();
        note("killed");
        return false;
      }
      if (stops && !hands_over && universe_.steps() >= last_step) process_->stop.request();
      if (!last && universe_.now() >= stop_at) process_->stop.request();
      if (without_leave && (finds_a_gap(with.options) || done_but_for_leave())) process_->stop.request();
      steer();
      look(with.options);
      if (!step()) {
        broken("the process waits for nothing");
        return true;
      }
    }
    if (!process_->result) {
      const jobs::Progress now = process_->board.snapshot();
      if (now.live)
        note(fmt::format("it goes on: {} ({}, {} of {} units, held by {}: {})",
                         fmt::join(now.live->not_in_step, "; "), now.phase, now.units_done, now.units,
                         now.holder, now.holder_detail));
      return false;
    }
    const bool ended = end(last, without_leave);
    note(last_words_);
    return ended;
  }

  void note_begin(const jobs::MigrateOptions& options) {
    told_.course +=
        fmt::format("{:8.3f} s ", std::chrono::duration<double>(universe_.now() - start_).count());
    const auto add = [this](bool said, const char* word) {
      if (said) told_.course += fmt::format(" {}", word);
    };
    add(options.roles.capture, "capture");
    add(options.roles.copy, "copy");
    add(options.roles.apply, "apply");
    add(options.until_in_step, "--until in-step");
    add(options.heal, "--heal");
    add(options.copy.restart, "--restart");
    add(options.copy.into_existing, "--into-existing");
    add(options.copy.take_over, "--take-over");
    add(options.delete_extra, "--delete-extra");
    add(!options.copy.skip_segments.empty(), "skipSegments");
  }
  void note(std::string_view end) {
    told_.course += fmt::format("\n{:8.3f} s  {}\n",
                                std::chrono::duration<double>(universe_.now() - start_).count(), end);
  }

  bool of_others() const { return options_.copy.into_existing || !options_.copy.skip_segments.empty(); }

  LiveProcess::Setting setting() {
    return {.world = &world_,
            .stream = &stream_,
            .history = &history_,
            .disk = &disk(),
            .spool_disk = &ground_->spool,
            .spool_faults = spool_faults_,
            .watch = &ground_->watch,
            .leave = plan_.plot.leave || options_.delete_extra,
            .options = options_};
  }

  /// First all that a migration needs, one after another; then whatever comes.
  jobs::Roles next_roles() {
    --lives_apart_;
    const std::uint64_t turn = turns_apart_++;
    const bool captures = disk().job && disk().job->live.capture_epoch > 0;
    const bool copies = disk().job && disk().job->phase != state::JobPhase::planned;
    const std::uint64_t drawn = turn < 4 ? std::array<std::uint64_t, 4>{0, 1, 2, 2}[turn] : random_.below(4);
    if (!captures || drawn == 0) return only(true, false, false);
    if (!copies || drawn == 1) return only(false, true, false);
    return drawn == 2 ? only(false, false, true) : jobs::Roles();
  }

  bool step() {
    std::vector<SimLoop*> loops{&process_->loop};
    if (former_process_) loops.push_back(&former_process_->loop);
    const bool going_on = step_busily(loops);
    look_at_former();
    return going_on;
  }

  /// What must hold at any moment.
  void look(const jobs::MigrateOptions& options) {
    if (!ground_->captures_since && disk().job && disk().job->live.capture_epoch > 0)
      ground_->captures_since = universe_.now();
    const std::optional<jobs::LiveProgress> live = process_->board.snapshot().live;
    if (!live) return;
    const bool due = disk().job && (disk().job->live.backward == state::BackwardPass::owed ||
                                    disk().job->live.backward == state::BackwardPass::due);
    if (live->in_step && due) wrong("it says that it is in step, but extra keys are still to be looked for");
    const bool claims = std::ranges::all_of(live->not_in_step, [](const std::string& reason) {
      return reason.find("refused by the target") != std::string::npos;
    });
    if (options.until_in_step && !claimed_at_ && claims) claimed_at_ = universe_.now();
    if (process_->spool.most_held_back() > kHeldBackAtMost && !held_back_) {
      held_back_ = true;
      wrong("a page holds the changes back for minutes");
    }
    look_at_spool(options);
  }

  /// Rule 12: images beyond the bound are reduced to marks.
  void look_at_spool(const jobs::MigrateOptions& options) {
    if (options.spool_max_bytes == 0) return;
    const state::SpoolModel& newest =
        ground_->spool.unsynced.empty() ? ground_->spool.synced : ground_->spool.unsynced.back();
    if (newest.bytes() <= options.spool_max_bytes || process_->stop.requested()) {
      over_bound_since_.reset();
    } else if (!over_bound_since_) {
      over_bound_since_ = universe_.now();
    } else if (universe_.now() > *over_bound_since_ + kOverItsBoundAtMost) {
      wrong("the spool outgrows its bound");
      over_bound_since_ = MonoTime::max() - 1h;
    }
  }

  /// Somebody pauses it now and then, and thinks better of it, until all is calm: who waits for a small
  /// budget gives up his place with each pause.
  void steer() {
    if (!plan_.plot.paused) return;
    const bool paused = process_->paused_since.has_value();
    if (!paused && universe_.now() >= calm_at_) return;
    if (!random_.chance(paused ? 0.01 : 0.001)) return;
    if (!paused) tell_of("paused");
    process_->pause(!paused);
  }

  /// Nothing but the missing leave stands against being in step, for so long that what was written before is
  /// on the target.
  bool done_but_for_leave() {
    const std::optional<jobs::LiveProgress> live = process_->board.snapshot().live;
    const auto stands = [&](const std::string& reason) {
      if (reason.starts_with("keys that only the target has")) return false;
      if (reason.find("refused by the target") != std::string::npos) return false;
      return !(reason.find("missed") != std::string::npos && !unhealed());
    };
    if (!live || std::ranges::any_of(live->not_in_step, stands)) {
      but_for_leave_since_.reset();
      return false;
    }
    if (!but_for_leave_since_) but_for_leave_since_ = universe_.now();
    return universe_.now() - *but_for_leave_since_ >
           options_.allowed_lag + jobs::kClaimFresh + stream_.plan().lateness + 5s;
  }

  void crash() {
    ++told_.result.crashes;
    if (random_.chance(0.5)) {
      disk().apply_pending();
    } else {
      disk().drop_pending();
    }
    forget_requests(*process_, *ground_);
    process_.reset();
  }

  void forget_requests(const LiveProcess& process, Ground& ground) {
    world_.sender_died(&process.observed);
    ground.watch.sender_died();
  }

  bool end(bool last, bool without_leave) {
    const std::unique_ptr<LiveProcess> process = std::move(process_);
    const bool clean = disk().job && !disk().job->heartbeat_unix_ms;
    if (!clean) forget_requests(*process, *ground_);
    told_.result.puts += process->observed.puts;
    if (gap()) told_.gaps = std::max<std::uint64_t>(told_.gaps, disk().job->live.gaps.size());
    check_missed();
    if (!*process->result) {
      check_failure(*process, last);
      return false;
    }
    const jobs::MigrateSummary& summary = **process->result;
    tell_of_roles(process->options.roles, summary);
    told_.events += summary.live.events;
    told_.written += summary.live.applied;
    told_.removed += summary.live.removed;
    told_.reread += summary.live.reread;
    last_words_ = fmt::format("{}", fmt::join(summary.live.not_in_step, "; "));
    if (without_leave) {
      if (summary.live.in_step) wrong("it says that it is in step, but nobody looked for extra keys");
      return but_for_leave_since_ && !unhealed();
    }
    if (!summary.ended_by_itself) return false;
    check_claim(summary, last);
    return last;
  }

  void tell_of_roles(const jobs::Roles& roles, const jobs::MigrateSummary& summary) {
    if (roles == only(true, false, false) && summary.live.events > 0) tell_of("capture alone");
    if (roles == only(false, true, false) && summary.copy.counts.written_items > 0) tell_of("copy alone");
    if (roles == only(false, false, true) && summary.live.applied > 0) tell_of("apply alone");
  }

  void pass_time() {
    const auto scale = random_.below(weather_.many_lives ? 2 : weather_.outage ? 4 : 8);
    const Duration time = scale == 3   ? world_.between(10s, 2 * Duration(stream_.plan().retention))
                          : scale == 2 ? world_.between(1s, 10s)
                          : scale == 1 ? world_.between(1ms, 1s)
                                       : Duration::zero();
    const MonoTime until = universe_.now() + time;
    while (former_process_ && universe_.now() < until && in_time() && former_process_->loop.step())
      look_at_former();
    while (!universe_.idle() && universe_.next_event() <= until) universe_.run_next_event();
    universe_.advance_to(until);
  }

  void run_until_nothing_happens() {
    while (!universe_.idle()) universe_.run_next_event();
  }

  // ------------------------------------------------------------------ what people do

  void touch_spool() {
    const bool known = disk().job && disk().job->spool && disk().job->live.capture_epoch > 0;
    if (known && plan_.plot.spool_lost && !spool_touched_ && random_.chance(0.4)) {
      spool_touched_ = true;
      ground_->spool = SpoolDisk("another spool");
      note("the spool is lost");
      gap_due_ = "spool_missing";
    }
    if (!plan_.plot.spool_older) return;
    if (known && !spool_touched_ && !ground_->backups.empty() && random_.chance(0.4)) {
      const state::SpoolModel& backup = ground_->backups[random_.below(ground_->backups.size())];
      const bool seen = backup.stamp().counter < disk().job->spool->counter;
      spool_touched_ = true;
      ground_->spool.synced = backup;
      note("an older spool");
      if (seen) gap_due_ = "spool_older";
    }
    // Of a spool that nobody has open.
    if (random_.chance(0.5)) ground_->backups.push_back(ground_->spool.synced);
  }

  /// Another migration takes the target over: the process is killed before, or nobody thinks of it.
  void hand_over() {
    const bool dead = random_.chance(0.5);
    if (dead) {
      crash();
    } else {
      former_process_ = std::move(process_);
      former_process_->blind = random_.chance(0.5);
      blind_until_ = universe_.now() + kBlindFor;
      if (former_process_->blind) tell_of("taken over from who cannot see it");
    }
    tell_of(dead ? "taken over from the dead" : "taken over from the living");
    world_.rivals = true;
    former_ = std::exchange(ground_, std::make_unique<Ground>(world_, "the new owner's spool"));
    options_.copy.take_over = options_.copy.into_existing = true;
    gap_due_.clear();
    spool_touched_ = true;
  }

  /// Rule 20: it stops as soon as it notices. What it sends after that, its endpoints tell.
  void look_at_former() {
    if (former_process_ && universe_.now() >= blind_until_) former_process_->blind = false;
    if (!former_process_ || !former_process_->result) return;
    const Result<jobs::MigrateSummary>& result = *former_process_->result;
    const bool kept_out = !result && result.error().kind == ErrorKind::needs_person;
    if (former_process_->kept_out_since && !kept_out)
      broken("the former owner did not say that the target is another's");
    if (former_process_->kept_out_since && kept_out) tell_of("the former owner kept out");
    forget_requests(*former_process_, *former_);
    former_process_.reset();
  }

  /// Rule 20: a former owner that is started again does nothing, and says so.
  void keep_former_out() {
    blind_until_ = universe_.now();
    const MonoTime sees_by = universe_.now() + 60s;
    while (former_process_ && universe_.now() < sees_by && in_time() && former_process_->loop.step())
      look_at_former();
    if (former_process_) {
      wrong("the former owner still runs at the end");
      return;
    }
    std::swap(ground_, former_);
    ground_->spool.crash(universe_.random());
    LiveProcess::Setting with = setting();
    with.options.copy.take_over = false;
    LiveProcess process(with, random_.next());
    while (!process.result && in_time() && process.loop.step_busily()) {
    }
    const bool kept_out =
        process.result && !*process.result && process.result->error().kind == ErrorKind::needs_person;
    if (!kept_out) wrong("a former owner that is started again is not kept out");
    if (process.observed.puts > 0) wrong("a former owner that is started again writes");
    if (kept_out) tell_of("the former owner kept out");
    std::swap(ground_, former_);
  }

  // ------------------------------------------------------------------ checks

  void check_failure(const LiveProcess& process, bool last) {
    const Error& error = process.result->error();
    last_words_ = error.message;
    const auto any_of = [&error](std::initializer_list<ErrorKind> kinds) {
      return std::ranges::find(kinds, error.kind) != kinds.end();
    };
    const bool person = (gap() || owed()) && process.options.until_in_step;
    if (error.kind == ErrorKind::needs_person && person) return;
    if (error.kind == ErrorKind::stopped && process.stop.requested()) return;
    const bool expected =
        !last && any_of({ErrorKind::disk, ErrorKind::corrupt, ErrorKind::transient, ErrorKind::throttled,
                         ErrorKind::unknown_outcome, ErrorKind::stopped});
    if (!expected) broken(fmt::format("the process ended with {}: {}", to_string(error.kind), error.message));
  }

  /// I4: what was written since the capture epoch began, and trimmed before it was read, is a gap by the time
  /// that a process has ended which looked.
  void check_missed() {
    missed_after_epoch_ = false;
    if (!disk().job || gap() || !stream_.newest_trimmed_unread()) return;
    const MonoTime missed = *stream_.newest_trimmed_unread();
    const std::int64_t now_ms = unix_ms();
    const auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(universe_.now() - missed);
    // The epoch's beginning is told by the server's clock, in whole seconds.
    missed_after_epoch_ = now_ms - ago.count() > disk().job->live.capture_began_unix_ms + 1000;
  }

  std::int64_t unix_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(universe_.wall().time_since_epoch()).count();
  }

  LiveCase as_it_stands() {
    return {.world = &world_,
            .history = &history_,
            .disk = &disk(),
            .options = &options_,
            .lateness = stream_.plan().lateness,
            .after_other = former_ != nullptr,
            .captures_since = ground_->captures_since};
  }

  void check_claim(const jobs::MigrateSummary& summary, bool last) {
    ++told_.claims;
    if (!last) ++told_.claims_while_written;
    judge_claim(as_it_stands(), summary, claimed_at_.value_or(universe_.now()));
  }

  void check_end() {
    if (missed_after_epoch_) broken("a record was trimmed unread without a gap");
    if (!gap_due_.empty()) {
      if (!disk().gap_causes.contains(gap_due_)) wrong("no gap was told: " + gap_due_);
      tell_of(gap_due_ == "spool_missing" ? "spool missing" : "spool older");
      gap_due_.clear();
    }
    if (!options_.copy.skip_segments.empty()) tell_of("a segment left out");
    judge_end(as_it_stands());
  }

  Universe universe_;
  Random random_;
  const LiveWeather weather_;
  const LivePlan plan_;
  World world_;
  SourceHistory history_;
  SimStream stream_;
  jobs::MigrateOptions options_;
  std::unique_ptr<Ground> ground_;
  std::unique_ptr<LiveProcess> process_;
  /// Of the migration that the target was taken from, if it was; its process, if that still runs.
  std::unique_ptr<Ground> former_;
  std::unique_ptr<LiveProcess> former_process_;
  MonoTime blind_until_{};
  SpoolFaults spool_faults_;
  const MonoTime start_ = universe_.now();
  MonoTime calm_at_{};  ///< nobody writes any more, and nothing fails
  std::uint32_t lives_to_lose_ = 0;
  std::uint64_t lives_apart_ = 0, turns_apart_ = 0;
  bool late_ = false, held_back_ = false, spool_touched_ = false;
  std::string gap_due_;                 ///< the cause that the ledger must come to know
  bool missed_after_epoch_ = false;     ///< as of the newest process's end
  std::optional<MonoTime> claimed_at_;  ///< by the newest process
  std::optional<MonoTime> but_for_leave_since_, over_bound_since_;
  std::string last_words_;
  LiveStory told_;
};

}  // namespace

LiveStory run_live_scenario(std::uint64_t seed, const LiveFaults& faults, const LiveWeather& weather) {
  Story story(seed, faults, weather);
  return story.tell();
}

}  // namespace messina::simulation
