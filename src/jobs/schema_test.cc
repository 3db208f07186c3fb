#include "jobs/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using endpoints::Index;
using endpoints::TableDescription;
using endpoints::TableStatus;
using item::Type;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TableDescription movies() {
  TableDescription table;
  table.name.value = "movies";
  table.key = {{"title", Type::S}, item::KeyAttribute{"year", Type::N}};
  Index by_year;
  by_year.name = "by_year";
  by_year.key = {{"year", Type::N}, {}};
  by_year.projection = "KEYS_ONLY";
  Index by_rating;
  by_rating.name = "by_rating";
  by_rating.key = {{"title", Type::S}, item::KeyAttribute{"rating", Type::N}};
  by_rating.global = false;
  by_rating.projection = "INCLUDE";
  by_rating.projected = {"director", "secret"};
  table.indexes = {by_year, by_rating};
  table.tags = {
      {"team", "films"}, {"aws:cloudformation:stack-name", "x"}, {"system:ttl_attribute", "expires"}};
  table.ttl_attribute = "expires";
  table.stream_view_type = "NEW_IMAGE";
  return table;
}

std::vector<std::string> texts(const std::vector<SchemaNote>& notes) {
  std::vector<std::string> out;
  for (const SchemaNote& note : notes) out.push_back(note.text);
  return out;
}

SchemaOptions to_dynamodb() {
  SchemaOptions options;
  options.target_is_alternator = false;
  return options;
}

TEST(WantedTable, CarriesKeysIndexesAndTagsButNoTtl) {
  const TableDescription wanted = wanted_table(movies(), {"films"}, to_dynamodb());
  EXPECT_EQ(wanted.name.value, "films");
  EXPECT_EQ(wanted.key, movies().key);
  EXPECT_EQ(wanted.indexes.size(), 2u);
  EXPECT_EQ(wanted.tags, (std::map<std::string, std::string>{{"team", "films"}}));
  EXPECT_FALSE(wanted.ttl_attribute);
  EXPECT_FALSE(wanted.stream_view_type);
}

TEST(WantedTable, RenamesEverywhereAndDropsProjections) {
  SchemaOptions options = to_dynamodb();
  options.transform.renames = {{"title", "name"}, {"director", "by"}};
  options.transform.drops = {"secret"};
  const TableDescription wanted = wanted_table(movies(), {"films"}, options);
  EXPECT_EQ(wanted.key.partition.name, "name");
  EXPECT_EQ(wanted.indexes[1].key.partition.name, "name");
  EXPECT_THAT(wanted.indexes[1].projected, ElementsAre("by"));
}

TEST(WantedTable, AlternatorGetsAWriteIsolation) {
  SchemaOptions options;
  TableDescription source = movies();
  EXPECT_EQ(wanted_table(source, {"m"}, options).tags.at("system:write_isolation"), "only_rmw_uses_lwt");
  source.tags["system:write_isolation"] = "always";
  EXPECT_EQ(wanted_table(source, {"m"}, options).tags.at("system:write_isolation"), "always");
  options.write_isolation = "forbid";
  EXPECT_EQ(wanted_table(source, {"m"}, options).tags.at("system:write_isolation"), "forbid");
  EXPECT_FALSE(wanted_table(source, {"m"}, to_dynamodb()).tags.contains("system:write_isolation"));
}

TEST(CompareTables, EqualTablesNeedNoNote) {
  const TableDescription wanted = wanted_table(movies(), {"movies"}, to_dynamodb());
  EXPECT_THAT(compare_tables(wanted, wanted, to_dynamodb()), IsEmpty());
}

TEST(CompareTables, AnotherKeyStops) {
  const TableDescription wanted = wanted_table(movies(), {"movies"}, to_dynamodb());
  TableDescription actual = wanted;
  actual.key.sort.reset();
  const std::vector<SchemaNote> notes = compare_tables(wanted, actual, to_dynamodb());
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_EQ(notes[0].level, SchemaNote::Level::stop);
  EXPECT_THAT(notes[0].text,
              HasSubstr("the target's key is \"title\" (S), it should be \"title\" (S), \"year\" (N)"));
}

