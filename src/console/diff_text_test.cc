#include "console/diff_text.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "console/progress_text.h"
#include "jobs/difference_text.h"

namespace messina::console {
namespace {

using state::KeyNote;
using state::Verdict;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

/// As the judge writes it.
KeyNote differs(const std::string& source, const std::string& target) {
  item::ItemComparer comparer;
  const auto places = comparer.differences(source, target, jobs::kMostPlaces);
  return {.key = R"({"id":{"S":"a"}})",
          .verdict = Verdict::differs,
          .cause = jobs::cause_of(Verdict::differs, places),
          .places = jobs::to_json(places),
          .source = source,
          .target = target,
          .judged_unix_ms = 1'700'000'000'000};
}

KeyNote some_difference() {
  return differs(R"({"id":{"S":"a"},"n":{"N":"2"},"gone":{"BOOL":true},"address":{"M":{"zip":{"S":"1"},)"
                 R"("lines":{"L":[{"S":"x"},{"S":"y"},{"S":"z"}]}}}})",
                 R"({"n":{"N":"1"},"id":{"S":"a"},"new":{"B":"AAE="},"address":{"M":{"zip":{"S":"1"},)"
                 R"("lines":{"L":[{"S":"x"},{"S":"y"},{"S":"q"}]}}}})");
}

TEST(DiffText, OneLineADifference) {
  EXPECT_EQ(diff_line({.key = R"({"id":{"S":"a"}})",
                       .verdict = Verdict::differs,
                       .cause = "`updated_at` older on target"}),
            "differs    {\"id\":{\"S\":\"a\"}}  `updated_at` older on target\n");
  EXPECT_EQ(diff_line({.key = R"({"id":{"S":"a"}})", .verdict = Verdict::unsettled}),
            "unsettled  {\"id\":{\"S\":\"a\"}}\n");
  EXPECT_EQ(diff_line({.key = "{\"id\":{\"S\":\"a\x7f\u202E\"}}", .verdict = Verdict::extra}),
            "extra      {\"id\":{\"S\":\"a\\u007f\\u202e\"}}\n");
}

TEST(DiffText, GroupsHaveExamples) {
  const std::vector<state::NoteGroup> groups = {
      {Verdict::differs, "`a` differs", 1'204, R"({"id":{"S":"a"}})"},
      {Verdict::missing, "only on source", 3, R"({"id":{"S":"b"}})"}};
  EXPECT_EQ(diff_groups_text(groups),
            "1,204 items: `a` differs, such as {\"id\":{\"S\":\"a\"}}\n"
            "    3 items: only on source, such as {\"id\":{\"S\":\"b\"}}\n");
  HmacKey key("secret");
  EXPECT_THAT(diff_groups_text(groups, &key),
              testing::MatchesRegex("1,204 items: `a` differs, such as key [0-9a-f]+\n"
                                    " +3 items: only on source, such as key [0-9a-f]+\n"));
  EXPECT_EQ(diff_groups_text({}), "");
}

TEST(DiffText, ShowsBothSidesOfAnItem) {
  EXPECT_EQ(diff_item_text(some_difference(), 80),
            "differs    {\"id\":{\"S\":\"a\"}}  4 attributes differ\n"
            "judged 2023-11-14T22:13:20.000Z\n"
            "  attribute         source         target\n"
            "~ address.lines[2]  {\"S\":\"z\"}      {\"S\":\"q\"}\n"
            "  address.lines     (2 equal)      (2 equal)\n"
            "  address           (1 equal)      (1 equal)\n"
            "- gone              {\"BOOL\":true}\n"
            "  id                {\"S\":\"a\"}      {\"S\":\"a\"}\n"
            "~ n                 {\"N\":\"2\"}      {\"N\":\"1\"}\n"
            "+ new                              {\"B\":\"AAE=\"}\n");
}

TEST(DiffText, ShowsTheOneSideThatHasAnItem) {
  KeyNote note{
      .key = "{}", .verdict = Verdict::missing, .cause = "only on source", .source = R"({"a":{"N":"1"}})"};
  EXPECT_EQ(diff_item_text(note, 80),
            "missing    {}  only on source\n"
            "  attribute  source     target\n"
            "- a          {\"N\":\"1\"}\n");
  note.verdict = Verdict::extra;
  std::swap(note.source, note.target);
  EXPECT_THAT(diff_item_text(note, 80), EndsWith("\n+ a                  {\"N\":\"1\"}\n"));
}

TEST(DiffText, KeepsToItsColumnsAndShowsThePlaceThatDiffers) {
  const std::string alike(300, 'x'), longer(100, 'y');
  const auto item = [&](const char* middle, const char* value) {
    return R"({"text":{"S":")" + alike + middle + longer + R"("},"a_name_that_is_far_too_long":{"S":")" +
           value + R"("}})";
  };
  const KeyNote note = differs(item("ä", "€"), item("ö", "é"));
  for (const std::size_t width : {0u, 40u, 60u, 79u, 120u, 200u}) {
    const std::string text = diff_item_text(note, width);
    SCOPED_TRACE(text);
    std::size_t lines = 0;
    for (std::size_t at = text.find("  attribute"); at < text.size(); ++lines) {
      const std::size_t end = text.find('\n', at);
      EXPECT_LE(columns(std::string_view(text).substr(at, end - at)), std::max<std::size_t>(width, 40));
      at = end + 1;
    }
    EXPECT_EQ(lines, 3u);
    EXPECT_THAT(text, HasSubstr("xxä"));
    EXPECT_THAT(text, HasSubstr("xxö"));
    EXPECT_THAT(text, HasSubstr("…xx"));
    EXPECT_THAT(text, HasSubstr("far_too_long"));
  }
}

