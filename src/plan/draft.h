// What one layer says (the flags, a plan file), before the layers are laid over each other and checked.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "plan/plan.h"
#include "plan/tables.h"

namespace messina::plan {

/// Reads an environment variable, or a whole file; handed in so that this room does no I/O.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;
using FileReader = std::function<Result<std::string>(const std::string& path)>;

/// Credentials are taken from one layer as a whole: a flag's access key never meets a plan's secret.
struct CredentialsDraft {
  std::optional<std::string> profile;
  std::optional<std::string> access_key;
  std::optional<Secret> secret_key;  ///< only a plan file can hold it
  std::optional<std::string> secret_key_env, secret_key_file;
  std::optional<Secret> session_token;
  std::optional<std::string> session_token_env, session_token_file;
  std::optional<std::string> role_arn, role_session_name, role_external_id;
  bool empty() const { return *this == CredentialsDraft{}; }
  bool operator==(const CredentialsDraft&) const = default;
};

struct SideDraft {
  /// Kind, table, region, endpoint override, host, port and TLS, from a URI or a plan's block.
  std::optional<EndpointSpec> address;
  std::string address_from;  ///< "the command line" or "FILE:LINE"
  std::optional<std::string> region, endpoint_url;
  CredentialsDraft credentials;
  std::optional<std::string> ca_file;
  std::optional<bool> insecure_tls;
  std::optional<std::string> datacenter, rack;
  std::optional<bool> gzip_requests;
  std::optional<std::uint32_t> max_batch_items, max_connections;
};

struct Draft {
  SideDraft source, target;
  std::optional<std::map<std::string, std::string, std::less<>>> renames;
  std::optional<std::set<std::string, std::less<>>> drops;
  std::optional<std::uint32_t> segments;
  std::optional<std::set<std::uint32_t>> skip_segments;
  std::optional<SchemaMode> schema;
  std::optional<std::string> write_isolation;
  std::optional<bool> into_existing, allow_write_aws, restart, take_over;
  std::optional<double> read_rcu_per_s, read_share, write_wcu_per_s, write_share;
  std::optional<bool> eventually_consistent;
  std::optional<std::uint32_t> write_concurrency, loops;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::chrono::milliseconds> clock_error, dead_after;
  std::optional<std::string> state_dir;
  // See LivePlan.
  std::optional<item::StreamView> enable_stream;
  std::optional<bool> skip_expired, stream_changes;
  std::optional<std::uint64_t> spool_max_bytes;
  std::optional<std::chrono::milliseconds> stream_retention, allowed_lag;
  // Many tables: see TableChoice.
  std::optional<std::vector<TableEntry>> tables;
  std::optional<std::vector<std::string>> exclude;
  std::optional<std::string> target_name;
  std::optional<TableOrder> order;
  std::optional<std::uint32_t> parallel_tables;
  /// What was accepted but has no effect here, for the log: once each.
  std::vector<std::string> notices;
};

/// Lays the flags over the plan file and checks the whole. Secrets are read from their variables and files.
/// What the environment and AWS's own files say (region, endpoint override, credentials) comes in later,
/// where src/aws knows its order: a DynamoDB side's region may still be empty here. Errors: usage, config.
Result<CopyPlan> make_plan(const Draft& flags, const Draft& file, const Environment& environment,
                           const FileReader& read_file);

/// The same for many tables: a plan whose sides name no table (they are a region, or a cluster), and the
/// choice of tables. Its tables' own plans come from plan_for() (tables.h), and are to be checked by
/// check_plan() each.
struct ManyTables {
  CopyPlan common;
  TableChoice choice;
};
Result<ManyTables> make_many_tables(const Draft& flags, const Draft& file, const Environment& environment,
                                    const FileReader& read_file);
/// True when a list or a pattern of tables was given.
bool names_many_tables(const Draft& flags, const Draft& file);

/// One side alone, for commands that work on one.
Result<EndpointSpec> make_side(const SideDraft& flags, const SideDraft& file, std::string_view side,
                               const Environment& environment, const FileReader& read_file);

/// The rules that span fields, and the tables' names; make_plan() applies them, and so does whoever gets a
/// plan from JSON.
Result<void> check_plan(const CopyPlan& plan);

/// SOURCE = TARGET, and writing to a real AWS table without leave: asked when region and endpoint are known.
Result<void> check_addresses(const CopyPlan& plan);

/// "a=b" as --rename takes it.
Result<std::pair<std::string, std::string>> parse_rename(std::string_view text);

/// Not empty, valid UTF-8, no NUL, at most 65,535 bytes (developer guide, "Attribute names").
Result<void> check_attribute_name(std::string_view name);

/// "NEW_IMAGE" and the like; "" and "true" ask for no certain one and give NEW_IMAGE.
Result<item::StreamView> parse_stream_view(std::string_view text);

/// system:write_isolation's values (ScyllaDB, "Alternator: write isolation policies").
Result<void> check_write_isolation(std::string_view value);
Result<SchemaMode> parse_schema_mode(std::string_view text);

/// True when both sides name the same table of the same server, as far as their addresses tell.
bool same_table(const EndpointSpec& a, const EndpointSpec& b);

/// True when writing to it means writing to AWS: DynamoDB without an override, or with one below
/// amazonaws.com.
bool is_real_aws(const EndpointSpec& spec);

}  // namespace messina::plan
