// Where a side's credentials come from, decided from settings alone: the chain of AWS's SDKs as data. Pure;
// who carries a recipe out is aws/credential_fetch.h. Source: AWS SDKs and Tools Reference Guide,
// "Standardized credential providers"; botocore/credentials.py for what the guide leaves open.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "aws/credentials.h"
#include "aws/profile.h"
#include "base/error.h"
#include "net/http_client.h"

namespace messina::aws {

struct Recipe;
using RecipePtr = std::shared_ptr<const Recipe>;

/// Keys that were written down somewhere.
struct KeySource {
  Credentials keys;
};
/// STS AssumeRole, asked with the base's credentials.
struct RoleSource {
  RecipePtr base;
  std::string role_arn;
  std::string session_name;  ///< empty: one is made up
  std::string external_id;   ///< empty: none
  std::optional<std::uint32_t> duration_s;
};
/// STS AssumeRoleWithWebIdentity, with the token in a file, which others renew.
struct WebIdentitySource {
  std::string role_arn;
  std::string token_file;
  std::string session_name;  ///< empty: one is made up
  std::optional<std::uint32_t> duration_s;
};
/// GetRoleCredentials of IAM Identity Center, with the token that `aws sso login` left in its cache.
struct SsoSource {
  std::string profile;     ///< to log in with
  std::string token_file;  ///< in ~/.aws/sso/cache
  std::string region, account_id, role_name;
  bool renewable = false;  ///< the sso-session form, whose tokens can be renewed without a person
};
/// A command that prints credentials.
struct ProcessSource {
  std::string command;
};
/// ECS, EKS Pod Identity, and what else speaks their protocol.
struct ContainerSource {
  net::Origin origin;
  std::string target;      ///< path and query
  std::string token_file;  ///< holds the Authorization header; before `token`
  Secret token;            ///< the Authorization header; empty: none
};
/// EC2's instance metadata service, version 2.
struct InstanceSource {
  net::Origin origin;
};

struct Recipe {
  std::variant<KeySource, RoleSource, WebIdentitySource, SsoSource, ProcessSource, ContainerSource,
               InstanceSource>
      source;
  std::string told;  ///< who says so, for people: `profile "prod"`, `the environment`
};

/// A role that flags or a plan ask for, on top of whatever credentials are found.
struct GivenRole {
  std::string arn;
  std::string session_name, external_id;  ///< empty: none given
};

/// Credentials as a person gave them by flags or a plan. All absent: look elsewhere.
struct ExplicitCredentials {
  std::optional<std::string> access_key;
  std::optional<Secret> secret_key;
  std::optional<Secret> session_token;
  /// A profile asked for by name goes before the environment's keys, as with the AWS CLI's --profile.
  std::optional<std::string> profile;
  std::optional<GivenRole> role;
};

struct Resolution {
  RecipePtr recipe;  ///< null: there is none
  /// What was looked at before and had none, a clause each: "AWS_ACCESS_KEY_ID is not set".
  std::vector<std::string> tried;
  /// The recipe, or its base, is the last of the chain: the metadata service, which is asked on the chance.
  bool last_resort = false;
};

/// AWS's order: explicit, AWS_ACCESS_KEY_ID and its companions, the profile, web identity, container, EC2.
/// Within a profile: role_arn, SSO, keys, credential_process. Errors (config): half a key pair; a profile
/// asked for by name that does not exist; one that lacks a setting, asks for an MFA code, or names itself in
/// a circle of source_profile; a container's address that is not allowed.
Result<Resolution> resolve_credentials(const ExplicitCredentials& given, const net::Environment& environment,
                                       const Profiles& profiles);

/// Legal values of DurationSeconds (STS API Reference, AssumeRole).
inline constexpr std::uint32_t kLeastRoleSeconds = 900, kMostRoleSeconds = 43'200;

}  // namespace messina::aws
