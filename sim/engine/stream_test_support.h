// A reader of streams for the engine's tests.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "sim/engine/engine_test_support.h"

namespace messina::sim::test {

using namespace std::chrono_literals;

inline std::string with_stream(const std::string& view) {
  return R"("BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":")" +
         view + R"("})";
}

inline std::string text(const json::value& value) { return std::string(value.as_string()); }

/// A table "orders" with a stream, and what a reader asks of it.
class StreamClient : public Client {
 public:
  explicit StreamClient(EngineSettings settings, const std::string& view = "NEW_AND_OLD_IMAGES")
      : Client(std::move(settings)) {
    create("orders", with_stream(view));
  }

  json::value ask(std::string_view operation, const std::string& body) {
    return json::parse(*send_to("DynamoDBStreams_20120810", operation, body).body);
  }
  std::string refusal(std::string_view operation, const std::string& body) {
    return error_of(send_to("DynamoDBStreams_20120810", operation, body));
  }
  void put(const std::string& p, const std::string& more = {}) {
    const Answer answer = send("PutItem", test::put("orders", p, more));
    if (answer.status != 200) throw std::runtime_error(*answer.body);
  }
  void remove(const std::string& p) {
    send("DeleteItem", R"({"TableName":"orders","Key":{"p":{"S":")" + p + R"("}}})");
  }
  json::value table() { return call("DescribeTable", R"({"TableName":"orders"})").at("Table"); }
  std::string arn() { return text(table().at("LatestStreamArn")); }
  static std::string of(const std::string& arn, const std::string& more = {}) {
    return R"({"StreamArn":")" + arn + "\"" + more + "}";
  }
  json::value describe(const std::string& more = {}) {
    return ask("DescribeStream", of(arn(), more)).at("StreamDescription");
  }
  json::array shards() { return describe().at("Shards").as_array(); }
  std::string iterator_request(const std::string& shard, const std::string& type,
                               const std::string& number = {}) {
    return of(arn(), R"(,"ShardId":")" + shard + R"(","ShardIteratorType":")" + type + "\"" +
                         (number.empty() ? "" : R"(,"SequenceNumber":")" + number + "\""));
  }
  std::string iterator(const std::string& shard, const std::string& type, const std::string& number = {}) {
    return text(ask("GetShardIterator", iterator_request(shard, type, number)).at("ShardIterator"));
  }
  static std::string records_request(const std::string& iterator, const std::string& more = {}) {
    return R"({"ShardIterator":")" + iterator + "\"" + more + "}";
  }
  json::value page(const std::string& iterator, const std::string& more = {}) {
    return ask("GetRecords", records_request(iterator, more));
  }
  static std::string next(const json::value& page) {
    const json::value* next = page.as_object().if_contains("NextShardIterator");
    return next == nullptr ? "" : text(*next);
  }
  /// All records that a reader finds who begins with the oldest, shard by shard in the order of the listing.
  std::vector<json::value> all() {
    std::vector<json::value> records;
    for (const json::value& shard : shards()) {
      for (std::string at = iterator(text(shard.at("ShardId")), "TRIM_HORIZON"); !at.empty();) {
        const json::value found = page(at);
        if (found.at("Records").as_array().empty()) break;
        for (const json::value& record : found.at("Records").as_array()) records.push_back(record);
        at = next(found);
      }
    }
    return records;
  }
  json::value stream_control(const std::string& body) {
    return control("POST", "/_sim/tables/orders/stream", body);
  }
};

/// DynamoDB with one shard, so that records come in one order, and without the limits on calls.
inline EngineSettings one_shard() {
  EngineSettings settings = Client::with(dynamodb());
  settings.personality.streams.shards = 1;
  settings.personality.streams.call_limits = false;
  return settings;
}

}  // namespace messina::sim::test
