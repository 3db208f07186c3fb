// Calls that run one after another on a thread of their own, so that no event loop ever waits for a disk;
// private to this room.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "state/await_call.h"

namespace messina::state {

/// Runs calls in the order in which they were made. Thread-safe.
///
/// Destruction runs the calls that were accepted, hands their results to the waiting coroutines' executors
/// and joins the thread; those executors must still be there.
class CallThread {
 public:
  /// Calls that may wait. A call beyond this is answered `busy` and has not run.
  static constexpr std::size_t kMaxQueued = 64;

  /// What the calls go to, for errors and the thread's name: "ledger".
  explicit CallThread(std::string subject);
  ~CallThread();
  CallThread(const CallThread&) = delete;
  CallThread& operator=(const CallThread&) = delete;

  /// Answers what `call` returns, a Result<T>; the coroutine resumes on its own executor.
  template <class T, class Call>
  Task<Result<T>> run(Call call) {
    auto submit = [this, &call](Answer<T> answer) {
      auto shared = std::make_shared<Answer<T>>(std::move(answer));
      Job job = [this, &call, shared] {
        try {
          (*shared)(call());
        } catch (const std::exception& error) {
          (*shared)(fail(ErrorKind::internal, "the " + subject_ + "'s thread: " + error.what()));
        }
      };
      if (!enqueue(job)) (*shared)(fail(ErrorKind::busy, "too many calls wait for the " + subject_));
    };
    co_return co_await await_call<T>(submit);
  }

  /// CPU time of the thread so far.
  std::chrono::nanoseconds cpu() const;

 private:
  using Job = std::move_only_function<void()>;
  bool enqueue(Job& job);
  void serve();

  const std::string subject_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  bool ending_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace messina::state
