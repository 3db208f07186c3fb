// Promise 5: kill -9, a full disk or a power cut at any instant costs repeated work only. Here: the ledger's
// share.
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "state/ledger.h"
#include "state/power_cut_history.h"
#include "state/power_cut_vfs.h"
#include "state/random_commits.h"

namespace messina::state {
namespace {

using testing::Contents;
using testing::Disk;
using testing::Syncs;

constexpr const char* kFolder = "/migration";

Result<std::unique_ptr<Ledger>> open_on(const Disk& disk) {
  return Ledger::open(kFolder, {.vfs = disk.vfs()});
}

Result<Contents> contents_of(Ledger& ledger) {
  auto job = ledger.load();
  if (!job) return fail(job.error());
  auto rejects = ledger.rejects({.live_only = false, .after_id = {}, .limit = 100'000});
  if (!rejects) return fail(rejects.error());
  for (Reject& reject : *rejects) reject.id = 0;
  return Contents{std::move(*job), std::move(*rejects)};
}

using History = testing::History<Contents>;

/// Runs calls against a ledger and notes their course. Every call is expected to succeed.
class Script {
 public:
  Script(Disk& disk, Ledger& ledger, Contents at_start)
      : history(std::move(at_start)), disk_(disk), ledger_(ledger) {}

  void begin(const JobState& job) {
    Contents after = history.newest();
    after.begin(job);
    step(std::move(after), [&] { return ledger_.begin(job); });
  }
  void commit(const Commit& commit) {
    Contents after = history.newest();
    after.commit(commit);
    step(std::move(after), [&] { return ledger_.commit(commit); });
  }

  History history;

 private:
  template <class Call>
  void step(Contents after, Call call) {
    history.steps.push_back({std::move(after), disk_.operations(), {}});
    const Result<void> done = call();
    ASSERT_TRUE(done) << done.error().message;
    history.steps.back().acknowledged_at = disk_.operations();
  }
  Disk& disk_;
  Ledger& ledger_;
};

/// A job from its creation to its clean end, with rejects of several pages, and enough bytes that SQLite
/// carries its -wal file over into the main file on the way.
History scripted_run(Disk& disk, std::uint64_t seed, int commits) {
  Random random(seed);
  auto ledger = open_on(disk);
  EXPECT_TRUE(ledger) << ledger.error().message;
  Script script(disk, **ledger, {});
  JobState job = testing::random_job(random, 30);
  job.units.push_back({"last", "spec", UnitState::pending, "", {}});
  script.begin(job);
  for (int i = 0; i < commits; ++i) script.commit(testing::random_commit(random, job, 5'000));
  script.begin(job);  // --restart
  Commit last = testing::random_commit(random, job, 0);
  last.clean_end = true;
  script.commit(last);
  return script.history;
}

/// Opens the ledger as a power cut left it, compares, and goes on from there.
std::optional<std::string> try_cut(const Disk& disk, const History& history, std::size_t operations,
                                   Random& random) {
  Disk after(disk.after_power_cut(operations, random));
  Result<Contents> found;
  {
    auto ledger = open_on(after);
    if (!ledger) return "open: " + ledger.error().message;
    found = contents_of(**ledger);
    if (auto complaint = history.complaint(found, operations)) return complaint;
    if (found->job) {
      Commit next = testing::random_commit(random, *found->job, 100);
      if (auto done = (*ledger)->commit(next); !done) return "commit: " + done.error().message;
      found->commit(next);
    }
  }
  auto again = open_on(after);
  if (!again) return "second open: " + again.error().message;
  const Result<Contents> kept = contents_of(**again);
  if (!kept) return "second load: " + kept.error().message;
  if (*kept != *found) return "the commit after the cut was not kept";
  return std::nullopt;
}

/// The number of cuts, of `per_operation` at each operation, after which the ledger was not as promised.
std::size_t broken_cuts(const Disk& disk, const History& history, int per_operation) {
  Random random(7);
  std::size_t broken = 0;
  for (std::size_t operations = 0; operations <= disk.operations(); ++operations) {
    for (int i = 0; i < per_operation; ++i) broken += try_cut(disk, history, operations, random) ? 1 : 0;
  }
  return broken;
}

TEST(PowerCut, AtEveryOperationOfAScript) {
  Disk disk;
  const History history = scripted_run(disk, 1, 12);
  ASSERT_GT(disk.operations(), 150u);
  for (std::size_t operations = 0; operations <= disk.operations(); ++operations) {
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      Random random(operations * 1000 + seed);
      const auto complaint = try_cut(disk, history, operations, random);
      ASSERT_FALSE(complaint) << *complaint << " (cut after operation " << operations << ", seed " << seed
                              << ")";
    }
  }
}

TEST(PowerCut, AgainAndAgainInRandomRuns) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Random random(seed);
    Disk::Image image;
    Contents contents;
    for (int life = 0; life < 4; ++life) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", life " + std::to_string(life));
      Disk disk(image);
      auto ledger = open_on(disk);
      ASSERT_TRUE(ledger) << ledger.error().message;
      const Result<Contents> found = contents_of(**ledger);
      ASSERT_TRUE(found) << found.error().message;
      ASSERT_EQ(*found, contents);
      Script script(disk, **ledger, contents);
      if (!contents.job || random.chance(0.1)) script.begin(testing::random_job(random, 200));
      const bool large = random.chance(0.3);
      for (std::uint64_t n = random.below(15); n > 0; --n) {
        script.commit(testing::random_commit(random, *script.history.newest().job, large ? 300'000 : 500));
      }
      if (random.chance(0.3)) ledger->reset();

      const std::size_t cut = random.below(disk.operations() + 1);
      image = disk.after_power_cut(cut, random);
      Disk after(image);
      auto reopened = open_on(after);
      ASSERT_TRUE(reopened) << reopened.error().message;
      const Result<Contents> kept = contents_of(**reopened);
      const auto complaint = script.history.complaint(kept, cut);
      ASSERT_FALSE(complaint) << *complaint;
      contents = *kept;
    }
  }
}

// The test itself is put to the test: it must find a ledger whose syncs do nothing.
TEST(PowerCut, WithoutSyncsItIsFound) {
  Disk disk;
  disk.syncs = Syncs::ignored;
  const History history = scripted_run(disk, 1, 5);
  EXPECT_GT(broken_cuts(disk, history, 1), 20u);
}

// That is what PRAGMA synchronous = NORMAL would do: whole, but acknowledged commits are lost.
TEST(PowerCut, WithoutSyncsOfTheWalItIsFound) {
  Disk disk;
  disk.syncs = Syncs::ignored_for_wal;
  const History history = scripted_run(disk, 1, 5);
  EXPECT_GT(broken_cuts(disk, history, 1), 20u);
}

struct FullDiskRun {
  std::uint64_t faults = 0;
  std::size_t calls = 0;  ///< writes and syncs
};

/// Runs a short job on a disk whose `good_calls`-th write or sync, and `bad_calls - 1` after it, fail. After
/// each failed call the ledger must stand at its last commit, and go on as soon as there is room again.
FullDiskRun run_on_failing_disk(std::uint64_t good_calls, std::uint64_t bad_calls) {
  Random random(3);
  Disk disk;
  disk.good_calls = good_calls;
  disk.bad_calls = bad_calls;
  const auto heal = [&disk] { disk.bad_calls = 0; };
  const auto expect_disk_error = [](const Error& error) {
    EXPECT_EQ(error.kind, ErrorKind::disk) << error.message;
    EXPECT_NE(error.message.find("/migration/ledger.db"), std::string::npos) << error.message;
  };

  auto ledger = open_on(disk);
  if (!ledger) {
    expect_disk_error(ledger.error());
    heal();
    ledger = open_on(disk);
  }
  EXPECT_TRUE(ledger) << ledger.error().message;
  if (!ledger) return {};
  Contents contents;
  const auto step = [&](auto call, Contents after) {
    Result<void> done = call();
    if (!done) {
      expect_disk_error(done.error());
      const Result<Contents> found = contents_of(**ledger);
      EXPECT_TRUE(found) << found.error().message;
      EXPECT_TRUE(found && *found == contents) << "not at its last commit";
      heal();
      done = call();
      EXPECT_TRUE(done) << done.error().message;
    }
    contents = std::move(after);
    const Result<Contents> found = contents_of(**ledger);
    EXPECT_TRUE(found && *found == contents);
  };
  const JobState job = testing::random_job(random, 20);
  Contents begun;
  begun.begin(job);
  step([&] { return (*ledger)->begin(job); }, begun);
  for (int i = 0; i < 6; ++i) {
    const Commit commit = testing::random_commit(random, job, 10'000);
    Contents after = contents;
    after.commit(commit);
    step([&] { return (*ledger)->commit(commit); }, std::move(after));
  }
  heal();
  ledger->reset();
  auto again = open_on(disk);
  EXPECT_TRUE(again) << again.error().message;
  const Result<Contents> kept = contents_of(**again);
  EXPECT_TRUE(kept && *kept == contents);
  return {disk.faults, disk.operations()};
}

TEST(FullDisk, AtEveryWriteAndSyncTheLedgerStandsAtItsLastCommit) {
  for (const std::uint64_t bad_calls : {1ull, 1'000'000ull}) {
    std::uint64_t good_calls = 0;
    while (!::testing::Test::HasFailure()) {
      SCOPED_TRACE(std::to_string(bad_calls) + " failures after " + std::to_string(good_calls) + " calls");
      if (run_on_failing_disk(good_calls, bad_calls).faults == 0) break;
      ++good_calls;
    }
    EXPECT_GT(good_calls, 50u);  // so many calls there are
  }
}

TEST(FullDisk, MessageNamesTheFileAndTheWayOut) {
  Disk disk;
  auto ledger = open_on(disk);
  ASSERT_TRUE(ledger);
  disk.good_calls = 0;
  disk.bad_calls = 1'000'000;
  const auto begun = (*ledger)->begin({});
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().kind, ErrorKind::disk);
  EXPECT_EQ(begun.error().message,
            "the disk under ledger \"/migration/ledger.db\" is full (database or disk is full): free some "
            "space there "
            "and run again; everything up to the last commit is kept");
  EXPECT_EQ(begun.error().code, "SQLITE_FULL");
}

// A commit writes the pages of its own units and rejects, however many units there are.
TEST(Scale, CommitTouchesOnlyItsUnits) {
  const auto bytes_of_a_commit = [](std::size_t units) {
    Disk disk;
    disk.logging = false;
    auto ledger = open_on(disk);
    EXPECT_TRUE(ledger);
    JobState job;
    for (std::size_t i = 0; i < units; ++i) job.units.push_back({"s" + std::to_string(i), "{}", {}, "", {}});
    EXPECT_TRUE((*ledger)->begin(job));
    std::uint64_t most = 0;
    for (std::size_t i = 0; i < 20; ++i) {
      Commit commit;
      for (std::size_t n = 0; n < 4; ++n) {
        commit.steps.push_back(
            {(i * 7919 + n * units / 4) % units, "cursor", UnitState::pending, {1, 2, 3, 2, 0, 1, 1}});
      }
      const std::uint64_t before = disk.bytes_written();
      EXPECT_TRUE((*ledger)->commit(commit));
      // The first ones may carry the -wal file over, which begin() filled.
      if (i >= 10) most = std::max(most, disk.bytes_written() - before);
    }
    return most;
  };
  EXPECT_LE(bytes_of_a_commit(200'000), 2 * bytes_of_a_commit(10'000));
}

}  // namespace
}  // namespace messina::state
