// Checks Signature Version 4, written apart from messina's own signer so that it checks the client.
// Source: AWS General Reference, "Create a signed AWS API request".
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "sim/engine/api.h"
#include "sim/engine/personality.h"

namespace messina::sim {

struct AuthSettings {
  std::string access_key;  ///< empty: nothing is checked
  Secret secret_key;
  std::string session_token;  ///< DynamoDB: must come with each request if set, must not come if not
  std::string region;         ///< DynamoDB: the scope's region must be this one; empty: any
  std::vector<std::string> expired_keys = {};  ///< access keys that were taken once
};

/// Signatures are refused when the clocks are further apart (AWS: 15 minutes).
inline constexpr std::chrono::minutes kMaxClockDifference{15};

/// The error for a request that is not signed as it must be.
std::optional<ApiError> check_signature(const Request& request, const AuthSettings& settings,
                                        const Personality& personality, WallTime now);

/// The signature of a request, in hexadecimal; for the check above and for tests.
/// `date` is X-Amz-Date, `scope` is DATE/REGION/SERVICE/aws4_request, `signed_headers` the lower-case list
/// joined by ';'.
std::string expected_signature(const Request& request, std::string_view secret, std::string_view date,
                               std::string_view scope, std::string_view signed_headers);

}  // namespace messina::sim
