// Streams as ScyllaDB's Alternator has them. tests/replay holds the same against recordings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/engine/stream_test_support.h"

namespace messina::sim::test {
namespace {

class AlternatorStreamTest : public testing::Test {
 protected:
  static EngineSettings settings() { return Client::with(alternator(ScyllaVersion::v6_2)); }
  /// The texts of all records, which JSON parsers would cut down to one eventName.
  std::vector<std::string> texts() {
    std::vector<std::string> found;
    for (const json::value& shard : client.shards()) {
      const Answer answer =
          client.send_to("DynamoDBStreams_20120810", "GetRecords",
                         client.records_request(client.iterator(text(shard.at("ShardId")), "TRIM_HORIZON")));
      for (const Member& member : members_of(*answer.body)) {
        if (member.name != "Records") continue;
        for (const std::string_view record : elements_of(member.value)) found.emplace_back(record);
      }
    }
    return found;
  }
  StreamClient client{settings()};
};

TEST_F(AlternatorStreamTest, HasTheNamesOfScylla) {
  EXPECT_THAT(client.arn(),
              testing::MatchesRegex("S[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"));
  EXPECT_THAT(text(client.table().at("LatestStreamLabel")), testing::MatchesRegex("\"20[-0-9]*T[:0-9]*Z\""));
  const json::array shards = client.shards();
  EXPECT_EQ(shards.size(), 32u);
  for (const json::value& shard : shards)
    EXPECT_THAT(text(shard.at("ShardId")), testing::MatchesRegex("H [0-9a-f]{11}:[0-9a-f]{31}1"));
  EXPECT_EQ(text(client.ask("ListStreams", "{}").at("LastEvaluatedStreamArn")), client.arn());
}

TEST_F(AlternatorStreamTest, ShardsAreTheClustersAndSoTheSameInEveryTable) {
  client.create("other", with_stream("NEW_IMAGE"));
  const std::string other =
      text(client.call("DescribeTable", R"({"TableName":"other"})").at("Table").at("LatestStreamArn"));
  EXPECT_NE(other, client.arn());
  EXPECT_EQ(client.ask("DescribeStream", client.of(other)).at("StreamDescription").at("Shards"),
            json::value(client.shards()));
}

TEST_F(AlternatorStreamTest, APutIsARemovalAndAnInsertion) {
  client.put("a", R"("v":{"N":"1"})");
  EXPECT_TRUE(texts().empty()) << "records show 10 s late";
  client.advance(9999ms);
  EXPECT_TRUE(texts().empty());
  client.advance(2ms);
  ASSERT_EQ(texts().size(), 2u);
  EXPECT_TRUE(texts()[0].starts_with(R"({"eventName":"REMOVE",)")) << texts()[0];
  EXPECT_TRUE(texts()[1].starts_with(R"({"eventName":"INSERT","eventName":"MODIFY",)")) << texts()[1];
  EXPECT_NE(texts()[1].find(R"("NewImage":{"p":{"S":"a"},"v":{"N":"1"}})"), std::string::npos) << texts()[1];
  client.put("a", R"("v":{"N":"1"})");
  client.remove("a");
  client.advance(11s);
  const auto found = texts();
  ASSERT_EQ(found.size(), 5u) << "also a put that changes nothing";
  EXPECT_NE(found[2].find(R"("OldImage":)"), std::string::npos);
  EXPECT_EQ(found[3].find(R"("OldImage":)"), std::string::npos);
  EXPECT_NE(found[4].find(R"("OldImage":)"), std::string::npos);
  EXPECT_TRUE(found[4].starts_with(R"({"eventName":"REMOVE",)"));
}

TEST_F(AlternatorStreamTest, AnUpdateIsOneRecord) {
  client.put("a", R"("v":{"N":"1"})");
  client.send("UpdateItem", R"({"TableName":"orders","Key":{"p":{"S":"a"}},"UpdateExpression":"SET v = :v",)"
                            R"("ExpressionAttributeValues":{":v":{"N":"2"}}})");
  client.advance(11s);
  const auto found = texts();
  ASSERT_EQ(found.size(), 3u);
  EXPECT_NE(
      found[2].find(R"("OldImage":{"p":{"S":"a"},"v":{"N":"1"}},"NewImage":{"p":{"S":"a"},"v":{"N":"2"}})"),
      std::string::npos)
      << found[2];
}

TEST_F(AlternatorStreamTest, ExpiryLooksLikeAnyRemoval) {
  client.send("UpdateTimeToLive",
              R"({"TableName":"orders","TimeToLiveSpecification":{"AttributeName":"ttl","Enabled":true}})");
  client.put("a", R"("ttl":{"N":"1799999999"})");
  EXPECT_EQ(client.control("POST", "/_sim/tables/orders/expire").at("expired"), 1);
  client.advance(11s);
  const auto found = texts();
  ASSERT_EQ(found.size(), 3u);
  EXPECT_TRUE(found[2].starts_with(R"({"eventName":"REMOVE",)"));
  EXPECT_EQ(found[2].find("userIdentity"), std::string::npos);
}

TEST_F(AlternatorStreamTest, ANewGenerationFollowsTheShardsOneByOne) {
  client.put("a");
  client.stream_control(R"({"roll":"all"})");
  client.put("a", R"("v":{"N":"2"})");
  const json::array shards = client.shards();
  ASSERT_EQ(shards.size(), 64u);
  std::set<std::string> parents;
  std::size_t closed = 0;
  for (const json::value& shard : shards) {
    if (const json::value* parent = shard.as_object().if_contains("ParentShardId")) {
      parents.insert(text(*parent));
      EXPECT_EQ(text(*parent).substr(14, 16), text(shard.at("ShardId")).substr(14, 16))
          << "of the same tokens";
    }
    closed += shard.at("SequenceNumberRange").as_object().contains("EndingSequenceNumber") ? 1 : 0;
  }
  EXPECT_EQ(parents.size(), 32u);
  EXPECT_EQ(closed, 32u);
  const std::string& first = *parents.begin();
  EXPECT_FALSE(client.next(client.page(client.iterator(first, "TRIM_HORIZON"))).empty()) << "not yet";
  client.advance(11s);
  EXPECT_EQ(texts().size(), 4u);
  std::size_t ended = 0;
  for (const std::string& id : parents) {
    const json::value page = client.page(client.iterator(id, "TRIM_HORIZON"));
    const bool empty = page.at("Records").as_array().empty();
    EXPECT_EQ(client.next(page).empty(), empty) << "only an empty page is the last";
    ended += client.next(empty ? page : client.page(client.next(page))).empty() ? 1 : 0;
  }
  EXPECT_EQ(ended, 32u);
  EXPECT_TRUE(client.stream_control(R"({"split":"all"})").as_object().contains("__type"));
}

TEST_F(AlternatorStreamTest, VanishesWhenItIsDisabled) {
  const std::string arn = client.arn();
  const std::string off = R"({"TableName":"orders","StreamSpecification":{"StreamEnabled":false}})";
  EXPECT_EQ(client.error("UpdateTable", off), "");
  EXPECT_EQ(client.refusal("DescribeStream", client.of(arn)), "ResourceNotFoundException");
  EXPECT_FALSE(client.table().as_object().contains("LatestStreamArn"));
  EXPECT_EQ(client.error("UpdateTable", off), "ValidationException");
  client.send(
      "UpdateTable",
      R"({"TableName":"orders","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}})");
  EXPECT_NE(client.arn(), arn);
}

