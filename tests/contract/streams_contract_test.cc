// What messina relies on in the Streams API, tried against whichever server run.py has started.
#include <cstdlib>
#include <future>
#include <memory>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/endpoint_resolve.h"
#include "aws/service_client.h"
#include "base/random.h"
#include "net/event_loop.h"

namespace messina::aws {
namespace {

namespace json = boost::json;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

const std::string kServer = variable("MESSINA_CONTRACT_SERVER");

bool is_sim() { return kServer.starts_with("sim-"); }
bool is_alternator() { return kServer == "sim-alternator"; }

std::string text(const json::value& value) { return std::string(value.as_string()); }

/// One table with a stream on the server, spoken to call by call.
class StreamContract : public testing::Test {
 protected:
  void SetUp() override {
    const auto url = variable("MESSINA_CONTRACT_URL");
    if (url.empty()) GTEST_SKIP() << "MESSINA_CONTRACT_URL is not set: run tests/contract/run.py";
    if (kServer == "dynalite") GTEST_SKIP() << "dynalite has no streams";
    ServiceClientOptions options;
    options.display = kServer;
    options.region = "us-east-1";
    options.signing_name = "dynamodb";
    options.origin = parse_endpoint_url(url).value();
    options.credentials = std::make_shared<StaticCredentials>(Credentials{"test", Secret("test")});
    client_ = std::make_unique<ServiceClient>(loop_, std::move(options));
    table_ = fmt::format("streams_{:012x}", Random(entropy_seed()).next() >> 16);
  }
  void TearDown() override { drop(client_); }

  /// What has connections dies on its loop.
  template <class T>
  void drop(std::unique_ptr<T>& thing) {
    std::promise<void> gone;
    asio::post(loop_.executor(), [&] {
      thing.reset();
      gone.set_value();
    });
    gone.get_future().wait();
  }

  /// Asks messina-sim's control endpoint.
  void control(const std::string& path, const std::string& body) {
    auto http = std::make_unique<net::HttpClient>(loop_, client_->origin(), net::ClientOptions{});
    net::Request request;
    request.target = path;
    request.body = body;
    const auto answer = net::run_on(loop_, http->send(request));
    EXPECT_TRUE(answer && answer->status == 200) << path << " " << body;
    drop(http);
  }

  Result<std::string> call(std::string_view operation, std::string body,
                           std::string api = "DynamoDB_20120810") {
    const Operation what{operation, OperationKind::control};
    return net::run_on(loop_, client_->json(what, std::move(api), std::move(body)));
  }
  json::value ask(std::string_view operation, std::string body) {
    auto answer = call(operation, std::move(body));
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? json::parse(*answer) : json::value(json::object());
  }
  Result<std::string> call_streams(std::string_view operation, std::string body) {
    return call(operation, std::move(body), "DynamoDBStreams_20120810");
  }
  json::value ask_streams(std::string_view operation, std::string body) {
    auto answer = call_streams(operation, std::move(body));
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? json::parse(*answer) : json::value(json::object());
  }

  void create(const std::string& view) {
    ask("CreateTable",
        fmt::format(
            R"({{"TableName":"{}","BillingMode":"PAY_PER_REQUEST","KeySchema":[{{"AttributeName":"p","KeyType":"HASH"}}],"AttributeDefinitions":[{{"AttributeName":"p","AttributeType":"S"}}],"StreamSpecification":{{"StreamEnabled":true,"StreamViewType":"{}"}}}})",
            table_, view));
  }
  void put(const std::string& p, int v) {
    ask("PutItem",
        fmt::format(R"({{"TableName":"{}","Item":{{"p":{{"S":"{}"}},"v":{{"N":"{}"}}}}}})", table_, p, v));
  }
  void remove(const std::string& p) {
    ask("DeleteItem", fmt::format(R"({{"TableName":"{}","Key":{{"p":{{"S":"{}"}}}}}})", table_, p));
  }
  std::string arn() {
    return text(ask("DescribeTable", fmt::format(R"({{"TableName":"{}"}})", table_))
                    .at("Table")
                    .at("LatestStreamArn"));
  }
  json::array shards() {
    json::array all;
    std::string more;
    do {
      const json::value page =
          ask_streams("DescribeStream", fmt::format(R"({{"StreamArn":"{}"{}}})", arn(), more))
              .at("StreamDescription");
      for (const json::value& shard : page.at("Shards").as_array()) all.push_back(shard);
      const json::value* last = page.as_object().if_contains("LastEvaluatedShardId");
      const bool ends = last == nullptr || last->is_null();
      more = ends ? "" : fmt::format(R"(,"ExclusiveStartShardId":"{}")", text(*last));
    } while (!more.empty());
    return all;
  }
  std::string iterator(const std::string& shard, const std::string& type, const std::string& number = {}) {
    return text(
        ask_streams("GetShardIterator",
                    fmt::format(R"({{"StreamArn":"{}","ShardId":"{}","ShardIteratorType":"{}"{}}})", arn(),
                                shard, type, number.empty() ? "" : R"(,"SequenceNumber":")" + number + "\""))
            .at("ShardIterator"));
  }
  /// The next iterator; empty at the end of a closed shard.
  std::string read(const std::string& iterator, std::vector<json::value>& into, int limit = 1000) {
    const json::value page =
        ask_streams("GetRecords", fmt::format(R"({{"ShardIterator":"{}","Limit":{}}})", iterator, limit));
    for (const json::value& record : page.at("Records").as_array()) into.push_back(record);
    const json::value* next = page.as_object().if_contains("NextShardIterator");
    return next == nullptr || next->is_null() ? "" : text(*next);
  }
  /// All records there are, read page by page.
  std::vector<json::value> records(int limit = 1000) {
    std::vector<json::value> all;
    for (const json::value& shard : shards()) {
      std::string at = iterator(text(shard.at("ShardId")), "TRIM_HORIZON");
      for (std::size_t before = 0; !at.empty(); before = all.size()) {
        at = read(at, all, limit);
        if (all.size() == before) break;
      }
    }
    return all;
  }
  static std::string image(const json::value& record, const char* name) {
    const json::value* found = record.at("dynamodb").as_object().if_contains(name);
    return found == nullptr ? "-" : json::serialize(found->at("v").at("N"));
  }

