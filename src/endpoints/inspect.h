// What `messina check` asks of a server beyond what jobs ask: everything is tried by a real call that changes
// nothing.
//
// Each method is ONE attempt at one call, so that its Error (kind denied, as a rule) is the finding.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aws/credential_answers.h"
#include "base/async.h"
#include "base/error.h"
#include "endpoints/endpoint.h"

namespace messina::endpoints {

/// What a server says of itself at GET /, without credentials.
struct ServerSeen {
  std::string host;      ///< "10.0.0.1:8000"
  bool healthy = false;  ///< it answered 200 and "healthy"
  std::string software;  ///< the Server header; empty where there is none
  /// Date header minus this machine's clock in the middle of the exchange; absent without such a header. The
  /// header has whole seconds: see kDateError.
  std::optional<std::chrono::milliseconds> clock_ahead;
  std::chrono::milliseconds round_trip{};
};
/// The middle of a second that the Date header cut off is taken: at most half of one is wrong, and half the
/// round trip.
inline constexpr std::chrono::milliseconds kDateError{500};

/// A node of a cluster, or why it did not answer.
struct NodeSeen {
  std::string host;
  Result<ServerSeen> server;
};

/// What DescribeTable tells of a table and no job carries over.
struct TableDetails {
  std::string encryption_key_arn;  ///< of a key in AWS KMS; empty: AWS's own key
  bool deletion_protection = false;
  std::string table_class;                   ///< "STANDARD_INFREQUENT_ACCESS"; empty: standard
  std::vector<std::string> replica_regions;  ///< global tables
  std::string stream_arn;                    ///< the latest one's, also of a stream that was switched off
};
struct TableSeen {
  TableDescription table;  ///< without tags and TTL
  TableDetails details;
};

/// Quotas of DescribeLimits, in capacity units.
struct Quotas {
  std::uint64_t account_read = 0, account_write = 0, table_read = 0, table_write = 0;
};

struct StreamSeen {
  std::string arn, status, view_type;
  std::string first_shard;  ///< to read from; empty: none
};

struct KeySeen {
  std::string state;    ///< "Enabled", "Disabled", "PendingDeletion", …
  std::string manager;  ///< "CUSTOMER" or "AWS"
};

using Caller = aws::CallerIdentity;

/// The control and side calls of one table. Belongs to one loop.
class Inspect {
 public:
  virtual ~Inspect() = default;

  /// Whether requests are signed. Any thread may ask.
  virtual bool with_credentials() const = 0;

  virtual Task<Result<ServerSeen>> server() = 0;
  /// Alternator: the nodes that /localnodes names, each asked for its health. DynamoDB: none.
  virtual Task<Result<std::vector<NodeSeen>>> nodes() = 0;
  /// Alternator: ScyllaDB's version, read from its system tables ("6.2.3"). DynamoDB: empty.
  virtual Task<Result<std::string>> version() = 0;

  virtual Task<Result<TableSeen>> describe() = 0;                       ///< DescribeTable
  virtual Task<Result<std::optional<std::string>>> time_to_live() = 0;  ///< DescribeTimeToLive
  /// The first page of ListTagsOfResource.
  virtual Task<Result<std::map<std::string, std::string>>> tags(std::string arn) = 0;
  virtual Task<Result<bool>> point_in_time_recovery() = 0;                    ///< DescribeContinuousBackups
  virtual Task<Result<std::vector<std::string>>> kinesis_destinations() = 0;  ///< their ARNs
  virtual Task<Result<bool>> resource_policy(std::string arn) = 0;  ///< GetResourcePolicy: is there one
  virtual Task<Result<Quotas>> quotas() = 0;                        ///< DescribeLimits

  /// Scan with Limit 1: is there an item.
  virtual Task<Result<bool>> scan_one() = 0;
  /// BatchGetItem of a key that nobody has.
  virtual Task<Result<void>> get_absent(item::KeySchema key) = 0;
  /// A BatchWriteItem that every server refuses; success means that it was refused for what it says, so
  /// behind the question of permission. See inspect.cc for what this tells and what it cannot.
  virtual Task<Result<void>> refused_write(item::KeySchema key) = 0;
  /// The same by CreateTable with tags, for a table that is to be made. DynamoDB only.
  virtual Task<Result<void>> refused_create() = 0;

  virtual Task<Result<std::vector<std::string>>> streams() = 0;  ///< ListStreams of the table: ARNs
  virtual Task<Result<StreamSeen>> stream(std::string arn) = 0;  ///< DescribeStream, one shard
  virtual Task<Result<std::string>> shard_iterator(
      StreamSeen from) = 0;  ///< GetShardIterator at its oldest record
  virtual Task<Result<std::size_t>> records(std::string iterator) = 0;  ///< one page of GetRecords: how many

  virtual Task<Result<Caller>> caller() = 0;                              ///< STS GetCallerIdentity
  virtual Task<Result<KeySeen>> encryption_key(std::string key_arn) = 0;  ///< KMS DescribeKey
};

}  // namespace messina::endpoints