TEST_F(AlternatorStreamTest, TrimsInSilenceAndForgetsNoIterator) {
  client.put("a");
  client.advance(11s);
  std::string shard;
  const json::value state = client.control("GET", "/_sim/tables/orders/stream");
  for (const json::value& known : state.at("shards").as_array()) {
    if (known.at("records").to_number<int>() > 0) shard = text(known.at("id"));
  }
  const std::string begin = client.iterator(shard, "TRIM_HORIZON");
  EXPECT_EQ(client.page(begin).at("Records").as_array().size(), 2u);
  client.advance(24h);
  const json::value page = client.page(begin);
  EXPECT_TRUE(page.at("Records").as_array().empty());
  EXPECT_EQ(client.next(page), begin);
}

TEST_F(AlternatorStreamTest, NumbersAreTheirTimesAndCanBeStartedFrom) {
  client.put("a");
  client.put("a", R"("v":{"N":"2"})");
  client.advance(11s);
  for (const json::value& shard : client.shards()) {
    const std::string id = text(shard.at("ShardId"));
    const json::value page = client.page(client.iterator(id, "TRIM_HORIZON"));
    const json::array& records = page.at("Records").as_array();
    if (records.empty()) continue;
    ASSERT_EQ(records.size(), 4u);
    const std::string second = text(records[1].at("dynamodb").at("SequenceNumber"));
    EXPECT_EQ(second.size(), 37u);
    EXPECT_EQ(client.page(client.iterator(id, "AT_SEQUENCE_NUMBER", second)).at("Records").as_array().size(),
              3u);
    EXPECT_EQ(
        client.page(client.iterator(id, "AFTER_SEQUENCE_NUMBER", second)).at("Records").as_array().size(),
        2u);
    EXPECT_EQ(client.page(client.next(page)).at("Records").as_array().size(), 0u);
  }
}

