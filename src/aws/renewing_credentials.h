// Temporary credentials that are renewed before they end, for all loops of a job.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "aws/credential_freshness.h"
#include "aws/credentials.h"
#include "base/async.h"
#include "base/random.h"
#include "pace/backoff.h"

namespace messina::aws {

/// New credentials that are refused as expired within this time are not renewed once more: something else is
/// wrong.
inline constexpr std::chrono::minutes kTrustInNew{1};

/// Thread-safe. In the last quarter of an hour (or of their life, credential_freshness.h) one fetch runs in
/// the background while requests go on with the old ones; in the last ten minutes requests wait for it. If it
/// fails, the old ones are used to their end, and it is tried again after pauses. Credentials without an end
/// are fetched once.
class RenewingCredentials final : public CredentialsProvider,
                                  public std::enable_shared_from_this<RenewingCredentials> {
 public:
  /// One attempt; called on the home loop, one at a time.
  using Fetch = std::function<Task<Result<Issued>>()>;
  /// `home` must outlive all users. `told` begins log lines.
  static std::shared_ptr<RenewingCredentials> make(Loop& home, std::string told, Fetch fetch, Random random);

  /// Errors: config, denied, expired, and transient for all that may pass.
  Task<Result<std::shared_ptr<const Credentials>>> get() override;
  std::shared_ptr<const Credentials> at_hand() override;
  bool refused(const std::shared_ptr<const Credentials>& by_server) override;

 private:
  using Pointer = std::shared_ptr<const Credentials>;
  RenewingCredentials(Loop& home, std::string told, Fetch fetch, Random random)
      : home_(home), told_(std::move(told)), fetch_(std::move(fetch)), random_(random) {}

  std::optional<Result<Pointer>> settled();
  Result<Pointer> take(Result<Issued> issued);
  Result<Pointer> keep(Issued issued);
  Result<Pointer> hold_off(Error error);
  static Task<Result<Pointer>> renew(std::shared_ptr<RenewingCredentials> self);
  static Task<void> renew_in_background(std::shared_ptr<RenewingCredentials> self);

  Loop& home_;
  const std::string told_;
  const Fetch fetch_;
  AsyncSemaphore turn_{1};  // who has it fetches

  std::mutex mutex_;
  Random random_;
  Pointer current_;
  Freshness freshness_;
  MonoTime obtained_{};
  bool forced_ = false;      // the next ones are fetched because these were refused
  bool from_force_ = false;  // these were
  bool in_background_ = false;
  pace::Backoff backoff_;
  MonoTime hold_until_{};  // after a failure
  Error last_error_;
};

}  // namespace messina::aws
