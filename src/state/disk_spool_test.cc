#include "state/disk_spool.h"

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include "state/spool_test_support.h"

namespace messina::state {
namespace {

using testing::image;
using testing::kStream;
using testing::reread;

class DiskSpoolTest : public ::testing::Test {
 protected:
  DiskSpoolTest() { open(); }
  void open(SpoolOptions options = {}) {
    store_.reset();
    options.memory = std::make_shared<SpoolMemory>(16u << 20);
    Random random(1);
    auto spool = Spool::open(temp_.path() / "spool", options, clock_, random);
    ASSERT_TRUE(spool) << spool.error().message;
    store_ = std::make_unique<DiskSpool>(std::move(*spool), clock_);
  }
  /// Runs one call to its end.
  template <class T>
  Result<T> run(Task<Result<T>> task) {
    auto result = asio::co_spawn(loop_, std::move(task), asio::use_future);
    loop_.restart();
    loop_.run();
    return result.get();
  }
  SpoolBatch batch(std::vector<SpoolPut> puts) const {
    SpoolBatch made;
    made.domain = kStream;
    made.captured = clock_.now();
    made.puts = std::move(puts);
    return made;
  }
  std::vector<SpoolEntry> take_all() {
    const TakeRequest request{.restart = true, .max_entries = 10'000};
    auto taken = run(store_->take(request));
    EXPECT_TRUE(taken) << taken.error().message;
    return taken ? std::move(taken->entries) : std::vector<SpoolEntry>();
  }

  testing::TempFolder temp_;
  SystemClock clock_;
  asio::io_context loop_;
  std::unique_ptr<DiskSpool> store_;
};

TEST_F(DiskSpoolTest, AJobsLife) {
  const std::string domain = kStream;
  ASSERT_TRUE(run(store_->begin_domain(domain)));
  EXPECT_EQ(run(store_->domain()).value(), kStream);
  const SpoolBatch first = batch({image("a", 1, "one"), reread("b")});
  const auto put = run(store_->put(first));
  ASSERT_TRUE(put);
  EXPECT_EQ(put->last, put->first + 1);
  auto entries = take_all();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].captured, first.captured);
  const std::vector<Settled> written{{"a", entries[0].generation}};
  ASSERT_TRUE(run(store_->settle(written)));
  store_->release(std::vector<std::string>{"b"});
  ASSERT_TRUE(run(store_->declare_gap()));
  entries = take_all();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].key, "b");
  const auto figures = run(store_->figures());
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->keys_at_most, 1u);
  EXPECT_GT(figures->disk_bytes, 0u);
  EXPECT_GT(figures->disk_free_bytes, 0u);
  EXPECT_EQ(run(store_->reduce_to(1ull << 40))->keys, 0u);
  EXPECT_EQ(run(store_->reduce_to(1))->keys, 0u);  // it is a mark already
  ASSERT_TRUE(run(store_->put(first)));
  EXPECT_EQ(run(store_->reduce_to(1))->keys, 1u);
}

TEST_F(DiskSpoolTest, AVerificationsTouches) {
  EXPECT_EQ(run(store_->keeps_touches()).value(), false);
  ASSERT_TRUE(run(store_->keep_touches()));
  EXPECT_EQ(run(store_->keeps_touches()).value(), true);
  const SpoolBatch first = batch({reread("a"), reread("b"), reread("c")});
  const auto put = run(store_->put(first));
  ASSERT_TRUE(put);
  const std::string after = "a";
  const std::vector<Touch> page{{"b", put->first + 1}};
  EXPECT_EQ(run(store_->touches(after, 1)).value(), page);
  const std::vector<std::string> keys{"c", "never put", "b"};
  const std::vector<KeyStand> stands{{true, put->last}, {}, {true, put->first + 1}};
  EXPECT_EQ(run(store_->look_up(keys)).value(), stands);
  ASSERT_TRUE(run(store_->forget_touches(page)));
  const std::string from_the_first;
  const std::vector<Touch> left{{"a", put->first}, {"c", put->last}};
  EXPECT_EQ(run(store_->touches(from_the_first, 10)).value(), left);
  ASSERT_TRUE(run(store_->drop_touches()));
  EXPECT_EQ(run(store_->keeps_touches()).value(), false);
  EXPECT_EQ(run(store_->touches(from_the_first, 10)).value(), std::vector<Touch>());
}

TEST_F(DiskSpoolTest, ErrorsArriveAsValues) {
  SpoolBatch huge = batch({image("a", 1, std::string(kMaxSpoolImageBytes + 1, 'x'))});
  EXPECT_EQ(run(store_->put(huge)).error().kind, ErrorKind::refused);
  huge = batch({reread(std::string(kMaxSpoolKeyBytes + 1, 'x'))});
  EXPECT_EQ(run(store_->put(huge)).error().kind, ErrorKind::refused);
  huge = batch({reread("")});
  EXPECT_EQ(run(store_->put(huge)).error().kind, ErrorKind::internal);
  SpoolOptions full;
  full.free_bytes = [](const std::filesystem::path&) { return Result<std::uint64_t>(0u); };
  open(full);
  const SpoolBatch small = batch({reread("a")});
  const auto refused = run(store_->put(small));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(is_spool_full(refused.error()));
}

