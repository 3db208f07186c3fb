#include "console/verify_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::console {
namespace {

using state::Verdict;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

VerifyOutcome live_and_equal() {
  VerifyOutcome outcome;
  outcome.source = "dynamodb://us-east-1/orders";
  outcome.target = "alternator://h:8000/orders";
  outcome.figures.forward = {.items = 1'234'567, .bytes = 1'200'000'000, .source_rcu = 300'000};
  outcome.figures.backward = {.items = 1'234'567, .target_rcu = 50'000};
  jobs::VerifyRecord& record = outcome.figures.record;
  record.identity = {outcome.source, outcome.target, "id-1", "id-2", "f1e2"};
  record.phase = jobs::VerifyPhase::done;
  record.live = true;
  record.bucket_bits = 14;
  record.source_keys = record.target_keys = 1'234'567;
  record.source_digest = record.target_digest = "0123456789abcdef0123456789abcdef";
  record.began_unix_ms = 1'700'000'000'000;
  record.ended_unix_ms = 1'700'000'200'000;
  record.touched_judged = 3'456;
  return outcome;
}

VerifyOutcome sample_with_differences() {
  VerifyOutcome outcome = live_and_equal();
  outcome.figures.record.live = false;
  outcome.figures.record.scope.sample = 0.05;
  outcome.figures.record.against = {"<b>& \"gap\" | *x*"};
  outcome.figures.notes[static_cast<std::size_t>(Verdict::differs)] = 2;
  outcome.groups = {{Verdict::differs, "`</td><script>|a`\x1b differs", 2, R"({"id":{"S":"KEY"}})"}};
  return outcome;
}

const auto kFormats = {verify_report_html, verify_report_markdown};

TEST(VerifyPage, SaysWhatWasVerified) {
  for (const auto& format : kFormats)
    EXPECT_THAT(
        format(live_and_equal(), "1.2"),
        AllOf(
            HasSubstr("verified: dynamodb://us-east-1/orders and alternator://h:8000/orders are equal as of "
                      "2023-11-14T22:13:20.000Z, and every key written since then was judged"),
            Not(HasSubstr("What stands against it")), HasSubstr("id-1"), HasSubstr("id-2"), HasSubstr("f1e2"),
            HasSubstr("all items of the source; the keys of the target, by their digest"),
            HasSubstr("2023-11-14T22:16:40.000Z"), HasSubstr("1,234,567, 1.2 GB"), HasSubstr("3,456"),
            HasSubstr("0123456789abcdef0123456789abcdef"), HasSubstr("digests equal in 16,384 buckets"),
            HasSubstr("2^-85"), HasSubstr("Changes were on their way"),
            HasSubstr("what is written after the end above"), HasSubstr("secondary indexes"),
            HasSubstr("Signature"), HasSubstr("messina 1.2")));
}

TEST(VerifyPage, SaysWhatStandsAgainstIt) {
  for (const auto& format : kFormats)
    EXPECT_THAT(format(sample_with_differences(), "1.2"),
                AllOf(HasSubstr("2 differences between dynamodb://us-east-1/orders and"),
                      HasSubstr("What stands against it"), HasSubstr("only a sample of 5 % was compared"),
                      HasSubstr("keys outside of the sample"), HasSubstr("a sample of 5 % of the keys"),
                      HasSubstr("Nothing waited for changes"), Not(HasSubstr("Changes were on their way")),
                      HasSubstr("items that were written to either table after they were read"),
                      Not(HasSubstr("KEY"))));
}

TEST(VerifyPage, SaysWhatWasNotLookedFor) {
  VerifyOutcome outcome = live_and_equal();
  for (const auto& format : kFormats) {
    outcome.figures.record.scope = {.sample = {}, .segment = jobs::VerifyScope::Segment{3, 16}};
    EXPECT_THAT(format(outcome, "1.2"),
                AllOf(HasSubstr("items of the source, segment 3/16 of its scan"), Not(HasSubstr("2^-85")),
                      HasSubstr("None: keys that only the target has were not looked for."),
                      HasSubstr("keys that only the target has")));
    outcome.figures.record.scope = {.sample = {}, .segment = {}, .keys_alone = true};
    EXPECT_THAT(format(outcome, "1.2"),
                AllOf(HasSubstr("Each key that was named was looked up on both sides"),
                      HasSubstr("keys that were not named"), Not(HasSubstr("every key that was captured"))));
    outcome.figures.record.scope = {.sample = {}, .segment = {}, .exhaustive = true};
    EXPECT_THAT(format(outcome, "1.2"),
                AllOf(HasSubstr("each was looked up in the source."), Not(HasSubstr("2^-85")),
                      HasSubstr("None: each key of the target was looked up")));
  }
}

TEST(VerifyPage, HoldsTheIndexesIfTheyWereCompared) {
  VerifyOutcome outcome = live_and_equal();
  for (const auto& format : kFormats) {
    EXPECT_THAT(format(outcome, "1.2"), AllOf(HasSubstr("secondary indexes, whose contents"),
                                              Not(HasSubstr("Indexes of the target"))));
    outcome.figures.record.scope.indexes = true;
    EXPECT_THAT(format(outcome, "1.2"), HasSubstr("There are none, or they were not reached yet."));
    outcome.figures.record.indexes = {{.name = "one", .entries = 1234, .missing = 7},
                                      {.name = "two", .absent = true}};
    EXPECT_THAT(format(outcome, "1.2"), AllOf(HasSubstr("1,234"), HasSubstr("the target has no such index"),
                                              HasSubstr("Indexes of the target"),
                                              Not(HasSubstr("secondary indexes, whose contents"))));
    outcome = live_and_equal();
  }
}

TEST(VerifyPage, IsHtmlWhateverNamesThereAre) {
  const std::string page = verify_report_html(sample_with_differences(), "1.2");
  EXPECT_THAT(page, StartsWith("<!DOCTYPE html>\n<html lang=\"en\">\n"));
  EXPECT_THAT(page, HasSubstr("<li>&lt;b&gt;&amp; &quot;gap&quot; | *x*</li>"));
  EXPECT_THAT(page, HasSubstr("<td>`&lt;/td&gt;&lt;script&gt;|a`\\u001b differs</td>"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("<p class=\"verdict no\">"));
  EXPECT_THAT(verify_report_html(live_and_equal(), "1.2"), HasSubstr("<p class=\"verdict yes\">"));
  // Every tag that is opened is closed, in its order.
  std::vector<std::string> open;
  for (std::size_t at = page.find('<', 1); at != std::string::npos; at = page.find('<', at + 1)) {
    const std::size_t end = page.find_first_of(" >", at);
    const std::string tag = page.substr(at + 1, end - at - 1);
    if (tag == "meta") continue;
    if (!tag.starts_with('/')) {
      open.push_back(tag);
      continue;
    }
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(tag, "/" + open.back());
    open.pop_back();
  }
  EXPECT_THAT(open, testing::IsEmpty());
}

TEST(VerifyPage, IsMarkdownWhateverNamesThereAre) {
  const std::string page = verify_report_markdown(sample_with_differences(), "1.2");
  EXPECT_THAT(page, StartsWith("# Verification\n\n**2 differences between "));
  EXPECT_THAT(page, HasSubstr("\n- \\<b\\>\\& \"gap\" \\| \\*x\\*\n"));
  EXPECT_THAT(page, HasSubstr("\n| Items | Verdict | What they have in common |\n|---|---|---|\n"
                              "| 2 | differs | \\`\\</td\\>\\<script\\>\\|a\\`\\\\u001b differs |\n"));
  EXPECT_THAT(page, HasSubstr("\n| Name | Date | Signature |\n|---|---|---|\n|  |  |  |\n|  |  |  |\n"));
}

TEST(VerifyPage, ListsSoManyGroups) {
  VerifyOutcome outcome = sample_with_differences();
  outcome.groups.assign(kMostGroupsListed + 2, {Verdict::differs, "`a` differs", 7, ""});
  EXPECT_THAT(verify_report_html(outcome, "1.2"),
              HasSubstr("<p>and 2 more groups of 14 items, which are not listed here.</p>"));
  outcome.groups.clear();
  EXPECT_THAT(verify_report_html(outcome, "1.2"),
              HasSubstr("<p>No key that differs, and none that could not be"));
}

}  // namespace
}  // namespace messina::console
