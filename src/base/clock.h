// Time, handed in. Nothing outside this header's implementations asks the system what time it is.
#pragma once
#include <chrono>

namespace messina {

using Duration = std::chrono::steady_clock::duration;
/// Monotonic time of this machine: for deadlines, pacing and the watermark. Meaningless in another process.
using MonoTime = std::chrono::steady_clock::time_point;
/// Wall-clock time: for signatures, the ledger and people.
using WallTime = std::chrono::system_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime now() const = 0;
  virtual WallTime wall() const = 0;
};

/// The machine's clocks. Stateless and thread-safe.
class SystemClock final : public Clock {
 public:
  MonoTime now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
};

/// A clock that a test sets. Not thread-safe.
class ManualClock final : public Clock {
 public:
  MonoTime now() const override { return now_; }
  WallTime wall() const override { return wall_; }
  void advance(Duration by) {
    now_ += by;
    wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  }
  void set_wall(WallTime wall) { wall_ = wall; }

 private:
  MonoTime now_{};
  WallTime wall_{};
};

}  // namespace messina
