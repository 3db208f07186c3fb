// Capacity that clients share, and what CloudWatch says of it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/engine/engine_test_support.h"

namespace messina::sim::test {
namespace {

using namespace std::chrono_literals;

std::string query(std::string_view table, std::string_view metric, int period, std::int64_t from,
                  std::int64_t to) {
  return fmt::format(
      R"({{"StartTime":{},"EndTime":{},"MetricDataQueries":[{{"Id":"x","ReturnData":true,"MetricStat":{{"Period":{},"Stat":"Sum","Metric":{{"Namespace":"AWS/DynamoDB","MetricName":"{}","Dimensions":[{{"Name":"TableName","Value":"{}"}}]}}}}}}]}})",
      from, to, period, metric, table);
}

constexpr std::int64_t kNow = 1'800'000'000;

TEST(Metrics, AddUpWhatEverybodyConsumed) {
  EngineSettings settings = Client::with(dynamodb());
  settings.metrics_delay = 60s;
  Client client(settings);
  client.create("orders");
  client.send("PutItem", put("orders", "a"));
  client.advance(1s);
  client.send("PutItem", put("orders", "b", R"("v":{"S":")" + std::string(1500, 'x') + R"("})"));
  client.get("orders", "a");
  client.advance(120s);
  const auto values = [&](std::string_view metric, int period) {
    const json::value answer =
        client.call("GetMetricData", query("orders", metric, period, kNow - 60, kNow + 60));
    return json::serialize(answer.at("MetricDataResults").at(0).at("Values"));
  };
  EXPECT_EQ(values("ConsumedWriteCapacityUnits", 60), "[3E0]");
  EXPECT_EQ(values("ConsumedReadCapacityUnits", 60), "[5E-1]");
  EXPECT_EQ(values("ConsumedWriteCapacityUnits", 1), "[2E0,1E0]");
  client.control("POST", "/_sim/tables/orders/consumed", R"({"reads":100,"writes":0,"seconds":10})");
  client.advance(120s);
  const json::value later =
      client.call("GetMetricData", query("orders", "ConsumedReadCapacityUnits", 60, kNow, kNow + 180));
  double sum = 0;
  for (const json::value& value : later.at("MetricDataResults").at(0).at("Values").as_array())
    sum += value.to_number<double>();
  EXPECT_EQ(sum, 1000.5);
}

TEST(Metrics, KnowNothingOfPeriodsThatAreTooNewAndOfOtherTables) {
  EngineSettings settings = Client::with(dynamodb());
  settings.metrics_delay = 60s;
  Client client(settings);
  client.create("orders");
  client.send("PutItem", put("orders", "a"));
  client.advance(30s);
  for (const char* table : {"orders", "others"}) {
    const json::value answer =
        client.call("GetMetricData", query(table, "ConsumedWriteCapacityUnits", 60, kNow - 600, kNow + 600));
    EXPECT_TRUE(answer.at("MetricDataResults").at(0).at("Values").as_array().empty()) << table;
  }
  EXPECT_EQ(client.error("GetMetricData", query("orders", "Latency", 60, 0, 1)), "ValidationException");
  EXPECT_EQ(client.error("GetMetricData", "{}"), "ValidationException");
  Client other(alternator(ScyllaVersion::v6_2));
  EXPECT_EQ(other.error("GetMetricData", query("orders", "ConsumedWriteCapacityUnits", 60, 0, 1)),
            "UnknownOperationException");
}

TEST(Capacity, OfAnOnDemandTableIsItsMaximumOrItsWarmThroughput) {
  Client client(dynamodb());
  client.create("plain");
  client.create(
      "warm",
      R"("BillingMode":"PAY_PER_REQUEST","WarmThroughput":{"ReadUnitsPerSecond":9,"WriteUnitsPerSecond":4})");
  client.create(
      "capped",
      R"("BillingMode":"PAY_PER_REQUEST","OnDemandThroughput":{"MaxReadRequestUnits":-1,"MaxWriteRequestUnits":2})");
  const auto written = [&](const std::string& table) {
    int done = 0;
    for (int i = 0; i < 20; ++i)
      done += client.send("PutItem", put(table, std::to_string(i))).status == 200 ? 1 : 0;
    return done;
  };
  EXPECT_EQ(written("plain"), 20);
  EXPECT_EQ(written("warm"), 4);
  EXPECT_EQ(written("capped"), 2);
  EXPECT_EQ(client.control("GET", "/_sim/tables/capped/consumed").at("throttled_writes"), 18);
  const auto table = [&](const std::string& name) {
    return client.call("DescribeTable", R"({"TableName":")" + name + R"("})").at("Table");
  };
  EXPECT_EQ(table("plain").at("WarmThroughput").at("ReadUnitsPerSecond"), 12'000);
  EXPECT_FALSE(table("plain").as_object().contains("OnDemandThroughput"));
  EXPECT_EQ(table("warm").at("WarmThroughput").at("ReadUnitsPerSecond"), 9);
  EXPECT_EQ(table("capped").at("OnDemandThroughput").at("MaxReadRequestUnits"), -1);
  client.call("UpdateTable", R"({"TableName":"capped","OnDemandThroughput":{"MaxWriteRequestUnits":5}})");
  EXPECT_EQ(written("capped"), 5);
}

}  // namespace
}  // namespace messina::sim::test
