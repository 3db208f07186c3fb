// Single cases of the copy, in virtual time: what it refuses, what it says, and what it does at its edges.
#include <gtest/gtest.h>

#include "jobs/retry_rejects.h"
#include "process.h"

namespace messina::simulation {
namespace {

using namespace std::chrono_literals;
using Answer = Result<jobs::CopySummary>;

class CopyCases : public testing::Test {
 protected:
  static WorldPlan calm() {
    WorldPlan plan;
    plan.clock_error = 1s;
    plan.dead_after = 30s;
    plan.poison_refused = 2;
    return plan;
  }

  std::unique_ptr<Process> start() {
    return std::make_unique<Process>(universe, world, disk, options, jobs::CopyTuning(), 1);
  }
  Answer run() {
    const auto process = start();
    while (!process->result && process->loop.step()) {
    }
    progress = process->board.snapshot();
    return process->result ? *process->result : Answer(fail(ErrorKind::internal, "it waits for nothing"));
  }
  /// Runs for a while, then dies; the disk keeps what was durable.
  void run_and_crash(Duration time) {
    const auto process = start();
    const MonoTime end = universe.now() + time;
    while (universe.now() < end && process->loop.step()) {
    }
    disk.drop_pending();
    world.sender_died();
  }
  void expect_error(const Answer& answer, ErrorKind kind, std::string_view text) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, kind);
    EXPECT_NE(answer.error().message.find(text), std::string::npos) << answer.error().message;
  }

  /// Puts rejects back.
  jobs::RejectRetry retry(const std::vector<state::Reject>& rejects) {
    SimLoop loop(universe);
    Observed observed;
    std::vector<jobs::Lane> lanes;
    lanes.push_back({&loop, make_source(world, loop, observed), make_target(world, loop, observed)});
    Stop stop;
    jobs::CopyContext context{.lanes = &lanes, .stop = &stop, .random = Random(1)};
    std::optional<jobs::RejectRetry> result;
    asio::co_spawn(loop.executor(), jobs::retry_rejects(context, options, rejects),
                   [&result](std::exception_ptr, jobs::RejectRetry r) { result = std::move(r); });
    while (!result) {
      if (loop.run_one()) continue;
      universe.advance_to(loop.next_timer());
      loop.fire_due_timers();
    }
    return *result;
  }

  Universe universe{1};
  World world{universe, calm()};
  Disk disk;
  jobs::CopyOptions options;
  jobs::Progress progress;
};

TEST_F(CopyCases, NumbersAddUpAndTheEndSaysSo) {
  const Answer first = run();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_GT(first->counts.written_items, 0u);
  EXPECT_EQ(first->counts.read_items, first->counts.written_items + first->counts.rejected_items);
  EXPECT_EQ(first->live_rejects, disk.rejects.size());
  EXPECT_EQ(first->units, 4u);
  EXPECT_FALSE(first->was_already_done);
  EXPECT_EQ(progress.phase, "done");
  EXPECT_EQ(progress.share_done, 1);
  EXPECT_FALSE(disk.job->heartbeat_unix_ms);

  const Answer second = run();
  ASSERT_TRUE(second);
  EXPECT_TRUE(second->was_already_done);
  EXPECT_EQ(second->counts, first->counts);
}

TEST_F(CopyCases, ATargetWithItemsNeedsPermission) {
  world.send({{1, 1}}, universe.now(), true, nullptr);
  universe.run_next_event();
  expect_error(run(), ErrorKind::needs_person, "--into-existing");
  EXPECT_FALSE(disk.job);
  options.into_existing = true;
  EXPECT_TRUE(run());
}

TEST_F(CopyCases, ARestartImpliesPermission) {
  ASSERT_TRUE(run());
  options.restart = true;
  const Answer again = run();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->was_already_done);
  EXPECT_EQ(disk.begun, 2u);
}

TEST_F(CopyCases, ARestartIntoATableMadeAnewNeedsPermission) {
  ASSERT_TRUE(run());
  ASSERT_FALSE(world.target_is_empty());
  world.target_table.id = "another-id";  // its items are somebody else's
  options.restart = true;
  expect_error(run(), ErrorKind::needs_person, "--into-existing");
  EXPECT_EQ(disk.begun, 1u);
  options.into_existing = true;
  EXPECT_TRUE(run());
}

