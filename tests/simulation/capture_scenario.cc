#include "capture_scenario.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "capture_process.h"

namespace messina::simulation {

namespace {

using namespace std::chrono_literals;
using endpoints::StreamView;

constexpr Duration kLongestStory = std::chrono::hours(3);
constexpr std::uint64_t kMostSteps = 400'000;

std::chrono::seconds seconds(std::uint64_t count) { return std::chrono::seconds(count); }

WorldPlan draw_world(Random& random, CaptureWeather weather) {
  WorldPlan plan;
  plan.keys = static_cast<std::uint32_t>(2 + random.below(20));
  plan.writer_changes = static_cast<std::uint32_t>(20 + random.below(120));
  plan.writing = seconds(10 + random.below(80));
  plan.slow_commit = random.chance(0.2) ? 0.05 : 0;
  plan.broken_commit = random.chance(0.1) ? 0.02 : 0;
  plan.faults_until = seconds(random.below(120));
  if (weather == CaptureWeather::rough) {
    plan.keys = static_cast<std::uint32_t>(2 + random.below(6));
    plan.broken_commit = 0;
  }
  return plan;
}

StreamPlan draw_stream(Random& random, const WorldPlan& world, CaptureWeather weather) {
  const auto sometimes = [&random](double most) { return random.chance(0.5) ? most * random.unit() : 0.0; };
  const bool calm = weather == CaptureWeather::calm;
  StreamPlan plan;
  const StreamView views[] = {StreamView::new_image, StreamView::new_and_old_images, StreamView::keys_only,
                              StreamView::old_image};
  plan.view = views[random.chance(0.7) ? random.below(2) : 2 + random.below(2)];
  plan.in_order = random.chance(0.8);
  if (!plan.in_order) plan.lateness = seconds(3 + random.below(6));
  plan.retention = calm ? seconds(600) : seconds(40 + random.below(60));
  plan.early_trim = Duration(plan.retention) / (12 + random.below(20));
  plan.shard_interval = std::chrono::milliseconds(200 + random.below(800));
  plan.shards = static_cast<std::uint32_t>(random.chance(0.1) ? 0 : 1 + random.below(3));
  plan.splits = static_cast<std::uint32_t>(random.below(weather == CaptureWeather::rough ? 8 : 4));
  plan.splitting = world.writing;
  plan.page_records = static_cast<std::uint32_t>(1 + random.below(8));
  // Longer than several polls, since who cannot poll a shard so often in a row never catches up.
  if (random.chance(0.3)) plan.iterator_life = seconds(10 + random.below(20));
  plan.throttled = sometimes(0.3);
  plan.lost = sometimes(0.2);
  plan.slow = sometimes(0.05);
  plan.by_service = sometimes(0.5);
  plan.empty_pages = sometimes(0.9);
  if (!calm && random.chance(0.4)) {
    plan.outage_after = seconds(random.below(60));
    plan.outage_lasts = plan.retention * (1 + random.below(8)) / 4;
  }
  if (!calm && random.chance(0.15)) plan.replaced_after = seconds(random.below(80));
  return plan;
}

jobs::CaptureOptions draw_options(Random& random, const StreamPlan& plan, const jobs::CaptureFaults& faults) {
  jobs::CaptureOptions options;
  if (plan.shards == 0 || plan.replaced_after || random.chance(0.5)) options.enable = plan.view;
  options.list_every = seconds(1 + random.below(10));
  options.idle_poll = std::chrono::milliseconds(200 + random.below(4000));
  options.retention_margin = plan.retention / 5;
  if (random.chance(0.3)) options.memory_bytes = 100 + random.below(2000);
  options.faults = faults;
  return options;
}

class CaptureStory {
 public:
  CaptureStory(std::uint64_t seed, const jobs::CaptureFaults& faults, CaptureWeather weather)
      : universe_(seed),
        random_(universe_.random().fork()),
        weather_(weather),
        world_(universe_, draw_world(random_, weather)),
        stream_(world_, draw_stream(random_, world_.plan(), weather)),
        options_(draw_options(random_, stream_.plan(), faults)),
        spool_disk_("spool") {
    disk_.job.emplace();
    disk_.job->phase = state::JobPhase::copying;
    lives_to_lose_ = static_cast<std::uint32_t>(random_.below(weather == CaptureWeather::rough ? 8 : 4));
    spool_faults_ = {.slow = random_.chance(0.3) ? 0.03 : 0,
                     .full = random_.chance(0.3) ? 0.2 : 0,
                     .until = universe_.now() + world_.plan().faults_until};
    if (weather == CaptureWeather::rough)
      spool_faults_ = {.slow = 0.05, .full = 0.4, .until = universe_.now() + world_.plan().writing};
  }

  CaptureResult tell() {
    while (lives_to_lose_ > 0 && in_time()) {
      live();
      pass_time();
    }
    finish(false);
    if (disk_.job->live.gap() && in_time()) {
      ++result_.heals;
      finish(true);
      if (disk_.job->live.gap() && in_time()) broken("there is a gap again although nothing was missed");
    }
    if (in_time()) compare();
    result_.violations = world_.violations();
    result_.trace_hash = universe_.trace_hash();
    result_.steps = universe_.steps();
    result_.splits = stream_.splits();
    result_.trimmed_unread = stream_.trimmed_unread();
    return result_;
  }

 private:
  void broken(std::string text) { world_.violate(Violation::Kind::broken_rule, std::move(text)); }

