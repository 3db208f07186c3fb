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

std::vector<SpoolEntry> contents(SpoolModel model) {
  auto entries = model.take({.restart = true, .max_entries = 10'000}).entries;
  for (SpoolEntry& entry : entries) entry.captured = {};
  return entries;
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

    // The contents that a cut may leave: as of the last synced answer, and after each step since.
    std::vector<std::vector<SpoolEntry>> possible{contents(model)};
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
    }
    disk.spool.reset();
    power->cut(random);
    disk.open();
    auto found = disk.look();
    for (SpoolEntry& entry : found) entry.captured = {};
    const bool known = std::ranges::any_of(
        possible, [&found](const std::vector<SpoolEntry>& one) { return testing::same(one, found); });
    ASSERT_TRUE(known) << "found:\n"
                       << testing::describe(found) << "last:\n"
                       << testing::describe(possible[0]);
    ASSERT_TRUE(disk.put({testing::reread("fresh")}));
  }
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
