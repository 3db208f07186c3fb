// Structured concurrency: coroutines that are started together and waited for.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>

#include "base/async.h"

namespace messina::jobs {

/// Starts coroutines and waits for all of them. The group may be used by one coroutine, and by children on
/// its loop, which may start others; children may run on any loop. A child counts as gone when its frame is:
/// finished, or destroyed with its loop. So a group whose loops die leaves nothing behind. An exception out
/// of a child is a bug and ends the program.
class TaskGroup {
 public:
  TaskGroup() : state_(std::make_shared<State>()) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void spawn(const asio::any_io_executor& executor, Task<void> task);
  /// Returns when no child is left. One waiter at a time.
  Task<void> wait();
  bool idle() const;

 private:
  struct State {
    std::mutex mutex;
    std::size_t running = 0;
    std::function<void()> resume;
  };
  /// Held by a child's frame.
  class Child {
   public:
    explicit Child(std::shared_ptr<State> state);
    Child(Child&& other) noexcept = default;
    Child& operator=(Child&&) = delete;
    ~Child();

   private:
    std::shared_ptr<State> state_;
  };
  static Task<void> run(Task<void> task, Child child);

  std::shared_ptr<State> state_;
};

}  // namespace messina::jobs
