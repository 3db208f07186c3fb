#include "net/slots.h"

namespace messina::net {

Slots::Lease Slots::try_take() {
  if (free_ == 0) return {};
  --free_;
  return Lease(this);
}

Task<Slots::Lease> Slots::take(EventLoop& loop, MonoTime deadline) {
  Lease lease = try_take();
  if (lease) co_return lease;
  const auto waiter = std::make_shared<Waiter>(loop.context());
  waiter->timer.expires_at(deadline);
  waiters_.push_back(waiter);
  co_await waiter->timer.async_wait(kAwait);
  // The slot may have come between the deadline and this thread's turn: then it is ours all the same.
  if (waiter->granted) co_return Lease(this);
  std::erase(waiters_, waiter);
  co_return Lease();
}

void Slots::give_back() {
  if (waiters_.empty()) {
    ++free_;
    return;
  }
  const std::shared_ptr<Waiter> next = std::move(waiters_.front());
  waiters_.pop_front();
  next->granted = true;
  next->timer.cancel();
}

}  // namespace messina::net
