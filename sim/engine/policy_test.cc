#include "sim/engine/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/engine/engine_test_support.h"

namespace messina::sim::test {
namespace {

using testing::HasSubstr;

constexpr const char* kArn = "arn:aws:dynamodb:us-east-1:000000000000:table/orders";

Policy policy(const std::string& statements) {
  auto parsed = Policy::parse(R"({"Version":"2012-10-17","Statement":[)" + statements + "]}");
  if (!parsed) throw std::runtime_error(parsed.error().message);
  return *parsed;
}

TEST(Policy, WildcardsMatchAnything) {
  EXPECT_TRUE(matches_wildcards("*", ""));
  EXPECT_TRUE(matches_wildcards("dynamodb:Describe*", "dynamodb:DescribeTable"));
  EXPECT_TRUE(matches_wildcards("a*b*c", "a--b--b--c"));
  EXPECT_FALSE(matches_wildcards("a*b*c", "a--c--b"));
  EXPECT_TRUE(matches_wildcards("table/?rders", "table/orders"));
  EXPECT_FALSE(matches_wildcards("table/orders", "table/orders2"));
  EXPECT_FALSE(matches_wildcards("", "x"));
}

TEST(Policy, AllowsWhatAStatementNames) {
  const Policy one = policy(R"({"Effect":"Allow","Action":["dynamodb:Scan","dynamodb:get*"],"Resource":")" +
                            std::string(kArn) + R"("})");
  EXPECT_TRUE(one.allows({"dynamodb:Scan", kArn}));
  EXPECT_TRUE(one.allows({"dynamodb:GetItem", kArn}));
  EXPECT_FALSE(one.allows({"dynamodb:Query", kArn}));
  EXPECT_FALSE(one.allows({"dynamodb:Scan", std::string(kArn) + "2"}));
}

TEST(Policy, ConditionsMustHold) {
  const Policy one = policy(
      R"({"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"a"}}})");
  EXPECT_TRUE(one.allows({"kms:Decrypt", "k", {{"kms:viaservice", "a"}}}));
  EXPECT_FALSE(one.allows({"kms:Decrypt", "k", {{"kms:viaservice", "b"}}}));
  EXPECT_FALSE(one.allows({"kms:Decrypt", "k"}));
}

TEST(Policy, RefusesWhatItWouldIgnore) {
  for (const char* text :
       {"{", "{}", R"({"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]})",
        R"({"Statement":[{"Effect":"Allow","NotAction":"x","Resource":"*"}]})",
        R"({"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{}}}]})",
        R"({"Statement":[{"Effect":"Allow","Action":"*"}]})"}) {
    EXPECT_FALSE(Policy::parse(text)) << text;
  }
}

class PolicyTest : public testing::Test {
 protected:
  static EngineSettings settings(const std::string& statements) {
    EngineSettings settings = Client::with(dynamodb());
    settings.policy = std::make_shared<const Policy>(policy(statements));
    return settings;
  }
  static Answer send(Client& client, const std::string& target, std::string_view body,
                     bool with_signature = true) {
    Request request;
    request.headers.emplace_back("X-Amz-Target", target);
    if (with_signature) request.headers.emplace_back("Authorization", "AWS4-HMAC-SHA256 …");
    request.body = body;
    return client.engine().handle(request);
  }
};

TEST_F(PolicyTest, EnforcesItForSignedRequestsAndRefusesOthers) {
  Client client(settings(R"({"Effect":"Allow","Action":"dynamodb:CreateTable","Resource":"*"})"));
  const std::string body =
      R"({"TableName":"orders","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"p","KeyType":"HASH"}],)"
      R"("AttributeDefinitions":[{"AttributeName":"p","AttributeType":"S"}])";
  EXPECT_EQ(Client::error_of(send(client, "DynamoDB_20120810.CreateTable", body + "}", false)),
            "MissingAuthenticationTokenException");
  // Tags need leave of their own.
  const Answer tagged =
      send(client, "DynamoDB_20120810.CreateTable", body + R"(,"Tags":[{"Key":"a","Value":"b"}]})");
  EXPECT_THAT(*tagged.body, HasSubstr("is not authorized to perform: dynamodb:TagResource on resource: " +
                                      std::string(kArn) + " because no identity-based policy allows"));
  EXPECT_EQ(send(client, "DynamoDB_20120810.CreateTable", body + "}").status, 200);
  EXPECT_EQ(Client::error_of(send(client, "DynamoDB_20120810.Scan", R"({"TableName":"orders"})")),
            "AccessDeniedException");
}

