#include "item/page.h"

#include <cstdlib>
#include <new>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "base/random.h"
#include "item/item_json.h"
#include "item/page_test_support.h"

// Allocations are counted, to prove that splitting makes none once it is warm. Not under a
// sanitizer that has its own operator new: that one must not be replaced by halves.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MESSINA_OWN_ALLOCATOR
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MESSINA_OWN_ALLOCATOR
#endif

#ifndef MESSINA_OWN_ALLOCATOR
static thread_local std::size_t allocations = 0;

void* operator new(std::size_t size) {
  ++allocations;
  if (void* const bytes = std::malloc(size == 0 ? 1 : size)) return bytes;
  throw std::bad_alloc();
}
void operator delete(void* bytes) noexcept { std::free(bytes); }
void operator delete(void* bytes, std::size_t) noexcept { std::free(bytes); }
#endif

namespace messina::item {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// Splits both ways, demands that they agree, and gives the result of the fast one.
Result<void> split_both(std::string_view body, PageSpans& spans) {
  static PageSplitter splitter;
  PageSpans bytewise;
  const auto slow = split_page_bytewise(body, bytewise);
  const auto fast = splitter.split(body, spans);
  EXPECT_EQ(fast.has_value(), slow.has_value()) << body;
  EXPECT_EQ(spans.items, bytewise.items) << body;
  EXPECT_EQ(spans.last_evaluated_key, bytewise.last_evaluated_key) << body;
  EXPECT_EQ(spans.consumed_capacity, bytewise.consumed_capacity) << body;
  EXPECT_EQ(spans.count, bytewise.count) << body;
  return fast;
}

std::string problem(std::string_view body) {
  const Slab bytes = slab(body);
  PageSpans spans;
  const auto done = split_both(bytes.view(), spans);
  if (done) return "accepted";
  EXPECT_EQ(done.error().kind, ErrorKind::corrupt);
  EXPECT_THAT(spans.items, IsEmpty());
  return done.error().message;
}

// With every type, escapes, white space and confusing names.
const std::string kPage =
    R"({"Items":[{"p":{"S":"a"},"Items":{"L":[{"S":"]}"},{"M":{}}]},"LastEvaluatedKey":{"M":{"p":{"S":"no"}}}} ,)"
    "\n"
    R"( { "p" : {"S":"b\"\\\u00e9\ud83d\ude00"}, "n":{"N":"-1.5"}, "t":{"BOOL":true},"z":{"NULL":true} })"
    "\t"
    R"(,{}],"Count":3,"ScannedCount":17,"LastEvaluatedKey":{"p":{"S":"b"},"c":{"N":"1"}},)"
    R"("ConsumedCapacity":{"TableName":"t","CapacityUnits":128.5,"Table":{"CapacityUnits":7}},)"
    R"("Other":[1,-2.5e+3,"x",{"y":null},[[]],false]})"
    " \n";

TEST(Page, FindsTheItems) {
  const Slab body = slab(kPage);
  PageSpans spans;
  ASSERT_TRUE(split_both(body.view(), spans).has_value());
  EXPECT_THAT(
      spans.items,
      ElementsAre(
          R"({"p":{"S":"a"},"Items":{"L":[{"S":"]}"},{"M":{}}]},"LastEvaluatedKey":{"M":{"p":{"S":"no"}}}})",
          R"({ "p" : {"S":"b\"\\\u00e9\ud83d\ude00"}, "n":{"N":"-1.5"}, "t":{"BOOL":true},"z":{"NULL":true} })",
          "{}"));
  EXPECT_EQ(spans.last_evaluated_key, R"({"p":{"S":"b"},"c":{"N":"1"}})");
  EXPECT_EQ(spans.count, 3u);
  EXPECT_EQ(spans.consumed_capacity, 128.5);
  for (const std::string_view item : spans.items) EXPECT_TRUE(parse_item(item).has_value()) << item;
}

TEST(Page, TakesMembersInAnyOrder) {
  const Slab body =
      slab(R"({"LastEvaluatedKey":{"p":{"S":"z"}},"x":{},"Count":1,"It\u0065ms":[{"p":{"S":"z"}}]})");
  PageSpans spans;
  ASSERT_TRUE(split_both(body.view(), spans).has_value());
  EXPECT_THAT(spans.items, ElementsAre(R"({"p":{"S":"z"}})"));
  EXPECT_EQ(spans.last_evaluated_key, R"({"p":{"S":"z"}})");
  EXPECT_EQ(spans.consumed_capacity, std::nullopt);
}

