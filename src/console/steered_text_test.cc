#include "console/steered_text.h"

#include <gtest/gtest.h>

namespace messina::console {
namespace {

using Verb = ControlRequest::Verb;

SteeredTable told(const std::string& source, const std::string& target) {
  SteeredTable table;
  table.status.source = "dynamodb://us-east-1/" + source;
  table.status.target = "alternator://h:8000/" + target;
  table.status.progress.emplace().phase = "copying";
  return table;
}

TEST(SteeredText, EveryTableSaysWhatIsInForceNow) {
  std::vector<SteeredTable> tables{told("orders", "orders_v2"), told("log", "log"), told("old", "old"),
                                   told("mute", "mute")};
  tables[0].status.progress->paused = true;
  tables[0].status.progress->steering = {{"paused", "yes", "anna", 1, true}, {"rcu", "50", "ben", 2}};
  tables[1].status.progress->steering = {{"rcu", "2000", "anna", 1, true}};
  tables[2].has_ended = true;
  tables[3].error = Error{ErrorKind::stopped, "it gives\nno answer"};
  RunOfTables run;
  run.read_budget_rcu_per_s = 2000;
  run.write_concurrency = 256;
  const TablesSteered steered{"rcu=2000", 4, 1, 9, ExitCode::stopped};
  const std::string body =
      "  orders to orders_v2  paused, rcu = 50\n"
      "  log                  copying, rcu = 2000 for all tables\n"
      "  old                  has ended\n"
      "  mute                 failed: it gives no answer\n"
      "and 9 to come, which will begin so\n";
  EXPECT_EQ(steered_text(steered, tables, Verb::set, run),
            "rcu=2000: 4 tables\n" + body +
                "all tables together: at most 2,000 RCU/s read, 256 writes at once\n"
                "for this process only: a new start takes its own flags\n");
  EXPECT_EQ(steered_text({"paused", 1, 0, 0, ExitCode::done}, {tables[0]}, Verb::pause, {}),
            "paused: 1 table\n"
            "  orders to orders_v2  paused, rcu = 50\n"
            "what is on the wire is finished first; `messina resume` with the same names goes on\n");
  tables[0].status.progress->paused = false;
  tables[0].status.progress->phase = "paused";
  tables[0].status.progress->steering.clear();
  EXPECT_EQ(steered_text({"resumed", 1, 0, 0, ExitCode::done}, {tables[0]}, Verb::resume, {}),
            "resumed: 1 table\n"
            "  orders to orders_v2  resumed\n")
      << "the job has not looked at it yet";
}

}  // namespace
}  // namespace messina::console