TEST(DiffText, LetsNoValueDisturbTheTerminal) {
  const KeyNote note = differs("{\"a\":{\"S\":\"\\u001b[2J\x7f\u202E\xff\"}}", R"({"a":{"S":"b"}})");
  const std::string text = diff_item_text(note, 120);
  EXPECT_THAT(text, HasSubstr("~ a          {\"S\":\"\\u001b[2J\\u007f\\u202e\uFFFD\"}  {\"S\":\"b\"}\n"));
}

TEST(DiffText, WhatIsNoItemIsShownAsItIs) {
  EXPECT_THAT(diff_item_text(differs("{\"a\":1}", R"({"a":{"S":"b"}})"), 80),
              EndsWith("\n~ (no item)  {\"a\":1}  {\"a\":{\"S\":\"b\"}}\n"));
}

TEST(DiffText, SaysWhyItemsAreNotThere) {
  KeyNote note = some_difference();
  note.source.clear();
  note.target.clear();
  EXPECT_EQ(diff_item_text(note, 80),
            "differs    {\"id\":{\"S\":\"a\"}}  4 attributes differ\n"
            "judged 2023-11-14T22:13:20.000Z\n"
            "the items were not kept: too much differed; to see them, verify this key alone\n"
            "~ address.lines[2]\n"
            "- gone\n"
            "~ n\n"
            "+ new\n");
  EXPECT_EQ(diff_item_text({.key = "{}"}, 80), "suspect    {}\nit is still to be judged\n");
  EXPECT_THAT(diff_item_text({.key = "{}", .verdict = Verdict::rejected}, 80),
              EndsWith("\nno items are kept of such a key\n"));
}

TEST(DiffEvent, HoldsBothItems) {
  const auto event = boost::json::parse(diff_event(WallTime(), some_difference()));
  EXPECT_EQ(event.at("event"), "difference");
  EXPECT_EQ(event.at("key"), boost::json::parse(R"({"id":{"S":"a"}})"));
  EXPECT_TRUE(event.at("key_hash").is_null());
  EXPECT_EQ(event.at("places").at(0),
            boost::json::parse(R"({"path":"address.lines[2]","kind":"value","target":"less"})"));
  EXPECT_EQ(event.at("source").at("n"), boost::json::parse(R"({"N":"2"})"));
  EXPECT_EQ(event.at("target").at("n"), boost::json::parse(R"({"N":"1"})"));
}

TEST(DiffEvent, IsOneLineOfJsonWhateverAnItemHolds) {
  const std::string line = diff_event(
      WallTime(), {.key = "{}", .verdict = Verdict::missing, .source = "{\"a\":\n{\"S\":\"\xff\"}}\r\n"});
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  EXPECT_EQ(boost::json::parse(line).at("source").at("a").at("S"), "\uFFFD");
  EXPECT_TRUE(boost::json::parse(line).at("target").is_null());
}

TEST(DiffEvent, RedactedItHasNeitherKeysNorValues) {
  KeyNote note =
      differs(R"({"id":{"S":"KEY"},"v":{"S":"SECRET-1"}})", R"({"id":{"S":"KEY"},"v":{"S":"SECRET-2"}})");
  note.key = R"({"id":{"S":"KEY"}})";
  HmacKey one("one"), other("other");
  const std::string line = diff_event(WallTime(), note, &one);
  for (const std::string& text : {line, diff_line(note, &one)}) {
    EXPECT_THAT(text, Not(HasSubstr("KEY")));
    EXPECT_THAT(text, Not(HasSubstr("SECRET")));
    EXPECT_THAT(text, HasSubstr("`v` greater on target"));
  }
  const auto event = boost::json::parse(line);
  EXPECT_TRUE(event.at("key").is_null() && event.at("source").is_null() && event.at("target").is_null());
  EXPECT_EQ(event.at("places").at(0).at("path"), "v");
  // `printf '{"id":{"S":"KEY"}}' | openssl dgst -sha256 -hmac one`
  EXPECT_EQ(event.at("key_hash"), "c5fdd0d11da38428");
  EXPECT_EQ(diff_line(note, &one), diff_line(note, &one));
  EXPECT_NE(diff_line(note, &one), diff_line(note, &other));
}

}  // namespace
}  // namespace messina::console