TEST(CompareTables, NamesWhatIsMissing) {
  const TableDescription wanted = wanted_table(movies(), {"movies"}, to_dynamodb());
  TableDescription actual = wanted;
  actual.indexes.clear();
  actual.tags.clear();
  actual.on_demand = false;
  actual.ttl_attribute = "expires";
  const std::vector<std::string> notes = texts(compare_tables(wanted, actual, to_dynamodb()));
  EXPECT_THAT(notes, Contains(HasSubstr("index \"by_year\" is missing")));
  EXPECT_THAT(notes, Contains(HasSubstr(
                         "local index \"by_rating\" is missing on the target, and a local index cannot "
                         "be added to a table later")));
  EXPECT_THAT(notes, Contains(HasSubstr("tag \"team\" is missing")));
  EXPECT_THAT(notes, Contains(HasSubstr("billing mode: on-demand on the source, provisioned on the target")));
  EXPECT_THAT(notes, Contains(HasSubstr("TTL by attribute \"expires\" is enabled on the target")));
}

TEST(CompareTables, NamesProjectionsThatBecomeAll) {
  const SchemaOptions options;
  const TableDescription wanted = wanted_table(movies(), {"movies"}, options);
  const std::vector<std::string> notes = texts(compare_tables(wanted, wanted, options));
  EXPECT_THAT(notes,
              ElementsAre("index \"by_year\": projection KEYS_ONLY becomes ALL",
                          "local index \"by_rating\": projection INCLUDE (director, secret) becomes ALL"));
}

TEST(CompareTables, AnAlternatorShowsTheTablesOwnKeyBehindThatOfAnIndex) {
  TableDescription wanted = wanted_table(movies(), {"movies"}, SchemaOptions());
  wanted.indexes.resize(1);
  wanted.indexes[0].projection = "ALL";
  wanted.indexes[0].key = {{"genre", Type::S}, {}};
  const auto with_sort = [&](item::KeyAttribute sort, const SchemaOptions& options) {
    TableDescription actual = wanted;
    actual.indexes[0].key.sort = std::move(sort);
    return texts(compare_tables(wanted, actual, options));
  };
  EXPECT_THAT(with_sort({"title", Type::S}, SchemaOptions()), IsEmpty());
  EXPECT_THAT(with_sort({"year", Type::N}, SchemaOptions()), IsEmpty());
  EXPECT_THAT(with_sort({"rating", Type::N}, SchemaOptions()), Contains(HasSubstr("has the key")));
  EXPECT_THAT(with_sort({"title", Type::S}, to_dynamodb()), Contains(HasSubstr("has the key")));

  TableDescription actual = wanted;
  wanted.indexes[0].key.sort = item::KeyAttribute{"rating", Type::N};
  actual.indexes[0].key.sort = item::KeyAttribute{"title", Type::S};
  EXPECT_THAT(texts(compare_tables(wanted, actual, SchemaOptions())), Contains(HasSubstr("has the key")));
}

TEST(CheckStatus, NamesTheStateAndTheWayOut) {
  TableDescription table = movies();
  EXPECT_TRUE(check_status(table, "table \"movies\"", "source"));
  table.status = TableStatus::updating;
  EXPECT_TRUE(check_status(table, "table \"movies\"", "source"));
  const auto error = [&table](TableStatus status) {
    table.status = status;
    table.status_text = "STRANGE";
    return check_status(table, "table \"movies\"", "target").error();
  };
  EXPECT_EQ(error(TableStatus::creating).kind, ErrorKind::busy);
  EXPECT_EQ(error(TableStatus::deleting).message,
            "table \"movies\" is being deleted: wait for it to go, or choose another target");
  EXPECT_THAT(error(TableStatus::archived).message, HasSubstr("is archived"));
  EXPECT_THAT(error(TableStatus::inaccessible_key).message, HasSubstr("encryption key"));
  EXPECT_THAT(error(TableStatus::other).message, HasSubstr("STRANGE"));
}

}  // namespace
}  // namespace messina::jobs
