#include "item/key.h"

#include <algorithm>
#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "item/compare.h"
#include "item/item_json.h"

namespace messina::item {
namespace {

const KeySchema kHash{{"p", Type::S}, std::nullopt};
const KeySchema kHashRange{{"p", Type::S}, KeyAttribute{"c", Type::N}};

std::string found(std::string_view raw, const KeySchema& schema) {
  const auto key = find_key(raw, schema);
  return key ? key_json(*key, schema) : key.error().message;
}

TEST(KeyText, NumbersStayAsTheyAreWritten) {
  const KeySchema number{{"p", Type::N}, KeyAttribute{"c", Type::N}};
  const auto text = [&](std::string_view raw) { return key_text(raw, number).value_or("none"); };
  EXPECT_EQ(text(R"({"c":{"N":"-1.50E-7"},"x":{"S":"y"},"p":{"N":"1e3"}})"),
            R"({"p":{"N":"1e3"},"c":{"N":"-1.50E-7"}})");
  EXPECT_EQ(text(R"({ "p" : { "N" : "1000.0" } , "c":{"N":"0"}})"), R"({"p":{"N":"1000.0"},"c":{"N":"0"}})");
  // What is escaped in a number is not worth more than its value.
  EXPECT_EQ(text(R"({"p":{"N":"\u0031e3"},"c":{"N":"1"}})"), R"({"p":{"N":"1000"},"c":{"N":"1"}})");
  EXPECT_EQ(key_text(R"({"p":{"S":"\u00e9"},"c":{"N":"1e1"}})", kHashRange),
            "{\"p\":{\"S\":\"\xc3\xa9\"},\"c\":{\"N\":\"1e1\"}}");
  EXPECT_EQ(key_text(R"({"p":{"S":"\"1\""},"c":{"N":"1"}})", kHashRange),
            R"({"p":{"S":"\"1\""},"c":{"N":"1"}})");
  KeySchema names = kHashRange;
  names.partition.name = "P\"";
  names.sort->name = "q";
  EXPECT_EQ(KeyReader(kHashRange, names).text(R"({"c":{"N":"1e1"},"p":{"S":"c"}})"),
            R"({"P\"":{"S":"c"},"q":{"N":"1e1"}})");
  EXPECT_EQ(key_text(R"({"p":{"N":"x"},"c":{"N":"1"}})", number).error().kind, ErrorKind::refused);
  EXPECT_EQ(key_text(R"({"p":{"N":"1"}})", number).error().kind, ErrorKind::refused);
}

