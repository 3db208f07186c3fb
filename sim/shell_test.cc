// The simulator over real sockets.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "net/http_client.h"
#include "sim/bench_mode.h"
#include "sim/service.h"

namespace messina::sim {
namespace {

namespace json = boost::json;

/// One blocking exchange at a time.
class Caller {
 public:
  explicit Caller(const std::string& address)
      : client_(loop_,
                net::Origin{address.substr(0, address.rfind(':')),
                            static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)))},
                net::ClientOptions{}) {}
  std::expected<net::Response, net::SendError> call(std::string_view operation, std::string_view body) {
    net::Request request;
    request.headers.add("X-Amz-Target", "DynamoDB_20120810." + std::string(operation));
    request.body = body;
    return send(request);
  }
  std::expected<net::Response, net::SendError> send(const net::Request& request) {
    return net::run_on(loop_, run(&client_, &request));
  }

 private:
  static Task<std::expected<net::Response, net::SendError>> run(net::HttpClient* client,
                                                                const net::Request* request) {
    co_return co_await client->send(*request);
  }
  net::EventLoop loop_{"caller"};
  net::HttpClient client_;
};

std::unique_ptr<Service> serve(Personality personality, std::optional<BenchOptions> bench = std::nullopt) {
  EngineSettings settings;
  settings.personality = std::move(personality);
  auto service = Service::start("test", settings, {{0}, {"127.0.0.1"}, {}, {}}, std::move(bench));
  if (!service) throw std::runtime_error(service.error().message);
  return std::move(*service);
}

constexpr std::string_view kCreate =
    R"({"TableName":"orders","BillingMode":"PAY_PER_REQUEST","KeySchema":[{"AttributeName":"p","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"p","AttributeType":"S"}]})";

TEST(Shell, ServesTablesOverHttp) {
  const auto service = serve(dynamodb());
  Caller caller(service->addresses());
  EXPECT_EQ(caller.call("CreateTable", kCreate)->status, 200);
  EXPECT_EQ(caller.call("PutItem", R"({"TableName":"orders","Item":{"p":{"S":"a"}}})")->status, 200);
  const auto scan = caller.call("Scan", R"({"TableName":"orders"})");
  EXPECT_EQ(scan->body.view(), R"({"Count":1,"ScannedCount":1,"Items":[{"p":{"S":"a"}}]})");
  EXPECT_EQ(scan->headers.find("x-amz-crc32"), std::to_string(crc32(scan->body.view())));
}

TEST(Shell, CutsConnections) {
  const auto service = serve(dynamodb());
  Caller caller(service->addresses());
  caller.call("CreateTable", kCreate);
  net::Request fault;
  fault.target = "/_sim/faults";
  fault.body =
      R"([{"kind":"cut_after","operation":"PutItem","count":1},{"kind":"truncated","operation":"Scan","count":1}])";
  EXPECT_EQ(caller.send(fault)->status, 200);
  const auto put = caller.call("PutItem", R"({"TableName":"orders","Item":{"p":{"S":"a"}}})");
  ASSERT_FALSE(put);
  EXPECT_TRUE(put.error().may_have_been_sent);
  EXPECT_FALSE(caller.call("Scan", R"({"TableName":"orders"})"));
  const auto scan = caller.call("Scan", R"({"TableName":"orders"})");
  EXPECT_EQ(json::parse(scan->body.view()).at("Count"), 1);
}

TEST(Shell, LargeAlternatorAnswersAreChunked) {
  const auto service = serve(alternator(ScyllaVersion::v6_2));
  Caller caller(service->addresses());
  caller.call("CreateTable", kCreate);
  const std::string big(100'000, 'x');
  caller.call("PutItem", R"({"TableName":"orders","Item":{"p":{"S":"a"},"v":{"S":")" + big + "\"}}}");
  const auto scan = caller.call("Scan", R"({"TableName":"orders"})");
  EXPECT_NE(scan->body.view().find(big), std::string_view::npos);
  EXPECT_EQ(scan->headers.find("transfer-encoding"), "chunked");
  EXPECT_FALSE(scan->headers.find("x-amz-crc32"));
}

TEST(Bench, PagesAddUpToTheItemsAsked) {
  const auto options = parse_bench("items=10007,size=1000,table=t");
  ASSERT_TRUE(options);
  const auto service = serve(dynamodb(), *options);
  Caller caller(service->addresses());
  std::uint64_t items = 0;
  for (int segment = 0; segment < 3; ++segment) {
    std::string start;
    do {
      const auto page =
          caller.call("Scan", R"({"TableName":"t","TotalSegments":3,"Segment":)" + std::to_string(segment) +
                                  (start.empty() ? "" : R"(,"ExclusiveStartKey":)" + start) + "}");
      ASSERT_EQ(page->status, 200) << page->body.view();
      EXPECT_EQ(page->headers.find("x-amz-crc32"), std::to_string(crc32(page->body.view())));
      const json::value parsed = json::parse(page->body.view());
      EXPECT_EQ(parsed.at("Items").as_array().size(), parsed.at("Count").to_number<std::size_t>());
      for (const json::value& item : parsed.at("Items").as_array())
        EXPECT_EQ(json::serialize(item).size(), 1000u);
      items += parsed.at("Count").to_number<std::uint64_t>();
      const json::value* next = parsed.as_object().if_contains("LastEvaluatedKey");
      start = next == nullptr ? "" : json::serialize(*next);
    } while (!start.empty());
  }
  EXPECT_EQ(items, 10007u);
  EXPECT_EQ(caller.call("BatchWriteItem", "not even JSON")->body.view(), R"({"UnprocessedItems":{}})");
}

