#include "jobs/table_runs.h"

#include <atomic>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

std::vector<TableRuns::Table> tables(std::size_t count) {
  std::vector<TableRuns::Table> list;
  for (std::size_t i = 0; i < count; ++i)
    list.push_back(
        {"t" + std::to_string(i), "u" + std::to_string(i), 1.0 + i, "a/t" + std::to_string(i), "b"});
  return list;
}

TableOutcome done_with(std::uint64_t items) {
  TableOutcome outcome;
  outcome.end = TableEnd::done;
  outcome.counts.read_items = outcome.counts.written_items = items;
  return outcome;
}

TEST(TableRuns, WhatNeedsAPersonGoesBeforeWhatTheNextRunCures) {
  using enum ExitCode;
  const ExitCode order[] = {needs_person, wrong_usage, stopped, done_with_rejects, done};
  for (std::size_t i = 0; i < std::size(order); ++i)
    for (std::size_t k = i; k < std::size(order); ++k) {
      EXPECT_EQ(worse(order[i], order[k]), order[i]);
      EXPECT_EQ(worse(order[k], order[i]), order[i]);
    }
  EXPECT_EQ(worst({}), done);
  TableOutcome rejects = done_with(1);
  rejects.live_rejects = 1;
  TableOutcome failed;
  failed.end = TableEnd::failed;
  failed.error = Error{ErrorKind::not_found, "no such table"};
  EXPECT_EQ(worst({done_with(1), rejects}), done_with_rejects);
  EXPECT_EQ(worst({done_with(1), TableOutcome(), rejects}), stopped);  // one was not begun
  EXPECT_EQ(worst({failed, TableOutcome(), rejects}), wrong_usage);
}

TEST(TableRuns, AnAddressThatDoesNotAnswerIsASettingUntilATableIsBegun) {
  TableOutcome silent;
  silent.end = TableEnd::failed;
  silent.error = Error{ErrorKind::transient, "nobody answers"};
  silent.left = Left::no_place;
  TableOutcome denied = silent;
  denied.error = Error{ErrorKind::denied, "no"};
  TableOutcome begun = silent;
  begun.left = Left::place;
  std::vector<TableOutcome> outcomes{silent, silent};
  settle(outcomes);
  EXPECT_EQ(worst(outcomes), ExitCode::wrong_usage);
  outcomes = {silent, begun};
  settle(outcomes);
  EXPECT_EQ(worst(outcomes), ExitCode::stopped) << "an outage: to be started again";
  outcomes = {silent, done_with(1)};
  settle(outcomes);
  EXPECT_EQ(worst(outcomes), ExitCode::stopped);
  outcomes = {denied, begun};
  settle(outcomes);
  EXPECT_EQ(worst(outcomes), ExitCode::wrong_usage);
}

TEST(TableRuns, HandsOutEachTableOnce) {
  const ManualClock clock;
  TableRuns runs(tables(3), 2, clock);
  EXPECT_EQ(runs.next(), 0u);
  EXPECT_EQ(runs.next(), 1u);
  EXPECT_EQ(runs.next(), 2u);
  EXPECT_EQ(runs.next(), std::nullopt);
  const auto outcomes = runs.outcomes();
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_EQ(outcomes[1].source, "t1");
  EXPECT_EQ(outcomes[1].exit(), ExitCode::stopped);
}

TEST(TableRuns, AsManyTurnsAsTablesMayCopy) {
  const ManualClock clock;
  TableRuns runs(tables(4), 1, clock);
  auto first = std::make_unique<TableRuns::Turn>(runs.take_turn(false));
  // One that waits for a former process takes nobody's turn.
  const TableRuns::Turn beyond = runs.take_turn(true);
  std::atomic<bool> second_runs{false};
  std::thread second([&] {
    const TableRuns::Turn turn = runs.take_turn(false);
    second_runs = true;
  });
  EXPECT_FALSE(second_runs);
  first.reset();
  second.join();
  EXPECT_TRUE(second_runs);
}

