// AWS credentials: what they are, who provides them, and the sources of static keys.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "aws/profile.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"
#include "net/proxy.h"

namespace messina::aws {

/// A key pair, with a session token when it is temporary.
struct Credentials {
  std::string access_key;
  Secret secret_key;
  Secret session_token = {};             ///< empty: none
  std::optional<WallTime> expires = {};  ///< absent: never, as far as we know
};

/// Where requests get their credentials from. Shared by all loops: implementations are thread-safe.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  /// Credentials that are good now; a provider of temporary ones renews them in time. Errors: config, denied,
  /// expired, transient.
  virtual Task<Result<std::shared_ptr<const Credentials>>> get() = 0;
  /// The same without waiting; null when get() has to be asked.
  virtual std::shared_ptr<const Credentials> at_hand() = 0;
};

/// The same credentials for ever.
class StaticCredentials final : public CredentialsProvider {
 public:
  explicit StaticCredentials(Credentials credentials)
      : credentials_(std::make_shared<const Credentials>(std::move(credentials))) {}
  Task<Result<std::shared_ptr<const Credentials>>> get() override;
  std::shared_ptr<const Credentials> at_hand() override { return credentials_; }
  const Credentials& value() const { return *credentials_; }

 private:
  std::shared_ptr<const Credentials> credentials_;
};

/// Credentials as a person gave them by flags or a plan. All absent: look elsewhere.
struct ExplicitCredentials {
  std::optional<std::string> access_key;
  std::optional<Secret> secret_key;
  std::optional<Secret> session_token;
  /// A profile asked for by name goes before the environment's keys, as with the AWS CLI's --profile.
  std::optional<std::string> profile;
};

/// The static sources in AWS's order: explicit, then AWS_ACCESS_KEY_ID and its companions, then the profile.
/// nullopt when none of them has any. Errors (config): half a key pair; a profile asked for by name that does
/// not exist; a profile whose credentials come by role, SSO, web identity or process, naming the key and a
/// way out.
Result<std::optional<Credentials>> find_static_credentials(const ExplicitCredentials& given,
                                                           const net::Environment& environment,
                                                           const Profiles& profiles);

}  // namespace messina::aws
