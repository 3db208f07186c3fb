#include "console/health.h"

#include <gtest/gtest.h>

namespace messina::console {
namespace {

using namespace std::chrono_literals;

jobs::Progress copying() {
  jobs::Progress progress;
  progress.phase = "copying";
  progress.share_done = 0.423;
  progress.counts.written_items = 1234;
  return progress;
}

TEST(Health, AJobThatMovesOrWaitsByDesignIsWell) {
  EXPECT_TRUE(health_of(jobs::Progress(), 10min).ok);
  EXPECT_EQ(health_of(jobs::Progress(), 10min).reason, "starting");
  jobs::Progress progress = copying();
  progress.idle_s = 600;
  EXPECT_TRUE(health_of(progress, 10min).ok) << "at its limit";
  EXPECT_EQ(health_of(progress, 10min).reason, "copying");
  progress.paused = true;
  progress.steering = {{"paused", "yes", "anna (uid 1000, pid 7)", 1'700'000'000'123}};
  progress.idle_s = 0;
  EXPECT_TRUE(health_of(progress, 10min).ok);
  EXPECT_EQ(health_of(progress, 10min).reason,
            "paused by anna (uid 1000, pid 7) since 2023-11-14T22:13:20.123Z");
}

TEST(Health, AStallSaysWhatHoldsTheJob) {
  jobs::Progress progress = copying();
  progress.idle_s = 723;
  progress.holder = "target latency";
  progress.holder_detail = "no route\nto host";
  const Health health = health_of(progress, 10min);
  EXPECT_FALSE(health.ok);
  EXPECT_EQ(
      health.reason,
      "nothing was settled for 12 min 03 s (limit 10 min 00 s) while copying, held by target latency: no "
      "route to host");
  EXPECT_TRUE(health_of(progress, 13min).ok);
  progress.paused = true;
  EXPECT_FALSE(health_of(progress, 10min).ok) << "a pause keeps idle_s at 0: this job hangs";
}

TEST(Health, ABoardWhoseJobPublishesNoMoreGrowsIdle) {
  ManualClock clock;
  jobs::ProgressBoard board(clock);
  EXPECT_EQ(board.snapshot().idle_s, 0);
  jobs::Progress progress = copying();
  progress.idle_s = 5;
  board.publish(progress);
  clock.advance(700s);
  EXPECT_EQ(board.snapshot().idle_s, 705);
  EXPECT_FALSE(health_of(board.snapshot(), 10min).ok);
  progress.phase = "done";
  board.publish(progress);
  clock.advance(700s);
  EXPECT_EQ(board.snapshot().idle_s, 5) << "who has ended is not idle";
}

MigrationStatus migration() {
  MigrationStatus status;
  status.source = "dynamodb://us-east-1/orders";
  status.target = "alternator://h:8000/orders";
  status.folder = "messina-state/x";
  status.begun = true;
  status.phase = state::JobPhase::copying;
  status.units = 8;
  status.units_done = 3;
  status.counts.written_items = 1234;
  return status;
}

std::string line_of(const MigrationStatus& status) { return check_line(check(status, 10min), "a to b"); }

TEST(Check, JudgesAJobThatRuns) {
  MigrationStatus status = migration();
  status.running = true;
  status.holder_pid = 7;
  status.holder_host = "h";
  status.last_end = {ExitCode::needs_person, "of the run before", "t"};
  EXPECT_EQ(line_of(status), "running: a to b: pid 7 on h has just begun\n");
  status.progress = copying();
  status.live_rejects = 2;
  EXPECT_EQ(check(status, 10min).exit, ExitCode::done);
  EXPECT_EQ(line_of(status), "running: a to b: 42.3% done, 1,234 items written, 2 rejects (pid 7 on h)\n");
  status.progress->paused = true;
  EXPECT_EQ(line_of(status), "paused: a to b: paused, 2 rejects (pid 7 on h)\n");
  EXPECT_EQ(check(status, 10min).exit, ExitCode::done);
  status.progress->idle_s = 1000;
  EXPECT_EQ(check(status, 10min).exit, ExitCode::stopped);
  EXPECT_EQ(line_of(status),
            "stalled: a to b: nothing was settled for 16 min 40 s (limit 10 min 00 s) while copying (pid 7 "
            "on h)\n");
  EXPECT_EQ(check(status, 20min).exit, ExitCode::done);
}

TEST(Check, JudgesAJobThatDoesNot) {
  MigrationStatus status = migration();
  EXPECT_EQ(check(status, 10min).exit, ExitCode::stopped);
  EXPECT_EQ(line_of(status),
            "stopped: a to b: 3 of 8 segments done, 1,234 items written; run the same command again\n");
  status.unclean = true;
  EXPECT_EQ(
      line_of(status),
      "stopped: a to b: 3 of 8 segments done, 1,234 items written; the last run was killed; run the same "
      "command again\n");
  status.last_end = {ExitCode::stopped, "no\nanswer", "noon"};
  EXPECT_EQ(
      line_of(status),
      "stopped: a to b: 3 of 8 segments done, 1,234 items written; the last run ended at noon: no answer; "
      "run the same command again\n");
  status.last_end->exit = ExitCode::wrong_usage;
  EXPECT_TRUE(line_of(status).ends_with("no answer; mend that, then run the same command again\n"));
  status.last_end = {ExitCode::needs_person, "made again", "noon"};
  EXPECT_EQ(check(status, 10min).exit, ExitCode::needs_person);
  EXPECT_EQ(line_of(status), "needs a person: a to b: made again (at noon)\n");

  status = migration();
  status.begun = false;
  EXPECT_EQ(check(status, 10min).exit, ExitCode::stopped);
  EXPECT_EQ(line_of(status), "stopped: a to b: nothing was copied yet; run the same command again\n");
}

TEST(Check, JudgesWhatIsDoneOrCannotBeRead) {
  MigrationStatus status = migration();
  status.phase = state::JobPhase::done;
  EXPECT_EQ(check(status, 10min).exit, ExitCode::done);
  EXPECT_EQ(line_of(status), "done: a to b: 1,234 items written\n");
  status.live_rejects = 1;
  EXPECT_EQ(check(status, 10min).exit, ExitCode::done_with_rejects);
  EXPECT_EQ(line_of(status),
            "done with rejects: a to b: 1,234 items written, 1 reject: see `messina rejects list`\n");
  EXPECT_EQ(check({ErrorKind::needs_person, "damaged"}).exit, ExitCode::needs_person);
  EXPECT_EQ(check({ErrorKind::disk, "no"}).exit, ExitCode::stopped);
  EXPECT_EQ(check_line(check({ErrorKind::disk, "no"}), "f"), "unreadable: f: no\n");
}

TEST(Check, WhatWasNamedAndNeverBegunIsNotDone) {
  MigrationStatus status;
  status.source = "a";
  const Check of_none = check(status, 10min);
  EXPECT_EQ(of_none.exit, ExitCode::stopped);
  EXPECT_EQ(of_none.state, "not begun");
}

}  // namespace
}  // namespace messina::console
