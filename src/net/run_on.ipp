// Included by net/event_loop.h.
#pragma once
#include <exception>
#include <future>
#include <optional>

#include <boost/asio/co_spawn.hpp>

#include "net/event_loop.h"

namespace messina::net {
namespace detail {

/// Blocks until `task` has run on `loop`. std::future_error if the loop dies first.
inline void run_to_end(Loop& loop, Task<void> task) {
  auto promise = std::make_shared<std::promise<void>>();
  std::future<void> done = promise->get_future();
  auto finish = [promise](std::exception_ptr error) {
    if (error)
      promise->set_exception(std::move(error));
    else
      promise->set_value();
  };
  promise.reset();
  asio::co_spawn(loop.executor(), std::move(task), std::move(finish));
  done.get();
}

template <class T>
Task<void> keep_result(Task<T> task, std::optional<T>* result) {
  T value = co_await std::move(task);
  result->emplace(std::move(value));
}

}  // namespace detail

/// Goes through an optional, so that T need not be default-constructible (Asio 1.81 wants that of
/// co_spawn's).
template <class T>
T run_on(Loop& loop, Task<T> task) {
  std::optional<T> result;
  detail::run_to_end(loop, detail::keep_result(std::move(task), &result));
  return std::move(*result);
}

inline void run_on(Loop& loop, Task<void> task) { detail::run_to_end(loop, std::move(task)); }

}  // namespace messina::net
