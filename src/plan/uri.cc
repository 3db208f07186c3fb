#include "plan/uri.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "plan/text.h"

namespace messina::plan {
namespace {

constexpr std::string_view kForms =
    "write dynamodb://REGION/TABLE, alternator://HOST:PORT/TABLE or alternators://HOST:PORT/TABLE (TLS)";

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; };
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f'); };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2])) {
      out.push_back(static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

struct HostPort {
  std::string host;
  std::uint16_t port = 0;  ///< 0: not given
};

Result<HostPort> parse_host_port(std::string_view text, std::string_view what) {
  HostPort parsed;
  std::string_view port_text;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || (close + 1 < text.size() && text[close + 1] != ':'))
      return fail(ErrorKind::usage,
                  fmt::format("the {}: write an IPv6 address as [ADDRESS]:PORT, not {}", what, shown(text)));
    parsed.host = text.substr(1, close - 1);
    if (parsed.host.empty() ||
        parsed.host.find_first_not_of("0123456789abcdefABCDEF:.%") != std::string::npos)
      return fail(ErrorKind::usage,
                  fmt::format("the {}: {} is not an IPv6 address", what, shown(parsed.host)));
    has_port = close + 1 < text.size();
    if (has_port) port_text = text.substr(close + 2);
  } else {
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos)
      return fail(ErrorKind::usage,
                  fmt::format("the {}: write an IPv6 address as [ADDRESS]:PORT, not {}", what, shown(text)));
    parsed.host = text.substr(0, colon);
    has_port = colon != std::string_view::npos;
    if (has_port) port_text = text.substr(colon + 1);
    if (parsed.host.empty())
      return fail(ErrorKind::usage, fmt::format("the {} names no host: {}", what, kForms));
    for (const char c : parsed.host)
      if (!is_letter_or_digit(c) && c != '.' && c != '-' && c != '_')
        return fail(ErrorKind::usage,
                    fmt::format("the {}: {} is not a host's name", what, shown(parsed.host)));
  }
  if (has_port) {
    const auto [end, error] =
        std::from_chars(port_text.data(), port_text.data() + port_text.size(), parsed.port);
    if (error != std::errc() || end != port_text.data() + port_text.size() || parsed.port == 0)
      return fail(ErrorKind::usage,
                  fmt::format("the {}: {} is not a port (1 to 65535)", what, shown(port_text)));
  }
  return parsed;
}

Error with_credentials(std::string_view side) {
  return {
      ErrorKind::usage,
      fmt::format(
          "the {0}'s address holds a user or a password (it has an \"@\"), and addresses are seen by "
          "everybody "
          "in `ps`: take it out and give --{0}-access-key with --{0}-secret-key-env or --{0}-secret-key-file",
          side)};
}

Error unknown_scheme(std::string_view scheme, std::string_view side) {
  static constexpr std::string_view kLater[] = {"s3", "export", "scylla", "cassandra"};
  if (std::ranges::find(kLater, scheme) != std::end(kLater))
    return {ErrorKind::usage, fmt::format("the {} is a {}: address, which this version does not do yet: {}",
                                          side, scheme, kForms)};
  static const std::string kKnown[] = {"dynamodb", "alternator", "alternators"};
  return {ErrorKind::usage,
          fmt::format("the {} has the unknown scheme {}{} {}", side, shown(scheme),
                      nearest(scheme, kKnown) ? did_you_mean(scheme, kKnown) : std::string(":"), kForms)};
}

}  // namespace

Result<void> check_table_name(std::string_view name, EndpointKind kind, std::string_view side) {
  const auto bad = std::ranges::find_if(
      name, [](char c) { return !is_letter_or_digit(c) && c != '_' && c != '-' && c != '.'; });
  if (bad != name.end()) {
    std::string_view why = "a table's name is made of a-z, A-Z, 0-9, \"_\", \"-\" and \".\"";
    if (name.find('\0') != std::string_view::npos)
      why = "it holds a NUL byte";
    else if (invalid_utf8_at(name))
      why = "it is not valid UTF-8";
    return fail(ErrorKind::usage,
                fmt::format("the {}'s table name {} cannot be: {}", side, shown(name), why));
  }
  const std::size_t most = kind == EndpointKind::alternator ? kAlternatorTableNameMax : kTableNameMax;
  if (name.size() < kTableNameMin || name.size() > most)
    return fail(ErrorKind::usage, fmt::format("the {}'s table name {} has {} character{}: {} takes {} to {}",
                                              side, shown(name), name.size(), name.size() == 1 ? "" : "s",
                                              kind == EndpointKind::alternator ? "Alternator" : "DynamoDB",
                                              kTableNameMin, most));
  return {};
}

