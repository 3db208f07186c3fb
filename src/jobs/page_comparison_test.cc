#include "jobs/page_comparison.h"

#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/slab.h"

namespace messina::jobs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Items = std::vector<std::string_view>;

SidesOfItems renamed_by(item::TransformRules rules) {
  SidesOfItems sides;
  sides.source_key = {{"id", item::Type::S}, item::KeyAttribute{"n", item::Type::N}};
  sides.target_key = item::transform_schema(sides.source_key, rules);
  sides.transform = std::move(rules);
  return sides;
}

constexpr KeyedHash::Key kSecret{1, 2, 3};

/// A page whose keys are all asked for together.
struct Compared {
  explicit Compared(item::TransformRules rules = {})
      : sides(renamed_by(std::move(rules))),
        comparison(sides, KeySample(VerifyScope()), kSecret),
        batch(comparison) {}

  void begin(const Items& source) {
    ASSERT_TRUE(comparison.begin(source));
    batch.begin(0, comparison.size());
  }
  std::vector<std::string> suspects() const {
    auto keys = comparison.suspects();
    EXPECT_TRUE(keys);
    return keys.value_or(std::vector<std::string>());
  }
  std::vector<std::string> suspects(const Items& source, const Items& target) {
    begin(source);
    EXPECT_TRUE(batch.answered(target));
    return suspects();
  }

  SidesOfItems sides;
  PageComparison comparison;
  PageComparison::Batch batch;
};

TEST(PageComparison, EqualItemsAreNoSuspectsInWhateverOrderTheyCome) {
  Compared page;
  EXPECT_THAT(page.suspects(
                  {R"({"id":{"S":"a"},"n":{"N":"1"},"v":{"N":"1.0"}})", R"({"id":{"S":"b"},"n":{"N":"2"}})"},
                  {R"({"n":{"N":"2"},"id":{"S":"b"}})", R"({"v":{"N":"1"},"id":{"S":"a"},"n":{"N":"1"}})"}),
              IsEmpty());
  EXPECT_EQ(page.comparison.hashes().size(), 2u);
}

TEST(PageComparison, WhatDiffersOrIsAbsentIsASuspectByItsKeyAsTheSourceWritesIt) {
  Compared page;
  EXPECT_THAT(page.suspects(
                  {R"({"id":{"S":"a"},"n":{"N":"10"},"v":{"S":"x"}})", R"({"n":{"N":"1e3"},"id":{"S":"b"}})",
                   R"({"id":{"S":"c"},"n":{"N":"3"}})"},
                  {R"({"id":{"S":"a"},"n":{"N":"10"},"v":{"S":"y"}})", R"({"id":{"S":"c"},"n":{"N":"3"}})"}),
              ElementsAre(R"({"id":{"S":"a"},"n":{"N":"10"}})", R"({"id":{"S":"b"},"n":{"N":"1e3"}})"));
}

TEST(PageComparison, TheTargetIsAskedByItsNamesAndComparedWithWhatShouldHaveBeenWritten) {
  Compared page({.renames = {{"id", "order"}, {"v", "value"}}, .drops = {"secret"}});
  const Items source{R"({"id":{"S":"a"},"n":{"N":"1"},"v":{"S":"x"},"secret":{"S":"s"}})"};
  EXPECT_THAT(page.suspects(source, {R"({"order":{"S":"a"},"n":{"N":"1"},"value":{"S":"x"}})"}), IsEmpty());
  EXPECT_THAT(page.comparison.keys(), ElementsAre(R"({"order":{"S":"a"},"n":{"N":"1"}})"));
  EXPECT_THAT(
      page.suspects(source, {R"({"order":{"S":"a"},"n":{"N":"1"},"value":{"S":"x"},"secret":{"S":"s"}})"}),
      ElementsAre(R"({"id":{"S":"a"},"n":{"N":"1"}})"));
}

