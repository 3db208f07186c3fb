#include "jobs/watermark.h"

#include <algorithm>
#include <utility>

namespace messina::jobs {

Watermark::Page Watermark::sent(MonoTime at) {
  const std::lock_guard lock(mutex_);
  pages_.emplace(next_, State{at, std::nullopt});
  return next_++;
}

void Watermark::acknowledged(Page page, MonoTime at) {
  const std::lock_guard lock(mutex_);
  if (const auto found = pages_.find(page); found != pages_.end()) found->second.acknowledged_at = at;
}

void Watermark::dropped(Page page) {
  const std::lock_guard lock(mutex_);
  pages_.erase(page);
}

MonoTime Watermark::value(MonoTime now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(pages_, [&](const auto& entry) {
    const auto& acknowledged_at = entry.second.acknowledged_at;
    return acknowledged_at && now - *acknowledged_at > clock_error_;
  });
  MonoTime oldest = now;
  for (const auto& [page, state] : pages_) oldest = std::min(oldest, state.sent_at);
  return oldest;
}

bool KeyBook::begin(std::string_view key, MonoTime now) {
  expire(now);
  return keys_.try_emplace(std::string(key)).second;
}

void KeyBook::answered(std::string_view key, MonoTime at) {
  wait(key, State::cooling, at + times_.clock_error);
}

void KeyBook::unknown(std::string_view key, MonoTime at) {
  wait(key, State::unknown, at + times_.dead_after + times_.clock_error);
}

void KeyBook::wait(std::string_view key, State state, MonoTime until) {
  keys_.insert_or_assign(std::string(key), Entry{state, until});
  waiting_.emplace(until, std::string(key));
}

void KeyBook::expire(MonoTime now) {
  while (!waiting_.empty() && waiting_.begin()->first < now) {
    const auto entry = waiting_.extract(waiting_.begin());
    const auto key = keys_.find(entry.mapped());
    // A later write of the key may have given it another time.
    if (key != keys_.end() && key->second.state != State::sending && key->second.free_after < now) {
      keys_.erase(key);
    }
  }
}

std::size_t KeyBook::unknown_outcomes(MonoTime now) const {
  return static_cast<std::size_t>(std::ranges::count_if(keys_, [&](const auto& entry) {
    return entry.second.state == State::unknown && entry.second.free_after >= now;
  }));
}

std::optional<MonoTime> KeyBook::next_free() const {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.begin()->first;
}

}  // namespace messina::jobs
