#include "aws/endpoint_resolve.h"

#include <array>
#include <charconv>

#include "base/log.h"

namespace messina::aws {
namespace {

struct Partition {
  std::string_view region_prefix;
  std::string_view dns_suffix;
};
/// Source: botocore/data/partitions.json. Longer prefixes first.
constexpr std::array<Partition, 7> kPartitions = {{{"cn-", "amazonaws.com.cn"},
                                                   {"us-isob-", "sc2s.sgov.gov"},
                                                   {"us-isof-", "csp.hci.ic.gov"},
                                                   {"eu-isoe-", "cloud.adc-e.uk"},
                                                   {"us-iso-", "c2s.ic.gov"},
                                                   {"eusc-", "amazonaws.eu"},
                                                   {"", "amazonaws.com"}}};

std::optional<std::string> non_empty(std::optional<std::string> text) {
  if (text && text->empty()) return std::nullopt;
  return text;
}

bool is_true(const std::optional<std::string>& text) {
  return text && (*text == "true" || *text == "True" || *text == "TRUE");
}

/// `endpoint_url` of the service in the services section that the profile names.
std::optional<std::string> services_url(const Service& service, const Profiles& profiles) {
  const auto name = profiles.get(profiles.selected, "services");
  if (!name) return std::nullopt;
  const auto section = profiles.services.find(*name);
  if (section == profiles.services.end()) return std::nullopt;
  const auto url = section->second.find(fmt::format("{}.endpoint_url", service.setting));
  return url == section->second.end() ? std::nullopt : non_empty(url->second);
}

}  // namespace

Result<std::string> resolve_region(const std::optional<std::string>& given,
                                   const net::Environment& environment, const Profiles& profiles) {
  for (const auto& region : {given, environment("AWS_REGION"), environment("AWS_DEFAULT_REGION"),
                             profiles.get(profiles.selected, "region")}) {
    if (!region || region->empty()) continue;
    if (region->find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
      return fail(ErrorKind::config,
                  fmt::format("\"{}\" is no AWS region: expected a name like us-east-1", *region));
    }
    return *region;
  }
  return fail(ErrorKind::config,
              "no AWS region: put it into the URI (dynamodb://us-east-1/TABLE), or set AWS_REGION");
}

std::string service_host(const Service& service, std::string_view region) {
  for (const auto& partition : kPartitions) {
    if (region.starts_with(partition.region_prefix))
      return fmt::format("{}.{}.{}", service.host, region, partition.dns_suffix);
  }
  return {};
}

Result<net::Origin> parse_endpoint_url(std::string_view url) {
  net::Origin origin;
  auto rest = url;
  if (rest.starts_with("https://")) {
    origin.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return fail(ErrorKind::config, "an endpoint must begin with http:// or https://");
  }
  if (rest.find('@') != std::string_view::npos) {
    return fail(ErrorKind::config,
                "an endpoint must not hold a user name or password: give credentials by flags");
  }
  const auto bad = [&](std::string_view why) {
    return fail(ErrorKind::config, fmt::format("endpoint \"{}\": {}", url, why));
  };
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#") != std::string_view::npos)
    return bad("only scheme, host and port are possible");
  std::string_view port;
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return bad("\"[\" without \"]\"");
    origin.host = rest.substr(1, close - 1);
    const auto after = rest.substr(close + 1);
    if (!after.empty() && after[0] != ':') return bad("expected a port after \"]\"");
    port = after.empty() ? after : after.substr(1);
  } else {
    const auto colon = rest.find(':');
    origin.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) port = rest.substr(colon + 1);
  }
  if (origin.host.empty()) return bad("there is no host");
  origin.port = origin.tls ? 443 : 80;
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), origin.port);
    if (error != std::errc() || end != port.data() + port.size() || origin.port == 0)
      return bad("the port is no number from 1 to 65535");
  }
  return origin;
}

Result<ResolvedEndpoint> resolve_endpoint(const Service& service, const std::optional<std::string>& given,
                                          std::string_view region, const net::Environment& environment,
                                          const Profiles& profiles) {
  struct Candidate {
    std::optional<std::string> url;
    std::string decided_by;
  };
  std::vector<Candidate> candidates = {{given, "the endpoint given"}};
  const bool ignore = is_true(environment("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) ||
                      is_true(profiles.get(profiles.selected, "ignore_configured_endpoint_urls"));
  if (!ignore) {
    candidates.push_back({environment(service.variable), std::string(service.variable)});
    candidates.push_back({environment("AWS_ENDPOINT_URL"), "AWS_ENDPOINT_URL"});
    candidates.push_back(
        {services_url(service, profiles), "the services section of " + profiles.config_file});
    candidates.push_back({profiles.get(profiles.selected, "endpoint_url"),
                          fmt::format("endpoint_url of profile \"{}\"", profiles.selected)});
  }
  for (const auto& candidate : candidates) {
    if (!candidate.url || candidate.url->empty()) continue;
    auto origin = parse_endpoint_url(*candidate.url);
    if (!origin)
      return fail(ErrorKind::config, fmt::format("{} ({})", origin.error().message, candidate.decided_by));
    return ResolvedEndpoint{std::move(*origin), false, candidate.decided_by};
  }
  return ResolvedEndpoint{{service_host(service, region), 443, true}, true, fmt::format("region {}", region)};
}

Result<std::optional<net::Origin>> resolve_cloudwatch_endpoint(std::string_view region, bool dynamodb_is_aws,
                                                               const net::Environment& environment,
                                                               const Profiles& profiles) {
  auto chosen = resolve_endpoint(kCloudWatchService, {}, region, environment, profiles);
  if (!chosen) return fail(chosen.error());
  if (chosen->is_aws && !dynamodb_is_aws) return std::optional<net::Origin>();
  return std::optional(std::move(chosen->origin));
}

std::string resolve_ca_bundle(const net::Environment& environment, const Profiles& profiles) {
  if (auto bundle = non_empty(environment("AWS_CA_BUNDLE"))) return *bundle;
  return profiles.get(profiles.selected, "ca_bundle").value_or("");
}

}  // namespace messina::aws