TEST(Page, ForgetsThePageBefore) {
  const Slab first = slab(kPage), second = slab(R"({"Items":[],"Count":0})");
  PageSpans spans;
  ASSERT_TRUE(split_both(first.view(), spans).has_value());
  ASSERT_TRUE(split_both(second.view(), spans).has_value());
  EXPECT_THAT(spans.items, IsEmpty());
  EXPECT_THAT(spans.last_evaluated_key, IsEmpty());
  EXPECT_EQ(spans.consumed_capacity, std::nullopt);
  EXPECT_EQ(spans.count, 0u);
}

TEST(Page, AcceptsACountWithoutItemsAndNullForAbsent) {
  EXPECT_EQ(problem(R"({"Count":12,"ScannedCount":12})"), "accepted");
  EXPECT_EQ(problem(R"({"Items":[],"LastEvaluatedKey":null,"Count":null,"ConsumedCapacity":null})"),
            "accepted");
  EXPECT_EQ(problem(R"({"Items":[],"ConsumedCapacity":{"CapacityUnits":null}})"), "accepted");
  EXPECT_EQ(problem(R"({"Items":[],"ConsumedCapacity":{}})"), "accepted");
}

TEST(Page, RefusesWhatIsNoPage) {
  EXPECT_EQ(problem("{}"), "the answer has neither Items nor Count");
  EXPECT_EQ(problem(R"({"__type":"x","message":"y"})"), "the answer has neither Items nor Count");
  EXPECT_EQ(problem(R"({"Items":null})"), "the answer has neither Items nor Count");
  EXPECT_EQ(problem(R"({"Items":{}})"), "the answer has Items that are no list");
  EXPECT_EQ(problem(R"({"Items":"x"})"), "the answer has Items that are no list");
  EXPECT_EQ(problem(R"({"Items":[1]})"), "the answer has an item that is no object");
  EXPECT_EQ(problem(R"({"Items":[null]})"), "the answer has an item that is no object");
  EXPECT_EQ(problem(R"({"Items":[{},[]]})"), "the answer has an item that is no object");
  EXPECT_EQ(problem(R"({"Items":[{}],"Items":[{}]})"), "the answer has Items twice");
  EXPECT_EQ(problem(R"({"Items":[],"LastEvaluatedKey":[]})"),
            "the answer has a LastEvaluatedKey that is no object");
  EXPECT_EQ(problem(R"({"Items":[],"LastEvaluatedKey":"x"})"),
            "the answer has a LastEvaluatedKey that is no object");
  EXPECT_EQ(problem(R"({"Items":[],"LastEvaluatedKey":{},"LastEvaluatedKey":{}})"),
            "the answer has LastEvaluatedKey twice");
  EXPECT_EQ(problem(R"({"Items":[],"Count":"1"})"), "the answer has a Count that is no count");
  EXPECT_EQ(problem(R"({"Items":[],"Count":-1})"), "the answer has a Count that is no count");
  EXPECT_EQ(problem(R"({"Items":[],"Count":1.5})"), "the answer has a Count that is no count");
  EXPECT_EQ(problem(R"({"Items":[],"Count":true})"), "the answer has a Count that is no count");
  EXPECT_EQ(problem(R"({"Items":[],"Count":99999999999999999999})"),
            "the answer has a Count that is no count");
  EXPECT_EQ(problem(R"({"Items":[],"ConsumedCapacity":[]})"),
            "the answer has a ConsumedCapacity that is no object");
  EXPECT_EQ(problem(R"({"Items":[],"ConsumedCapacity":{"CapacityUnits":"1"}})"),
            "the answer has CapacityUnits that are no number");
}

