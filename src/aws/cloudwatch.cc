#include "aws/cloudwatch.h"

#include <algorithm>
#include <cmath>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/log.h"

namespace messina::aws {
namespace {

namespace json = boost::json;

std::int64_t unix_seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string query(std::string_view id, std::string_view metric, std::string_view table) {
  std::string out = fmt::format(
      R"({{"Id":"{}","ReturnData":true,"MetricStat":{{"Period":{},"Stat":"Sum","Metric":{{"Namespace":"AWS/DynamoDB","MetricName":"{}","Dimensions":[{{"Name":"TableName","Value":)",
      id, kMetricsPeriod.count(), metric);
  append_json_string(out, table);
  return out + "}]}}}";
}

std::unexpected<Error> wrong(std::string_view what) {
  return fail(ErrorKind::corrupt, fmt::format("it has no usable \"{}\"", what));
}

const json::array* array_in(const json::object& from, std::string_view name) {
  const json::value* value = from.if_contains(name);
  return value ? value->if_array() : nullptr;
}

Result<std::vector<MetricPoint>> points_of(const json::object& result) {
  const json::array* times = array_in(result, "Timestamps");
  const json::array* values = array_in(result, "Values");
  if (times == nullptr || values == nullptr || times->size() != values->size()) return wrong("Timestamps");
  std::vector<MetricPoint> points;
  for (std::size_t i = 0; i < times->size(); ++i) {
    const json::value &time = (*times)[i], &value = (*values)[i];
    if (!time.is_number() || !value.is_number()) return wrong("Values");
    const double seconds = time.to_number<double>(), sum = value.to_number<double>();
    // Beyond any date, and what a cast could not hold.
    if (!(seconds >= 0 && seconds < 1e11) || !(sum >= 0)) return wrong("Values");
    points.push_back({WallTime(std::chrono::seconds(static_cast<std::int64_t>(seconds))), sum});
  }
  std::ranges::sort(points, {}, &MetricPoint::from);
  return points;
}

}  // namespace

std::string consumed_units_request(std::string_view table, WallTime from, WallTime to) {
  return fmt::format(R"({{"StartTime":{},"EndTime":{},"MetricDataQueries":[{},{}]}})", unix_seconds(from),
                     unix_seconds(to), query("reads", "ConsumedReadCapacityUnits", table),
                     query("writes", "ConsumedWriteCapacityUnits", table));
}

Result<ConsumedUnits> parse_consumed_units(std::string_view body) {
  boost::system::error_code failure;
  const auto parsed = json::parse({body.data(), body.size()}, failure);
  if (failure || !parsed.is_object()) return fail(ErrorKind::corrupt, "it is no JSON object");
  const json::array* results = array_in(parsed.get_object(), "MetricDataResults");
  if (results == nullptr) return wrong("MetricDataResults");
  ConsumedUnits consumed;
  for (const json::value& result : *results) {
    if (!result.is_object()) return wrong("MetricDataResults");
    const json::value* id = result.get_object().if_contains("Id");
    const std::string_view name = id && id->is_string() ? std::string_view(id->get_string()) : "";
    auto points = points_of(result.get_object());
    if (!points) return fail(points.error());
    if (name == "reads") consumed.reads = std::move(*points);
    if (name == "writes") consumed.writes = std::move(*points);
  }
  return consumed;
}

}  // namespace messina::aws
