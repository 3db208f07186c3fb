#include "aws/service_endpoint.h"

#include <utility>

namespace messina::aws {
namespace {

/// Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
Service service_of(SideService service) {
  switch (service) {
    case SideService::streams:
      return {"streams.dynamodb", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "dynamodb_streams"};
    case SideService::sts:
      return kStsService;
    case SideService::kms:
      return {"kms", "AWS_ENDPOINT_URL_KMS", "kms"};
  }
  return {};
}

bool is_amazons(std::string_view host) {
  return host.ends_with("amazonaws.com") || host.ends_with("amazonaws.com.cn");
}

}  // namespace

std::string_view signing_name(SideService service) {
  return service == SideService::streams ? "dynamodb" : service_of(service).host;
}

std::string side_service_host(SideService service, std::string_view region) {
  return service_host(service_of(service), region);
}

Result<net::Origin> resolve_service_endpoint(SideService service, const ResolvedEndpoint& dynamodb,
                                             std::string_view region, const net::Environment& environment,
                                             const Profiles& profiles) {
  auto chosen = resolve_endpoint(service_of(service), std::nullopt, region, environment, profiles);
  if (!chosen) return fail(chosen.error());
  const bool beside = chosen->is_aws && !dynamodb.is_aws && !is_amazons(dynamodb.origin.host);
  return beside ? dynamodb.origin : std::move(chosen->origin);
}

}  // namespace messina::aws
