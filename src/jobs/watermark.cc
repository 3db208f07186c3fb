#include "jobs/watermark.h"

#include <algorithm>

namespace messina::jobs {

Watermark::Page Watermark::sent(MonoTime at) {
  const std::lock_guard lock(mutex_);
  pages_.emplace(next_, State{std::max(at, given_), std::nullopt});
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
  given_ = std::max(given_, oldest);
  return given_;
}

}  // namespace messina::jobs
