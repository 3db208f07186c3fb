#include "copy_scenario.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "process.h"

namespace messina::simulation {

namespace {

using namespace std::chrono_literals;

/// Virtual time and steps within which every story must have ended.
constexpr Duration kLongestStory = std::chrono::hours(2);
constexpr std::uint64_t kMostSteps = 1'000'000;

WorldPlan draw_world(Random& random, Weather weather) {
  const auto sometimes = [&random](double most) { return random.chance(0.5) ? most * random.unit() : 0.0; };
  WorldPlan plan;
  plan.keys = static_cast<std::uint32_t>(4 + random.below(60));
  plan.segments = static_cast<std::uint32_t>(1 + random.below(8));
  plan.page_items = static_cast<std::uint32_t>(1 + random.below(9));
  plan.batch_items = 1 + random.below(6);
  plan.nodes = static_cast<std::uint32_t>(1 + random.below(3));
  plan.clock_error = std::chrono::milliseconds(200 + random.below(1800));
  plan.dead_after = std::chrono::milliseconds(2000 + random.below(28'000));
  plan.lost = sometimes(0.3);
  plan.failed_500 = sometimes(0.2);
  plan.throttled = sometimes(0.3);
  plan.transient = sometimes(0.3);
  plan.unprocessed = sometimes(0.4);
  plan.slow = sometimes(0.1);
  plan.read_failed = sometimes(0.3);
  plan.slow_commit = sometimes(0.05);
  plan.broken_commit = random.chance(0.1) ? 0.01 : 0;
  plan.poison_refused = random.chance(0.5) ? static_cast<std::uint32_t>(random.below(4)) : 0;
  plan.poison_500 = random.chance(0.1) ? 1 : 0;
  plan.writer_changes = random.chance(0.8) ? static_cast<std::uint32_t>(random.below(200)) : 0;
  plan.writing = std::chrono::seconds(1 + random.below(120));
  plan.faults_until = std::chrono::seconds(random.below(300));
  if (weather == Weather::lossy) {
    plan.lost = 0.3;
    plan.writer_changes = 200;
    plan.writing = 120s;
    plan.faults_until = 300s;
    plan.keys = static_cast<std::uint32_t>(4 + random.below(12));
  }
  return plan;
}

jobs::CopyOptions draw_options(Random& random, const WorldPlan& plan) {
  jobs::CopyOptions options;
  options.write_concurrency = static_cast<std::uint32_t>(1 + random.below(8));
  options.units_per_lane = static_cast<std::uint32_t>(1 + random.below(5));
  if (random.chance(0.3)) options.memory_bytes = 50 + random.below(2000);
  if (random.chance(0.3)) options.write_concurrency.reset();
  options.write_bounds = {.least = 1, .most = 12, .start = static_cast<std::uint32_t>(1 + random.below(8))};
  if (random.chance(0.2)) options.write = {pace::Wish::Kind::fixed, 1 + 20 * random.unit()};
  if (random.chance(0.2)) options.read = {pace::Wish::Kind::fixed, 1 + 20 * random.unit()};
  if (random.chance(0.1))
    options.skip_segments.insert(static_cast<std::uint32_t>(random.below(plan.segments)));
  options.clock_error = plan.clock_error;
  options.dead_after = plan.dead_after;
  options.plan_fingerprint = "simulated";
  return options;
}

class Story {
 public:
  Story(std::uint64_t seed, const jobs::CopyFaults& faults, Weather weather)
      : universe_(seed),
        random_(universe_.random().fork()),
        weather_(weather),
        plan_(draw_world(random_, weather)),
        world_(universe_, plan_),
        options_(draw_options(random_, plan_)) {
    tuning_.faults = faults;
    tuning_.reserve_units = static_cast<std::uint32_t>(1 + random_.below(4));
    lives_to_lose_ = static_cast<std::uint32_t>(random_.below(weather == Weather::lossy ? 8 : 5));
  }

  ScenarioResult tell() {
    const std::uint64_t copies = 1 + random_.below(weather_ == Weather::lossy ? 3 : 2);
    for (std::uint64_t copy = 0; copy < copies && in_time(); ++copy) {
      run_until_done(copy > 0);
      pass_time();
    }
    run_again_after_the_end();
    drain();
    if (in_time() && disk_.job) world_.check_end(*disk_.job, disk_.rejects, disk_.began);
    result_.violations = world_.violations();
    result_.trace_hash = universe_.trace_hash();
    result_.steps = universe_.steps();
    result_.rejects = disk_.rejects.size();
    return result_;
  }

 private:
  bool in_time() {
    if (universe_.now() - start_ < kLongestStory && universe_.steps() < kMostSteps) return true;
    if (!late_) world_.violate(Violation::Kind::broken_rule, "the story does not end");
    late_ = true;
    return false;
  }

  void run_until_done(bool restart) {
    const std::uint64_t begun_before = disk_.begun;
    for (;;) {
      // A restart is asked for until it has begun, and now and then again.
      const bool ask = restart && (disk_.begun == begun_before || random_.chance(0.1));
      const bool done = live(ask);
      if (done || !in_time()) return;
      pass_time();
    }
  }

  /// One process from start to crash, stop or end; true if the job is done.
  bool live(bool restart) {
    ++result_.lives;
    jobs::CopyOptions options = options_;
    options.restart = restart;
    Process process(universe_, world_, disk_, options, tuning_, random_.next());
    const bool dies = lives_to_lose_ > 0 && random_.chance(weather_ == Weather::lossy ? 0.5 : 0.8);
    const bool stops = !dies && lives_to_lose_ > 0;
    if (dies || stops) --lives_to_lose_;
    // Early and late ends alike.
    const std::uint64_t last_step = universe_.steps() + 1 + random_.below(1ull << (3 + random_.below(11)));
    while (!process.result && in_time()) {
      if (dies && universe_.steps() >= last_step) {
        crash();
        return false;
      }
      if (stops && universe_.steps() >= last_step) process.stop.request();
      steer(process);
      if (!process.loop.step_busily()) {
        world_.violate(Violation::Kind::broken_rule, "the job waits for nothing");
        return true;
      }
    }
    if (!process.result) return true;
    check_process(process);
    return judge(*process.result);
  }

  /// Somebody pauses it now and then, and thinks better of it.
  void steer(Process& process) {
    if (!steered_ || !random_.chance(process.paused ? 0.02 : 0.002)) return;
    process.paused = !process.paused;
    process.steering.pause(process.paused, {"somebody", process.loop.wall()});
  }

  bool judge(const Result<jobs::CopySummary>& result) {
    if (result) return true;
    const ErrorKind kind = result.error().kind;
    const bool expected = kind == ErrorKind::stopped || kind == ErrorKind::disk || kind == ErrorKind::corrupt;
    if (!expected) {
      world_.violate(Violation::Kind::broken_rule,
                     fmt::format("the job ended with {}: {}", to_string(kind), result.error().message));
      return true;
    }
    // The process ends: what it left behind is as after a crash.
    world_.sender_died();
    return false;
  }

  void crash() {
    ++result_.crashes;
    if (random_.chance(0.5)) {
      disk_.apply_pending();
    } else {
      disk_.drop_pending();
    }
    world_.sender_died();
  }

  void pass_time() {
    const auto scale = random_.below(weather_ == Weather::lossy ? 2 : 4);
    const Duration time = scale == 0   ? Duration::zero()
                          : scale == 1 ? world_.between(1ms, 1s)
                          : scale == 2 ? world_.between(1s, 30s)
                                       : world_.between(30s, 200s);
    const MonoTime until = universe_.now() + time;
    while (!universe_.idle() && universe_.next_event() <= until) universe_.run_next_event();
    universe_.advance_to(until);
  }

  void check_process(const Process& process) {
    const Observed& seen = process.observed;
    result_.puts += seen.puts;
    const auto broken = [this](std::string text) {
      world_.violate(Violation::Kind::broken_rule, std::move(text));
    };
    if (seen.most_puts_on_wire > options_.write_concurrency.value_or(options_.write_bounds.most)) {
      broken(fmt::format("{} writes at once of {}", seen.most_puts_on_wire,
                         options_.write_concurrency.value_or(options_.write_bounds.most)));
    }
    const auto workers = static_cast<std::int64_t>(options_.units_per_lane * process.lanes.size());
    const std::int64_t allowed =
        static_cast<std::int64_t>(options_.memory_bytes) + workers * seen.largest_page;
    if (seen.most_page_bytes > allowed) {
      broken(fmt::format("{} bytes of pages in memory of {}", seen.most_page_bytes, options_.memory_bytes));
    }
    if (seen.page_bytes != 0) broken(fmt::format("{} bytes of pages were not given back", seen.page_bytes));
    // A second's worth may pile up, and each worker's newest read is charged by an estimate.
    const double slack = seen.rcu_rate + static_cast<double>(workers + 1) * seen.largest_rcu;
    if (seen.rcu_rate > 0 && seen.most_rcu_over_budget > slack) {
      broken(fmt::format("{} RCU over a budget of {}/s", seen.most_rcu_over_budget, seen.rcu_rate));
    }
    if (process.board.snapshot().memory_bytes != 0) broken("memory is leased after the end");
  }

  void run_again_after_the_end() {
    if (!in_time() || !disk_.job || disk_.job->phase != state::JobPhase::done) return;
    const std::uint64_t steps_before = universe_.steps();
    Process process(universe_, world_, disk_, options_, tuning_, random_.next());
    while (!process.result && universe_.steps() < steps_before + 10'000 && process.loop.step_busily()) {
    }
    const bool said_so = process.result && *process.result && (*process.result)->was_already_done;
    if (!said_so || process.observed.puts != 0) {
      world_.violate(Violation::Kind::broken_rule,
                     "a finished job, run again, did not say so or wrote something");
    }
  }

  void drain() {
    while (!universe_.idle()) universe_.run_next_event();
  }

  Universe universe_;
  Random random_;
  Weather weather_;
  WorldPlan plan_;
  World world_;
  jobs::CopyOptions options_;
  jobs::CopyTuning tuning_;
  Disk disk_;
  MonoTime start_ = universe_.now();
  std::uint32_t lives_to_lose_ = 0;
  bool late_ = false;
  bool steered_ = random_.chance(0.3);
  ScenarioResult result_;
};

}  // namespace

bool ScenarioResult::wrong_end() const {
  return std::ranges::any_of(violations,
                             [](const Violation& v) { return v.kind == Violation::Kind::wrong_end; });
}

std::string ScenarioResult::text() const {
  std::string text;
  for (const Violation& violation : violations) text += violation.text + '\n';
  return text;
}

ScenarioResult run_copy_scenario(std::uint64_t seed, const jobs::CopyFaults& faults, Weather weather) {
  Story story(seed, faults, weather);
  return story.tell();
}

}  // namespace messina::simulation
