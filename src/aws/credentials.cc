#include "aws/credentials.h"

#include <array>

#include "base/log.h"

namespace messina::aws {
namespace {

/// Settings by which a profile gets temporary credentials. They go before static keys in the same profile.
constexpr std::array<std::string_view, 6> kIndirect = {
    "role_arn", "web_identity_token_file", "sso_session", "sso_start_url", "sso_account_id", "login_session"};
/// This one comes after static keys.
constexpr std::string_view kProcess = "credential_process";

std::unexpected<Error> not_static(const std::string& profile, std::string_view key) {
  return fail(ErrorKind::config,
              fmt::format("profile \"{0}\" gets its credentials by \"{1}\", which messina cannot do yet: run "
                          "`eval \"$(aws configure export-credentials --profile {0} --format env)\"` first, "
                          "or name a profile with an access key",
                          profile, key));
}

Result<std::optional<Credentials>> pair_of(std::string_view where, std::string_view key_name,
                                           std::string_view secret_name,
                                           const std::optional<std::string>& access_key,
                                           const std::optional<Secret>& secret_key,
                                           const std::optional<Secret>& session_token) {
  const bool has_key = access_key && !access_key->empty();
  const bool has_secret = secret_key && !secret_key->empty();
  if (!has_key && !has_secret) return std::optional<Credentials>();
  if (!has_key || !has_secret) {
    return fail(ErrorKind::config,
                fmt::format("{}: {} is set but {} is not", where, has_key ? key_name : secret_name,
                            has_key ? secret_name : key_name));
  }
  return std::optional<Credentials>(Credentials{*access_key, *secret_key, session_token.value_or(Secret())});
}

std::optional<Secret> secret(std::optional<std::string> text) {
  if (!text || text->empty()) return std::nullopt;
  return Secret(std::move(*text));
}

Result<std::optional<Credentials>> from_profile(const Profiles& profiles) {
  const auto& name = profiles.selected;
  const auto get = [&](std::string_view setting) { return profiles.get(name, setting); };
  if (!profiles.find(name)) {
    if (!profiles.selected_by_name) return std::optional<Credentials>();
    return fail(ErrorKind::config, fmt::format("profile \"{}\" is neither in {} nor in {}", name,
                                               profiles.config_file, profiles.credentials_file));
  }
  for (const auto key : kIndirect) {
    if (get(key)) return not_static(name, key);
  }
  auto pair = pair_of(fmt::format("profile \"{}\"", name), "aws_access_key_id", "aws_secret_access_key",
                      get("aws_access_key_id"), secret(get("aws_secret_access_key")),
                      secret(get("aws_session_token")));
  if (pair && !*pair && get(kProcess)) return not_static(name, kProcess);
  return pair;
}

}  // namespace

Task<Result<std::shared_ptr<const Credentials>>> StaticCredentials::get() { co_return credentials_; }

Result<std::optional<Credentials>> find_static_credentials(const ExplicitCredentials& given,
                                                           const net::Environment& environment,
                                                           const Profiles& profiles) {
  auto found = pair_of("credentials", "the access key", "the secret key", given.access_key, given.secret_key,
                       given.session_token);
  if (!found || *found) return found;
  if (!given.profile) {
    found =
        pair_of("environment", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", environment("AWS_ACCESS_KEY_ID"),
                secret(environment("AWS_SECRET_ACCESS_KEY")), secret(environment("AWS_SESSION_TOKEN")));
    if (!found || *found) return found;
  }
  return from_profile(profiles);
}

}  // namespace messina::aws