TEST(Page, RefusesWhatIsNoJson) {
  for (const std::string_view body : {"",
                                      " ",
                                      "[]",
                                      "null",
                                      "1",
                                      "\"Items\"",
                                      "{\"Items\":[]",
                                      "{\"Items\":[}",
                                      "{\"Items\":[]]",
                                      "{\"Items\":[]}}",
                                      "{\"Items\":[]}x",
                                      "{\"Items\":[]},",
                                      "{\"Items\":[],}",
                                      "{\"Items\":[{},]}",
                                      "{\"Items\":[{}{}]}",
                                      "{\"Items\":[{\"a\":]}]}",
                                      "{\"Items\":[{\"a\":{\"S\":\"x\"]}]}",
                                      "{\"Items\":[{\"a\"}]}",
                                      "{\"Items\":[{\"a\":tru}]}",
                                      "{\"Items\":[{\"a\":truex}]}",
                                      "{\"Items\":[{\"a\":01}]}",
                                      "{\"Items\":[{\"a\":1.}]}",
                                      "{\"Items\":[{\"a\":-}]}",
                                      "{\"Items\":[{\"a\":1e}]}",
                                      "{\"Items\":[{\"a\":true\"b\"}]}",
                                      "{\"Items\":[{\"a\":\"b\"c}]}",
                                      "{\"Items\":[{\"a\":\"b\"\"c\"}]}",
                                      "{\"Items\":[{a:1}]}",
                                      "{\"Items\":[{\"a\" \"b\"}]}",
                                      "{\"Items\":[{\"a\":\"\\q\"}]}",
                                      "{\"Items\":[{\"a\":\"\\u12g4\"}]}",
                                      "{\"Items\":[{\"a\":\"\\u12\"}]}",
                                      "{\"Items\":[{\"a\":\"x\ny\"}]}",
                                      "{\"Items\":[{\"a\":\"x\\\"}]}",
                                      "{\"Items\":[{\"a\"::1}]}",
                                      "{\"Items\":[{,}]}",
                                      "{,\"Items\":[]}",
                                      "\xef\xbb\xbf{\"Items\":[]}",
                                      "{\"Items\":[{\"a\":\\u0031}]}",
                                      "{\"Items\":[] \x0b}",
                                      "{'Items':[]}"}) {
    EXPECT_THAT(problem(body), StartsWith("the answer is not JSON")) << body;
  }
  EXPECT_THAT(problem(std::string_view("{\"Items\":[{\"a\":\0}]}", 19)),
              StartsWith("the answer is not JSON"));
  EXPECT_EQ(problem("{\"Items\":[{\"a\":tru}]}"), "the answer is not JSON, or was cut: byte 15 of 21");
}

TEST(Page, TakesBytesThatAreNotUtf8) {
  const Slab body = slab("{\"Items\":[{\"p\":{\"S\":\"\xff\xc3\x28\"}}],\"Count\":1}");
  PageSpans spans;
  ASSERT_TRUE(split_both(body.view(), spans).has_value());
  EXPECT_THAT(spans.items, ElementsAre("{\"p\":{\"S\":\"\xff\xc3\x28\"}}"));
}

TEST(Page, EveryPrefixIsRefused) {
  const Slab body = slab(kPage);
  const std::size_t whole = body.view().find_last_of('}') + 1;
  PageSpans spans;
  for (std::size_t size = 0; size < whole; ++size) {
    // The bytes behind the prefix are those that would complete it: nobody may look at them.
    const auto done = split_both(body.view().substr(0, size), spans);
    ASSERT_FALSE(done.has_value()) << size;
    ASSERT_THAT(done.error().message, StartsWith("the answer is not JSON, or was cut")) << size;
  }
  ASSERT_TRUE(split_both(body.view().substr(0, whole), spans).has_value());
}

TEST(Page, NestsDeepButNotWithoutEnd) {
  const auto nested = [](std::size_t levels) {
    return R"({"Items":[{"a":)" + std::string(levels, '[') + std::string(levels, ']') + "}]}";
  };
  EXPECT_EQ(problem(nested(500)), "accepted");
  EXPECT_THAT(problem(nested(700)), StartsWith("the answer is not JSON"));
  EXPECT_THAT(problem(nested(1'000'000)), StartsWith("the answer is not JSON"));
  EXPECT_THAT(problem(R"({"Items":[)" + std::string(1'000'000, '{')), StartsWith("the answer is not JSON"));
}

TEST(Page, TakesLargeAnswers) {
  const std::string item = R"({"p":{"S":")" + std::string(400'000, 'x') + R"("}})";
  std::string body = R"({"Items":[)";
  for (int i = 0; i < 160; ++i) (body += item) += i < 159 ? "," : "]}";
  ASSERT_GT(body.size(), std::size_t{60} << 20);
  const Slab bytes = slab(body);
  PageSpans spans;
  PageSplitter splitter;
  ASSERT_TRUE(splitter.split(bytes.view(), spans).has_value());
  ASSERT_EQ(spans.items.size(), 160u);
  EXPECT_EQ(spans.items.back(), item);
  EXPECT_FALSE(splitter.split(bytes.view().substr(0, body.size() - 1), spans).has_value());
}

