// IAM Identity Center (once AWS SSO): a role's credentials for the token of a login.
// Source: IAM Identity Center Portal API Reference, GetRoleCredentials; OIDC API Reference, CreateToken.
#pragma once
#include <string>

#include "aws/credential_http.h"
#include "aws/credential_recipe.h"
#include "aws/credentials.h"
#include "aws/profile.h"
#include "aws/sso_cache.h"

namespace messina::aws {

struct SsoAccess {
  net::Origin portal, oidc;
  net::ClientOptions portal_http, oidc_http;
  FileReader read_file;
};

/// Renews the login's token when it is about to end and can be renewed, and writes it back for the AWS CLI.
/// Errors: expired (somebody has to log in), config, denied, throttled, transient, corrupt.
Task<Result<Issued>> ask_identity_center(net::EventLoop& loop, SsoAccess access, const SsoSource& sso,
                                         std::string subject);

}  // namespace messina::aws
