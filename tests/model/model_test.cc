// The exhaustive model (model.h): every schedule within each scope, and what must have happened in them.
//   model_test                              the scopes that take seconds
//   MESSINA_MODEL_BOUND=2 model_test        a wide one as well: a minute more
#include <cstdlib>
#include <initializer_list>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "search.h"

namespace messina::model {
namespace {

constexpr std::uint64_t kMostStates = 4'000'000, kMostStatesWide = 30'000'000;

bool wide() {
  const char* bound = std::getenv("MESSINA_MODEL_BOUND");
  return bound != nullptr && std::strtoul(bound, nullptr, 10) > 1;
}

void expect_no_wrong_end(Scope scope, std::initializer_list<Seen> must_happen) {
  scope.name = testing::UnitTest::GetInstance()->current_test_info()->name();
  const Model model(scope, {});
  const Found found = search(model, wide() ? kMostStatesWide : kMostStates);
  fmt::print("{}: {} states, {} transitions, {} ends\n", scope.name, found.states, found.transitions,
             found.ends);
  EXPECT_TRUE(found.what.empty()) << found.what << '\n' << found.schedule;
  EXPECT_TRUE(found.complete || !found.what.empty()) << "there are more than " << found.states << " states";
  EXPECT_GT(found.ends, 0u);
  // A search in which nothing happens would prove nothing.
  for (const Seen what : must_happen)
    EXPECT_GT(found.seen[static_cast<std::size_t>(what)], 0u)
        << "this never happened: " << static_cast<int>(what);
}

TEST(Model, TwoKeysTwoPagesAndALostWrite) {
  Scope scope;
  scope.writes = 1;
  expect_no_wrong_end(scope, {Seen::late_on_top, Seen::late_too_late, Seen::kept_out, Seen::held_by_watermark,
                              Seen::deleted, Seen::record_of_history});
}

TEST(Model, OnePageOfTwoKeys) {
  Scope scope;
  scope.begun = true;
  scope.writes = 1;
  scope.pages = {3, 0};
  scope.lost = 2;
  expect_no_wrong_end(scope, {Seen::late_on_top, Seen::late_too_late, Seen::held_by_watermark});
}

TEST(Model, TwoKeysThatAreWrittenAndAreThereAlready) {
  Scope scope;
  scope.begun = true;
  scope.pages = {0, 0};
  scope.lost = 1;
  scope.two_shards = true;
  expect_no_wrong_end(scope, {Seen::late_on_top, Seen::coalesced, Seen::left_behind, Seen::deleted});
}

TEST(Model, OnePageChangesAndACrash) {
  Scope scope = one_page();
  scope.crashes = 1;
  expect_no_wrong_end(scope, {Seen::late_on_top, Seen::late_too_late, Seen::coalesced, Seen::left_behind,
                              Seen::crash_page_asked, Seen::crash_page_on_wire, Seen::crash_page_unknown,
                              Seen::crash_page_acked, Seen::crash_on_wire, Seen::crash_unknown,
                              Seen::crash_answered, Seen::held_by_watermark});
}

TEST(Model, TheFirstPageAndACrash) {
  Scope scope = one_page();
  scope.begun = false;
  scope.lost = 0;
  scope.crashes = 1;
  expect_no_wrong_end(scope, {Seen::crash_before_start, Seen::crash_page_asked, Seen::record_of_history});
}

TEST(Model, AHotKeyAndManyLostWrites) {
  Scope scope = one_key();
  scope.writes = 3;
  scope.lost = 2;
  scope.throttles = 1;
  expect_no_wrong_end(scope, {Seen::late_on_top, Seen::coalesced, Seen::left_behind});
}

TEST(Model, SettledEntriesThatACrashBringsBack) {
  Scope scope = one_key();
  scope.crashes = 2;
  scope.lazy_settle = true;
  expect_no_wrong_end(scope, {Seen::came_back, Seen::crash_answered, Seen::crash_unknown});
}

TEST(Model, MarksAreReadAgain) {
  Scope scope = one_key();
  scope.images = false;
  scope.crashes = 1;
  scope.lazy_settle = true;
  scope.unprocessed = 1;
  expect_no_wrong_end(scope, {Seen::coalesced_reread, Seen::left_behind, Seen::read_absent,
                              Seen::crash_reading, Seen::crash_on_wire, Seen::late_on_top});
}

TEST(Model, MarksAndImagesOfOneKey) {
  Scope scope = one_key();
  scope.hints = scope.slow_puts = true;
  scope.writes = 3;
  scope.lost = 0;
  expect_no_wrong_end(scope, {Seen::coalesced, Seen::coalesced_reread, Seen::left_behind});
}

TEST(Model, MarksBesideAPage) {
  Scope scope = one_page();
  scope.images = false;
  expect_no_wrong_end(scope, {Seen::coalesced_reread, Seen::held_by_watermark, Seen::late_on_top});
}

TEST(Model, AShardThatCloses) {
  Scope scope = one_key();
  scope.lost = 0;
  scope.crashes = 1;
  scope.split = scope.slow_puts = scope.short_polls = true;
  expect_no_wrong_end(scope,
                      {Seen::child_waited, Seen::crash_pending_put, Seen::coalesced, Seen::left_behind});
}

TEST(Model, AShardThatClosesAtTheStart) {
  Scope scope = one_page();
  scope.begun = false;
  scope.lost = 0;
  scope.split = true;
  expect_no_wrong_end(scope, {Seen::record_of_history, Seen::child_waited, Seen::held_by_watermark});
}

TEST(Model, ATrimmedRecordIsAGapAndIsHealed) {
  Scope scope = one_page();
  scope.lost = 0;
  scope.writes = 1;
  scope.retention = 2;
  scope.heals = 1;
  expect_no_wrong_end(scope, {Seen::gap, Seen::backward_mark, Seen::read_absent});
}

TEST(Model, AGapAndACrash) {
  Scope scope = one_key();
  scope.lost = 0;
  scope.retention = 2;
  scope.crashes = 1;
  scope.slow_puts = scope.split = true;
  expect_no_wrong_end(scope, {Seen::gap, Seen::crash_pending_put, Seen::coalesced});
}

TEST(Model, ClaimsBesideAPage) {
  Scope scope = one_page();
  scope.claims = true;
  scope.writes = 1;
  expect_no_wrong_end(scope, {Seen::false_alarm, Seen::in_step});
}

TEST(Model, ClaimsWhileAShardCloses) {
  Scope scope = one_key();
  scope.claims = scope.split = true;
  scope.lost = 0;
  expect_no_wrong_end(scope, {Seen::false_alarm, Seen::in_step, Seen::child_waited});
}

TEST(Model, ClaimsAndAGap) {
  Scope scope = one_key();
  scope.claims = true;
  scope.retention = 2;
  scope.writes = 1;
  scope.lost = 0;
  expect_no_wrong_end(scope, {Seen::false_alarm, Seen::in_step, Seen::gap});
}

// ------------------------------------------------------------------------------------------ wide

TEST(WideModel, TwoPagesChangesOfOneKeyAndALostWrite) {
  if (!wide()) GTEST_SKIP() << "MESSINA_MODEL_BOUND is not 2";
  Scope scope = one_key();
  scope.pages = {1, 2};
  expect_no_wrong_end(scope, {Seen::late_on_top, Seen::held_by_watermark, Seen::left_behind});
}

}  // namespace
}  // namespace messina::model
