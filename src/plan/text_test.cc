#include "plan/text.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace messina::plan {
namespace {

using namespace std::string_literals;

TEST(Utf8, AcceptsEveryLengthAndRefusesWhatRfc3629Refuses) {
  EXPECT_FALSE(invalid_utf8_at("aé€😀"));
  EXPECT_FALSE(invalid_utf8_at("\x00"s));
  EXPECT_EQ(invalid_utf8_at("ab\xff"), 2u);
  EXPECT_EQ(invalid_utf8_at("\xc0\x80"), 0u) << "overlong NUL";
  EXPECT_EQ(invalid_utf8_at("\xe0\x80\x80"), 0u) << "overlong";
  EXPECT_EQ(invalid_utf8_at("\xed\xa0\x80"), 0u) << "surrogate";
  EXPECT_EQ(invalid_utf8_at("\xf4\x90\x80\x80"), 0u) << "above U+10FFFF";
  EXPECT_EQ(invalid_utf8_at("x\xe2\x82"), 1u) << "cut";
}

TEST(Shown, HidesWhatATerminalMustNotGet) {
  EXPECT_EQ(shown("orders"), "\"orders\"");
  EXPECT_EQ(shown("or\0ders"s), "\"or\\x00ders\"");
  EXPECT_EQ(shown("a\xff\"b\\\x1b[2J"), "\"a\\xff\\\"b\\\\\\x1b[2J\"");
  EXPECT_EQ(shown("\xc2\x9b"), "\"\\xc2\\x9b\"") << "C1 control";
  EXPECT_EQ(shown("é"), "\"é\"");
  EXPECT_EQ(shown(std::string(200, 'x')).size(), 80 + 2 + std::string("…").size());
}

TEST(Nearest, FindsTypingErrorsAndNothingElse) {
  const std::vector<std::string> known{"segments", "skipSegments", "source", "target"};
  EXPECT_EQ(nearest("segmnets", known), "segments");
  EXPECT_EQ(nearest("sorce", known), "source");
  EXPECT_EQ(nearest("banana", known), std::nullopt);
  EXPECT_EQ(did_you_mean("tarqet", known), ", did you mean \"target\"?");
  EXPECT_EQ(did_you_mean("x", known), "");
  EXPECT_EQ(edit_distance("ab", "ba"), 1u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

}  // namespace
}  // namespace messina::plan