  net::EventLoop loop_{"contract"};
  std::unique_ptr<ServiceClient> client_;
  std::string table_;
};

TEST_F(StreamContract, AStreamIsDescribed) {
  create("NEW_AND_OLD_IMAGES");
  const json::value listed = ask_streams("ListStreams", fmt::format(R"({{"TableName":"{}"}})", table_));
  ASSERT_EQ(listed.at("Streams").as_array().size(), 1u);
  EXPECT_EQ(text(listed.at("Streams").at(0).at("StreamArn")), arn());
  const json::value stream =
      ask_streams("DescribeStream", fmt::format(R"({{"StreamArn":"{}"}})", arn())).at("StreamDescription");
  EXPECT_EQ(stream.at("StreamStatus"), "ENABLED");
  EXPECT_EQ(stream.at("StreamViewType"), "NEW_AND_OLD_IMAGES");
  EXPECT_EQ(text(stream.at("TableName")), table_);
  const json::array all = shards();
  ASSERT_FALSE(all.empty());
  for (const json::value& shard : all) {
    const json::object& range = shard.at("SequenceNumberRange").as_object();
    EXPECT_THAT(text(range.at("StartingSequenceNumber")), testing::MatchesRegex("[0-9]{21,40}"));
    EXPECT_FALSE(range.contains("EndingSequenceNumber")) << "a new stream's shards are open";
  }
}

TEST_F(StreamContract, ChangesComeInTheirOrder) {
  create("NEW_AND_OLD_IMAGES");
  put("a", 1);
  put("a", 2);
  put("a", 3);
  remove("a");
  std::vector<std::string> changes;
  std::string before;
  for (const json::value& record : records(2)) {
    changes.push_back(image(record, "OldImage") + ">" + image(record, "NewImage"));
    EXPECT_EQ(json::serialize(record.at("dynamodb").at("Keys")), R"({"p":{"S":"a"}})");
    const std::string number = text(record.at("dynamodb").at("SequenceNumber"));
    EXPECT_THAT(number, testing::MatchesRegex("[0-9]{21,40}"));
    EXPECT_TRUE(before.size() < number.size() || (before.size() == number.size() && before < number));
    before = number;
  }
  if (is_alternator()) {
    // A put is the removal of the row and its insertion.
    EXPECT_THAT(changes, testing::ElementsAre("->-", R"(->"1")", R"("1">-)", R"(->"2")", R"("2">-)",
                                              R"(->"3")", R"("3">-)"));
  } else {
    EXPECT_THAT(changes, testing::ElementsAre(R"(->"1")", R"("1">"2")", R"("2">"3")", R"("3">-)"));
  }
}

TEST_F(StreamContract, TheViewDecidesOnTheImages) {
  for (const std::string view : {"KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE"}) {
    table_ = fmt::format("streams_{:012x}", Random(entropy_seed()).next() >> 16);
    create(view);
    put("a", 1);
    put("a", 2);
    bool has_new = false;
    bool has_old = false;
    for (const json::value& record : records()) {
      has_new = has_new || image(record, "NewImage") != "-";
      has_old = has_old || image(record, "OldImage") != "-";
      EXPECT_EQ(record.at("dynamodb").at("StreamViewType"), json::value(view));
    }
    EXPECT_EQ(has_new, view == "NEW_IMAGE") << view;
    EXPECT_EQ(has_old, view == "OLD_IMAGE") << view;
  }
}

TEST_F(StreamContract, IteratorsBeginWhereTheySay) {
  create("NEW_IMAGE");
  put("a", 1);
  put("a", 2);
  std::string shard;
  std::vector<json::value> all;
  for (const json::value& candidate : shards()) {
    read(iterator(text(candidate.at("ShardId")), "TRIM_HORIZON"), all);
    if (!all.empty() && shard.empty()) shard = text(candidate.at("ShardId"));
  }
  ASSERT_GE(all.size(), 2u);
  const std::string first = text(all.front().at("dynamodb").at("SequenceNumber"));
  std::vector<json::value> at;
  std::vector<json::value> after;
  read(iterator(shard, "AT_SEQUENCE_NUMBER", first), at);
  read(iterator(shard, "AFTER_SEQUENCE_NUMBER", first), after);
  EXPECT_EQ(at.size(), all.size());
  EXPECT_EQ(after.size(), all.size() - 1);
  std::vector<json::value> later;
  const std::string latest = read(iterator(shard, "LATEST"), later);
  EXPECT_TRUE(later.empty());
  put("a", 3);
  read(latest, later);
  ASSERT_FALSE(later.empty());
  EXPECT_EQ(image(later.back(), "NewImage"), R"("3")");
}

TEST_F(StreamContract, WhatIsNotThereIsNotFound) {
  if (kServer == "moto")
    GTEST_SKIP() << "moto answers 500 to the names of streams and iterators that are not there";
  create("NEW_IMAGE");
  const std::string gone = is_alternator() ? "Scc5e7f1c-e65f-11f1-4937-706785e5025c" : arn() + "0";
  const auto stream = call_streams("DescribeStream", fmt::format(R"({{"StreamArn":"{}"}})", gone));
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().kind, ErrorKind::not_found) << stream.error().message;
  const auto shard = call_streams(
      "GetShardIterator",
      fmt::format(
          R"({{"StreamArn":"{}","ShardId":"shardId-00000000000000000001-00000000","ShardIteratorType":"LATEST"}})",
          arn()));
  ASSERT_FALSE(shard);
  EXPECT_EQ(shard.error().kind, ErrorKind::not_found) << shard.error().message;
  const auto bad = call_streams("GetRecords", R"({"ShardIterator":"nonsense"})");
  ASSERT_FALSE(bad);
  EXPECT_FALSE(bad.error().retryable()) << bad.error().message;
}

