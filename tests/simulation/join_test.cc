// Processes of a live migration that begin with some of its roles and are asked for the others while they
// run, in any order, between crashes and stops, while writers write and requests are lost and land late.
//   join_test              MESSINA_SIM_SEEDS seeds (2,000) from MESSINA_SIM_BASE (drawn)
//   join_test --seed=N     that seed alone, with what it went through
#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "live_process.h"
#include "seeds.h"

namespace messina::simulation {
namespace {

using namespace std::chrono_literals;
using jobs::Role;
using jobs::Roles;

constexpr Duration kLongestStory = std::chrono::hours(1);
constexpr std::uint64_t kMostSteps = 3'000'000;

struct JoinStory {
  std::vector<Violation> violations;
  std::map<std::string, std::uint64_t> plots;
  std::uint64_t lives = 0, crashes = 0, events = 0, written = 0, trace_hash = 0;
};

WorldPlan draw_world(Random& random) {
  const auto sometimes = [&random](double most) { return random.chance(0.5) ? most * random.unit() : 0.0; };
  WorldPlan plan;
  plan.live = true;
  plan.keys = static_cast<std::uint32_t>(2 + random.below(15));
  plan.segments = static_cast<std::uint32_t>(1 + random.below(3));
  plan.page_items = static_cast<std::uint32_t>(1 + random.below(4));
  plan.batch_items = 1 + random.below(4);
  plan.nodes = static_cast<std::uint32_t>(1 + random.below(3));
  plan.clock_error = std::chrono::milliseconds(200 + random.below(800));
  plan.dead_after = std::chrono::milliseconds(500 + random.below(3000));
  plan.lost = sometimes(0.2);
  plan.failed_500 = sometimes(0.1);
  plan.throttled = sometimes(0.2);
  plan.transient = sometimes(0.2);
  plan.slow = sometimes(0.1);
  plan.read_failed = sometimes(0.1);
  plan.writer_changes = static_cast<std::uint32_t>(20 + random.below(150));
  plan.writing = std::chrono::milliseconds(1000 + random.below(30'000));
  plan.faults_until = plan.writing + std::chrono::milliseconds(random.below(5'000));
  return plan;
}

StreamPlan draw_stream(Random& random, const WorldPlan& world) {
  StreamPlan plan;
  plan.view = random.chance(0.8) ? endpoints::StreamView::new_image : endpoints::StreamView::keys_only;
  plan.retention = 3600s;  // gaps are another story
  plan.early_trim = 60s;
  plan.shard_interval = std::chrono::milliseconds(200 + random.below(800));
  plan.shards = static_cast<std::uint32_t>(random.chance(0.2) ? 0 : 1 + random.below(3));
  plan.splits = static_cast<std::uint32_t>(random.below(3));
  plan.splitting = world.writing;
  plan.page_records = static_cast<std::uint32_t>(1 + random.below(8));
  return plan;
}

jobs::MigrateOptions draw_options(Random& random, const WorldPlan& plan, const StreamPlan& stream) {
  jobs::MigrateOptions options;
  options.copy.clock_error = options.apply.clock_error = plan.clock_error;
  options.copy.dead_after = options.apply.dead_after = plan.dead_after;
  options.copy.write_concurrency = static_cast<std::uint32_t>(1 + random.below(4));
  options.copy.units_per_lane = static_cast<std::uint32_t>(1 + random.below(3));
  options.copy.plan_fingerprint = "simulated";
  options.copy_tuning.reserve_units = static_cast<std::uint32_t>(1 + random.below(4));
  options.capture.list_every = std::chrono::seconds(1 + random.below(10));
  options.capture.idle_poll = std::chrono::milliseconds(500 + random.below(3000));
  if (stream.shards > 0 && random.chance(0.5)) options.capture.enable = stream.view;
  return options;
}

class Story {
 public:
  explicit Story(std::uint64_t seed)
      : universe_(seed),
        random_(universe_.random().fork()),
        world_(universe_, draw_world(random_)),
        history_(world_),
        stream_(world_, draw_stream(random_, world_.plan())),
        options_(draw_options(random_, world_.plan(), stream_.plan())),
        spool_("spool"),
        watch_(universe_, world_.plan().clock_error, world_.plan().dead_after),
        calm_at_(start_ + std::max<Duration>(world_.plan().faults_until, world_.plan().writing) +
                 stream_.plan().lateness + 1s),
        lives_to_lose_(static_cast<std::uint32_t>(random_.below(5))) {}

  JoinStory tell() {
    while (in_time() && universe_.now() < calm_at_) {
      live();
      const MonoTime until = universe_.now() + world_.between(0s, 3s);
      while (!universe_.idle() && universe_.next_event() <= until) universe_.run_next_event();
      universe_.advance_to(until);
    }
    if (in_time()) live();
    while (!universe_.idle()) universe_.run_next_event();
    told_.violations = world_.violations();
    told_.trace_hash = universe_.trace_hash();
    return told_;
  }

 private:
  void broken(std::string text) { world_.violate(Violation::Kind::broken_rule, std::move(text)); }

  bool in_time() {
    if (universe_.now() - start_ < kLongestStory && universe_.steps() < kMostSteps) return true;
    if (!late_) broken("the story does not end; the last process stands at: " + stands_);
    late_ = true;
    return false;
  }

  Roles draw_roles() {
    Roles roles = jobs::kNoRoles;
    while (roles == jobs::kNoRoles)
      for (const Role role : jobs::kAllRoles)
        if (random_.chance(0.4)) jobs::add(roles, role);
    return roles;
  }

  /// One process, until it is in step, and all that was written before it was asked for all roles is there;
  /// or to a crash or a stop.
  void live() {
    ++told_.lives;
    spool_.crash(universe_.random());
    const bool last = universe_.now() >= calm_at_;
    LiveProcess::Setting with{.world = &world_,
                              .stream = &stream_,
                              .history = &history_,
                              .disk = &disk_,
                              .spool_disk = &spool_,
                              .spool_faults = {},
                              .watch = &watch_,
                              .options = options_};
    do {
      with.options.roles = draw_roles();
    } while (with.options.roles.copy && !with.options.roles.capture && !with.options.roles.apply);
    if (with.options.roles.capture) with.options.capture.enable = stream_.plan().view;
    LiveProcess process(with, random_.next());
    const bool dies = !last && lives_to_lose_ > 0 && random_.chance(0.7);
    const bool stops = !last && !dies && lives_to_lose_ > 0;
    if (dies || stops) --lives_to_lose_;
    const std::uint64_t last_step = universe_.steps() + 1 + random_.below(1ull << (5 + random_.below(10)));
    const MonoTime stop_at = calm_at_ + world_.between(0s, 3s);
    MonoTime next_wish = universe_.now() + world_.between(0ms, 4s);
    std::uint32_t wishes = static_cast<std::uint32_t>(random_.below(4));
    std::optional<std::int64_t> all_asked_ms;
    while (!process.result && in_time()) {
      if (dies && universe_.steps() >= last_step) {
        crash();
        return;
      }
      if (stops && universe_.steps() >= last_step) process.stop.request();
      if (!last && universe_.now() >= stop_at) process.stop.request();
      const jobs::Progress now = process.board.snapshot();
      if (universe_.now() >= next_wish) {
        next_wish = universe_.now() + world_.between(100ms, 3s);
        // In the end `migrate` joins: all that is missing.
        const bool all = wishes == 0;
        if (wishes > 0) --wishes;
        if (wish(process, now, all ? Roles() : draw_roles()) && all && !all_asked_ms)
          all_asked_ms = unix_ms();
      }
      stands_ = text_of(now);
      if (last && arrived(now, all_asked_ms)) {
        compare();
        tell_how(with.options.roles);
        process.stop.request();
      }
      step(process);
    }
    end(process, last);
  }

  /// In step, or but for an item that met four answers of 500 in a row and was rejected for it.
  static bool arrived(const jobs::Progress& now, const std::optional<std::int64_t>& asked_ms) {
    return asked_ms && now.live && now.live->complete_until_unix_ms.value_or(0) > *asked_ms;
  }

  /// As the control socket does it.
  bool wish(LiveProcess& process, const jobs::Progress& now, const Roles& roles) {
    jobs::RoleWish wish;
    wish.roles = roles;
    wish.enable_stream = stream_.plan().view;
    const Result<Roles> fresh = jobs::take_wish(wish, now, process.steering.wished(), false);
    if (!fresh) {
      ++told_.plots["refused"];
      return false;
    }
    if (*fresh == jobs::kNoRoles) return true;
    wish.roles = *fresh;
    process.steering.wish(wish, {"somebody", universe_.wall()});
    ++told_.plots["joined: " + jobs::text_of(*fresh)];
    return true;
  }

  void crash() {
    ++told_.crashes;
    random_.chance(0.5) ? disk_.apply_pending() : disk_.drop_pending();
    world_.sender_died();
    watch_.sender_died();
  }

  void end(const LiveProcess& process, bool last) {
    if (disk_.job && disk_.job->heartbeat_unix_ms) {
      world_.sender_died();
      watch_.sender_died();
    }
    if (!process.result) return;
    if (!*process.result) {
      const Error& error = process.result->error();
      const bool expected = !last && error.kind != ErrorKind::needs_person &&
                            error.kind != ErrorKind::config && error.kind != ErrorKind::internal;
      if (!expected) broken(fmt::format("it ended with {}: {}", to_string(error.kind), error.message));
      return;
    }
    told_.events += (**process.result).live.events;
    told_.written += (**process.result).live.applied;
    for (const jobs::RoleNote& note : (**process.result).live.roles)
      if (note.state == jobs::role_state::kFailed) broken(note.role + " failed: " + note.why);
  }

  void tell_how(const Roles& began) {
    if (!compared_) ++told_.plots["in step, begun as " + jobs::text_of(began)];
    compared_ = true;
  }

  /// I10
  void compare() {
    std::set<KeyId> rejected;
    for (const state::Reject& reject : disk_.rejects)
      if (reject.live)
        rejected.insert(reject.unit.empty() ? parse_key(reject.item) : parse_item(reject.item).key);
    for (KeyId key = 0; key < world_.plan().keys; ++key) {
      const SourceHistory::Content source = SourceHistory::content(world_.source_state(key));
      const SourceHistory::Content target = world_.on_target(key);
      if (target == source || rejected.contains(key)) continue;
      const auto text = [](const SourceHistory::Content& content) {
        return content ? std::to_string(*content) : std::string("not there");
      };
      world_.violate(Violation::Kind::wrong_end, fmt::format("item {}: {} on the source, {} on the target",
                                                             key, text(source), text(target)));
    }
  }

  static std::string text_of(const jobs::Progress& now) {
    if (!now.live) return now.phase;
    std::string text = now.phase;
    for (const jobs::RoleNote& note : now.live->roles) text += fmt::format(" {}:{}", note.role, note.state);
    return text + fmt::format(" {}", fmt::join(now.live->not_in_step, "; "));
  }

  std::int64_t unix_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(universe_.wall().time_since_epoch()).count();
  }

  void step(LiveProcess& process) {
    if (process.loop.run_one()) return;
    if (!process.loop.has_timer()) {
      broken("the process waits for nothing");
      late_ = true;
      process.result = fail(ErrorKind::internal, "it waits for nothing");
      return;
    }
    const MonoTime time = process.loop.next_timer();
    while (!universe_.idle() && universe_.next_event() <= time) universe_.run_next_event();
    universe_.advance_to(time);
    process.loop.fire_due_timers();
  }

  Universe universe_;
  Random random_;
  World world_;
  SourceHistory history_;
  SimStream stream_;
  const jobs::MigrateOptions options_;
  Disk disk_;
  SpoolDisk spool_;
  WriteWatch watch_;
  const MonoTime start_ = universe_.now();
  const MonoTime calm_at_;
  std::uint32_t lives_to_lose_ = 0;
  bool late_ = false, compared_ = false;
  std::string stands_;
  JoinStory told_;
};

std::string text(const JoinStory& story) {
  std::string lines;
  for (const Violation& violation : story.violations) lines += violation.text + "\n";
  return lines;
}

TEST(JoinSimulation, WhateverJoinsTheTargetArrives) {
  const std::uint64_t seeds = seed_count();
  fmt::print("{} seeds from {}\n", seeds, base_seed());
  JoinStory all;
  std::uint64_t failed = 0;
  for (std::uint64_t seed = base_seed(); seed < base_seed() + seeds && failed < 10; ++seed) {
    const JoinStory story = Story(seed).tell();
    all.lives += story.lives;
    all.crashes += story.crashes;
    all.events += story.events;
    all.written += story.written;
    for (const auto& [plot, times] : story.plots) all.plots[plot] += times;
    if (story.violations.empty()) continue;
    ++failed;
    ADD_FAILURE() << "replay: join_test --seed=" << seed << '\n' << text(story);
  }
  fmt::print("{} processes, {} crashes, {} events, {} applied\n", all.lives, all.crashes, all.events,
             all.written);
  for (const auto& [plot, times] : all.plots) fmt::print("  {} {}\n", times, plot);
  if (seeds < 500 || failed > 0) return;
  EXPECT_GT(all.crashes, seeds / 4);
  EXPECT_GT(all.written, seeds);
  for (const char* plot :
       {"refused", "joined: capture", "joined: copy", "joined: apply", "joined: copy, apply",
        "joined: capture, copy", "in step, begun as capture", "in step, begun as apply"})
    EXPECT_GT(all.plots[plot], seeds / 100) << plot;
}

TEST(JoinSimulation, ASeedReplaysExactly) {
  for (std::uint64_t seed = base_seed(); seed < base_seed() + 20; ++seed)
    EXPECT_EQ(Story(seed).tell().trace_hash, Story(seed).tell().trace_hash) << seed;
}

int replay(std::uint64_t seed) {
  const JoinStory story = Story(seed).tell();
  fmt::print("seed {}: {} processes, {} crashes, {} events, trace {:016x}\n", seed, story.lives,
             story.crashes, story.events, story.trace_hash);
  for (const auto& [plot, times] : story.plots) fmt::print("  {} {}\n", times, plot);
  fmt::print("{}", text(story));
  return story.violations.empty() ? 0 : 1;
}

}  // namespace
}  // namespace messina::simulation

int main(int argc, char** argv) {
  return messina::simulation::run_or_replay(argc, argv, messina::simulation::replay);
}
