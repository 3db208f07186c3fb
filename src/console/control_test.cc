#include "console/control.h"

#include <gtest/gtest.h>

namespace messina::console {
namespace {

using Verb = ControlRequest::Verb;

TEST(Control, RequestsComeBackAsTheyWent) {
  ControlRequest set{Verb::set, NewValue<double>(8000.5), NewValue<std::uint32_t>(64)};
  EXPECT_EQ(control_request(set), R"({"v":1,"do":"set","rcu":8000.5,"concurrency":64})");
  ControlRequest all{Verb::pause, {}, {}, true};
  EXPECT_EQ(control_request(all), R"({"v":1,"do":"pause","tables":"all"})");
  ControlRequest automatic{Verb::set, NewValue<double>(), NewValue<std::uint32_t>()};
  EXPECT_EQ(control_request(automatic), R"({"v":1,"do":"set","rcu":"auto","concurrency":"auto"})");
  for (const ControlRequest& request :
       {set, automatic, all, ControlRequest{Verb::pause, {}, {}}, ControlRequest{Verb::resume, {}, {}},
        ControlRequest{Verb::status, {}, {}}, ControlRequest{Verb::retry_rejects, {}, {}}}) {
    const auto back = parse_control_request(control_request(request));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(control_request(*back), control_request(request));
  }
}

TEST(Control, RefusesWhatItDoesNotKnow) {
  for (const char* line : {"",
                           "pause",
                           "[]",
                           "{",
                           R"({"do":"pause"})",
                           R"({"v":2,"do":"pause"})",
                           R"({"v":1})",
                           R"({"v":1,"do":"stop"})",
                           R"({"v":1,"do":7})",
                           R"({"v":1,"do":"set"})",
                           R"({"v":1,"do":"pause","rcu":1})",
                           R"({"v":1,"do":"set","wcu":1})",
                           R"({"v":1,"do":"set","rcu":0})",
                           R"({"v":1,"do":"set","rcu":-1})",
                           R"({"v":1,"do":"set","rcu":1e10})",
                           R"({"v":1,"do":"set","rcu":"fast"})",
                           R"({"v":1,"do":"pause","tables":"some"})",
                           R"({"v":1,"do":"pause","tables":["orders"]})",
                           R"({"v":1,"do":"set","tables":"all"})",
                           R"({"v":1,"do":"set","concurrency":0})",
                           R"({"v":1,"do":"set","concurrency":1.5})",
                           R"({"v":1,"do":"set","concurrency":1000001})",
                           R"({"v":1,"do":"set","concurrency":null})"}) {
    const auto refused = parse_control_request(line);
    ASSERT_FALSE(refused) << line;
    EXPECT_EQ(refused.error().kind, ErrorKind::usage) << line;
  }
}

TEST(Control, ARetryOfRejectsIsAnsweredWithWhatBecomesOfIt) {
  jobs::RejectRetries retries;
  retries.ask();
  EXPECT_FALSE(retries.answer());  // nobody does that here
  EXPECT_FALSE(retries.wanted());
  retries.serve();
  retries.ask();
  retries.ask();
  EXPECT_EQ(retries.wanted(), 2u);
  retries.fulfilled(2, 17);
  EXPECT_FALSE(retries.wanted());
  retries.ask();
  retries.fulfilled(3, Result<std::uint64_t>(fail(ErrorKind::disk, "no room")));
  ControlAnswer answer;
  answer.retry = retries.answer();
  const auto back = parse_control_answer(control_answer(answer));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->retry, (jobs::RejectRetries::Answer{.asked = 3, .done = 3, .keys = 0, .error = "no room"}));
  EXPECT_FALSE(parse_control_answer(control_answer({}))->retry);
}

TEST(Control, SaysWhoSetWhat) {
  jobs::Steering steering;
  const WallTime at{std::chrono::milliseconds(1'700'000'000'123)};
  const std::string anna = asker("anna", 1000, 4711);
  EXPECT_EQ(anna, "anna (uid 1000, pid 4711)");
  EXPECT_EQ(asker({}, 1001, 5), "uid 1001, pid 5");
  const ControlRequest set{Verb::set, NewValue<double>(8000), NewValue<std::uint32_t>()};
  EXPECT_EQ(describe(set), "rcu=8000, concurrency=auto");
  apply(set, steering, {anna, at});
  apply({Verb::pause, {}, {}}, steering, {asker({}, 1001, 5), at, true});
  apply({Verb::status, {}, {}}, steering, {"nobody", at});
  const jobs::SteeringSettings settings = steering.settings();
  EXPECT_TRUE(settings.paused);
  EXPECT_EQ(settings.read_rcu_per_s, 8000);
  EXPECT_FALSE(settings.write_concurrency);
  const std::map<std::string, jobs::SteeringChange> changes{
      {"rcu", {"8000", anna, 1'700'000'000'123}},
      {"concurrency", {"auto", anna, 1'700'000'000'123}},
      {"paused", {"yes", "uid 1001, pid 5", 1'700'000'000'123, true}}};
  EXPECT_EQ(settings.changes, changes);
  apply({Verb::resume, {}, {}}, steering, {anna, at});
  EXPECT_FALSE(steering.settings().paused);
  EXPECT_EQ(steering.settings().changes.at("paused").value, "no");
}

TEST(Control, WhatIsSetForAllTablesIsWhatTheyTakeTogether) {
  jobs::SharedBudgets budgets({.memory_bytes = 1, .write_concurrency = 16, .read_rcu_per_s = 500},
                              MonoTime{});
  apply({Verb::set, NewValue<double>(100), {}, true}, budgets, MonoTime{});
  EXPECT_EQ(budgets.reads.rate(), 100);
  EXPECT_EQ(budgets.writes.capacity(), 16) << "it was not set";
  apply({Verb::set, NewValue<double>(), NewValue<std::uint32_t>(4), true}, budgets, MonoTime{});
  EXPECT_EQ(budgets.reads.rate(), 500);
  EXPECT_EQ(budgets.writes.capacity(), 4);
  apply({Verb::pause, {}, {}, true}, budgets, MonoTime{});
  EXPECT_EQ(budgets.writes.capacity(), 4);
}

TEST(Control, AnswersCarryTheSnapshotOrTheReason) {
  jobs::Progress progress;
  progress.phase = "copying";
  progress.counts.read_items = 7;
  progress.steering = {{"rcu", "8000", "anna", 1}};
  const auto back = parse_control_answer(control_answer({progress, {}}));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->snapshot.counts.read_items, 7u);
  EXPECT_EQ(back->snapshot.steering, progress.steering);
  EXPECT_FALSE(back->run);
  jobs::TablesProgress tables;
  tables.tables = 5;
  tables.tables_done = 2;
  tables.tables_failed = 1;
  tables.running.push_back({"a", "b", progress});
  tables.running.front().progress.table = "orders";
  tables.waiting = {"log\"s"};
  tables.read_budget_rcu_per_s = 4000;
  tables.write_concurrency = 64;
  for (const bool with_names : {false, true}) {
    const RunOfTables run = run_of(tables, with_names);
    EXPECT_EQ(run.waiting, 1u);
    EXPECT_EQ(run.running_names.size(), with_names ? 1u : 0u);
    const auto of_many = parse_control_answer(control_answer({progress, run}));
    ASSERT_TRUE(of_many) << of_many.error().message;
    EXPECT_EQ(of_many->run, run);
  }
  const auto refused = parse_control_answer(control_refusal("no \"such\" thing"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::usage);
  EXPECT_EQ(refused.error().message, "no \"such\" thing");
  for (const char* line : {"", "{}", R"({"ok":true})", R"({"ok":false})", R"({"ok":true,"snapshot":1})"})
    EXPECT_EQ(parse_control_answer(line).error().kind, ErrorKind::corrupt) << line;
}

}  // namespace
}  // namespace messina::console