TEST_F(CopyCases, AnotherTableUnderTheOldNameNeedsAPerson) {
  run_and_crash(50ms);
  ASSERT_TRUE(disk.job);
  world.source_table.id = "another-id";
  expect_error(run(), ErrorKind::needs_person, "deleted and made again since the copy began");
  expect_error(run(), ErrorKind::needs_person, "--restart");
}

TEST_F(CopyCases, OtherSettingsNeedAPerson) {
  run_and_crash(50ms);
  ASSERT_TRUE(disk.job);
  options.plan_fingerprint = "other renames";
  expect_error(run(), ErrorKind::needs_person, "other settings");
}

TEST_F(CopyCases, ATableMadeAgainDuringTheCopyIsNoticed) {
  options.read = {pace::Wish::Kind::fixed, 1};  // slowly enough to look twice
  options.memory_bytes = 1;
  const auto process = start();
  while (universe.now() < MonoTime(1h) + 1s && process->loop.step()) {
  }
  world.target_table.id = "another-id";
  while (!process->result && process->loop.step()) {
  }
  ASSERT_TRUE(process->result);
  expect_error(*process->result, ErrorKind::needs_person, "deleted and made again");
  EXPECT_NE(disk.job->phase, state::JobPhase::done);
}

TEST_F(CopyCases, ATableInAPassingOrFinalStateIsNamed) {
  world.source_table.status = endpoints::TableStatus::deleting;
  expect_error(run(), ErrorKind::needs_person,
               "is being deleted: wait for it to go, or choose another source");
  world.source_table.status = endpoints::TableStatus::active;
  world.target_table.status = endpoints::TableStatus::creating;
  expect_error(run(), ErrorKind::busy, "is being created");
}

TEST_F(CopyCases, SkippedSegmentsAreLeftOut) {
  options.skip_segments = {1, 3};
  const Answer answer = run();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->units_skipped, 2u);
  for (KeyId key = 0; key < world.plan().keys; ++key) {
    const std::uint32_t segment = world.segment_of(key);
    if (segment == 1 || segment == 3) {
      EXPECT_FALSE(world.on_target(key)) << key;
    }
  }
}

TEST_F(CopyCases, ASegmentThatIsNotThereCannotBeSkipped) {
  options.skip_segments = {4};
  expect_error(run(), ErrorKind::config, "segments are counted from 0");
}

TEST_F(CopyCases, WhatIsKnownOfATableStaysWhileItsCopyBegins) {
  const auto process = start();
  jobs::Progress known;
  known.table = "orders";
  known.phase = "queued";
  known.counts.read_items = known.counts.written_items = 7;
  process->board.publish(known);
  while (process->board.snapshot().phase == "queued" && process->loop.step()) {
  }
  const jobs::Progress now = process->board.snapshot();
  EXPECT_EQ(now.phase, "preparing");
  EXPECT_EQ(now.table, "orders");
  EXPECT_EQ(now.counts, known.counts) << "counters never go back";
}

TEST_F(CopyCases, AfterACrashItWaitsForThePredecessorAndSaysSo) {
  run_and_crash(50ms);
  ASSERT_TRUE(disk.job);
  const MonoTime restarted = universe.now();
  const auto process = start();
  while (universe.now() < restarted + 20s && process->loop.step()) {
  }
  EXPECT_EQ(process->board.snapshot().phase, "waiting");
  EXPECT_EQ(process->board.snapshot().holder, "requests of a former process");
  EXPECT_EQ(process->observed.puts, 0u);
  while (!process->result && process->loop.step()) {
  }
  ASSERT_TRUE(process->result && *process->result);
  EXPECT_GT(universe.now() - restarted, 31s);
}

TEST_F(CopyCases, APredecessorThatDiedLongAgoIsNotWaitedFor) {
  run_and_crash(50ms);
  ASSERT_TRUE(disk.job);
  universe.advance_to(universe.now() + 1h);
  const MonoTime restarted = universe.now();
  ASSERT_TRUE(run());
  EXPECT_LT(universe.now() - restarted, 20s);
}

TEST_F(CopyCases, OneUnitRunsByItself) {
  const jobs::UnitRun unit{.unit = {.id = "segment 2/4", .spec = segment_spec(2)}, .cursor = {}};
  Process process(universe, world, disk, options, jobs::CopyTuning(), 1, &unit);
  while (!process.result && process.loop.step()) {
  }
  ASSERT_TRUE(process.result && *process.result);
  EXPECT_EQ((**process.result).units, 1u);
  for (KeyId key = 0; key < world.plan().keys; ++key) {
    if (world.on_target(key)) {
      EXPECT_EQ(world.segment_of(key), 2u);
    }
  }
}

