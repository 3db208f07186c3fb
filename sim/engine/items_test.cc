#include <set>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "sim/engine/engine_test_support.h"

namespace messina::sim::test {
namespace {

std::string nested(int levels) {
  std::string value = R"({"S":"x"})";
  for (int i = 0; i < levels; ++i) value = R"({"L":[)" + value + "]}";
  return value;
}

TEST(Items, DynamoDbRefusesWhatItMust) {
  Client client(dynamodb());
  client.create("orders");
  const auto refused = [&](const std::string& attribute) {
    return client.error("PutItem", put("orders", "k", attribute)) == "ValidationException";
  };
  EXPECT_TRUE(refused(R"("x":{"N":"111111111111111111111111111111111111111"})"));
  EXPECT_TRUE(refused(R"("x":{"N":"1E126"})"));
  EXPECT_TRUE(refused(R"("x":{"SS":[]})"));
  EXPECT_TRUE(refused(R"("x":{"SS":["a","a"]})"));
  EXPECT_TRUE(refused(R"("x":{"NULL":false})"));
  EXPECT_TRUE(refused(R"("x":{"S":"a","N":"1"})"));
  EXPECT_TRUE(refused(R"("x":)" + nested(33)));
  EXPECT_TRUE(refused(R"("x":{"S":")" + std::string(400 * 1024, 'x') + "\"}"));
  EXPECT_EQ(
      client.error("PutItem", put("orders", "k", R"("x":{"S":")" + std::string(399 * 1024, 'x') + "\"}")),
      "");
  EXPECT_EQ(client.error("PutItem", put("orders", "k", R"("x":)" + nested(31))), "");
  EXPECT_EQ(client.error("PutItem", put("orders", "")), "ValidationException");
  EXPECT_EQ(client.error("PutItem", put("orders", std::string(2049, 'k'))), "ValidationException");
  EXPECT_EQ(client.error("PutItem", put("orders", std::string(2048, 'k'))), "");
  EXPECT_EQ(client.error("PutItem", R"({"TableName":"orders","Item":{"p":{"N":"1"}}})"),
            "ValidationException");
  EXPECT_EQ(client.error("PutItem", R"({"TableName":"orders","Item":{"q":{"S":"1"}}})"),
            "ValidationException");
}

std::string batch_of(int count, bool twice = false) {
  std::string requests;
  for (int i = 0; i < count; ++i) {
    requests += (i == 0 ? "" : ",") + std::string(R"({"PutRequest":{"Item":{"p":{"S":"b)") +
                std::to_string(twice ? 0 : i) + R"("}}}})";
  }
  return R"({"RequestItems":{"orders":[)" + requests + "]}}";
}

TEST(Items, BatchesHaveTheirLimits) {
  Client aws(dynamodb());
  aws.create("orders");
  EXPECT_EQ(aws.error("BatchWriteItem", batch_of(25)), "");
  EXPECT_EQ(aws.error("BatchWriteItem", batch_of(26)), "ValidationException");
  EXPECT_EQ(aws.error("BatchWriteItem", batch_of(2, true)), "ValidationException");
  Client scylla(alternator(ScyllaVersion::v6_2));
  scylla.create("orders");
  EXPECT_EQ(scylla.error("BatchWriteItem", batch_of(100)), "");
  EXPECT_EQ(scylla.error("BatchWriteItem", batch_of(101)), "ValidationException");
}

TEST(Items, AnswersCarryCrcCapacityAndIds) {
  Client client(dynamodb());
  client.create("orders");
  client.send("PutItem", put("orders", "k", R"("x":{"S":")" + std::string(5000, 'x') + "\"}"));
  const Answer answer = client.send(
      "Scan", R"({"TableName":"orders","ConsistentRead":true,"ReturnConsumedCapacity":"INDEXES"})");
  std::map<std::string, std::string> headers(answer.headers.begin(), answer.headers.end());
  EXPECT_EQ(headers["x-amz-crc32"], std::to_string(crc32(*answer.body)));
  EXPECT_FALSE(headers["x-amzn-RequestId"].empty());
  EXPECT_FALSE(headers["Date"].empty());
  const json::value capacity = json::parse(*answer.body).at("ConsumedCapacity");
  EXPECT_EQ(capacity.at("CapacityUnits"), 2.0);
  EXPECT_EQ(capacity.at("Table").at("CapacityUnits"), 2.0);
  const json::value half = client.call("Scan", R"({"TableName":"orders","ReturnConsumedCapacity":"TOTAL"})");
  EXPECT_EQ(half.at("ConsumedCapacity").at("CapacityUnits"), 1.0);
  EXPECT_FALSE(client.call("Scan", R"({"TableName":"orders"})").as_object().contains("ConsumedCapacity"));
}

