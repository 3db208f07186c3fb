// One call of a service of AWS's that is no part of the data path: one HTTP exchange, signed and judged.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "aws/classify.h"
#include "aws/credentials.h"
#include "aws/sigv4.h"
#include "base/async.h"
#include "base/error.h"
#include "net/event_loop.h"
#include "net/http_client.h"

namespace messina::aws {

struct ServiceClientOptions {
  std::string display;       ///< begins every message
  std::string region;        ///< signed for
  std::string signing_name;  ///< "sts", "kms", "dynamodb" (streams)
  net::Origin origin;
  net::ClientOptions http;                           ///< with `proxy`
  std::shared_ptr<CredentialsProvider> credentials;  ///< null: requests are not signed
  bool send_session_token = true;                    ///< never to an Alternator
};

/// Not thread-safe: one per loop. Nothing is tried twice here.
class ServiceClient {
 public:
  ServiceClient(net::EventLoop& loop, ServiceClientOptions options);

  /// A call of a service that speaks JSON; `target` is its X-Amz-Target up to the operation ("TrentService").
  /// The result is the answer's body.
  Task<Result<std::string>> json(Operation operation, std::string target, std::string body);
  /// A call of a service that takes forms and answers XML (STS).
  Task<Result<std::string>> form(Operation operation, std::string body);
  /// GET of a page without a signature, whatever its status.
  Task<Result<net::Response>> page(std::string path);

  const net::Origin& origin() const { return options_.origin; }

 private:
  Task<Result<std::string>> send(Operation operation, net::Headers headers, std::string body);

  net::EventLoop& loop_;
  const ServiceClientOptions options_;
  net::HttpClient http_;
  Signer signer_;
};

/// The error of an XML answer (STS) as the JSON that classify_answer() reads; other texts as they are.
std::string error_json_of(std::string_view body);

/// The text between <name> and </name>, without entities; nullopt if there is none.
std::optional<std::string_view> xml_text(std::string_view xml, std::string_view name);

}  // namespace messina::aws
