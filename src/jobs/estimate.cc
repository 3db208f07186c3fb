#include "jobs/estimate.h"

#include <array>
#include <cmath>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "jobs/prices_json.h"

namespace messina::jobs {
namespace {

namespace json = boost::json;

/// Reads members of the price file, and remembers the first that is wrong.
class PriceReader {
 public:
  explicit PriceReader(const json::object& object) : object_(object) {}

  std::string text(const char* name) {
    const json::value* value = object_.if_contains(name);
    if (value != nullptr && value->is_string() && !value->get_string().empty())
      return std::string(value->get_string());
    wrong(name, "a text");
    return {};
  }
  double price(const char* name) {
    const json::value* value = object_.if_contains(name);
    if (value != nullptr && value->is_number()) {
      const double price = value->to_number<double>();
      if (std::isfinite(price) && price >= 0) return price;
    }
    wrong(name, "a number, not negative");
    return 0;
  }
  const json::object& object(const char* name) {
    static const json::object kNone;
    const json::value* value = object_.if_contains(name);
    if (value != nullptr && value->is_object()) return value->get_object();
    wrong(name, "an object");
    return kNone;
  }
  void wrong(std::string_view name, std::string_view expected) {
    if (wrong_.empty()) wrong_ = fmt::format("\"{}\" must be {}", name, expected);
  }
  const std::string& what_is_wrong() const { return wrong_; }

 private:
  const json::object& object_;
  std::string wrong_;
};

}  // namespace

Result<Prices> parse_prices(std::string_view text) {
  boost::system::error_code failure;
  const json::value root = json::parse({text.data(), text.size()}, failure);
  if (failure || !root.is_object())
    return fail(ErrorKind::config, "the prices are no JSON object: see docs/cost.md for their form");
  PriceReader reader(root.get_object());
  Prices prices;
  prices.as_of = reader.text("as_of");
  prices.currency = reader.text("currency");
  prices.region = reader.text("region");
  for (const auto& [name, to] :
       {std::pair{"standard", &prices.standard}, std::pair{"infrequent_access", &prices.infrequent_access}}) {
    PriceReader inner(reader.object(name));
    to->read_per_million = inner.price("read_per_million");
    to->read_capacity_hour = inner.price("read_capacity_hour");
    if (!inner.what_is_wrong().empty()) reader.wrong(name, "an object with prices: " + inner.what_is_wrong());
  }
  prices.export_per_gb = reader.price("export_per_gb");
  const json::object& factors = reader.object("region_factors");
  PriceReader each(factors);
  for (const auto& [region, value] : factors)
    prices.region_factors[std::string(region)] = each.price(std::string(region).c_str());
  for (const PriceReader* done : {&reader, &each}) {
    if (!done->what_is_wrong().empty())
      return fail(ErrorKind::config, fmt::format("the prices: {} (see docs/cost.md)", done->what_is_wrong()));
  }
  return prices;
}

const Prices& built_in_prices() {
  static const Prices kPrices = parse_prices(kBuiltInPrices).value();
  return kPrices;
}

std::string_view to_string(Throughput throughput) {
  switch (throughput) {
    case Throughput::given:
      return "given";
    case Throughput::measured:
      return "measured";
    case Throughput::assumed:
      return "assumed";
  }
  return "assumed";
}

Estimate estimate(const EstimateQuestion& question, const Prices& prices) {
  Estimate result;
  result.items = question.items;
  result.bytes = question.bytes;
  result.throughput_bytes_per_s = question.throughput_bytes_per_s;
  result.throughput = question.throughput;
  result.currency = prices.currency;
  result.prices_as_of = prices.as_of;
  result.prices_region = prices.region;
  result.provisioned = !question.on_demand;
  const bool dynamodb = !question.region.empty();
  const auto factor = prices.region_factors.find(question.region);
  if (!dynamodb) {
    result.no_price = "the source is not DynamoDB";
  } else if (factor == prices.region_factors.end()) {
    result.no_price = fmt::format("no price known of {}", question.region);
  } else {
    result.region_factor = factor->second;
  }
  if (!question.bytes) {
    if (result.no_price.empty()) result.no_price = "the table's size is not known";
    return result;
  }

  const auto bytes = static_cast<double>(*question.bytes);
  struct Limit {
    double seconds;
    const char* name;
  };
  std::array<Limit, 4> limits{{{bytes / question.throughput_bytes_per_s, kTargetThroughput}}};
  if (dynamodb) {
    const double strong = std::ceil(bytes / kReadUnitBytes);
    result.rcu_strong = strong;
    result.rcu_eventual = strong / 2;
    if (question.read_rcu_per_s) limits[1] = {strong / *question.read_rcu_per_s, "--read-rcu"};
    if (question.provisioned_read && *question.provisioned_read > 0)
      limits[2] = {strong / static_cast<double>(*question.provisioned_read), "the provisioned capacity"};
    if (question.read_cap && *question.read_cap > 0)
      limits[3] = {strong / static_cast<double>(*question.read_cap), "the table's cap on reads"};
  }
  Limit longest = limits[0];
  for (const Limit& limit : limits) {
    if (limit.seconds > longest.seconds) longest = limit;
  }
  result.seconds = longest.seconds;
  result.limited_by = longest.name;
  if (!result.no_price.empty()) return result;

  const Prices::TableClass& table_class =
      question.infrequent_access ? prices.infrequent_access : prices.standard;
  const double per_unit =
      question.on_demand ? table_class.read_per_million / 1e6 : table_class.read_capacity_hour / 3600;
  result.cost_strong = *result.rcu_strong * per_unit * result.region_factor;
  result.cost_eventual = *result.rcu_eventual * per_unit * result.region_factor;
  result.cost_export = bytes / kBilledGb * prices.export_per_gb * result.region_factor;
  return result;
}

EstimateQuestion estimate_question(const CheckFacts& facts) {
  EstimateQuestion question;
  const SideFacts& source = facts.source;
  if (!source.alternator) question.region = source.region;
  question.read_rcu_per_s = facts.read_rcu_per_s;
  if (!source.described || !*source.described) return question;
  const auto& seen = **source.described;
  question.items = seen.table.item_count;
  question.bytes = seen.table.size_bytes;
  question.on_demand = seen.table.on_demand;
  question.infrequent_access = !seen.details.table_class.empty();
  if (!seen.table.on_demand) question.provisioned_read = seen.table.read_capacity;
  question.read_cap = seen.details.max_read_units;
  return question;
}

}  // namespace messina::jobs
