// For tests and bench/: a modelled target in virtual time, always asked for as much as a ConcurrencyLimit
// allows.
#pragma once
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "base/random.h"
#include "pace/concurrency_limit.h"

namespace messina::pace {

struct TargetModel {
  double places = 32;        ///< requests it works on at once; more wait in a line
  double refuse_over = 1e9;  ///< with more than so many in hand it refuses
  Duration time = std::chrono::milliseconds(20);
  double jitter = 0;  ///< a request's time is even between (1 − jitter) and (1 + jitter) of `time`
  std::uint64_t seed = 1;
};

class VirtualTarget {
 public:
  explicit VirtualTarget(TargetModel model) : model_(model), random_(model.seed) {}

  /// Nothing is answered in that time.
  void stall(Duration from, Duration to) { stall_from_ = kStart + from, stall_to_ = kStart + to; }
  void slow_down_at(Duration at, double times) { slow_at_ = kStart + at, slow_times_ = times; }

  /// Looks at the limit every 200 ms, as the copy does.
  void run(ConcurrencyLimit& limit, Duration time) {
    limit_ = &limit;
    at_time(kStart, [this, &limit] { tick(limit); });
    while (events_.begin()->first < kStart + time) {
      const auto event = events_.extract(events_.begin());
      now_ = event.key();
      event.mapped()();
      while (in_hand_ < limit.limit()) send();
    }
    events_.clear();
  }

  double rate_between(Duration from, Duration to) const {
    return static_cast<double>(count(answered_, from, to)) / std::chrono::duration<double>(to - from).count();
  }
  double refused_between(Duration from, Duration to) const {
    return static_cast<double>(count(refused_, from, to));
  }
  double mean_limit_between(Duration from, Duration to) const {
    double sum = 0, n = 0;
    for (const auto& [at, limit] : limits_) {
      if (at < kStart + from || at >= kStart + to) continue;
      sum += limit;
      ++n;
    }
    return sum / n;
  }
  struct Sample {
    MonoTime at;
    double limit;
  };
  const std::vector<Sample>& limits() const { return limits_; }
  static constexpr MonoTime kStart{std::chrono::hours(1)};

 private:
  static std::ptrdiff_t count(const std::vector<MonoTime>& times, Duration from, Duration to) {
    return std::ranges::lower_bound(times, kStart + to) - std::ranges::lower_bound(times, kStart + from);
  }
  void at_time(MonoTime time, std::function<void()> what) { events_.emplace(time, std::move(what)); }

  Duration work_time() {
    const double factor =
        (1 + model_.jitter * (2 * random_.unit() - 1)) * (now_ >= slow_at_ ? slow_times_ : 1);
    return Duration(static_cast<Duration::rep>(static_cast<double>(model_.time.count()) * factor));
  }

  void send() {
    ++in_hand_;
    if (in_hand_ > model_.refuse_over) {
      at_time(now_ + std::chrono::milliseconds(1), [this] {
        --in_hand_;
        limit_->refused(now_);
        refused_.push_back(now_);
      });
      // Refused batches come back after a pause; the permit is free meanwhile.
      return;
    }
    // The place that is free first takes it.
    if (free_at_.size() < static_cast<std::size_t>(model_.places)) free_at_.emplace(now_);
    MonoTime begin = std::max(now_, *free_at_.begin());
    free_at_.erase(free_at_.begin());
    if (begin < stall_to_ && begin + work_time() > stall_from_) begin = stall_to_;
    const MonoTime end = begin + work_time();
    free_at_.insert(end);
    at_time(end, [this, sent = now_] {
      --in_hand_;
      ++window_.answers;
      window_.latency += now_ - sent;
      answered_.push_back(now_);
    });
  }

  void tick(ConcurrencyLimit& limit) {
    window_.saturated = true;
    limit.observe(now_, window_);
    window_ = {};
    limits_.push_back({now_, static_cast<double>(limit.limit())});
    at_time(now_ + std::chrono::milliseconds(200), [this, &limit] { tick(limit); });
  }

  TargetModel model_;
  Random random_;
  MonoTime now_ = kStart;
  std::multimap<MonoTime, std::function<void()>> events_;
  std::multiset<MonoTime> free_at_;
  std::uint32_t in_hand_ = 0;
  ConcurrencyLimit* limit_ = nullptr;
  ConcurrencyLimit::Window window_;
  std::vector<MonoTime> answered_, refused_;
  std::vector<Sample> limits_;
  MonoTime stall_from_ = MonoTime::max(), stall_to_ = MonoTime::min(), slow_at_ = MonoTime::max();
  double slow_times_ = 1;
};

}  // namespace messina::pace
