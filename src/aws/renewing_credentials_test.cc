#include "aws/renewing_credentials.h"

#include <deque>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "base/log.h"
#include "net/event_loop.h"

namespace messina::aws {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Pointer = std::shared_ptr<const Credentials>;

/// A loop whose time the test sets, and which runs only when the test lets it.
class ManualLoop final : public Loop {
 public:
  asio::any_io_executor executor() override { return context_.get_executor(); }
  MonoTime now() const override { return clock_.now(); }
  WallTime wall() const override { return clock_.wall(); }
  Task<void> sleep_until(MonoTime, Stop*) override { co_return; }
  void advance(Duration by) { clock_.advance(by); }
  void run() {
    context_.restart();
    context_.run();
  }

 private:
  ManualClock clock_;
  asio::io_context context_{1};
};

struct Scene {
  Scene() {
    loop.advance(std::chrono::hours(500'000));  // a wall clock of this century
    provider = RenewingCredentials::make(loop, "profile \"p\"", [this] { return fetch(this); }, Random(1));
  }

  void gives(std::string key, Duration life) {
    Issued issued;
    issued.credentials = {std::move(key), Secret("s"), Secret("t"), loop.wall() + life};
    answers.push_back(std::move(issued));
  }
  void fails(ErrorKind kind, std::string message = "no") {
    answers.push_back(fail(kind, std::move(message)));
  }

  static Task<Result<Issued>> fetch(Scene* self) {
    ++self->fetches;
    if (self->answers.empty()) co_return fail(ErrorKind::internal, "nothing more was expected");
    Result<Issued> answer = std::move(self->answers.front());
    self->answers.pop_front();
    co_return answer;
  }
  static Task<void> keep(Scene* self, std::optional<Result<Pointer>>* to) {
    Result<Pointer> got = co_await self->provider->get();
    to->emplace(std::move(got));
  }
  Result<Pointer> get() {
    std::optional<Result<Pointer>> got;
    asio::co_spawn(loop.executor(), keep(this, &got), asio::detached);
    loop.run();
    return got.value();
  }
  /// The key that a request would take without waiting; "" if it has to wait.
  std::string at_hand() {
    const auto credentials = provider->at_hand();
    return credentials ? credentials->access_key : "";
  }
  std::string got() {
    const auto result = get();
    return result ? (*result)->access_key : result.error().message;
  }

  ManualLoop loop;
  std::deque<Result<Issued>> answers;
  int fetches = 0;
  std::shared_ptr<RenewingCredentials> provider;
};

TEST(RenewingCredentials, TheOldOnesServeWhileNewOnesAreFetched) {
  Scene scene;
  scene.gives("ONE", minutes(60));
  EXPECT_EQ(scene.at_hand(), "");
  EXPECT_EQ(scene.got(), "ONE");
  scene.loop.advance(minutes(44));
  EXPECT_EQ(scene.at_hand(), "ONE");
  scene.loop.run();
  EXPECT_EQ(scene.fetches, 1);

  scene.gives("TWO", minutes(60));
  scene.loop.advance(minutes(1));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(scene.at_hand(), "ONE") << "nobody waits";
  scene.loop.run();
  EXPECT_EQ(scene.fetches, 2) << "one fetch for all of them";
  EXPECT_EQ(scene.at_hand(), "TWO");
}

TEST(RenewingCredentials, InTheLastMinutesRequestsWait) {
  Scene scene;
  scene.gives("ONE", minutes(60));
  scene.got();
  scene.loop.advance(minutes(51));
  EXPECT_EQ(scene.at_hand(), "");
  scene.gives("TWO", minutes(60));
  EXPECT_EQ(scene.got(), "TWO");
  EXPECT_EQ(scene.fetches, 2);
}

TEST(RenewingCredentials, AFailedRenewalIsTriedAgainAndTheOldOnesServeToTheirEnd) {
  Scene scene;
  scene.gives("ONE", minutes(60));
  scene.got();
  scene.loop.advance(minutes(50));
  scene.fails(ErrorKind::transient, "STS is out");
  EXPECT_EQ(scene.got(), "ONE");
  EXPECT_EQ(scene.at_hand(), "ONE") << "no second attempt at once";
  EXPECT_EQ(scene.fetches, 2);
  scene.loop.advance(seconds(21));  // more than the longest pause
  scene.fails(ErrorKind::transient, "STS is out");
  EXPECT_EQ(scene.at_hand(), "");
  EXPECT_EQ(scene.got(), "ONE");
  scene.loop.advance(minutes(10));
  scene.fails(ErrorKind::transient, "STS is out");
  EXPECT_EQ(scene.got(), "STS is out") << "they have ended";
  scene.loop.advance(seconds(21));
  scene.gives("TWO", minutes(60));
  EXPECT_EQ(scene.got(), "TWO");
}

TEST(RenewingCredentials, WhatFailsIsNoVerdictAboutTheRequest) {
  for (const auto& [from, to] : {std::pair(ErrorKind::throttled, ErrorKind::transient),
                                 {ErrorKind::corrupt, ErrorKind::transient},
                                 {ErrorKind::refused, ErrorKind::config},
                                 {ErrorKind::too_large, ErrorKind::config},
                                 {ErrorKind::not_found, ErrorKind::config},
                                 {ErrorKind::denied, ErrorKind::denied},
                                 {ErrorKind::expired, ErrorKind::expired}}) {
    Scene scene;
    scene.fails(from);
    EXPECT_EQ(scene.get().error().kind, to) << to_string(from);
  }
}

TEST(RenewingCredentials, WhatAServerCallsExpiredIsRenewedOnce) {
  Scene scene;
  scene.gives("ONE", minutes(60));
  const auto one = scene.get().value();
  scene.loop.advance(minutes(5));
  EXPECT_TRUE(scene.provider->refused(one));
  EXPECT_TRUE(scene.provider->refused(one)) << "other requests come back with the same answer";
  EXPECT_EQ(scene.at_hand(), "");
  scene.gives("TWO", minutes(60));
  const auto two = scene.get().value();
  EXPECT_EQ(two->access_key, "TWO");
  EXPECT_TRUE(scene.provider->refused(one)) << "a late answer to the first ones";
  EXPECT_EQ(scene.at_hand(), "TWO");
  EXPECT_FALSE(scene.provider->refused(two)) << "new, and refused again: something else is wrong";
  scene.loop.advance(minutes(2));
  EXPECT_TRUE(scene.provider->refused(two));
}

TEST(RenewingCredentials, TheServersClockTellsTheirEnd) {
  Scene scene;
  Issued issued;
  // This machine is 20 minutes ahead: by its clock they have ended.
  issued.server_time = scene.loop.wall() - minutes(20);
  issued.credentials = {"ONE", Secret("s"), Secret("t"), *issued.server_time + minutes(16)};
  scene.answers.push_back(issued);
  EXPECT_EQ(scene.got(), "ONE");
  EXPECT_EQ(scene.at_hand(), "ONE");
  scene.loop.advance(minutes(14));
  EXPECT_EQ(scene.at_hand(), "");
}

TEST(RenewingCredentials, OnesThatHaveEndedAreRefused) {
  Scene scene;
  scene.gives("OLD", minutes(-1));
  const auto got = scene.get();
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().kind, ErrorKind::expired);
  EXPECT_NE(got.error().message.find("profile \"p\": the credentials that it gave had expired at "),
            std::string::npos);
}

TEST(RenewingCredentials, OnesWithoutAnEndAreFetchedOnce) {
  Scene scene;
  Issued issued;
  issued.credentials = {"LASTING", Secret("s")};
  scene.answers.push_back(issued);
  EXPECT_EQ(scene.got(), "LASTING");
  scene.loop.advance(std::chrono::hours(10'000));
  EXPECT_EQ(scene.at_hand(), "LASTING");
  EXPECT_EQ(scene.fetches, 1);
}

// -------------------------------------------------------------------------------------------- on real loops

struct Counter {
  std::atomic<int> fetches = 0;
  std::atomic<int> at_once = 0;
  std::atomic<bool> overlap = false;
};

Task<Result<Issued>> slow_fetch(net::EventLoop* home, Counter* counter) {
  if (++counter->at_once > 1) counter->overlap = true;
  co_await home->sleep_for(std::chrono::milliseconds(20), nullptr);
  --counter->at_once;
  const int number = ++counter->fetches;
  Issued issued;
  issued.credentials = {std::to_string(number), Secret("s"), Secret("t"), home->wall() + minutes(60)};
  co_return issued;
}

/// Takes credentials again and again, and says that they are expired now and then.
Task<bool> use(std::shared_ptr<RenewingCredentials> provider, int seed) {
  Random random(seed);
  for (int i = 0; i < 300; ++i) {
    Pointer credentials = provider->at_hand();
    if (!credentials) {
      Result<Pointer> got = co_await provider->get();
      if (!got) co_return false;
      credentials = *got;
    }
    if (credentials->access_key.empty()) co_return false;
    if (random.below(100) == 0) provider->refused(credentials);
  }
  co_return true;
}

TEST(RenewingCredentials, AllLoopsWaitForOneFetch) {
  net::EventLoop home("home"), other("other"), third("third");
  Counter counter;
  const auto provider =
      RenewingCredentials::make(home, "test", [&] { return slow_fetch(&home, &counter); }, Random(1));
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  int seed = 0;
  for (net::EventLoop* loop : {&home, &other, &third, &home, &other, &third})
    threads.emplace_back([&good, loop, provider, number = ++seed] {
      if (net::run_on(*loop, use(provider, number))) ++good;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 6);
  EXPECT_FALSE(counter.overlap);
  EXPECT_LE(counter.fetches, 2) << "what is new is not renewed at once";
}

}  // namespace
}  // namespace messina::aws