/// Reads a whole table by pages, in `segments` segments.
std::multiset<std::string> scan_all(Client& client, int segments, const std::string& more, int& pages) {
  std::multiset<std::string> keys;
  for (int segment = 0; segment < segments; ++segment) {
    std::string start;
    do {
      const json::value page =
          client.call("Scan", R"({"TableName":"orders","Segment":)" + std::to_string(segment) +
                                  R"(,"TotalSegments":)" + std::to_string(segments) + more +
                                  (start.empty() ? "" : R"(,"ExclusiveStartKey":)" + start) + "}");
      for (const json::value& item : page.at("Items").as_array()) keys.insert(json::serialize(item.at("p")));
      const json::value* next = page.as_object().if_contains("LastEvaluatedKey");
      start = next == nullptr ? "" : json::serialize(*next);
      ++pages;
    } while (!start.empty());
  }
  return keys;
}

TEST(Items, SegmentsAndPagesCoverATableExactlyOnce) {
  for (const Personality& personality : {dynamodb(), alternator(ScyllaVersion::v6_2)}) {
    Client client(personality);
    client.create("orders");
    for (int i = 0; i < 300; ++i)
      client.send("PutItem",
                  put("orders", "k" + std::to_string(i), R"("x":{"S":")" + std::string(10'000, 'x') + "\"}"));
    for (const int segments : {1, 2, 7, 1000}) {
      int pages = 0;
      const auto keys = scan_all(client, segments, "", pages);
      EXPECT_EQ(keys.size(), 300u);
      EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), 300u);
      EXPECT_GE(pages, std::max(3, segments));  // 3 MB in pages of at most 1 MB
      pages = 0;
      EXPECT_EQ(scan_all(client, segments, R"(,"Limit":13)", pages), keys);
    }
  }
}

TEST(Items, ACursorOfAnotherSegmentIsRefused) {
  Client client(dynamodb());
  client.create("orders");
  for (int i = 0; i < 50; ++i) client.send("PutItem", put("orders", "k" + std::to_string(i)));
  const json::value page =
      client.call("Scan", R"({"TableName":"orders","Segment":0,"TotalSegments":2,"Limit":1})");
  const std::string key = json::serialize(page.at("LastEvaluatedKey"));
  EXPECT_EQ(
      client.error("Scan",
                   R"({"TableName":"orders","Segment":1,"TotalSegments":2,"ExclusiveStartKey":)" + key + "}"),
      "ValidationException");
}

TEST(Items, UpdateExpressions) {
  Client client(dynamodb());
  client.create("orders");
  const auto update = [&](const std::string& expression, const std::string& values,
                          const std::string& more = {}) {
    return client.call(
        "UpdateItem",
        R"({"TableName":"orders","Key":{"p":{"S":"k"}},"ReturnValues":"ALL_NEW","UpdateExpression":")" +
            expression + "\"" + (values.empty() ? "" : R"(,"ExpressionAttributeValues":{)" + values + "}") +
            more + "}");
  };
  const auto attributes = [](const json::value& answer) { return json::serialize(answer.at("Attributes")); };
  EXPECT_EQ(attributes(update("SET a = :a, l = :l", R"(":a":{"N":"1"},":l":{"L":[{"N":"1"}]})")),
            R"({"a":{"N":"1"},"l":{"L":[{"N":"1"}]},"p":{"S":"k"}})");
  EXPECT_EQ(attributes(update("SET a = a + :a, b = if_not_exists(b, :z), l = list_append(l, :l)",
                              R"(":a":{"N":"2.5"},":z":{"N":"0"},":l":{"L":[{"N":"2"}]})")),
            R"({"a":{"N":"3.5"},"b":{"N":"0"},"l":{"L":[{"N":"1"},{"N":"2"}]},"p":{"S":"k"}})");
  EXPECT_EQ(attributes(update("REMOVE b, l[0] ADD a :a, s :s", R"(":a":{"N":"-3.5"},":s":{"SS":["x","y"]})")),
            R"({"a":{"N":"0"},"l":{"L":[{"N":"2"}]},"p":{"S":"k"},"s":{"SS":["x","y"]}})");
  EXPECT_EQ(attributes(update("DELETE s :s REMOVE l", R"(":s":{"SS":["x","y"]})")),
            R"({"a":{"N":"0"},"p":{"S":"k"}})");
  const std::string bad[] = {"SET p = :a",       "SET a = :missing", "SET a", "SET a = :a, a = :a", "FROB a",
                             "SET a = frob(:a)", "SET a = nope + :a"};
  for (const std::string& expression : bad) {
    const json::value answer = update(expression, R"(":a":{"N":"1"})");
    EXPECT_TRUE(answer.as_object().contains("__type")) << expression;
  }
  EXPECT_TRUE(update("SET a = :a", R"(":a":{"N":"1"},":unused":{"N":"1"})").as_object().contains("__type"));
  EXPECT_EQ(client.get("orders", "k"), R"({"a":{"N":"0"},"p":{"S":"k"}})");
}

