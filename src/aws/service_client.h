// One call of a service of AWS's that speaks JSON and is no part of the data path: one HTTP exchange, signed
// and judged. STS has its own (aws/sts.h).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "aws/classify.h"
#include "aws/credentials.h"
#include "aws/server_clock.h"
#include "aws/sigv4.h"
#include "base/async.h"
#include "base/error.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace messina::aws {

struct ServiceClientOptions {
  std::string display;       ///< begins every message
  std::string region;        ///< signed for
  std::string signing_name;  ///< "kms", "dynamodb" (streams, too)
  net::Origin origin;
  net::ClientOptions http;                           ///< with `proxy`
  std::shared_ptr<CredentialsProvider> credentials;  ///< null: requests are not signed
  bool send_session_token = true;                    ///< never to an Alternator
  std::shared_ptr<ServerClocks> clocks;              ///< null: this client finds out by itself
};

/// Not thread-safe: one per loop. Nothing is tried twice here, but for a signature that this machine's wrong
/// clock spoilt.
class ServiceClient {
 public:
  ServiceClient(net::EventLoop& loop, ServiceClientOptions options);

  /// `target` is its X-Amz-Target up to the operation ("TrentService").
  /// The result is the answer's body.
  Task<Result<std::string>> json(Operation operation, std::string target, std::string body);
  /// GET of a page without a signature, whatever its status.
  Task<Result<net::Response>> page(std::string path);

  const net::Origin& origin() const { return options_.origin; }

 private:
  Task<Result<std::string>> send(Operation operation, net::Headers headers, std::string body);

  net::EventLoop& loop_;
  ServiceClientOptions options_;
  net::HttpClient http_;
  Signer signer_;
};

}  // namespace messina::aws