TEST_F(CopyCases, RenamesApplyAndWhatCannotBeRenamedIsRejectedAsRead) {
  options.transform.renames = {{"v", "pk"}};  // no item can have both under one name
  const Answer answer = run();
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->counts.written_items, 0u);
  EXPECT_EQ(answer->counts.rejected_items, answer->counts.read_items);
  ASSERT_FALSE(disk.rejects.empty());
  EXPECT_EQ(disk.rejects[0].item.substr(0, 6), "{\"pk\":");
}

TEST_F(CopyCases, RejectsCanBePutBack) {
  const Answer answer = run();
  ASSERT_TRUE(answer);
  ASSERT_FALSE(disk.rejects.empty());
  for (std::size_t i = 0; i < disk.rejects.size(); ++i) disk.rejects[i].id = i + 100;

  const jobs::RejectRetry refused = retry(disk.rejects);
  EXPECT_FALSE(refused.error);
  ASSERT_EQ(refused.outcomes.size(), disk.rejects.size());
  for (const jobs::RejectOutcome& outcome : refused.outcomes) {
    EXPECT_FALSE(outcome.written);
    EXPECT_EQ(outcome.code, "ValidationException");
  }
  world.refuse_nothing();
  const jobs::RejectRetry written = retry(disk.rejects);
  ASSERT_EQ(written.outcomes.size(), disk.rejects.size());
  for (std::size_t i = 0; i < disk.rejects.size(); ++i) {
    EXPECT_TRUE(written.outcomes[i].written);
    EXPECT_EQ(written.outcomes[i].id, i + 100);
  }
}

TEST_F(CopyCases, OfItemsThatShareAKeyOneIsWrittenAndTheOthersAreRejected) {
  std::vector<state::Reject> records(3);
  const ItemState items[] = {{1, 1}, {2, 1}, {1, 2}};
  world.refuse_nothing();
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].id = i;
    records[i].item = item_json(items[i]);
  }
  const jobs::RejectRetry answer = retry(records);
  ASSERT_FALSE(answer.error);
  ASSERT_EQ(answer.outcomes.size(), 3u);
  EXPECT_TRUE(answer.outcomes[0].written);
  EXPECT_TRUE(answer.outcomes[1].written);
  EXPECT_FALSE(answer.outcomes[2].written);
  EXPECT_NE(answer.outcomes[2].reason.find("with the same key"), std::string::npos);
}

/// A world of its own weather, and the copy in it.
struct Weathered {
  explicit Weathered(const WorldPlan& plan) : world(universe, plan) {
    options.clock_error = plan.clock_error;
    options.dead_after = plan.dead_after;
    process = std::make_unique<Process>(universe, world, disk, options, jobs::CopyTuning(), 1);
  }
  void run_until(MonoTime end) {
    while (!process->result && universe.now() < end && process->loop.step()) {
    }
  }
  Universe universe{1};
  World world;
  Disk disk;
  jobs::CopyOptions options;
  std::unique_ptr<Process> process;
};

TEST(CopyWeather, AnItemThatTheServerAlwaysFailsOnIsFoundAndRejectedAlone) {
  WorldPlan plan;
  plan.poison_500 = 1;
  plan.clock_error = 1s;
  plan.dead_after = 30s;
  plan.faults_until = 10h;
  Weathered run(plan);
  run.run_until(MonoTime(10h));
  ASSERT_TRUE(run.process->result);
  ASSERT_TRUE(*run.process->result) << run.process->result->error().message;
  ASSERT_EQ(run.disk.rejects.size(), 1u);
  EXPECT_TRUE(run.world.fails_on(parse_item(run.disk.rejects[0].item).key));
  EXPECT_EQ(run.disk.rejects[0].code, "InternalServerError");
  run.world.check_end(*run.disk.job, run.disk.rejects, run.disk.began);
  EXPECT_TRUE(run.world.violations().empty());
}

/// A table of nothing but items that the server always fails on, one to a page.
WorldPlan all_poison(std::uint32_t keys, std::uint32_t segments) {
  WorldPlan plan;
  plan.keys = keys;
  plan.segments = segments;
  plan.page_items = 1;
  plan.poison_500 = keys;
  plan.clock_error = 1s;
  plan.dead_after = 30s;
  plan.faults_until = 10h;
  return plan;
}

