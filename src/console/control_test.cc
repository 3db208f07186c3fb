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
  ControlRequest joins;
  joins.verb = Verb::join;
  joins.wish.roles = {.capture = true, .copy = false, .apply = true};
  EXPECT_EQ(control_request(joins), R"({"v":1,"do":"join","roles":["capture","apply"]})");
  joins.wish.enable_stream = endpoints::StreamView::keys_only;
  joins.wish.skip_expired = joins.wish.into_existing = true;
  EXPECT_EQ(control_request(joins),
            R"({"v":1,"do":"join","roles":["capture","apply"],"enableStream":"KEYS_ONLY","skipExpired":true,)"
            R"("intoExisting":true})");
  ControlRequest verifies;
  verifies.verb = Verb::verify;
  EXPECT_EQ(control_request(verifies), R"({"v":1,"do":"verify"})");
  verifies.verify.scope = {
      .sample = 0.25, .sample_seed = 7, .segment = jobs::VerifyScope::Segment{3, 16}, .exhaustive = true};
  verifies.verify.restart = true;
  verifies.verify.read_rcu_per_s = 500;
  verifies.keys_file = "/keys";
  verifies.verify.repair = {.delete_extra = true, .max_deletes = 9};
  EXPECT_EQ(
      control_request(verifies),
      R"({"v":1,"do":"verify","sample":0.25,"sampleSeed":7,"segment":3,"ofSegments":16,"exhaustive":true,)"
      R"("restart":true,"rcu":500,"keysFile":"/keys","repair":true,"deleteExtra":true,"maxDeletes":9})");
  const auto understood = parse_control_request(control_request(verifies));
  ASSERT_TRUE(understood) << understood.error().message;
  verifies.verify.scope.keys_alone = true;  // because there is a file of them
  EXPECT_EQ(understood->verify, verifies.verify);
  ControlRequest whole;
  whole.verb = Verb::verify;
  whole.verify.scope.indexes = true;
  EXPECT_EQ(control_request(whole), R"({"v":1,"do":"verify","indexes":true})");
  EXPECT_EQ(parse_control_request(control_request(whole))->verify, whole.verify);
  for (const ControlRequest& request :
       {set, automatic, all, joins, verifies, whole, ControlRequest{Verb::cancel_verify, {}, {}},
        ControlRequest{Verb::pause, {}, {}}, ControlRequest{Verb::resume, {}, {}},
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
                           R"({"v":1,"do":"verify","indexes":true,"sample":0.5})",
                           R"({"v":1,"do":"set","rcu":1e10})",
                           R"({"v":1,"do":"set","rcu":"fast"})",
                           R"({"v":1,"do":"pause","tables":"some"})",
                           R"({"v":1,"do":"pause","tables":["orders"]})",
                           R"({"v":1,"do":"set","tables":"all"})",
                           R"({"v":1,"do":"join"})",
                           R"({"v":1,"do":"join","roles":[]})",
                           R"({"v":1,"do":"join","roles":"copy"})",
                           R"({"v":1,"do":"join","roles":["copy",1]})",
                           R"({"v":1,"do":"join","roles":["verify"]})",
                           R"({"v":1,"do":"verify","sample":0})",
                           R"({"v":1,"do":"verify","sample":1})",
                           R"({"v":1,"do":"verify","sample":"1%"})",
                           R"({"v":1,"do":"verify","segment":16,"ofSegments":16})",
                           R"({"v":1,"do":"verify","rcu":0})",
                           R"({"v":1,"do":"verify","repair":false})",
                           R"({"v":1,"do":"verify","keysFile":1})",
                           R"({"v":1,"do":"verify","restart":1})",
                           R"({"v":1,"do":"verify","tables":"all"})",
                           R"({"v":1,"do":"verify","everything":true})",
                           R"({"v":1,"do":"join","roles":["copy"],"tables":"all"})",
                           R"({"v":1,"do":"join","roles":["copy"],"rcu":1})",
                           R"({"v":1,"do":"join","roles":["copy"],"enableStream":"ALL"})",
                           R"({"v":1,"do":"join","roles":["copy"],"intoExisting":1})",
                           R"({"v":1,"do":"pause","roles":["copy"]})",
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

ControlRequest asks_for(const jobs::Roles& roles) {
  ControlRequest request;
  request.verb = Verb::join;
  request.wish.roles = roles;
  return request;
}

jobs::Progress standing(const std::vector<jobs::RoleNote>& roles) {
  jobs::Progress progress;
  progress.live.emplace().roles = roles;
  return progress;
}

constexpr jobs::Roles kCopies{.capture = false, .copy = true, .apply = false};
constexpr jobs::Roles kCaptures{.capture = true, .copy = false, .apply = false};

TEST(Control, ALiveJobTakesOnWhatItDoesNotDo) {
  jobs::Steering steering;
  Joinable joinable;
  const jobs::Hand anna{"anna", WallTime{}};
  const jobs::Progress captures = standing({{"capture", jobs::role_state::kRunning, "", 0, 0}});
  const auto ask = [&](const jobs::Roles& roles, const jobs::Progress& now) {
    return join(asks_for(roles), steering, now, &joinable, anna);
  };
  EXPECT_EQ(ask(kCaptures, captures), 0u) << "it does that";
  EXPECT_FALSE(steering.take_wish());
  EXPECT_EQ(ask(kCopies, captures), 1u);
  EXPECT_EQ(ask(kCopies, captures), 1u) << "it was asked, and has not looked yet";
  EXPECT_EQ(ask(jobs::Roles(), captures), 2u) << "apply is new";
  EXPECT_EQ(steering.settings().changes.at("roles").value, "apply");
  const auto wish = steering.take_wish();
  ASSERT_TRUE(wish);
  EXPECT_EQ(wish->roles, (jobs::Roles{.capture = false, .copy = true, .apply = true}));
  EXPECT_EQ(wish->number, 2u);
  EXPECT_FALSE(steering.take_wish());
  const jobs::Progress copied = standing({{"capture", jobs::role_state::kRunning, "", 0, 0},
                                          {"copy", jobs::role_state::kDone, "", 0, 2},
                                          {"apply", jobs::role_state::kFailed, "no", 2, 2}});
  EXPECT_EQ(ask(kCopies, copied), 3u) << "whether what was copied is still worth something, the job must say";
  EXPECT_EQ(ask(jobs::Roles(), copied), 4u) << "what has failed is tried again";
}

TEST(Control, ALiveJobRefusesWhatWouldBeWrong) {
  jobs::Steering steering;
  Joinable joinable{.skips_expired = true};
  const jobs::Hand anna{"anna", WallTime{}};
  const jobs::Progress copies = standing({{"copy", jobs::role_state::kRunning, "", 0, 1}});
  const auto late = join(asks_for(kCaptures), steering, copies, &joinable, anna);
  ASSERT_FALSE(late) << "history that is read without a capture counts for none";
  EXPECT_EQ(late.error().kind, ErrorKind::needs_person);
  const jobs::Progress captures = standing({{"capture", jobs::role_state::kRunning, "", 0, 0}});
  EXPECT_FALSE(join(asks_for(kCaptures), steering, captures, &joinable, anna)) << "it skips, this does not";
  ControlRequest skips = asks_for(kCaptures);
  skips.wish.skip_expired = true;
  EXPECT_EQ(join(skips, steering, captures, &joinable, anna), 0u);
  EXPECT_FALSE(join(asks_for(kCaptures), steering, {}, nullptr, anna)) << "it only copies";
  EXPECT_FALSE(join(asks_for(jobs::Roles()), steering, {}, nullptr, anna));
  EXPECT_EQ(join(asks_for(kCopies), steering, {}, nullptr, anna), 0u);
  EXPECT_FALSE(steering.take_wish());
}

TEST(Control, WhatWasAskedForAtOnceIsOneWish) {
  jobs::Steering steering;
  Joinable joinable;
  const jobs::Hand anna{"anna", WallTime{}};
  ControlRequest captures = asks_for(kCaptures);
  captures.wish.enable_stream = endpoints::StreamView::new_image;
  captures.wish.skip_expired = true;
  EXPECT_EQ(
      join(captures, steering, standing({{"apply", jobs::role_state::kRunning, "", 0, 0}}), &joinable, anna),
      1u);
  EXPECT_TRUE(joinable.skips_expired);
  ControlRequest copies = asks_for(kCopies);
  copies.wish.into_existing = true;
  EXPECT_EQ(
      join(copies, steering, standing({{"apply", jobs::role_state::kRunning, "", 0, 0}}), &joinable, anna),
      2u)
      << "the capture is asked for, and begins first";
  const auto wish = steering.take_wish();
  ASSERT_TRUE(wish);
  EXPECT_EQ(wish->roles, (jobs::Roles{.capture = true, .copy = true, .apply = false}));
  EXPECT_EQ(wish->enable_stream, endpoints::StreamView::new_image);
  EXPECT_TRUE(wish->skip_expired);
  EXPECT_TRUE(wish->into_existing);
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
  EXPECT_EQ(back->wish, 0u);
  EXPECT_EQ(parse_control_answer(control_answer({progress, {}, 7}))->wish, 7u);
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