Result<void> check_region(std::string_view region, std::string_view side) {
  static constexpr std::size_t kLongest = 64;
  const bool good = !region.empty() && region.size() <= kLongest &&
                    std::ranges::all_of(region, [](char c) { return is_letter_or_digit(c) || c == '-'; });
  if (!good)
    return fail(ErrorKind::usage,
                fmt::format("the {}'s region {} cannot be: write it as in us-east-1", side, shown(region)));
  return {};
}

Result<EndpointSpec> parse_uri(std::string_view text, std::string_view side) {
  // Before anything is shown: what stands before an "@" may be a password.
  if (text.find('@') != std::string_view::npos) return fail(with_credentials(side));
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0)
    return fail(ErrorKind::usage, fmt::format("the {} {} is not an address: {}", side, shown(text), kForms));
  const std::string scheme = lower(text.substr(0, colon));
  EndpointSpec spec;
  if (scheme == "dynamodb")
    spec.kind = EndpointKind::dynamodb;
  else if (scheme == "alternator" || scheme == "alternators")
    spec.kind = EndpointKind::alternator;
  else
    return fail(unknown_scheme(scheme, side));
  spec.tls = scheme == "alternators";

  std::string_view rest = text.substr(colon + 1);
  if (!rest.starts_with("//"))
    return fail(ErrorKind::usage, fmt::format("the {} {} lacks \"//\": {}", side, shown(text), kForms));
  rest.remove_prefix(2);
  if (rest.find_first_of("?#") != std::string_view::npos)
    return fail(
        ErrorKind::usage,
        fmt::format("the {} {} holds \"?\" or \"#\": options are flags (see --help)", side, shown(text)));
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  if (slash + 1 < rest.size()) {
    spec.table = percent_decoded(rest.substr(slash + 1));
    if (auto checked = check_table_name(spec.table, spec.kind, side); !checked) return fail(checked.error());
  }

  if (spec.kind == EndpointKind::dynamodb) {
    if (!authority.empty())
      if (auto checked = check_region(authority, side); !checked) return fail(checked.error());
    spec.region = authority;
    return spec;
  }
  const auto host_port = parse_host_port(authority, side);
  if (!host_port) return fail(host_port.error());
  spec.host = host_port->host;
  spec.port = host_port->port != 0 ? host_port->port : spec.tls ? kAlternatorTlsPort : kAlternatorPort;
  return spec;
}

Result<HttpUrl> parse_http_url(std::string_view text, std::string_view what) {
  if (text.find('@') != std::string_view::npos)
    return fail(ErrorKind::usage,
                fmt::format("{} holds a user or a password (it has an \"@\"): take it out", what));
  HttpUrl url;
  const std::string start = lower(text.substr(0, 8));
  std::size_t begin = 0;
  if (start.starts_with("https://"))
    begin = 8, url.tls = true;
  else if (start.starts_with("http://"))
    begin = 7;
  else
    return fail(
        ErrorKind::usage,
        fmt::format("{} {} is not a URL: write http://HOST:PORT or https://HOST:PORT", what, shown(text)));
  std::string_view authority = text.substr(begin);
  if (authority.ends_with('/')) authority.remove_suffix(1);
  if (authority.find_first_of("/?#") != std::string_view::npos)
    return fail(ErrorKind::usage, fmt::format("{} {} has a path: write http://HOST:PORT or https://HOST:PORT",
                                              what, shown(text)));
  const auto host_port = parse_host_port(authority, what);
  if (!host_port) return fail(host_port.error());
  url.host = host_port->host;
  url.port = host_port->port != 0 ? host_port->port : url.tls ? 443 : 80;
  return url;
}

bool is_aws_host(std::string_view host) {
  std::string name = lower(host);
  if (name.ends_with('.')) name.pop_back();
  for (const std::string_view domain :
       {"amazonaws.com", "amazonaws.com.cn", "api.aws", "api.amazonwebservices.com.cn"})
    if (name == domain || name.ends_with("." + std::string(domain))) return true;
  return false;
}

std::string canonical_uri(const EndpointSpec& spec) {
  if (spec.kind == EndpointKind::alternator) {
    const bool brackets = spec.host.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}/{}", spec.tls ? "alternators" : "alternator", brackets ? "[" : "",
                       lower(spec.host), brackets ? "]" : "", spec.port, spec.table);
  }
  if (!spec.endpoint_url) return fmt::format("dynamodb://{}/{}", spec.region, spec.table);
  std::string endpoint = *spec.endpoint_url;
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return fmt::format("dynamodb+{}/{}/{}", endpoint, spec.region, spec.table);
}

}  // namespace messina::plan
