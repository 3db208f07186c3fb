#include "jobs/estimate.h"

#include <cmath>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "jobs/prices_json.h"
#include "pace/capacity_share.h"

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
    return fail(ErrorKind::config, "the prices are no JSON object: see docs/use/cost.md for their form");
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
      return fail(ErrorKind::config,
                  fmt::format("the prices: {} (see docs/use/cost.md)", done->what_is_wrong()));
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

namespace {

/// The longest of some limits.
struct Slowest {
  double seconds = 0;
  std::string name = kTargetThroughput;

  void add(double other, std::string_view what) {
    if (other <= seconds) return;
    seconds = other;
    name = what;
  }
};

/// What the copy may take of the table's capacity in a second, and what that is called; nullopt: no limit but
/// --read-rcu.
std::optional<std::pair<double, std::string>> capacity_limit(const EstimateQuestion& question) {
  const double share = question.read_rcu_per_s ? 1 : question.read_share.value_or(0.5);
  const auto of = [&](double units, std::string_view what) {
    const std::string name = question.read_rcu_per_s ? std::string(what)
                             : question.read_share   ? fmt::format("--read-share, of {}", what)
                                                     : fmt::format("half of {}", what);
    return std::pair(units * share, name);
  };
  if (question.provisioned_read && *question.provisioned_read > 0)
    return of(static_cast<double>(*question.provisioned_read), "the provisioned capacity");
  if (question.read_cap && *question.read_cap > 0)
    return of(static_cast<double>(*question.read_cap), "the table's cap on reads");
  if (!question.on_demand || question.read_rcu_per_s) return std::nullopt;
  return of(
      static_cast<double>(question.warm_read.value_or(static_cast<std::uint64_t>(pace::kDefaultWarmReads))),
      "what the on-demand table bears");
}

void add_costs(Estimate& result, const EstimateQuestion& question, const Prices& prices) {
  const Prices::TableClass& table_class =
      question.infrequent_access ? prices.infrequent_access : prices.standard;
  const double per_unit =
      question.on_demand ? table_class.read_per_million / 1e6 : table_class.read_capacity_hour / 3600;
  result.cost_strong = *result.rcu_strong * per_unit * result.region_factor;
  result.cost_eventual = *result.rcu_eventual * per_unit * result.region_factor;
  result.cost_export =
      static_cast<double>(*question.bytes) / kBilledGb * prices.export_per_gb * result.region_factor;
}

}  // namespace

Estimate estimate(const EstimateQuestion& question, const Prices& prices) {
  Estimate result;
  result.items = question.items;
  result.bytes = question.bytes;
  result.without_size = question.bytes ? 0 : 1;
  result.eventually_consistent = question.eventually_consistent;
  result.throughput_bytes_per_s = question.throughput_bytes_per_s;
  result.throughput = question.throughput;
  result.currency = prices.currency;
  result.prices_as_of = prices.as_of;
  result.prices_region = prices.region;
  result.provisioned = result.partly_provisioned = !question.on_demand;
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
  Slowest slowest;
  slowest.add(bytes / question.throughput_bytes_per_s, kTargetThroughput);
  if (dynamodb) {
    const double strong = std::ceil(bytes / kReadUnitBytes);
    result.rcu_strong = strong;
    result.rcu_eventual = strong / 2;
    if (const auto own = capacity_limit(question)) {
      result.capacity_seconds = *result.rcu_copy() / own->first;
      result.capacity_limit = own->second;
      slowest.add(result.capacity_seconds, result.capacity_limit);
    }
    if (question.read_rcu_per_s) slowest.add(*result.rcu_copy() / *question.read_rcu_per_s, "--read-rcu");
  }
  result.seconds = slowest.seconds;
  result.limited_by = slowest.name;
  if (result.no_price.empty()) add_costs(result, question, prices);
  return result;
}

Estimate estimate_all(std::span<const EstimateQuestion> questions, std::span<const Estimate> estimates,
                      std::uint32_t parallel) {
  // Settings, prices and the target's throughput are those of all.
  Estimate all = estimates.front();
  all.tables = estimates.size();
  all.without_size = 0;
  all.items = all.bytes = std::nullopt;
  all.rcu_strong = all.rcu_eventual = all.cost_strong = all.cost_eventual = all.cost_export = std::nullopt;
  all.seconds.reset();
  all.limited_by.clear();
  all.no_price.clear();
  all.provisioned = true;
  all.partly_provisioned = false;
  const auto add = [](auto& sum, const auto& one) {
    if (one) sum = sum.value_or(0) + *one;
  };
  Slowest slowest;
  double own_seconds = 0;
  for (const Estimate& one : estimates) {
    add(all.items, one.items);
    add(all.bytes, one.bytes);
    add(all.rcu_strong, one.rcu_strong);
    add(all.rcu_eventual, one.rcu_eventual);
    add(all.cost_strong, one.cost_strong);
    add(all.cost_eventual, one.cost_eventual);
    add(all.cost_export, one.cost_export);
    all.without_size += one.without_size;
    if (!one.cost_strong) all.no_price = one.no_price;
    all.provisioned = all.provisioned && one.provisioned;
    all.partly_provisioned = all.partly_provisioned || one.provisioned;
    own_seconds += one.capacity_seconds;
  }
  // A sum that lacks some tables is still worth showing; `without_size` says that it does.
  if (all.cost_strong) all.no_price.clear();
  if (!all.bytes) return all;
  slowest.add(static_cast<double>(*all.bytes) / all.throughput_bytes_per_s, kTargetThroughput);
  for (std::size_t i = 0; i < estimates.size(); ++i)
    slowest.add(estimates[i].capacity_seconds,
                fmt::format("table \"{}\": {}", questions[i].table, estimates[i].capacity_limit));
  slowest.add(own_seconds / parallel, fmt::format("the tables' capacities, {} at a time", parallel));
  const auto& rate = questions.front().read_rcu_per_s;
  if (rate && all.rcu_copy()) slowest.add(*all.rcu_copy() / *rate, "--read-rcu");
  all.seconds = slowest.seconds;
  all.limited_by = slowest.name;
  return all;
}

EstimateQuestion estimate_question(const CheckFacts& facts) {
  EstimateQuestion question;
  const SideFacts& source = facts.source;
  question.table = source.table_name;
  if (!source.alternator) question.region = source.region;
  question.read_rcu_per_s = facts.read_rcu_per_s;
  question.read_share = facts.read_share;
  question.eventually_consistent = facts.eventually_consistent;
  if (!source.described || !*source.described) return question;
  const auto& seen = **source.described;
  question.items = seen.table.item_count;
  question.bytes = seen.table.size_bytes;
  question.on_demand = seen.table.on_demand;
  question.infrequent_access = !seen.details.table_class.empty();
  if (!seen.table.on_demand) question.provisioned_read = seen.table.read_capacity;
  question.read_cap = seen.table.most_reads;
  question.warm_read = seen.table.warm_reads;
  return question;
}

}  // namespace messina::jobs