TEST(Bench, KeysOfPagesAreLookedUp) {
  const auto options = parse_bench("items=5000,size=1000,table=t");
  ASSERT_TRUE(options);
  const auto service = serve(dynamodb(), *options);
  Caller caller(service->addresses());
  const auto page = caller.call("Scan", R"({"TableName":"t"})");
  const json::value scanned = json::parse(page->body.view());
  json::array keys;
  for (const std::size_t i : {0u, 1u, 700u, 1000u})
    keys.push_back(json::object{{"pk", scanned.at("Items").at(i).at("pk")}});
  const json::object request{{"RequestItems", {{"copy of t", {{"Keys", keys}, {"ConsistentRead", true}}}}}};
  const auto answer = caller.call("BatchGetItem", json::serialize(request));
  ASSERT_EQ(answer->status, 200) << answer->body.view();
  EXPECT_EQ(answer->headers.find("x-amz-crc32"), std::to_string(crc32(answer->body.view())));
  const json::value found = json::parse(answer->body.view());
  const json::array expected{scanned.at("Items").at(0), scanned.at("Items").at(1),
                             scanned.at("Items").at(700), scanned.at("Items").at(1000)};
  EXPECT_EQ(found.at("Responses").at("copy of t"), expected);
  EXPECT_EQ(found.at("UnprocessedKeys"), json::object());
}

TEST(Bench, LookupsCanBeAnsweredInAnotherOrder) {
  const auto options = parse_bench("items=500,size=100,table=t,shuffled=1");
  ASSERT_TRUE(options);
  const auto service = serve(dynamodb(), *options);
  Caller caller(service->addresses());
  json::array keys;
  std::vector<std::string> asked;
  for (int i = 0; i < 10; ++i) {
    asked.push_back(fmt::format("k{:015}", i));
    keys.push_back(json::object{{"pk", {{"S", asked.back()}}}});
  }
  const auto answer =
      caller.call("BatchGetItem", json::serialize(json::object{{"RequestItems", {{"t", {{"Keys", keys}}}}}}));
  const json::value found = json::parse(answer->body.view());
  std::vector<std::string> given;
  for (const json::value& item : found.at("Responses").at("t").as_array())
    given.emplace_back(item.at("pk").at("S").as_string());
  EXPECT_NE(given, asked);
  EXPECT_TRUE(std::ranges::is_permutation(given, asked));
}

TEST(Bench, ItemsCanBeWrittenWithTheirKeyLast) {
  const auto options = parse_bench("items=500,size=100,table=t,key-last=1");
  ASSERT_TRUE(options);
  const auto service = serve(dynamodb(), *options);
  Caller caller(service->addresses());
  const auto answer = caller.call("Scan", R"({"TableName":"t","Limit":1})");
  const json::value scanned = json::parse(answer->body.view());
  const json::object item = scanned.at("Items").at(0).as_object();
  ASSERT_EQ(item.size(), 2u);
  EXPECT_EQ(item.begin()->key(), "v");
  EXPECT_EQ(json::serialize(item).size(), 100u);
}

TEST(Bench, WhatPagesConsumeIsCounted) {
  const auto options = parse_bench("items=1000,size=4096,table=orders,page-ms=1,write-ms=1");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->page_delay, std::chrono::milliseconds(1));
  const auto service = serve(dynamodb(), *options);
  Caller caller(service->addresses());
  EXPECT_EQ(caller.call("CreateTable", kCreate)->status, 200);
  for (const char* consistent : {"true", "false"}) {
    const std::string scan =
        std::string(R"({"TableName":"orders","Limit":10,"ConsistentRead":)") + consistent + "}";
    EXPECT_EQ(caller.call("Scan", scan)->status, 200);
  }
  net::Request ask;
  ask.method = "GET";
  ask.target = "/_sim/tables/orders/consumed";
  double reads = 0;
  const auto answer = caller.send(ask);
  const json::value consumed = json::parse(answer->body.view());
  for (const json::value& second : consumed.at("seconds").as_array())
    reads += second.at(1).to_number<double>();
  EXPECT_EQ(reads, 15);
}

TEST(Bench, SettingsAreChecked) {
  for (const char* bad :
       {"", "items=0", "items=x", "size=1000", "items=5,size=10", "items=5,bogus=1", "items=5,page-ms=x"}) {
    EXPECT_FALSE(parse_bench(bad)) << bad;
  }
}

}  // namespace
}  // namespace messina::sim