TEST(AlternatorStreams, AreInTheOrderOfTheStampsWhateverTheClocks) {
  EngineSettings settings = Client::with(alternator(ScyllaVersion::v6_2));
  settings.nodes.resize(2);
  settings.nodes[1].skew = -500ms;
  settings.personality.streams.shards = 2;
  StreamClient client(settings);
  client.send("PutItem", put("orders", "a", R"("v":{"S":"ahead"})"), 0);
  client.send("PutItem", put("orders", "a", R"("v":{"S":"behind"})"), 1);
  client.advance(11s);
  EXPECT_NE(client.get("orders", "a").find("ahead"), std::string::npos);
  std::vector<std::string> images;
  for (const json::value& record : client.all()) {
    const json::value* image = record.at("dynamodb").as_object().if_contains("NewImage");
    if (image != nullptr) images.push_back(text(image->at("v").at("S")));
  }
  EXPECT_THAT(images, testing::ElementsAre("behind", "ahead"));
}

TEST(StreamText, NumbersAndIteratorsComeBack) {
  for (const StreamStyle style : {StreamStyle::dynamodb, StreamStyle::alternator}) {
    for (const std::uint64_t high : {std::uint64_t{1}, std::uint64_t{99}, ~std::uint64_t{0}}) {
      for (const std::uint64_t low : {std::uint64_t{0}, std::uint64_t{7}, ~std::uint64_t{0}}) {
        EXPECT_EQ(parse_sequence_number(to_text({high, low}, style), style), (SequenceNumber{high, low}));
      }
    }
  }
  EXPECT_EQ(to_text({1, 7}, StreamStyle::dynamodb), "100000000000000000007");
  EXPECT_EQ(to_text({~std::uint64_t{0}, 0}, StreamStyle::dynamodb).size(), 40u);
  EXPECT_FALSE(parse_sequence_number("340282366920938463463374607431768211456", StreamStyle::alternator));
  // Recorded from ScyllaDB 5.2.
  const auto recorded = parse_uuid("cc5e7f1c-e65f-11f1-4937-706785e5025c");
  ASSERT_TRUE(recorded);
  EXPECT_EQ(to_text(*recorded, StreamStyle::alternator), "2585244082825269363615372679598899804");
  EXPECT_EQ(uuid_text(*recorded), "cc5e7f1c-e65f-11f1-4937-706785e5025c");
  const ShardIterator iterator{"Scc5e7f1c-e65f-11f1-4937-706785e5025c", "H 1a2:00", {*recorded, false}, {}};
  const auto back = parse_iterator(to_text(iterator, StreamStyle::alternator), StreamStyle::alternator);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->stream, iterator.stream);
  EXPECT_EQ(back->shard, iterator.shard);
  EXPECT_EQ(back->position, iterator.position);
}

}  // namespace
}  // namespace messina::sim::test