#ifndef MESSINA_OWN_ALLOCATOR
TEST(Page, AllocatesNothingOnceWarm) {
  std::string body = R"({"Items":[)";
  for (int i = 0; i < 100; ++i) body += R"({"p":{"S":"k\n)" + std::to_string(i) + R"("},"n":{"N":"1"}},)";
  body.back() = ']';
  const Slab bytes = slab(body + R"(,"Count":100,"ConsumedCapacity":{"CapacityUnits":0.5}})");
  PageSplitter splitter;
  PageSpans spans;
  ASSERT_TRUE(splitter.split(bytes.view(), spans).has_value());
  const std::size_t before = allocations;
  const bool again = splitter.split(bytes.view(), spans).has_value();
  const std::size_t during = allocations - before;
  EXPECT_TRUE(again);
  EXPECT_EQ(spans.items.size(), 100u);
  EXPECT_EQ(during, 0u);
}
#endif

TEST(Page, MovesAndIsUsedAgain) {
  const Slab body = slab(kPage);
  PageSpans spans;
  PageSplitter first;
  ASSERT_TRUE(first.split(body.view(), spans).has_value());
  PageSplitter second = std::move(first);
  ASSERT_TRUE(second.split(body.view(), spans).has_value());
  EXPECT_EQ(spans.items.size(), 3u);
}

// simdjson's DOM parser as a judge that shares none of our grammar. It is stricter in a few ways that are no
// damage to a page: numbers that fit no machine type, bytes that are not UTF-8, halves of surrogate pairs.
void judge(std::string_view body) {
  static simdjson::dom::parser dom;
  PageSpans spans;
  const auto done = split_both(body, spans);
  simdjson::dom::element document;
  const auto verdict = dom.parse(body.data(), body.size(), false).get(document);
  if (!done) {
    if (done.error().message.starts_with("the answer is not JSON")) {
      ASSERT_TRUE(verdict || !document.is_object()) << "refused, but it is JSON: " << body;
    }
    return;
  }
  if (verdict == simdjson::NUMBER_ERROR || verdict == simdjson::UTF8_ERROR ||
      verdict == simdjson::STRING_ERROR)
    return;
  ASSERT_EQ(verdict, simdjson::SUCCESS) << "accepted: " << body;
  std::vector<simdjson::dom::element> items;
  for (const auto [name, value] : simdjson::dom::object(document)) {
    if (name != "Items" || !value.is_array()) continue;
    for (const auto item : simdjson::dom::array(value)) items.push_back(item);
  }
  ASSERT_EQ(items.size(), spans.items.size()) << body;
  static simdjson::dom::parser item_dom;
  for (std::size_t i = 0; i < spans.items.size(); ++i) {
    const std::string expected = simdjson::minify(items[i]);
    const auto item = item_dom.parse(spans.items[i].data(), spans.items[i].size());
    ASSERT_EQ(simdjson::minify(item), expected);
    ASSERT_TRUE(spans.items[i].starts_with('{') && spans.items[i].ends_with('}'));
  }
}

TEST(PageProperties, RandomDamageIsJudgedAsSimdjsonDoes) {
  Random random(5);
  static constexpr std::string_view alphabet = "{}[]:,\"\\ \ntfn01-.eEu/x\x01\x80\xff";
  for (int i = 0; i < 30'000; ++i) {
    std::string damaged = kPage;
    for (auto n = 1 + random.below(3); n > 0; --n) {
      const auto at = random.below(damaged.size());
      switch (random.below(4)) {
        case 0:
          damaged[at] = alphabet[random.below(alphabet.size())];
          break;
        case 1:
          damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.below(8)));
          break;
        case 2:
          damaged.erase(at, 1 + random.below(3));
          break;
        default:
          damaged.insert(at, 1, alphabet[random.below(alphabet.size())]);
      }
    }
    const Slab bytes = slab(damaged);
    judge(bytes.view());
    if (HasFatalFailure()) return;
  }
}

TEST(PageProperties, RandomTokensAreJudgedAsSimdjsonDoes) {
  Random random(6);
  static constexpr std::string_view tokens[] = {
      "{",    "}", "[",        "]",  ":",  ",",  "\"a\"", "\"Items\"", "\"Count\"",    "1",  "true",
      "null", " ", "\"\\\\\"", "\"", "\\", "{}", "[]",    "\"a\":",    "{\"Items\":[", "]}", "-0.5e1"};
  for (int i = 0; i < 50'000; ++i) {
    std::string body = random.chance(0.7) ? "{\"Items\":[" : "";
    for (auto n = random.below(8); n > 0; --n) body += tokens[random.below(std::size(tokens))];
    if (random.chance(0.7)) body += "]}";
    const Slab bytes = slab(body);
    judge(bytes.view());
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace messina::item