Task<void> put_one(DiskSpool& store, const SpoolBatch& batch, std::vector<Generation>& answered) {
  auto put = co_await store.put(batch);
  EXPECT_TRUE(put) << put.error().message;
  if (put) answered.push_back(put->first);
}

TEST_F(DiskSpoolTest, WhatSeveralShardsPutMeanwhileIsOneGroup) {
  constexpr std::size_t kShards = 300;
  std::vector<SpoolBatch> batches(kShards);
  std::vector<Generation> answered;
  for (std::size_t i = 0; i < kShards; ++i) {
    batches[i] = batch({image("key-" + std::to_string(i), i, "x")});
    batches[i].positions.push_back({"shard-" + std::to_string(i), "1", 0, ShardState::reading, 0});
    asio::co_spawn(loop_, put_one(*store_, batches[i], answered), asio::detached);
  }
  loop_.run();
  ASSERT_EQ(answered.size(), kShards);
  for (std::size_t i = 1; i < kShards; ++i) EXPECT_EQ(answered[i], answered[i - 1] + 1);
  EXPECT_EQ(store_->stats().calls, kShards);
  EXPECT_LT(store_->stats().groups, kShards / 2);
  EXPECT_GT(store_->stats().cpu.count(), 0);
  EXPECT_EQ(run(store_->positions())->size(), kShards);
  EXPECT_EQ(take_all().size(), kShards);
}

TEST_F(DiskSpoolTest, TheQueueIsBounded) {
  // The writing thread asks how much room there is, and is kept waiting for the answer.
  std::promise<void> reached, go_on;
  std::once_flag once;
  SpoolOptions options;
  options.free_bytes = [&](const std::filesystem::path&) {
    std::call_once(once, [&] {
      reached.set_value();
      go_on.get_future().wait();
    });
    return Result<std::uint64_t>(1u << 30);
  };
  open(options);
  std::vector<ErrorKind> failures;
  const SpoolBatch one = batch({reread("a")});
  const auto put = [](DiskSpool& store, const SpoolBatch& what,
                      std::vector<ErrorKind>& failed) -> Task<void> {
    auto done = co_await store.put(what);
    if (!done) failed.push_back(done.error().kind);
  };
  constexpr std::size_t kTooMany = 3;
  for (std::size_t i = 0; i < 1 + DiskSpool::kMaxQueued + kTooMany; ++i) {
    asio::co_spawn(loop_, put(*store_, one, failures), asio::detached);
    if (i > 0) continue;
    loop_.poll();
    reached.get_future().wait();  // the first is at work, the queue is empty
  }
  loop_.poll();
  go_on.set_value();
  loop_.run();
  EXPECT_EQ(failures, std::vector<ErrorKind>(kTooMany, ErrorKind::busy));
  EXPECT_EQ(store_->stats().calls, 1 + DiskSpool::kMaxQueued);
}

TEST_F(DiskSpoolTest, DestructionFinishesWhatWasAccepted) {
  std::vector<Generation> answered;
  const SpoolBatch one = batch({reread("a")});
  asio::co_spawn(loop_, put_one(*store_, one, answered), asio::detached);
  loop_.poll();
  store_.reset();
  EXPECT_TRUE(answered.empty());
  loop_.run();
  EXPECT_EQ(answered.size(), 1u);
  open();
  EXPECT_EQ(take_all().size(), 1u);
}

// The applier and capture at once: whatever the order, nothing that was put is lost.
TEST_F(DiskSpoolTest, PutsAndSettlesSideBySideLoseNothing) {
  const std::string domain = kStream;
  ASSERT_TRUE(run(store_->begin_domain(domain)));
  constexpr std::uint64_t kPuts = 3000;
  struct Run {
    bool ended = false;
    std::map<std::string, std::string> target, newest;
  } state;
  const auto capture = [](DiskSpool& store, const Clock& clock, Run& run) -> Task<void> {
    Random random(5);
    for (std::uint64_t i = 0; i < kPuts; i += 10) {
      SpoolBatch made;
      made.domain = kStream;
      made.captured = clock.now();
      for (std::uint64_t n = i; n < i + 10; ++n) {
        const std::string key = "key-" + std::to_string(random.below(40));
        run.newest[key] = std::to_string(n);
        made.puts.push_back(image(key, n, std::to_string(n)));
      }
      auto put = co_await store.put(made);
      EXPECT_TRUE(put);
    }
    run.ended = true;
  };
  const auto apply = [](DiskSpool& store, Run& run) -> Task<void> {
    for (;;) {
      const bool last = run.ended;
      const TakeRequest request{.restart = true, .max_entries = 7};
      auto taken = co_await store.take(request);
      EXPECT_TRUE(taken);
      if (!taken || (taken->entries.empty() && last)) break;
      std::vector<Settled> written;
      for (const SpoolEntry& entry : taken->entries) {
        run.target[entry.key] = entry.image;
        written.push_back({entry.key, entry.generation});
      }
      auto settled = co_await store.settle(written);
      EXPECT_TRUE(settled);
    }
  };
  asio::co_spawn(loop_, capture(*store_, clock_, state), asio::detached);
  asio::co_spawn(loop_, apply(*store_, state), asio::detached);
  loop_.restart();
  loop_.run();
  EXPECT_EQ(state.target, state.newest);
  EXPECT_TRUE(take_all().empty());
}

}  // namespace
}  // namespace messina::state
