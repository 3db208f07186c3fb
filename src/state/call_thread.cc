#include "state/call_thread.h"

#include <ctime>

#include <pthread.h>

namespace messina::state {

CallThread::CallThread(std::string subject) : subject_(std::move(subject)), thread_([this] { serve(); }) {}

CallThread::~CallThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

std::chrono::nanoseconds CallThread::cpu() const {
  clockid_t clock_id{};
  timespec cpu{};
  // pthread_getcpuclockid wants a handle that is not const.
  const pthread_t handle = const_cast<std::thread&>(thread_).native_handle();
  if (::pthread_getcpuclockid(handle, &clock_id) != 0 || ::clock_gettime(clock_id, &cpu) != 0) return {};
  return std::chrono::seconds(cpu.tv_sec) + std::chrono::nanoseconds(cpu.tv_nsec);
}

bool CallThread::enqueue(Job& job) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kMaxQueued) return false;
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void CallThread::serve() {
  constexpr std::size_t kMaxName = 15;  // pthread_setname_np(3)
  ::pthread_setname_np(::pthread_self(), ("messina-" + subject_).substr(0, kMaxName).c_str());
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    {
      Job job = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      job();
    }
    lock.lock();
  }
}

}  // namespace messina::state
