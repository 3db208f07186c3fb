// What `messina check` has seen: facts only, gathered by probe() and judged by judge().
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "endpoints/endpoint.h"
#include "endpoints/inspect.h"
#include "item/transform.h"
#include "jobs/schema.h"

namespace messina::jobs {

/// Absent: not asked, since the side has no such thing or since an earlier answer made it pointless.
template <class T>
using Asked = std::optional<Result<T>>;

struct SideFacts {
  // From the plan.
  std::string display;  ///< `table "orders" (dynamodb, us-east-1)`
  std::string table_name;
  std::string region;  ///< DynamoDB
  bool alternator = false;
  bool real_aws = false;
  bool tls = false;
  bool insecure_tls = false;
  bool with_credentials = false;
  /// The pace goes by what the application uses: DynamoDB, and no rate or share was given.
  bool paced_by_metrics = false;

  // Seen, and the same for all tables of a side.
  Asked<endpoints::ServerSeen> server;
  Asked<std::vector<endpoints::NodeSeen>> nodes;
  Asked<std::string> version;
  Asked<endpoints::Caller> caller;
  Asked<endpoints::Quotas> quotas;
  Asked<std::size_t> metrics;  ///< CloudWatch's periods of the last minutes
  Asked<std::size_t> listed;   ///< how many tables ListTables told; only asked for patterns

  // Seen of the table.
  Asked<endpoints::TableSeen> described;
  Asked<std::optional<std::string>> time_to_live;
  Asked<std::map<std::string, std::string>> tags;
  Asked<bool> scan_one;  ///< true: it holds items
  Asked<void> get_absent;
  Asked<void> refused_write;
  Asked<void> refused_create;
  Asked<bool> recovery;
  Asked<std::vector<std::string>> kinesis;
  Asked<bool> resource_policy;
  Asked<std::vector<std::string>> streams;
  Asked<endpoints::StreamSeen> stream;
  Asked<std::string> shard_iterator;
  Asked<std::size_t> records;
  Asked<endpoints::KeySeen> key;

  /// Takes over what `other`, of another table of the same side, has seen and what is the same for both.
  void share(const SideFacts& other);
  /// The table with its TTL and tags, as far as they were seen; null without a table.
  std::optional<endpoints::TableDescription> whole_table() const;
  /// DescribeTable said that there is none.
  bool missing() const { return described && !*described && described->error().kind == ErrorKind::not_found; }
};

/// This machine.
struct MachineFacts {
  std::string state_dir;
  std::optional<std::string> state_error;  ///< why messina could not write there
  std::optional<std::uint64_t> free_bytes;
  std::optional<std::uint64_t> open_files;  ///< RLIMIT_NOFILE, soft
  std::uint64_t files_needed = 0;           ///< connections and files of a copy, at most
  bool copy_begun = false;                  ///< the state directory has the place of this migration
  /// What its copy moved in a second when it was last seen, if it has moved enough to tell.
  std::optional<double> measured_bytes_per_s;
};

struct CheckFacts {
  SideFacts source, target;
  MachineFacts machine;
  // From the plan.
  item::TransformRules transform;
  SchemaOptions schema;
  bool makes_table = true;  ///< the target's table is made if it is missing
  bool into_existing = false;
  bool allow_write_aws = false;
  bool same_address = false;  ///< both sides name one table
  bool gzip_requests = false;
  std::optional<double> read_rcu_per_s;                ///< --read-rcu; infinite: unlimited
  std::optional<double> read_share;                    ///< --read-share, over 0 to 1
  std::optional<double> write_wcu_per_s, write_share;  ///< --write-wcu and --write-share
  bool eventually_consistent = false;
  std::chrono::milliseconds clock_error{1'000};
};

}  // namespace messina::jobs
