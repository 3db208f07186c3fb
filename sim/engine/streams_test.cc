// What DynamoDB's streams hold and how they are read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/engine/stream_test_support.h"

namespace messina::sim::test {
namespace {

class StreamTest : public testing::Test {
 protected:
  StreamClient client{one_shard()};
  std::string first_shard() { return text(client.shards().at(0).at("ShardId")); }
  static std::string name(const json::value& record) { return text(record.at("eventName")); }
  static std::string number(const json::value& record) {
    return text(record.at("dynamodb").at("SequenceNumber"));
  }
};

TEST_F(StreamTest, EveryWayOfWritingIsRecorded) {
  client.put("a", R"("v":{"N":"1"})");
  client.put("a", R"("v":{"N":"2"})");
  client.send("UpdateItem", R"({"TableName":"orders","Key":{"p":{"S":"a"}},"UpdateExpression":"SET v = :v",)"
                            R"("ExpressionAttributeValues":{":v":{"N":"3"}}})");
  client.send("BatchWriteItem", R"({"RequestItems":{"orders":[{"PutRequest":{"Item":{"p":{"S":"b"}}}},)"
                                R"({"DeleteRequest":{"Key":{"p":{"S":"a"}}}}]}})");
  client.control("POST", "/_sim/tables/orders/load", "{\"p\":{\"S\":\"c\"}}\n");
  client.remove("b");
  const auto records = client.all();
  std::vector<std::string> seen;
  for (const json::value& record : records) {
    const json::object& change = record.at("dynamodb").as_object();
    const json::value* old = change.if_contains("OldImage");
    const json::value* fresh = change.if_contains("NewImage");
    seen.push_back(name(record) + " " + json::serialize(change.at("Keys").at("p").at("S")) + " " +
                   (old ? json::serialize(*old) : "-") + " " + (fresh ? json::serialize(*fresh) : "-"));
  }
  EXPECT_THAT(seen, testing::ElementsAre(
                        R"(INSERT "a" - {"p":{"S":"a"},"v":{"N":"1"}})",
                        R"(MODIFY "a" {"p":{"S":"a"},"v":{"N":"1"}} {"p":{"S":"a"},"v":{"N":"2"}})",
                        R"(MODIFY "a" {"p":{"S":"a"},"v":{"N":"2"}} {"p":{"S":"a"},"v":{"N":"3"}})",
                        R"(INSERT "b" - {"p":{"S":"b"}})", R"(REMOVE "a" {"p":{"S":"a"},"v":{"N":"3"}} -)",
                        R"(INSERT "c" - {"p":{"S":"c"}})", R"(REMOVE "b" {"p":{"S":"b"}} -)"));
}

TEST_F(StreamTest, ARecordSaysWhatTheApiSays) {
  client.put("a", R"("v":{"S":"four"})");
  const json::object record = client.all().at(0).as_object();
  EXPECT_EQ(record.at("eventSource"), "aws:dynamodb");
  EXPECT_EQ(record.at("eventVersion"), "1.1");
  EXPECT_EQ(record.at("awsRegion"), "us-east-1");
  EXPECT_EQ(text(record.at("eventID")).size(), 32u);
  EXPECT_FALSE(record.contains("userIdentity"));
  const json::object& change = record.at("dynamodb").as_object();
  EXPECT_EQ(change.at("ApproximateCreationDateTime"), 1'800'000'000);
  EXPECT_EQ(change.at("StreamViewType"), "NEW_AND_OLD_IMAGES");
  EXPECT_EQ(change.at("SizeBytes"), 9);  // the key "p" "a", and with it "v" "four"
  EXPECT_EQ(client.all().at(0), json::value(record)) << "it reads the same again";
}

TEST_F(StreamTest, AWriteThatChangesNothingIsNotRecorded) {
  client.put("a", R"("v":{"N":"1"},"s":{"SS":["x","y"]})");
  client.put("a", R"("v":{"N":"1"},"s":{"SS":["x","y"]})");
  client.put("a", R"("s":{"SS":["y","x"]},"v":{"N":"1.0"})");
  client.send("UpdateItem", R"({"TableName":"orders","Key":{"p":{"S":"a"}},"UpdateExpression":"SET v = :v",)"
                            R"("ExpressionAttributeValues":{":v":{"N":"1"}}})");
  client.remove("nobody");
  EXPECT_EQ(client.all().size(), 1u);
}

TEST_F(StreamTest, AFailedWriteIsNotRecorded) {
  client.put("a");
  const std::string never = R"x(,"ConditionExpression":"attribute_not_exists(p)"})x";
  EXPECT_EQ(client.error("PutItem", R"({"TableName":"orders","Item":{"p":{"S":"a"},"v":{"S":"x"}})" + never),
            "ConditionalCheckFailedException");
  EXPECT_EQ(client.all().size(), 1u);
}

TEST(Streams, TheViewDecidesOnTheImages) {
  const std::vector<std::tuple<std::string, bool, bool>> views = {{"KEYS_ONLY", false, false},
                                                                  {"NEW_IMAGE", true, false},
                                                                  {"OLD_IMAGE", false, true},
                                                                  {"NEW_AND_OLD_IMAGES", true, true}};
  for (const auto& [view, has_new, has_old] : views) {
    StreamClient client(one_shard(), view);
    client.put("a", R"("v":{"N":"1"})");
    client.put("a", R"("v":{"N":"2"})");
    client.remove("a");
    const auto records = client.all();
    ASSERT_EQ(records.size(), 3u) << view;
    for (std::size_t i = 0; i < 3; ++i) {
      const json::object& change = records[i].at("dynamodb").as_object();
      EXPECT_EQ(json::serialize(change.at("Keys")), R"({"p":{"S":"a"}})") << view;
      EXPECT_EQ(change.contains("NewImage"), has_new && i != 2) << view << i;
      EXPECT_EQ(change.contains("OldImage"), has_old && i != 0) << view << i;
      EXPECT_EQ(change.at("StreamViewType"), json::value(view));
    }
  }
}

TEST_F(StreamTest, SequenceNumbersGrowInValueAndLength) {
  std::set<std::size_t> lengths;
  std::optional<SequenceNumber> before;
  for (int i = 0; i < 2000; ++i) client.put("k" + std::to_string(i));
  for (int i = 0; i < 30; ++i) {
    client.stream_control(R"({"roll":"all"})");
    client.put("r" + std::to_string(i));
  }
  const auto records = client.all();
  ASSERT_EQ(records.size(), 2030u);
  for (const json::value& record : records) {
    lengths.insert(number(record).size());
    const auto parsed = parse_sequence_number(number(record), StreamStyle::dynamodb);
    ASSERT_TRUE(parsed);
    if (before) {
      EXPECT_LT(*before, *parsed);
    }
    before = parsed;
  }
  EXPECT_GE(*lengths.begin(), 21u);
  EXPECT_LE(*lengths.rbegin(), 40u);
  EXPECT_GT(lengths.size(), 8u) << "numbers of several lengths, which do not order as text";
}

TEST_F(StreamTest, IteratorsBeginWhereTheySay) {
  for (const char* key : {"a", "b", "c"}) client.put(key);
  const std::string shard = first_shard();
  const auto records = client.all();
  const auto keys = [&](const std::string& iterator) {
    std::string found;
    const json::value page = client.page(iterator);
    for (const json::value& record : page.at("Records").as_array())
      found += text(record.at("dynamodb").at("Keys").at("p").at("S"));
    return found;
  };
  EXPECT_EQ(keys(client.iterator(shard, "TRIM_HORIZON")), "abc");
  EXPECT_EQ(keys(client.iterator(shard, "AT_SEQUENCE_NUMBER", number(records[1]))), "bc");
  EXPECT_EQ(keys(client.iterator(shard, "AFTER_SEQUENCE_NUMBER", number(records[1]))), "c");
  const std::string latest = client.iterator(shard, "LATEST");
  EXPECT_EQ(keys(latest), "");
  client.put("d");
  EXPECT_EQ(keys(latest), "d");
  const std::string start =
      text(client.shards().at(0).at("SequenceNumberRange").at("StartingSequenceNumber"));
  EXPECT_EQ(keys(client.iterator(shard, "AT_SEQUENCE_NUMBER", start)), "abcd");
  for (const char* wrong : {"100", "1", "x", "99999999999999999999999999999999999999999", ""})
    EXPECT_EQ(client.refusal("GetShardIterator", client.iterator_request(shard, "AT_SEQUENCE_NUMBER", wrong)),
              "ValidationException")
        << wrong;
  EXPECT_EQ(client.refusal("GetShardIterator", client.iterator_request(shard, "AT_TIMESTAMP")),
            "ValidationException");
  EXPECT_EQ(client.refusal("GetShardIterator", client.iterator_request("shardId-0", "LATEST")),
            "ResourceNotFoundException");
  EXPECT_EQ(client.refusal("GetRecords", client.records_request("nonsense")), "ValidationException");
}

TEST_F(StreamTest, PagesHoldAtMostWhatIsAskedAndAMegabyte) {
  const std::string big = R"("v":{"S":")" + std::string(300'000, 'x') + "\"}";
  for (int i = 0; i < 5; ++i) client.put("k" + std::to_string(i), big);
  const std::string start = client.iterator(first_shard(), "TRIM_HORIZON");
  const json::value page = client.page(start);
  EXPECT_EQ(page.at("Records").as_array().size(), 3u);
  EXPECT_EQ(client.page(client.next(page)).at("Records").as_array().size(), 2u);
  EXPECT_EQ(client.page(start, R"(,"Limit":2)").at("Records").as_array().size(), 2u);
  for (int i = 0; i < 1100; ++i) client.put("s" + std::to_string(i));
  const std::string late =
      client.iterator(first_shard(), "AFTER_SEQUENCE_NUMBER", number(client.all().at(4)));
  EXPECT_EQ(client.page(late).at("Records").as_array().size(), 1000u);
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(start, R"(,"Limit":1001)")),
            "ValidationException");
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(start, R"(,"Limit":0)")),
            "ValidationException");
}

