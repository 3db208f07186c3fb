// with_retries() in virtual time: how often it asks, when it gives up, and what a stop makes of it.
#include <functional>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include "jobs/retry.h"
#include "sim_loop.h"

namespace messina::simulation {
namespace {

using namespace std::chrono_literals;

class RetryCases : public testing::Test {
 protected:
  /// Each attempt takes `takes` and fails with `error`, or answers from the `answers_at`-th on.
  Task<Result<int>> attempt() {
    ++attempts;
    co_await loop.sleep_for(takes, nullptr);
    if (attempts >= answers_at) co_return attempts;
    co_return fail(error);
  }
  Result<int> ask(jobs::Patience patience) {
    std::optional<Result<int>> result;
    auto one = [this] { return attempt(); };
    asio::co_spawn(loop.executor(), jobs::with_retries<int>(loop, &stop, random, one, patience),
                   [&result](std::exception_ptr, Result<int> answer) { result = std::move(answer); });
    while (!result) {
      if (loop.run_one()) continue;
      const MonoTime next = loop.next_timer();
      if (!stop.requested() && stop_at <= next) {
        universe.advance_to(stop_at);
        stop.request();
        continue;
      }
      universe.advance_to(next);
      loop.fire_due_timers();
    }
    return *result;
  }
  Duration elapsed() const { return universe.now() - began; }

  Universe universe{1};
  SimLoop loop{universe};
  Random random{1};
  Stop stop;
  MonoTime stop_at = MonoTime::max();
  MonoTime began = universe.now();
  Error error{ErrorKind::transient, "nobody answers"};
  Duration takes = 1ms;
  int attempts = 0;
  int answers_at = 1'000'000;
};

TEST_F(RetryCases, AJobOutlastsAnOutage) {
  answers_at = 500;
  const Result<int> answer = ask(jobs::kOutlastOutages);
  ASSERT_TRUE(answer);
  EXPECT_EQ(*answer, 500);
  EXPECT_GT(elapsed(), 30min);
}

TEST_F(RetryCases, WhoeverAsksAndEndsAsksThreeTimes) {
  const Result<int> answer = ask(jobs::kAskAndEnd);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message, "nobody answers");
  EXPECT_EQ(attempts, 3);
}

TEST_F(RetryCases, WhatTimedOutOnceIsSaidAtOnce) {
  takes = 5s;
  EXPECT_FALSE(ask(jobs::kAskAndEnd));
  EXPECT_EQ(attempts, 1);
}

TEST_F(RetryCases, WhatNoRepetitionCuresIsSaidAtOnce) {
  error = {ErrorKind::denied, "no leave"};
  EXPECT_FALSE(ask(jobs::kOutlastOutages));
  EXPECT_EQ(attempts, 1);
}

TEST_F(RetryCases, AStopEndsTheWaitAndIsSaid) {
  stop_at = began + 10s;
  const Result<int> answer = ask(jobs::kOutlastOutages);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::stopped);
  EXPECT_NE(answer.error().message.find("nobody answers"), std::string::npos);
  EXPECT_GE(elapsed(), 10s);
  EXPECT_LT(elapsed(), 31s);
}

}  // namespace
}  // namespace messina::simulation
