#include "jobs/estimate.h"

#include <algorithm>
#include <cmath>
#include <utility>

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

/// Of one side's table: what it has, and what the copy is to take of it.
struct Capacity {
  std::optional<double> rate, share;               ///< --read-rcu and --read-share, or those of writes
  std::optional<std::uint64_t> provisioned, most;  ///< `most`: the cap of an on-demand table
  double warm = 0;                                 ///< what an on-demand table bears; 0: it is none
  std::string whose;                               ///< "the" or "the target's"
  const char* share_flag = "";
  const char* unit = "";  ///< "reads"
};

/// What the copy may take of it in a second, and what that is called; nullopt: no limit but the rate.
std::optional<std::pair<double, std::string>> limit_of(const Capacity& capacity) {
  const double share = capacity.rate ? 1 : capacity.share.value_or(0.5);
  const auto of = [&](double units, const std::string& what) {
    const std::string name = capacity.rate    ? what
                             : capacity.share ? fmt::format("{}, of {}", capacity.share_flag, what)
                                              : "half of " + what;
    return std::pair(units * share, name);
  };
  if (capacity.provisioned && *capacity.provisioned > 0)
    return of(static_cast<double>(*capacity.provisioned), capacity.whose + " provisioned capacity");
  if (capacity.most && *capacity.most > 0)
    return of(
        static_cast<double>(*capacity.most),
        fmt::format("{} cap on {}", capacity.whose == "the" ? "the table's" : capacity.whose, capacity.unit));
  if (capacity.warm <= 0 || capacity.rate) return std::nullopt;
  return of(capacity.warm,
            fmt::format("what the on-demand {} bears", capacity.whose == "the" ? "table" : "target"));
}

Capacity reads_of(const EstimateQuestion& question) {
  const auto bears = question.warm_read.value_or(static_cast<std::uint64_t>(pace::kDefaultWarmReads));
  return {question.read_rcu_per_s,
          question.read_share,
          question.provisioned_read,
          question.read_cap,
          question.on_demand ? static_cast<double>(bears) : 0,
          "the",
          "--read-share",
          "reads"};
}

Capacity writes_of(const EstimateQuestion::Writes& writes) {
  const auto bears = writes.warm.value_or(static_cast<std::uint64_t>(pace::kDefaultWarmWrites));
  return {writes.wcu_per_s,
          writes.share,
          writes.provisioned,
          writes.cap,
          writes.provisioned ? 0 : static_cast<double>(bears),
          "the target's",
          "--write-share",
          "writes"};
}

/// At least so many: of items of one size; unequal ones cost more.
double wcu_of(std::uint64_t bytes, std::optional<std::uint64_t> items) {
  const double all = std::ceil(static_cast<double>(bytes) / kWriteUnitBytes);
  return std::max(all, static_cast<double>(items.value_or(0)));
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

/// A limit that the table has for itself.
void add_own(Estimate& result, double units, const std::optional<std::pair<double, std::string>>& limit) {
  if (!limit || units / limit->first <= result.capacity_seconds) return;
  result.capacity_seconds = units / limit->first;
  result.capacity_limit = limit->second;
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
    add_own(result, *result.rcu_copy(), limit_of(reads_of(question)));
    if (question.read_rcu_per_s) slowest.add(*result.rcu_copy() / *question.read_rcu_per_s, "--read-rcu");
  }
  if (question.writes) {
    result.wcu = wcu_of(*question.bytes, question.items);
    add_own(result, *result.wcu, limit_of(writes_of(*question.writes)));
    // Each table's copy has this rate for itself.
    if (const auto& rate = question.writes->wcu_per_s)
      add_own(result, *result.wcu, std::pair(*rate, std::string("--write-wcu")));
  }
  slowest.add(result.capacity_seconds, result.capacity_limit);
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
  all.wcu.reset();
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
    add(all.wcu, one.wcu);
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

namespace {

EstimateQuestion::Writes writes_question(const CheckFacts& facts) {
  EstimateQuestion::Writes writes;
  writes.wcu_per_s = facts.write_wcu_per_s;
  writes.share = facts.write_share;
  const auto& target = facts.target.described;
  if (target && *target) {
    const endpoints::TableDescription& table = (*target)->table;
    if (!table.on_demand) writes.provisioned = table.write_capacity;
    writes.cap = table.most_writes;
    writes.warm = table.warm_writes;
    return writes;
  }
  // The copy makes it as the source's is, without its cap.
  const auto& source = facts.source.described;
  if (source && *source && !(*source)->table.on_demand) writes.provisioned = (*source)->table.write_capacity;
  return writes;
}

}  // namespace

EstimateQuestion estimate_question(const CheckFacts& facts) {
  EstimateQuestion question;
  const SideFacts& source = facts.source;
  question.table = source.table_name;
  if (!source.alternator) question.region = source.region;
  question.read_rcu_per_s = facts.read_rcu_per_s;
  question.read_share = facts.read_share;
  question.eventually_consistent = facts.eventually_consistent;
  if (!facts.target.alternator) question.writes = writes_question(facts);
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
