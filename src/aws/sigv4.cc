#include "aws/sigv4.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/log.h"

namespace messina::aws {
namespace {

/// Room for the texts of a request to DynamoDB.
constexpr std::size_t kUsualCanonicalBytes = 512;

std::string_view as_text(const Sha256& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// "20150830T123600Z"
std::string amz_date(std::chrono::sys_seconds seconds) {
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

bool unreserved(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~';
}

void append_uri_encoded(std::string& out, std::string_view text, bool keep_slash) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const unsigned char c : text) {
    if (unreserved(c) || (keep_slash && c == '/')) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    if (!escape) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return out;
}

/// Resolves "." and ".." and empty segments (RFC 3986, 5.2.4), then encodes.
std::string canonical_path(std::string_view path) {
  if (path == "/") return "/";
  std::vector<std::string_view> segments;
  bool trailing_slash = true;
  while (!path.empty()) {
    path.remove_prefix(path.front() == '/' ? 1 : 0);
    const auto segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    const bool dots = segment == "." || segment == "..";
    trailing_slash = segment.empty() || dots;
    if (segment == ".." && !segments.empty()) segments.pop_back();
    if (!segment.empty() && !dots) segments.push_back(segment);
  }
  std::string out;
  for (const auto segment : segments) {
    out += '/';
    append_uri_encoded(out, segment, true);
  }
  if (trailing_slash || out.empty()) out += '/';
  return out;
}

std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const auto parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), parameter.size() + 1));
    if (parameter.empty()) continue;
    const auto equals = parameter.find('=');
    auto& [name, value] = parameters.emplace_back();
    append_uri_encoded(name, percent_decoded(parameter.substr(0, equals)), false);
    if (equals != std::string_view::npos) {
      append_uri_encoded(value, percent_decoded(parameter.substr(equals + 1)), false);
    }
  }
  std::ranges::sort(parameters);
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out += name + '=' + value;
  }
  return out;
}

/// Trimmed, with runs of spaces made one.
void append_header_value(std::string& out, std::string_view value) {
  const auto first = value.find_first_not_of(' ');
  if (first == std::string_view::npos) return;
  value = value.substr(first, value.find_last_not_of(' ') - first + 1);
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != ' ' || value[i - 1] != ' ') out += value[i];
  }
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

}  // namespace

Sha256 derive_signing_key(const Secret& secret_key, std::string_view day, std::string_view region,
                          std::string_view service) {
  const Secret seed("AWS4" + std::string(secret_key.reveal()));
  const auto day_key = hmac_sha256(seed.reveal(), day);
  const auto region_key = hmac_sha256(as_text(day_key), region);
  const auto service_key = hmac_sha256(as_text(region_key), service);
  return hmac_sha256(as_text(service_key), "aws4_request");
}

std::string canonical_request(const SigningRequest& request, const net::Headers& headers,
                              std::string& signed_headers) {
  struct Field {
    std::string name;
    std::string_view value;
  };
  std::vector<Field> sorted;
  sorted.reserve(request.headers->fields().size() + headers.fields().size());
  for (const auto* fields : {&request.headers->fields(), &headers.fields()}) {
    for (const auto& [name, value] : *fields) {
      Field field{lower(name), value};
      sorted.insert(std::ranges::upper_bound(sorted, field.name, {}, &Field::name), std::move(field));
    }
  }

  const auto question = request.target.find('?');
  std::string out;
  out.reserve(kUsualCanonicalBytes);
  out.append(request.method).append("\n");
  out.append(canonical_path(request.target.substr(0, question))).append("\n");
  if (question != std::string_view::npos) out += canonical_query(request.target.substr(question + 1));
  signed_headers.clear();
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const bool repeated = i > 0 && sorted[i].name == sorted[i - 1].name;
    if (repeated) {
      out += ',';
    } else {
      out.append("\n").append(sorted[i].name).append(":");
      signed_headers.append(signed_headers.empty() ? "" : ";").append(sorted[i].name);
    }
    append_header_value(out, sorted[i].value);
  }
  out.append("\n\n").append(signed_headers).append("\n").append(to_hex(request.body_digest));
  return out;
}

const std::string& Signer::date_of(WallTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (second != dated_ || date_.empty()) {
    dated_ = second;
    date_ = amz_date(second);
  }
  return date_;
}

Signer::CachedKey& Signer::key_of(const SigningRequest& request, const Credentials& credentials,
                                  std::string_view day) {
  const bool good = cached_ && cached_->day == day && cached_->region == request.region &&
                    cached_->service == request.service && cached_->secret_key == credentials.secret_key;
  if (!good) {
    const Sha256 key = derive_signing_key(credentials.secret_key, day, request.region, request.service);
    cached_ = CachedKey{std::string(day),
                        std::string(request.region),
                        std::string(request.service),
                        fmt::format("{}/{}/{}/aws4_request", day, request.region, request.service),
                        credentials.secret_key,
                        HmacKey(as_text(key))};
  }
  return *cached_;
}

net::Headers Signer::sign(const SigningRequest& request, const Credentials& credentials) {
  net::Headers added;
  const std::string& date = date_of(request.time);
  const std::string_view day = std::string_view(date).substr(0, 8);
  added.add("X-Amz-Date", date);
  if (request.send_session_token && !credentials.session_token.empty()) {
    added.add("X-Amz-Security-Token", std::string(credentials.session_token.reveal()));
  }
  if (request.content_digest_header) added.add("X-Amz-Content-Sha256", to_hex(request.body_digest));

  CachedKey& key = key_of(request, credentials, day);
  std::string signed_headers;
  const auto canonical = canonical_request(request, added, signed_headers);
  std::string text;
  text.reserve(kUsualCanonicalBytes);
  text.append("AWS4-HMAC-SHA256\n").append(date).append("\n").append(key.scope).append("\n");
  text += to_hex(sha256(canonical));
  const auto signature = to_hex(key.key.digest(text));
  text.clear();
  text.append("AWS4-HMAC-SHA256 Credential=").append(credentials.access_key).append("/").append(key.scope);
  text.append(", SignedHeaders=").append(signed_headers).append(", Signature=").append(signature);
  added.add("Authorization", std::move(text));
  return added;
}

}  // namespace messina::aws
