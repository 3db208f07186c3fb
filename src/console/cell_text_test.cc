#include "console/cell_text.h"

#include <gtest/gtest.h>

#include "console/progress_text.h"

namespace messina::console {
namespace {

TEST(CellText, ShowsWhatATerminalWouldObeyOrHide) {
  EXPECT_EQ(printable("plain, ä€😀"), "plain, ä€😀");
  EXPECT_EQ(printable("\x1b[2J\r\n\t\x7f"), "\\u001b[2J\\u000d\\u000a\\u0009\\u007f");
  EXPECT_EQ(printable("a\xC2\x9B"
                      "b"),
            "a\\u009bb")
      << "a C1 control character";
  EXPECT_EQ(printable("user\u202Egnp"), "user\\u202egnp") << "turns the line's direction";
  EXPECT_EQ(printable("a\u200Bb\uFEFF"), "a\\u200bb\\ufeff") << "not to be seen";
  EXPECT_EQ(printable("a\xff\xC3"), "a\uFFFD\uFFFD");
}

TEST(CellText, CutsBetweenCharacters) {
  EXPECT_EQ(clipped("äöüß", 4), "äöüß");
  EXPECT_EQ(clipped("äöüßx", 4), "äöü…");
  EXPECT_EQ(clipped("äöüßx", 4, 1), "…üßx");
  EXPECT_EQ(clipped("0123456789", 4, 3), "…45…");
  EXPECT_EQ(clipped("0123456789", 4, 6), "…789");
  EXPECT_EQ(clipped("0123", 4, 9), "…") << "as much as there is";
  EXPECT_EQ(clipped("", 4, 9), "");
  for (std::size_t from = 0; from < 12; ++from)
    for (std::size_t width = 3; width < 12; ++width)
      EXPECT_LE(columns(clipped("äöüßäöüß€€", width, from)), width) << from << " " << width;
}

TEST(CellText, CountsWhatIsAlike) {
  EXPECT_EQ(columns_alike("abc", "abd"), 2u);
  EXPECT_EQ(columns_alike("abc", "abc"), 3u);
  EXPECT_EQ(columns_alike("abc", "abcd"), 3u);
  EXPECT_EQ(columns_alike("aä", "aö"), 1u) << "their first bytes are alike";
  EXPECT_EQ(columns_alike("", "a"), 0u);
}

TEST(CellText, PadsByColumns) {
  EXPECT_EQ(padded("äö", 4), "äö  ");
  EXPECT_EQ(padded("abcd", 2), "abcd");
}

}  // namespace
}  // namespace messina::console
