// Each rule of the protocol that this scope has, removed: the search must find a schedule that ends wrong,
// and prints the shortest.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "search.h"

namespace messina::model {
namespace {

/// A search that finds nothing ends here.
constexpr std::uint64_t kMostStates = 5'000'000;

void expect_wrong_end(Scope scope, const Without& without) {
  scope.name = testing::UnitTest::GetInstance()->current_test_info()->name();
  const Model model(scope, without);
  const Found found = search(model, kMostStates, true);
  EXPECT_FALSE(found.what.empty()) << found.states << " states, and nothing wrong";
  fmt::print("{}, after {} states: {}\n{}", scope.name, found.states, found.what, found.schedule);
}

TEST(ModelMutation, Rule1IsNeededByChanges) { expect_wrong_end(one_key(), {.rule1 = true}); }

TEST(ModelMutation, Rule1IsNeededByPages) {
  Scope scope = one_page();
  scope.writes = 1;
  expect_wrong_end(scope, {.rule1 = true});
}

TEST(ModelMutation, Rule1NeedsAnAnswerBeforeAnythingIsSettled) {
  expect_wrong_end(one_key(), {.rule1_settle = true});
}

TEST(ModelMutation, Rule2IsNeeded) {
  Scope scope = one_key();
  scope.lost = 0;
  expect_wrong_end(scope, {.rule2 = true});
}

TEST(ModelMutation, Rule3IsNeeded) {
  Scope scope = one_key();
  scope.lost = 0;
  scope.crashes = 1;
  expect_wrong_end(scope, {.rule3 = true});
}

TEST(ModelMutation, Rule6IsNeeded) {
  Scope scope = one_key();
  scope.images = false;
  scope.unprocessed = 1;
  expect_wrong_end(scope, {.rule6 = true});
}

TEST(ModelMutation, Rule8IsNeededByRemovals) { expect_wrong_end(one_key(), {.rule8_settle = true}); }

TEST(ModelMutation, Rule8IsNeededByRereads) {
  Scope scope = one_key();
  scope.images = false;
  expect_wrong_end(scope, {.rule8_settle = true});
}

TEST(ModelMutation, Rule8NeedsMarksThatStay) {
  Scope scope = one_key();
  scope.hints = true;
  expect_wrong_end(scope, {.rule8_sticky = true});
}

TEST(ModelMutation, Rule10IsNeeded) {
  Scope scope = one_key();
  scope.slow_puts = true;
  scope.crashes = 1;
  expect_wrong_end(scope, {.rule10_positions = true});
}

TEST(ModelMutation, Rule11IsNeeded) {
  Scope scope = one_page();
  scope.lost = 0;
  expect_wrong_end(scope, {.rule11 = true});
}

TEST(ModelMutation, Rule11NeedsPagesToBeFinishedLate) {
  Scope scope = one_page();
  scope.lost = 0;
  expect_wrong_end(scope, {.rule11_finish = true});
}

TEST(ModelMutation, Rule13NeedsShardsFromTheirBeginning) {
  Scope scope = one_page();
  scope.begun = false;
  expect_wrong_end(scope, {.rule13_latest = true});
}

TEST(ModelMutation, Rule13NeedsPositionsBeforeThePages) {
  Scope scope = one_page();
  scope.begun = false;
  expect_wrong_end(scope, {.rule13_order = true});
}

Scope trimmed() {
  Scope scope = one_key();
  scope.retention = 2;
  scope.lost = 0;
  return scope;
}

TEST(ModelMutation, Rule14NeedsAges) { expect_wrong_end(trimmed(), {.rule14_age = true}); }

TEST(ModelMutation, Rule14NeedsTheLineage) {
  Scope scope = one_key();
  scope.split = true;
  scope.lost = 0;
  expect_wrong_end(scope, {.rule14_lineage = true});
}

Scope healed() {
  Scope scope = trimmed();
  scope.writes = 1;
  scope.pages = {1, 0};
  scope.heals = 1;
  return scope;
}

TEST(ModelMutation, Rule15NeedsTheBackwardPass) { expect_wrong_end(healed(), {.rule15_backward = true}); }

Scope claimed() {
  Scope scope = one_key();
  scope.claims = true;
  return scope;
}

TEST(ModelMutation, Rule16NeedsHistory) {
  Scope scope = claimed();
  scope.pages = {1, 0};
  expect_wrong_end(scope, {.rule16_history = true});
}

TEST(ModelMutation, Rule16NeedsPolls) { expect_wrong_end(claimed(), {.rule16_polls = true}); }

TEST(ModelMutation, Rule16NeedsEntries) { expect_wrong_end(claimed(), {.rule16_entries = true}); }

TEST(ModelMutation, Rule16NeedsListings) {
  Scope scope = claimed();
  scope.split = true;
  expect_wrong_end(scope, {.rule16_listing = true});
}

TEST(ModelMutation, Rule16NeedsGaps) {
  Scope scope = claimed();
  scope.retention = 2;
  expect_wrong_end(scope, {.rule16_gap = true});
}

}  // namespace
}  // namespace messina::model
