#include <gtest/gtest.h>

#include "base/hash.h"
#include "sim/engine/engine_test_support.h"

namespace messina::sim::test {
namespace {

using namespace std::chrono_literals;

class FaultTest : public testing::Test {
 protected:
  void fault(const std::string& rule) {
    const json::value answer = client.control("POST", "/_sim/faults", rule);
    ASSERT_TRUE(answer.as_object().contains("ids")) << json::serialize(answer);
  }
  void SetUp() override { client.create("orders"); }
  Client client{dynamodb()};
};

TEST_F(FaultTest, ErrorsThatWroteAndErrorsThatDidNot) {
  fault(R"({"kind":"error_before","operation":"PutItem","count":1})");
  EXPECT_EQ(client.send("PutItem", put("orders", "a")).status, 500);
  EXPECT_EQ(client.get("orders", "a"), "{}");
  fault(R"({"kind":"error_after","operation":"PutItem","count":1})");
  EXPECT_EQ(client.send("PutItem", put("orders", "a")).status, 500);
  EXPECT_EQ(client.get("orders", "a"), R"({"p":{"S":"a"}})");
  EXPECT_EQ(client.send("PutItem", put("orders", "b")).status, 200);
  EXPECT_EQ(client.fired("error_before"), 1u);
  EXPECT_EQ(client.fired("error_after"), 1u);
}

TEST_F(FaultTest, CutsBeforeAfterAndLate) {
  fault(
      R"([{"kind":"cut_before","count":1,"operation":"PutItem"},{"kind":"cut_after","count":1,"operation":"PutItem"},
            {"kind":"cut_late","count":1,"operation":"PutItem","ms":2000}])");
  for (const char* key : {"before", "after", "late"}) {
    EXPECT_EQ(client.send("PutItem", put("orders", key)).delivery, Delivery::cut);
  }
  EXPECT_EQ(client.get("orders", "before"), "{}");
  EXPECT_NE(client.get("orders", "after"), "{}");
  EXPECT_EQ(client.get("orders", "late"), "{}");
  client.advance(1999ms);
  EXPECT_EQ(client.get("orders", "late"), "{}");
  client.advance(1ms);
  EXPECT_NE(client.get("orders", "late"), "{}");
}

TEST_F(FaultTest, ALateWriteCoversWhatCameInBetween) {
  fault(R"({"kind":"cut_late","count":1,"operation":"PutItem","ms":2000})");
  client.send("PutItem", put("orders", "k", R"("v":{"S":"old"})"));
  client.send("PutItem", put("orders", "k", R"("v":{"S":"new"})"));
  EXPECT_NE(client.get("orders", "k").find("new"), std::string::npos);
  client.advance(3s);
  EXPECT_NE(client.get("orders", "k").find("old"), std::string::npos);
}

TEST_F(FaultTest, ThrottlingNamesItsReason) {
  fault(
      R"([{"kind":"throttle_key_range","count":1},{"kind":"throttle_account","count":1},{"kind":"throttle_table","count":1}])");
  const std::pair<const char*, const char*> expected[] = {
      {"ProvisionedThroughputExceededException", "TableReadKeyRangeThroughputExceeded"},
      {"RequestLimitExceeded", "TableReadAccountLimitExceeded"},
      {"ProvisionedThroughputExceededException", "TableReadProvisionedThroughputExceeded"}};
  for (const auto& [type, reason] : expected) {
    const Answer answer = client.send("Scan", R"({"TableName":"orders"})");
    EXPECT_EQ(Client::error_of(answer), type);
    EXPECT_EQ(json::parse(*answer.body).at("ThrottlingReasons").at(0).at("reason"), reason);
  }
}

TEST_F(FaultTest, UnprocessedItemsComeBackAsTheyWere) {
  fault(R"({"kind":"unprocessed","count":1})");
  const json::value answer = client.call(
      "BatchWriteItem",
      R"({"RequestItems":{"orders":[{"PutRequest":{"Item":{"p":{"S":"1"}}}},{"PutRequest":{"Item":{"p":{"S":"2"}}}}]}})");
  EXPECT_EQ(json::serialize(answer.at("UnprocessedItems")),
            R"({"orders":[{"PutRequest":{"Item":{"p":{"S":"2"}}}}]})");
  EXPECT_NE(client.get("orders", "1"), "{}");
  EXPECT_EQ(client.get("orders", "2"), "{}");
  fault(R"({"kind":"unprocessed","count":1})");
  const json::value got = client.call(
      "BatchGetItem",
      R"({"RequestItems":{"orders":{"ConsistentRead":true,"Keys":[{"p":{"S":"1"}},{"p":{"S":"2"}}]}}})");
  EXPECT_EQ(json::serialize(got.at("UnprocessedKeys")),
            R"({"orders":{"Keys":[{"p":{"S":"2"}}],"ConsistentRead":true}})");
}

TEST_F(FaultTest, SpoiledAnswers) {
  fault(
      R"([{"kind":"wrong_crc","count":1},{"kind":"truncated","count":1},{"kind":"not_json","count":1},{"kind":"expired_credentials","count":1},{"kind":"access_denied","count":1}])");
  const std::string scan = R"({"TableName":"orders"})";
  const Answer crc = client.send("Scan", scan);
  const std::map<std::string, std::string> headers(crc.headers.begin(), crc.headers.end());
  EXPECT_NE(headers.at("x-amz-crc32"), std::to_string(crc32(*crc.body)));
  EXPECT_EQ(client.send("Scan", scan).delivery, Delivery::cut_in_body);
  boost::system::error_code error;
  json::parse(*client.send("Scan", scan).body, error);
  EXPECT_TRUE(error);
  EXPECT_EQ(client.error("Scan", scan), "ExpiredTokenException");
  EXPECT_EQ(client.error("Scan", scan), "AccessDeniedException");
  EXPECT_EQ(client.error("Scan", scan), "");
}

TEST_F(FaultTest, WaitsAreToldToTheCaller) {
  fault(R"([{"kind":"latency","count":1,"ms":70},{"kind":"stall","count":1,"skip":1,"ms":900}])");
  EXPECT_EQ(client.send("Scan", R"({"TableName":"orders"})").wait, 70ms);
  const Answer stalled = client.send("Scan", R"({"TableName":"orders"})");
  EXPECT_EQ(stalled.wait, 900ms);
  EXPECT_EQ(stalled.delivery, Delivery::cut);
  fault(R"({"kind":"stop","count":1,"ms":5000})");
  Request request;
  request.headers.emplace_back("X-Amz-Target", "DynamoDB_20120810.ListTables");
  request.body = "{}";
  EXPECT_EQ(client.engine().admit(request).wait, 5s);
  client.advance(2s);
  EXPECT_EQ(client.engine().admit(request).wait, 3s);
  client.advance(3s);
  EXPECT_EQ(client.engine().admit(request).wait, 0s);
}

TEST_F(FaultTest, FiltersCountsAndProbabilities) {
  fault(R"({"kind":"error_before","operation":"PutItem","table":"other"})");
  EXPECT_EQ(client.send("PutItem", put("orders", "a")).status, 200);
  fault(R"({"kind":"error_before","operation":"PutItem","table":"orders","probability":0.3})");
  int failed = 0;
  for (int i = 0; i < 1000; ++i) failed += client.send("PutItem", put("orders", "a")).status == 500 ? 1 : 0;
  EXPECT_GT(failed, 230);
  EXPECT_LT(failed, 370);
  EXPECT_EQ(client.fired("error_before"), static_cast<std::uint64_t>(failed));
  Client again(dynamodb());
  again.create("orders");
  again.control("POST", "/_sim/faults", R"({"kind":"error_before","operation":"PutItem","table":"other"})");
  again.control("POST", "/_sim/faults",
                R"({"kind":"error_before","operation":"PutItem","table":"orders","probability":0.3})");
  int failed_again = 0;
  for (int i = 0; i < 1000; ++i)
    failed_again += again.send("PutItem", put("orders", "a")).status == 500 ? 1 : 0;
  EXPECT_EQ(failed_again, failed) << "the same seed must draw the same";
}

TEST_F(FaultTest, PoisonedItemsAreRefused) {
  fault(R"({"kind":"reject_items","attribute":"poison"})");
  EXPECT_EQ(client.error("PutItem", put("orders", "a", R"("poison":{"BOOL":true})")), "ValidationException");
  EXPECT_EQ(
      client.error(
          "BatchWriteItem",
          R"({"RequestItems":{"orders":[{"PutRequest":{"Item":{"p":{"S":"1"}}}},{"PutRequest":{"Item":{"p":{"S":"2"},"poison":{"S":"x"}}}}]}})"),
      "ValidationException");
  EXPECT_EQ(client.get("orders", "1"), "{}");
  EXPECT_EQ(client.error("PutItem", put("orders", "a")), "");
  EXPECT_EQ(client.fired("reject_items"), 2u);
}

TEST_F(FaultTest, BadRulesAreRefused) {
  for (const char* rule : {R"({})", R"({"kind":"nonsense"})", R"({"kind":"latency","ms":"x"})",
                           R"({"kind":"latency","prob":1})", R"({"kind":"latency","probability":2})"}) {
    EXPECT_TRUE(client.control("POST", "/_sim/faults", rule).as_object().contains("__type")) << rule;
  }
}

TEST(Alternator, TheNewestStampWinsWhateverTheOrder) {
  EngineSettings settings = Client::with(alternator(ScyllaVersion::v6_2));
  settings.nodes.assign(2, Node{});
  settings.nodes[1].skew = -700ms;
  Client client(settings);
  client.create("orders");
  client.send("PutItem", put("orders", "k", R"("v":{"S":"first"})"), 0);
  client.advance(500ms);
  client.send("PutItem", put("orders", "k", R"("v":{"S":"second"})"), 1);  // its clock is behind: it loses
  EXPECT_NE(client.get("orders", "k").find("first"), std::string::npos);
  EXPECT_EQ(client.control("GET", "/_sim/stats").at("lost_writes"), 1);
  client.advance(300ms);
  client.send("PutItem", put("orders", "k", R"("v":{"S":"third"})"), 1);
  EXPECT_NE(client.get("orders", "k").find("third"), std::string::npos);
  // A delete leaves a tombstone that an older put does not undo.
  client.send("DeleteItem", R"({"TableName":"orders","Key":{"p":{"S":"k"}}})", 0);
  client.send("PutItem", put("orders", "k", R"("v":{"S":"fourth"})"), 1);
  EXPECT_EQ(client.get("orders", "k"), "{}");
  EXPECT_EQ(client.call("Scan", R"({"TableName":"orders"})").at("Count"), 0);
}

TEST(Alternator, ALateWriteHasTheStampOfItsLanding) {
  Client client(alternator(ScyllaVersion::v6_2));
  client.create("orders");
  client.control("POST", "/_sim/faults", R"({"kind":"cut_late","operation":"PutItem","count":1,"ms":1000})");
  client.send("PutItem", put("orders", "k", R"("v":{"S":"late"})"));
  client.advance(500ms);
  client.send("PutItem", put("orders", "k", R"("v":{"S":"between"})"));
  client.advance(1s);
  // It landed at 1 s, after the second put, though nobody looked until 1.5 s.
  client.send("PutItem", put("orders", "other"));
  EXPECT_NE(client.get("orders", "k").find("late"), std::string::npos);
}

TEST(Alternator, AFailedBatchMayBeAppliedInPart) {
  Client client(alternator(ScyllaVersion::v6_2));
  client.create("orders");
  client.control("POST", "/_sim/faults", R"({"kind":"partial","count":1})");
  const std::string batch =
      R"({"RequestItems":{"orders":[{"PutRequest":{"Item":{"p":{"S":"1"}}}},{"PutRequest":{"Item":{"p":{"S":"2"}}}}]}})";
  EXPECT_EQ(client.send("BatchWriteItem", batch).status, 500);
  EXPECT_NE(client.get("orders", "1"), "{}");
  EXPECT_EQ(client.get("orders", "2"), "{}");
  client.control("POST", "/_sim/faults", R"({"kind":"unprocessed","operation":"BatchWriteItem","count":1})");
  EXPECT_EQ(client.send("BatchWriteItem", batch).status, 500);
  EXPECT_EQ(json::serialize(client.call("BatchWriteItem", batch)), R"({"UnprocessedItems":{}})");
}

TEST(Alternator, NodesKnowEachOther) {
  EngineSettings settings = Client::with(alternator(ScyllaVersion::v6_2));
  settings.nodes.assign(3, Node{});
  for (std::size_t i = 0; i < 3; ++i) settings.nodes[i].host = "127.0.0." + std::to_string(i + 1);
  settings.nodes[2].datacenter = "dc2";
  settings.nodes[1].rack = "rack2";
  Client client(settings);
  EXPECT_EQ(json::serialize(client.control("GET", "/localnodes")), R"(["127.0.0.1","127.0.0.2"])");
  EXPECT_EQ(json::serialize(client.control("GET", "/localnodes?dc=dc2")), R"(["127.0.0.3"])");
  EXPECT_EQ(json::serialize(client.control("GET", "/localnodes?dc=datacenter1&rack=rack2")),
            R"(["127.0.0.2"])");
  EXPECT_EQ(json::serialize(client.control("GET", "/localnodes?dc=nowhere")), "[]");
}

}  // namespace
}  // namespace messina::sim::test
