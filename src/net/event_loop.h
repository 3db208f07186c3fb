// The production Loop: one Asio io_context on one thread, with the memory that belongs to it.
#pragma once
#include <memory>
#include <string>

#include "base/async.h"
#include "base/slab.h"

namespace messina::net {

/// One event loop on a thread of its own. Coroutines, sockets and pools made on it are used on it only.
class EventLoop final : public Loop {
 public:
  /// Starts the thread. `max_idle_slab_bytes` bounds slabs().
  explicit EventLoop(std::string name, std::size_t max_idle_slab_bytes = 16u << 20);
  /// Stops the context, joins the thread; unfinished coroutines are destroyed.
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  asio::any_io_executor executor() override;
  MonoTime now() const override;
  WallTime wall() const override;
  Task<void> sleep_until(MonoTime until, Stop* stop) override;

  asio::io_context& context();
  /// Only from this loop's thread.
  SlabPool& slabs();
  /// CPU time used by the loop's thread so far; any thread may ask.
  std::chrono::nanoseconds cpu_time() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Runs `task` on `loop` and blocks the calling thread (not a loop's) until it is done; rethrows what it
/// throws.
template <class T>
T run_on(Loop& loop, Task<T> task);

}  // namespace messina::net

#include "net/run_on.ipp"
