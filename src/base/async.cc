#include "base/async.h"

#include <vector>

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace messina {

void Stop::request() {
  std::map<std::uint64_t, std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    if (requested_) return;
    requested_ = true;
    callbacks.swap(callbacks_);
  }
  for (auto& [id, callback] : callbacks) callback();
}

bool Stop::requested() const {
  const std::lock_guard lock(mutex_);
  return requested_;
}

Stop::Registration Stop::on_request(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!requested_) {
      const std::uint64_t id = next_id_++;
      callbacks_.emplace(id, std::move(callback));
      return {this, id};
    }
  }
  callback();
  return {};
}

Stop::Registration& Stop::Registration::operator=(Registration&& other) noexcept {
  if (this != &other) {
    reset();
    stop_ = std::exchange(other.stop_, nullptr);
    id_ = other.id_;
  }
  return *this;
}

void Stop::Registration::reset() {
  if (stop_ == nullptr) return;
  const std::lock_guard lock(stop_->mutex_);
  stop_->callbacks_.erase(id_);
  stop_ = nullptr;
}

AsyncSemaphore::Lease& AsyncSemaphore::Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    from_ = std::exchange(other.from_, nullptr);
    amount_ = std::exchange(other.amount_, 0);
  }
  return *this;
}

void AsyncSemaphore::Lease::release() {
  if (from_ == nullptr) return;
  std::exchange(from_, nullptr)->give_back(std::exchange(amount_, 0));
}

void AsyncSemaphore::Lease::adjust(std::int64_t amount) {
  if (from_ == nullptr || amount == amount_) return;
  const std::int64_t before = std::exchange(amount_, amount);
  from_->give_back(before - amount);
}

Task<AsyncSemaphore::Lease> AsyncSemaphore::acquire(std::int64_t amount) {
  Lease lease;
  if (try_acquire(amount, lease)) co_return lease;
  // Filled when it is granted: a coroutine that is destroyed before it runs again gives it back.
  Lease* const granted = &lease;
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [this, amount, granted](auto handler) {
        using Handler = decltype(handler);
        // std::function wants a copyable target; the handler itself only moves.
        auto shared = std::make_shared<Handler>(std::move(handler));
        auto executor = asio::get_associated_executor(*shared);
        auto resume = [shared, executor] { asio::post(executor, [shared] { std::move (*shared)(); }); };
        std::unique_lock lock(mutex_);
        waiters_.push_back({amount, granted, std::move(resume)});
        wake(lock);
      },
      asio::use_awaitable);
  co_return lease;
}

bool AsyncSemaphore::try_acquire(std::int64_t amount, Lease& lease) {
  {
    const std::lock_guard lock(mutex_);
    if (!waiters_.empty() || !fits(amount)) return false;
    free_ -= amount;
  }
  lease = Lease(this, amount);
  return true;
}

std::int64_t AsyncSemaphore::capacity() const {
  const std::lock_guard lock(mutex_);
  return capacity_;
}

std::int64_t AsyncSemaphore::free() const {
  const std::lock_guard lock(mutex_);
  return free_;
}

bool AsyncSemaphore::contended() const {
  const std::lock_guard lock(mutex_);
  return !waiters_.empty();
}

void AsyncSemaphore::set_capacity(std::int64_t capacity) {
  std::unique_lock lock(mutex_);
  free_ += capacity - capacity_;
  capacity_ = capacity;
  wake(lock);
}

void AsyncSemaphore::give_back(std::int64_t amount) {
  std::unique_lock lock(mutex_);
  free_ += amount;
  wake(lock);
}

void AsyncSemaphore::wake(std::unique_lock<std::mutex>& lock) {
  std::vector<std::function<void()>> ready;
  while (!waiters_.empty() && fits(waiters_.front().amount)) {
    free_ -= waiters_.front().amount;
    *waiters_.front().lease = Lease(this, waiters_.front().amount);
    ready.push_back(std::move(waiters_.front().resume));
    waiters_.pop_front();
  }
  lock.unlock();
  for (auto& resume : ready) resume();
}

}  // namespace messina
