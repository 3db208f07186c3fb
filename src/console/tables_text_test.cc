#include "console/tables_text.h"

#include <gtest/gtest.h>

namespace messina::console {
namespace {

jobs::TablesProgress some_progress() {
  jobs::TablesProgress progress;
  progress.tables = 200;
  progress.tables_done = 12;
  progress.tables_failed = 1;
  progress.share_done = 0.25;
  progress.counts.read_items = 1'234'567;
  progress.counts.read_bytes = 1'200'000'000;
  progress.items_per_s = 45'210;
  progress.rcu_per_s = 812;
  progress.eta_s = 200;
  jobs::Progress& orders = progress.running.emplace_back().progress;
  orders.table = "orders";
  orders.phase = "copying";
  orders.share_done = 0.423;
  orders.holder = "target latency";
  return progress;
}

TEST(TablesText, TheLineNamesTheLargestThatRuns) {
  EXPECT_EQ(
      tables_plain_line(some_progress()),
      "copy  12/200 tables  1 failed  25.0%  1,234,567 items  1.2 GB  45,210 items/s  812 RCU/s  ETA 3 min "
      "20 s  orders 42.3% held by target latency");
  EXPECT_EQ(tables_terminal_line(some_progress(), 60),
            "copy  12/200 tables  1 failed  25.0%  45,210 items/s");
}

TEST(TablesText, OneThatStandsReadyIsNotTheLargestThatRuns) {
  jobs::TablesProgress progress = some_progress();
  progress.running.front().progress.paused = true;
  progress.running.front().progress.phase = "paused";
  progress.running.front().progress.holder = "nothing";
  jobs::TableProgress ready;
  ready.progress.table = "larger";
  ready.progress.phase = "queued";
  progress.running.insert(progress.running.begin(), ready);
  const std::string line = tables_plain_line(progress);
  EXPECT_TRUE(line.ends_with("  1 paused  orders paused")) << line;
  progress.running.pop_back();
  EXPECT_TRUE(tables_plain_line(progress).ends_with("  larger queued"));
}

std::vector<jobs::TableOutcome> some_outcomes() {
  std::vector<jobs::TableOutcome> tables(4);
  tables[0] = {"orders", "orders_v2", jobs::TableEnd::done, {}, 2, 1.5, {}};
  tables[0].counts.read_items = 1'000;
  tables[0].counts.read_bytes = 25'000;
  tables[0].counts.written_items = 998;
  tables[0].counts.rejected_items = 2;
  tables[1] = {"log", "log", jobs::TableEnd::already_done, {}, 0, 0, {}};
  tables[1].counts.read_items = tables[1].counts.written_items = 1;
  tables[2] = {
      "bad", "bad", jobs::TableEnd::failed, {}, 0, 0, Error{ErrorKind::needs_person, "it is odd: look"}};
  tables[3] = {"late", "late", jobs::TableEnd::not_begun, {}, 0, 0, {}};
  return tables;
}

TEST(TablesText, EveryTableHasItsLine) {
  EXPECT_EQ(
      tables_text({.job = "copy", .tables = some_outcomes(), .elapsed_s = 2, .state_flag = " --state s"}),
      "4 tables in 2.0 s: 1 done, 1 already done, 1 failed, 1 not begun\n"
      "  orders to orders_v2  done, 2 rejects  1,000 items  25 KB  1.5 s\n"
      "  log                  already done          1 item    0 B\n"
      "  bad                  failed (4)\n"
      "  late                 not begun\n"
      "together 1,001 items, 25 KB; 999 written, 2 rejected\n"
      "bad: it is odd: look\n"
      "not finished; run the same command again: finished tables are skipped, the others go on\n"
      "`messina rejects list --state s` shows why the target refused items\n");
}

}  // namespace
}  // namespace messina::console
