#include "apply_scenario.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "apply_process.h"

namespace messina::simulation {

namespace {

using namespace std::chrono_literals;

/// Virtual time and steps within which every story must have ended.
constexpr Duration kLongestStory = std::chrono::hours(2);
constexpr std::uint64_t kMostSteps = 3'000'000;

WorldPlan draw_world(Random& random, const ApplyWeather& weather) {
  const auto sometimes = [&random](double most) { return random.chance(0.5) ? most * random.unit() : 0.0; };
  WorldPlan plan;
  plan.keys = static_cast<std::uint32_t>(2 + random.below(weather.few_keys ? 3 : 20));
  plan.segments = static_cast<std::uint32_t>(1 + random.below(3));
  plan.page_items = static_cast<std::uint32_t>(1 + random.below(6));
  plan.batch_items = 1 + random.below(5);
  plan.nodes = static_cast<std::uint32_t>(1 + random.below(3));
  plan.clock_error = std::chrono::milliseconds(200 + random.below(800));
  plan.dead_after = std::chrono::milliseconds(500 + random.below(4000));
  plan.lost = weather.lost ? 0.3 : sometimes(0.2);
  plan.failed_500 = sometimes(0.1);
  plan.throttled = sometimes(0.2);
  plan.transient = sometimes(0.2);
  plan.unprocessed = weather.unprocessed ? 0.4 : sometimes(0.3);
  plan.slow = sometimes(0.05);
  plan.read_failed = sometimes(0.2);
  plan.slow_commit = weather.poison ? 0.2 : sometimes(0.02);
  plan.broken_commit = random.chance(0.05) ? 0.01 : 0;
  plan.poison_refused =
      weather.poison || random.chance(0.3) ? static_cast<std::uint32_t>(1 + random.below(2)) : 0;
  plan.poison_500 = random.chance(0.05) ? 1 : 0;
  plan.writer_changes = static_cast<std::uint32_t>(random.below(150));
  plan.writing = std::chrono::milliseconds(500 + random.below(20'000));
  if (weather.few_keys) {
    plan.writer_changes = 150;
    plan.nodes = 2;
  }
  plan.faults_until = plan.writing + std::chrono::milliseconds(random.below(10'000));
  return plan;
}

class Story {
 public:
  Story(std::uint64_t seed, const jobs::ApplyFaults& faults, const ApplyWeather& weather)
      : universe_(seed),
        random_(universe_.random().fork()),
        weather_(weather),
        world_(universe_, draw_world(random_, weather)),
        watch_(universe_, world_.plan().clock_error, world_.plan().dead_after),
        spool_("spool"),
        writing_ends_(universe_.now() + world_.plan().writing),
        faults_end_(universe_.now() + world_.plan().faults_until) {
    ledger_.job.emplace();
    draw_options();
    options_.faults = faults;
    changes_.marks = weather.marks ? 0.8 : random_.chance(0.5) ? 0.3 * random_.unit() : 0;
    changes_.latest = random_.chance(0.7) ? 50ms : 3s;
    history_.segments.resize(world_.plan().segments);
    history_.latest = weather.slow_pages ? 8s : random_.chance(0.5) ? 20ms : 3s;
    spool_faults_ = {.slow = random_.chance(0.3) ? 0.01 : 0,
                     .full = random_.chance(0.2) ? 0.05 : 0,
                     .until = universe_.now() + world_.plan().faults_until};
    lives_to_lose_ = static_cast<std::uint32_t>(random_.below(weather.many_lives ? 8 : 4));
    world_.on_source_change([this](KeyId key, World::SourceState) {
      changes_.events.push_back({key, world_.source_state(key), unix_ms()});
    });
  }

  ApplyStory tell() {
    while (in_time() && !live()) pass_time();
    while (!universe_.idle()) universe_.run_next_event();
    if (in_time()) check_end();
    ScenarioResult& result = told_.result;
    result.violations = world_.violations();
    result.trace_hash = universe_.trace_hash();
    result.steps = universe_.steps();
    result.rejects = ledger_.rejects.size();
    return told_;
  }

 private:
  std::int64_t unix_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(universe_.wall().time_since_epoch()).count();
  }

  void draw_options() {
    options_.clock_error = world_.plan().clock_error;
    options_.dead_after = world_.plan().dead_after;
    options_.write_concurrency = static_cast<std::uint32_t>(1 + random_.below(5));
    if (random_.chance(0.3)) options_.memory_bytes = 500 + random_.below(3000);
    if (random_.chance(0.2)) options_.read_rcu_per_s = 2 + 20 * random_.unit();
  }

  bool in_time() {
    if (universe_.now() - start_ < kLongestStory && universe_.steps() < kMostSteps) return true;
    if (!late_) world_.violate(Violation::Kind::broken_rule, "the story does not end: " + standing());
    late_ = true;
    return false;
  }

  const state::SpoolModel& spool_now() const {
    return spool_.unsynced.empty() ? spool_.synced : spool_.unsynced.back();
  }
  std::string standing() const {
    return fmt::format("{} keys in the spool, history {}", spool_now().keys(),
                       history_.done() ? "done" : "not done");
  }
  /// Writers and faults have stopped, and everything is on the target.
  bool in_step(const ApplyProcess& process) const {
    return universe_.now() > writing_ends_ && universe_.now() > faults_end_ && process.captured_all() &&
           history_.done() && spool_now().keys() == 0 && spool_.on_the_way.empty();
  }

  /// One process from start to crash, stop or end; true if it was in step.
  bool live() {
    ++told_.result.lives;
    spool_.crash(universe_.random());
    ApplyProcess process(world_, ledger_, spool_, changes_, history_, spool_faults_, options_, watch_,
                         random_.next());
    const bool dies = lives_to_lose_ > 0 && random_.chance(0.8);
    const bool stops = !dies && lives_to_lose_ > 0;
    if (dies || stops) --lives_to_lose_;
    const std::uint64_t last_step = universe_.steps() + 1 + random_.below(1ull << (4 + random_.below(11)));
    bool arrived = false;
    while (!process.result && in_time()) {
      if (dies && universe_.steps() >= last_step) {
        crash();
        return false;
      }
      if (stops && universe_.steps() >= last_step) process.stop.request();
      if (!arrived && in_step(process)) {
        arrived = true;
        process.stop.request();
      }
      steer(process);
      if (!process.loop.step_busily()) {
        world_.violate(Violation::Kind::broken_rule, "the process waits for nothing");
        return true;
      }
    }
    if (!process.result) return true;
    note(process);
    if (process.ended_cleanly) {
      ++told_.clean_ends;
    } else {
      world_.sender_died();
      watch_.sender_died();
    }
    return arrived && *process.result;
  }

  void note(const ApplyProcess& process) {
    const jobs::ApplyFigures figures = process.apply->figures();
    told_.written += figures.written;
    told_.removed += figures.removed;
    told_.reread += figures.reread;
    told_.unknown_outcomes += figures.unknown_outcomes;
    told_.result.puts += process.observed.puts;
    if (figures.running) broken("an applier that has ended says that it runs");
    if (process.observed.most_puts_on_wire > options_.write_concurrency + history_.segments.size()) {
      broken(fmt::format("{} writes at once", process.observed.most_puts_on_wire));
    }
    if (*process.result) return;
    const Error& error = process.result->error();
    if (error.kind != ErrorKind::disk && error.kind != ErrorKind::corrupt) {
      broken(fmt::format("the process ended with {}: {}", to_string(error.kind), error.message));
    }
  }

  /// Somebody pauses it now and then, and thinks better of it.
  void steer(ApplyProcess& process) {
    if (!steered_ || !random_.chance(process.paused ? 0.02 : 0.002)) return;
    process.paused = !process.paused;
    process.apply->pause(process.paused);
  }

  void crash() {
    ++told_.result.crashes;
    if (random_.chance(0.5)) {
      ledger_.apply_pending();
    } else {
      ledger_.drop_pending();
    }
    world_.sender_died();
    watch_.sender_died();
  }

  void pass_time() {
    const Duration time = random_.chance(0.5) ? Duration::zero() : world_.between(1ms, 3s);
    const MonoTime until = universe_.now() + time;
    while (!universe_.idle() && universe_.next_event() <= until) universe_.run_next_event();
    universe_.advance_to(until);
  }

  void broken(std::string text) { world_.violate(Violation::Kind::broken_rule, std::move(text)); }

  /// I10: both sides are equal, but for live rejects; and those are of items that the source has.
  void check_end() {
    std::set<KeyId> rejected;
    for (const state::Reject& reject : ledger_.rejects) {
      if (!reject.live) continue;
      const KeyId key = parse_key(reject.item);
      rejected.insert(key);
      const bool removal = reject.item == key_json(key);
      if (!removal && !world_.source_state(key).there) {
        broken(fmt::format("item {} is gone and its reject is live", key));
      }
    }
    if (ledger_.job->live_rejects != rejected.size()) {
      broken(fmt::format("{} live rejects of {} keys", ledger_.job->live_rejects, rejected.size()));
    }
    for (KeyId key = 0; key < world_.plan().keys; ++key) {
      const World::SourceState source = world_.source_state(key);
      const std::optional<Version> target = world_.on_target(key);
      const std::optional<Version> wanted = source.there ? std::optional(source.version) : std::nullopt;
      if (rejected.contains(key) || target == wanted) continue;
      const auto text = [](const std::optional<Version>& version) {
        return version ? std::to_string(*version) : std::string("not there");
      };
      world_.violate(Violation::Kind::wrong_end, fmt::format("item {}: {} on the source, {} on the target",
                                                             key, text(wanted), text(target)));
    }
  }

  Universe universe_;
  Random random_;
  const ApplyWeather weather_;
  World world_;
  WriteWatch watch_;
  Disk ledger_;
  SpoolDisk spool_;
  SimChanges changes_;
  SimHistory history_;
  SpoolFaults spool_faults_;
  jobs::ApplyOptions options_;
  MonoTime start_ = universe_.now();
  MonoTime writing_ends_, faults_end_;
  std::uint32_t lives_to_lose_ = 0;
  bool late_ = false;
  bool steered_ = random_.chance(0.3);
  ApplyStory told_;
};

}  // namespace

ApplyStory run_apply_scenario(std::uint64_t seed, const jobs::ApplyFaults& faults,
                              const ApplyWeather& weather) {
  Story story(seed, faults, weather);
  return story.tell();
}

}  // namespace messina::simulation
