// AWS Signature Version 4: pure; the time is handed in.
// Source: AWS IAM User Guide, "AWS Signature Version 4 for API requests".
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "aws/credentials.h"
#include "base/clock.h"
#include "base/hash.h"
#include "net/http.h"

namespace messina::aws {

/// What is signed. The views live as long as the call.
struct SigningRequest {
  std::string_view method = "POST";
  std::string_view target = "/";          ///< path and query as sent
  const net::Headers* headers = nullptr;  ///< all of them are signed; Host must be among them
  Sha256 body_digest{};                   ///< of the body as sent, so after compression
  std::string_view region;
  std::string_view service;
  WallTime time{};
  bool send_session_token = true;      ///< if there is one
  bool content_digest_header = false;  ///< add x-amz-content-sha256 (S3 wants it, DynamoDB does not)
};

/// HMAC chain: secret → day → region → service → "aws4_request". `day` is YYYYMMDD.
Sha256 derive_signing_key(const Secret& secret_key, std::string_view day, std::string_view region,
                          std::string_view service);

/// Signs requests; keeps the last signing key, which is good for a day, region and service. Not thread-safe:
/// one per loop.
class Signer {
 public:
  /// The headers to add: X-Amz-Date, X-Amz-Security-Token (if there is a token), Authorization.
  net::Headers sign(const SigningRequest& request, const Credentials& credentials);

 private:
  struct CachedKey {
    std::string day, region, service;
    std::string scope;  // day/region/service/aws4_request
    Secret secret_key;
    HmacKey key;
  };
  const std::string& date_of(WallTime time);
  CachedKey& key_of(const SigningRequest& request, const Credentials& credentials, std::string_view day);

  std::optional<CachedKey> cached_;
  std::chrono::sys_seconds dated_{};  // what date_ says
  std::string date_;
};

/// The canonical request, for tests and for people who compare it with AWS's in an error message.
std::string canonical_request(const SigningRequest& request, const net::Headers& headers,
                              std::string& signed_headers);

}  // namespace messina::aws
