// Rates over the last seconds.
#pragma once
#include <deque>

#include "base/clock.h"
#include "state/job_store.h"

namespace messina::jobs {

/// Growth per second of counts, over a sliding window. Pure; not thread-safe.
class RateWindow {
 public:
  explicit RateWindow(Duration window = std::chrono::seconds(10)) : window_(window) {}

  struct Rates {
    double items_per_s = 0, bytes_per_s = 0, rcu_per_s = 0;
  };
  /// Takes the counts as they are at `now` (which never goes back).
  Rates add(MonoTime now, const state::Counts& counts) {
    samples_.push_back({now, counts});
    // The newest sample that is a whole window old stays as the one to compare with.
    while (samples_.size() > 2 && samples_[1].at <= now - window_) samples_.pop_front();
    const Sample& first = samples_.front();
    const double seconds = std::chrono::duration<double>(now - first.at).count();
    if (seconds <= 0) return {};
    return {.items_per_s = static_cast<double>(counts.read_items - first.counts.read_items) / seconds,
            .bytes_per_s = static_cast<double>(counts.read_bytes - first.counts.read_bytes) / seconds,
            .rcu_per_s = (counts.rcu - first.counts.rcu) / seconds};
  }

 private:
  struct Sample {
    MonoTime at;
    state::Counts counts;
  };
  Duration window_;
  std::deque<Sample> samples_;
};

}  // namespace messina::jobs
