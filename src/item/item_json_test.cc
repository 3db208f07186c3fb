#include "item/item_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "item/compare.h"

namespace messina::item {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const JsonRules kStrict{.numbers = Number::Limits::dynamodb, .max_nesting = kMaxNesting, .strict = true};

std::string reread(std::string_view raw, const JsonRules& rules = {}) {
  const auto item = parse_item(raw, rules);
  return item ? to_json(*item) : "refused: " + item.error().message;
}

std::string refusal(std::string_view raw, const JsonRules& rules = {}) {
  const auto item = parse_item(raw, rules);
  if (item) return "accepted as " + to_json(*item);
  EXPECT_EQ(item.error().kind, ErrorKind::refused);
  return item.error().message;
}

TEST(ItemJson, ReadsAndWritesAllTypes) {
  const std::string raw =
      R"({"b":{"B":"AP8="},"bool":{"BOOL":false},"bs":{"BS":["","YQ=="]},"l":{"L":[{"N":"-1.5"},{"L":[]}]},)"
      R"("m":{"M":{"":{"S":""},"x":{"M":{}}}},"n":{"N":"1000"},"ns":{"NS":["1","2"]},"null":{"NULL":true},)"
      R"("s":{"S":"a\"\\\n\u0001é😀"},"ss":{"SS":["","a"]}})";
  EXPECT_EQ(reread(raw), raw);
  EXPECT_EQ(reread(raw, kStrict), raw);
  EXPECT_EQ(reread("{}"), "{}");
  EXPECT_EQ(reread(" \t\r\n{ \"a\" : { \"S\" : \"x\" } , \"b\":{\"L\":[ ]} } \n"),
            R"({"a":{"S":"x"},"b":{"L":[]}})");
}

TEST(ItemJson, UnescapesStringsAndNames) {
  EXPECT_EQ(reread(R"({"\u0041\/":{"S":"\ud83d\ude00\b\f\n\r\t\/\u00e9"}})"),
            "{\"A/\":{\"S\":\"😀\\b\\f\\n\\r\\t/é\"}}");
  EXPECT_EQ(reread(R"({"n":{"N":"\u0031"}})"), R"({"n":{"N":"1"}})");
  EXPECT_EQ(reread(R"({"n":{"\u004e":"1"}})").substr(0, 8), "refused:");  // types are never escaped
}

TEST(ItemJson, FirstOfDuplicateNamesWins) {
  EXPECT_EQ(reread(R"({"a":{"S":"1"},"a":{"S":"2"},"\u0061":{"S":"3"}})"), R"({"a":{"S":"1"}})");
  EXPECT_EQ(reread(R"({"m":{"M":{"x":{"N":"1"},"x":{"N":"2"}}}})"), R"({"m":{"M":{"x":{"N":"1"}}}})");
}

TEST(ItemJson, NormalisesNumbers) {
  EXPECT_EQ(reread(R"({"n":{"N":"1E+3"},"ns":{"NS":["01","2.50"]}})"),
            R"({"n":{"N":"1000"},"ns":{"NS":["1","2.5"]}})");
}

TEST(ItemJson, RefusesWhatIsNoItemByBothRules) {
  for (const JsonRules& rules : {JsonRules{}, kStrict}) {
    for (const std::string_view raw : {"",
                                       " ",
                                       "[]",
                                       "null",
                                       "1",
                                       "\"a\"",
                                       "{",
                                       "}",
                                       "{}x",
                                       "{}{}",
                                       "{\"a\"}",
                                       "{\"a\":}",
                                       "{\"a\":1}",
                                       "{\"a\":{}}",
                                       "{\"a\":{\"S\":1}}",
                                       "{\"a\":{\"N\":1}}",
                                       "{\"a\":{\"N\":\"\"}}",
                                       "{\"a\":{\"N\":\" 1\"}}",
                                       "{\"a\":{\"N\":\"abc\"}}",
                                       "{\"a\":{\"Q\":\"x\"}}",
                                       "{\"a\":{\"BOOL\":\"true\"}}",
                                       "{\"a\":{\"BOOL\":1}}",
                                       "{\"a\":{\"NULL\":null}}",
                                       "{\"a\":{\"M\":[]}}",
                                       "{\"a\":{\"L\":{}}}",
                                       "{\"a\":{\"SS\":[]}}",
                                       "{\"a\":{\"NS\":[]}}",
                                       "{\"a\":{\"BS\":[]}}",
                                       "{\"a\":{\"SS\":[1]}}",
                                       "{\"a\":{\"SS\":\"a\"}}",
                                       "{\"a\":{\"S\":\"x\",\"N\":\"1\"}}",
                                       "{\"a\":{\"S\":\"x\",\"S\":\"y\"}}",
                                       "{\"a\":{\"S\":\"x\"},}",
                                       "{\"a\":{\"S\":\"x\\q\"}}",
                                       "{\"a\":{\"S\":\"x\\u12\"}}",
                                       "{\"a\":{\"S\":\"x\ny\"}}",
                                       "{a:{\"S\":\"x\"}}",
                                       "{\"a\":{\"L\":[{\"S\":\"x\"},]}}",
                                       "{\"a\":{\"S\":\"x\"}]"}) {
      EXPECT_THAT(refusal(raw, rules), Not(HasSubstr("accepted"))) << raw;
    }
  }
}

