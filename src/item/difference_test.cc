#include "item/difference.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "item/compare.h"
#include "item/item_json.h"

namespace messina::item {
namespace {

using Kind = Difference::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Difference> differences(std::string_view source, std::string_view target) {
  ItemComparer comparer;
  std::vector<Difference> found = comparer.differences(source, target, 100);
  EXPECT_EQ(comparer.equal(source, target), found.empty());
  return found;
}

auto is(std::string path, Kind kind) {
  return testing::AllOf(testing::Field(&Difference::path, path), testing::Field(&Difference::kind, kind));
}

TEST(ItemComparer, WhatDynamoDbHoldsEqualIsEqual) {
  const std::pair<const char*, const char*> pairs[] = {
      {R"({"a":{"S":"x"},"b":{"N":"1"}})", R"({"b":{"N":"1"},"a":{"S":"x"}})"},
      {R"({"a":{"S":"x"}})", R"( { "a" : { "S" : "x" } } )"},
      {R"({"n":{"N":"1"}})", R"({"n":{"N":"1.0"}})"},
      {R"({"n":{"N":"1000"}})", R"({"n":{"N":"1E+3"}})"},
      {R"({"n":{"N":"0"}})", R"({"n":{"N":"-0"}})"},
      {R"({"s":{"SS":["a","b"]}})", R"({"s":{"SS":["b","a"]}})"},
      {R"({"s":{"NS":["1","2"]}})", R"({"s":{"NS":["2.0","1"]}})"},
      {R"({"s":{"SS":["a","b"]}})", R"({"s":{"SS":["b","a","b"]}})"},
      {R"({"a":{"S":"\u00e9\/"}})", "{\"a\":{\"S\":\"\xC3\xA9/\"}}"},
      {R"({"\u0061":{"S":"x"}})", R"({"a":{"S":"x"}})"},
      {R"({"\u0061\n":{"S":"x"},"b\t":{"S":"y"}})", R"({"b\u0009":{"S":"y"},"a\n":{"S":"x"}})"},
      {R"({"m":{"M":{"x":{"N":"1"},"y":{"L":[{"NULL":true}]}}}})",
       R"({"m":{"M":{"y":{"L":[{"NULL":true}]},"x":{"N":"1.00"}}}})"},
      {R"({"a":{"S":"1"},"a":{"S":"2"}})", R"({"a":{"S":"1"}})"},
      {R"({"b":{"B":"AA=="}})", R"({"b":{"B":"AA=="}})"},
  };
  for (const auto& [source, target] : pairs) {
    EXPECT_THAT(differences(source, target), IsEmpty()) << source << ' ' << target;
    EXPECT_THAT(differences(target, source), IsEmpty()) << target << ' ' << source;
  }
}

TEST(ItemComparer, NamesWhatDiffers) {
  EXPECT_THAT(differences(R"({"a":{"S":"x"},"b":{"S":"y"}})", R"({"a":{"S":"x"}})"),
              ElementsAre(is("b", Kind::missing)));
  EXPECT_THAT(differences(R"({"a":{"S":"x"}})", R"({"a":{"S":"x"},"b":{"S":"y"}})"),
              ElementsAre(is("b", Kind::extra)));
  EXPECT_THAT(differences(R"({"a":{"N":"1"}})", R"({"a":{"S":"1"}})"), ElementsAre(is("a", Kind::type)));
  EXPECT_THAT(differences(R"({"a":{"NULL":true}})", R"({})"), ElementsAre(is("a", Kind::missing)));
  EXPECT_THAT(differences(R"({"a":{"S":""}})", R"({})"), ElementsAre(is("a", Kind::missing)));
  EXPECT_THAT(differences(R"({"a":{"B":"AQ=="}})", R"({"a":{"B":"AA=="}})"),
              ElementsAre(is("a", Kind::value)));
  EXPECT_THAT(differences(R"({"a":{"SS":["x","y"]}})", R"({"a":{"SS":["x"]}})"),
              ElementsAre(is("a", Kind::value)));
  EXPECT_THAT(differences(R"({"a":{"L":[{"N":"1"},{"N":"2"}]}})", R"({"a":{"L":[{"N":"2"},{"N":"1"}]}})"),
              ElementsAre(is("a[0]", Kind::value), is("a[1]", Kind::value)));
}

TEST(ItemComparer, NamesNestedPlaces) {
  EXPECT_THAT(
      differences(R"({"order":{"M":{"lines":{"L":[{"S":"a"},{"M":{"price":{"N":"5"}}}]},"x.y":{"S":"1"}}}})",
                  R"({"order":{"M":{"lines":{"L":[{"S":"a"},{"M":{"price":{"N":"6"}}},{"S":"c"}]}}}})"),
      ElementsAre(is("order.lines[1].price", Kind::value), is("order.lines[2]", Kind::extra),
                  is(R"(order."x.y")", Kind::missing)));
  EXPECT_THAT(differences(R"({"":{"S":"x"}})", R"({"":{"S":"y"}})"), ElementsAre(is(R"("")", Kind::value)));
}

TEST(ItemComparer, TellsWhichIsSmaller) {
  const auto order = [](std::string_view source, std::string_view target) {
    return differences(source, target).at(0).target_is;
  };
  EXPECT_EQ(order(R"({"t":{"S":"2026-02"}})", R"({"t":{"S":"2026-01"}})"), std::partial_ordering::less);
  EXPECT_EQ(order(R"({"t":{"N":"9"}})", R"({"t":{"N":"10"}})"), std::partial_ordering::greater);
  EXPECT_EQ(order(R"({"t":{"BOOL":true}})", R"({"t":{"BOOL":false}})"), std::partial_ordering::unordered);
  EXPECT_EQ(order(R"({"t":{"N":"9"}})", R"({"t":{"S":"9"}})"), std::partial_ordering::unordered);
}

TEST(ItemComparer, OfTwoAttributesOfOneNameTheFirstCounts) {
  EXPECT_THAT(differences(R"({"x":{"N":"0"},"a":{"N":"1"},"a":{"N":"2"}})",
                          R"({"a":{"N":"2"},"a":{"N":"1"},"x":{"N":"0"}})"),
              ElementsAre(is("a", Kind::value)));
}

TEST(ItemComparer, WhatIsNoItemDiffersFromAllElse) {
  for (const char* broken :
       {"", "[]", "{", R"({"a":{"S":"x"})", R"({"a":{"N":"one"}})", R"({"a":{"X":"x"}})"}) {
    EXPECT_THAT(differences(broken, R"({"a":{"S":"x"}})"), ElementsAre(is("", Kind::value))) << broken;
    EXPECT_THAT(differences(R"({"a":{"S":"x"}})", broken), ElementsAre(is("", Kind::value))) << broken;
    EXPECT_THAT(differences(broken, broken), IsEmpty());
  }
}

TEST(ItemComparer, TellsNoMoreThanAskedFor) {
  std::string source = "{", target = "{";
  for (int i = 0; i < 300; ++i) {
    source += (i > 0 ? "," : "") + std::string("\"a") + std::to_string(i) + R"(":{"N":"1"})";
    target += (i > 0 ? "," : "") + std::string("\"a") + std::to_string(i) + R"(":{"N":"2"})";
  }
  ItemComparer comparer;
  EXPECT_EQ(comparer.differences(source + "}", target + "}", 10).size(), 10u);
  EXPECT_EQ(comparer.differences(source + "}", target + "}", 1000).size(), 300u);
}

