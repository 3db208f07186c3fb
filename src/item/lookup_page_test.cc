#include "item/lookup_page.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "item/page_test_support.h"

namespace messina::item {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Truly;

Result<void> split_both(const Slab& bytes, LookupSpans& spans) {
  static LookupSplitter splitter;
  LookupSpans slow_spans;
  const auto slow = split_lookup_bytewise(bytes.view(), slow_spans);
  const auto fast = splitter.split(bytes.view(), spans);
  EXPECT_EQ(fast.has_value(), slow.has_value()) << bytes.view();
  EXPECT_EQ(spans.items, slow_spans.items);
  EXPECT_EQ(spans.unprocessed_keys, slow_spans.unprocessed_keys);
  EXPECT_EQ(spans.consumed_capacity, slow_spans.consumed_capacity);
  return fast;
}

constexpr std::string_view kAnswer =
    R"({"ConsumedCapacity":[{"TableName":"t","CapacityUnits":1.5}],"Responses":{"t":[{"p":{"S":"a"}},)"
    R"({"p":{"S":"b"},"UnprocessedKeys":{"S":"x"}}]},"UnprocessedKeys":{"t":{"ConsistentRead":true,"Keys":[{"p":{"S":"c"}}]}}})";

TEST(LookupPage, FindsItemsAndWhatWasLeftOut) {
  const auto bytes = slab(kAnswer);
  LookupSpans spans;
  ASSERT_TRUE(split_both(bytes, spans));
  EXPECT_THAT(spans.items,
              ElementsAre(R"({"p":{"S":"a"}})", R"({"p":{"S":"b"},"UnprocessedKeys":{"S":"x"}})"));
  EXPECT_THAT(spans.unprocessed_keys, ElementsAre(R"({"p":{"S":"c"}})"));
  EXPECT_EQ(spans.consumed_capacity, 1.5);
}

TEST(LookupPage, NothingFoundIsAnAnswer) {
  for (const auto* body :
       {R"({"Responses":{},"UnprocessedKeys":{}})", R"({"Responses":{"t":[]},"UnprocessedKeys":{}})"}) {
    const auto bytes = slab(body);
    LookupSpans spans;
    ASSERT_TRUE(split_both(bytes, spans)) << body;
    EXPECT_THAT(spans.items, IsEmpty());
    EXPECT_THAT(spans.unprocessed_keys, IsEmpty());
  }
}

TEST(LookupPage, AbsenceIsBelievedOnlyWhereItIsSaid) {
  for (const auto& [body, says] : std::vector<std::pair<std::string, std::string>>{
           {R"({"Responses":{"t":[]}})", "no UnprocessedKeys"},
           {R"({"Responses":{"t":[]},"UnprocessedKeys":null})", "no UnprocessedKeys"},
           {R"({"UnprocessedKeys":{}})", "no Responses"},
           {R"({"Responses":{"t":[],"u":[]},"UnprocessedKeys":{}})", "more than one table"},
           {R"({"Responses":{"t":{}},"UnprocessedKeys":{}})", "no list"},
           {R"({"Responses":{"t":[7]},"UnprocessedKeys":{}})", "no object"},
           {R"({"Responses":{"t":[]},"UnprocessedKeys":{"t":{}}})", "without Keys"},
           {R"({"Responses":{"t":[]},"UnprocessedKeys":{"t":{"Keys":{}}}})", "no list"},
           {R"({"Responses":{"t":[]},"UnprocessedKeys":[]})", "no object"},
           {R"({"Responses":[],"UnprocessedKeys":{}})", "no object"},
       }) {
    const auto bytes = slab(body);
    LookupSpans spans;
    const auto split = split_both(bytes, spans);
    ASSERT_FALSE(split) << body;
    EXPECT_EQ(split.error().kind, ErrorKind::corrupt);
    EXPECT_THAT(split.error().message, HasSubstr(says)) << body;
  }
}

TEST(LookupPage, EveryCutIsNoticed) {
  for (std::size_t size = 0; size < kAnswer.size(); ++size) {
    const auto bytes = slab(kAnswer.substr(0, size));
    LookupSpans spans;
    ASSERT_FALSE(split_both(bytes, spans)) << size;
  }
}

TEST(LookupPage, BothWaysAgreeOnDamagedBytes) {
  const std::uint64_t seed = 20261123;
  SCOPED_TRACE(seed);
  Random random(seed);
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged(kAnswer);
    damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    const auto bytes = slab(damaged);
    LookupSpans spans;
    (void)split_both(bytes, spans);
    if (HasFailure()) return;
  }
}

/// Knows some items.
class Expects final : public ExpectedItems {
 public:
  explicit Expects(std::vector<std::string> items) : items_(std::move(items)) {}
  std::string_view next(std::string_view rest) override {
    for (const std::string& item : items_)
      if (rest.starts_with(item)) return item;
    return {};
  }
  bool gave(std::string_view item) const {
    return std::ranges::any_of(items_, [&](const std::string& mine) { return mine.data() == item.data(); });
  }

 private:
  const std::vector<std::string> items_;
};

/// Splits with what is expected, which must say the same as without.
void split_expecting(const Slab& bytes, Expects& expected, LookupSpans& spans) {
  LookupSpans plain;
  LookupSplitter splitter;
  ASSERT_TRUE(splitter.split(bytes.view(), plain));
  ASSERT_TRUE(splitter.split(bytes.view(), spans, &expected));
  EXPECT_EQ(spans.items, plain.items);
  EXPECT_EQ(spans.unprocessed_keys, plain.unprocessed_keys);
  EXPECT_EQ(spans.consumed_capacity, plain.consumed_capacity);
}

TEST(LookupPage, ItemsThatWereExpectedAreNotLookedInto) {
  Expects expected({R"({"p":{"S":"b"},"UnprocessedKeys":{"S":"x"}})", R"({"p":{"S":"a"}})"});
  const auto bytes = slab(kAnswer);
  LookupSpans spans;
  ASSERT_NO_FATAL_FAILURE(split_expecting(bytes, expected, spans));
  EXPECT_THAT(spans.items, Each(Truly([&](std::string_view item) { return expected.gave(item); })));
}

TEST(LookupPage, OneItemThatWasNotExpectedHasAllOfThemFound) {
  Expects expected({R"({"p":{"S":"a"}})"});
  const auto bytes = slab(kAnswer);
  LookupSpans spans;
  ASSERT_NO_FATAL_FAILURE(split_expecting(bytes, expected, spans));
  EXPECT_FALSE(expected.gave(spans.items.front()));
}

TEST(LookupPage, WhatIsExpectedDoesNotHideDamage) {
  const std::uint64_t seed = 20261124;
  SCOPED_TRACE(seed);
  Random random(seed);
  Expects expected({R"({"p":{"S":"a"}})", R"({"p":{"S":"b"},"UnprocessedKeys":{"S":"x"}})"});
  LookupSplitter splitter;
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged(kAnswer);
    damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    const auto bytes = slab(damaged);
    LookupSpans spans, plain;
    const auto slow = split_lookup_bytewise(bytes.view(), plain);
    ASSERT_EQ(splitter.split(bytes.view(), spans, &expected).has_value(), slow.has_value()) << damaged;
    ASSERT_EQ(spans.items, plain.items) << damaged;
    ASSERT_EQ(spans.unprocessed_keys, plain.unprocessed_keys) << damaged;
  }
}

}  // namespace
}  // namespace messina::item