TEST(CopyWeather, AnItemThatTheServerAlwaysFailsOnIsNamedAndAtLastRejectedWithoutAWitness) {
  Weathered run(all_poison(1, 1));
  run.world.put_on_source(0);
  run.run_until(MonoTime(1h) + 4min);
  ASSERT_FALSE(run.process->result) << "rejected too soon";
  const std::string detail = run.process->board.snapshot().holder_detail;
  EXPECT_NE(detail.find("1 write of unknown outcome waits"), std::string::npos) << detail;
  EXPECT_NE(detail.find("The key is too long"), std::string::npos) << detail;
  EXPECT_NE(detail.find("times in a row, to an item of segment 0/1 sent alone"), std::string::npos) << detail;
  run.run_until(MonoTime(1h) + 6min);
  ASSERT_TRUE(run.process->result);
  ASSERT_TRUE(*run.process->result);
  EXPECT_EQ(run.disk.rejects.size(), 1u);
  run.world.check_end(*run.disk.job, run.disk.rejects, run.disk.began);
  EXPECT_TRUE(run.world.violations().empty());
}

TEST(CopyWeather, AServerThatFailsEverybodyGetsNothingRejected) {
  Weathered run(all_poison(200, 16));
  run.options.units_per_lane = 16;
  run.process =
      std::make_unique<Process>(run.universe, run.world, run.disk, run.options, jobs::CopyTuning(), 1);
  run.run_until(MonoTime(3h));
  ASSERT_FALSE(run.process->result);
  EXPECT_TRUE(run.disk.rejects.empty());
  run.process->stop.request();
  run.run_until(MonoTime(4h));
  ASSERT_TRUE(run.process->result);
  EXPECT_EQ(run.process->result->error().kind, ErrorKind::stopped);
}

TEST(CopyWeather, ADiskThatHoldsTheWritesUpIsNamed) {
  WorldPlan plan;
  plan.slow_commit = 1;
  plan.faults_until = 10h;
  Weathered run(plan);
  bool said = false;
  while (!said && !run.process->result && run.universe.now() < MonoTime(2h) && run.process->loop.step()) {
    said = run.process->board.snapshot().holder_detail.find("for one commit") != std::string::npos;
  }
  EXPECT_TRUE(said);
}

TEST(CopyWeather, AnUnreachableTargetIsWaitedForAndSaid) {
  WorldPlan plan;
  plan.transient = 1;
  plan.faults_until = 30min;
  Weathered run(plan);
  run.run_until(MonoTime(1h) + 20min);
  ASSERT_FALSE(run.process->result);
  const jobs::Progress progress = run.process->board.snapshot();
  EXPECT_EQ(progress.holder_detail, "connection refused");
  EXPECT_GT(progress.retries, 0u);
  run.run_until(MonoTime(2h));
  ASSERT_TRUE(run.process->result);
  EXPECT_TRUE(*run.process->result);
}

TEST(CopyWeather, AStopEndsTheWaitForAnUnreachableTargetCleanly) {
  WorldPlan plan;
  plan.transient = 1;
  plan.faults_until = 30min;
  Weathered run(plan);
  run.run_until(MonoTime(1h) + 5min);
  run.process->stop.request();
  const MonoTime asked = run.universe.now();
  run.run_until(MonoTime(2h));
  ASSERT_TRUE(run.process->result);
  EXPECT_EQ(run.process->result->error().kind, ErrorKind::stopped);
  EXPECT_LT(run.universe.now() - asked, 1s);
  EXPECT_FALSE(run.disk.job->heartbeat_unix_ms);
}

TEST(CopyWeather, AStopAmongUnknownOutcomesIsNoCleanEnd) {
  WorldPlan plan;
  plan.lost = 1;
  plan.clock_error = 1s;
  plan.dead_after = 30s;
  plan.faults_until = 30min;
  Weathered run(plan);
  run.run_until(MonoTime(1h) + 12s);
  EXPECT_GT(run.process->board.snapshot().unknown_outcomes, 0u);
  run.process->stop.request();
  run.run_until(MonoTime(2h));
  ASSERT_TRUE(run.process->result);
  EXPECT_EQ(run.process->result->error().kind, ErrorKind::stopped);
  EXPECT_TRUE(run.disk.job->heartbeat_unix_ms);
}

}  // namespace
}  // namespace messina::simulation
