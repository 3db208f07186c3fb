// Power cuts and full disks under the spool.
#include <gtest/gtest.h>

#include "state/power_cut_env.h"
#include "state/spool_model.h"
#include "state/spool_test_support.h"

namespace messina::state {
namespace {

using testing::Files;
using testing::image;
using testing::kStream;
using testing::on;
using testing::Power;
using testing::SpoolOnDisk;

SpoolBatch batch_of(Random& random, std::uint64_t step) {
  SpoolBatch batch;
  batch.domain = kStream;
  for (std::uint64_t n = 1 + random.below(20); n > 0; --n) {
    const std::string key = "key-" + std::to_string(random.below(150));
    batch.puts.push_back(random.chance(0.2) ? testing::reread(key)
                                            : image(key, step, std::string(random.below(4000), 'x')));
  }
  batch.positions.push_back({"shard", std::to_string(step), 0, ShardState::reading, 0});
  return batch;
}

struct Contents {
  std::vector<SpoolEntry> entries;
  std::vector<Touch> touches;
  bool same(const Contents& other) const {
    return testing::same(entries, other.entries) && touches == other.touches;
  }
  std::string describe() const {
    return testing::describe(entries) + "touches:\n" + testing::describe(touches);
  }
};
Contents contents(SpoolModel model) {
  Contents all{model.take({.restart = true, .max_entries = 10'000}).entries, model.touches("", 10'000)};
  for (SpoolEntry& entry : all.entries) entry.captured = {};
  return all;
}

TEST(SpoolPower, ACutLeavesADurablePrefix) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto power = std::make_shared<Power>();
    const auto env = rocksdb::NewCompositeEnv(std::make_shared<Files>(power));
    SpoolOnDisk disk(on(*env));
    SpoolModel model("model");
    model.open({});
    ASSERT_TRUE(disk.begin_domain(kStream));
    model.begin_domain(kStream);
    ASSERT_TRUE(disk.keep_touches());
    model.keep_touches();

    // The contents that a cut may leave: as of the last synced answer, and after each step since.
    std::vector<Contents> possible{contents(model)};
    power->operations_left = static_cast<std::int64_t>(random.below(600));
    for (std::uint64_t step = 1;; ++step) {
      const SpoolBatch batch = batch_of(random, step);
      ASSERT_TRUE(model.put(batch));
      possible.push_back(contents(model));
      if (!disk.put(batch)) break;
      possible = {possible.back()};
      const TakeRequest request{.restart = true, .max_entries = 1 + random.below(15)};
      const Taken expected = model.take(request);
      auto taken = disk.spool->take(request);
      if (!taken) break;
      std::vector<Settled> written;
      for (const SpoolEntry& entry : taken->entries) written.push_back({entry.key, entry.generation});
      model.settle(written, {});
      possible.push_back(contents(model));
      if (!disk.settle(written)) break;
      const std::vector<Touch> judged = model.touches("", random.below(10));
      model.forget_touches(judged);
      possible.push_back(contents(model));
      if (!disk.forget_touches(judged)) break;
    }
    disk.spool.reset();
    power->cut(random);
    disk.open();
    EXPECT_TRUE(disk.spool->keeps_touches());
    Contents found{disk.look(), disk.touches()};
    for (SpoolEntry& entry : found.entries) entry.captured = {};
    const bool known =
        std::ranges::any_of(possible, [&found](const Contents& one) { return one.same(found); });
    ASSERT_TRUE(known) << "found:\n" << found.describe() << "last:\n" << possible[0].describe();
    ASSERT_TRUE(disk.put({testing::reread("fresh")}));
  }
}

/// keep_touches() or drop_touches() on a disk that fails after `operations` ones, and then does again.
struct FailedTouches {
  explicit FailedTouches(bool keep, bool kept_before, std::int64_t operations) {
    EXPECT_TRUE(!kept_before || disk.keep_touches());
    EXPECT_TRUE(disk.put({testing::reread("before")}));
    power->operations_left = operations;
    failed = !(keep ? disk.keep_touches() : disk.drop_touches());
    power->operations_left = std::numeric_limits<std::int64_t>::max();
  }
  std::shared_ptr<Power> power = std::make_shared<Power>();
  std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(std::make_shared<Files>(power));
  SpoolOnDisk disk{on(*env)};
  bool failed = false;
};

// A failed call may have left its step on the disk, to be found when it is opened anew. Touches are then said
// to be kept only if all are.
TEST(SpoolPower, AFailureToKeepOrDropTouchesLosesNone) {
  std::uint64_t failed = 0, found_all_the_same = 0;
  for (std::int64_t operations = 0; operations < 6; ++operations) {
    for (const bool keep : {true, false}) {
      for (const bool kept_before : {true, false}) {
        SCOPED_TRACE("operation " + std::to_string(operations) + (keep ? ", keep" : ", drop") +
                     (kept_before ? ", kept before" : ""));
        const std::vector<Touch> none;
        FailedTouches goes_on(keep, kept_before, operations);
        const bool kept = keep && !goes_on.failed;
        EXPECT_EQ(goes_on.disk.spool->keeps_touches(), kept);
        EXPECT_EQ(goes_on.disk.touches(), none);
        ASSERT_TRUE(goes_on.disk.put({testing::reread("after")}));
        goes_on.disk.open();
        EXPECT_EQ(goes_on.disk.spool->keeps_touches(), kept);
        EXPECT_EQ(goes_on.disk.touches().size(), kept ? 1u : 0u);
        if (!goes_on.failed) continue;
        ++failed;

        FailedTouches dies(keep, kept_before, operations);
        dies.disk.open();
        const bool as_before = dies.disk.spool->keeps_touches() == kept_before &&
                               dies.disk.touches().size() == (kept_before ? 1u : 0u);
        const bool as_after = dies.disk.spool->keeps_touches() == keep && dies.disk.touches() == none;
        EXPECT_TRUE(as_before || as_after);
        found_all_the_same += as_before ? 0 : 1;
      }
    }
  }
  EXPECT_GT(failed, 0u);
  EXPECT_GT(found_all_the_same, 0u);
}

TEST(SpoolPower, APutThatFailedIsNoTouch) {
  const auto power = std::make_shared<Power>();
  const auto env = rocksdb::NewCompositeEnv(std::make_shared<Files>(power));
  SpoolOnDisk disk(on(*env));
  ASSERT_TRUE(disk.keep_touches());
  ASSERT_TRUE(disk.put({testing::reread("a")}));
  const std::vector<Touch> before = disk.touches();
  ASSERT_EQ(before.size(), 1u);
  power->operations_left = 0;
  ASSERT_FALSE(disk.put({testing::reread("a"), testing::reread("b")}));
  power->operations_left = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(disk.touches(), before);
  ASSERT_TRUE(disk.put({testing::reread("c")}));
  EXPECT_EQ(disk.touches(), (std::vector<Touch>{before[0], {"c", disk.answer.first}}));
  disk.open();
  EXPECT_EQ(disk.touches(), (std::vector<Touch>{before[0], {"c", disk.answer.first}}));
}

// RocksDB's own error, beyond what the reserve forestalls.
TEST(SpoolPower, ADiskThatFillsUpIsAStateThatEnds) {
  const auto power = std::make_shared<Power>();
  const auto env = rocksdb::NewCompositeEnv(std::make_shared<Files>(power));
  std::uint64_t free = 1u << 30;
  SpoolOptions options = on(*env);
  options.reserve_bytes = 1000;
  options.free_bytes = [&free](const std::filesystem::path&) { return Result<std::uint64_t>(free); };
  SpoolOnDisk disk(options);
  ASSERT_TRUE(disk.begin_domain(kStream));
  power->room = 3'000'000;
  std::uint64_t acknowledged = 0;
  Result<void> done;
  while ((done = disk.put({image("key-" + std::to_string(acknowledged), 1, std::string(10'000, 'x'))}))) {
    ++acknowledged;
    ASSERT_LT(acknowledged, 1000u);
  }
  EXPECT_TRUE(is_spool_full(done.error())) << done.error().message;
  EXPECT_GT(acknowledged, 50u);
  free = 0;
  EXPECT_TRUE(is_spool_full(disk.put({image("more", 1, "x")}).error()));
  EXPECT_TRUE(disk.figures().full);
  EXPECT_EQ(disk.look().size(), acknowledged);
  free = 1u << 30;
  power->room = 1u << 30;
  const auto again = disk.put({image("more", 2, "x")});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(disk.figures().full);
  EXPECT_EQ(disk.look().size(), acknowledged + 1);
  EXPECT_EQ(disk.look().back().token, testing::token(2));
}

}  // namespace
}  // namespace messina::state
