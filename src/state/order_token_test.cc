#include "state/order_token.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace messina::state {
namespace {

OrderToken token(std::string_view text) { return OrderToken::parse(text).value(); }

TEST(OrderToken, ComparesAsNumbersWhateverTheLength) {
  EXPECT_LT(token("999999999999999999999"), token("1000000000000000000000"));
  EXPECT_LT(token("100000000000000000000000000000000000000"),
            token("9999999999999999999999999999999999999999"));
  EXPECT_LT(token("1100000000017454423009"), token("1100000000017454423010"));
  EXPECT_EQ(token("000000000000000000000300000000000000000"), token("300000000000000000"));
  EXPECT_GT(token("1"), token("000000000000000000000"));
  EXPECT_EQ(token("000000000000000000000"), OrderToken());
}

TEST(OrderToken, RefusesWhatIsNoNumber) {
  for (const std::string_view text :
       {std::string_view(), std::string_view("12a"), std::string_view("-1"), std::string_view(" 1"),
        std::string_view("1.0"), std::string_view("10000000000000000000000000000000000000000")}) {
    EXPECT_FALSE(OrderToken::parse(text)) << text;
  }
  EXPECT_TRUE(OrderToken::parse(std::string(OrderToken::kMaxDigits, '9')));
}

TEST(OrderToken, OrdersAsTextFilledUpWithZerosDoes) {
  Random random(17);
  const auto draw = [&random] {
    std::string text(21 + random.below(20), '0');
    for (char& c : text) c = static_cast<char>('0' + random.below(10));
    if (random.chance(0.3)) text.replace(0, 5, "00000");
    return text;
  };
  const auto filled = [](const std::string& text) { return std::string(40 - text.size(), '0') + text; };
  for (int i = 0; i < 10'000; ++i) {
    const std::string a = draw();
    const std::string b = random.chance(0.1) ? "0" + a.substr(0, 39) : draw();
    EXPECT_EQ(token(a) <=> token(b), filled(a) <=> filled(b)) << a << " " << b;
  }
}

}  // namespace
}  // namespace messina::state
