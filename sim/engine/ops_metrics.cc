// CloudWatch's GetMetricData, as far as DynamoDB's consumed capacity goes.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "sim/engine/engine.h"

namespace messina::sim {
namespace {

namespace json = boost::json;

constexpr std::int64_t kKeptSeconds = 6 * 3600;

const json::value* find(const json::value* in, std::string_view name) {
  return in != nullptr && in->is_object() ? in->get_object().if_contains(name) : nullptr;
}

std::string text(const json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<std::int64_t> seconds(const json::value* value) {
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double number = value->to_number<double>();
  if (!(number >= 0 && number < 1e11)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

/// The TableName of a metric whose only dimension it is.
std::string table_of(const json::value* metric) {
  const json::value* dimensions = find(metric, "Dimensions");
  if (dimensions == nullptr || !dimensions->is_array() || dimensions->get_array().size() != 1) return {};
  const json::value& only = dimensions->get_array()[0];
  return text(find(&only, "Name")) == "TableName" ? text(find(&only, "Value")) : std::string();
}

}  // namespace

void Engine::count_consumed(Table& table, double reads, double writes) {
  if (settings_.personality.alternator) return;
  const std::int64_t second = std::chrono::system_clock::to_time_t(now().wall);
  Consumed& consumed = table.consumed[second];
  consumed.reads += reads;
  consumed.writes += writes;
  while (table.consumed.begin()->first < second - kKeptSeconds) table.consumed.erase(table.consumed.begin());
}

void Engine::note_read(std::string_view table, double units) {
  if (const auto found = tables_.find(table); found != tables_.end()) count_consumed(found->second, units, 0);
}

Outcome<std::string> Engine::get_metric_data(const Parameters&, const Request& request) {
  const json::value body = json::parse(json::string_view(request.body.data(), request.body.size()));
  const auto from = seconds(find(&body, "StartTime"));
  const auto to = seconds(find(&body, "EndTime"));
  const json::value* queries = find(&body, "MetricDataQueries");
  if (!from || !to || queries == nullptr || !queries->is_array() || queries->get_array().empty())
    return invalid("StartTime, EndTime (in seconds) and MetricDataQueries are needed");
  const std::int64_t late = std::chrono::duration_cast<std::chrono::seconds>(settings_.metrics_delay).count();
  const std::int64_t known_until = std::chrono::system_clock::to_time_t(now().wall) - late;
  json::array results;
  for (const json::value& query : queries->get_array()) {
    const json::value* stat = find(&query, "MetricStat");
    const json::value* metric = find(stat, "Metric");
    const std::string name = text(find(metric, "MetricName"));
    const bool reads = name == "ConsumedReadCapacityUnits";
    const std::int64_t period = seconds(find(stat, "Period")).value_or(0);
    const bool known = text(find(metric, "Namespace")) == "AWS/DynamoDB" &&
                       text(find(stat, "Stat")) == "Sum" && (reads || name == "ConsumedWriteCapacityUnits") &&
                       period >= 1;
    if (!known) {
      return invalid(
          "messina-sim knows the Sum of ConsumedReadCapacityUnits and ConsumedWriteCapacityUnits by "
          "TableName");
    }
    json::array times, values;
    const auto table = tables_.find(table_of(metric));
    if (table != tables_.end()) {
      std::map<std::int64_t, double> sums;
      for (const auto& [second, consumed] : table->second.consumed) {
        const std::int64_t begin = second / period * period;
        if (begin < *from || begin >= *to || begin + period > known_until) continue;
        sums[begin] += reads ? consumed.reads : consumed.writes;
      }
      // As CloudWatch: the newest first.
      for (auto sum = sums.rbegin(); sum != sums.rend(); ++sum) {
        times.push_back(static_cast<double>(sum->first));
        values.push_back(sum->second);
      }
    }
    results.push_back(json::object{{"Id", text(find(&query, "Id"))},
                                   {"Label", name},
                                   {"Timestamps", std::move(times)},
                                   {"Values", std::move(values)},
                                   {"StatusCode", "Complete"}});
  }
  return json::serialize(
      json::object{{"MetricDataResults", std::move(results)}, {"Messages", json::array()}});
}

}  // namespace messina::sim
