// How many connections a client may have open at once, and who is next when there are no more.
#pragma once
#include <cstddef>
#include <deque>
#include <memory>
#include <utility>

#include "net/connection.h"

namespace messina::net {

/// First come, first served, and nobody waits for longer than he said. On the loop's thread only; must
/// outlive its leases and its waiters.
class Slots {
 public:
  explicit Slots(std::size_t count) : free_(count) {}

  /// A slot; gives it back when it dies. Empty: none.
  class Lease {
   public:
    Lease() = default;
    explicit Lease(Slots* from) : from_(from) {}
    Lease(Lease&& other) noexcept : from_(std::exchange(other.from_, nullptr)) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(from_, other.from_);
      return *this;
    }
    ~Lease() {
      if (from_ != nullptr) from_->give_back();
    }
    explicit operator bool() const { return from_ != nullptr; }

   private:
    Slots* from_ = nullptr;
  };

  /// An empty lease if there is none, or somebody waits for one.
  Lease try_take();
  /// An empty lease if none became free until `deadline`.
  Task<Lease> take(EventLoop& loop, MonoTime deadline);

 private:
  struct Waiter {
    explicit Waiter(asio::io_context& context) : timer(context) {}
    Timer timer;
    bool granted = false;
  };
  void give_back();

  std::size_t free_;
  std::deque<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace messina::net
