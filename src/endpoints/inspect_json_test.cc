#include "endpoints/inspect_json.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::endpoints {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const item::KeySchema kKey{{"id", item::Type::S}, item::KeyAttribute{"n", item::Type::N}};

TEST(InspectJson, ReadsWhatNoJobCarriesOver) {
  const auto seen = parse_table_seen(R"({"Table":{"TableName":"t","TableStatus":"ACTIVE","TableArn":"arn:t",
    "AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],
    "KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],
    "SSEDescription":{"Status":"ENABLED","SSEType":"KMS","KMSMasterKeyArn":"arn:k"},
    "DeletionProtectionEnabled":true,"TableClassSummary":{"TableClass":"STANDARD_INFREQUENT_ACCESS"},
    "Replicas":[{"RegionName":"eu-west-1","ReplicaStatus":"ACTIVE"}],"LatestStreamArn":"arn:s",
    "OnDemandThroughput":{"MaxReadRequestUnits":500,"MaxWriteRequestUnits":-1}}})");
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(seen->details.encryption_key_arn, "arn:k");
  EXPECT_TRUE(seen->details.deletion_protection);
  EXPECT_EQ(seen->details.table_class, "STANDARD_INFREQUENT_ACCESS");
  EXPECT_THAT(seen->details.replica_regions, ElementsAre("eu-west-1"));
  EXPECT_EQ(seen->details.stream_arn, "arn:s");
  EXPECT_EQ(seen->table.most_reads, 500u);
  EXPECT_EQ(seen->table.most_writes, std::nullopt);
}

TEST(InspectJson, APlainTableHasNoneOfIt) {
  const auto seen = parse_table_seen(R"({"Table":{"TableName":"t","TableStatus":"ACTIVE",
    "AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],
    "KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"TableClassSummary":{"TableClass":"STANDARD"}}})");
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->details.table_class, "");
  EXPECT_FALSE(seen->details.deletion_protection);
  EXPECT_THAT(seen->details.replica_regions, IsEmpty());
}

TEST(InspectJson, ReadsTheSmallAnswers) {
  EXPECT_TRUE(*parse_recovery(
      R"({"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED",
          "PointInTimeRecoveryDescription":{"PointInTimeRecoveryStatus":"ENABLED"}}})"));
  EXPECT_FALSE(*parse_recovery(R"({"ContinuousBackupsDescription":{"ContinuousBackupsStatus":"ENABLED"}})"));
  EXPECT_THAT(*parse_kinesis(R"({"KinesisDataStreamDestinations":[
                {"StreamArn":"a","DestinationStatus":"ACTIVE"},{"StreamArn":"b","DestinationStatus":"DISABLED"}]})"),
              ElementsAre("a"));
  EXPECT_EQ(parse_quotas(R"({"TableMaxReadCapacityUnits":40000})")->table_read, 40'000u);
  EXPECT_THAT(*parse_streams(R"({"Streams":[{"StreamArn":"s","TableName":"t"}]})"), ElementsAre("s"));
  const auto stream = parse_stream(R"({"StreamDescription":{"StreamArn":"s","StreamStatus":"ENABLED",
      "StreamViewType":"KEYS_ONLY","Shards":[{"ShardId":"one"},{"ShardId":"two"}]}})");
  EXPECT_EQ(stream->first_shard, "one");
  EXPECT_EQ(stream->view_type, "KEYS_ONLY");
  EXPECT_EQ(*parse_records(R"({"Records":[{},{}]})"), 2u);
  EXPECT_EQ(parse_key_seen(R"({"KeyMetadata":{"KeyState":"Disabled","KeyManager":"CUSTOMER"}})")->state,
            "Disabled");
  EXPECT_EQ(*parse_versions(R"({"Items":[{"key":{"S":"local"},"version":{"S":"6.2.3"}}]})"), "6.2.3");
}

TEST(InspectJson, AnswersThatAreNoneAreCorrupt) {
  EXPECT_EQ(parse_recovery("{}").error().kind, ErrorKind::corrupt);
  EXPECT_EQ(parse_stream("[]").error().kind, ErrorKind::corrupt);
  EXPECT_EQ(parse_versions(R"({"Items":[]})").error().kind, ErrorKind::corrupt);
}

TEST(InspectJson, AbsentKeysAreOfTheKeysTypes) {
  const auto request = boost::json::parse(absent_key_request({"orders"}, kKey, "1790000000000000000"));
  const auto& key = request.at("RequestItems").at("orders").at("Keys").at(0).as_object();
  EXPECT_EQ(key.size(), 2u);
  const std::string number(key.at("n").at("N").as_string());
  EXPECT_TRUE(number.starts_with("-9"));
  EXPECT_LE(number.size(), 39u);
  EXPECT_TRUE(std::string(key.at("id").at("S").as_string()).starts_with("messina check"));
}

TEST(InspectJson, TheRefusedWriteNeverNamesTheKey) {
  for (const char* name : {"id", "messina-check", "messina-check-"}) {
    const item::KeySchema key{{name, item::Type::S}, item::KeyAttribute{"messina-check", item::Type::S}};
    const auto request = boost::json::parse(refused_write_request({"orders"}, key));
    const auto& sent =
        request.at("RequestItems").at("orders").at(0).at("DeleteRequest").at("Key").as_object();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_NE(sent.begin()->key(), name);
    EXPECT_NE(sent.begin()->key(), "messina-check");
  }
}

TEST(InspectJson, TheRefusedTableHasAKeyWithoutAType) {
  const auto request = boost::json::parse(refused_create_request({"orders"}));
  EXPECT_NE(request.at("KeySchema").at(0).at("AttributeName"),
            request.at("AttributeDefinitions").at(0).at("AttributeName"));
  EXPECT_FALSE(request.at("Tags").as_array().empty());
}

}  // namespace
}  // namespace messina::endpoints
