#include "jobs/task_group.h"

#include <exception>
#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace messina::jobs {

TaskGroup::Child::Child(std::shared_ptr<State> state) : state_(std::move(state)) {
  const std::lock_guard lock(state_->mutex);
  ++state_->running;
}

TaskGroup::Child::~Child() {
  if (!state_) return;
  std::function<void()> resume;
  {
    const std::lock_guard lock(state_->mutex);
    if (--state_->running == 0) resume.swap(state_->resume);
  }
  if (resume) resume();
}

Task<void> TaskGroup::run(Task<void> task, Child child) {
  co_await std::move(task);
  (void)child;
}

void TaskGroup::spawn(const asio::any_io_executor& executor, Task<void> task) {
  Child child(state_);
  asio::co_spawn(executor, run(std::move(task), std::move(child)), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
}

Task<void> TaskGroup::wait() {
  if (idle()) co_return;
  // A plain pointer: GCC 12 destroys twice what a lambda inside a co_await expression captures.
  State* const state = state_.get();
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [state](auto handler) {
        using Handler = decltype(handler);
        // std::function wants a copyable target; the handler itself only moves.
        auto shared = std::make_shared<Handler>(std::move(handler));
        auto executor = asio::get_associated_executor(*shared);
        std::function<void()> resume = [shared, executor] {
          asio::post(executor, [shared] { std::move (*shared)(); });
        };
        std::unique_lock lock(state->mutex);
        if (state->running != 0) {
          state->resume = std::move(resume);
          return;
        }
        lock.unlock();
        resume();
      },
      asio::use_awaitable);
}

bool TaskGroup::idle() const {
  const std::lock_guard lock(state_->mutex);
  return state_->running == 0;
}

}  // namespace messina::jobs