TEST(Items, Conditions) {
  Client client(dynamodb());
  client.create("orders");
  client.send("PutItem", put("orders", "k", R"("n":{"N":"5"},"s":{"S":"abc"})"));
  const auto passes = [&](const std::string& condition, const std::string& values) {
    const std::string error = client.error(
        "DeleteItem", R"({"TableName":"orders","Key":{"p":{"S":"k"}},"ConditionExpression":")" + condition +
                          "\"" + (values.empty() ? "" : R"(,"ExpressionAttributeValues":{)" + values + "}") +
                          "}");
    if (error.empty()) client.send("PutItem", put("orders", "k", R"("n":{"N":"5"},"s":{"S":"abc"})"));
    return error.empty() ? "yes" : error == "ConditionalCheckFailedException" ? "no" : error;
  };
  EXPECT_EQ(passes("attribute_exists(n)", ""), "yes");
  EXPECT_EQ(passes("attribute_not_exists(n)", ""), "no");
  EXPECT_EQ(passes("n = :n", R"(":n":{"N":"5.0"})"), "yes");
  EXPECT_EQ(passes("n <> :n", R"(":n":{"N":"5.0"})"), "no");
  EXPECT_EQ(passes("n < :n", R"(":n":{"N":"10"})"), "yes");
  EXPECT_EQ(passes("n < :n", R"(":n":{"S":"10"})"), "no");
  EXPECT_EQ(passes("n < :n AND attribute_exists(s)", R"(":n":{"N":"10"})"), "yes");
  EXPECT_EQ(passes("NOT (n = :n OR s = :n)", R"(":n":{"N":"5"})"), "no");
  EXPECT_EQ(passes("n BETWEEN :a AND :b AND begins_with(s, :s)",
                   R"(":a":{"N":"1"},":b":{"N":"9"},":s":{"S":"ab"})"),
            "yes");
  EXPECT_EQ(passes("size(s) = :a", R"(":a":{"N":"3"})"), "yes");
  EXPECT_EQ(passes("frob(s)", ""), "ValidationException");
  EXPECT_EQ(passes("n = ", ""), "ValidationException");
}

TEST(Items, QueriesAndIndexes) {
  Client client(dynamodb());
  const Answer made = client.send("CreateTable", R"({"TableName":"orders","BillingMode":"PAY_PER_REQUEST",
      "KeySchema":[{"AttributeName":"p","KeyType":"HASH"},{"AttributeName":"c","KeyType":"RANGE"}],
      "AttributeDefinitions":[{"AttributeName":"p","AttributeType":"S"},{"AttributeName":"c","AttributeType":"N"},{"AttributeName":"g","AttributeType":"S"}],
      "GlobalSecondaryIndexes":[{"IndexName":"byg","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},{"AttributeName":"c","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}]})");
  ASSERT_EQ(made.status, 200) << *made.body;
  for (int i = 0; i < 20; ++i) {
    client.send("PutItem", put("orders", i % 2 == 0 ? "even" : "odd",
                               R"("c":{"N":")" + std::to_string(i) + R"("},"v":{"S":"x"})" +
                                   (i < 10 ? R"(,"g":{"S":"small"})" : "")));
  }
  const auto sorts = [](const json::value& page) {
    std::string out;
    for (const json::value& item : page.at("Items").as_array())
      out += std::string(item.at("c").at("N").as_string()) + " ";
    return out;
  };
  const std::string even =
      R"("TableName":"orders","KeyConditionExpression":"p = :p AND c BETWEEN :a AND :b","ExpressionAttributeValues":{":p":{"S":"even"},":a":{"N":"3"},":b":{"N":"12"}})";
  EXPECT_EQ(sorts(client.call("Query", "{" + even + "}")), "4 6 8 10 12 ");
  EXPECT_EQ(sorts(client.call("Query", "{" + even + R"(,"ScanIndexForward":false,"Limit":2})")), "12 10 ");
  EXPECT_EQ(sorts(client.call(
                "Query",
                "{" + even +
                    R"(,"ScanIndexForward":false,"ExclusiveStartKey":{"p":{"S":"even"},"c":{"N":"10"}}})")),
            "8 6 4 ");
  const std::string small =
      R"("TableName":"orders","IndexName":"byg","KeyConditionExpression":"g = :g","ExpressionAttributeValues":{":g":{"S":"small"}})";
  const json::value first = client.call("Query", "{" + small + R"(,"Limit":4})");
  EXPECT_EQ(sorts(first), "0 1 2 3 ");
  EXPECT_FALSE(first.at("Items").at(0).as_object().contains("v"));
  EXPECT_EQ(sorts(client.call("Query", "{" + small + R"(,"ExclusiveStartKey":)" +
                                           json::serialize(first.at("LastEvaluatedKey")) + "}")),
            "4 5 6 7 8 9 ");
  EXPECT_EQ(client.call("Scan", R"({"TableName":"orders","IndexName":"byg"})").at("Count"), 10);
  EXPECT_EQ(
      client.error(
          "Query",
          R"({"TableName":"orders","KeyConditionExpression":"c = :c","ExpressionAttributeValues":{":c":{"N":"1"}}})"),
      "ValidationException");
}

