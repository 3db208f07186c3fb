#include "plan/tables.h"

#include <gtest/gtest.h>

namespace messina::plan {
namespace {

TableChoice choice_of(std::vector<std::string> names) {
  TableChoice choice;
  for (std::string& name : names) {
    choice.entries.emplace_back().table = std::move(name);
    choice.entries.back().from = "--tables";
  }
  return choice;
}

std::string text_of(const Result<std::vector<ChosenTable>>& chosen) {
  if (!chosen) return chosen.error().message;
  std::string text;
  for (const ChosenTable& table : *chosen)
    text += (text.empty() ? "" : " ") + table.source + ">" + table.target;
  return text;
}

TEST(Tables, PatternsMatchAsInAShell) {
  EXPECT_TRUE(matches("orders*", "orders"));
  EXPECT_TRUE(matches("orders*", "orders_2024"));
  EXPECT_FALSE(matches("orders*", "my_orders"));
  EXPECT_TRUE(matches("*orders*", "my_orders_2"));
  EXPECT_TRUE(matches("a*b*c", "aXbXbXc"));
  EXPECT_FALSE(matches("a*b*c", "aXbXb"));
  EXPECT_TRUE(matches("log-??", "log-07"));
  EXPECT_FALSE(matches("log-??", "log-7"));
  EXPECT_TRUE(matches("*", "x"));
  EXPECT_FALSE(matches("Orders", "orders"));
  EXPECT_TRUE(matches("a**", "a"));
  EXPECT_FALSE(matches("?", ""));
}

TEST(Tables, AreChosenInTheOrderOfTheEntriesAndEachOnce) {
  const std::vector<std::string> all = {"b1", "a2", "a1", "zz"};
  EXPECT_EQ(text_of(choose_tables(choice_of({"zz", "a*", "*1"}), all)), "zz>zz a1>a1 a2>a2 b1>b1");
  TableChoice choice = choice_of({"*"});
  choice.exclude = {"a*", "zz"};
  choice.target_name = "{table}_v2";
  EXPECT_EQ(text_of(choose_tables(choice, all)), "b1>b1_v2");
  // A name needs no listing.
  EXPECT_EQ(text_of(choose_tables(choice_of({"not-listed"}), {})), "not-listed>not-listed");
}

TEST(Tables, EntriesHaveNamesOfTheirOwn) {
  TableChoice choice = choice_of({"orders", "log*"});
  choice.entries[0].target = "bestellungen";
  choice.entries[1].target = "old_{table}";
  choice.entries[1].segments = 3;
  choice.entries[1].drops.emplace().insert("x");
  const std::vector<std::string> all = {"log1"};
  const auto chosen = choose_tables(choice, all);
  EXPECT_EQ(text_of(chosen), "orders>bestellungen log1>old_log1");
  CopyPlan common;
  common.transform.renames.emplace("a", "b");
  common.segments = 7;
  const CopyPlan first = plan_for(common, choice, (*chosen)[0]),
                 second = plan_for(common, choice, (*chosen)[1]);
  EXPECT_EQ(first.source.table, "orders");
  EXPECT_EQ(first.target.table, "bestellungen");
  EXPECT_EQ(first.segments, 7u);
  EXPECT_EQ(second.segments, 3u);
  EXPECT_EQ(second.transform.renames.at("a"), "b");
  EXPECT_TRUE(second.transform.drops.contains("x"));
}

TEST(Tables, MistakesAreNamed) {
  const std::vector<std::string> all = {"a1", "a2"};
  EXPECT_EQ(text_of(choose_tables(choice_of({"b*"}), all)),
            "--tables: none of the source's 2 tables matches \"b*\"");
  TableChoice same = choice_of({"a*"});
  same.entries[0].target = "one";
  EXPECT_EQ(text_of(choose_tables(same, all)),
            "tables \"a1\" and \"a2\" would both become \"one\" on the target: give names that differ, with "
            "--target-name '{table}…' or \"target\" in the plan");
  TableChoice none = choice_of({"a*"});
  none.exclude = {"*"};
  EXPECT_EQ(text_of(choose_tables(none, all)),
            "every table that was named is excluded: name others, or exclude fewer");
  EXPECT_EQ(check_target_name("copy").error().message,
            "\"copy\" lacks {table}: without it all tables would have one name");
  EXPECT_FALSE(check_target_name("{table}/x"));
  EXPECT_FALSE(check_target_name("{table}*"));
  EXPECT_FALSE(parse_table_list("a,,b"));
  EXPECT_FALSE(parse_table_list(""));
  EXPECT_FALSE(parse_table_list("a/b"));
  EXPECT_EQ(parse_table_list("a*, b").value(), (std::vector<std::string>{"a*", "b"}));
  EXPECT_EQ(parse_table_order("nam").error().message,
            "\"nam\" is not one of size, name and given, did you mean \"name\"?");
}

TEST(Tables, TheBiggestGoFirst) {
  const std::vector<ChosenTable> tables = {{"c", "c"}, {"a", "a"}, {"b", "b"}, {"d", "d"}};
  const std::vector<std::optional<std::uint64_t>> sizes = {5, std::nullopt, 9, 5};
  EXPECT_EQ(order_tables(tables, TableOrder::size, sizes), (std::vector<std::size_t>{2, 0, 3, 1}));
  EXPECT_EQ(order_tables(tables, TableOrder::name, sizes), (std::vector<std::size_t>{1, 2, 0, 3}));
  EXPECT_EQ(order_tables(tables, TableOrder::given, sizes), (std::vector<std::size_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace messina::plan
