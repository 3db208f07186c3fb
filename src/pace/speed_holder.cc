#include "pace/speed_holder.h"

#include <algorithm>

namespace messina::pace {

std::string_view to_string(SpeedHolder holder) {
  switch (holder) {
    case SpeedHolder::nothing:
      return "nothing";
    case SpeedHolder::read_budget:
      return "read budget";
    case SpeedHolder::target_latency:
      return "target latency";
    case SpeedHolder::target_throttling:
      return "target throttling";
    case SpeedHolder::source_latency:
      return "source latency";
    case SpeedHolder::source_throttling:
      return "source throttling";
    case SpeedHolder::memory:
      return "memory";
    case SpeedHolder::cpu:
      return "cpu";
    case SpeedHolder::hot_partition:
      return "hot partition";
    case SpeedHolder::predecessor:
      return "requests of a former process";
    case SpeedHolder::write_budget:
      return "write budget";
  }
  return "nothing";
}

/// The slice of that number, made where it is missing. Slices that no window can reach any more go.
SpeedHolders::Slice& SpeedHolders::slice(std::int64_t number) {
  auto at = std::ranges::lower_bound(slices_, number, {}, &Slice::number);
  if (at == slices_.end() || at->number != number) at = slices_.insert(at, Slice{number, {}});
  while (slices_.size() > static_cast<std::size_t>(kSlices) && slices_.front().number < number - kSlices)
    slices_.pop_front();
  return *std::ranges::lower_bound(slices_, number, {}, &Slice::number);
}

void SpeedHolders::waited(MonoTime now, SpeedHolder holder, Duration time) {
  if (time <= Duration::zero()) return;
  slice(slice_number(now)).sums[static_cast<std::size_t>(holder)] += time;
}

SpeedHolders::Sums SpeedHolders::totals(MonoTime now) const {
  const std::int64_t newest = slice_number(now);
  Sums sums{};
  for (const Slice& part : slices_) {
    if (part.number <= newest - kSlices || part.number > newest) continue;
    for (std::size_t i = 0; i < kSpeedHolders; ++i) sums[i] += part.sums[i];
  }
  return sums;
}

SpeedHolder SpeedHolders::answer(MonoTime now) const {
  const Sums sums = totals(now);
  return static_cast<SpeedHolder>(std::ranges::max_element(sums) - sums.begin());
}

Duration SpeedHolders::total(MonoTime now, SpeedHolder holder) const {
  return totals(now)[static_cast<std::size_t>(holder)];
}

void SpeedHolders::add_from(const SpeedHolders& other) {
  for (const Slice& part : other.slices_) {
    Sums& sums = slice(part.number).sums;
    for (std::size_t i = 0; i < kSpeedHolders; ++i) sums[i] += part.sums[i];
  }
}

}  // namespace messina::pace