TEST(PageComparison, EachRowIsFoundInWhateverOrderTheTargetAnswers) {
  const std::uint64_t seed = entropy_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  int known = 0;
  for (int round = 0; round < 500; ++round) {
    Compared page;
    std::vector<std::string> source, expected;
    const bool in_order = random.chance(0.3), key_last = random.chance(0.3);
    std::multimap<std::uint64_t, std::string> answers;
    for (std::uint64_t i = 0, end = random.below(60); i < end; ++i) {
      const std::string key = fmt::format(R"("id":{{"S":"k{}"}},"n":{{"N":"{}"}})", i % 7, i);
      const auto write = [&](const char* v) { return fmt::format(R"({{{},"v":{{"S":"{}"}}}})", key, v); };
      const auto turn = [&](const char* v) { return fmt::format(R"({{"v":{{"S":"{}"}},{}}})", v, key); };
      source.push_back(write("x"));
      const auto fate = random.below(8);  // absent, differs, written otherwise, else the same
      const std::uint64_t place = in_order ? i : random.below(1000);
      if (fate == 1) answers.emplace(place, key_last ? turn("y") : write("y"));
      if (fate == 2) answers.emplace(place, key_last ? write("x") : turn("x"));
      if (fate >= 3) answers.emplace(place, key_last ? turn("x") : write("x"));
      if (fate <= 1) expected.push_back("{" + key + "}");
    }
    const Items sources(source.begin(), source.end());
    Items targets;
    for (const auto& [place, item] : answers) targets.push_back(item);
    ASSERT_EQ(page.suspects(sources, targets), expected) << round;
    // The same with those that are known before the rest is looked into.
    page.begin(sources);
    Items spans;
    for (const std::string_view item : targets) {
      const std::string_view mine = page.batch.next(item);
      if (!mine.empty()) {
        ASSERT_EQ(mine.size(), item.size());
        ++known;
      }
      spans.push_back(mine.empty() ? item : mine);
    }
    ASSERT_TRUE(page.batch.answered(spans));
    ASSERT_EQ(page.suspects(), expected) << round;
  }
  EXPECT_GT(known, 5'000);
}

TEST(PageComparison, BatchesOfAPageAreAnsweredEachForItself) {
  std::vector<std::string> source;
  for (int i = 0; i < 25; ++i) source.push_back(fmt::format(R"({{"id":{{"S":"k"}},"n":{{"N":"{}"}}}})", i));
  const Items sources(source.begin(), source.end());
  Compared page;
  page.begin(sources);
  PageComparison::Batch other(page.comparison), last(page.comparison);
  page.batch.begin(0, 10);
  other.begin(10, 20);
  last.begin(20, 25);
  EXPECT_EQ(other.keys().front(), source[10]);
  EXPECT_EQ(other.keys().size(), 10u);
  EXPECT_EQ(last.keys().size(), 5u);
  ASSERT_TRUE(last.answered(Items{sources[24]}));
  EXPECT_EQ(page.batch.next(source[3]), source[3]);
  EXPECT_EQ(other.next(source[12]), source[12]);
  EXPECT_THAT(other.next(source[4]), IsEmpty());
  EXPECT_EQ(page.batch.next(source[1]), source[1]);
  ASSERT_TRUE(page.batch.answered(Items{sources[3], sources[1]}));
  ASSERT_TRUE(other.answered(Items{sources[12]}));
  EXPECT_EQ(other.answered(Items{sources[1]}).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(page.suspects().size(), 21u);
}

TEST(PageComparison, ItemsOfAnAnswerAreKnownWithoutBeingParsed) {
  const Items source{R"({"id":{"S":"a"},"n":{"N":"1"},"v":{"S":"x"}})",
                     R"({"id":{"S":"b"},"n":{"N":"2"},"v":{"S":"y"}})"};
  // b comes first, and what follows is not the item's; then a, whose v differs.
  const std::string answer = std::string(source[1]) + R"(,{"id":{"S":"a"},"n":{"N":"1"},"v":{"S":"z"}}])";
  const std::string_view rest = answer;
  Compared page;
  page.begin(source);
  const std::string_view known = page.batch.next(rest);
  EXPECT_EQ(known.data(), source[1].data());
  EXPECT_EQ(known, source[1]);
  const std::string_view other = rest.substr(known.size() + 1);
  EXPECT_THAT(page.batch.next(other), IsEmpty());
  EXPECT_THAT(page.batch.next("]"), IsEmpty());
  ASSERT_TRUE(page.batch.answered(Items{known, other.substr(0, other.size() - 1)}));
  EXPECT_THAT(page.suspects(), ElementsAre(R"({"id":{"S":"a"},"n":{"N":"1"}})"));
}

/// Each answer is split as an endpoint does it; one that cannot be split is lost.
std::vector<std::string> suspects_by_answers(Compared& page, const std::vector<std::string>& answers) {
  item::LookupSplitter splitter;
  item::LookupSpans spans;
  for (const std::string& answer : answers) {
    Slab body(answer.size());
    body.append(answer);
    if (!splitter.split(body.view(), spans, &page.batch)) continue;
    EXPECT_TRUE(page.batch.answered(spans.items));
  }
  return page.suspects();
}

TEST(PageComparison, TakesAnswersAsTheyAreSplit) {
  const auto answer = [](const std::vector<std::string>& items) {
    return fmt::format(R"({{"Responses":{{"t":[{}]}},"UnprocessedKeys":{{}}}})", fmt::join(items, ","));
  };
  const std::vector<std::string> items{
      R"({"id":{"S":"a"},"n":{"N":"1"},"v":{"S":"x"}})", R"({"id":{"S":"b"},"n":{"N":"2"},"v":{"S":"x"}})",
      R"({"id":{"S":"c"},"n":{"N":"3"},"v":{"S":"x"}})", R"({"id":{"S":"d"},"n":{"N":"4"},"v":{"S":"x"}})"};
  const std::string turned = R"({"v":{"S":"x"},"n":{"N":"2"},"id":{"S":"b"}})";
  const std::string other = R"({"id":{"S":"c"},"n":{"N":"3"},"v":{"S":"y"}})";
  const std::string b = R"({"id":{"S":"b"},"n":{"N":"2"}})", c = R"({"id":{"S":"c"},"n":{"N":"3"}})";
  const std::string whole = answer(items);
  const Items source(items.begin(), items.end());
  Compared page;
  const auto suspects_by = [&](const std::vector<std::string>& answers) {
    page.begin(source);
    return suspects_by_answers(page, answers);
  };
  EXPECT_THAT(suspects_by({whole}), IsEmpty());
  EXPECT_THAT(suspects_by({answer({items[3], items[1], items[0], items[2]})}), IsEmpty());
  EXPECT_THAT(suspects_by({answer({items[0], turned, items[2], items[3]})}), IsEmpty());
  // The first are known; then one is not, and all of the answer is looked into.
  EXPECT_THAT(suspects_by({answer({items[0], items[1], other, items[3]})}), ElementsAre(c));
  EXPECT_THAT(suspects_by({answer({items[3], items[0], other})}), ElementsAre(b, c));
  // Cut at any byte it says nothing, whatever was known of it; asked again, all.
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(suspects_by({whole.substr(0, size)}).size(), items.size()) << size;
    EXPECT_THAT(suspects_by({whole.substr(0, size), whole}), IsEmpty()) << size;
    EXPECT_THAT(suspects_by({whole.substr(0, size), answer({items[0], turned, other})}).size(), 2u) << size;
  }
}

TEST(PageComparison, WhatWasKnownOfAnAnswerThatCameToNothingCountsForNone) {
  const Items source{R"({"id":{"S":"a"},"n":{"N":"1"}})", R"({"id":{"S":"b"},"n":{"N":"2"}})"};
  Compared page;
  page.begin(source);
  EXPECT_EQ(page.batch.next(source[0]), source[0]);  // then the answer was cut
  EXPECT_EQ(page.batch.next(source[1]), source[1]);
  ASSERT_TRUE(page.batch.answered(Items{source[1]}));
  EXPECT_THAT(page.suspects(), ElementsAre(source[0]));
}

TEST(PageComparison, NothingIsKnownOfItemsThatAreRenamedOnTheWay) {
  Compared page({.renames = {{"id", "order"}}, .drops = {}});
  const Items source{R"({"id":{"S":"a"},"n":{"N":"1"}})"};
  page.begin(source);
  EXPECT_THAT(page.batch.next(source[0]), IsEmpty());
}

TEST(PageComparison, AnAnswerThatNobodyAskedForIsAnError) {
  Compared page;
  page.begin(Items{R"({"id":{"S":"a"},"n":{"N":"1"}})"});
  EXPECT_EQ(page.batch.answered(Items{R"({"id":{"S":"z"},"n":{"N":"1"}})"}).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(page.batch.answered(Items{R"({"n":{"N":"1"}})"}).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(page.comparison.begin(Items{R"({"n":{"N":"1"}})"}).error().kind, ErrorKind::corrupt);
}

TEST(KeySample, GivesTheSameKeysForASeedAndOthersForAnother) {
  VerifyScope scope;
  scope.sample = 0.25;
  KeySample one(scope), again(scope);
  scope.sample_seed = 2;
  KeySample other(scope);
  int chosen = 0, both = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = "S" + std::to_string(i);
    EXPECT_EQ(one.has(key), again.has(key));
    if (!one.has(key)) continue;
    ++chosen;
    if (other.has(key)) ++both;
  }
  EXPECT_NEAR(chosen, 2'500, 250);
  EXPECT_NEAR(both, 625, 150) << "one sample says nothing of the other";
  KeySample all{VerifyScope()};
  EXPECT_TRUE(all.has("Sx"));
}

}  // namespace
}  // namespace messina::jobs
