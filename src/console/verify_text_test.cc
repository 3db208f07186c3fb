#include "console/verify_text.h"

#include <algorithm>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "console/progress_text.h"

namespace messina::console {
namespace {

using jobs::VerifyPhase;
using state::Verdict;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::uint64_t& notes_of(VerifyOutcome& outcome, Verdict verdict) {
  return outcome.figures.notes[static_cast<std::size_t>(verdict)];
}

VerifyOutcome equal_tables() {
  VerifyOutcome outcome;
  outcome.source = "dynamodb://us-east-1/orders";
  outcome.target = "alternator://h:8000/orders";
  outcome.elapsed = std::chrono::seconds(200);
  outcome.figures.forward = {.pages = 9, .items = 1'234'567, .bytes = 1'200'000'000, .source_rcu = 300'000};
  outcome.figures.forward.target_rcu = 300'000.4;
  outcome.figures.backward = {.pages = 9, .items = 1'234'567, .target_rcu = 50'000};
  jobs::VerifyRecord& record = outcome.figures.record;
  record.phase = VerifyPhase::done;
  record.bucket_bits = 14;
  record.source_keys = record.target_keys = 1'234'567;
  record.source_digest = record.target_digest = "0123456789abcdef0123456789abcdef";
  record.began_unix_ms = 1'700'000'000'000;
  record.ended_unix_ms = 1'700'000'200'000;
  record.keys_judged = 12;
  return outcome;
}

VerifyOutcome different_tables() {
  VerifyOutcome outcome = equal_tables();
  notes_of(outcome, Verdict::differs) = 1'204;
  notes_of(outcome, Verdict::missing) = 3;
  notes_of(outcome, Verdict::unsettled) = 2;
  outcome.figures.record.buckets_differing = 5;
  outcome.figures.record.buckets_listed = 1;
  outcome.figures.record.against = {"changes were missed: the stream was\nswitched off"};
  outcome.groups = {{Verdict::differs, "`updated_at` older on target", 1'204, "k"},
                    {Verdict::missing, "only on source", 3, "k"},
                    {Verdict::unsettled, "written to each time that it was looked at", 2, "k"}};
  outcome.state_flag = " --state s";
  return outcome;
}

TEST(VerifyText, SaysThatTablesAreEqual) {
  EXPECT_EQ(verify_summary_text(equal_tables()),
            "verified: dynamodb://us-east-1/orders and alternator://h:8000/orders are equal\n"
            "  compared  1,234,567 items of the source, 1.2 GB\n"
            "  keys      1,234,567 of the target, 1,234,567 of the source; digests equal in 16,384 buckets\n"
            "  judged    12 keys that disagreed once\n"
            "  found     no difference\n"
            "  unsettled 0 keys\n"
            "  rejected  0 keys\n"
            "  cost      300,000 RCU of the source, 350,000 RCU of the target\n"
            "  time      3 min 20 s\n");
}

TEST(VerifyText, SaysAsOfWhenBesideALiveMigration) {
  VerifyOutcome outcome = equal_tables();
  outcome.figures.record.live = true;
  outcome.figures.record.touched_judged = 3'456;
  const std::string text = verify_summary_text(outcome);
  EXPECT_THAT(text,
              StartsWith("verified: dynamodb://us-east-1/orders and alternator://h:8000/orders are equal as "
                         "of 2023-11-14T22:13:20.000Z, and every key written since then was judged\n"));
  EXPECT_THAT(text, HasSubstr("\n  judged    12 keys that disagreed once; 3,456 written meanwhile\n"));
}

TEST(VerifyText, TellsDifferencesAndTheirGroups) {
  EXPECT_EQ(
      verify_summary_text(different_tables()),
      "1,207 differences between dynamodb://us-east-1/orders and alternator://h:8000/orders\n"
      "  besides   2 keys could not be judged\n"
      "  besides   changes were missed: the stream was\\u000aswitched off\n"
      "  compared  1,234,567 items of the source, 1.2 GB\n"
      "  keys      1,234,567 of the target, 1,234,567 of the source; 5 of 16,384 buckets differed, 1 listed "
      "(judged keys explain the others)\n"
      "  judged    12 keys that disagreed once\n"
      "  found     1,204 differ, 3 only on source\n"
      "  unsettled 2 keys\n"
      "  rejected  0 keys\n"
      "  cost      300,000 RCU of the source, 350,000 RCU of the target\n"
      "  time      3 min 20 s\n"
      "  1,204 items: `updated_at` older on target\n"
      "      3 items: only on source\n"
      "      2 items: unsettled: written to each time that it was looked at\n"
      "next: `messina diff dynamodb://us-east-1/orders alternator://h:8000/orders --state s` shows what "
      "differs, `messina repair dynamodb://us-east-1/orders alternator://h:8000/orders --state s` repairs "
      "it\n");
}

TEST(VerifyText, TellsSomeGroupsOfMany) {
  VerifyOutcome outcome = different_tables();
  outcome.groups.clear();
  for (std::uint64_t i = 25; i-- > 0;)
    outcome.groups.push_back({Verdict::differs, "`a" + std::to_string(i) + "` differs", i + 1, "k"});
  const std::string text = verify_summary_text(outcome);
  EXPECT_THAT(text, HasSubstr("\n  25 items: `a24` differs\n"));
  EXPECT_THAT(text, HasSubstr("\n   6 items: `a5` differs\n  and 5 more groups of 15 items\nnext: "));
}

TEST(VerifyText, SaysWhatItsScopeLeftOut) {
  VerifyOutcome outcome = equal_tables();
  jobs::VerifyScope& scope = outcome.figures.record.scope;
  scope.sample = 0.05;
  scope.segment = {3, 16};
  std::string text = verify_summary_text(outcome);
  EXPECT_THAT(text,
              StartsWith("not verified: only a sample of 5 % was compared; only segment 3/16 was compared\n"
                         "  tables    dynamodb://us-east-1/orders and alternator://h:8000/orders\n"));
  EXPECT_THAT(
      text,
      HasSubstr("  left out  keys outside of the sample: 5 % were drawn, by a hash of the key (seed 1)\n"
                "  left out  segments of the source's scan other than 3/16\n"
                "  left out  keys that only the target has\n"));
  EXPECT_THAT(text, Not(HasSubstr("  keys  ")));

  scope = {.sample = {}, .segment = {}, .keys_alone = true};
  text = verify_summary_text(outcome);
  EXPECT_THAT(text, HasSubstr("  compared  the keys that were named\n"));
  EXPECT_THAT(text, HasSubstr("  left out  keys that were not named\n"));
  EXPECT_THAT(text, HasSubstr("  judged    12 keys that disagreed once, or were named\n"));

  scope = {.sample = {}, .segment = {}, .exhaustive = true};
  outcome.figures.record.target_digest.clear();
  text = verify_summary_text(outcome);
  EXPECT_THAT(text, StartsWith("verified: "));
  EXPECT_THAT(text, HasSubstr("  keys      1,234,567 of the target, each looked up in the source\n"));
}

TEST(VerifyText, SaysHowIndexesStand) {
  VerifyOutcome outcome = equal_tables();
  jobs::VerifyRecord& record = outcome.figures.record;
  record.scope.indexes = true;
  EXPECT_THAT(verify_summary_text(outcome), HasSubstr("\n  indexes   none on either side\n"));
  record.indexes = {{.name = "by_a", .entries = 1}, {.name = "by_b", .entries = 1200}};
  EXPECT_THAT(
      verify_summary_text(outcome),
      AllOf(StartsWith("verified: "), HasSubstr("\n  indexes   by_a: 1 entry, as the items say\n"
                                                "            by_b: 1,200 entries, as the items say\n")));
  record.indexes[0] = {.name = "by_a", .entries = 5, .missing = 1, .extra = 2, .unsettled = 3};
  record.indexes.push_back({.name = "by_c", .absent = true});
  const std::string text = verify_summary_text(outcome);
  EXPECT_THAT(text,
              StartsWith("not verified: index \"by_a\" lacks 1 entry; index \"by_a\" has 2 entries too "
                         "many; 3 entries of index \"by_a\" could not be judged; the target has no index "
                         "\"by_c\"\n"));
  EXPECT_THAT(text,
              HasSubstr("  indexes   by_a: 5 entries; 1 entry missing; 2 entries too many; 3 entries that "
                        "could not be judged\n"));
  EXPECT_THAT(text, HasSubstr("            by_c: the target has no such index\n"));
  EXPECT_THAT(text, HasSubstr("next: an index is the target's own work"));
}

TEST(VerifyText, SaysHowFarItCame) {
  VerifyOutcome outcome = equal_tables();
  outcome.finished = false;
  outcome.figures.record.phase = VerifyPhase::forward;
  outcome.figures.record.target_digest.clear();
  notes_of(outcome, Verdict::suspect) = 7;
  std::string text = verify_summary_text(outcome);
  EXPECT_THAT(text, StartsWith("not verified: the pass is not done; 7 keys are being judged\n"));
  EXPECT_THAT(text, HasSubstr("  keys      those of the target are still to be read\n"));
  EXPECT_THAT(text, HasSubstr("  to judge  7 keys\n"));
  EXPECT_THAT(text, EndsWith("next: run the same command again, and it goes on\n"));

  outcome.figures.record.phase = VerifyPhase::backward;
  notes_of(outcome, Verdict::extra) = 1;
  text = verify_summary_text(outcome);
  EXPECT_THAT(text, StartsWith("1 difference so far between "));
  EXPECT_THAT(text, HasSubstr("  keys      1,234,567 of the target so far\n"));
  EXPECT_THAT(text, EndsWith("` repairs it, with --delete-extra also what only the target has\n"));
}

TEST(VerifyText, TellsRepairsAndRejects) {
  VerifyOutcome outcome = equal_tables();
  outcome.figures.record.repaired_unix_ms = 1;
  outcome.figures.record.repaired_keys = 1'204;
  notes_of(outcome, Verdict::rejected) = 1;
  const std::string text = verify_summary_text(outcome);
  EXPECT_THAT(text, HasSubstr("  repaired  1,204 keys, judged again since\n"));
  EXPECT_THAT(text, HasSubstr("  rejected  1 key\n"));
  EXPECT_THAT(text, EndsWith("next: `messina rejects list` shows why the target refused\n"));
}

TEST(VerifyText, TellsBuckets) {
  jobs::VerifyRecord record;
  EXPECT_EQ(digests_text(record), "digests equal in 1 bucket");
  record.bucket_bits = 8;
  record.buckets_differing = record.buckets_listed = 2;
  EXPECT_EQ(digests_text(record), "2 of 256 buckets differed, 2 listed");
  record.buckets_listed = 0;
  EXPECT_EQ(digests_text(record), "2 of 256 buckets differed, none listed (judged keys explain the others)");
}

TEST(VerifyEvent, HoldsTheVerdictAndNoKeys) {
  VerifyOutcome outcome = different_tables();
  outcome.exit = ExitCode::done_with_rejects;
  const std::string line = verify_summary_event(WallTime(), outcome);
  const auto event = boost::json::parse(line);
  EXPECT_EQ(event.at("verified"), false);
  EXPECT_EQ(event.at("differences"), 1'207);
  EXPECT_EQ(event.at("source_rcu"), 300'000);
  EXPECT_EQ(event.at("exit_code"), 1);
  EXPECT_EQ(event.at("began"), "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(event.at("not_verified").as_array().size(), 3u);
  EXPECT_EQ(
      event.at("groups").at(0),
      boost::json::parse(R"({"verdict":"differs","cause":"`updated_at` older on target","keys":1204})"));
  EXPECT_EQ(event.at("groups_left_out"), 0);
  EXPECT_EQ(event.at("digests").at("buckets"), 16'384);
  EXPECT_TRUE(boost::json::parse(verify_summary_event(WallTime(), {})).at("digests").is_null());
  EXPECT_THAT(line, Not(HasSubstr("\"k\""))) << "keys of items";
}

TEST(VerifyEvent, ListsSoManyGroups) {
  VerifyOutcome outcome = different_tables();
  outcome.groups.resize(kMostGroupsListed + 2);
  const auto event = boost::json::parse(verify_summary_event(WallTime(), outcome));
  EXPECT_EQ(event.at("groups").as_array().size(), kMostGroupsListed);
  EXPECT_EQ(event.at("groups_left_out"), 2);
}

jobs::VerifyFigures at_work(VerifyPhase phase) {
  jobs::VerifyFigures figures = equal_tables().figures;
  figures.record.phase = phase;
  figures.record.expected_items = 4'938'268;
  figures.items_per_s = 45'210;
  figures.units = 16;
  figures.units_done = 4;
  return figures;
}

TEST(VerifyProgressText, TellsThePhaseInWords) {
  EXPECT_EQ(verify_progress_text(at_work(VerifyPhase::forward)),
            "verify  comparing  25.0%  1,234,567 items  45,210 items/s");
  EXPECT_EQ(verify_progress_text(at_work(VerifyPhase::backward)),
            "verify  adding up keys  25.0%  1,234,567 items  1,234,567 keys of the target  45,210 items/s");
  EXPECT_THAT(verify_progress_text(at_work(VerifyPhase::buckets)),
              StartsWith("verify  looking up buckets  25.0%  "));
  EXPECT_EQ(verify_progress_text(at_work(VerifyPhase::judging)),
            "verify  judging  1,234,567 items  1,234,567 keys of the target");
  jobs::VerifyFigures figures = at_work(VerifyPhase::done);
  EXPECT_THAT(verify_progress_text(figures), StartsWith("verify  done  "));
  figures.staying = true;
  EXPECT_THAT(verify_progress_text(figures), StartsWith("verify  watching  "));
}

TEST(VerifyCostText, IsTheSourcesSizeInReadUnits) {
  jobs::VerifyScope scope;
  EXPECT_EQ(
      verify_cost_text(1'000'000, 204'800'000, scope),
      "this reads about 1,000,000 items, 205 MB: some 50,000 RCU of the source; about 1,000,000 items are "
      "looked up on the target, and its keys are scanned");
  scope.sample = 0.01;
  EXPECT_THAT(verify_cost_text(1'000'000, 204'800'000, scope).value(),
              HasSubstr("50,000 RCU of the source; about 10,000 items are looked up"));
  scope.sample.reset();
  scope.segment = {1, 4};
  EXPECT_EQ(verify_cost_text(1'000'000, 204'800'000, scope),
            "this reads about 250,000 items, 51 MB: some 12,500 RCU of the source; about 250,000 items are "
            "looked up on the target");
  scope.segment.reset();
  EXPECT_EQ(verify_cost_text(std::nullopt, 1, scope), std::nullopt);
  EXPECT_EQ(verify_cost_text(1, std::nullopt, scope), std::nullopt);
  scope.keys_alone = true;
  EXPECT_EQ(verify_cost_text(1'000'000, 204'800'000, scope), std::nullopt);
}

TEST(VerifyProgressText, ReckonsWithTheScope) {
  jobs::VerifyFigures figures = at_work(VerifyPhase::forward);
  figures.record.scope.sample = 0.5;
  EXPECT_THAT(verify_progress_text(figures), HasSubstr("  50.0%  "));
  figures.record.scope.segment = {0, 2};
  EXPECT_THAT(verify_progress_text(figures), HasSubstr("  99.9%  ")) << "there are more than were expected";
  figures.record.expected_items.reset();
  EXPECT_THAT(verify_progress_text(figures), Not(HasSubstr("%")));
}

TEST(VerifyProgressText, KeepsDifferencesWhereThereIsNoRoomForAll) {
  jobs::VerifyFigures figures = at_work(VerifyPhase::backward);
  figures.waits_for = "the changes of the last seconds to be captured";
  figures.notes.fill(1'000'000);
  const std::string line = verify_progress_text(figures);
  EXPECT_LT(columns(line), 120u);
  EXPECT_THAT(line, StartsWith("verify  adding up keys  25.0%  3,000,000 differences  1,000,000 unsettled"));
  EXPECT_THAT(line, Not(HasSubstr("keys of the target")));

  figures = at_work(VerifyPhase::judging);
  figures.waits_for = std::string("a\x1b[2J") + std::string(200, 'x');
  const std::string waiting = verify_progress_text(figures);
  EXPECT_LT(columns(waiting), 120u);
  EXPECT_THAT(waiting, HasSubstr("waits: a\\u001b[2Jxxx"));
  EXPECT_THAT(waiting, EndsWith("x…"));
}

}  // namespace
}  // namespace messina::console
