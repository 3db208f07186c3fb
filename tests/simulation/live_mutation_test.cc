// Each rule of the protocol removed from the whole job: the simulation must then find a wrong end. Rules 4, 5
// and 19 are of targets that take stamps, 17 and 18 of verifying, 21 of transformed keys.
#include <gtest/gtest.h>

#include "live_scenario.h"
#include "seeds.h"

namespace messina::simulation {
namespace {

constexpr std::uint64_t kMostSeeds = 10'000, kSoundSeeds = 100;

void expect_wrong_end(const LiveFaults& faults, const LiveWeather& weather) {
  expect_right_ends(kSoundSeeds,
                    [&](std::uint64_t seed) { return run_live_scenario(seed, {}, weather).result; });
  simulation::expect_wrong_end(
      kMostSeeds, [&](std::uint64_t seed) { return run_live_scenario(seed, faults, weather).result; });
}

// Rule 1.
TEST(LiveMutation, AnUnknownOutcomeMustBeWaitedOut) {
  LiveFaults faults;
  faults.apply.retry_unknown_at_once = true;
  expect_wrong_end(faults, {.few_keys = true, .lost = true});
}

// Rule 2.
TEST(LiveMutation, TwoWritesOfAKeyMustBeApart) {
  LiveFaults faults;
  faults.apply.keys_not_apart = true;
  expect_wrong_end(faults, {.few_keys = true});
}

// Rule 3.
TEST(LiveMutation, ThePredecessorMustBeDead) {
  LiveFaults faults;
  faults.apply.no_predecessor_wait = true;
  expect_wrong_end(faults, {.few_keys = true, .lost = true, .many_lives = true});
}

// Rule 6.
TEST(LiveMutation, AnUnprocessedKeyIsNotAbsent) {
  LiveFaults faults;
  faults.apply.unprocessed_is_absent = true;
  expect_wrong_end(faults, {.unprocessed = true, .marks = true});
}

// Rule 7.
TEST(LiveMutation, ARejectComesBeforeItsEntryGoes) {
  LiveFaults faults;
  faults.apply.settle_before_reject = true;
  expect_wrong_end(faults, {.many_lives = true, .poison = true});
}

// Rule 8.
TEST(LiveMutation, WhatCameAfterTheTakingStays) {
  LiveFaults faults;
  faults.apply.settle_newest = true;
  expect_wrong_end(faults, {.few_keys = true});
}

// Rule 8.
TEST(LiveMutation, AReadDischargesWhatWasThereBeforeIt) {
  LiveFaults faults;
  faults.apply.reread_settles_later_marks = true;
  expect_wrong_end(faults, {.few_keys = true, .marks = true});
}

// Rule 9.
TEST(LiveMutation, ImagesAreOfOneDomain) {
  LiveFaults faults;
  faults.capture.images_of_any_domain = true;
  expect_wrong_end(faults, {.odd_streams = true});
}

// Rule 10.
TEST(LiveMutation, EventsAndPositionsAreOneStep) {
  LiveFaults faults;
  faults.capture.positions_apart = true;
  expect_wrong_end(faults, {.many_lives = true});
}

// Rule 10.
TEST(LiveMutation, AnOlderSpoolIsAGap) {
  LiveFaults faults;
  faults.migrate.any_spool_will_do = true;
  expect_wrong_end(faults, {.many_lives = true, .older_spools = true});
}

// Rule 11.
TEST(LiveMutation, TheWatermarkMustKnowThePages) {
  LiveFaults faults;
  faults.copy.pages_unmarked = true;
  expect_wrong_end(faults, {.few_keys = true, .slow_pages = true});
}

// Rule 11.
TEST(LiveMutation, TheApplierMustAskTheWatermark) {
  LiveFaults faults;
  faults.apply.no_watermark = true;
  expect_wrong_end(faults, {.few_keys = true, .slow_pages = true});
}

// Rule 12.
TEST(LiveMutation, ASlowPageIsDropped) {
  LiveFaults faults;
  faults.copy.no_page_is_stale = true;
  expect_wrong_end(faults, {.stuck_pages = true});
}

// Rule 12.
TEST(LiveMutation, TheSpoolHasABound) {
  LiveFaults faults;
  faults.migrate.spool_unbounded = true;
  expect_wrong_end(faults, {.small_spool = true});
}

// Rule 13.
TEST(LiveMutation, CaptureComesBeforeHistory) {
  LiveFaults faults;
  faults.capture.begin_at_latest = true;
  expect_wrong_end(faults, {});
}

// Rule 14.
TEST(LiveMutation, AGapMustBeNoticed) {
  LiveFaults faults;
  faults.capture.no_gap_by_age = true;
  expect_wrong_end(faults, {.outage = true});
}

// Rule 14.
TEST(LiveMutation, AChildWaitsForItsParent) {
  LiveFaults faults;
  faults.capture.parent_not_waited_for = true;
  expect_wrong_end(faults, {.odd_streams = true});
}

// Rule 15.
TEST(LiveMutation, HealingNeedsTheBackwardPass) {
  LiveFaults faults;
  faults.migrate.no_backward_pass = true;
  expect_wrong_end(faults, {.outage = true});
}

// Rule 16.
TEST(LiveMutation, AClaimNeedsFreshPolls) {
  LiveFaults faults;
  faults.migrate.claims_unpolled = true;
  expect_wrong_end(faults, {.outage = true});
}

// Rule 20.
TEST(LiveMutation, AnotherOwnerMustBeNoticed) {
  LiveFaults faults;
  faults.copy.owner_unchecked = true;
  expect_wrong_end(faults, {.rivals = true});
}

// Rule 20.
TEST(LiveMutation, WhoeverCannotSeeTheOwnerMustNotWrite) {
  LiveFaults faults;
  faults.migrate.owner_seen_for_ever = true;
  expect_wrong_end(faults, {.rivals = true});
}

// Rule 20.
TEST(LiveMutation, AFormerOwnerIsOutwaited) {
  LiveFaults faults;
  faults.migrate.former_owner_not_outwaited = true;
  expect_wrong_end(faults, {.rivals = true});
}

}  // namespace
}  // namespace messina::simulation
