#include "endpoints/table_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::endpoints {
namespace {

using item::Type;

TEST(DescribeTable, DynamoDb) {
  const auto table = parse_describe_table(R"({"Table":{
    "AttributeDefinitions":[{"AttributeName":"p","AttributeType":"S"},{"AttributeName":"c","AttributeType":"N"},
                            {"AttributeName":"g","AttributeType":"B"}],
    "TableName":"orders","KeySchema":[{"AttributeName":"p","KeyType":"HASH"},{"AttributeName":"c","KeyType":"RANGE"}],
    "TableStatus":"ACTIVE","CreationDateTime":1.5E9,
    "ProvisionedThroughput":{"NumberOfDecreasesToday":0,"ReadCapacityUnits":5,"WriteCapacityUnits":6},
    "TableSizeBytes":123456789012,"ItemCount":7,"TableArn":"arn:aws:dynamodb:us-east-1:1:table/orders","TableId":"id-1",
    "GlobalSecondaryIndexes":[{"IndexName":"by_g","KeySchema":[{"AttributeName":"g","KeyType":"HASH"}],
      "Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["x","y"]},"IndexStatus":"ACTIVE",
      "ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":2}}],
    "StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}}})");
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_EQ(table->name.value, "orders");
  EXPECT_EQ(table->id, "id-1");
  EXPECT_EQ(table->status, TableStatus::active);
  EXPECT_EQ(table->key, (item::KeySchema{{"p", Type::S}, item::KeyAttribute{"c", Type::N}}));
  EXPECT_FALSE(table->on_demand);
  EXPECT_EQ(table->read_capacity, 5u);
  EXPECT_EQ(table->write_capacity, 6u);
  EXPECT_EQ(table->size_bytes, 123456789012u);
  EXPECT_EQ(table->item_count, 7u);
  EXPECT_EQ(table->stream_view_type, "NEW_IMAGE");
  ASSERT_EQ(table->indexes.size(), 1u);
  EXPECT_EQ(table->indexes[0].key.partition, (item::KeyAttribute{"g", Type::B}));
  EXPECT_THAT(table->indexes[0].projected, testing::ElementsAre("x", "y"));
  EXPECT_EQ(table->indexes[0].write_capacity, 2u);
}

// As recorded from ScyllaDB 6.2.
TEST(DescribeTable, Alternator) {
  const auto table = parse_describe_table(
      R"({"Table":{"TableName":"indexed","TableStatus":"ACTIVE","TableArn":"arn:scylla:alternator:alternator_indexed:scylla:table/indexed","TableId":"4133ade0-e664-11f1-b7b4-a797e6ded641","BillingModeSummary":{"BillingMode":"PAY_PER_REQUEST","LastUpdateToPayPerRequestDateTime":1795345369},"ProvisionedThroughput":{"ReadCapacityUnits":0,"WriteCapacityUnits":0,"NumberOfDecreasesToday":0},"CreationDateTime":1795345369,"KeySchema":[{"AttributeName":"p","KeyType":"HASH"},{"AttributeName":"c","KeyType":"RANGE"}],"LocalSecondaryIndexes":[{"IndexName":"lindex","IndexArn":"a","KeySchema":[{"AttributeName":"p","KeyType":"HASH"},{"AttributeName":"l","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}],"AttributeDefinitions":[{"AttributeName":"l","AttributeType":"N"},{"AttributeName":"c","AttributeType":"N"},{"AttributeName":"p","AttributeType":"S"}]}})");
  ASSERT_TRUE(table.has_value()) << table.error().message;
  EXPECT_TRUE(table->on_demand);
  EXPECT_FALSE(table->size_bytes);
  ASSERT_EQ(table->indexes.size(), 1u);
  EXPECT_FALSE(table->indexes[0].global);
  EXPECT_EQ(table->indexes[0].key.sort->name, "l");
}

