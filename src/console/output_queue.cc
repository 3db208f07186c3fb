#include "console/output_queue.h"

#include <utility>

namespace messina::console {

OutputQueue::~OutputQueue() {
  flush();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  given_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool OutputQueue::take(Stream stream, std::string_view text, std::size_t most_bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes_ >= most_bytes) return false;
  if (text.empty()) return true;
  waiting_.push_back({stream, std::string(text)});
  bytes_ += text.size();
  if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  given_.notify_one();
  return true;
}

void OutputQueue::wait_for_room() {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [this] { return bytes_ < kMostResultBytes; });
}

bool OutputQueue::idle() const {
  const std::lock_guard lock(mutex_);
  return bytes_ == 0;
}

void OutputQueue::flush() {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [this] { return bytes_ == 0; });
}

void OutputQueue::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    given_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const Text next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    (next.stream == Stream::out ? output_.out : output_.err)(next.text);
    lock.lock();
    bytes_ -= next.text.size();
    written_.notify_all();
  }
}

}  // namespace messina::console
