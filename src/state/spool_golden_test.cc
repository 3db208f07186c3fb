// Spools that earlier versions wrote must open. A golden file of each format version is a spool's folder,
// packed as tests/golden/spool-format-N.tar.gz; it was made by DISABLED_Make, in the folder that
// MESSINA_SPOOL_GOLDEN names, when the version was new, and is never made again.
#include <cstdlib>

#include <gtest/gtest.h>

#include "state/spool_test_support.h"

namespace messina::state {
namespace {

using testing::image;
using testing::kStream;
using testing::removal;
using testing::reread;

void commit(Spool& spool, Spool::Call call) {
  Spool::Call* const calls[] = {&call};
  spool.commit(calls);
  ASSERT_TRUE(call.result) << call.result.error().message;
}

TEST(SpoolGolden, DISABLED_Make) {
  const char* const folder = std::getenv("MESSINA_SPOOL_GOLDEN");
  ASSERT_NE(folder, nullptr);
  ManualClock clock;
  Random random(1);
  const auto put = [](Spool& spool, std::vector<SpoolPut> puts, std::vector<ShardPosition> positions = {}) {
    SpoolBatch batch;
    batch.domain = kStream;
    batch.puts = std::move(puts);
    batch.positions = std::move(positions);
    commit(spool, {.what = Spool::Put{&batch, {}}});
  };
  {
    auto spool = Spool::open(folder, {}, clock, random);
    ASSERT_TRUE(spool);
    commit(**spool, {.what = Spool::Domain{kStream}});
    put(**spool, {image("before the gap", 1, "{}", 1000)});
    commit(**spool, {.what = Spool::Barrier{}});
    put(**spool, {image("image", 2, R"({"pk":{"S":"image"},"v":{"N":"1"}})", 2000),
                  removal("removal", 3, 3000), reread("mark", 4000), image("settled", 4, "{}", 5000)});
    const auto taken = (*spool)->take({.restart = true});
    ASSERT_TRUE(taken && taken->entries.size() == 5u);
    const std::vector<Settled> written{{"settled", taken->entries.back().generation}};
    commit(**spool, {.what = Spool::Settle{&written}});
  }
  // A second life: some of it is in tables now, some in the log.
  auto spool = Spool::open(folder, {}, clock, random);
  ASSERT_TRUE(spool);
  put(**spool,
      {image("image", 5, R"({"pk":{"S":"image"},"v":{"N":"2"}})", 6000), image("mark", 6, "{}", 7000)},
      {{"shard-1", "000000000000000000123", 1234, ShardState::reading, 2},
       {"shard-2", "", 5678, ShardState::drained, 1, "shard-0"}});
}

TEST(SpoolGolden, Format1Opens) {
  testing::TempFolder temp;
  const std::string unpack = std::string("tar -C '") + temp.path().string() + "' -xzf '" +
                             MESSINA_SOURCE_DIR + "/tests/golden/spool-format-1.tar.gz'";
  ASSERT_EQ(std::system(unpack.c_str()), 0) << unpack;
  ManualClock clock;
  Random random(2);
  auto spool = Spool::open(temp.path() / "spool", {}, clock, random);
  ASSERT_TRUE(spool) << spool.error().message;
  EXPECT_EQ((*spool)->stamp().id.size(), 32u);
  EXPECT_EQ((*spool)->domain(), kStream);
  const std::vector<ShardPosition> positions{
      {"shard-1", "000000000000000000123", 1234, ShardState::reading, 2},
      {"shard-2", "", 5678, ShardState::drained, 1, "shard-0"}};
  EXPECT_EQ((*spool)->positions().value(), positions);
  const auto taken = (*spool)->take({.restart = true});
  ASSERT_TRUE(taken) << taken.error().message;
  const std::vector<SpoolEntry>& entries = taken->entries;
  ASSERT_EQ(entries.size(), 4u) << testing::describe(entries);
  EXPECT_EQ(entries[0].key, "before the gap");
  EXPECT_EQ(entries[0].kind, ChangeKind::reread);
  EXPECT_EQ(entries[1].image, R"({"pk":{"S":"image"},"v":{"N":"2"}})");
  EXPECT_EQ(entries[1].token, testing::token(5));
  EXPECT_EQ(entries[1].oldest_change_unix_ms, 2000);
  EXPECT_EQ(entries[2].kind, ChangeKind::removal);
  EXPECT_EQ(entries[3].kind, ChangeKind::reread);
  EXPECT_GT(entries[3].generation, entries[1].generation);
}

}  // namespace
}  // namespace messina::state
