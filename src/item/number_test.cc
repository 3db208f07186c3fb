#include "item/number.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/random.h"

namespace messina::item {
namespace {

Number number(std::string_view text) {
  const auto parsed = Number::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(Number());
}

std::string rendered(std::string_view text) { return number(text).to_string(); }

TEST(Number, RendersPlainDecimals) {
  EXPECT_EQ(rendered("0"), "0");
  EXPECT_EQ(rendered("-0"), "0");
  EXPECT_EQ(rendered("-0.000e7"), "0");
  EXPECT_EQ(rendered("1000"), "1000");
  EXPECT_EQ(rendered("1e3"), "1000");
  EXPECT_EQ(rendered("1E+3"), "1000");
  EXPECT_EQ(rendered("1000.0"), "1000");
  EXPECT_EQ(rendered("-0.5"), "-0.5");
  EXPECT_EQ(rendered("-.5"), "-0.5");
  EXPECT_EQ(rendered("+5."), "5");
  EXPECT_EQ(rendered("007"), "7");
  EXPECT_EQ(rendered("12345e-2"), "123.45");
  EXPECT_EQ(rendered("12345e-5"), "0.12345");
  EXPECT_EQ(rendered("12345e-7"), "0.0012345");
  EXPECT_EQ(rendered("1E-130"), "0." + std::string(129, '0') + "1");
  EXPECT_EQ(rendered("9.9999999999999999999999999999999999999E+125"),
            std::string(38, '9') + std::string(88, '0'));
  EXPECT_EQ(rendered("0e999999999999999999999"), "0");
}

TEST(Number, RefusesWhatIsNoNumber) {
  for (const std::string_view text :
       {"",    "+",   "-",    ".",     "-.",  "e5",  ".e5",  "1e",  "1e+",      "1e5.",  "1e5e5", " 1", "1 ",
        "1 0", "1,0", "1..0", "1.0.0", "--1", "+-1", "0x10", "NaN", "Infinity", "1_000", "1f",    "١"}) {
    EXPECT_FALSE(Number::parse(text).has_value()) << text;
  }
  EXPECT_FALSE(Number::parse(std::string_view("1\0", 2)).has_value());
}

TEST(Number, KeepsDynamoDbsLimits) {
  const auto dynamodb = [](std::string_view text) {
    return Number::parse(text, Number::Limits::dynamodb).has_value();
  };
  const std::string digits38 = "12345678901234567890123456789012345678";
  EXPECT_TRUE(dynamodb(digits38));
  EXPECT_FALSE(dynamodb(digits38 + "9"));
  EXPECT_TRUE(dynamodb(digits38 + "0"));
  EXPECT_TRUE(dynamodb("0.000" + digits38));
  EXPECT_TRUE(dynamodb("-9.9999999999999999999999999999999999999E+125"));
  EXPECT_FALSE(dynamodb("1E+126"));
  EXPECT_FALSE(dynamodb("-1E126"));
  EXPECT_TRUE(dynamodb("1E-130"));
  EXPECT_FALSE(dynamodb("9.9E-131"));
  EXPECT_TRUE(dynamodb("0E-500"));

  EXPECT_EQ(number("1E126").misfit(), Number::Misfit::overflow);
  EXPECT_EQ(number("-1E-131").misfit(), Number::Misfit::underflow);
  EXPECT_EQ(number(digits38 + "9").misfit(), Number::Misfit::digits);
  EXPECT_EQ(number("1").misfit(), Number::Misfit::none);
}

TEST(Number, ReadsLongNumbersLenientlyUpToABound) {
  const std::string digits200(200, '7');
  EXPECT_EQ(rendered(digits200), digits200);
  EXPECT_FALSE(Number::parse(digits200, Number::Limits::dynamodb).has_value());
  EXPECT_EQ(rendered("1E-131").size(), 133u);  // as ScyllaDB 5.2 renders it

  EXPECT_TRUE(Number::parse("1E9999").has_value());
  EXPECT_FALSE(Number::parse("1E10000").has_value());
  EXPECT_FALSE(Number::parse("-1E9999").has_value());  // 10,001 characters with the sign
  EXPECT_TRUE(Number::parse("1E-9998").has_value());
  EXPECT_FALSE(Number::parse("1E-9999").has_value());
  EXPECT_FALSE(Number::parse("1E999999999999999999999999").has_value());
  EXPECT_FALSE(Number::parse("1E-999999999999999999999999").has_value());
  EXPECT_TRUE(Number::parse(std::string(10'000, '1')).has_value());
  EXPECT_FALSE(Number::parse(std::string(10'001, '1')).has_value());
}

TEST(Number, AddsAndSubtractsExactly) {
  EXPECT_EQ((number("1") + number("2")).to_string(), "3");
  EXPECT_EQ((number("999") + number("1")).to_string(), "1000");
  EXPECT_EQ((number("0.1") + number("0.2")).to_string(), "0.3");
  EXPECT_EQ((number("-5") + number("5")).to_string(), "0");
  EXPECT_EQ((number("-5") + number("3")).to_string(), "-2");
  EXPECT_EQ((number("5") - number("7.5")).to_string(), "-2.5");
  EXPECT_EQ((number("0") - number("7")).to_string(), "-7");
  EXPECT_EQ((number("0") - number("0")), Number());
  EXPECT_EQ((number("1E30") + number("1E-30")).to_string(),
            "1" + std::string(30, '0') + "." + std::string(29, '0') + "1");
  EXPECT_EQ((number("1E30") - number("1E-30")).to_string(),
            std::string(30, '9') + "." + std::string(30, '9'));
}

TEST(Number, SizeFollowsTheDigits) {
  EXPECT_EQ(number("0").size_bytes(), 1u);
  EXPECT_EQ(number("1").size_bytes(), 2u);
  EXPECT_EQ(number("12").size_bytes(), 2u);
  EXPECT_EQ(number("1200").size_bytes(), 2u);
  EXPECT_EQ(number("123").size_bytes(), 3u);
  EXPECT_EQ(number("-123").size_bytes(), 4u);
}

// Random texts of the whole grammar, within DynamoDB's limits.
std::string random_text(Random& random) {
  std::string text = random.chance(0.5) ? "-" : random.chance(0.2) ? "+" : "";
  const auto count = 1 + random.below(38);
  const auto point = random.chance(0.5) ? random.below(count + 1) : count + 1;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i == point) text += '.';
    text += random.chance(0.4) ? '0' : static_cast<char>('0' + random.below(10));
  }
  if (random.chance(0.5)) {
    text += random.chance(0.5) ? "e" : "E";
    const auto exponent = static_cast<int>(random.below(160)) - 80;
    if (exponent >= 0 && random.chance(0.5)) text += '+';
    text += std::to_string(exponent);
  }
  return text;
}

// A naive decimal: 250 digits before and 250 behind the point, filled from the text by moving the point.
struct Naive {
  bool negative = false;
  std::string digits = std::string(500, '0');

  explicit Naive(std::string text) {
    negative = text[0] == '-';
    if (text[0] == '-' || text[0] == '+') text.erase(0, 1);
    int shift = 0;
    if (const auto e = text.find_first_of("eE"); e != std::string::npos) {
      shift = std::stoi(text.substr(e + 1));
      text.resize(e);
    }
    auto point = text.find('.');
    if (point == std::string::npos) {
      point = text.size();
    } else {
      text.erase(point, 1);
    }
    const auto first = static_cast<std::size_t>(250 - shift - static_cast<int>(point));
    digits.replace(first, text.size(), text);
    if (digits.find_first_not_of('0') == std::string::npos) negative = false;
  }
  bool operator<(const Naive& other) const {
    if (negative != other.negative) return negative;
    return negative ? other.digits < digits : digits < other.digits;
  }
};

TEST(NumberProperties, RenderedTextGivesTheNumberBack) {
  Random random(20261122);
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = random_text(random);
    const Number x = number(text);
    const auto again = Number::parse(x.to_string());
    ASSERT_TRUE(again.has_value()) << text;
    ASSERT_EQ(*again, x) << text;
    ASSERT_EQ(again->to_string(), x.to_string()) << text;
    ASSERT_EQ(std::count(text.begin(), text.end(), '-') > 0 && text[0] == '-' && !x.is_zero(), x.negative())
        << text;
  }
}

TEST(NumberProperties, OrdersAsANaiveDecimalDoes) {
  Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::string a = random_text(random);
    // Often a near relative, so that equal and almost equal values are met.
    std::string b = random.chance(0.5) ? random_text(random) : number(a).to_string();
    if (random.chance(0.3)) b[b.size() - 1] = static_cast<char>('0' + random.below(10));
    const Naive x(a), y(b);
    const auto expected = x < y   ? std::strong_ordering::less
                          : y < x ? std::strong_ordering::greater
                                  : std::strong_ordering::equal;
    ASSERT_EQ(number(a) <=> number(b), expected) << a << " and " << b;
    ASSERT_EQ(number(a) == number(b), expected == std::strong_ordering::equal) << a << " and " << b;
  }
}

TEST(NumberProperties, AdditionAndSubtractionUndoEachOther) {
  Random random(42);
  for (int i = 0; i < 20'000; ++i) {
    const Number a = number(random_text(random)), b = number(random_text(random));
    ASSERT_EQ((a + b) - b, a) << a.to_string() << " and " << b.to_string();
    ASSERT_EQ((a - b) + b, a) << a.to_string() << " and " << b.to_string();
    ASSERT_EQ(a + b, b + a);
    ASSERT_EQ((a - b) <=> Number(), a <=> b);
  }
}

TEST(NumberProperties, SumsAgreeWithMachineIntegers) {
  Random random(99);
  for (int i = 0; i < 20'000; ++i) {
    const auto pick = [&] {
      const auto bound = std::uint64_t{1} << (1 + random.below(61));
      const auto magnitude = static_cast<std::int64_t>(random.below(bound));
      return random.chance(0.5) ? -magnitude : magnitude;
    };
    const std::int64_t a = pick(), b = pick();
    const Number x = number(std::to_string(a)), y = number(std::to_string(b));
    ASSERT_EQ((x + y).to_string(), std::to_string(a + b));
    ASSERT_EQ((x - y).to_string(), std::to_string(a - b));
  }
}

}  // namespace
}  // namespace messina::item
