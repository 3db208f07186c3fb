// AWS credentials: what they are, and who provides them. Where they come from is decided in
// credential_recipe.h.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/async.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/secret.h"

namespace messina::aws {

/// A key pair, with a session token when it is temporary.
struct Credentials {
  std::string access_key;
  Secret secret_key;
  Secret session_token = {};             ///< empty: none
  std::optional<WallTime> expires = {};  ///< by AWS's clock; absent: never, as far as we know
};

/// Credentials as they came from where they are made.
struct Issued {
  Credentials credentials;
  /// What the clock of the server said that made them: their end is told by it. Absent: take this machine's.
  std::optional<WallTime> server_time = {};
};

/// Where requests get their credentials from. Shared by all loops: implementations are thread-safe.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  /// Credentials that are good now; a provider of temporary ones renews them in time. Errors: config, denied,
  /// expired, transient, throttled, corrupt.
  virtual Task<Result<std::shared_ptr<const Credentials>>> get() = 0;
  /// The same without waiting; null when get() has to be asked.
  virtual std::shared_ptr<const Credentials> at_hand() = 0;
  /// A server has called these expired. True if get() will come up with others, so that it is worth another
  /// attempt; false if there are none, or if they are new already.
  virtual bool refused(const std::shared_ptr<const Credentials>& /*by_server*/) { return false; }
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

}  // namespace messina::aws