// ScyllaDB writes the table's own key behind that of a global index; the index's sort key comes first.
TEST(DescribeTable, TheFirstSortKeyOfAnIndexIsItsOwn) {
  const auto table = parse_describe_table(
      R"({"Table":{"TableName":"t","TableStatus":"ACTIVE","KeySchema":[{"AttributeName":"p","KeyType":"HASH"}],)"
      R"("GlobalSecondaryIndexes":[{"IndexName":"i","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},)"
      R"({"AttributeName":"r","KeyType":"RANGE"},{"AttributeName":"p","KeyType":"RANGE"}]}],)"
      R"("AttributeDefinitions":[{"AttributeName":"g","AttributeType":"S"},{"AttributeName":"r","AttributeType":"N"},)"
      R"({"AttributeName":"p","AttributeType":"S"}]}})");
  ASSERT_TRUE(table.has_value()) << table.error().message;
  ASSERT_EQ(table->indexes.size(), 1u);
  EXPECT_EQ(table->indexes[0].key, (item::KeySchema{{"g", Type::S}, item::KeyAttribute{"r", Type::N}}));
}

TEST(DescribeTable, Statuses) {
  EXPECT_EQ(table_status("CREATING"), TableStatus::creating);
  EXPECT_EQ(table_status("UPDATING"), TableStatus::updating);
  EXPECT_EQ(table_status("DELETING"), TableStatus::deleting);
  EXPECT_EQ(table_status("ARCHIVED"), TableStatus::archived);
  EXPECT_EQ(table_status("INACCESSIBLE_ENCRYPTION_CREDENTIALS"), TableStatus::inaccessible_key);
  EXPECT_EQ(table_status("REPLICATION_NOT_AUTHORIZED"), TableStatus::other);
}

TEST(DescribeTable, SaysWhatIsMissing) {
  const auto why = [](std::string_view body) {
    const auto table = parse_describe_table(body);
    EXPECT_FALSE(table.has_value());
    EXPECT_EQ(table.error().kind, ErrorKind::corrupt);
    return table.error().message;
  };
  EXPECT_EQ(why("<html>"), "it is no JSON object");
  EXPECT_EQ(why("[]"), "it is no JSON object");
  EXPECT_EQ(why("{}"), "it has no \"Table\"");
  EXPECT_EQ(why(R"({"Table":{}})"), "it names no partition key");
  EXPECT_EQ(why(R"({"Table":{"KeySchema":[{"AttributeName":"p","KeyType":"HASH"}]}})"),
            "the key attribute \"p\" has no definition");
}

TEST(TimeToLive, OnlyWhenEnabled) {
  EXPECT_EQ(
      parse_time_to_live(R"({"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"exp"}})")
          .value(),
      "exp");
  EXPECT_EQ(parse_time_to_live(R"({"TimeToLiveDescription":{"TimeToLiveStatus":"DISABLED"}})").value(),
            std::nullopt);
  EXPECT_FALSE(parse_time_to_live("{}").has_value());
}

TEST(Tags, PageByPage) {
  std::map<std::string, std::string> tags;
  EXPECT_EQ(parse_tags(R"({"Tags":[{"Key":"a","Value":"1"}],"NextToken":"more"})", tags), "more");
  EXPECT_EQ(parse_tags(R"({"Tags":[{"Key":"b","Value":""}]})", tags), "");
  EXPECT_THAT(tags, testing::ElementsAre(std::pair("a", "1"), std::pair("b", "")));
  EXPECT_EQ(list_tags_request("arn:x", ""), R"({"ResourceArn":"arn:x"})");
  EXPECT_EQ(list_tags_request("arn:x", "t\""), R"({"ResourceArn":"arn:x","NextToken":"t\""})");
}

TableDescription wanted() {
  TableDescription table;
  table.name.value = "orders";
  table.key = {{"p", Type::S}, item::KeyAttribute{"c", Type::N}};
  return table;
}

TEST(CreateTable, OnDemandWithTags) {
  auto table = wanted();
  table.tags = {{"owner", "\xC3\xA9quipe"}, {"system:write_isolation", "only_rmw_uses_lwt"}};
  table.ttl_attribute = "exp";
  table.stream_view_type = "NEW_IMAGE";
  EXPECT_EQ(
      create_table_request(table),
      "{\"TableName\":\"orders\",\"AttributeDefinitions\":[{\"AttributeName\":\"p\",\"AttributeType\":\"S\"},"
      "{\"AttributeName\":\"c\",\"AttributeType\":\"N\"}],"
      "\"KeySchema\":[{\"AttributeName\":\"p\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"c\",\"KeyType\":"
      "\"RANGE\"}],"
      "\"BillingMode\":\"PAY_PER_REQUEST\","
      "\"Tags\":[{\"Key\":\"owner\",\"Value\":\"\xC3\xA9quipe\"},"
      "{\"Key\":\"system:write_isolation\",\"Value\":\"only_rmw_uses_lwt\"}]}");
}

