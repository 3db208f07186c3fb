#include "base/log.h"

#include <string>

#include <gtest/gtest.h>

namespace messina::log {
namespace {

std::string written(bool json, std::string_view message) {
  std::string lines;
  init(spdlog::level::info, json);
  set_writer([&lines](std::string_view line) { lines += line; });
  info("{}", message);
  debug("left out");
  set_writer({});
  return lines;
}

TEST(Log, EscapesMessagesInJson) {
  const std::string line = written(true, "a \"quoted\" \\ word\nand \xff a byte");
  EXPECT_TRUE(line.starts_with("{\"event\":\"log\",\"time\":\"2")) << line;
  EXPECT_TRUE(line.ends_with(
      "Z\",\"level\":\"info\",\"message\":\"a \\\"quoted\\\" \\\\ word\\nand \xEF\xBF\xBD a byte\"}\n"))
      << line;
}

TEST(Log, WritesPlainLines) {
  const std::string line = written(false, "hello");
  EXPECT_TRUE(line.ends_with(" info: hello\n")) << line;
}

TEST(ValidUtf8, KeepsWhatIsValid) {
  EXPECT_EQ(valid_utf8("aé€😀"), "aé€😀");
  EXPECT_EQ(valid_utf8("\xC0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(valid_utf8("x\xE2\x82"), "x\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace messina::log
