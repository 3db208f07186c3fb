#include "cli/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<CommandDoc> example() {
  CLI::App app("moves things", "messina");
  std::string text;
  bool flag = false;
  CLI::App* copy = app.add_subcommand("copy", "Copy it; don't ask");
  copy->add_option("SOURCE", text, "where from")->type_name("");
  copy->add_option("--state", text, "where the place is kept [none]")->type_name("DIR");
  copy->add_option("--rate", text, "how fast: units a second")->type_name("N");
  copy->add_flag("--json,-j", flag, "one object a line");
  copy->add_flag("--secret-switch", flag, "for tests")->group("");
  copy->footer("\n.starts with a dot\n  messina copy --state x\n");
  CLI::App* rejects = app.add_subcommand("rejects", "What was refused");
  rejects->add_subcommand("list", "Show them");
  app.add_subcommand("hidden", "for packagers")->group("");
  return describe_commands(app);
}

std::string made(std::string_view kind) {
  const auto text = generate(kind, example());
  EXPECT_TRUE(text.has_value());
  return text.value_or("");
}

TEST(Generate, DescribesWhatCanBeTyped) {
  const auto commands = example();
  std::vector<std::string> names;
  for (const CommandDoc& command : commands) names.push_back(command.name);
  EXPECT_EQ(names, (std::vector<std::string>{"", "copy", "rejects", "rejects list"}));
  ASSERT_EQ(commands[1].options.size(), 5u) << "--help too, the hidden one not";
  EXPECT_EQ(commands[1].options[1].value, "SOURCE");
  EXPECT_EQ(commands[1].options[2].value, "DIR");
  EXPECT_EQ(commands[1].options[4].names, (std::vector<std::string>{"--json", "-j"}));
  EXPECT_EQ(commands[1].options[4].value, "");
}

TEST(Generate, TheManualKeepsRoffsHandsOffTheText) {
  const std::string page = made("man");
  EXPECT_THAT(page, HasSubstr(".SS messina rejects list\n"));
  EXPECT_THAT(page, HasSubstr(".BR \\-\\-state \" \" DIR\n"));
  EXPECT_THAT(page, HasSubstr("\n\\&.starts with a dot\n"));
  EXPECT_THAT(page, Not(HasSubstr("secret")));
  EXPECT_THAT(page, Not(HasSubstr("hidden")));
}

TEST(Generate, CompletionsKnowCommandsFlagsAndFiles) {
  EXPECT_THAT(made("bash"), HasSubstr("\"copy\") words=\"--state --rate --help --json\""));
  EXPECT_THAT(made("bash"), HasSubstr("\"rejects\") words=\"--help list\""));
  EXPECT_THAT(made("bash"), HasSubstr("    --state) COMPREPLY=($(compgen -f"));
  EXPECT_THAT(made("zsh"), HasSubstr("'--state[where the place is kept \\[none\\]]:DIR:_files'"));
  EXPECT_THAT(made("zsh"), HasSubstr("'copy:Copy it; don'\\''t ask'"));
  EXPECT_THAT(made("fish"), HasSubstr("-n '__fish_seen_subcommand_from copy' -l rate -x"));
  EXPECT_THAT(made("fish"), HasSubstr("-n '__fish_seen_subcommand_from rejects' -a list -d 'Show them'"));
}

TEST(Generate, NamesWhatItCanMake) {
  const auto text = generate("csh", example());
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().kind, ErrorKind::usage);
  EXPECT_THAT(text.error().message, HasSubstr("man, bash, zsh, fish"));
}

}  // namespace
}  // namespace messina::cli
