// The tokens that `aws sso login` leaves in ~/.aws/sso/cache. Pure.
// Source: AWS SDKs and Tools Reference Guide, "IAM Identity Center credential provider"; the files of AWS CLI
// v2.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"

namespace messina::aws {

/// `home`/.aws/sso/cache/SHA1.json. `key`: the sso-session's name, in the older form the start URL.
std::string sso_token_file(std::string_view home, std::string_view key);

struct SsoToken {
  Secret access_token;
  WallTime expires{};
  // What it takes to renew it; all empty in the older form.
  Secret refresh_token, client_secret;
  std::string client_id;
  std::optional<WallTime> registration_expires;
  std::string document;  ///< the file as it was; holds secrets
};

/// Errors (config) say what is wrong with the file, without its path or contents.
Result<SsoToken> parse_sso_token(std::string_view json);

/// True if the token can be renewed without a person.
bool can_renew(const SsoToken& token, WallTime now);

/// The body of CreateToken, and what its answer makes of the token. Errors: corrupt.
Secret renewal_request(const SsoToken& token);
Result<SsoToken> renewed(const SsoToken& token, std::string_view answer, WallTime now);

}  // namespace messina::aws
