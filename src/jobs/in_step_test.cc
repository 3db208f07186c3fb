#include "jobs/in_step.h"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using namespace std::chrono_literals;

constexpr MonoTime kNow{1000s};
constexpr auto kAllowed = 5s;

StepFacts in_step() {
  StepFacts facts;
  facts.history_done = facts.capturing = facts.applying = facts.closed_drained = true;
  facts.listed_at = kNow - 10s;
  facts.polled_at = kNow - 1s;
  facts.behind = 2s;
  facts.oldest_entry = 300ms;
  return facts;
}

TEST(InStep, HoldsWhenNothingStandsAgainstIt) {
  EXPECT_EQ(not_in_step_because(in_step(), kNow, kAllowed), std::vector<std::string>());
  StepFacts idle = in_step();
  idle.oldest_entry.reset();
  idle.behind = 0s;
  EXPECT_TRUE(not_in_step_because(idle, kNow, kAllowed).empty());
}

TEST(InStep, EachConditionAloneStandsAgainstIt) {
  struct Case {
    std::function<void(StepFacts&)> change;
    std::string reason;
  };
  const std::vector<Case> cases{
      {[](StepFacts& f) { f.gaps = 1; }, "changes were missed (a gap)"},
      {[](StepFacts& f) { f.gaps = 3; }, "3 gaps: changes were missed"},
      {[](StepFacts& f) { f.history_done = false; }, "history is not all copied"},
      {[](StepFacts& f) { f.backward_owed = true; }, "keys that only the target has were not looked for"},
      {[](StepFacts& f) { f.capturing = false; }, "changes are not captured"},
      {[](StepFacts& f) { f.applying = false; }, "changes are not applied"},
      {[](StepFacts& f) { f.live_rejects = 2; }, "2 items were refused by the target"},
      {[](StepFacts& f) { f.unknown_outcomes = 1; }, "a write has had no answer"},
      {[](StepFacts& f) { f.listed_at = kNow - 30s; }, "the stream's shards were not listed within 30 s"},
      {[](StepFacts& f) { f.listed_at.reset(); }, "the stream's shards were not listed within 30 s"},
      {[](StepFacts& f) { f.polled_at = kNow - 31s; }, "not every open shard has answered within 30 s"},
      {[](StepFacts& f) { f.polled_at.reset(); }, "not every open shard has answered within 30 s"},
      {[](StepFacts& f) { f.closed_drained = false; }, "a shard that is closed is not read to its end"},
      {[](StepFacts& f) { f.behind = 6s; }, "the newest records read are 6.0 s old"},
      {[](StepFacts& f) { f.oldest_entry = std::chrono::milliseconds::max(); },
       "changes of unknown age wait"},
      {[](StepFacts& f) { f.oldest_entry = 5001ms; }, "the oldest change that waits is 5.0 s old"},
  };
  for (const Case& each : cases) {
    StepFacts facts = in_step();
    each.change(facts);
    EXPECT_EQ(not_in_step_because(facts, kNow, kAllowed), std::vector<std::string>{each.reason});
  }
}

TEST(InStep, WhatIsJustYoungEnoughCounts) {
  StepFacts facts = in_step();
  facts.listed_at = facts.polled_at = kNow - 30s + 1ms;
  facts.oldest_entry = 5000ms;
  facts.behind = 5s;
  EXPECT_TRUE(not_in_step_because(facts, kNow, kAllowed).empty());
}

TEST(InStep, TellsUntilWhenAllIsThere) {
  StepFacts facts = in_step();
  const auto until = [&facts] {
    return complete_until(facts, not_in_step_because(facts, kNow, kAllowed), kNow);
  };
  EXPECT_FALSE(until()) << "no shard has told yet";
  facts.whole_until = kNow - 3s;
  EXPECT_EQ(until(), kNow - 3s);
  facts.oldest_entry = 3500ms;
  EXPECT_EQ(until(), kNow - 3500ms) << "what waits is not there";
  facts.oldest_entry.reset();
  facts.whole_until = kNow;
  EXPECT_EQ(until(), kNow - 2s) << "the applier has not looked since";
  facts.live_rejects = 1;
  EXPECT_EQ(until(), kNow - 2s) << "waiting longer would not help";
  facts.applying = false;
  EXPECT_FALSE(until());
}

TEST(EndInStep, EndsInStepWithAllThatWasWrittenUntilItFirstWas) {
  EndInStep end;
  EXPECT_FALSE(end.may_end(false, kNow, kNow));
  EXPECT_FALSE(end.may_end(true, kNow - 3s, kNow)) << "what was written 2 s ago is not there";
  EXPECT_FALSE(end.may_end(true, std::nullopt, kNow + 1s));
  // A shard closes each second: it is never in step for two looks, one behind the other.
  EXPECT_FALSE(end.may_end(false, std::nullopt, kNow + 2s));
  EXPECT_FALSE(end.may_end(true, kNow, kNow + 3s));
  EXPECT_FALSE(end.may_end(false, kNow + 1s, kNow + 4s)) << "not while it is not in step";
  EXPECT_TRUE(end.may_end(true, kNow + 2s, kNow + 5s));
}

}  // namespace
}  // namespace messina::jobs
