#include "live_scenario.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "jobs/in_step.h"
#include "live_process.h"

namespace messina::simulation {

namespace {

using namespace std::chrono_literals;
using endpoints::StreamView;

/// Virtual time and steps within which every story must have ended.
constexpr Duration kLongestStory = std::chrono::hours(2);
constexpr std::uint64_t kMostSteps = 3'000'000;
/// Processes after which the job must have come to its end, when nothing happens any more: one may find a
/// gap, the next one heals it.
constexpr std::uint32_t kMostLastLives = 4;

std::chrono::seconds seconds(std::uint64_t count) { return std::chrono::seconds(count); }

WorldPlan draw_world(Random& random, const LiveWeather& weather) {
  const auto sometimes = [&random](double most) { return random.chance(0.5) ? most * random.unit() : 0.0; };
  WorldPlan plan;
  plan.live = true;
  plan.keys = static_cast<std::uint32_t>(2 + random.below(weather.few_keys ? 3 : 20));
  plan.segments = static_cast<std::uint32_t>(1 + random.below(3));
  plan.page_items = static_cast<std::uint32_t>(1 + random.below(6));
  plan.batch_items = 1 + random.below(5);
  plan.nodes = static_cast<std::uint32_t>(weather.few_keys ? 2 : 1 + random.below(3));
  plan.clock_error = std::chrono::milliseconds(200 + random.below(800));
  plan.dead_after = std::chrono::milliseconds(500 + random.below(4000));
  plan.lost = weather.lost ? 0.3 : sometimes(0.2);
  plan.failed_500 = sometimes(0.1);
  plan.throttled = sometimes(0.2);
  plan.transient = sometimes(0.2);
  plan.unprocessed = sometimes(0.3);
  plan.slow = weather.slow_pages ? 0.2 : sometimes(0.05);
  plan.read_failed = sometimes(0.1);
  plan.slow_commit = sometimes(0.02);
  plan.broken_commit = random.chance(0.05) ? 0.005 : 0;
  plan.poison_refused = random.chance(0.3) ? static_cast<std::uint32_t>(1 + random.below(2)) : 0;
  plan.poison_500 = random.chance(0.05) ? 1 : 0;
  plan.writer_changes = static_cast<std::uint32_t>(weather.few_keys ? 150 : 10 + random.below(100));
  plan.writing = std::chrono::milliseconds(1000 + random.below(40'000));
  plan.faults_until = plan.writing + std::chrono::milliseconds(random.below(5'000));
  return plan;
}

StreamPlan draw_stream(Random& random, const WorldPlan& world, const LiveWeather& weather) {
  const auto sometimes = [&random](double most) { return random.chance(0.5) ? most * random.unit() : 0.0; };
  StreamPlan plan;
  const StreamView views[] = {StreamView::new_image, StreamView::new_and_old_images, StreamView::keys_only,
                              StreamView::old_image};
  plan.view = views[random.chance(0.8) ? random.below(2) : 2 + random.below(2)];
  plan.in_order = random.chance(0.8);
  if (!plan.in_order) plan.lateness = seconds(3 + random.below(6));
  plan.retention = seconds(40 + random.below(60));
  plan.early_trim = Duration(plan.retention) / (12 + random.below(20));
  plan.shard_interval = std::chrono::milliseconds(200 + random.below(800));
  plan.shards = static_cast<std::uint32_t>(random.chance(0.1) ? 0 : 1 + random.below(3));
  plan.splits = static_cast<std::uint32_t>(random.below(4));
  plan.splitting = world.writing;
  plan.page_records = static_cast<std::uint32_t>(1 + random.below(8));
  // Longer than a few polls are apart: who cannot poll a shard several times in a row never catches up.
  if (random.chance(0.2))
    plan.iterator_life = 4 * Duration(plan.shard_interval) + seconds(1 + random.below(10));
  plan.throttled = sometimes(0.2);
  plan.lost = sometimes(0.1);
  plan.slow = sometimes(0.03);
  plan.by_service = sometimes(0.5);
  if (weather.outage || random.chance(0.2)) {
    plan.outage_after = Duration(world.writing) * (1 + random.below(8)) / 10;
    plan.outage_lasts = plan.retention * (weather.outage ? 6 : 1 + random.below(6)) / 4;
  }
  if (random.chance(0.05)) plan.replaced_after = Duration(world.writing) * (1 + random.below(8)) / 10;
  return plan;
}

jobs::MigrateOptions draw_options(Random& random, const WorldPlan& plan, const StreamPlan& stream,
                                  const LiveFaults& faults) {
  jobs::MigrateOptions options;
  options.copy.clock_error = options.apply.clock_error = plan.clock_error;
  options.copy.dead_after = options.apply.dead_after = plan.dead_after;
  options.copy.write_concurrency = static_cast<std::uint32_t>(1 + random.below(5));
  options.copy.units_per_lane = static_cast<std::uint32_t>(1 + random.below(4));
  options.copy.plan_fingerprint = "simulated";
  if (random.chance(0.2)) options.copy.memory_bytes = 50 + random.below(2000);
  if (random.chance(0.2)) options.copy.read = {pace::Wish::Kind::fixed, 1 + 20 * random.unit()};
  options.copy_tuning.reserve_units = static_cast<std::uint32_t>(1 + random.below(4));
  options.copy_tuning.faults = faults.copy;

  if (stream.shards == 0 || stream.replaced_after || random.chance(0.5)) options.capture.enable = stream.view;
  options.capture.list_every = seconds(1 + random.below(10));
  options.capture.idle_poll = std::chrono::milliseconds(500 + random.below(4000));
  options.capture.retention_margin = stream.retention / 5;
  if (random.chance(0.2)) options.capture.memory_bytes = 100 + random.below(2000);
  options.capture.faults = faults.capture;

  options.apply.write_concurrency = static_cast<std::uint32_t>(1 + random.below(5));
  if (random.chance(0.3)) options.apply.memory_bytes = 500 + random.below(3000);
  if (random.chance(0.2)) options.apply.read_rcu_per_s = 2 + 20 * random.unit();
  options.apply.faults = faults.apply;

  options.allowed_lag = std::chrono::milliseconds(1000 + random.below(9000));
  if (random.chance(0.3)) options.spool_max_bytes = 100 + random.below(1000);
  options.faults = faults.migrate;
  return options;
}

class Story {
 public:
  Story(std::uint64_t seed, const LiveFaults& faults, const LiveWeather& weather)
      : universe_(seed),
        random_(universe_.random().fork()),
        weather_(weather),
        world_(universe_, draw_world(random_, weather)),
        history_(world_),
        stream_(world_, draw_stream(random_, world_.plan(), weather)),
        options_(draw_options(random_, world_.plan(), stream_.plan(), faults)),
        spool_("spool"),
        watch_(universe_, world_.plan().clock_error, world_.plan().dead_after) {
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
  }

  LiveStory tell() {
    while (in_time() && universe_.now() < calm_at_) {
      live();
      pass_time();
    }
    bool ended = false;
    for (std::uint32_t last = 0; last < kMostLastLives && in_time() && !ended; ++last) ended = live();
    if (!ended && in_time()) broken("it does not come to an end by itself: " + last_words_);
    while (!universe_.idle()) universe_.run_next_event();
    if (ended) compare();
    ScenarioResult& result = told_.result;
    result.violations = world_.violations();
    result.trace_hash = universe_.trace_hash();
    result.steps = universe_.steps();
    result.rejects = disk_.rejects.size();
    told_.splits = stream_.splits();
    told_.trimmed_unread = stream_.trimmed_unread();
    return told_;
  }

 private:
  void broken(std::string text) { world_.violate(Violation::Kind::broken_rule, std::move(text)); }
  void wrong(std::string text) { world_.violate(Violation::Kind::wrong_end, std::move(text)); }

  bool in_time() {
    if (universe_.now() - start_ < kLongestStory && universe_.steps() < kMostSteps) return true;
    if (!late_) broken("the story does not end");
    late_ = true;
    return false;
  }

  bool gap() const { return disk_.job && disk_.job->live.gap(); }

  /// One process from start to crash, stop or end; true if it ended by itself, and was started when nobody
  /// wrote any more.
  bool live() {
    ++told_.result.lives;
    spool_.crash(universe_.random());
    const bool last = universe_.now() >= calm_at_;
    LiveProcess::Setting with = setting();
    with.options.heal = gap() && (last || random_.chance(0.5));
    if (!last && random_.chance(0.02)) with.options.heal = true;
    with.options.until_in_step = last || random_.chance(0.5);
    told_.heals += with.options.heal;
    claimed_at_.reset();
    LiveProcess process(with, random_.next());
    const bool dies = !last && lives_to_lose_ > 0 && random_.chance(0.8);
    const bool stops = !last && !dies && lives_to_lose_ > 0;
    if (dies || stops) --lives_to_lose_;
    const std::uint64_t last_step = universe_.steps() + 1 + random_.below(1ull << (4 + random_.below(11)));
    const MonoTime stop_at = calm_at_ + world_.between(0s, 3s);
    while (!process.result && in_time()) {
      if (dies && universe_.steps() >= last_step) {
        crash();
        return false;
      }
      if (stops && universe_.steps() >= last_step) process.stop.request();
      if (!last && universe_.now() >= stop_at) process.stop.request();
      if (with.options.until_in_step && !claimed_at_ && process.board.snapshot().live &&
          process.board.snapshot().live->in_step) {
        claimed_at_ = universe_.now();
      }
      if (!step(process)) {
        broken("the process waits for nothing");
        return true;
      }
    }
    if (!process.result) return false;
    return end(process, last);
  }

  LiveProcess::Setting setting() {
    return {.world = &world_,
            .stream = &stream_,
            .history = &history_,
            .disk = &disk_,
            .spool_disk = &spool_,
            .spool_faults = spool_faults_,
            .watch = &watch_,
            .options = options_};
  }

  void crash() {
    ++told_.result.crashes;
    if (random_.chance(0.5)) {
      disk_.apply_pending();
    } else {
      disk_.drop_pending();
    }
    world_.sender_died();
    watch_.sender_died();
  }

  bool end(const LiveProcess& process, bool last) {
    const bool clean = disk_.job && !disk_.job->heartbeat_unix_ms;
    if (!clean) {
      world_.sender_died();
      watch_.sender_died();
    }
    told_.result.puts += process.observed.puts;
    if (gap()) told_.gaps = std::max<std::uint64_t>(told_.gaps, disk_.job->live.gaps.size());
    check_missed();
    if (!*process.result) {
      check_failure(process, last);
      return false;
    }
    const jobs::MigrateSummary& summary = **process.result;
    told_.events += summary.live.events;
    told_.written += summary.live.applied;
    told_.removed += summary.live.removed;
    told_.reread += summary.live.reread;
    last_words_ = fmt::format("{}", fmt::join(summary.live.not_in_step, "; "));
    if (!summary.ended_by_itself) return false;
    check_claim(process, summary, last);
    return last;
  }

  void check_failure(const LiveProcess& process, bool last) {
    const Error& error = process.result->error();
    last_words_ = error.message;
    const auto any_of = [&error](std::initializer_list<ErrorKind> kinds) {
      return std::ranges::find(kinds, error.kind) != kinds.end();
    };
    if (error.kind == ErrorKind::needs_person && gap() && process.options.until_in_step) return;
    const bool expected =
        !last && any_of({ErrorKind::disk, ErrorKind::corrupt, ErrorKind::transient, ErrorKind::throttled,
                         ErrorKind::unknown_outcome, ErrorKind::stopped});
    if (!expected) broken(fmt::format("the process ended with {}: {}", to_string(error.kind), error.message));
  }

  /// I4: what was written since the capture epoch began, and trimmed before it was read, is a gap by the time
  /// that a process has ended which looked.
  void check_missed() {
    missed_after_epoch_ = false;
    if (!disk_.job || gap() || !stream_.newest_trimmed_unread()) return;
    const MonoTime missed = *stream_.newest_trimmed_unread();
    const std::int64_t now_ms = unix_ms();
    const auto ago = std::chrono::duration_cast<std::chrono::milliseconds>(universe_.now() - missed);
    // The epoch's beginning is told by the server's clock, in whole seconds.
    missed_after_epoch_ = now_ms - ago.count() > disk_.job->live.capture_began_unix_ms + 1000;
  }

  std::int64_t unix_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(universe_.wall().time_since_epoch()).count();
  }

  /// I8: what the target holds is not older than the claim allows.
  void check_claim(const LiveProcess& process, const jobs::MigrateSummary& summary, bool last) {
    ++told_.claims;
    if (!last) ++told_.claims_while_written;
    if (gap()) broken("it says that it is in step, but there is a gap");
    const std::set<KeyId> rejected = live_rejects();
    if (summary.live_rejects != rejected.size())
      broken(fmt::format("it tells of {} live rejects, but there are {}", summary.live_rejects,
                         rejected.size()));
    if (summary.live.in_step != rejected.empty()) broken("it is in step with live rejects");
    // Polls may be so old, and hold what happened before them only; the server's clock tells whole seconds,
    // and the applier looks at its spool once a second.
    const Duration age = process.options.allowed_lag + jobs::kClaimFresh + stream_.plan().lateness + 3s;
    for (KeyId key = 0; key < world_.plan().keys; ++key) {
      if (rejected.contains(key)) continue;
      const SourceHistory::Content target = world_.on_target(key);
      if (!history_.held_since(key, target, claimed_at_.value_or(universe_.now()) - age))
        wrong(
            fmt::format("item {} is {} on the target at a claim of being in step, which the source had not "
                        "for longer than {} s",
                        key, text(target), std::chrono::duration<double>(age).count()));
    }
  }

  static std::string text(const SourceHistory::Content& content) {
    return content ? std::to_string(*content) : std::string("not there");
  }

  std::set<KeyId> live_rejects() const {
    std::set<KeyId> keys;
    for (const state::Reject& reject : disk_.rejects) {
      if (reject.live) keys.insert(parse_key(reject.item));
    }
    return keys;
  }

  /// I10: both sides are equal, but for live rejects; and those are of items that the source has.
  void compare() {
    const std::set<KeyId> rejected = live_rejects();
    if (gap()) broken("there is a gap although it was healed");
    if (missed_after_epoch_) broken("a record was trimmed unread without a gap");
    for (const state::Reject& reject : disk_.rejects) {
      if (!reject.live) continue;
      const KeyId key = parse_key(reject.item);
      const bool removal = reject.item == key_json(key);
      if (!removal && !world_.source_state(key).there)
        wrong(fmt::format("item {} is gone and its reject is live", key));
    }
    for (KeyId key = 0; key < world_.plan().keys; ++key) {
      const SourceHistory::Content source = SourceHistory::content(world_.source_state(key));
      const SourceHistory::Content target = world_.on_target(key);
      if (rejected.contains(key) || target == source) continue;
      wrong(fmt::format("item {}: {} on the source, {} on the target", key, text(source), text(target)));
    }
  }

  bool step(LiveProcess& process) {
    // A busy machine: time passes while steps are ready.
    if (universe_.order().chance(0.02)) {
      process.advance_to(universe_.now() + std::chrono::microseconds(universe_.order().below(5000)));
    }
    return process.step();
  }

  void pass_time() {
    const auto scale = random_.below(weather_.many_lives ? 2 : weather_.outage ? 4 : 8);
    const Duration time = scale == 3   ? world_.between(10s, 2 * Duration(stream_.plan().retention))
                          : scale == 2 ? world_.between(1s, 10s)
                          : scale == 1 ? world_.between(1ms, 1s)
                                       : Duration::zero();
    const MonoTime until = universe_.now() + time;
    while (!universe_.idle() && universe_.next_event() <= until) universe_.run_next_event();
    universe_.advance_to(until);
  }

  Universe universe_;
  Random random_;
  const LiveWeather weather_;
  World world_;
  SourceHistory history_;
  SimStream stream_;
  const jobs::MigrateOptions options_;
  Disk disk_;
  SpoolDisk spool_;
  SpoolFaults spool_faults_;
  WriteWatch watch_;
  const MonoTime start_ = universe_.now();
  MonoTime calm_at_{};  ///< nobody writes any more, and nothing fails
  std::uint32_t lives_to_lose_ = 0;
  bool late_ = false;
  bool missed_after_epoch_ = false;     ///< as of the newest process's end
  std::optional<MonoTime> claimed_at_;  ///< by the newest process
  std::string last_words_;
  LiveStory told_;
};

}  // namespace

LiveStory run_live_scenario(std::uint64_t seed, const LiveFaults& faults, const LiveWeather& weather) {
  Story story(seed, faults, weather);
  return story.tell();
}

}  // namespace messina::simulation
