// How long a copy takes and what it costs: arithmetic only. docs/use/cost.md explains every figure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "jobs/check_facts.h"

namespace messina::jobs {

/// DynamoDB's capacity unit for reads, and the GB of its bills (developer guide, "Read and write operations":
/// 4 KB; pricing page: GB of 2^30 bytes).
inline constexpr std::uint64_t kReadUnitBytes = 4096;
/// And for writes; each item counts whole units (the same page).
inline constexpr std::uint64_t kWriteUnitBytes = 1024;
inline constexpr double kBilledGb = 1024.0 * 1024 * 1024;

/// Prices of one day in one region, and what other regions cost in proportion.
struct Prices {
  struct TableClass {
    double read_per_million = 0;    ///< read request units of on-demand tables
    double read_capacity_hour = 0;  ///< one provisioned RCU for an hour
  };
  std::string as_of;     ///< "2026-09-11"
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
  std::string table;                          ///< of the source
  std::optional<std::uint64_t> items, bytes;  ///< as DescribeTable tells them
  bool on_demand = true;
  bool infrequent_access = false;
  std::string region;                    ///< of the source; empty: not on AWS, where reading costs nothing
  bool eventually_consistent = false;    ///< of the copy's pages; comparing reads consistently
  std::optional<double> read_rcu_per_s;  ///< --read-rcu; infinite: unlimited
  std::optional<double> read_share;      ///< --read-share, over 0 to 1
  std::optional<std::uint64_t> provisioned_read;  ///< RCU of a provisioned table
  std::optional<std::uint64_t> read_cap;          ///< of an on-demand table
  std::optional<std::uint64_t> warm_read;         ///< of an on-demand table: its WarmThroughput
  double throughput_bytes_per_s = 0;              ///< that the target is taken to take; > 0
  Throughput throughput = Throughput::assumed;

  /// The write capacity of a target that is DynamoDB; null: there is none.
  struct Writes {
    std::optional<double> wcu_per_s;           ///< --write-wcu; infinite: unlimited
    std::optional<double> share;               ///< --write-share, over 0 to 1
    std::optional<std::uint64_t> provisioned;  ///< WCU of a provisioned table
    std::optional<std::uint64_t> cap;          ///< of an on-demand table
    std::optional<std::uint64_t> warm;         ///< of an on-demand table: its WarmThroughput
  };
  std::optional<Writes> writes;
};

/// What Estimate::limited_by says when it is that.
inline constexpr const char* kTargetThroughput = "the target's throughput";

/// Of one table, or of many together.
struct Estimate {
  std::size_t tables = 1, without_size = 0;
  std::optional<std::uint64_t> items, bytes;
  /// Reading the whole table once; also what each full comparison reads, strongly. Absent without a size, or
  /// a source that is not DynamoDB.
  std::optional<double> rcu_strong, rcu_eventual;
  bool eventually_consistent = false;  ///< the copy's scan costs rcu_eventual
  /// In `currency`; absent without a price.
  std::optional<double> cost_strong, cost_eventual, cost_export;
  /// Costs are the share of capacity that is paid for anyway: of all tables, or of some.
  bool provisioned = false, partly_provisioned = false;
  /// What the items cost the target to write, at least: unlike the reads each counts whole units. Absent
  /// without a size, or a target that is not DynamoDB.
  std::optional<double> wcu;
  std::optional<double> seconds;
  /// "--read-rcu", "half of the provisioned capacity", "the target's throughput", ….
  std::string limited_by;
  double throughput_bytes_per_s = 0;
  Throughput throughput = Throughput::assumed;
  std::string currency, prices_as_of, prices_region;
  double region_factor = 1;
  std::string no_price;  ///< why there is none; empty: there is

  /// By what the tables' own capacities let through, the slower of source and target; 0 and empty without a
  /// limit.
  double capacity_seconds = 0;
  std::string capacity_limit;

  /// What the copy's scan costs.
  const std::optional<double>& rcu_copy() const { return eventually_consistent ? rcu_eventual : rcu_strong; }
  const std::optional<double>& cost_copy() const {
    return eventually_consistent ? cost_eventual : cost_strong;
  }
};

Estimate estimate(const EstimateQuestion& question, const Prices& prices);

/// Of tables of one source and one target that are copied `parallel` at a time: --read-rcu and the target's
/// throughput are shared by all, each table's capacity is its own. At least one table; `estimates` are
/// theirs.
Estimate estimate_all(std::span<const EstimateQuestion> questions, std::span<const Estimate> estimates,
                      std::uint32_t parallel);

/// The question that the facts of a check ask.
EstimateQuestion estimate_question(const CheckFacts& facts);

}  // namespace messina::jobs
