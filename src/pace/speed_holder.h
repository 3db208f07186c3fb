// What holds the speed: the status line always says it.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string_view>

#include "base/clock.h"

namespace messina::pace {

enum class SpeedHolder : std::uint8_t {
  nothing,            ///< nobody waited for anything worth naming
  read_budget,        ///< the rate that reads may have
  target_latency,     ///< the answers of writes
  target_throttling,  ///< pauses after the target asked for fewer writes
  source_latency,     ///< the answers of reads
  source_throttling,  ///< pauses after the source asked for fewer reads
  memory,             ///< room in the --memory budget
  cpu,                ///< the loops are busy: count their CPU time as waiting for this
  hot_partition,      ///< pauses after a key range, not the table, was throttled
  predecessor,        ///< requests of a former process that may still land
  write_budget,       ///< the rate that writes may have
};
inline constexpr std::size_t kSpeedHolders = 11;

/// "read budget", "target latency", … as the status line prints them; "nothing".
std::string_view to_string(SpeedHolder holder);

/// Adds up who waited how long for what, over the last few seconds. Pure; not thread-safe: one per loop,
/// merged with add_from(), or one behind a lock.
class SpeedHolders {
 public:
  /// `window` > 0: how far back answers look. It moves in eighths.
  explicit SpeedHolders(Duration window = std::chrono::seconds(10)) : window_(window) {}

  /// A wait that ended at `now`. Waits of several workers at once add up. For `nothing` it says that work
  /// went on unhindered.
  void waited(MonoTime now, SpeedHolder holder, Duration time);
  /// What was waited for longest in the window; `nothing` if no wait was told of. Equal sums: the first of
  /// the enum.
  SpeedHolder answer(MonoTime now) const;
  /// The time waited for `holder` in the window.
  Duration total(MonoTime now, SpeedHolder holder) const;
  /// Takes over the other's window too; both must have been told of the same clock.
  void add_from(const SpeedHolders& other);

 private:
  using Sums = std::array<Duration, kSpeedHolders>;
  struct Slice {
    std::int64_t number;  // of an eighth of the window, since the clock's epoch
    Sums sums;
  };
  static constexpr std::int64_t kSlices = 8;

  std::int64_t slice_number(MonoTime now) const { return now.time_since_epoch() / (window_ / kSlices); }
  Slice& slice(std::int64_t number);
  Sums totals(MonoTime now) const;

  Duration window_;
  std::deque<Slice> slices_;  // by number
};

}  // namespace messina::pace