TEST(ItemJson, EveryPrefixIsRefused) {
  const std::string raw =
      R"({"a":{"S":"x\u00e9"},"l":{"L":[{"N":"12"},{"BOOL":true},{"NULL":true}]},"s":{"SS":["q"]}})";
  ASSERT_TRUE(parse_item(raw).has_value());
  for (std::size_t size = 0; size < raw.size(); ++size) {
    EXPECT_FALSE(parse_item(std::string_view(raw).substr(0, size)).has_value()) << size;
  }
}

TEST(ItemJson, LenientTakesWhatScyllaDbTakes) {
  EXPECT_EQ(reread(R"({"":{"S":"x"}})"), R"({"":{"S":"x"}})");
  EXPECT_EQ(reread(R"({"a":{"SS":["x","x"]}})"), R"({"a":{"SS":["x","x"]}})");
  EXPECT_EQ(reread(R"({"a":{"NULL":false}})"), R"({"a":{"NULL":true}})");
  EXPECT_EQ(reread(R"({"a":{"B":"#bad"}})"), R"({"a":{"B":""}})");
  EXPECT_EQ(reread("{\"\xff\":{\"S\":\"\xc3\x28\"}}"), "{\"\xff\":{\"S\":\"\xc3\x28\"}}");
  EXPECT_EQ(reread(R"({"a":{"S":"\ud800"}})"), "{\"a\":{\"S\":\"\xed\xa0\x80\"}}");
}

TEST(ItemJson, StrictRefusesItNamingTheAttribute) {
  EXPECT_EQ(refusal(R"({"":{"S":"x"}})", kStrict), "attribute \"\": an attribute's name must not be empty");
  EXPECT_EQ(refusal(R"({"a":{"SS":["secret","secret"]}})", kStrict),
            "attribute \"a\": the set has a member twice");
  EXPECT_EQ(refusal(R"({"a":{"NS":["1","1.0"]}})", kStrict), "attribute \"a\": the set has a member twice");
  EXPECT_EQ(refusal(R"({"a":{"NULL":false}})", kStrict), "attribute \"a\": NULL must be true");
  EXPECT_EQ(refusal(R"({"a":{"B":"#bad"}})", kStrict), "attribute \"a\": the value is not base64");
  EXPECT_EQ(refusal("{\"a\":{\"S\":\"\xc3\x28\"}}", kStrict), "attribute \"a\": the text is not valid UTF-8");
  EXPECT_EQ(refusal(R"({"a":{"S":"\ud800"}})", kStrict), "attribute \"a\": the text is not valid UTF-8");
  EXPECT_EQ(refusal("{\"\xff\":{\"S\":\"x\"}}", kStrict), "an attribute's name is not valid UTF-8");
}

TEST(ItemJson, LongNumbersAreRefusedInStrictModeAndKeptInLenient) {
  const std::string raw =
      R"({"m":{"M":{"price":{"L":[{"N":"1"},{"N":")" + std::string(200, '7') + R"("}]}}}})";
  EXPECT_EQ(reread(raw), raw);
  EXPECT_EQ(refusal(raw, kStrict),
            "attribute \"m\".\"price\"[1]: the number has more than 38 significant digits");
  EXPECT_EQ(refusal(R"({"a":{"N":"1E126"}})", kStrict),
            "attribute \"a\": the number is larger than 9.99…E+125, DynamoDB's largest");
  EXPECT_EQ(refusal(R"({"a":{"N":"1E-131"}})", kStrict),
            "attribute \"a\": the number is closer to zero than 1E-130, DynamoDB's smallest");
  EXPECT_EQ(refusal(R"({"a":{"N":"1E999999999"}})"),
            "attribute \"a\": not a number, or one of more than 10,000 characters");
}

TEST(ItemJson, MessagesNeverShowValues) {
  for (const std::string_view raw :
       {R"({"a":{"N":"SECRET"}})", R"({"a":{"BOOL":"SECRET"}})", R"({"a":{"SECRET":"x"}})",
        R"({"a":{"S":"SECRET)", R"({"a":{"S":"SECRET","N":"1"}})", R"({"a":{"S":"SECRET"}}SECRET)",
        R"({"a":{"SS":["SECRET",1]}})"}) {
    EXPECT_THAT(refusal(raw, kStrict), Not(HasSubstr("SECRET"))) << raw;
    EXPECT_THAT(refusal(raw), Not(HasSubstr("SECRET"))) << raw;
  }
  EXPECT_EQ(refusal(R"({"ab":{"S":5}})"), "attribute \"ab\": not DynamoDB JSON, at byte 11 of 14");
}

TEST(ItemJson, MessagesStayShort) {
  const std::string name(60'000, 'n');
  std::string raw = "{\"x\":{\"NULL\":5}}";
  for (int i = 0; i < 20; ++i) raw = "{\"" + name + "\":{\"M\":" + raw + "}}";
  EXPECT_LT(refusal(raw).size(), 1000u);
}

std::string nested(int levels) {
  std::string raw = R"({"S":"x"})";
  for (int i = 0; i < levels; ++i) raw = i % 2 ? "{\"L\":[" + raw + "]}" : "{\"M\":{\"k\":" + raw + "}}";
  return "{\"a\":" + raw + "}";
}

TEST(ItemJson, LimitsNesting) {
  EXPECT_TRUE(parse_item(nested(kMaxNesting), kStrict).has_value());
  EXPECT_THAT(refusal(nested(kMaxNesting + 1), kStrict), HasSubstr("nested deeper than 32 levels"));
  EXPECT_TRUE(parse_item(nested(kMaxParsedNesting)).has_value());
  EXPECT_FALSE(parse_item(nested(kMaxParsedNesting + 1)).has_value());
  EXPECT_FALSE(parse_item(nested(5'000), {.max_nesting = 1'000'000}).has_value());
}

std::string random_string(Random& random) {
  std::string out;
  for (auto i = random.below(6); i > 0; --i) {
    static constexpr std::string_view pieces[] = {"a", "\"", "\\", "\n", "é", "😀", "/", "u0041"};
    out += random.chance(0.1) ? std::string(1, '\0') : std::string(pieces[random.below(std::size(pieces))]);
  }
  return out;
}

Value random_value(Random& random, int depth) {
  const auto number = [&] {
    return *Number::parse(std::to_string(static_cast<std::int64_t>(random.next()) >> random.below(60)));
  };
  Value value;
  switch (random.below(depth > 0 ? 10 : 8)) {
    case 0:
      value.data = random_string(random);
      break;
    case 1:
      value.data = number();
      break;
    case 2:
      value.data = Binary{random_string(random)};
      break;
    case 3:
      value.data = random.chance(0.5);
      break;
    case 4:
      value.data = Null{};
      break;
    case 5:
      value.data = StringSet{{random_string(random), "!" + random_string(random) + "2"}};
      break;
    case 6:
      value.data = NumberSet{{number()}};
      break;
    case 7:
      value.data = BinarySet{{random_string(random)}};
      break;
    case 8: {
      List& list = value.data.emplace<List>();
      for (auto i = random.below(4); i > 0; --i) list.push_back(random_value(random, depth - 1));
      break;
    }
    default: {
      Map& map = value.data.emplace<Map>();
      for (auto i = random.below(4); i > 0; --i) map[random_string(random)] = random_value(random, depth - 1);
    }
  }
  return value;
}

TEST(ItemJsonProperties, WrittenItemsAreReadBackEqual) {
  Random random(3);
  for (int i = 0; i < 5'000; ++i) {
    Item item;
    for (auto n = random.below(6); n > 0; --n) item["k" + random_string(random)] = random_value(random, 4);
    const std::string json = to_json(item);
    const auto again = parse_item(json, kStrict);
    ASSERT_TRUE(again.has_value()) << json << ": " << again.error().message;
    ASSERT_TRUE(equal(*again, item)) << json;
    ASSERT_EQ(to_json(*again), json);
  }
}

}  // namespace
}  // namespace messina::item
