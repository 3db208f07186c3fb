// Kill -9, a power cut or a full disk at any instant of a verification: its digests, cursors and notes stand
// at one commit.
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "state/power_cut_history.h"
#include "state/power_cut_vfs.h"
#include "state/random_verify.h"

namespace messina::state {
namespace {

using testing::contents_of;
using testing::Disk;
using testing::Syncs;
using History = testing::History<VerifyModel>;

constexpr std::uint64_t kShortJournal = 150;  ///< so that every other commit makes a checkpoint

Result<std::unique_ptr<VerifyLedger>> open_on(const Disk& disk) {
  return VerifyLedger::open("/migration", {.vfs = disk.vfs()}, kShortJournal);
}

Result<void> committed(VerifyLedger& ledger, const VerifyCommit& commit) {
  const auto done = ledger.commit(commit);
  if (!done) return fail(done.error());
  return {};
}

/// Runs calls and notes their course. Every call is expected to succeed.
class Script {
 public:
  Script(Disk& disk, VerifyLedger& ledger, VerifyModel at_start)
      : history(std::move(at_start)), disk_(disk), ledger_(ledger) {}

  void begin(const VerifyState& fresh) {
    VerifyModel after = history.newest();
    after.begin(fresh);
    step(std::move(after), [&] { return ledger_.begin(fresh); });
  }
  void commit(const VerifyCommit& commit) {
    VerifyModel after = history.newest();
    after.commit(commit);
    step(std::move(after), [&] { return committed(ledger_, commit); });
  }
  void commit_random(Random& random, std::size_t max_item) {
    commit(testing::random_verify_commit(random, *history.newest().state(), max_item));
  }

  History history;

 private:
  template <class Call>
  void step(VerifyModel after, Call call) {
    history.steps.push_back({std::move(after), disk_.operations(), {}});
    const Result<void> done = call();
    ASSERT_TRUE(done) << done.error().message;
    history.steps.back().acknowledged_at = disk_.operations();
  }
  Disk& disk_;
  VerifyLedger& ledger_;
};

History scripted_run(Disk& disk, int commits) {
  Random random(1);
  auto ledger = open_on(disk);
  EXPECT_TRUE(ledger) << ledger.error().message;
  Script script(disk, **ledger, {});
  script.begin(testing::random_verification(random, 30));
  for (int i = 0; i < commits; ++i) script.commit_random(random, 4'000);
  script.begin(testing::random_verification(random, 5));
  script.commit_random(random, 0);
  return script.history;
}

/// Opens the file as a power cut left it, compares, and goes on from there.
std::optional<std::string> try_cut(const Disk& disk, const History& history, std::size_t operations,
                                   Random& random) {
  Disk after(disk.after_power_cut(operations, random));
  Result<VerifyModel> found;
  {
    auto ledger = open_on(after);
    if (!ledger) return "open: " + ledger.error().message;
    found = contents_of(**ledger);
    if (auto complaint = history.complaint(found, operations)) return complaint;
    if (found->state()) {
      const VerifyCommit next = testing::random_verify_commit(random, *found->state(), 100);
      if (auto done = (*ledger)->commit(next); !done) return "commit: " + done.error().message;
      found->commit(next);
    }
  }
  auto again = open_on(after);
  if (!again) return "second open: " + again.error().message;
  const Result<VerifyModel> kept = contents_of(**again);
  if (!kept) return "second load: " + kept.error().message;
  if (*kept != *found) return "the commit after the cut was not kept";
  return std::nullopt;
}

TEST(VerifyPower, AtEveryOperationOfAScript) {
  Disk disk;
  const History history = scripted_run(disk, 12);
  ASSERT_GT(disk.operations(), 150u);
  for (std::size_t operations = 0; operations <= disk.operations(); ++operations) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      Random random(operations * 1000 + seed);
      const auto complaint = try_cut(disk, history, operations, random);
      ASSERT_FALSE(complaint) << *complaint << " (cut after operation " << operations << ", seed " << seed
                              << ")";
    }
  }
}

TEST(VerifyPower, AgainAndAgainInRandomRuns) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Random random(seed);
    Disk::Image image;
    VerifyModel contents;
    for (int life = 0; life < 4; ++life) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", life " + std::to_string(life));
      Disk disk(image);
      auto ledger = open_on(disk);
      ASSERT_TRUE(ledger) << ledger.error().message;
      Script script(disk, **ledger, contents);
      if (!contents.state() || random.chance(0.1)) script.begin(testing::random_verification(random, 200));
      const bool large = random.chance(0.2);
      for (std::uint64_t n = random.below(15); n > 0; --n)
        script.commit_random(random, large ? 300'000 : 500);
      if (random.chance(0.3)) ledger->reset();

      const std::size_t cut = random.below(disk.operations() + 1);
      image = disk.after_power_cut(cut, random);
      Disk after(image);
      auto reopened = open_on(after);
      ASSERT_TRUE(reopened) << reopened.error().message;
      const Result<VerifyModel> kept = contents_of(**reopened);
      const auto complaint = script.history.complaint(kept, cut);
      ASSERT_FALSE(complaint) << *complaint;
      contents = *kept;
    }
  }
}