  bool in_time() {
    if (universe_.now() - start_ < kLongestStory && universe_.steps() < kMostSteps) return true;
    if (!late_) broken("the story does not end");
    late_ = true;
    return false;
  }

  CaptureProcess::Setting setting(bool heals) {
    return {.disk = &disk_,
            .spool_disk = &spool_disk_,
            .spool_faults = spool_faults_,
            .applied = &applied_,
            .options = options_,
            .heals = heals};
  }

  /// One process from start to crash, stop or failure.
  void live() {
    --lives_to_lose_;
    ++result_.lives;
    // History may be read again without a gap, too.
    const bool heals = random_.chance(disk_.job->live.gap() ? 0.5 : 0.15);
    CaptureProcess process(universe_, world_, stream_, setting(heals), random_.next());
    const bool stops = random_.chance(0.2);
    const std::uint64_t last_step = universe_.steps() + 1 + random_.below(1ull << (3 + random_.below(9)));
    while (!process.result && in_time()) {
      if (universe_.steps() >= last_step) {
        if (!stops) {
          ++result_.crashes;
          break;
        }
        process.stop.request();
      }
      if (!process.loop.step_busily()) {
        broken("the capture waits for nothing");
        break;
      }
    }
    end(process);
  }

  /// Runs until all that was written is applied, once nobody writes any more. The first process may fail.
  void finish(bool heals) {
    while (in_time()) {
      ++result_.lives;
      CaptureProcess process(universe_, world_, stream_, setting(heals), random_.next());
      while (!process.result && !process.caught_up && in_time()) {
        if (!process.quiet_since && world_is_quiet()) process.quiet_since = universe_.now();
        if (process.loop.step_busily()) continue;
        broken("the capture waits for nothing");
        return;
      }
      const bool done = process.caught_up;
      process.stop.request();
      while (done && !process.result && in_time() && process.loop.step_busily()) {
      }
      if (done && (!process.result || !*process.result)) broken("a stopped capture did not end well");
      end(process);
      if (done) return;
      pass_time();
    }
  }

  bool world_is_quiet() const {
    const Duration since = universe_.now() - start_;
    return since > world_.plan().writing && !world_.faults() &&
           since > stream_.plan().outage_after + stream_.plan().outage_lasts &&
           since > stream_.plan().replaced_after.value_or(0s) + 30s;
  }

  void end(CaptureProcess& process) {
    result_.events += process.capture->figures().events;
    if (process.result && !*process.result) {
      const Error& error = process.result->error();
      const ErrorKind kind = error.kind;
      bool expected = kind == ErrorKind::stopped || kind == ErrorKind::disk || kind == ErrorKind::transient ||
                      kind == ErrorKind::throttled || kind == ErrorKind::unknown_outcome;
      if (!expected) broken(fmt::format("the capture ended with {}: {}", to_string(kind), error.message));
    }
    process.die();
    if (random_.chance(0.5)) {
      disk_.apply_pending();
    } else {
      disk_.drop_pending();
    }
    spool_disk_.crash(random_);
    const std::size_t gaps = disk_.job->live.gaps.size();
    result_.gaps = std::max<std::uint64_t>(result_.gaps, gaps);
    if (gaps > 0 && weather_ == CaptureWeather::calm && !told_) {
      told_ = true;
      const state::GapRecord& gap = disk_.job->live.gaps.front();
      broken(fmt::format("a gap in calm weather: {} {}", gap.cause, gap.detail));
    }
  }

  void pass_time() {
    const auto scale = random_.below(weather_ == CaptureWeather::calm ? 3 : 4);
    const Duration time = scale == 0   ? Duration::zero()
                          : scale == 1 ? world_.between(1ms, 1s)
                          : scale == 2 ? world_.between(1s, 10s)
                                       : world_.between(10s, 2 * Duration(stream_.plan().retention));
    const MonoTime until = universe_.now() + time;
    while (!universe_.idle() && universe_.next_event() <= until) universe_.run_next_event();
    universe_.advance_to(until);
  }

  void compare() {
    for (KeyId key = 0; key < world_.plan().keys; ++key) {
      const World::SourceState now = world_.source_state(key);
      const auto applied = applied_.items.find(key);
      const bool there = applied != applied_.items.end();
      if (there == now.there && (!there || applied->second == now.version)) continue;
      world_.violate(Violation::Kind::wrong_end,
                     fmt::format("item {} is {} at the source and {} where it was applied, without a gap",
                                 key, now.there ? fmt::format("in state {}", now.version) : "gone",
                                 there ? fmt::format("in state {}", applied->second) : "gone"));
    }
  }

  Universe universe_;
  Random random_;
  const CaptureWeather weather_;
  World world_;
  SimStream stream_;
  const jobs::CaptureOptions options_;
  Disk disk_;
  SpoolDisk spool_disk_;
  SpoolFaults spool_faults_;
  Applied applied_;
  const MonoTime start_ = universe_.now();
  std::uint32_t lives_to_lose_ = 0;
  bool late_ = false, told_ = false;
  CaptureResult result_;
};

}  // namespace

bool CaptureResult::wrong_end() const {
  return std::ranges::any_of(violations,
                             [](const Violation& v) { return v.kind == Violation::Kind::wrong_end; });
}

std::string CaptureResult::text() const {
  std::string text;
  for (const Violation& violation : violations) text += violation.text + '\n';
  return text;
}

CaptureResult run_capture_scenario(std::uint64_t seed, const jobs::CaptureFaults& faults,
                                   CaptureWeather weather) {
  CaptureStory story(seed, faults, weather);
  return story.tell();
}

}  // namespace messina::simulation
