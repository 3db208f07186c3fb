#include "sim/engine/auth.h"

#include <algorithm>
#include <array>
#include <iomanip>
#include <map>
#include <sstream>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/hash.h"
#include "sim/engine/policy.h"

namespace messina::sim {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

/// Outer space off, runs of inner space to one.
std::string squeeze(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const bool space = c == ' ' || c == '\t';
    if (!space) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string_view bytes(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string canonical_query(std::string_view path) {
  const std::size_t question = path.find('?');
  if (question == std::string_view::npos) return {};
  std::vector<std::string> pairs;
  for (const std::string_view part : split(path.substr(question + 1), '&')) {
    if (part.empty()) continue;
    pairs.push_back(part.find('=') == std::string_view::npos ? std::string(part) + "=" : std::string(part));
  }
  std::ranges::sort(pairs);
  return fmt::format("{}", fmt::join(pairs, "&"));
}

/// "Credential=…, SignedHeaders=…, Signature=…" behind the algorithm's name.
std::map<std::string, std::string> fields_of(std::string_view authorization) {
  std::map<std::string, std::string> fields;
  for (const std::string_view part : split(authorization, ',')) {
    const std::string clean = squeeze(part);
    const std::size_t equals = clean.find('=');
    if (equals != std::string::npos) fields[clean.substr(0, equals)] = clean.substr(equals + 1);
  }
  return fields;
}

std::string amz_date(WallTime time) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

std::optional<WallTime> parse_amz_date(std::string_view text) {
  std::tm tm{};
  std::istringstream in{std::string(text)};
  in >> std::get_time(&tm, "%Y%m%dT%H%M%SZ");
  if (in.fail() || text.size() != 16) return std::nullopt;
  return std::chrono::system_clock::from_time_t(timegm(&tm));
}

ApiError wrong(std::string type, std::string message) {
  return {400, std::move(type), std::move(message), {}};
}

std::optional<ApiError> check_date(std::string_view date, const Personality& personality, WallTime now) {
  const auto time = parse_amz_date(date);
  if (!time)
    return wrong("IncompleteSignatureException",
                 "Date must be in ISO-8601 'basic format'. Got '" + std::string(date) + "'");
  if (*time < now - kMaxClockDifference) {
    return wrong("InvalidSignatureException",
                 fmt::format("Signature expired: {} is now earlier than {} (current time - 15 min.)", date,
                             amz_date(now - kMaxClockDifference)));
  }
  if (*time > now + kMaxClockDifference) {
    return wrong(
        "InvalidSignatureException",
        fmt::format("Signature not yet current: {} is still later than {} ({}+ 15 min.)", date,
                    amz_date(now + kMaxClockDifference), personality.alternator ? "current time " : ""));
  }
  return std::nullopt;
}

std::optional<ApiError> check_scope(const std::vector<std::string_view>& credential, std::string_view date,
                                    std::string_view service, const AuthSettings& settings) {
  if (credential[3] != service) {
    return wrong("InvalidSignatureException",
                 fmt::format("Credential should be scoped to correct service: '{}'. ", service));
  }
  if (!settings.region.empty() && credential[2] != settings.region) {
    return wrong("InvalidSignatureException", "Credential should be scoped to a valid region. ");
  }
  if (!date.starts_with(credential[1])) {
    return wrong("InvalidSignatureException",
                 "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP");
  }
  return std::nullopt;
}

std::optional<ApiError> check_token(const Request& request, const AuthSettings& settings) {
  const std::string_view token = request.header("x-amz-security-token").value_or("");
  if (token == settings.session_token) return std::nullopt;
  return wrong("UnrecognizedClientException", "The security token included in the request is invalid.");
}

}  // namespace

std::string expected_signature(const Request& request, std::string_view secret, std::string_view date,
                               std::string_view scope, std::string_view signed_headers) {
  std::string canonical =
      fmt::format("{}\n{}\n{}\n", request.method, request.path.substr(0, request.path.find('?')),
                  canonical_query(request.path));
  for (const std::string_view name : split(signed_headers, ';')) {
    canonical += fmt::format("{}:{}\n", name, squeeze(request.header(name).value_or("")));
  }
  canonical += fmt::format("\n{}\n{}", signed_headers, to_hex(sha256(request.body)));
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date, scope, to_hex(sha256(canonical)));
  Sha256 key{};
  std::string material = "AWS4" + std::string(secret);
  for (const std::string_view part : split(scope, '/')) {
    key = hmac_sha256(material, part);
    material = std::string(bytes(key));
  }
  return to_hex(hmac_sha256(material, to_sign));
}

std::optional<ApiError> check_signature(const Request& request, const AuthSettings& settings,
                                        const Personality& personality, WallTime now) {
  if (settings.access_key.empty()) return std::nullopt;
  const auto authorization = request.header("authorization");
  if (!authorization) {
    return wrong("MissingAuthenticationTokenException",
                 personality.alternator ? "Authorization header is mandatory for signature verification"
                                        : "Request is missing Authentication Token");
  }
  constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
  if (!authorization->starts_with(kAlgorithm)) {
    if (!personality.alternator) return wrong("IncompleteSignatureException", "Unsupported AWS 'algorithm'");
    return wrong("InvalidSignatureException",
                 fmt::format("Authorization header must use AWS4-HMAC-SHA256 algorithm: {}", *authorization));
  }
  auto fields = fields_of(authorization->substr(kAlgorithm.size()));
  const std::string credential_text = fields["Credential"];
  const std::vector<std::string_view> credential = split(credential_text, '/');
  const std::string& signed_headers = fields["SignedHeaders"];
  if (credential.size() != 5 || signed_headers.empty() || fields["Signature"].empty()) {
    return wrong(personality.alternator ? "InvalidSignatureException" : "IncompleteSignatureException",
                 "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.");
  }
  const std::vector<std::string_view> names = split(signed_headers, ';');
  for (const std::string_view needed : {"host", "x-amz-date", "x-amz-target"}) {
    if (request.header(needed) && std::ranges::find(names, needed) == names.end()) {
      return wrong("InvalidSignatureException", fmt::format("'{}' must be a signed header", needed));
    }
  }
  const std::string_view date = request.header("x-amz-date").value_or("");
  if (auto error = check_date(date, personality, now)) return error;
  if (std::ranges::find(settings.expired_keys, credential[0]) != settings.expired_keys.end())
    return wrong("ExpiredTokenException", "The security token included in the request is expired");
  if (credential[0] != settings.access_key) {
    return wrong("UnrecognizedClientException",
                 personality.alternator ? fmt::format("User not found: {}", credential[0])
                                        : "The security token included in the request is invalid.");
  }
  if (!personality.alternator) {
    if (auto error = check_scope(credential, date, service_of(request), settings)) return error;
    if (auto error = check_token(request, settings)) return error;
  }
  const std::string scope = credential_text.substr(credential[0].size() + 1);
  if (expected_signature(request, settings.secret_key.reveal(), date, scope, signed_headers) ==
      fields["Signature"]) {
    return std::nullopt;
  }
  if (personality.alternator) {
    return wrong("UnrecognizedClientException", "The security token included in the request is invalid.");
  }
  return wrong(
      "InvalidSignatureException",
      "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
      "Access Key and signing method. Consult the service documentation for details.");
}

}  // namespace messina::sim