TEST_F(StreamTest, AnEmptyPageLeavesTheReaderWhereItWas) {
  const std::string start = client.iterator(first_shard(), "TRIM_HORIZON");
  const json::value empty = client.page(start);
  EXPECT_TRUE(empty.at("Records").as_array().empty());
  client.put("a");
  client.control("POST", "/_sim/faults", R"({"kind":"empty_page","count":1})");
  const json::value fault = client.page(client.next(empty));
  EXPECT_TRUE(fault.at("Records").as_array().empty());
  EXPECT_EQ(client.fired("empty_page"), 1u);
  EXPECT_EQ(client.page(client.next(fault)).at("Records").as_array().size(), 1u);
}

TEST_F(StreamTest, IteratorsExpire) {
  client.put("a");
  const std::string old = client.iterator(first_shard(), "TRIM_HORIZON");
  client.advance(15min);
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(old)), "");
  client.advance(1ms);
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(old)), "ExpiredIteratorException");
  const std::string fresh = client.iterator(first_shard(), "TRIM_HORIZON");
  client.stream_control(R"({"expire_iterators":"all"})");
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(fresh)), "ExpiredIteratorException");
  client.advance(1ms);
  const std::string again = client.iterator(first_shard(), "TRIM_HORIZON");
  EXPECT_EQ(client.page(again).at("Records").as_array().size(), 1u);
  client.control("POST", "/_sim/faults", R"({"kind":"expire_iterator","count":1})");
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(again)), "ExpiredIteratorException");
}

