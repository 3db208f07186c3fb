#include "base/json_text.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace messina {
namespace {

TEST(JsonText, EscapesWhatJsonWantsEscaped) {
  EXPECT_EQ(json_string("plain"), R"("plain")");
  EXPECT_EQ(json_string("a\"b\\c\n\t\r\b\f"), R"("a\"b\\c\n\t\r\b\f")");
  EXPECT_EQ(json_string(std::string_view("\0\x1f", 2)), R"("\u0000\u001f")");
}

TEST(JsonText, IsReadBackTheSame) {
  std::string every;
  for (int c = 0; c < 128; ++c) every.push_back(static_cast<char>(c));
  every += "ü€😀";
  EXPECT_EQ(boost::json::parse(json_string(every)).as_string(), every);
}

}  // namespace
}  // namespace messina
