#include "jobs/copy_start.h"

#include <gtest/gtest.h>

#include "jobs/rate_window.h"
#include "jobs/retry.h"

namespace messina::jobs {
namespace {

using namespace std::chrono_literals;

struct QuietTime : testing::Test {
  QuietTime() {
    clock.advance(1h);
    clock.set_wall(WallTime(1'800'000'000s));
    options.clock_error = 1s;
    options.dead_after = 30s;
  }
  Duration wait(std::optional<Duration> heartbeat_age) {
    std::optional<std::int64_t> heartbeat;
    if (heartbeat_age) {
      heartbeat = unix_ms(clock.wall()) -
                  std::chrono::duration_cast<std::chrono::milliseconds>(*heartbeat_age).count();
    }
    return quiet_time(options, heartbeat, clock) - clock.now();
  }
  ManualClock clock;
  CopyOptions options;
};

TEST_F(QuietTime, IsMoreThanSAfterACleanEnd) {
  EXPECT_GT(wait(std::nullopt), 1s);
  EXPECT_LT(wait(std::nullopt), 2s);
}

TEST_F(QuietTime, IsMoreThanDPlusSAfterACrash) {
  EXPECT_GT(wait(0s), 31s);
  EXPECT_LT(wait(0s), 32s);
  EXPECT_GT(wait(kHeartbeatBound + kLongestSend), 31s);
}

TEST_F(QuietTime, IsNoneWhenTheLastRequestIsOldForSure) {
  EXPECT_EQ(wait(15min), 0s);
  EXPECT_EQ(wait(24h), 0s);
}

TEST_F(QuietTime, IsWholeWhenTheWallClockMayHaveBeenSetForward) {
  EXPECT_GT(wait(kHeartbeatBound + kLongestSend + 40s), 31s);
  EXPECT_GT(wait(10min), 31s);
}

TEST_F(QuietTime, IsWholeWhenTheWallClockWentBack) { EXPECT_GT(wait(-5s), 31s); }

TEST(Retry, RepeatsWhatARepetitionMayCure) {
  Random random(1);
  Duration pause{};
  Retry retry;
  EXPECT_TRUE(retry.again({ErrorKind::throttled, "slow down"}, random, pause));
  EXPECT_TRUE(retry.again({ErrorKind::transient, "cut"}, random, pause));
  EXPECT_TRUE(retry.again({ErrorKind::busy, "updating"}, random, pause));
  EXPECT_FALSE(retry.again({ErrorKind::expired, "expired"}, random, pause));
  EXPECT_FALSE(retry.again({ErrorKind::not_found, "no such table"}, random, pause));
}

TEST(Retry, GivesUpOnAnswersThatAreNoAnswers) {
  Random random(1);
  Duration pause{};
  Retry retry;
  const Error corrupt{ErrorKind::corrupt, "no JSON"};
  for (std::uint32_t i = 1; i < kMaxCorrupt; ++i) EXPECT_TRUE(retry.again(corrupt, random, pause)) << i;
  EXPECT_FALSE(retry.again(corrupt, random, pause));
}

TEST(Retry, CountsOnlyCorruptAnswersInARow) {
  Random random(1);
  Duration pause{};
  Retry retry;
  const Error corrupt{ErrorKind::corrupt, "no JSON"};
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(retry.again(corrupt, random, pause));
    EXPECT_TRUE(retry.again({ErrorKind::transient, "cut"}, random, pause));
  }
}

TEST(RateWindow, LooksBackOneWindow) {
  RateWindow window(10s);
  state::Counts counts;
  const MonoTime start{1h};
  EXPECT_EQ(window.add(start, counts).items_per_s, 0);
  for (int second = 1; second <= 30; ++second) {
    // 100 items a second, then nothing.
    if (second <= 15) counts.read_items += 100;
    const RateWindow::Rates rates = window.add(start + std::chrono::seconds(second), counts);
    if (second <= 15) {
      EXPECT_DOUBLE_EQ(rates.items_per_s, 100) << second;
    }
    if (second == 20) {
      EXPECT_DOUBLE_EQ(rates.items_per_s, 50);
    }
    if (second >= 25) {
      EXPECT_DOUBLE_EQ(rates.items_per_s, 0) << second;
    }
  }
}

TEST(NoteLook, CountsWhenTheOwnerWasShown) {
  const MonoTime asked{1h};
  Sight sight;
  EXPECT_EQ(sight.counts_until(30s), MonoTime::max()) << "nobody looks";
  EXPECT_FALSE(note_look(true, asked, "the target", sight));
  EXPECT_EQ(sight.counts_until(30s), asked + 30s);
  const std::optional<Error> no_tags = note_look(false, asked + 1min, "the target", sight);
  ASSERT_TRUE(no_tags);
  EXPECT_EQ(no_tags->kind, ErrorKind::transient);
  EXPECT_NE(no_tags->message.find("the target shows neither of the tags messina:owner"), std::string::npos);
  const Result<bool> silence = fail(ErrorKind::throttled, "too many requests");
  EXPECT_EQ(note_look(silence, asked + 1min, "the target", sight)->message, "too many requests");
  EXPECT_EQ(sight.seen_at(), asked);
}

}  // namespace
}  // namespace messina::jobs