// The test itself is put to the test: it must find a file whose syncs do nothing.
TEST(VerifyPower, WithoutSyncsItIsFound) {
  for (const Syncs syncs : {Syncs::ignored, Syncs::ignored_for_wal}) {
    Disk disk;
    disk.syncs = syncs;
    const History history = scripted_run(disk, 5);
    Random random(7);
    std::size_t broken = 0;
    for (std::size_t operations = 0; operations <= disk.operations(); ++operations)
      broken += try_cut(disk, history, operations, random) ? 1 : 0;
    EXPECT_GT(broken, 20u);
  }
}

/// Runs a short verification on a disk whose `good_calls`-th write or sync, and `bad_calls - 1` after it,
/// fail. After each failed call the file must stand at its last commit, and go on as soon as there is room
/// again. How many calls were made to fail.
std::uint64_t run_on_failing_disk(std::uint64_t good_calls, std::uint64_t bad_calls) {
  Random random(3);
  Disk disk;
  disk.good_calls = good_calls;
  disk.bad_calls = bad_calls;
  const auto heal = [&disk] { disk.bad_calls = 0; };
  const auto expect_disk_error = [](const Error& error) {
    EXPECT_EQ(error.kind, ErrorKind::disk) << error.message;
    EXPECT_NE(error.message.find("/migration/verification.db"), std::string::npos) << error.message;
  };

  auto ledger = open_on(disk);
  if (!ledger) {
    expect_disk_error(ledger.error());
    heal();
    ledger = open_on(disk);
  }
  EXPECT_TRUE(ledger) << ledger.error().message;
  if (!ledger) return 0;
  VerifyModel model;
  const auto expect_contents = [&](const VerifyModel& expected) {
    const Result<VerifyModel> found = contents_of(**ledger);
    EXPECT_TRUE(found) << found.error().message;
    EXPECT_TRUE(found && *found == expected);
  };
  const auto step = [&](auto call, VerifyModel after) {
    Result<void> done = call();
    if (!done) {
      expect_disk_error(done.error());
      expect_contents(model);
      heal();
      done = call();
      EXPECT_TRUE(done) << done.error().message;
    }
    model = std::move(after);
    expect_contents(model);
  };
  const VerifyState fresh = testing::random_verification(random, 20);
  VerifyModel begun;
  begun.begin(fresh);
  step([&] { return (*ledger)->begin(fresh); }, begun);
  for (int i = 0; i < 8; ++i) {
    const VerifyCommit commit = testing::random_verify_commit(random, *model.state(), 5'000);
    VerifyModel after = model;
    after.commit(commit);
    step([&] { return committed(**ledger, commit); }, std::move(after));
  }
  heal();
  ledger->reset();
  ledger = open_on(disk);
  EXPECT_TRUE(ledger) << ledger.error().message;
  if (ledger) expect_contents(model);
  return disk.faults;
}

TEST(VerifyFullDisk, AtEveryWriteAndSyncTheFileStandsAtItsLastCommit) {
  for (const std::uint64_t bad_calls : {1ull, 1'000'000ull}) {
    std::uint64_t good_calls = 0;
    while (!::testing::Test::HasFailure()) {
      SCOPED_TRACE(std::to_string(bad_calls) + " failures after " + std::to_string(good_calls) + " calls");
      if (run_on_failing_disk(good_calls, bad_calls) == 0) break;
      ++good_calls;
    }
    EXPECT_GT(good_calls, 50u);  // so many calls there are
  }
}

TEST(VerifyFullDisk, MessageNamesTheFileAndTheWayOut) {
  Disk disk;
  auto ledger = open_on(disk);
  ASSERT_TRUE(ledger);
  disk.good_calls = 0;
  disk.bad_calls = 1'000'000;
  const auto begun = (*ledger)->begin({});
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().kind, ErrorKind::disk);
  EXPECT_EQ(begun.error().message,
            "the disk under verification \"/migration/verification.db\" is full (database or disk is full): "
            "free some space there and run again; everything up to the last commit is kept");
}

}  // namespace
}  // namespace messina::state
