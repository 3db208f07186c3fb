// DynamoDB and ScyllaDB's Alternator as endpoints: both speak DynamoDB's API, so they share everything but
// addresses, headers, limits and capacity.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "aws/credentials.h"
#include "aws/node_pools.h"
#include "aws/server_clock.h"
#include "endpoints/endpoint.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace messina::endpoints {

// Limits of one BatchWriteItem.
/// Source: Amazon DynamoDB API Reference, BatchWriteItem: "up to 16 MB", "as many as 25".
inline constexpr std::size_t kDynamoDbBatchItems = 25;
/// Source: ScyllaDB 2025.2, alternator_max_items_in_batch_write (default). Older versions take any number.
inline constexpr std::size_t kAlternatorBatchItems = 100;
/// What any server takes: used once an Alternator has refused more.
inline constexpr std::size_t kSafeBatchItems = 25;
/// Both servers cut off bodies over 16 MB; the margin is for what surrounds the items and for the headers.
inline constexpr std::size_t kMaxRequestBytes = 16u << 20;
inline constexpr std::size_t kMaxBatchBytes = kMaxRequestBytes - (256u << 10);

struct DynamoDbOptions {
  std::string table;
  std::string region;
  net::Origin origin;  ///< from aws::resolve_dynamodb_endpoint
  /// Null: unsigned, which real AWS refuses.
  std::shared_ptr<aws::CredentialsProvider> credentials;
  /// Shared by the loops of a side; null: each loop finds out by itself.
  std::shared_ptr<aws::ServerClocks> clocks;
  /// What tells accounts apart in Endpoint::authority: the access key's id, or the role. Two tables of one
  /// name in two accounts are two tables; the same table by two keys is noticed by its id.
  std::string account_hint;
  net::ClientOptions http;  ///< without `proxy`
  aws::NodePools::ProxyFor proxy_for;
  std::size_t max_batch_items = kDynamoDbBatchItems;  ///< 1..25
  /// Where the table's stream is (aws::resolve_service_endpoint); absent: it cannot be followed.
  std::optional<net::Origin> streams;
  /// Where CloudWatch is (aws::resolve_cloudwatch_endpoint); absent: what others consume is not known.
  std::optional<net::Origin> cloudwatch;
  bool consistent_reads = true;  ///< of pages; false: at half the cost, and perhaps not the newest
};

struct AlternatorOptions {
  std::string table;
  net::Origin contact;               ///< first contact point; its scheme and port are those of all nodes
  std::string datacenter, rack;      ///< preference; rack needs datacenter
  bool discover_nodes = true;        ///< ask /localnodes; false: the contact point alone
  std::string region = "us-east-1";  ///< only signed; Alternator takes any
  std::shared_ptr<aws::CredentialsProvider> credentials;  ///< given for this cluster; null: unsigned
  std::shared_ptr<aws::ServerClocks> clocks;              ///< as above
  bool gzip_requests = false;
  net::ClientOptions http;  ///< without `proxy`
  aws::NodePools::ProxyFor proxy_for;
  std::size_t max_batch_items = kAlternatorBatchItems;  ///< 1..100
  bool consistent_reads = true;                         ///< of pages; false: by LOCAL_ONE
};

/// What the loops of one job share about a cluster. Thread-safe.
struct AlternatorCluster {
  explicit AlternatorCluster(const AlternatorOptions& options);
  std::shared_ptr<aws::NodeSet> nodes;
  /// Lowered once, when the server refuses larger batches.
  std::shared_ptr<std::atomic<std::size_t>> max_batch_items;
};

/// One loop's connections to a side. Endpoints of many tables can share them: they are made by the first that
/// is given an empty one, for its options.
using SharedPools = std::shared_ptr<aws::NodePools>;

/// The endpoint belongs to `loop` and may be made on any thread before its first use. An empty table's name
/// stands for the whole region or cluster: only `listing` is of use then.
Endpoint make_dynamodb(net::EventLoop& loop, const DynamoDbOptions& options, SharedPools* pools = nullptr);
Endpoint make_alternator(net::EventLoop& loop, const AlternatorOptions& options,
                         const std::shared_ptr<AlternatorCluster>& cluster, SharedPools* pools = nullptr);

}  // namespace messina::endpoints