TEST(CreateTable, ProvisionedWithIndexes) {
  auto table = wanted();
  table.key.sort.reset();
  table.on_demand = false;
  table.read_capacity = 5;
  table.write_capacity = 6;
  Index by_g{"by_g", {{"g", Type::B}, item::KeyAttribute{"p", Type::S}}, true, "INCLUDE", {"x", "y"}, 1, 2};
  Index by_h{"by_h", {{"h", Type::N}, std::nullopt}, true, "KEYS_ONLY", {}, 0, 0};
  Index local{"local", {{"p", Type::S}, item::KeyAttribute{"l", Type::N}}, false, "ALL", {}, 0, 0};
  table.indexes = {local, by_g, by_h};
  EXPECT_EQ(
      create_table_request(table),
      "{\"TableName\":\"orders\",\"AttributeDefinitions\":[{\"AttributeName\":\"p\",\"AttributeType\":\"S\"},"
      "{\"AttributeName\":\"l\",\"AttributeType\":\"N\"},{\"AttributeName\":\"g\",\"AttributeType\":\"B\"},"
      "{\"AttributeName\":\"h\",\"AttributeType\":\"N\"}],"
      "\"KeySchema\":[{\"AttributeName\":\"p\",\"KeyType\":\"HASH\"}],"
      "\"GlobalSecondaryIndexes\":[{\"IndexName\":\"by_g\",\"KeySchema\":[{\"AttributeName\":\"g\","
      "\"KeyType\":\"HASH\"},"
      "{\"AttributeName\":\"p\",\"KeyType\":\"RANGE\"}],\"Projection\":{\"ProjectionType\":\"INCLUDE\","
      "\"NonKeyAttributes\":[\"x\",\"y\"]},"
      "\"ProvisionedThroughput\":{\"ReadCapacityUnits\":1,\"WriteCapacityUnits\":2}},"
      "{\"IndexName\":\"by_h\",\"KeySchema\":[{\"AttributeName\":\"h\",\"KeyType\":\"HASH\"}],"
      "\"Projection\":{\"ProjectionType\":\"KEYS_ONLY\"},"
      "\"ProvisionedThroughput\":{\"ReadCapacityUnits\":5,\"WriteCapacityUnits\":6}}],"
      "\"LocalSecondaryIndexes\":[{\"IndexName\":\"local\",\"KeySchema\":[{\"AttributeName\":\"p\","
      "\"KeyType\":\"HASH\"},"
      "{\"AttributeName\":\"l\",\"KeyType\":\"RANGE\"}],\"Projection\":{\"ProjectionType\":\"ALL\"}}],"
      "\"BillingMode\":\"PROVISIONED\",\"ProvisionedThroughput\":{\"ReadCapacityUnits\":5,"
      "\"WriteCapacityUnits\":6}}");
}

TEST(ListTables, GoesOnAfterTheLastName) {
  EXPECT_EQ(list_tables_request(""), "{}");
  EXPECT_EQ(list_tables_request("a.b"), R"({"ExclusiveStartTableName":"a.b"})");
  const auto page = parse_list_tables(R"({"LastEvaluatedTableName":"b","TableNames":["a","b"]})");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(page->next, "b");
  EXPECT_EQ(parse_list_tables(R"({"TableNames":[]})")->next, "");
  EXPECT_EQ(parse_list_tables("{}").error().kind, ErrorKind::corrupt);
  EXPECT_EQ(parse_list_tables(R"({"TableNames":[1]})").error().kind, ErrorKind::corrupt);
}

TEST(CreateTable, NamesAreEscaped) {
  auto table = wanted();
  table.key.partition.name = "a\"b\\c";
  EXPECT_THAT(create_table_request(table), testing::HasSubstr(R"("AttributeName":"a\"b\\c")"));
}

}  // namespace
}  // namespace messina::endpoints
