// How long a copy takes and what it costs: arithmetic only. docs/cost.md explains every figure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "jobs/check_facts.h"

namespace messina::jobs {

/// DynamoDB's capacity unit for reads, and the GB of its bills (developer guide, "Read and write operations":
/// 4 KB; pricing page: GB of 2^30 bytes).
inline constexpr std::uint64_t kReadUnitBytes = 4096;
inline constexpr double kBilledGb = 1024.0 * 1024 * 1024;

/// Prices of one day in one region, and what other regions cost in proportion.
struct Prices {
  struct TableClass {
    double read_per_million = 0;    ///< read request units of on-demand tables
    double read_capacity_hour = 0;  ///< one provisioned RCU for an hour
  };
  std::string as_of;     ///< "2025-07-21"
  std::string currency;  ///< "USD"
  std::string region;    ///< that they are of
  TableClass standard, infrequent_access;
  double export_per_gb = 0;                      ///< of the table, S3's own storage and requests apart
  std::map<std::string, double> region_factors;  ///< absent: no price known
};

/// Reads a file as src/jobs/prices.json. Errors: config, naming the member.
Result<Prices> parse_prices(std::string_view json);
/// The file that this program was built with.
const Prices& built_in_prices();

/// Where the target's throughput comes from.
enum class Throughput : std::uint8_t { given, measured, assumed };
std::string_view to_string(Throughput throughput);

struct EstimateQuestion {
  std::optional<std::uint64_t> items, bytes;  ///< as DescribeTable tells them
  bool on_demand = true;
  bool infrequent_access = false;
  std::string region;                    ///< of the source; empty: not on AWS, where reading costs nothing
  std::optional<double> read_rcu_per_s;  ///< --read-rcu
  std::optional<std::uint64_t> provisioned_read;  ///< RCU of a provisioned table
  std::optional<std::uint64_t> read_cap;          ///< of an on-demand table
  double throughput_bytes_per_s = 0;              ///< that the target is taken to take; > 0
  Throughput throughput = Throughput::assumed;
};

/// What Estimate::limited_by says when it is that.
inline constexpr const char* kTargetThroughput = "the target's throughput";

struct Estimate {
  std::optional<std::uint64_t> items, bytes;
  /// Reading the whole table once; also what each full comparison reads. Absent without a size, or a source
  /// that is not DynamoDB.
  std::optional<double> rcu_strong, rcu_eventual;
  /// In `currency`; absent without a price.
  std::optional<double> cost_strong, cost_eventual, cost_export;
  bool provisioned = false;  ///< costs are the share of capacity that is paid for anyway
  std::optional<double> seconds;
  /// "--read-rcu", "the provisioned capacity", "the table's cap on reads", "the target's throughput".
  std::string limited_by;
  double throughput_bytes_per_s = 0;
  Throughput throughput = Throughput::assumed;
  std::string currency, prices_as_of, prices_region;
  double region_factor = 1;
  std::string no_price;  ///< why there is none; empty: there is
};

Estimate estimate(const EstimateQuestion& question, const Prices& prices);

/// The question that the facts of a check ask.
EstimateQuestion estimate_question(const CheckFacts& facts);

}  // namespace messina::jobs
