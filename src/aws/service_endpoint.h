// Where the services beside DynamoDB are that a migration asks small questions: streams, callers, keys.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "aws/endpoint_resolve.h"
#include "aws/profile.h"
#include "base/error.h"
#include "net/http_client.h"
#include "net/proxy.h"

namespace messina::aws {

enum class SideService : std::uint8_t {
  streams,  ///< DynamoDB Streams; signed for "dynamodb"
  sts,      ///< Security Token Service
  kms,      ///< Key Management Service
};

/// "sts.us-east-1.amazonaws.com": the public endpoint, by the region's partition.
std::string side_service_host(SideService service, std::string_view region);

/// The name that requests are signed for.
std::string_view signing_name(SideService service);

/// The service's own override (AWS_ENDPOINT_URL_DYNAMODB_STREAMS, …_STS, …_KMS) → AWS_ENDPOINT_URL → the
/// profile's services section → its `endpoint_url`; else where DynamoDB is: beside `dynamodb` if that is no
/// address of AWS's, since simulators serve everything at one, and the region's public endpoint if it is
/// (source as of resolve_dynamodb_endpoint). Errors: config.
Result<net::Origin> resolve_service_endpoint(SideService service, const ResolvedEndpoint& dynamodb,
                                             std::string_view region, const net::Environment& environment,
                                             const Profiles& profiles);

}  // namespace messina::aws