// By attributes or parsed: one answer.
TEST(ItemComparer, AgreesWithValuesOnRandomItems) {
  const std::uint64_t seed = entropy_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const std::vector<std::string> values = {
      R"({"N":"1"})",           R"({"N":"1.0"})",           R"({"S":"1"})",
      R"({"SS":["a","b"]})",    R"({"SS":["b","a"]})",      R"({"L":[{"N":"1"}]})",
      R"({"L":[{"N":"1.0"}]})", R"({"M":{"x":{"N":"1"}}})", R"({"M":{}})"};
  const std::vector<std::string> names = {"a", "b", "c", R"(\u0061)", R"(d\n)"};
  const auto draw = [&] {
    std::vector<std::string> members;
    for (std::uint64_t n = random.below(5); n > 0; --n)
      members.push_back('"' + names[random.below(names.size())] +
                        "\":" + values[random.below(values.size())]);
    return members;
  };
  const auto text = [&](const std::vector<std::string>& members) {
    const std::string space = random.chance(0.2) ? " " : "";
    return "{" + space + fmt::format("{}", fmt::join(members, "," + space)) + space + "}";
  };
  ItemComparer comparer;
  int sure = 0, begun = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::string> of_source = draw();
    const std::string source = text(of_source);
    for (std::size_t n = of_source.size(); n > 1; --n)
      std::swap(of_source[n - 1], of_source[random.below(n)]);
    const std::string target = text(random.chance(0.5) ? of_source : draw());
    const bool same = equal(*parse_item(source), *parse_item(target));
    EXPECT_EQ(differences(source, target).empty(), same) << source << ' ' << target;
    const bool goes_on = random.chance(0.5);
    if (comparer.begins_equal(source, target + (goes_on ? "," + source : ""))) {
      ++begun;
      EXPECT_TRUE(same && source.size() == target.size()) << source << ' ' << target;
    }
    if (!comparer.equal_by_attributes(source, target)) continue;
    ++sure;
    EXPECT_TRUE(same) << source << ' ' << target;
  }
  EXPECT_GT(begun, 3'000);
  EXPECT_GT(sure, 5'000) << "items of two orders are told to be equal without being parsed";
}

TEST(ItemComparer, ItemsOfOneShapeAreToldAsThoseOfAnyOther) {
  const std::uint64_t seed = entropy_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const std::vector<std::string> values = {
      R"({"S":"a"})",     R"({"S":"b"})",        R"({"S":"\""})",
      R"({"N":"1"})",     R"({"BOOL":true})",    R"({"L":[]})",
      R"({"NULL":true})", R"({"SS":["a","b"]})", R"({"M":{"x":{"S":"a"}}})"};
  const std::vector<std::vector<std::size_t>> orders = {{0, 1, 2, 3}, {3, 1, 0, 2}, {1, 0, 3, 2}};
  ItemComparer comparer;
  int equal = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::string> of_source, of_target;
    for (int name = 0; name < 4; ++name) {
      of_source.push_back(fmt::format("\"n{}\":{}", name, values[random.below(values.size())]));
      of_target.push_back(random.chance(0.05)
                              ? fmt::format("\"n{}\":{}", name, values[random.below(values.size())])
                              : of_source.back());
    }
    const auto write = [&](const std::vector<std::string>& members) {
      std::vector<std::string> written;
      for (const std::size_t at : orders[random.chance(0.1) ? random.below(3) : std::size_t{0}])
        written.push_back(members[at]);
      return fmt::format("{{{}}}", fmt::join(written, ","));
    };
    const std::string source = write(of_source), target = write(of_target);
    const bool same = of_source == of_target;
    EXPECT_EQ(comparer.begins_equal(source, target + "]}"), same) << source << ' ' << target;
    const std::string open = target.substr(0, target.size() - 1);
    EXPECT_FALSE(comparer.begins_equal(source, open));
    EXPECT_FALSE(comparer.begins_equal(source, open + R"(,"more":{"S":"x"}})"));
    equal += same ? 1 : 0;
  }
  EXPECT_GT(equal, 10'000);
}

TEST(ItemComparer, NamesThatStandTwiceMakeNoShape) {
  ItemComparer comparer;
  const std::string twice = R"({"a":{"N":"1"},"a":{"N":"2"}})", turned = R"({"a":{"N":"2"},"a":{"N":"1"}})";
  EXPECT_TRUE(comparer.begins_equal(twice, twice));
  EXPECT_FALSE(comparer.begins_equal(twice, turned));
  const std::string escaped = R"({"\u0061":{"N":"1"},"b":{"N":"2"}})",
                    plain = R"({"a":{"N":"1"},"b":{"N":"2"}})";
  EXPECT_TRUE(comparer.begins_equal(escaped, escaped));
  EXPECT_FALSE(comparer.begins_equal(escaped, plain)) << "it is equal, but not as long";
  EXPECT_TRUE(comparer.begins_equal(plain, plain));
}

}  // namespace
}  // namespace messina::item
