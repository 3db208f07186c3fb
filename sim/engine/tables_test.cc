#include <gtest/gtest.h>

#include "sim/engine/engine_test_support.h"

namespace messina::sim::test {
namespace {

using namespace std::chrono_literals;

TEST(Tables, PassThroughTheirStates) {
  EngineSettings settings = Client::with(dynamodb());
  settings.create_delay = 5s;
  settings.delete_delay = 3s;
  Client client(settings);
  client.create("orders");
  EXPECT_EQ(client.call("DescribeTable", R"({"TableName":"orders"})").at("Table").at("TableStatus"),
            "CREATING");
  EXPECT_EQ(client.error("PutItem", put("orders", "a")), "ResourceNotFoundException");
  EXPECT_EQ(client.error("DeleteTable", R"({"TableName":"orders"})"), "ResourceInUseException");
  client.advance(5s);
  const json::value table = client.call("DescribeTable", R"({"TableName":"orders"})").at("Table");
  EXPECT_EQ(table.at("TableStatus"), "ACTIVE");
  EXPECT_EQ(client.error("PutItem", put("orders", "a")), "");
  EXPECT_EQ(client.call("DeleteTable", R"({"TableName":"orders"})").at("TableDescription").at("TableStatus"),
            "DELETING");
  EXPECT_EQ(client.call("DescribeTable", R"({"TableName":"orders"})").at("Table").at("TableStatus"),
            "DELETING");
  client.advance(3s);
  EXPECT_EQ(client.error("DescribeTable", R"({"TableName":"orders"})"), "ResourceNotFoundException");
  client.create("orders");
  EXPECT_NE(client.call("DescribeTable", R"({"TableName":"orders"})").at("Table").at("TableId"),
            table.at("TableId"));
  EXPECT_EQ(client.get("orders", "a"), "{}");
}

TEST(Tables, CanBeForcedIntoAStatus) {
  Client client(dynamodb());
  client.create("orders");
  client.control("POST", "/_sim/tables/orders/status", R"({"status":"INACCESSIBLE_ENCRYPTION_CREDENTIALS"})");
  EXPECT_EQ(client.error("PutItem", put("orders", "a")), "ValidationException");
  client.control("POST", "/_sim/tables/orders/status", R"({"status":"ARCHIVED"})");
  EXPECT_EQ(client.call("DescribeTable", R"({"TableName":"orders"})").at("Table").at("TableStatus"),
            "ARCHIVED");
  EXPECT_EQ(client.error("PutItem", put("orders", "a")), "ResourceInUseException");
  client.control("POST", "/_sim/tables/orders/status", R"({"status":""})");
  EXPECT_EQ(client.error("PutItem", put("orders", "a")), "");
}

TEST(Tables, ThrottleBeyondProvisionedThroughput) {
  EngineSettings settings = Client::with(dynamodb());
  settings.burst_seconds = 1;
  Client client(settings);
  client.create("orders", R"("ProvisionedThroughput":{"ReadCapacityUnits":2,"WriteCapacityUnits":3})");
  const auto put_many = [&] {
    int done = 0;
    for (int i = 0; i < 10; ++i)
      done += client.send("PutItem", put("orders", std::to_string(i))).status == 200 ? 1 : 0;
    return done;
  };
  EXPECT_EQ(put_many(), 3);
  const json::value error = client.call("PutItem", put("orders", "x"));
  EXPECT_EQ(error.at("ThrottlingReasons").at(0).at("reason"), "TableWriteProvisionedThroughputExceeded");
  client.advance(1s);
  EXPECT_EQ(put_many(), 3);
  client.advance(1s);
  // Part of a batch: the rest is left to the caller.
  const json::value batch = client.call("BatchWriteItem", R"({"RequestItems":{"orders":[
      {"PutRequest":{"Item":{"p":{"S":"1"}}}},{"PutRequest":{"Item":{"p":{"S":"2"}}}},{"PutRequest":{"Item":{"p":{"S":"3"}}}},
      {"PutRequest":{"Item":{"p":{"S":"4"}}}},{"DeleteRequest":{"Key":{"p":{"S":"5"}}}}]}})");
  EXPECT_EQ(json::serialize(batch.at("UnprocessedItems").at("orders")),
            R"([{"PutRequest":{"Item":{"p":{"S":"4"}}}},{"DeleteRequest":{"Key":{"p":{"S":"5"}}}}])");
  EXPECT_EQ(client.error("BatchWriteItem",
                         R"({"RequestItems":{"orders":[{"PutRequest":{"Item":{"p":{"S":"1"}}}}]}})"),
            "ProvisionedThroughputExceededException");
}

TEST(Tables, RefuseWhatTheyDoNotKnow) {
  Client client(dynamodb());
  client.create("orders");
  EXPECT_EQ(client.error("DescribeTable", R"({"TableName":"orders","Bogus":1})"), "ValidationException");
  EXPECT_EQ(client.error("Scan", R"({"TableName":"orders","ScanFilter":{}})"), "ValidationException");
  EXPECT_EQ(client.error("TransactWriteItems", "{}"), "UnknownOperationException");
  EXPECT_EQ(client.error("Scan", R"({"TableName":)"), "SerializationException");
  EXPECT_EQ(client.error("CreateTable", R"({"TableName":"orders"})"), "ValidationException");
}

TEST(Tables, KeepTagsAndTimeToLive) {
  Client client(dynamodb());
  client.create("orders");
  const std::string arn = R"("ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/orders")";
  EXPECT_EQ(client.send("TagResource", "{" + arn + R"(,"Tags":[{"Key":"team","Value":"x"}]})").status, 200);
  EXPECT_EQ(json::serialize(client.call("ListTagsOfResource", "{" + arn + "}").at("Tags")),
            R"([{"Key":"team","Value":"x"}])");
  EXPECT_EQ(client.send("UntagResource", "{" + arn + R"(,"TagKeys":["team"]})").status, 200);
  EXPECT_EQ(json::serialize(client.call("ListTagsOfResource", "{" + arn + "}").at("Tags")), "[]");
  EXPECT_EQ(client.error(
                "UpdateTimeToLive",
                R"({"TableName":"orders","TimeToLiveSpecification":{"AttributeName":"t","Enabled":true}})"),
            "");
  EXPECT_EQ(client.call("DescribeTimeToLive", R"({"TableName":"orders"})")
                .at("TimeToLiveDescription")
                .at("AttributeName"),
            "t");
}

}  // namespace
}  // namespace messina::sim::test
