#include "aws/service_endpoint.h"

#include <array>
#include <utility>

#include "base/log.h"

namespace messina::aws {
namespace {

struct Names {
  std::string_view host;      ///< the first label, or labels, of its public name
  std::string_view variable;  ///< AWS_ENDPOINT_URL_…
  std::string_view section;   ///< of the profile's services section
};

/// Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
Names names_of(SideService service) {
  switch (service) {
    case SideService::streams:
      return {"streams.dynamodb", "AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "dynamodb_streams"};
    case SideService::sts:
      return {"sts", "AWS_ENDPOINT_URL_STS", "sts"};
    case SideService::kms:
      return {"kms", "AWS_ENDPOINT_URL_KMS", "kms"};
  }
  return {};
}

bool is_true(const std::optional<std::string>& text) {
  return text && (*text == "true" || *text == "True" || *text == "TRUE");
}

bool is_amazons(std::string_view host) {
  return host.ends_with("amazonaws.com") || host.ends_with("amazonaws.com.cn");
}

}  // namespace

std::string_view signing_name(SideService service) {
  return service == SideService::streams ? "dynamodb" : names_of(service).host;
}

std::string side_service_host(SideService service, std::string_view region) {
  // The partition's suffix is known there alone.
  const std::string dynamodb = dynamodb_host(region);
  return std::string(names_of(service).host) + dynamodb.substr(std::string_view("dynamodb").size());
}

Result<net::Origin> resolve_service_endpoint(SideService service, const ResolvedEndpoint& dynamodb,
                                             std::string_view region, const net::Environment& environment,
                                             const Profiles& profiles) {
  const Names names = names_of(service);
  const auto in_services = [&]() -> std::optional<std::string> {
    const auto section = profiles.get(profiles.selected, "services");
    if (!section) return std::nullopt;
    const auto found = profiles.services.find(*section);
    if (found == profiles.services.end()) return std::nullopt;
    const auto url = found->second.find(std::string(names.section) + ".endpoint_url");
    return url == found->second.end() ? std::nullopt : std::optional(url->second);
  };
  const bool ignore = is_true(environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) ||
                      is_true(profiles.get(profiles.selected, "ignore_configured_endpoint_urls"));
  if (!ignore) {
    const std::array<std::pair<std::optional<std::string>, std::string>, 4> candidates = {{
        {environment(names.variable), std::string(names.variable)},
        {environment("AWS_ENDPOINT_URL"), "AWS_ENDPOINT_URL"},
        {in_services(), "the services section of " + profiles.config_file},
        {profiles.get(profiles.selected, "endpoint_url"),
         fmt::format("endpoint_url of profile \"{}\"", profiles.selected)},
    }};
    for (const auto& [url, decided_by] : candidates) {
      if (!url || url->empty()) continue;
      auto origin = parse_endpoint_url(*url);
      if (!origin) return fail(ErrorKind::config, fmt::format("{} ({})", origin.error().message, decided_by));
      return origin;
    }
  }
  if (!dynamodb.is_aws && !is_amazons(dynamodb.origin.host)) return dynamodb.origin;
  return net::Origin{side_service_host(service, region), 443, true};
}

}  // namespace messina::aws
