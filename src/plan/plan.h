// One checked plan, made of flags, a plan file and the environment; everything below src/cli works from it.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/secret.h"
#include "item/stream_view.h"
#include "item/transform.h"

namespace messina::plan {

enum class EndpointKind : std::uint8_t { dynamodb, alternator };

/// One side of a move. Secrets are never part of to_json() (plan/plan_json.h).
struct EndpointSpec {
  EndpointKind kind = EndpointKind::dynamodb;
  std::string table;  ///< empty: the whole region or cluster, of which many tables are chosen (plan/tables.h)
  std::string region;  ///< dynamodb: from the URI, --SIDE-region, the profile or AWS_REGION
  std::optional<std::string> endpoint_url;  ///< dynamodb: an override; http:// or https://
  std::string host;                         ///< alternator: first contact point
  std::uint16_t port = 0;
  bool tls = false;  ///< alternators://
  std::string ca_file;
  bool insecure_tls = false;
  // Credentials given for this side. Alternator gets these only; DynamoDB falls back to the AWS chain.
  std::optional<std::string> profile;
  std::optional<std::string> access_key;
  std::optional<Secret> secret_key;
  std::optional<std::string> secret_key_env;  ///< where secret_key came from: a variable's name,
  std::optional<std::string>
      secret_key_file;  ///< or a file; kept in to_json(), so that another process finds it too
  std::optional<Secret> session_token;  ///< never sent to an Alternator
  /// dynamodb: a role to assume (STS) with the credentials above, or with what the AWS chain has.
  std::optional<std::string> role_arn;
  std::optional<std::string> role_session_name, role_external_id;  ///< only with role_arn
  // Alternator only.
  std::string datacenter, rack;  ///< preference for nodes; rack needs datacenter
  bool gzip_requests = false;
  std::optional<std::uint32_t> max_batch_items;  ///< 1..100 (alternator), 1..25 (dynamodb)
  std::optional<std::uint32_t> max_connections;  ///< per node and loop; 1..1024
  bool operator==(const EndpointSpec&) const = default;
};

enum class SchemaMode : std::uint8_t {
  create,  ///< make the target table where it is missing, report what differs
  check,   ///< the table must be there with the same key schema
  skip,    ///< do not look
};

/// How changes are followed: for `migrate`, `capture` and `apply`.
struct LivePlan {
  /// Switch the source's stream on if it is off, with this view.
  std::optional<item::StreamView> enable_stream;
  bool skip_expired = false;  ///< deletes by the source's TTL are not carried over
  /// Of changes that wait, on the disk; beyond it the oldest are read from the source again. Absent: as much
  /// as the disk has.
  std::optional<std::uint64_t> spool_max_bytes;
  /// How long the source keeps a change; absent: as its kind does.
  std::optional<std::chrono::milliseconds> stream_retention;
  /// How old a change that waits may be in a target that counts as in step.
  std::chrono::milliseconds allowed_lag{10'000};
  bool stream_changes = false;  ///< Migrator's key: following was asked for
};

struct CopyPlan {
  EndpointSpec source, target;
  item::TransformRules transform;
  std::optional<std::uint32_t> segments;  ///< 1..1,000,000
  std::set<std::uint32_t> skip_segments;  ///< only with `segments`
  SchemaMode schema = SchemaMode::create;
  std::optional<std::string> write_isolation;  ///< system:write_isolation of a created Alternator table
  bool into_existing = false;
  bool allow_write_aws = false;
  bool restart = false;
  bool take_over = false;  ///< write although the target belongs to another migration
  /// RCU and WCU a second, kUnlimited (plan/units.h) for no limit; or a share of the table's capacity, over 0
  /// to
  /// 1. Both absent: half of what is free. Never both.
  std::optional<double> read_rcu_per_s, read_share, write_wcu_per_s, write_share;
  bool eventually_consistent = false;              ///< pages at half the cost, perhaps not the newest
  std::optional<std::uint32_t> write_concurrency;  ///< batches in flight over all loops; absent: found
  std::uint32_t loops = 0;                         ///< event loops; 0: one a core, at most 4
  std::uint64_t memory_bytes = 256u << 20;         ///< pages in flight; at least 16 MiB
  std::chrono::milliseconds clock_error{1'000};    ///< PROTOCOL's S
  std::chrono::milliseconds dead_after{30'000};    ///< PROTOCOL's D
  std::string state_dir = "messina-state";
  LivePlan live;
};

}  // namespace messina::plan
