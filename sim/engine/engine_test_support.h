// A small client for the engine's tests.
#pragma once
#include <string>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "sim/engine/engine.h"

namespace messina::sim::test {

namespace json = boost::json;

class Client {
 public:
  explicit Client(EngineSettings settings) : engine_(std::move(settings), clock_) {}
  explicit Client(Personality personality) : Client(with(std::move(personality))) {}
  static EngineSettings with(Personality personality) {
    EngineSettings settings;
    settings.personality = std::move(personality);
    return settings;
  }

  Answer send(std::string_view operation, std::string_view body, std::size_t node = 0) {
    return send_to(operation == "GetMetricData" ? "GraniteServiceVersion20100801" : "DynamoDB_20120810",
                   operation, body, node);
  }
  Answer send_to(std::string_view api, std::string_view operation, std::string_view body,
                 std::size_t node = 0) {
    Request request;
    request.headers.emplace_back("X-Amz-Target", std::string(api) + "." + std::string(operation));
    request.body = body;
    request.node = node;
    return engine_.handle(request);
  }
  json::value call(std::string_view operation, std::string_view body, std::size_t node = 0) {
    return json::parse(*send(operation, body, node).body);
  }
  /// The error's type without its prefix; empty for an answer that is no error.
  std::string error(std::string_view operation, std::string_view body, std::size_t node = 0) {
    return error_of(send(operation, body, node));
  }
  static std::string error_of(const Answer& answer) {
    if (answer.status == 200) return {};
    const std::string type(json::parse(*answer.body).at("__type").as_string());
    return type.substr(type.find('#') + 1);
  }
  json::value control(std::string_view method, std::string_view path, std::string_view body = {}) {
    Request request;
    request.method = method;
    request.path = path;
    request.body = body;
    return json::parse(*engine_.handle(request).body);
  }
  std::uint64_t fired(std::string_view kind) {
    const json::value answer = control("GET", "/_sim/faults");
    const json::value* count = answer.at("fired").as_object().if_contains(kind);
    return count == nullptr ? 0 : count->to_number<std::uint64_t>();
  }
  /// A table with partition key p (S), on demand.
  void create(const std::string& name, const std::string& more = R"("BillingMode":"PAY_PER_REQUEST")") {
    const Answer answer =
        send("CreateTable",
             R"({"TableName":")" + name + R"(","KeySchema":[{"AttributeName":"p","KeyType":"HASH"}],)" +
                 R"("AttributeDefinitions":[{"AttributeName":"p","AttributeType":"S"}],)" + more + "}");
    if (answer.status != 200) throw std::runtime_error(*answer.body);
  }
  /// The item with key p, as JSON text; "{}" if there is none.
  std::string get(const std::string& table, const std::string& p) {
    const json::value answer =
        call("GetItem", R"({"TableName":")" + table + R"(","Key":{"p":{"S":")" + p + R"("}}})");
    const json::value* item = answer.as_object().if_contains("Item");
    return item == nullptr ? "{}" : json::serialize(*item);
  }
  void advance(Duration by) { clock_.advance(by); }
  Engine& engine() { return engine_; }

 private:
  static ManualClock set_clock() {
    ManualClock clock;
    clock.set_wall(WallTime(std::chrono::seconds(1'800'000'000)));
    return clock;
  }
  ManualClock clock_ = set_clock();  // before the engine, which looks at it when it starts
  Engine engine_;
};

inline std::string put(const std::string& table, const std::string& p, const std::string& more = {}) {
  return R"({"TableName":")" + table + R"(","Item":{"p":{"S":")" + p + R"("})" +
         (more.empty() ? "" : "," + more) + "}}";
}

}  // namespace messina::sim::test