TEST_F(StreamContract, EachEnablingMakesANewStream) {
  if (kServer == "moto") GTEST_SKIP() << "moto answers 500 to writes of a table whose stream was disabled";
  create("NEW_IMAGE");
  const std::string first = arn();
  const auto update = [&](const std::string& specification) {
    return call("UpdateTable",
                fmt::format(R"({{"TableName":"{}","StreamSpecification":{}}})", table_, specification));
  };
  EXPECT_FALSE(update(R"({"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"})")) << "it is enabled already";
  ASSERT_TRUE(update(R"({"StreamEnabled":false})"));
  put("b", 1);
  ASSERT_TRUE(update(R"({"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"})"));
  EXPECT_NE(arn(), first);
  EXPECT_TRUE(records().empty()) << "nothing of the time in between";
}

TEST_F(StreamContract, AWriteThatChangesNothingIsNoRecord) {
  if (kServer == "moto") GTEST_SKIP() << "moto records every put";
  if (is_alternator()) GTEST_SKIP() << "ScyllaDB's log has every write";
  create("NEW_IMAGE");
  put("a", 1);
  put("a", 1);
  remove("nobody");
  EXPECT_EQ(records().size(), 1u);
}

TEST_F(StreamContract, ShardsCloseAndHaveChildren) {
  if (!is_sim()) GTEST_SKIP() << kServer << "'s shards never close";
  create("NEW_IMAGE");
  put("a", 1);
  const std::size_t open = shards().size();
  control("/_sim/tables/" + table_ + "/stream", R"({"roll":"all"})");
  put("a", 2);
  const json::array after = shards();
  EXPECT_EQ(after.size(), 2 * open);
  std::size_t children = 0;
  for (const json::value& shard : after) children += shard.as_object().contains("ParentShardId") ? 1 : 0;
  EXPECT_EQ(children, open);
  std::vector<std::string> images;
  for (const json::value& record : records()) {
    if (image(record, "NewImage") != "-") images.push_back(image(record, "NewImage"));
  }
  EXPECT_THAT(images, testing::ElementsAre(R"("1")", R"("2")"));
}

TEST_F(StreamContract, FaultsOfAReaderAreToldApart) {
  if (!is_sim()) GTEST_SKIP() << kServer << " has no faults to order";
  create("NEW_IMAGE");
  const std::string at = iterator(text(shards().at(0).at("ShardId")), "TRIM_HORIZON");
  for (const std::string kind :
       {"throttle_stream_limit", "throttle_stream_rate", "throttle_stream_capacity"}) {
    control("/_sim/faults", fmt::format(R"({{"kind":"{}","table":"{}","count":1}})", kind, table_));
    const auto records = call_streams("GetRecords", fmt::format(R"({{"ShardIterator":"{}"}})", at));
    ASSERT_FALSE(records) << kind;
    EXPECT_EQ(records.error().kind, ErrorKind::throttled) << kind << ": " << records.error().message;
  }
}

}  // namespace
}  // namespace messina::aws
