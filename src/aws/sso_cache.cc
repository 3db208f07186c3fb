#include "aws/sso_cache.h"

#include <array>

#include <boost/json.hpp>
#include <openssl/evp.h>

#include "aws/times.h"
#include "base/hash.h"
#include "base/log.h"

namespace messina::aws {
namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// Only the cache's file names are made with it.
std::string sha1_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return to_hex(std::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

}  // namespace

std::string sso_token_file(std::string_view home, std::string_view key) {
  return fmt::format("{}/.aws/sso/cache/{}.json", home, sha1_hex(key));
}

Result<SsoToken> parse_sso_token(std::string_view text) {
  boost::system::error_code failure;
  const auto parsed = json::parse({text.data(), text.size()}, failure);
  if (failure || !parsed.is_object()) return fail(ErrorKind::config, "it is not JSON");
  const auto& object = parsed.get_object();
  SsoToken token;
  token.access_token = Secret(text_of(object, "accessToken"));
  const auto expires = parse_iso_time(text_of(object, "expiresAt"));
  if (token.access_token.empty() || !expires)
    return fail(ErrorKind::config, "it has no accessToken, or no expiresAt");
  token.expires = *expires;
  token.refresh_token = Secret(text_of(object, "refreshToken"));
  token.client_id = text_of(object, "clientId");
  token.client_secret = Secret(text_of(object, "clientSecret"));
  token.registration_expires = parse_iso_time(text_of(object, "registrationExpiresAt"));
  token.document = text;
  return token;
}

bool can_renew(const SsoToken& token, WallTime now) {
  return !token.refresh_token.empty() && !token.client_id.empty() && !token.client_secret.empty() &&
         (!token.registration_expires || *token.registration_expires > now);
}

Secret renewal_request(const SsoToken& token) {
  json::object body;
  body["clientId"] = token.client_id;
  body["clientSecret"] = token.client_secret.reveal();
  body["grantType"] = "refresh_token";
  body["refreshToken"] = token.refresh_token.reveal();
  return Secret(json::serialize(body));
}

Result<SsoToken> renewed(const SsoToken& token, std::string_view answer, WallTime now) {
  boost::system::error_code failure;
  const auto parsed = json::parse({answer.data(), answer.size()}, failure);
  const auto corrupt = [] { return fail(ErrorKind::corrupt, "the answer of CreateToken is none"); };
  if (failure || !parsed.is_object()) return corrupt();
  const auto& object = parsed.get_object();
  const auto* seconds = object.if_contains("expiresIn");
  const std::string access = text_of(object, "accessToken");
  if (access.empty() || seconds == nullptr || !seconds->is_int64()) return corrupt();
  // What this does not know about the file stays in it: the AWS CLI reads it too.
  auto document = json::parse(token.document).as_object();
  SsoToken fresh = token;
  fresh.access_token = Secret(access);
  fresh.expires = now + std::chrono::seconds(seconds->get_int64());
  document["accessToken"] = access;
  document["expiresAt"] = iso_time(fresh.expires);
  if (const std::string refresh = text_of(object, "refreshToken"); !refresh.empty()) {
    fresh.refresh_token = Secret(refresh);
    document["refreshToken"] = refresh;
  }
  fresh.document = json::serialize(document);
  return fresh;
}

}  // namespace messina::aws
