// Each rule of the capture removed: the simulation must then find a wrong end.
#include <gtest/gtest.h>

#include "capture_scenario.h"
#include "seeds.h"

namespace messina::simulation {
namespace {

constexpr std::uint64_t kMostSeeds = 10'000;

void expect_wrong_end(const jobs::CaptureFaults& faults) {
  simulation::expect_wrong_end(kMostSeeds, [&](std::uint64_t seed) {
    return run_capture_scenario(seed, faults, CaptureWeather::rough);
  });
}

TEST(CaptureMutation, NoneIsNeededForARightEnd) {
  expect_right_ends(500,
                    [](std::uint64_t seed) { return run_capture_scenario(seed, {}, CaptureWeather::rough); });
}

TEST(CaptureMutation, ReadingFromTheBeginningIsNeeded) {
  jobs::CaptureFaults faults;
  faults.begin_at_latest = true;
  expect_wrong_end(faults);
}

TEST(CaptureMutation, OneStepForEventsAndPositionsIsNeeded) {
  jobs::CaptureFaults faults;
  faults.positions_apart = true;
  expect_wrong_end(faults);
}

TEST(CaptureMutation, TheAgeOfPositionsIsNeeded) {
  jobs::CaptureFaults faults;
  faults.no_gap_by_age = true;
  expect_wrong_end(faults);
}

TEST(CaptureMutation, OneEmptyPageMustNotCountAsTheEnd) {
  jobs::CaptureFaults faults;
  faults.one_empty_page_is_enough = true;
  expect_wrong_end(faults);
}

TEST(CaptureMutation, WaitingForTheParentIsNeeded) {
  jobs::CaptureFaults faults;
  faults.parent_not_waited_for = true;
  expect_wrong_end(faults);
}

TEST(CaptureMutation, ImagesOfOneDomainAreNeeded) {
  jobs::CaptureFaults faults;
  faults.images_of_any_domain = true;
  expect_wrong_end(faults);
}

TEST(CaptureMutation, TheDurableEndOfAParentIsNeeded) {
  jobs::CaptureFaults faults;
  faults.children_at_once = true;
  expect_wrong_end(faults);
}

TEST(CaptureMutation, MarksAtANewEpochAreNeeded) {
  jobs::CaptureFaults faults;
  faults.images_outlive_epochs = true;
  expect_wrong_end(faults);
}

TEST(CaptureMutation, LeavingOutWhatHistoryHasIsNeeded) {
  jobs::CaptureFaults faults;
  faults.replay_what_history_has = true;
  expect_wrong_end(faults);
}

}  // namespace
}  // namespace messina::simulation