TEST_F(PolicyTest, AsksForTheRightResources) {
  const std::string stream = std::string(kArn) + "/stream/*";
  Client client(settings(R"({"Effect":"Allow","Action":"*","Resource":[")" + stream + R"("]})"));
  EXPECT_EQ(send(client, "DynamoDBStreams_20120810.ListStreams", R"({"TableName":"orders"})").status, 200);
  const Answer other = send(client, "DynamoDBStreams_20120810.ListStreams", R"({"TableName":"other"})");
  EXPECT_EQ(Client::error_of(other), "AccessDeniedException");
  EXPECT_EQ(Client::error_of(send(client, "DynamoDB_20120810.DescribeLimits", "{}")),
            "AccessDeniedException");
  EXPECT_EQ(Client::error_of(send(client, "DynamoDB_20120810.DescribeTable", R"({"TableName":"orders"})")),
            "AccessDeniedException");
}

TEST_F(PolicyTest, ReadingAStreamNeedsLeaveForThatStream) {
  const std::string create =
      R"({"TableName":"orders","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"p","KeyType":"HASH"}],)"
      R"("AttributeDefinitions":[{"AttributeName":"p","AttributeType":"S"}],)"
      R"("StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"}})";
  const std::string streams =
      R"({"Effect":"Allow","Action":"dynamodb:*","Resource":")" + std::string(kArn) + R"(/stream/*"},)";
  Client client(settings(streams + R"({"Effect":"Allow","Action":"dynamodb:CreateTable","Resource":"*"})"));
  ASSERT_EQ(send(client, "DynamoDB_20120810.CreateTable", create).status, 200);
  const auto ask = [&](const std::string& operation, const std::string& body) {
    return json::parse(*send(client, "DynamoDBStreams_20120810." + operation, body).body);
  };
  const json::value listed = ask("ListStreams", R"({"TableName":"orders"})");
  const std::string arn(listed.at("Streams").at(0).at("StreamArn").as_string());
  const json::value stream = ask("DescribeStream", R"({"StreamArn":")" + arn + "\"}");
  const std::string shard(stream.at("StreamDescription").at("Shards").at(0).at("ShardId").as_string());
  const json::value iterator = ask("GetShardIterator", R"({"StreamArn":")" + arn + R"(","ShardId":")" +
                                                           shard + R"(","ShardIteratorType":"LATEST"})");
  const std::string records =
      R"({"ShardIterator":")" + std::string(iterator.at("ShardIterator").as_string()) + "\"}";
  EXPECT_TRUE(ask("GetRecords", records).as_object().contains("Records"));
  client.control("POST", "/_sim/policy",
                 R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dynamodb:GetRecords",)"
                 R"("Resource":")" +
                     std::string(kArn) + R"("}]})");
  const Answer refused = send(client, "DynamoDBStreams_20120810.GetRecords", records);
  EXPECT_THAT(*refused.body,
              HasSubstr("is not authorized to perform: dynamodb:GetRecords on resource: " + arn));
}

TEST_F(PolicyTest, ItemsUnderAKeyNeedItsDecryption) {
  const std::string create =
      R"({"TableName":"orders","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"p","KeyType":"HASH"}],)"
      R"("AttributeDefinitions":[{"AttributeName":"p","AttributeType":"S"}],)"
      R"("SSESpecification":{"Enabled":true,"SSEType":"KMS","KMSMasterKeyId":"arn:aws:kms:us-east-1:000000000000:key/k"}})";
  const std::string tables = R"({"Effect":"Allow","Action":"dynamodb:*","Resource":"*"})";
  Client without(settings(tables));
  ASSERT_EQ(send(without, "DynamoDB_20120810.CreateTable", create).status, 200);
  const Answer refused = send(without, "DynamoDB_20120810.Scan", R"({"TableName":"orders"})");
  EXPECT_THAT(*refused.body, HasSubstr("KMS key access denied error"));
  Client with(settings(
      tables +
      R"(,{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:*","Condition":{"StringEquals":{"kms:ViaService":"dynamodb.us-east-1.amazonaws.com"}}})"));
  ASSERT_EQ(send(with, "DynamoDB_20120810.CreateTable", create).status, 200);
  EXPECT_EQ(send(with, "DynamoDB_20120810.Scan", R"({"TableName":"orders"})").status, 200);
}

TEST(Account, AStreamIsThereAndEmpty) {
  Client client(dynamodb());
  client.create(
      "orders",
      R"("BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"})");
  const auto ask = [&](const std::string& operation, const std::string& body) {
    Request request;
    request.headers.emplace_back("X-Amz-Target", "DynamoDBStreams_20120810." + operation);
    request.body = body;
    return json::parse(*client.engine().handle(request).body);
  };
  const json::value streams = ask("ListStreams", R"({"TableName":"orders"})");
  const std::string arn(streams.at("Streams").at(0).at("StreamArn").as_string());
  const json::value stream = ask("DescribeStream", R"({"StreamArn":")" + arn + R"("})");
  const std::string shard(stream.at("StreamDescription").at("Shards").at(0).at("ShardId").as_string());
  const json::value iterator =
      ask("GetShardIterator", R"({"StreamArn":")" + arn + R"(","ShardId":")" + shard +
                                  R"(","ShardIteratorType":"TRIM_HORIZON"})");
  const std::string at(iterator.at("ShardIterator").as_string());
  const json::value records = ask("GetRecords", R"({"ShardIterator":")" + at + R"("})");
  EXPECT_TRUE(records.at("Records").as_array().empty());
  EXPECT_EQ(records.at("NextShardIterator"), at.c_str());
  // On AWS the two services are two.
  EXPECT_EQ(client.error("ListStreams", "{}"), "UnknownOperationException");
}

TEST(Account, SettingsBesideTheTable) {
  Client client(dynamodb());
  client.create("orders");
  EXPECT_EQ(client.error("GetResourcePolicy", R"({"ResourceArn":")" + std::string(kArn) + R"("})"),
            "PolicyNotFoundException");
  EXPECT_EQ(
      client.send("PutResourcePolicy", R"({"ResourceArn":")" + std::string(kArn) + R"(","Policy":"{}"})")
          .status,
      200);
  EXPECT_EQ(client.error("GetResourcePolicy", R"({"ResourceArn":")" + std::string(kArn) + R"("})"), "");
  client.call("EnableKinesisStreamingDestination", R"({"TableName":"orders","StreamArn":"arn:k"})");
  const auto kinesis = client.call("DescribeKinesisStreamingDestination", R"({"TableName":"orders"})");
  EXPECT_EQ(kinesis.at("KinesisDataStreamDestinations").at(0).at("StreamArn"), "arn:k");
  const auto backups = client.call(
      "UpdateContinuousBackups",
      R"({"TableName":"orders","PointInTimeRecoverySpecification":{"PointInTimeRecoveryEnabled":true}})");
  EXPECT_EQ(backups.at("ContinuousBackupsDescription")
                .at("PointInTimeRecoveryDescription")
                .at("PointInTimeRecoveryStatus"),
            "ENABLED");
}

TEST(Account, TellsWhoAsks) {
  Client client(dynamodb());
  Request request;
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  request.body = "Action=GetCallerIdentity&Version=2011-06-15";
  EXPECT_THAT(*client.engine().handle(request).body, HasSubstr("<Account>000000000000</Account>"));
}

TEST(Account, RefusesAStrangerAsStsDoes) {
  EngineSettings settings = Client::with(dynamodb());
  settings.auth.access_key = "somebody";
  settings.auth.secret_key = Secret("else");
  Client client(settings);
  Request request;
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  request.body = "Action=GetCallerIdentity&Version=2011-06-15";
  const Answer answer = client.engine().handle(request);
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(*answer.body, HasSubstr("<ErrorResponse><Error><Type>Sender</Type><Code>"));
}

TEST(Account, AlternatorTellsItsVersion) {
  Client client(alternator(ScyllaVersion::v6_2));
  const auto page = client.call("Scan", R"({"TableName":".scylla.alternator.system.versions"})");
  EXPECT_EQ(page.at("Items").at(0).at("version").at("S"), "6.2.3");
}

}  // namespace
}  // namespace messina::sim::test
