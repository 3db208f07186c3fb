#include "jobs/unit_queue.h"

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using Kind = UnitQueue::Next::Kind;
constexpr MonoTime kStart{std::chrono::hours(1)};
constexpr MonoTime kQuiet = kStart + std::chrono::seconds(31);

state::JobState job_of(std::size_t units, std::uint64_t begun_limit) {
  state::JobState job;
  job.units.resize(units);
  job.begun_limit = begun_limit;
  return job;
}

TEST(UnitQueue, FreshUnitsComeAtOnceAndBegunOnesWhenTheWireIsQuiet) {
  UnitQueue queue(job_of(4, 4), 2, kQuiet);
  EXPECT_TRUE(queue.held_back());
  EXPECT_EQ(queue.take(kStart).unit, 2u);
  EXPECT_EQ(queue.take(kStart).unit, 3u);
  const UnitQueue::Next wait = queue.take(kStart);
  EXPECT_EQ(wait.kind, Kind::wait);
  EXPECT_EQ(wait.until, kQuiet);
  EXPECT_TRUE(wait.for_predecessor);
  EXPECT_EQ(queue.take(kQuiet).unit, 0u);
  EXPECT_EQ(queue.take(kQuiet).unit, 1u);
  EXPECT_EQ(queue.take(kQuiet).kind, Kind::none);
}

TEST(UnitQueue, BegunUnitsGoFirstOnceTheyMay) {
  UnitQueue queue(job_of(2, 2), 1, kQuiet);
  EXPECT_EQ(queue.take(kQuiet).unit, 0u);
  EXPECT_EQ(queue.take(kQuiet).unit, 1u);
}

TEST(UnitQueue, NoUnitIsBegunBeforeItsReservationIsDurable) {
  UnitQueue queue(job_of(3, 1), 0, kStart);
  EXPECT_EQ(queue.take(kStart).unit, 0u);
  EXPECT_EQ(queue.take(kStart).kind, Kind::wait);
  EXPECT_FALSE(queue.take(kStart).for_predecessor);
  EXPECT_EQ(queue.wanted_limit(1), 2u);
  EXPECT_EQ(queue.wanted_limit(100), 3u);
  queue.reserved(2);
  EXPECT_EQ(queue.take(kStart).unit, 1u);
  EXPECT_EQ(queue.take(kStart).kind, Kind::wait);
  queue.reserved(3);
  EXPECT_EQ(queue.take(kStart).unit, 2u);
  EXPECT_EQ(queue.take(kStart).kind, Kind::none);
}

TEST(UnitQueue, DoneAndSkippedUnitsAreNotHandedOut) {
  state::JobState job = job_of(4, 4);
  job.units[0].state = state::UnitState::done;
  job.units[2].state = state::UnitState::skipped;
  UnitQueue queue(job, 4, kStart);
  EXPECT_EQ(queue.take(kStart).unit, 1u);
  EXPECT_EQ(queue.take(kStart).unit, 3u);
  EXPECT_EQ(queue.take(kStart).kind, Kind::none);
}

}  // namespace
}  // namespace messina::jobs
