// Which region, which address and which CA a client of AWS uses, as the AWS CLI would decide it.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "aws/profile.h"
#include "base/error.h"
#include "net/http_client.h"

namespace messina::aws {

/// Region: `given` → AWS_REGION → AWS_DEFAULT_REGION → the profile's `region`. Errors (config): none found,
/// or one that cannot be a host name's part.
Result<std::string> resolve_region(const std::optional<std::string>& given,
                                   const net::Environment& environment, const Profiles& profiles);

/// A service of AWS, as far as its addresses go.
struct Service {
  std::string_view host;      ///< what its public endpoint begins with
  std::string_view variable;  ///< the environment variable that overrides it
  std::string_view setting;   ///< its block in a services section
};
inline constexpr Service kDynamoDbService{"dynamodb", "AWS_ENDPOINT_URL_DYNAMODB", "dynamodb"};
inline constexpr Service kCloudWatchService{"monitoring", "AWS_ENDPOINT_URL_CLOUDWATCH", "cloudwatch"};
inline constexpr Service kStsService{"sts", "AWS_ENDPOINT_URL_STS", "sts"};
inline constexpr Service kSsoService{"portal.sso", "AWS_ENDPOINT_URL_SSO", "sso"};
inline constexpr Service kSsoOidcService{"oidc", "AWS_ENDPOINT_URL_SSO_OIDC", "sso_oidc"};

/// "sts.us-east-1.amazonaws.com": the public endpoint, by the region's partition.
std::string service_host(const Service& service, std::string_view region);
inline std::string dynamodb_host(std::string_view region) { return service_host(kDynamoDbService, region); }

/// "http://host[:port]" or "https://…", a path of "/" at most. Errors: config, showing no user name or
/// password.
Result<net::Origin> parse_endpoint_url(std::string_view url);

struct ResolvedEndpoint {
  net::Origin origin;
  bool is_aws = true;      ///< no override: AWS's own public endpoint of the region
  std::string decided_by;  ///< for people: "region us-east-1", "AWS_ENDPOINT_URL_DYNAMODB", …
};

/// `given` → the service's variable → AWS_ENDPOINT_URL → the profile's services section → its
/// `endpoint_url` → the region's own. AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true, or the profile's
/// ignore_configured_endpoint_urls, disables all but the first and the last. (Source: AWS SDKs and Tools
/// Reference Guide, "Service-specific endpoints".)
Result<ResolvedEndpoint> resolve_endpoint(const Service& service, const std::optional<std::string>& given,
                                          std::string_view region, const net::Environment& environment,
                                          const Profiles& profiles);
inline Result<ResolvedEndpoint> resolve_dynamodb_endpoint(const std::optional<std::string>& given,
                                                          std::string_view region,
                                                          const net::Environment& environment,
                                                          const Profiles& profiles) {
  return resolve_endpoint(kDynamoDbService, given, region, environment, profiles);
}

/// Where CloudWatch is: AWS_ENDPOINT_URL_CLOUDWATCH → AWS_ENDPOINT_URL → the profile's services section → its
/// `endpoint_url`, under the same rule of what is ignored → the region's own if DynamoDB is AWS's own, too.
/// Else nullopt: what stands in for DynamoDB has no metrics on AWS. Errors: config.
Result<std::optional<net::Origin>> resolve_cloudwatch_endpoint(std::string_view region, bool dynamodb_is_aws,
                                                               const net::Environment& environment,
                                                               const Profiles& profiles);

/// AWS_CA_BUNDLE → the profile's `ca_bundle`; empty: the system's.
std::string resolve_ca_bundle(const net::Environment& environment, const Profiles& profiles);

}  // namespace messina::aws