TEST_F(StreamTest, ExpiredItemsAreDeletedByTheServiceItself) {
  client.send("UpdateTimeToLive",
              R"({"TableName":"orders","TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}})");
  client.put("past", R"("ttl":{"N":"1799999999"})");
  client.put("soon", R"("ttl":{"N":"1800000060"})");
  client.put("ancient", R"("ttl":{"N":"1600000000"})");
  client.put("text", R"("ttl":{"S":"1799999999"})");
  client.put("never");
  EXPECT_EQ(client.control("POST", "/_sim/tables/orders/expire").at("expired"), 1);
  client.advance(60s);
  EXPECT_EQ(client.control("POST", "/_sim/tables/orders/expire").at("expired"), 1);
  client.remove("never");
  std::vector<std::string> removed;
  for (const json::value& record : client.all()) {
    if (name(record) != "REMOVE") continue;
    const bool by_service = record.as_object().contains("userIdentity") &&
                            record.at("userIdentity").at("Type") == "Service" &&
                            record.at("userIdentity").at("PrincipalId") == "dynamodb.amazonaws.com";
    removed.push_back(text(record.at("dynamodb").at("Keys").at("p").at("S")) +
                      (by_service ? " by the service" : ""));
    EXPECT_TRUE(record.at("dynamodb").as_object().contains("OldImage"));
  }
  EXPECT_THAT(removed, testing::ElementsAre("past by the service", "soon by the service", "never"));
  EXPECT_NE(client.get("orders", "ancient"), "{}");
  EXPECT_NE(client.get("orders", "text"), "{}");
}

