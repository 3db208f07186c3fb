// How a coroutine awaits what another thread does; private to this room.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/async.h"
#include "base/error.h"

namespace messina::state {

template <class T>
using Answer = std::move_only_function<void(Result<T>)>;

/// `submit` hands its Answer<T> to another thread, which calls it once; the coroutine resumes on its own
/// executor. What `submit` refers to lives in coroutine frames that the answer owns, so it lives until then.
template <class T, class Submit>
Task<Result<T>> await_call(Submit submit) {
  std::optional<Result<T>> result;
  auto start = [&submit, &result](auto handler) {
    // Tracked: the caller's loop must not end for want of work while the other thread has its coroutine.
    auto executor =
        asio::prefer(asio::get_associated_executor(handler), asio::execution::outstanding_work.tracked);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    submit(Answer<T>([&result, executor, shared](Result<T> answer) {
      result.emplace(std::move(answer));
      asio::post(executor, std::move(*shared));
    }));
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(start, asio::use_awaitable);
  co_return std::move(*result);
}

}  // namespace messina::state