// What is copied must be what is parsed, however a key is written.
TEST(KeyReaderProperties, GivesWhatTheParsedKeyGives) {
  Random random(23);
  const auto one_of = [&](std::initializer_list<std::string_view> texts) {
    return std::string(texts.begin()[random.below(texts.size())]);
  };
  const auto space = [&] { return random.chance(0.1) ? one_of({" ", "\n\t", "  "}) : std::string(); };
  const auto inside = [&](Type type) {
    std::string text;
    if (type == Type::N)
      return one_of({"0", "-0", "1000", "1e3", "1E+3", "-1.50e-7", ".5", "5.", "x", "", "1e99999", "\\u0031",
                     "00012.3400"});
    if (type == Type::B) return one_of({"", "AA==", "AP8A", "QUI=", "!", "Q\\u0055I=", "QU"});
    for (auto i = random.below(12); i > 0; --i)
      text += one_of({"a", "}", "\xc3\xa9", "\xff", "\\u0000", "\\n", "\\\"", "\\\\", "\\u00e9", "\\ud800",
                      "\x7f", "{\\\"S\\\":", "/", "\\/"});
    return text;
  };
  const auto value = [&](Type wanted) {
    const Type type = random.chance(0.95) ? wanted : Type::S;
    std::string text = "{" + space() + '"' + std::string(to_string(type)) + '"' + space() + ":" + space() +
                       '"' + inside(type) + '"' + space();
    if (random.chance(0.03)) text += R"(,"N":"1")";
    return text + "}";
  };
  int good = 0;
  for (int i = 0; i < 50'000; ++i) {
    const auto type = [&] { return std::array{Type::S, Type::N, Type::B}[random.below(3)]; };
    KeySchema schema{{"p", type()}, std::nullopt}, names{{"P\"", Type::S}, std::nullopt};
    if (random.chance(0.5)) {
      schema.sort = KeyAttribute{"c", type()};
      names.sort = KeyAttribute{"d", Type::S};
    }
    std::string raw =
        (random.chance(0.5) ? R"({"x":{"S":"p"},"p":)" : R"({"p":)") + value(schema.partition.type);
    if (schema.sort)
      raw += (random.chance(0.2) ? R"(,"y":{"M":{}},"c":)" : R"(,"c":)") + value(schema.sort->type);
    raw += random.chance(0.5) ? R"(,"z":{"N":"1"}})" : "}";
    std::string text, bytes, bytes_alone;
    const KeyReader reader(schema, names);
    const Result<void> read = reader.append(raw, &text, &bytes);
    const Result<Key> parsed = find_key(raw, schema);
    ASSERT_EQ(read.has_value(), parsed.has_value()) << raw;
    if (!parsed) {
      ASSERT_EQ(read.error().message, parsed.error().message) << raw;
      continue;
    }
    ++good;
    ASSERT_EQ(bytes, key_bytes(*parsed)) << raw;
    ASSERT_TRUE(reader.append(raw, nullptr, &bytes_alone));
    ASSERT_EQ(bytes_alone, bytes);
    // The text names the same key, with its numbers as they were written.
    KeySchema named = schema;
    named.partition.name = names.partition.name;
    if (schema.sort) named.sort->name = names.sort->name;
    const Result<Key> back = find_key(text, named);
    ASSERT_TRUE(back) << text;
    ASSERT_EQ(key_bytes(*back), bytes) << text;
    const bool numbers = schema.partition.type == Type::N || (schema.sort && schema.sort->type == Type::N);
    if (!numbers) {
      ASSERT_EQ(text, key_json(*parsed, named));
    }
  }
  EXPECT_GT(good, 20'000);
}

TEST(FindKey, FindsTheKeyWherever) {
  EXPECT_EQ(found(R"({"p":{"S":"a"},"x":{"S":"b"}})", kHash), R"({"p":{"S":"a"}})");
  EXPECT_EQ(
      found(R"( { "x":{"M":{"p":{"S":"no"},"c":{"N":"9"}}}, "c" : {"N":"1e1"} ,"p":{"S":"a"}})", kHashRange),
      R"({"p":{"S":"a"},"c":{"N":"10"}})");
  EXPECT_EQ(found(R"({"\u0070":{"S":"a"},"p":{"S":"later"}})", kHash), R"({"p":{"S":"a"}})");
  EXPECT_EQ(found(R"({"pp":{"S":"no"},"":{"S":"no"},"p":{"S":"a\n"}})", kHash), R"({"p":{"S":"a\n"}})");
  EXPECT_EQ(found("{\"x\":{\"S\":\"\xff\"},\"p\":{\"S\":\"\xfe\"}}", kHash), "{\"p\":{\"S\":\"\xfe\"}}");
}

TEST(FindKey, StopsBehindTheKey) {
  EXPECT_EQ(found(R"({"c":{"N":"1"},"p":{"S":"a"},"rest": not read)", kHashRange),
            R"({"p":{"S":"a"},"c":{"N":"1"}})");
}

TEST(FindKey, NamesWhatIsWrong) {
  EXPECT_EQ(found(R"({"x":{"S":"a"}})", kHash), R"(key attribute "p" is missing)");
  EXPECT_EQ(found(R"({"p":{"S":"a"}})", kHashRange), R"(key attribute "c" is missing)");
  EXPECT_EQ(found(R"({"p":{"N":"1"}})", kHash), R"(key attribute "p" is of type N, not S)");
  EXPECT_EQ(found(R"({"p":{"S":"SECRET","N":"1"}})", kHash),
            R"(key attribute "p": the value has more than one type)");
  EXPECT_EQ(found(R"({"x":{"S":"a"},"p)", kHash), "the item is not DynamoDB JSON");
  EXPECT_EQ(found("[]", kHash), "the item is not DynamoDB JSON");
  EXPECT_EQ(found("", kHash), "the item is not DynamoDB JSON");
  EXPECT_EQ(find_key("{}", kHash).error().kind, ErrorKind::refused);
}

TEST(KeyOf, AgreesWithFindKey) {
  const std::string raw = R"({"x":{"BOOL":true},"c":{"N":"-3"},"p":{"S":"a"}})";
  const auto item = parse_item(raw);
  EXPECT_EQ(key_bytes(*key_of(*item, kHashRange)), key_bytes(*find_key(raw, kHashRange)));
  EXPECT_EQ(key_of(*item, {{"x", Type::S}, {}}).error().message,
            R"(key attribute "x" is of type BOOL, not S)");
  EXPECT_EQ(key_of(*item, {{"y", Type::S}, {}}).error().message, R"(key attribute "y" is missing)");
  EXPECT_EQ(key_of(*item, {{"p", Type::S}, KeyAttribute{"y", Type::S}}).error().message,
            R"(key attribute "y" is missing)");
}

Value text(std::string bytes) { return Value{std::move(bytes)}; }
Value binary(std::string bytes) { return Value{Binary{std::move(bytes)}}; }
Value number(std::string_view digits) { return Value{*Number::parse(digits)}; }

TEST(KeyBytes, EqualNumbersHaveEqualBytes) {
  for (const std::string_view same : {"1000", "1e3", "1E+3", "1000.0", "01000"}) {
    EXPECT_EQ(key_bytes({number(same), {}}), key_bytes({number("1000"), {}})) << same;
  }
}

TEST(KeyBytes, NoTwoPairsRunIntoEachOther) {
  std::vector<std::string> all;
  const std::vector<Value> parts = {text(""),
                                    text(std::string(1, '\0')),
                                    text(std::string(2, '\0')),
                                    text("S"),
                                    text(std::string("\0S", 2)),
                                    text(std::string("\0\xff", 2)),
                                    text("a"),
                                    text("ab"),
                                    text("b"),
                                    binary(""),
                                    binary("S"),
                                    binary(std::string(1, '\0')),
                                    number("0"),
                                    number("1"),
                                    number("-1"),
                                    number("1e-9000"),
                                    number("-1e9000"),
                                    text("N\x80")};
  for (const Value& partition : parts) {
    all.push_back(key_bytes({partition, {}}));
    for (const Value& sort : parts) all.push_back(key_bytes({partition, sort}));
  }
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
}

TEST(KeyBytes, RefusesOtherTypes) { EXPECT_THROW(key_bytes({Value{true}, {}}), std::invalid_argument); }

std::strong_ordering sign(std::partial_ordering order) {
  return order < 0   ? std::strong_ordering::less
         : order > 0 ? std::strong_ordering::greater
                     : std::strong_ordering::equal;
}

TEST(KeyBytesProperties, OrdersAsTheValuesDo) {
  Random random(11);
  const auto random_bytes = [&] {
    std::string bytes;
    for (auto i = random.below(5); i > 0; --i) {
      static constexpr unsigned char alphabet[] = {0, 1, 'a', 0xfe, 0xff};
      bytes.push_back(static_cast<char>(alphabet[random.below(5)]));
    }
    return bytes;
  };
  const auto random_number = [&] {
    std::string digits = random.chance(0.5) ? "-" : "";
    for (auto i = 1 + random.below(5); i > 0; --i) digits += "0159"[random.below(4)];
    return number(digits + "e" + std::to_string(static_cast<int>(random.below(7)) - 3));
  };
  for (int i = 0; i < 30'000; ++i) {
    const auto kind = random.below(3);
    const auto pick = [&] {
      return kind == 0 ? text(random_bytes()) : kind == 1 ? binary(random_bytes()) : random_number();
    };
    const Key a{pick(), pick()}, b{random.chance(0.5) ? a.partition : pick(), pick()};
    const auto by_partition = sign(compare(a.partition, b.partition));
    const auto expected = by_partition != 0 ? by_partition : sign(compare(*a.sort, *b.sort));
    ASSERT_EQ(key_bytes(a) <=> key_bytes(b), expected) << key_json(a, kHashRange) << key_json(b, kHashRange);
  }
}

}  // namespace
}  // namespace messina::item
