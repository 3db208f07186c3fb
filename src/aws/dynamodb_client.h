// One call of DynamoDB's API, or of another AWS service that speaks JSON 1.0: one HTTP exchange, signed,
// checked and judged. Nothing is tried twice here.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "aws/classify.h"
#include "aws/credentials.h"
#include "aws/node_pools.h"
#include "aws/server_clock.h"
#include "aws/sigv4.h"
#include "base/async.h"
#include "base/error.h"
#include "base/slab.h"

namespace messina::aws {

struct DynamoDbClientOptions {
  std::string display;                    ///< begins every message: `table "orders" (dynamodb, us-east-1)`
  std::string region;                     ///< signed for; Alternator takes any
  std::string service = "dynamodb";       ///< signed for
  std::string api = "DynamoDB_20120810";  ///< what stands before the operation's name
  /// Null: requests are not signed.
  std::shared_ptr<CredentialsProvider> credentials;
  /// What is known of the servers' clocks, shared by the loops of a side; null: this client finds out by
  /// itself.
  std::shared_ptr<ServerClocks> clocks;
  /// Sends only the headers that Alternator reads, and never a session token.
  bool alternator = false;
  /// Compresses request bodies over kMinGzipBytes. Only ScyllaDB 2026.1 and later understand it; when the
  /// server does not, compression is switched off with a warning and the refused call is answered
  /// `transient`.
  bool gzip_requests = false;
};

inline constexpr std::size_t kMinGzipBytes = 1024;

struct Answer {
  Slab body;  ///< give it back to the loop's SlabPool
  net::Headers headers;
  MonoTime sent_at{};
  Duration latency{};
};

/// Not thread-safe: one per loop.
class DynamoDbClient {
 public:
  DynamoDbClient(net::EventLoop& loop, std::shared_ptr<NodePools> nodes, DynamoDbClientOptions options);

  /// `body` is the request's JSON and stays alive until the answer is there. An Error says by its kind
  /// whether the call was executed (see classify.h). What new credentials or the server's own time may cure
  /// is `transient`.
  Task<Result<Answer>> call(Operation operation, net::Body body);
  /// True if a body may come in pieces: they go out as they lie, neither signed nor compressed nor encrypted.
  bool takes_pieces() const { return !options_.credentials && !gzip_ && !nodes_->tls(); }

  const std::string& display() const { return options_.display; }

 private:
  net::Headers headers_for(const Operation& operation, const net::Origin& origin, bool compressed);
  Result<void> check(const Operation& operation, const net::Response& response) const;
  bool curable(const Error& refusal, const net::Origin& origin, const net::Headers& headers,
               WallTime signed_at, const std::shared_ptr<const Credentials>& credentials);

  net::EventLoop& loop_;
  std::shared_ptr<NodePools> nodes_;
  DynamoDbClientOptions options_;
  Signer signer_;
  bool gzip_ = false;
  /// Of each operation, where neither a signature nor a compression adds to them.
  std::vector<std::pair<std::string_view, net::Headers>> plain_headers_;
};

/// gzip at the fastest level, appended to `out`.
void append_gzip(Slab& out, std::string_view bytes);

}  // namespace messina::aws
