#include "state/spool_desk.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace messina::state {
namespace {

const TakeRequest kAll;
const Incarnation kProcess{1, MonoTime()};

std::vector<std::string> keys_of(const SpoolDesk::Candidates& candidates) {
  std::vector<std::string> keys;
  for (const SpoolDesk::Candidate& each : candidates.found) keys.push_back(each.key);
  return keys;
}

// A put that was announced before the key was held is not noted with the hold, so the entry may be read only
// when it is written.
TEST(SpoolDesk, AHoldWaitsForWhatIsBeingWritten) {
  SpoolDesk desk;
  desk.remember({0, 1}, {"a", {}, 0}, 0);
  const std::vector<SpoolPut> puts{{"a", ChangeKind::reread, {}, {}, 0}};
  desk.putting(puts, 2);
  std::atomic<bool> written = false, seen_written = false;
  std::thread reader([&] {
    desk.hold_next(10, kAll, kProcess);
    seen_written = written.load();
  });
  while (!desk.find_hold("a")) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // time to do it wrong
  written = true;
  desk.put();
  reader.join();
  EXPECT_TRUE(seen_written);
  EXPECT_EQ(desk.find_hold("a")->newest_put, 0u);
  desk.putting(puts, 3);
  EXPECT_EQ(desk.find_hold("a")->newest_put, 3u);
}

TEST(SpoolDesk, AHoldDoesNotWaitForOtherKeys) {
  SpoolDesk desk;
  desk.remember({0, 1}, {"a", {}, 0}, 0);
  const std::vector<SpoolPut> puts{{"b", ChangeKind::reread, {}, {}, 0}};
  desk.putting(puts, 2);
  EXPECT_EQ(keys_of(desk.hold_next(10, kAll, kProcess)), std::vector<std::string>{"a"});
}

// Keys that change all the time are always held: their records of long ago must not make what waits look old.
TEST(SpoolDesk, EarlierRecordsOfAHeldKeyLeadNowhere) {
  SpoolDesk desk;
  desk.remember({0, 5}, {"hot", {}, 300}, 0);
  EXPECT_EQ(keys_of(desk.hold_next(10, kAll, kProcess)), std::vector<std::string>{"hot"});
  desk.remember({0, 2}, {"hot", {}, 100}, 0);
  desk.remember({0, 7}, {"hot", {}, 400}, 0);
  EXPECT_EQ(desk.oldest_change(), 300);
  desk.restart_pass();
  EXPECT_TRUE(desk.hold_next(10, kAll, kProcess).found.empty());
  EXPECT_EQ(desk.take_dead(), (std::vector<Place>{{0, 2}}));
  EXPECT_EQ(desk.oldest_change(), 300);
  desk.settled(std::vector<SpoolDesk::Gone>{{"hot", {0, 5}}});
  EXPECT_EQ(desk.oldest_change(), 400);
}

TEST(SpoolDesk, ARecordBehindAnotherOfItsKeyIsLookedAtAfterThat) {
  SpoolDesk desk;
  desk.remember({0, 1}, {"a", {}, 0}, 0);
  desk.remember({0, 2}, {"b", {}, 0}, 0);
  desk.remember({0, 3}, {"a", {}, 0}, 0);
  auto candidates = desk.hold_next(10, kAll, kProcess);
  EXPECT_EQ(keys_of(candidates), (std::vector<std::string>{"a", "b"}));
  desk.dead(candidates.found[0]);
  desk.passed({0, 2});
  candidates = desk.hold_next(10, kAll, kProcess);
  EXPECT_EQ(keys_of(candidates), std::vector<std::string>{"a"});
  EXPECT_EQ(candidates.found[0].place, (Place{0, 3}));
  EXPECT_EQ(desk.take_dead(), (std::vector<Place>{{0, 1}}));
}

TEST(SpoolDesk, WhatItRemembersIsBounded) {
  SpoolDesk desk;
  for (Generation i = 1; desk.has_room(); ++i) {
    ASSERT_LE(i, SpoolDesk::kMaxRecords);
    desk.remember({0, i}, {"key", {}, 0}, 0);
  }
  desk.settled(std::vector<SpoolDesk::Gone>{{"key", {0, 1}}});
  EXPECT_TRUE(desk.has_room());
  SpoolDesk large;
  for (Generation i = 1; large.has_room(); ++i) {
    ASSERT_LE(i, SpoolDesk::kMaxBytes / 30'000 + 1);
    large.remember({0, i}, {std::string(30'000, 'k'), {}, 0}, 0);
  }
  large.read_again_from(5);
  EXPECT_TRUE(large.has_room());
  EXPECT_EQ(large.read_up_to().place, (Place{5, 0}));
  large.remember({0, 1}, {"read before that", {}, 0}, 0);
  EXPECT_TRUE(large.hold_next(10, kAll, kProcess).found.empty());
}

TEST(QueuedKeys, MayForgetButNeverInvents) {
  QueuedKeys keys;
  EXPECT_FALSE(keys.knew("a"));
  EXPECT_TRUE(keys.knew("a"));
  keys.forget("a");
  EXPECT_FALSE(keys.knew("a"));
  for (int i = 0; i < 200'000; ++i) EXPECT_FALSE(keys.knew("key-" + std::to_string(i)));
  keys.forget_all();
  EXPECT_FALSE(keys.knew("key-199999"));
}

}  // namespace
}  // namespace messina::state
