#include "aws/renewing_credentials.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "aws/times.h"
#include "base/log.h"

namespace messina::aws {
namespace {

/// A request that had no credentials was not made: whatever the reason, it is no verdict about its data, nor
/// about its server's load.
Error for_requests(Error error) {
  switch (error.kind) {
    case ErrorKind::config:
    case ErrorKind::denied:
    case ErrorKind::expired:
    case ErrorKind::stopped:
      break;
    case ErrorKind::throttled:
    case ErrorKind::transient:
    case ErrorKind::corrupt:
    case ErrorKind::busy:
      error.kind = ErrorKind::transient;
      break;
    default:
      error.kind = ErrorKind::config;
      break;
  }
  return error;
}

}  // namespace

std::shared_ptr<RenewingCredentials> RenewingCredentials::make(Loop& home, std::string told, Fetch fetch,
                                                               Random random) {
  return std::shared_ptr<RenewingCredentials>(
      new RenewingCredentials(home, std::move(told), std::move(fetch), random));
}

std::shared_ptr<const Credentials> RenewingCredentials::at_hand() {
  const std::lock_guard lock(mutex_);
  if (!current_) return nullptr;
  const MonoTime now = home_.now();
  const Age age = age_of(freshness_, now);
  if (age == Age::fresh) return current_;
  if (age == Age::dead) return nullptr;
  const bool failed_just_now = now < hold_until_;
  if (age == Age::due && !failed_just_now) return nullptr;
  if (!failed_just_now && !in_background_) {
    in_background_ = true;
    asio::co_spawn(home_.executor(), renew_in_background(shared_from_this()), asio::detached);
  }
  return current_;
}

bool RenewingCredentials::refused(const std::shared_ptr<const Credentials>& by_server) {
  const std::lock_guard lock(mutex_);
  if (current_ != by_server) return true;  // another request has seen to it
  const MonoTime now = home_.now();
  if (from_force_ && now - obtained_ < kTrustInNew) return false;
  log::info("{}: a server calls the credentials expired: renewing them", told_);
  current_ = nullptr;
  forced_ = true;
  hold_until_ = {};
  return true;
}

/// What is known without a fetch.
std::optional<Result<RenewingCredentials::Pointer>> RenewingCredentials::settled() {
  const std::lock_guard lock(mutex_);
  const MonoTime now = home_.now();
  const Age age = current_ ? age_of(freshness_, now) : Age::dead;
  const bool failed_just_now = now < hold_until_;
  if (age == Age::fresh || age == Age::aging || (age == Age::due && failed_just_now))
    return Result<Pointer>(current_);
  if (failed_just_now) return Result<Pointer>(fail(last_error_));
  return std::nullopt;
}

Task<Result<std::shared_ptr<const Credentials>>> RenewingCredentials::get() {
  const auto self = shared_from_this();
  const AsyncSemaphore::Lease turn = co_await turn_.acquire(1);
  if (auto known = settled()) co_return std::move(*known);
  Task<Result<Pointer>> fetch = renew(self);
  co_return co_await asio::co_spawn(home_.executor(), std::move(fetch), asio::use_awaitable);
}

Task<Result<std::shared_ptr<const Credentials>>> RenewingCredentials::renew(
    std::shared_ptr<RenewingCredentials> self) {
  Task<Result<Issued>> fetch = self->fetch_();
  Result<Issued> issued = co_await std::move(fetch);
  co_return self->take(std::move(issued));
}

Task<void> RenewingCredentials::renew_in_background(std::shared_ptr<RenewingCredentials> self) {
  AsyncSemaphore::Lease turn;
  if (self->turn_.try_acquire(1, turn)) {
    Task<Result<Pointer>> fetch = renew(self);
    co_await std::move(fetch);
  }
  const std::lock_guard lock(self->mutex_);
  self->in_background_ = false;
}

Result<RenewingCredentials::Pointer> RenewingCredentials::take(Result<Issued> issued) {
  const std::lock_guard lock(mutex_);
  if (!issued) return hold_off(for_requests(std::move(issued.error())));
  return keep(std::move(*issued));
}

Result<RenewingCredentials::Pointer> RenewingCredentials::keep(Issued issued) {
  const MonoTime now = home_.now();
  std::optional<Duration> left;
  if (issued.credentials.expires)
    left = *issued.credentials.expires - issued.server_time.value_or(home_.wall());
  if (left && *left <= Duration::zero())
    return hold_off({ErrorKind::expired, fmt::format("{}: the credentials that it gave had expired at {}",
                                                     told_, iso_time(*issued.credentials.expires))});
  log::info("{}: {} credentials{}", told_, obtained_ == MonoTime() ? "got" : "renewed the",
            issued.credentials.expires ? ", good until " + iso_time(*issued.credentials.expires) : "");
  freshness_ = freshness_of(now, left);
  current_ = std::make_shared<const Credentials>(std::move(issued.credentials));
  obtained_ = now;
  from_force_ = std::exchange(forced_, false);
  backoff_.reset();
  hold_until_ = {};
  return current_;
}

/// The old ones, while they last.
Result<RenewingCredentials::Pointer> RenewingCredentials::hold_off(Error error) {
  const MonoTime now = home_.now();
  hold_until_ = now + backoff_.next(error, random_);
  if (!current_ || age_of(freshness_, now) == Age::dead) {
    last_error_ = error;
    return fail(std::move(error));
  }
  if (backoff_.failures() == 1)
    log::warn("{} (going on with the credentials at hand, which are good for another {} min)", error.message,
              std::chrono::duration_cast<std::chrono::minutes>(freshness_.dead - now).count());
  last_error_ = std::move(error);
  return current_;
}

}  // namespace messina::aws
