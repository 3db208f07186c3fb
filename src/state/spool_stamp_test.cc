#include "state/spool_stamp.h"

#include <gtest/gtest.h>

#include "state/ledger.h"
#include "state/spool_test_support.h"

namespace messina::state {
namespace {

TEST(SpoolStamp, AMissingOrOlderSpoolIsNoticed) {
  const SpoolStamp known{"one", 7};
  EXPECT_EQ(match(std::nullopt, known), SpoolMatch::first);
  EXPECT_EQ(match(known, {"one", 8}), SpoolMatch::same);
  EXPECT_EQ(match(known, {"one", 7}), SpoolMatch::same);
  EXPECT_EQ(match(known, {"one", 6}), SpoolMatch::older);
  EXPECT_EQ(match(known, {"one", 1}), SpoolMatch::older);
  EXPECT_EQ(match(known, {"two", 100}), SpoolMatch::missing);
}

// With the real two: the ledger knows the stamp of the last commits, and a copy of the folder made before
// is put in its place.
TEST(SpoolStamp, TheLedgerTellsACopyFromTheSpool) {
  testing::SpoolOnDisk disk;
  testing::TempFolder temp;
  auto ledger = Ledger::open(temp.path() / "migration", {});
  ASSERT_TRUE(ledger);
  JobState job;
  ASSERT_TRUE((*ledger)->begin(job));
  EXPECT_EQ((*(*ledger)->load())->spool, std::nullopt);

  Commit commit;
  commit.spool = disk.spool->stamp();
  ASSERT_TRUE((*ledger)->commit(commit));
  commit.spool.reset();
  ASSERT_TRUE((*ledger)->commit(commit));  // leaves it as it is
  disk.open();
  EXPECT_EQ(match((*(*ledger)->load())->spool, disk.spool->stamp()), SpoolMatch::same);

  disk.spool.reset();
  std::filesystem::copy(disk.folder(), temp.path() / "copy", std::filesystem::copy_options::recursive);
  disk.open();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(disk.put({testing::reread("a")}));
  commit.spool = disk.spool->stamp();
  ASSERT_TRUE((*ledger)->commit(commit));
  disk.spool.reset();
  std::filesystem::remove_all(disk.folder());
  std::filesystem::copy(temp.path() / "copy", disk.folder(), std::filesystem::copy_options::recursive);
  disk.open();
  EXPECT_EQ(match((*(*ledger)->load())->spool, disk.spool->stamp()), SpoolMatch::older);
  for (int i = 0; i < 5; ++i) disk.open();  // by processes that died before they told of it
  EXPECT_EQ(match((*(*ledger)->load())->spool, disk.spool->stamp()), SpoolMatch::older);

  disk.spool.reset();
  std::filesystem::remove_all(disk.folder());
  disk.open();
  EXPECT_EQ(match((*(*ledger)->load())->spool, disk.spool->stamp()), SpoolMatch::missing);
}

}  // namespace
}  // namespace messina::state
