#include "state/ledger_store.h"

#include <future>
#include <memory>
#include <mutex>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include "state/power_cut_vfs.h"
#include "state/random_commits.h"

namespace messina::state {
namespace {

using testing::Disk;

class LedgerStoreTest : public ::testing::Test {
 protected:
  LedgerStoreTest() {
    auto ledger = Ledger::open("/migration", {.vfs = disk_.vfs()});
    EXPECT_TRUE(ledger);
    store_ = std::make_unique<LedgerStore>(std::move(*ledger), clock_);
  }
  template <class Work>
  void run(Work work) {
    asio::co_spawn(loop_, std::move(work), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
    loop_.run();
  }

  Disk disk_;
  SystemClock clock_;
  asio::io_context loop_;
  std::unique_ptr<LedgerStore> store_;
};

Task<void> run_a_job(LedgerStore& store, asio::io_context& loop, int& steps) {
  Random random(1);
  const JobState job = testing::random_job(random, 10);
  auto loaded = co_await store.load();
  EXPECT_TRUE(loaded && !*loaded);
  auto begun = co_await store.begin(job);
  EXPECT_TRUE(begun);
  JobState expected = job;
  std::vector<Reject> rejects;
  for (int i = 0; i < 5; ++i) {
    const Commit commit = testing::random_commit(random, job, 100);
    auto done = co_await store.commit(commit);
    EXPECT_TRUE(done);
    EXPECT_TRUE(loop.get_executor().running_in_this_thread());
    apply(expected, rejects, commit);
    ++steps;
  }
  loaded = co_await store.load();
  EXPECT_TRUE(loaded && *loaded == expected);
}

TEST_F(LedgerStoreTest, AnswersOnTheCallersLoop) {
  int steps = 0;
  run(run_a_job(*store_, loop_, steps));
  EXPECT_EQ(steps, 5);
  const LedgerStore::Stats stats = store_->stats();
  EXPECT_EQ(stats.commits, 5u);
  EXPECT_GT(stats.commit_sum.count(), 0);
  EXPECT_GE(stats.commit_sum, stats.commit_max);
  EXPECT_GE(stats.commit_max, stats.commit_sum / 5);
  EXPECT_GT(stats.cpu.count(), 0);
}

Task<void> begin_once(LedgerStore& store, bool& done) {
  const JobState job;
  auto begun = co_await store.begin(job);
  EXPECT_TRUE(begun);
  done = true;
}

// While the disk hangs, the loop goes on: only what the loop does next lets the disk go on.
TEST_F(LedgerStoreTest, TheLoopNeverWaitsForTheDisk) {
  std::promise<void> reached, go_on;
  std::once_flag once;
  disk_.before_sync = [&] {
    std::call_once(once, [&] {
      reached.set_value();
      EXPECT_EQ(go_on.get_future().wait_for(std::chrono::seconds(60)), std::future_status::ready);
    });
  };
  bool done = false;
  asio::co_spawn(loop_, begin_once(*store_, done), asio::detached);
  loop_.poll();  // the call is made
  reached.get_future().wait();
  asio::post(loop_, [&] {
    EXPECT_FALSE(done);
    go_on.set_value();
  });
  loop_.run();
  EXPECT_TRUE(done);
  store_.reset();  // before what before_sync refers to
}

Task<void> commit_one(LedgerStore& store, const Commit& commit, std::vector<ErrorKind>& failures) {
  auto done = co_await store.commit(commit);
  if (!done) failures.push_back(done.error().kind);
}

TEST_F(LedgerStoreTest, TheQueueIsBoundedAndKeepsItsOrder) {
  bool begun = false;
  run(begin_once(*store_, begun));
  ASSERT_TRUE(begun);
  loop_.restart();

  std::promise<void> go_on, reached;
  std::once_flag once;
  disk_.before_sync = [&] {
    std::call_once(once, [&] {
      reached.set_value();
      go_on.get_future().wait();
    });
  };
  constexpr std::size_t kTooMany = 3;
  std::vector<Commit> commits(1 + LedgerStore::kMaxQueued + kTooMany);
  std::vector<ErrorKind> failures;
  for (std::size_t i = 0; i < commits.size(); ++i) {
    commits[i].heartbeat_unix_ms = static_cast<std::int64_t>(i);
    asio::co_spawn(loop_, commit_one(*store_, commits[i], failures), asio::detached);
    if (i == 0) {
      loop_.poll();
      reached.get_future().wait();  // the first is at work, the queue is empty
    }
  }
  loop_.poll();
  go_on.set_value();
  loop_.run();
  EXPECT_EQ(failures, std::vector<ErrorKind>(kTooMany, ErrorKind::busy));

  auto last = asio::co_spawn(loop_, store_->load(), asio::use_future);
  loop_.restart();
  loop_.run();
  const auto state = last.get();
  ASSERT_TRUE(state && *state);
  EXPECT_EQ((*state)->heartbeat_unix_ms, static_cast<std::int64_t>(LedgerStore::kMaxQueued));
  store_.reset();  // before what before_sync refers to
}

TEST_F(LedgerStoreTest, ErrorsArriveAsValues) {
  const Commit commit;
  std::vector<ErrorKind> failures;
  run(commit_one(*store_, commit, failures));  // nothing was begun
  EXPECT_EQ(failures, std::vector<ErrorKind>{ErrorKind::internal});
  EXPECT_EQ(store_->stats().commits, 0u);
}

TEST_F(LedgerStoreTest, DestructionFinishesWhatWasAccepted) {
  bool done = false;
  asio::co_spawn(loop_, begin_once(*store_, done), asio::detached);
  loop_.poll();
  store_.reset();
  EXPECT_FALSE(done);
  loop_.run();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace messina::state
