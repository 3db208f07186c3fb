#include "item/compare.h"

#include <gtest/gtest.h>

#include "item/item_json.h"

namespace messina::item {
namespace {

Value value(std::string_view json) {
  auto parsed = parse_value(json);
  EXPECT_TRUE(parsed.has_value()) << json;
  return parsed ? std::move(*parsed) : Value{};
}

bool same(std::string_view a, std::string_view b) {
  EXPECT_EQ(equal(value(a), value(b)), equal(value(b), value(a)));
  return equal(value(a), value(b));
}

TEST(Value, NamesItsTypes) {
  EXPECT_EQ(type_of(value(R"({"S":"a"})")), Type::S);
  EXPECT_EQ(type_of(value(R"({"NULL":true})")), Type::NULL_);
  EXPECT_EQ(type_of(value(R"({"BS":["YQ=="]})")), Type::BS);
  EXPECT_EQ(to_string(Type::NULL_), "NULL");
  EXPECT_EQ(to_string(Type::BOOL), "BOOL");
  EXPECT_EQ(to_string(Type::BS), "BS");
}

TEST(Equal, ComparesByValue) {
  EXPECT_TRUE(same(R"({"N":"1000"})", R"({"N":"1e3"})"));
  EXPECT_FALSE(same(R"({"N":"1000"})", R"({"N":"1001"})"));
  EXPECT_FALSE(same(R"({"N":"1"})", R"({"S":"1"})"));
  EXPECT_FALSE(same(R"({"S":"YQ=="})", R"({"B":"YQ=="})"));
  EXPECT_TRUE(same(R"({"BOOL":true})", R"({"BOOL":true})"));
  EXPECT_FALSE(same(R"({"BOOL":true})", R"({"BOOL":false})"));
  EXPECT_FALSE(same(R"({"BOOL":true})", R"({"NULL":true})"));
  EXPECT_TRUE(same(R"({"NULL":true})", R"({"NULL":true})"));
}

TEST(Equal, IgnoresTheOrderOfSetsAndMapsButNotOfLists) {
  EXPECT_TRUE(same(R"({"SS":["a","b"]})", R"({"SS":["b","a"]})"));
  EXPECT_TRUE(same(R"({"SS":["a","b","a"]})", R"({"SS":["b","a"]})"));
  EXPECT_FALSE(same(R"({"SS":["a","b"]})", R"({"SS":["a","c"]})"));
  EXPECT_FALSE(same(R"({"SS":["a","b"]})", R"({"SS":["a"]})"));
  EXPECT_TRUE(same(R"({"NS":["1","20"]})", R"({"NS":["2e1","1.0"]})"));
  EXPECT_TRUE(same(R"({"BS":["YQ==","Yg=="]})", R"({"BS":["Yg==","YQ=="]})"));
  EXPECT_TRUE(same(R"({"M":{"a":{"N":"1"},"b":{"N":"2"}}})", R"({"M":{"b":{"N":"2"},"a":{"N":"1.0"}}})"));
  EXPECT_FALSE(same(R"({"M":{"a":{"N":"1"}}})", R"({"M":{"b":{"N":"1"}}})"));
  EXPECT_FALSE(same(R"({"M":{"a":{"N":"1"}}})", R"({"M":{"a":{"N":"1"},"b":{"N":"1"}}})"));
  EXPECT_TRUE(same(R"({"L":[{"N":"1"},{"SS":["x","y"]}]})", R"({"L":[{"N":"1"},{"SS":["y","x"]}]})"));
  EXPECT_FALSE(same(R"({"L":[{"N":"1"},{"N":"2"}]})", R"({"L":[{"N":"2"},{"N":"1"}]})"));
  EXPECT_FALSE(same(R"({"L":[{"N":"1"}]})", R"({"L":[]})"));
}

TEST(Compare, OrdersKeysByBytesAndByValue) {
  using enum Type;
  const auto order = [](std::string_view a, std::string_view b) { return compare(value(a), value(b)); };
  EXPECT_EQ(order(R"({"S":"a"})", R"({"S":"b"})"), std::partial_ordering::less);
  EXPECT_EQ(order(R"({"S":"a"})", R"({"S":"a\u0000"})"), std::partial_ordering::less);
  EXPECT_EQ(order(R"({"S":"z"})", R"({"S":"é"})"), std::partial_ordering::less);  // unsigned bytes
  EXPECT_EQ(order(R"({"B":"/w=="})", R"({"B":"AA=="})"), std::partial_ordering::greater);
  EXPECT_EQ(order(R"({"N":"9"})", R"({"N":"10"})"), std::partial_ordering::less);
  EXPECT_EQ(order(R"({"N":"1e1"})", R"({"N":"10"})"), std::partial_ordering::equivalent);
  EXPECT_EQ(order(R"({"N":"1"})", R"({"S":"1"})"), std::partial_ordering::unordered);
  EXPECT_EQ(order(R"({"BOOL":true})", R"({"BOOL":true})"), std::partial_ordering::unordered);
}

TEST(Size, CountsAsTheDeveloperGuideSays) {
  EXPECT_EQ(size_bytes(value(R"({"S":"héllo"})")), 6u);
  EXPECT_EQ(size_bytes(value(R"({"B":"YWJj"})")), 3u);
  EXPECT_EQ(size_bytes(value(R"({"BOOL":false})")), 1u);
  EXPECT_EQ(size_bytes(value(R"({"NULL":true})")), 1u);
  EXPECT_EQ(size_bytes(value(R"({"L":[]})")), 3u);
  EXPECT_EQ(size_bytes(value(R"({"L":[{"S":"ab"},{"BOOL":true}]})")), 3u + 2u + 2u + 1u);
  EXPECT_EQ(size_bytes(value(R"({"M":{"name":{"S":"ab"}}})")), 3u + 1u + 4u + 2u);
  EXPECT_EQ(size_bytes(value(R"({"SS":["a","bcd"]})")), 4u);
  EXPECT_EQ(size_bytes(value(R"({"NS":["1","-2"]})")), 2u + 3u);
  EXPECT_EQ(size_bytes(*parse_item(R"({"p":{"S":"abc"},"flag":{"BOOL":true}})")), 1u + 3u + 4u + 1u);
}

}  // namespace
}  // namespace messina::item