TEST(Streams, ItemsExpireOnASchedule) {
  EngineSettings settings = one_shard();
  settings.ttl_sweep = 10s;
  StreamClient client(settings);
  client.send("UpdateTimeToLive",
              R"({"TableName":"orders","TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}})");
  client.put("a", R"("ttl":{"N":"1800000005"})");
  client.advance(9s);
  EXPECT_NE(client.get("orders", "a"), "{}");
  client.advance(1s);
  EXPECT_EQ(client.get("orders", "a"), "{}");
  client.put("b", R"("ttl":{"N":"1800000005"})");
  client.advance(1h);
  EXPECT_EQ(client.get("orders", "b"), "{}");
  EXPECT_EQ(client.all().size(), 4u);
}

TEST_F(StreamTest, CallsAreThrottledOnOrder) {
  const std::string iterator = client.iterator(first_shard(), "TRIM_HORIZON");
  client.control(
      "POST", "/_sim/faults",
      R"([{"kind":"throttle_stream_limit","operation":"GetRecords","count":1},)"
      R"({"kind":"throttle_stream_rate","operation":"DescribeStream","table":"orders","count":1},)"
      R"({"kind":"throttle_stream_capacity","operation":"GetRecords","table":"orders","count":1}])");
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(iterator)), "LimitExceededException");
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(iterator)),
            "ProvisionedThroughputExceededException");
  EXPECT_EQ(client.refusal("GetRecords", client.records_request(iterator)), "");
  EXPECT_EQ(client.refusal("DescribeStream", client.of(client.arn())), "ThrottlingException");
  EXPECT_EQ(client.refusal("DescribeStream", client.of(client.arn())), "");
  EXPECT_EQ(client.fired("throttle_stream_limit"), 1u);
  // They are no faults of other calls.
  client.control("POST", "/_sim/faults", R"({"kind":"throttle_stream_rate"})");
  EXPECT_EQ(client.error("PutItem", put("orders", "x")), "");
}

TEST(Streams, CallsBeyondTheLimitsAreThrottled) {
  EngineSettings settings = one_shard();
  settings.personality.streams.call_limits = true;
  StreamClient client(settings);
  const std::string arn = client.arn();
  const std::string iterator = client.iterator(text(client.shards().at(0).at("ShardId")), "TRIM_HORIZON");
  client.advance(2s);
  const auto passed = [&](std::string_view operation, const std::string& body, const std::string& error) {
    int count = 0;
    for (int i = 0; i < 30; ++i) {
      const std::string refusal = client.refusal(operation, body);
      if (refusal.empty()) ++count;
      EXPECT_TRUE(refusal.empty() || refusal == error) << refusal;
    }
    return count;
  };
  EXPECT_EQ(passed("GetRecords", client.records_request(iterator), "LimitExceededException"), 5);
  EXPECT_EQ(passed("DescribeStream", client.of(arn), "ThrottlingException"), 10);
  client.advance(1s);
  EXPECT_EQ(passed("GetRecords", client.records_request(iterator), "LimitExceededException"), 5);
}

}  // namespace
}  // namespace messina::sim::test
