// How long the disk lasts. Pure.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"

namespace messina::state {

/// Hours until only `reserve_bytes` of `free_bytes` are left, at `growth` bytes a second; 0 if that is so
/// now, nullopt if nothing grows.
constexpr std::optional<double> disk_hours_left(std::uint64_t free_bytes, std::uint64_t reserve_bytes,
                                                double growth_bytes_per_s) {
  if (free_bytes <= reserve_bytes) return 0.0;
  if (!(growth_bytes_per_s > 0)) return std::nullopt;
  constexpr double kSecondsPerHour = 3600;
  return static_cast<double>(free_bytes - reserve_bytes) / growth_bytes_per_s / kSecondsPerHour;
}

/// The spool's growth over the last minutes: from samples of its bytes on disk, which come and go in steps as
/// RocksDB flushes and compacts, so that a short time says little. Not thread-safe.
class DiskGrowth {
 public:
  static constexpr Duration kWindow = std::chrono::minutes(10);
  static constexpr Duration kLeast =
      std::chrono::seconds(10);  ///< apart: of samples that are kept, and looked at

  void sample(MonoTime now, std::uint64_t bytes) {
    if (!samples_.empty() && now - samples_.back().at < kLeast) return;
    samples_.push_back({now, bytes});
    while (now - samples_.front().at > kWindow) samples_.pop_front();
  }
  /// Bytes a second, below 0 while it shrinks; 0 until there are samples far enough apart.
  double bytes_per_s() const {
    if (samples_.size() < 2) return 0;
    const auto& [from, first] = samples_.front();
    const auto& [to, last] = samples_.back();
    return (static_cast<double>(last) - static_cast<double>(first)) /
           std::chrono::duration<double>(to - from).count();
  }

 private:
  struct Sample {
    MonoTime at;
    std::uint64_t bytes = 0;
  };
  std::deque<Sample> samples_;
};

}  // namespace messina::state
