#include "net/event_loop.h"

#include <thread>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <pthread.h>
#include <time.h>

#include "base/log.h"

namespace messina::net {

struct EventLoop::State {
  explicit State(std::size_t max_idle_slab_bytes) : slabs(max_idle_slab_bytes) {}

  SlabPool slabs;  // outlives the context, whose coroutines hold slabs
  // Shared only with callbacks of Stop, which may run on another thread while the loop ends.
  std::shared_ptr<asio::io_context> context = std::make_shared<asio::io_context>(1);
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(*context);
  std::thread thread;
  clockid_t cpu_clock = CLOCK_MONOTONIC;
};

EventLoop::EventLoop(std::string name, std::size_t max_idle_slab_bytes)
    : state_(std::make_unique<State>(max_idle_slab_bytes)) {
  state_->thread = std::thread([context = state_->context.get(), name] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    while (true) {
      try {
        context->run();
        return;
      } catch (const std::exception& error) {
        // Only a handler that throws comes here: a bug, but not one to take the other coroutines down with.
        log::error("event loop {}: {}", name, error.what());
      }
    }
  });
  if (pthread_getcpuclockid(state_->thread.native_handle(), &state_->cpu_clock) != 0)
    state_->cpu_clock = CLOCK_PROCESS_CPUTIME_ID;
}

EventLoop::~EventLoop() {
  state_->context->stop();
  state_->thread.join();
}

asio::any_io_executor EventLoop::executor() { return state_->context->get_executor(); }
MonoTime EventLoop::now() const { return std::chrono::steady_clock::now(); }
WallTime EventLoop::wall() const { return std::chrono::system_clock::now(); }
asio::io_context& EventLoop::context() { return *state_->context; }
SlabPool& EventLoop::slabs() { return state_->slabs; }

Task<void> EventLoop::sleep_until(MonoTime until, Stop* stop) {
  constexpr auto token = asio::as_tuple(asio::use_awaitable);
  const auto timer = std::make_shared<asio::steady_timer>(*state_->context, until);
  if (stop == nullptr) {
    co_await timer->async_wait(token);
    co_return;
  }
  // The callback may run on any thread, and even after this coroutine has ended: it only posts, and the timer
  // is looked up and destroyed on the loop's thread. The weak pointer to the context covers a loop that is
  // gone by then.
  std::weak_ptr<asio::steady_timer> weak_timer = timer;
  std::weak_ptr<asio::io_context> weak_context = state_->context;
  std::function<void()> wake = [weak_timer, weak_context] {
    if (const auto context = weak_context.lock())
      asio::post(*context, [weak_timer] {
        if (const auto sleeping = weak_timer.lock()) sleeping->cancel();
      });
  };
  const Stop::Registration registration = stop->on_request(std::move(wake));
  co_await timer->async_wait(token);
}

std::chrono::nanoseconds EventLoop::cpu_time() const {
  timespec used{};
  clock_gettime(state_->cpu_clock, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace messina::net
