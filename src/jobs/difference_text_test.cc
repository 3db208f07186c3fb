#include "jobs/difference_text.h"

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using item::Difference;
using Kind = Difference::Kind;
using state::Verdict;

constexpr auto kLess = std::partial_ordering::less;
constexpr auto kGreater = std::partial_ordering::greater;

TEST(DifferenceText, PlacesComeBackAsTheyWere) {
  const std::vector<Difference> places{
      {"a.b[2]", Kind::value, kLess}, {"c", Kind::missing}, {R"("x y")", Kind::type}, {"e", Kind::extra}};
  const auto again = places_of(to_json(places));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, places);
  EXPECT_EQ(places_of("[]")->size(), 0u);
  for (const char* text : {"", "{}", "[1]", R"([{"path":1,"kind":"value"}])"})
    EXPECT_FALSE(places_of(text)) << text;
}

TEST(DifferenceText, SaysWhatManyItemsHaveInCommon) {
  const auto cause = [](std::vector<Difference> places) { return cause_of(Verdict::differs, places); };
  EXPECT_EQ(cause({{"updated_at", Kind::value, kLess}}), "`updated_at` older on target");
  EXPECT_EQ(cause({{"order.shipDate", Kind::value, kGreater}}), "`order.shipDate` newer on target");
  EXPECT_EQ(cause({{"total", Kind::value, kLess}}), "`total` smaller on target");
  EXPECT_EQ(cause({{"flag", Kind::value}}), "`flag` differs");
  EXPECT_EQ(cause({{"a", Kind::missing}}), "`a` missing on target");
  EXPECT_EQ(cause({{"a", Kind::extra}}), "`a` only on target");
  EXPECT_EQ(cause({{"a", Kind::type}}), "`a` of another type on target");
  EXPECT_EQ(cause({{"a", Kind::value, kLess}, {"b", Kind::missing}}), "`a`, `b` differ");
  EXPECT_EQ(cause({{"a", Kind::type}, {"b", Kind::type}, {"c", Kind::type}, {"d", Kind::type}}),
            "4 attributes differ");
  EXPECT_EQ(cause({{"", Kind::value}}), "the item differs as a whole");
  EXPECT_EQ(cause_of(Verdict::missing, {}), "only on source");
  EXPECT_EQ(cause_of(Verdict::extra, {}), "only on target");
  EXPECT_EQ(cause_of(Verdict::suspect, {}), "");
}

TEST(DifferenceText, PositionsInListsDoNotMakeAnotherCause) {
  const auto of = [](const char* path) { return cause_of(Verdict::differs, {{path, Kind::missing}}); };
  EXPECT_EQ(of("lines[2].price"), "`lines[].price` missing on target");
  EXPECT_EQ(of("lines[17].price"), of("lines[2].price"));
  EXPECT_EQ(of(R"("a[1]".b)"), R"(`"a[1]".b` missing on target)") << "a name is no position";
  EXPECT_EQ(cause_of(Verdict::differs, {{"l[0]", Kind::value, kLess}, {"l[1]", Kind::value, kGreater}}),
            "`l[]` differs");
}

}  // namespace
}  // namespace messina::jobs
