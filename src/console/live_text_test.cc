// A live migration on the line, in `status`, in `status --check`, in /healthz and at its end.
#include "console/live_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "console/health.h"
#include "console/progress_text.h"
#include "console/summary.h"
#include "console/tables_text.h"

namespace messina::console {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

jobs::LiveProgress live() {
  jobs::LiveProgress live;
  live.capturing = live.applying = true;
  live.stream_view = "NEW_IMAGE";
  live.events = 812;
  live.events_per_s = 42;
  live.shards_reading = 4;
  live.shards_drained = 2;
  live.until_trimmed_s = 86'340;
  live.spool_keys_at_most = 17;
  live.spool_bytes = 1'048'576;
  live.disk_free_bytes = 70'000'000'000;
  live.oldest_change_s = 0.4;
  live.applied = 790;
  live.removed = 5;
  live.reread = 3;
  live.applied_per_s = 39;
  live.lag_s = 0.3;
  live.in_step = true;
  return live;
}

jobs::Progress following() {
  jobs::Progress progress;
  progress.job = "migrate";
  progress.table = "orders";
  progress.phase = "following";
  progress.counts.read_items = progress.counts.written_items = 1'234'567;
  progress.units = progress.units_done = 64;
  progress.share_done = 1;
  progress.items_per_s = 45'210;
  progress.holder = "target latency";
  progress.live = live();
  return progress;
}

jobs::Progress copying() {
  jobs::Progress progress = following();
  progress.phase = "copying";
  progress.counts.read_bytes = 1'200'000'000;
  progress.units_done = 3;
  progress.share_done = 0.423;
  progress.rcu_per_s = 812;
  progress.eta_s = 200;
  progress.live->in_step = false;
  progress.live->not_in_step = {"history is not all copied"};
  return progress;
}

void out_of_step(jobs::Progress& progress, std::vector<std::string> reasons) {
  progress.live->in_step = false;
  progress.live->not_in_step = std::move(reasons);
}

TEST(LiveLine, TellsOfAFollowerHowFarBehindItIs) {
  jobs::Progress progress = following();
  EXPECT_EQ(terminal_line(progress, 80),
            "migrate  following  in step  lag 0.3 s  42 changes/s  17 keys wait");
  out_of_step(progress, {"a write has had no answer", "and more"});
  progress.live->spool_keys_at_most = 1;
  progress.live->oldest_change_s = 75;
  progress.live->lag_s.reset();
  EXPECT_EQ(
      plain_line(progress),
      "migrate  following  not in step: a write has had no answer  42 changes/s  1 key waits, the oldest "
      "for 1 min 15 s");
  progress.holder_detail = "no route\nto host";
  progress.counts.rejected_items = 2;
  progress.unknown_outcomes = 3;
  EXPECT_THAT(plain_line(progress), EndsWith("2 rejected  3 to send again  trouble: no route to host"));
}

TEST(LiveLine, SaysWhatACopyDoesAndItsChangesBesideIt) {
  EXPECT_EQ(
      plain_line(copying()),
      "migrate  42.3%  1,234,567 items  1.2 GB  45,210 items/s  812 RCU/s  ETA 3 min 20 s  held by target "
      "latency  lag 0.3 s  42 changes/s  17 keys wait");
  EXPECT_EQ(terminal_line(copying(), 80),
            "migrate  42.3%  45,210 items/s  ETA 3 min 20 s  lag 0.3 s  42 changes/s");
  for (std::size_t width = 1; width < 200; ++width) {
    EXPECT_LE(columns(terminal_line(copying(), width)), std::max<std::size_t>(width - 1, 1)) << width;
    EXPECT_LE(columns(terminal_line(following(), width)), std::max<std::size_t>(width - 1, 1)) << width;
  }
}

TEST(LiveLine, IsSaneWithoutFigures) {
  jobs::Progress progress = following();
  progress.live.reset();
  EXPECT_EQ(plain_line(progress), "migrate  following  1,234,567 items");
  progress.phase = "preparing";
  progress.counts = {};
  EXPECT_EQ(plain_line(progress), "migrate  preparing");
  progress.live.emplace();
  EXPECT_EQ(plain_line(progress), "migrate  preparing");
  progress.phase = "following";
  EXPECT_EQ(plain_line(progress), "migrate  following  not in step  0 changes/s  0 keys wait");
}

TEST(LiveLine, KeepsWhatIsWrongWhereverItIsNarrow) {
  jobs::Progress progress = copying();
  progress.live->gaps = {"shard 1 is gone"};
  EXPECT_THAT(plain_line(progress), StartsWith("migrate  GAP: changes were missed  42.3%"));
  EXPECT_THAT(terminal_line(progress, 40), StartsWith("migrate  GAP: changes were missed  42"));
  progress.live->gaps.emplace_back("another");
  EXPECT_THAT(plain_line(progress), StartsWith("migrate  2 GAPS: changes were missed  42.3%"));

  progress = following();
  progress.live->spool_full = true;
  EXPECT_THAT(plain_line(progress),
              StartsWith("migrate  following  SPOOL FULL: nothing is captured  in step"));
  progress.live->spool_full = false;
  progress.live->gaps = {"shard 1 is gone"};
  out_of_step(progress, {"changes were missed (a gap)"});
  EXPECT_THAT(plain_line(progress),
              StartsWith("migrate  following  GAP: changes were missed  not in step  lag"))
      << "the same is not said twice";
}

TEST(LiveLine, CountsDownToTheTrimWhenItIsNear) {
  const auto line_at = [](double seconds) {
    jobs::Progress progress = following();
    progress.live->until_trimmed_s = seconds;
    return plain_line(progress);
  };
  EXPECT_THAT(line_at(6 * 3600), Not(HasSubstr("trimmed")));
  EXPECT_THAT(line_at(6 * 3600 - 60), HasSubstr("unread records are trimmed in 5 h 59 min"));
  EXPECT_THAT(line_at(2 * 3600 - 60), HasSubstr("UNREAD RECORDS ARE TRIMMED IN 1 h 59 min"));
  EXPECT_THAT(line_at(-1), HasSubstr("UNREAD RECORDS MAY BE TRIMMED"));
}

TEST(LiveLine, AStoppedOrPausedFollowerIsStillOne) {
  jobs::Progress progress = following();
  progress.phase = "stopped";
  EXPECT_THAT(plain_line(progress), StartsWith("migrate  stopped  in step"));
  progress.units_done = 63;
  EXPECT_THAT(plain_line(progress), StartsWith("migrate  stopped  100.0%"));
  progress.phase = "paused";
  EXPECT_THAT(plain_line(progress), StartsWith("migrate  paused  100.0%"));
  progress.units = progress.units_done = 0;
  EXPECT_THAT(plain_line(progress), StartsWith("migrate  paused  in step")) << "it captures or applies only";
}

TEST(LiveLine, OfManyTablesShowsTheWorst) {
  jobs::TablesProgress all;
  all.tables = 3;
  for (const std::string table : {"orders", "log", "late"}) {
    jobs::TableProgress& running = all.running.emplace_back();
    running.progress = following();
    running.progress.table = table;
  }
  all.running[1].progress.live->lag_s = 7;
  out_of_step(all.running[1].progress, {"x"});
  all.running[2].progress = copying();
  EXPECT_THAT(tables_plain_line(all), StartsWith("migrate  3 tables  0.0%  1 of 2 in step  0 items"));
  EXPECT_THAT(tables_plain_line(all), HasSubstr("lag 7.0 s  126 changes/s  51 keys wait"));
  all.running[1].progress.live->gaps = {"g"};
  EXPECT_THAT(tables_plain_line(all), HasSubstr("  GAP: changes were missed  "));
  EXPECT_EQ(live_tables(all)->together.gaps.front(), "log: g");
  for (jobs::TableProgress& table : all.running) table.progress.live.reset();
  EXPECT_THAT(tables_plain_line(all), StartsWith("migrate  0/3 tables  0.0%  0 items"))
      << "of none are there figures";
}

MigrationStatus status_of(jobs::Progress progress) {
  MigrationStatus status;
  status.source = "dynamodb://us-east-1/orders";
  status.target = "alternator://h:8000/orders";
  status.folder = "messina-state/x";
  status.begun = status.running = status.live = true;
  status.holder_pid = 7;
  status.holder_host = "h";
  status.holder_since = "noon";
  status.units = 64;
  status.units_done = progress.units_done;
  status.phase = progress.units_done == 64 ? state::JobPhase::done : state::JobPhase::copying;
  status.counts = progress.counts;
  status.progress = std::move(progress);
  return status;
}

TEST(LiveStatus, SaysAllOfIt) {
  EXPECT_EQ(
      migration_text(status_of(following())),
      "dynamodb://us-east-1/orders to alternator://h:8000/orders\n"
      "  running    pid 7 on h since noon\n"
      "  phase      following\n"
      "  segments   64 of 64 done\n"
      "  read       1,234,567 items, 0 B\n"
      "  written    1,234,567 items\n"
      "  rejected   0 items\n"
      "  stream     NEW_IMAGE, 812 changes captured, 42 a second; the oldest record that may be unread is "
      "trimmed in 23 h 59 min\n"
      "  shards     4 are read, 0 wait for their parents, 2 are read to their end\n"
      "  spool      at most 17 keys, 1.0 MB; 70 GB free on its disk\n"
      "  waiting    the oldest change for 0.4 s\n"
      "  applied    790 keys written, 5 removed, 3 read again, 39 a second; lag 0.3 s\n"
      "  in step    yes\n"
      "  state      messina-state/x\n"
      "  now        migrate  following  in step  lag 0.3 s  42 changes/s  17 keys wait\n");
}

TEST(LiveStatus, SaysWhatIsWrongAndWhatToDo) {
  jobs::Progress progress = following();
  out_of_step(progress, {"changes were missed (a gap)", "changes are not captured"});
  progress.live->gaps = {"shard 1 is gone\x1b"};
  progress.live->spool_full = true;
  progress.live->disk_full_in_s = 7200;
  progress.live->oldest_change_s.reset();
  const std::string text = migration_text(status_of(progress));
  EXPECT_THAT(
      text, HasSubstr("\n  GAP        shard 1 is gone \n  to mend    stop it, and run the same command with "
                      "--heal (`messina migrate … --heal`): "));
  EXPECT_THAT(text, HasSubstr("\n  FULL       the spool has no room"));
  EXPECT_THAT(text, HasSubstr("70 GB free on its disk, full in 2 h 00 min at this pace\n"));
  EXPECT_THAT(text, HasSubstr("\n  waiting    no change\n"));
  EXPECT_THAT(text, HasSubstr("\n  in step    no: changes were missed (a gap)\n             changes are not "
                              "captured\n"));
}

TEST(LiveStatus, OfOneThatIsGoneTellsOnlyWhatHolds) {
  MigrationStatus status = status_of(following());
  status.running = status.live = false;
  status.progress->phase = "stopped";
  status.gaps = {"shard 1 is gone"};
  const std::string text = migration_text(status);
  EXPECT_THAT(text,
              HasSubstr("  stopped    nobody follows the changes; run the same command again and it goes on\n"
                        "  phase      following\n"));
  EXPECT_THAT(text, HasSubstr("\n  GAP        shard 1 is gone\n"));
  EXPECT_THAT(text, Not(HasSubstr("in step")));
  status.progress->phase = "done";
  EXPECT_THAT(migration_text(status), HasSubstr("  phase      done\n"))
      << "it ended in step, as it was asked to";
}

std::string checked(const MigrationStatus& status, ExitCode exit) {
  const Check result = check(status, 10min);
  EXPECT_EQ(result.exit, exit) << result.reason;
  return result.state + ": " + result.reason;
}

TEST(LiveCheck, AFollowerThatSettlesNoPageIsWell) {
  EXPECT_EQ(checked(status_of(following()), ExitCode::done),
            "running: following, in step, lag 0.3 s (pid 7 on h)");
  jobs::Progress progress = following();
  out_of_step(progress, {"x"});
  progress.live->oldest_change_s = 3600;
  EXPECT_EQ(checked(status_of(progress), ExitCode::done), "running: following, not in step: x (pid 7 on h)")
      << "it is behind, and applies";
  EXPECT_EQ(checked(status_of(copying()), ExitCode::done),
            "running: 42.3% done, 1,234,567 items written (pid 7 on h)");
}

TEST(LiveCheck, AFollowerIsStalledByWhatItDoesNotApply) {
  jobs::Progress progress = following();
  progress.live->oldest_change_s = 601;
  progress.live->applied_per_s = 0;
  progress.holder_detail = "connection refused";
  EXPECT_EQ(
      checked(status_of(progress), ExitCode::stopped),
      "stalled: a change has waited for 10 min 01 s (limit 10 min 00 s) and none is applied: connection "
      "refused (pid 7 on h)");
  EXPECT_FALSE(health_of(progress, 10min).ok);
  progress.live->applying = false;
  EXPECT_TRUE(health_of(progress, 10min).ok) << "another process applies";
  progress.live->applying = true;
  progress.paused = true;
  EXPECT_TRUE(health_of(progress, 10min).ok) << "it waits by design";
}

TEST(LiveCheck, AFollowerThatTellsNothingIsStalled) {
  ManualClock clock;
  jobs::ProgressBoard board(clock);
  board.publish(following());
  clock.advance(600s);
  EXPECT_TRUE(health_of(board.snapshot(), 10min).ok);
  clock.advance(1s);
  EXPECT_EQ(health_of(board.snapshot(), 10min).reason,
            "nothing was told for 10 min 01 s (limit 10 min 00 s) while following");
  EXPECT_FALSE(health_of(board.snapshot(), 10min).ok);
}

TEST(LiveCheck, AGapNeedsAPerson) {
  for (jobs::Progress progress : {following(), copying()}) {
    progress.live->gaps = {"shard 1 is gone", "b", "c"};
    EXPECT_THAT(
        checked(status_of(progress), ExitCode::needs_person),
        StartsWith("needs a person: 3 gaps in what was captured: shard 1 is gone; and 2 more; stop it, and "
                   "run the same command with --heal"));
    EXPECT_TRUE(health_of(progress, 10min).ok) << "a new start would not cure it";
    EXPECT_THAT(health_of(progress, 10min).reason, HasSubstr(", 3 gaps in what was captured"));
    progress.idle_s = 1000;
    EXPECT_FALSE(health_of(progress, 10min).ok);
    EXPECT_THAT(checked(status_of(progress), ExitCode::needs_person), StartsWith("needs a person: "))
        << "also of one that is stalled";
  }
}

TEST(LiveCheck, AGapOfTheLedgerCountsWhateverRunsBesideIt) {
  jobs::Progress progress = copying();
  progress.job = "copy";
  progress.live.reset();
  MigrationStatus status = status_of(progress);
  EXPECT_THAT(checked(status, ExitCode::done), StartsWith("running: "));
  status.gaps = {"shard 1 is gone"};
  EXPECT_THAT(checked(status, ExitCode::needs_person), StartsWith("needs a person: 1 gap"));
  EXPECT_THAT(migration_text(status), HasSubstr("\n  GAP        shard 1 is gone\n"));
}

TEST(LiveCheck, AGapThatThisRunHealsNeedsNobody) {
  jobs::Progress progress = copying();
  progress.live->gaps = {"shard 1 is gone", "shard 2 is gone"};
  progress.live->gaps_healing = 2;
  EXPECT_THAT(checked(status_of(progress), ExitCode::done), StartsWith("running: 42.3% done"));
  EXPECT_THAT(plain_line(progress), StartsWith("migrate  healing 2 gaps  42.3%"));
  EXPECT_THAT(migration_text(status_of(progress)),
              HasSubstr("\n  healing    shard 1 is gone\n  healing    shard 2 is gone\n  stream"));
  progress.live->gaps_healing = 1;
  EXPECT_THAT(checked(status_of(progress), ExitCode::needs_person),
              StartsWith("needs a person: 1 gap in what was captured: shard 2 is gone; stop it"));
  EXPECT_THAT(plain_line(progress), StartsWith("migrate  GAP: changes were missed  healing 1 gap  42.3%"));
}

TEST(LiveCheck, WhatIsAboutToBeMissedIsAProblem) {
  jobs::Progress progress = following();
  progress.live->until_trimmed_s = 7200;
  EXPECT_THAT(checked(status_of(progress), ExitCode::done), StartsWith("running: "));
  progress.live->until_trimmed_s = 7140;
  EXPECT_EQ(
      checked(status_of(progress), ExitCode::stopped),
      "at risk: the oldest record that may be unread is trimmed in 1 h 59 min: capture must go on before, or "
      "changes are missed (pid 7 on h)");
  progress.live->spool_full = true;
  EXPECT_THAT(
      checked(status_of(progress), ExitCode::stopped),
      StartsWith("at risk: the spool is full (1.0 MB, 70 GB free on its disk): nothing is captured until "
                 "there is room; the oldest record"));
  progress.paused = true;
  EXPECT_THAT(checked(status_of(progress), ExitCode::stopped), StartsWith("at risk: "))
      << "a pause stops no trimming";
  EXPECT_TRUE(health_of(progress, 10min).ok);
}

TEST(LiveCheck, OneThatDoesNotRunIsStoppedUnlessItEndedInStep) {
  MigrationStatus status = status_of(following());
  status.running = false;
  EXPECT_EQ(checked(status, ExitCode::stopped),
            "stopped: history is copied, and nobody follows the changes since; run the same command again");
  status.unclean = true;
  EXPECT_THAT(checked(status, ExitCode::stopped), HasSubstr("; the last run was killed; run"));
  status.progress->phase = "done";
  EXPECT_EQ(checked(status, ExitCode::done), "done: 1,234,567 items written");
  status.gaps = {"the spool is gone"};
  EXPECT_THAT(
      checked(status, ExitCode::needs_person),
      StartsWith("needs a person: 1 gap in what was captured: the spool is gone; run the same command with"));
}

TEST(LiveCheck, OneThatOnlyCapturedHasCopiedNothing) {
  jobs::Progress progress = following();
  progress.units = progress.units_done = 0;
  MigrationStatus status = status_of(progress);
  status.running = false;
  status.units = 0;
  EXPECT_EQ(checked(status, ExitCode::stopped),
            "stopped: nothing was copied yet; run the same command again");
}

MigrateOutcome outcome() {
  MigrateOutcome outcome;
  outcome.source = "dynamodb://us-east-1/orders";
  outcome.target = "alternator://h:8000/orders";
  outcome.summary.copy.counts = following().counts;
  outcome.summary.copy.counts.read_bytes = 1'200'000'000;
  outcome.summary.copy.units = 64;
  outcome.summary.copy.elapsed = std::chrono::milliseconds(200'000);
  outcome.summary.live = live();
  outcome.summary.history_done = outcome.summary.ended_by_itself = true;
  return outcome;
}

TEST(LiveSummary, OfOneThatEndedInStep) {
  EXPECT_EQ(migrate_summary_text(outcome()),
            "in step: dynamodb://us-east-1/orders to alternator://h:8000/orders\n"
            "  copied    1,234,567 items, 1.2 GB in 3 min 20 s\n"
            "  captured  812 changes\n"
            "  applied   790 keys written, 5 removed, 3 read again\n"
            "  lag       0.3 s\n");
  MigrateOutcome again = outcome();
  again.summary.copy.was_already_done = true;
  EXPECT_THAT(migrate_summary_text(again), HasSubstr("  copied    before this run\n"));
}

TEST(LiveSummary, OfOneThatWasStoppedSaysWhyItIsNotInStep) {
  MigrateOutcome stopped = outcome();
  stopped.state_flag = " --state place";
  stopped.summary.copy = {};
  stopped.summary.history_done = false;
  stopped.summary.live_rejects = 2;
  stopped.summary.live.in_step = false;
  stopped.summary.live.not_in_step = {"history is not all copied", "changes are not captured"};
  const std::string text = migrate_summary_text(stopped);
  EXPECT_THAT(text, StartsWith("not in step: dynamodb://us-east-1/orders to alternator://h:8000/orders\n"
                               "  because   history is not all copied\n"
                               "  because   changes are not captured\n"
                               "  copied    not all: `messina status --state place` shows how far\n"));
  EXPECT_THAT(text,
              EndsWith("changes are followed no more: run the same command again before their records are "
                       "trimmed\n"
                       "2 rejects are live: `messina rejects list --state place` shows why the target "
                       "refused\n"));
  stopped.summary.live.gaps = {"shard 1 is gone"};
  EXPECT_THAT(migrate_summary_text(stopped), HasSubstr("GAP: shard 1 is gone\nto mend that, run the same"));
  EXPECT_THAT(migrate_summary_text(stopped), Not(HasSubstr("followed no more")));
}

MigrateOutcome alone(const char* role) {
  MigrateOutcome outcome;
  outcome.source = "dynamodb://us-east-1/orders";
  outcome.target = "alternator://scylla-1:8000/orders";
  outcome.summary.live = live();
  outcome.summary.live.roles = {{role, jobs::role_state::kRunning, "", 0, 0}};
  outcome.summary.live.in_step = false;
  outcome.summary.live.not_in_step = {"history is not all copied", "changes are not applied"};
  return outcome;
}

TEST(LiveText, HalfOfAMigrationTellsWhatItDidAndWhatComesNext) {
  const MigrateOutcome captured = alone("capture");
  EXPECT_EQ(migrate_summary_text(captured),
            "captured the changes of dynamodb://us-east-1/orders for alternator://scylla-1:8000/orders\n"
            "  shards    4 read, 0 waiting for their parents, 2 read to their end\n"
            "  captured  812 changes\n"
            "  waiting   at most 17 keys in the spool, 1.0 MB, the oldest change for 0.4 s\n"
            "next: `messina migrate` goes on from here, or `messina copy`, then `messina apply`\n"
            "nothing is captured any more: go on within 23 h 59 min, or changes are missed\n");
  MigrateOutcome applied = alone("apply");
  applied.summary.live.spool_keys_at_most = 0;
  applied.summary.history_done = true;
  EXPECT_EQ(migrate_summary_text(applied),
            "applied the changes of dynamodb://us-east-1/orders to alternator://scylla-1:8000/orders\n"
            "  applied   790 keys written, 5 removed, 3 read again\n"
            "  waiting   no change\n"
            "next: `messina migrate` captures and applies, and tells when the target is in step\n");
  MigrateOutcome waited = alone("apply");
  waited.summary.live.roles[0].why = "history has not begun";
  EXPECT_THAT(migrate_summary_text(waited), HasSubstr("not applied: history has not begun\n"));
  EXPECT_THAT(migrate_summary_text(waited), HasSubstr("next: history is not all copied: `messina migrate`"));
  MigrateOutcome missed = alone("capture");
  missed.summary.live.gaps = {"a gap"};
  EXPECT_THAT(migrate_summary_text(missed), HasSubstr("GAP: a gap\nto mend that, "));
}

TEST(LiveText, StatusSaysWhichPartsAProcessDoes) {
  jobs::LiveProgress progress = live();
  EXPECT_THAT(live_status_text(progress), Not(HasSubstr("does")));
  progress.roles = {{"capture", jobs::role_state::kRunning, "", 0, 0},
                    {"copy", jobs::role_state::kDone, "", 0, 1},
                    {"apply", jobs::role_state::kWaiting, "history has not begun", 0, 2}};
  EXPECT_THAT(live_status_text(progress),
              StartsWith("  does       capture, copy (done), apply (waiting: history has not begun)\n"));
}

}  // namespace
}  // namespace messina::console
