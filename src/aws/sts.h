// The Security Token Service: roles for temporary credentials, and who a caller is.
// Source: AWS Security Token Service API Reference, version 2011-06-15 (Query protocol, answers in XML).
#pragma once
#include <string>

#include "aws/credential_answers.h"
#include "aws/credential_http.h"
#include "aws/credential_recipe.h"
#include "aws/credentials.h"
#include "aws/server_clock.h"

namespace messina::aws {

/// Where STS is, and how it is reached.
struct StsAccess {
  net::Origin origin;
  std::string region;  ///< signed for
  net::ClientOptions http;
  ServerClocks* clocks = nullptr;
};

/// The bodies, for tests too. `session_name` where the source names none.
Secret assume_role_body(const RoleSource& role, const std::string& session_name);
Secret web_identity_body(const WebIdentitySource& identity, const std::string& session_name,
                         std::string_view token);

/// AssumeRole, signed with the base's credentials. `subject` begins every message. One attempt; a second one
/// only when the first told that this machine's clock is wrong. Errors: denied, expired, throttled,
/// transient, config, corrupt.
Task<Result<Issued>> assume_role(net::EventLoop& loop, StsAccess access, const RoleSource& role,
                                 const Credentials& base, std::string subject);

/// GetCallerIdentity: whose credentials they are, which STS tells everybody. Signed with `credentials`;
/// attempts and errors as of assume_role().
Task<Result<CallerIdentity>> caller_identity(net::EventLoop& loop, StsAccess access,
                                             const Credentials& credentials, std::string subject);

/// AssumeRoleWithWebIdentity: not signed, the token is the proof.
Task<Result<Issued>> assume_role_with_web_identity(net::EventLoop& loop, StsAccess access,
                                                   const WebIdentitySource& identity, std::string_view token,
                                                   std::string subject);

}  // namespace messina::aws