TEST(TableRuns, TheProgressIsTheSum) {
  ManualClock clock;
  TableRuns runs(tables(4), 2, clock);  // weights 1, 2, 3, 4
  for (std::size_t i = 0; i < 3; ++i) runs.next();
  state::Counts former;
  former.read_items = former.written_items = 1'000;
  EXPECT_EQ(runs.progress().share_done, 0);

  runs.begin(0, {});
  runs.end(0, done_with(100));
  TableOutcome failed;
  failed.end = TableEnd::failed;
  failed.error = Error{ErrorKind::denied, "no"};
  runs.begin(1, {});
  runs.end(1, failed);
  Progress progress;
  progress.table = "t2";
  progress.phase = "copying";
  progress.share_done = 0.5;
  progress.counts.read_items = 1'200;
  runs.begin(2, former).publish(progress);
  runs.begin(3, {});  // has published nothing yet

  clock.advance(std::chrono::seconds(10));
  const TablesProgress all = runs.progress();
  EXPECT_EQ(all.tables, 4u);
  EXPECT_EQ(all.tables_done, 1u);
  EXPECT_EQ(all.tables_failed, 1u);
  ASSERT_EQ(all.running.size(), 1u);
  EXPECT_EQ(all.running[0].progress.table, "t2");
  EXPECT_EQ(all.running[0].source_address, "a/t2");
  ASSERT_EQ(all.ended.size(), 2u);
  EXPECT_EQ(all.ended[0]->last.progress.phase, "done");
  EXPECT_EQ(all.ended[0]->last.progress.share_done, 1);
  EXPECT_EQ(all.ended[0]->last.progress.counts.read_items, 100u);
  EXPECT_EQ(all.ended[1]->last.progress.phase, "failed");
  EXPECT_EQ(all.waiting, (std::vector<std::string>{"t3"}));
  EXPECT_EQ(all.counts.read_items, 1'300u);
  // What the former run has read is no speed of this one: 100 + 200 items in 10 s.
  EXPECT_DOUBLE_EQ(all.items_per_s, 30);
  EXPECT_DOUBLE_EQ(all.share_done, (1 + 0.5 * 3) / 10);
  ASSERT_TRUE(all.eta_s);
  EXPECT_DOUBLE_EQ(*all.eta_s, 30);
}

TEST(TableRuns, ATableThatFailsKeepsWhatFormerRunsDid) {
  const ManualClock clock;
  TableRuns runs(tables(1), 1, clock);
  Progress preparing;
  preparing.table = "t0";
  preparing.phase = "preparing";
  preparing.counts.read_items = preparing.counts.written_items = 7;
  runs.begin(0, preparing.counts).publish(preparing);
  TableOutcome failed;
  failed.source = "t0";
  failed.end = TableEnd::failed;
  failed.error = Error{ErrorKind::denied, "no"};
  runs.end(0, failed);
  EXPECT_EQ(runs.progress().counts.read_items, 7u) << "a counter never goes back";
  EXPECT_EQ(runs.outcomes()[0].counts.read_items, 7u);
}

TEST(TableRuns, AQueuedTableIsNotIdleAndOneThatHangsIs) {
  ManualClock clock;
  TableRuns runs(tables(2), 1, clock);
  Progress progress;
  progress.phase = "queued";
  runs.begin(0, {}).publish(progress);
  progress.phase = "copying";
  runs.begin(1, {}).publish(progress);
  clock.advance(std::chrono::seconds(700));
  const TablesProgress all = runs.progress();
  ASSERT_EQ(all.running.size(), 2u);
  EXPECT_EQ(all.running[0].progress.idle_s, 700) << "the larger one";
  EXPECT_EQ(all.running[1].progress.idle_s, 0);
}

TEST(TableRuns, SettingsReachTablesThatWillBegin) {
  const ManualClock clock;
  TableRuns runs(tables(3), 2, clock);
  Progress progress;
  progress.phase = "copying";
  runs.begin(0, {}).publish(progress);
  runs.end(0, done_with(1));
  runs.begin(1, {}).publish(progress);
  runs.steer_all([](Steering& steering) { steering.pause(true, {"anna", WallTime(), true}); });
  runs.steering(1).pause(false, {"ben", WallTime()});
  EXPECT_FALSE(runs.steering(0).settings().paused) << "it has ended";
  EXPECT_FALSE(runs.snapshot(1).paused) << "the last word counts";
  EXPECT_EQ(runs.snapshot(1).steering, (std::vector<SteeringNote>{{"paused", "no", "ben", 0, false}}));
  EXPECT_TRUE(runs.steering(2).settings().paused);
  runs.begin(2, {}).publish(progress);
  EXPECT_TRUE(runs.progress().running[0].progress.paused);
  EXPECT_EQ(runs.snapshot(2).steering, (std::vector<SteeringNote>{{"paused", "yes", "anna", 0, true}}));
}

TEST(TableRuns, TablesWeighTheSameUnlessAllSizesAreKnown) {
  EXPECT_EQ(table_weights({9, 0}), (std::vector<double>{10, 1}));
  EXPECT_EQ(table_weights({9, std::nullopt}), (std::vector<double>{1, 1}));
}

}  // namespace
}  // namespace messina::jobs