/// A table whose index by_g has the keys g (S) and c (N).
void create_indexed(Client& client) {
  const Answer answer = client.send("CreateTable", R"({"TableName":"goods","BillingMode":"PAY_PER_REQUEST",
      "KeySchema":[{"AttributeName":"p","KeyType":"HASH"}],
      "AttributeDefinitions":[{"AttributeName":"p","AttributeType":"S"},{"AttributeName":"g","AttributeType":"S"},
        {"AttributeName":"c","AttributeType":"N"}],
      "GlobalSecondaryIndexes":[{"IndexName":"by_g","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},
        {"AttributeName":"c","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}]})");
  ASSERT_EQ(answer.status, 200) << *answer.body;
}

TEST(Items, KeysOfIndexesHaveTheirTypesOrAreAbsent) {
  Client client(dynamodb());
  create_indexed(client);
  const auto message = [](const Answer& answer) {
    return answer.status == 200 ? "" : std::string(json::parse(*answer.body).at("message").as_string());
  };
  const std::string of_g =
      "One or more parameter values were invalid: Type mismatch for Index Key g Expected: S Actual: N "
      "IndexName: by_g";
  EXPECT_EQ(message(client.send("PutItem", put("goods", "a", R"("x":{"S":"no keys of the index"})"))), "");
  EXPECT_EQ(message(client.send("PutItem", put("goods", "a", R"("g":{"S":"y"},"c":{"N":"1"})"))), "");
  EXPECT_EQ(message(client.send("PutItem", put("goods", "a", R"("g":{"N":"1"})"))), of_g);
  EXPECT_EQ(
      message(client.send("PutItem", put("goods", "a", R"("c":{"NULL":true})"))),
      "One or more parameter values were invalid: Type mismatch for Index Key c Expected: N Actual: NULL "
      "IndexName: by_g");
  EXPECT_EQ(message(client.send("BatchWriteItem", R"({"RequestItems":{"goods":[
      {"PutRequest":{"Item":{"p":{"S":"b"}}}},{"PutRequest":{"Item":{"p":{"S":"c"},"g":{"N":"1"}}}}]}})")),
            of_g);
  EXPECT_EQ(client.get("goods", "b"), "{}") << "a batch with such an item is refused whole";
  EXPECT_EQ(message(client.send("UpdateItem",
                                R"({"TableName":"goods","Key":{"p":{"S":"a"}},"UpdateExpression":"SET g = :v",
      "ExpressionAttributeValues":{":v":{"N":"1"}}})")),
            of_g);
  EXPECT_EQ(message(client.send("UpdateItem",
                                R"({"TableName":"goods","Key":{"p":{"S":"a"}},"UpdateExpression":"SET x = :v",
      "ExpressionAttributeValues":{":v":{"N":"1"}}})")),
            "");
}

TEST(Items, AlternatorSaysOfAnIndexsKeyWhatItSaysOfAKey) {
  Client client(alternator(ScyllaVersion::v6_2));
  create_indexed(client);
  const Answer answer = client.send("PutItem", put("goods", "a", R"("g":{"N":"1"})"));
  EXPECT_EQ(json::parse(*answer.body).at("message").as_string(),
            "Type mismatch: expected type S for key column g, got type N");
}

TEST(Items, LoadAndDump) {
  Client client(dynamodb());
  client.create("orders");
  EXPECT_EQ(client
                .control("POST", "/_sim/tables/orders/load",
                         "{\"p\":{\"S\":\"a\"}}\n{\"Item\":{\"p\":{\"S\":\"b\"},\"n\":{\"N\":\"1\"}}}\n")
                .at("loaded"),
            2);
  EXPECT_EQ(client.get("orders", "b"), R"({"n":{"N":"1"},"p":{"S":"b"}})");
  Request dump;
  dump.method = "GET";
  dump.path = "/_sim/tables/orders/dump";
  const std::string lines = *client.engine().handle(dump).body;
  EXPECT_EQ(std::ranges::count(lines, '\n'), 2);
}

}  // namespace
}  // namespace messina::sim::test
