#include "state/verify_ledger.h"

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "state/power_cut_vfs.h"
#include "state/random_verify.h"
#include "state/temp_folder.h"

namespace messina::state {
namespace {

using testing::contents_of;

class VerifyLedgerTest : public ::testing::Test {
 protected:
  const std::filesystem::path& folder() const { return temp_.path(); }
  std::filesystem::path file() const { return folder() / "verification.db"; }

  Result<std::unique_ptr<VerifyLedger>> try_open(Access access = Access::read_write,
                                                 std::uint64_t journal = VerifyLedger::kJournalBytes) const {
    return VerifyLedger::open(folder(), {.access = access}, journal);
  }
  std::unique_ptr<VerifyLedger> open(Access access = Access::read_write,
                                     std::uint64_t journal = VerifyLedger::kJournalBytes) const {
    auto ledger = try_open(access, journal);
    EXPECT_TRUE(ledger) << ledger.error().message;
    return ledger ? std::move(*ledger) : nullptr;
  }
  template <class T>
  static T value(Result<T> result) {
    EXPECT_TRUE(result) << result.error().message;
    return result ? std::move(*result) : T();
  }
  static VerifyModel contents(VerifyLedger& ledger) { return value(contents_of(ledger)); }
  /// Some commits; what they come to.
  VerifyModel make_some() const {
    Random random(5);
    VerifyModel made;
    auto ledger = open();
    const VerifyState fresh = testing::random_verification(random, 100);
    made.begin(fresh);
    EXPECT_TRUE(ledger->begin(fresh));
    for (int i = 0; i < 10; ++i) {
      const VerifyCommit step = testing::random_verify_commit(random, *made.state(), 1000);
      made.commit(step);
      EXPECT_TRUE(ledger->commit(step));
    }
    return made;
  }
  /// As a person with the sqlite3 shell would. The first column of the last row, if there is one.
  std::int64_t shell(const std::string& sql) const {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
    std::int64_t number = 0;
    const auto on_row = [](void* out, int, char** columns, char**) {
      *static_cast<std::int64_t*>(out) = columns[0] == nullptr ? 0 : std::atoll(columns[0]);
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), on_row, &number, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
    return number;
  }
  std::string read_file() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write_file(const std::string& bytes) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string damaged(const std::string& how) const {
    return "verification \"" + file().string() + "\" is damaged (" + how +
           "): move it aside, together with its -wal and -shm files, and verify again";
  }

  testing::TempFolder temp_;
};

TEST_F(VerifyLedgerTest, NothingWasVerifiedInAFreshFile) {
  auto ledger = open();
  auto loaded = ledger->load();
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->has_value());
  EXPECT_EQ(ledger->commit({}).error().kind, ErrorKind::internal);
  EXPECT_TRUE(ledger->notes({})->empty());
  EXPECT_TRUE(ledger->groups()->empty());
  EXPECT_EQ(value(ledger->note("a")), std::nullopt);
}

// VerifyModel is the meaning of the calls; by which handle they are made, and since when it is open, does not
// matter.
TEST_F(VerifyLedgerTest, RandomCallsMeanWhatTheModelSays) {
  VerifyModel model;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const std::uint64_t journal = random.chance(0.2) ? VerifyLedger::kJournalBytes : random.below(600);
    auto ledger = open(Access::read_write, journal);
    if (seed == 1 || random.chance(0.7)) {
      const VerifyState fresh = testing::random_verification(random, 40);
      model.begin(fresh);
      ASSERT_TRUE(ledger->begin(fresh));
    }
    auto reader = open(Access::read_only);
    for (int i = 0; i < 12; ++i) {
      const VerifyCommit step = testing::random_verify_commit(random, *model.state(), 6'000);
      const NoteCounts notes = model.commit(step);
      ASSERT_EQ(value(ledger->commit(step)), notes);
      if (random.chance(0.3)) {
        ledger.reset();
        ledger = open(Access::read_write, journal);
      }
      VerifyLedger& asked = random.chance(0.5) ? *ledger : *reader;
      if (random.chance(0.5)) {
        ASSERT_EQ(contents(asked), model);
      }
      const NoteFilter filter = testing::random_filter(random);
      ASSERT_EQ(value(asked.notes(filter)), model.notes(filter));
      ASSERT_EQ(value(asked.groups()), model.groups());
      const std::string key = testing::random_note_key(random);
      ASSERT_EQ(value(asked.note(key)), model.note(key));
    }
    ASSERT_EQ(contents(*reader), model);
  }
}

TEST_F(VerifyLedgerTest, AFailedCommitLeavesNothing) {
  VerifyModel made = make_some();
  auto ledger = open(Access::read_write, 1);  // so that the commit would make a checkpoint
  Random random(6);
  const VerifyCommit good = testing::random_verify_commit(random, *made.state(), 100);
  VerifyCommit bad = good;
  bad.source_keys.hashes.push_back(1);
  bad.steps.push_back({10'000, "no such unit", false, {}});
  EXPECT_EQ(ledger->commit(bad).error().kind, ErrorKind::internal);
  EXPECT_EQ(contents(*ledger), made);
  bad.steps.pop_back();
  bad.new_units.push_back(made.state()->units.front());  // there is one of this side and name
  EXPECT_EQ(ledger->commit(bad).error().kind, ErrorKind::internal);
  EXPECT_EQ(contents(*ledger), made);
  EXPECT_EQ(contents(*open(Access::read_only)), made);
  ASSERT_TRUE(ledger->commit(good));
  made.commit(good);
  EXPECT_EQ(contents(*ledger), made);
  EXPECT_EQ(contents(*open(Access::read_only)), made);
}

TEST_F(VerifyLedgerTest, TheJournalIsFoldedWhenItIsLong) {
  const auto journal = [this] { return shell("SELECT coalesce(sum(length(hashes)), 0) FROM hashes"); };
  auto ledger = open(Access::read_write, 64);
  ASSERT_TRUE(ledger->begin({}));
  VerifyCommit step;
  step.source_keys.hashes = {1, 2};
  step.target_keys.hashes = {3};
  ASSERT_TRUE(ledger->commit(step));
  EXPECT_EQ(journal(), 48);
  step.source_keys.hashes = {4};
  step.target_keys.hashes = {};
  ASSERT_TRUE(ledger->commit(step));
  EXPECT_EQ(journal(), 64);
  EXPECT_EQ(shell("SELECT max(hex(buckets) <> hex(zeroblob(24))) FROM digest"), 0);
  ledger = open(Access::read_write, 64);
  ASSERT_TRUE(ledger->commit(step));
  EXPECT_EQ(journal(), 16);
  step.source_keys.hashes = {5, 6, 7, 8, 9};  // longer than the bound by itself
  ASSERT_TRUE(ledger->commit(step));
  EXPECT_EQ(journal(), 80);
  const auto state = open(Access::read_only)->load();
  EXPECT_TRUE((*state)->source.buckets()[0].sum == 1 + 2 + 4 + 4 + 5 + 6 + 7 + 8 + 9);
  EXPECT_EQ((*state)->source.keys(), 9u);
  EXPECT_EQ((*state)->target.keys(), 1u);
}

TEST_F(VerifyLedgerTest, ASideWithMoreHashesThanItsDigestIsLongIsFolded) {
  auto ledger = open();
  ASSERT_TRUE(ledger->begin({}));
  VerifyCommit step;
  step.source_keys.hashes = {1, 2};
  step.target_keys.hashes = {3};
  ASSERT_TRUE(ledger->commit(step));
  step.source_keys.hashes.assign(70'000, 4);
  ASSERT_TRUE(ledger->commit(step));
  EXPECT_EQ(shell("SELECT sum(length(hashes)) FROM hashes WHERE side = 'source'"), 0);
  EXPECT_EQ(shell("SELECT sum(length(hashes)) FROM hashes WHERE side = 'target'"), 32);
  step.source_keys.hashes = {5};
  ASSERT_TRUE(ledger->commit(step));
  const auto state = open(Access::read_only)->load();
  EXPECT_TRUE((*state)->source.buckets()[0].sum == 1 + 2 + 4 * 70'000 + 5);
  EXPECT_EQ((*state)->source.keys(), 70'003u);
  EXPECT_EQ((*state)->target.keys(), 3u);
}

TEST_F(VerifyLedgerTest, ALongDigestIsKeptWhole) {
  VerifyState fresh;
  fresh.source = fresh.target = item::KeyDigest(13);  // several pieces
  auto ledger = open();
  ASSERT_TRUE(ledger->begin(fresh));
  VerifyModel model;
  model.begin(fresh);
  Random random(8);
  for (int i = 0; i < 3; ++i) {
    VerifyCommit step;
    for (ReadKeys* keys : {&step.source_keys, &step.target_keys}) {
      keys->sums = item::KeyDigest(13);
      for (int n = 0; n < 20'000; ++n) keys->sums->add(testing::random_hash(random));
      keys->hashes = {testing::random_hash(random)};
    }
    ASSERT_TRUE(ledger->commit(step));
    model.commit(step);
    EXPECT_EQ(contents(*open(Access::read_only)), model);
  }
  EXPECT_EQ(shell("SELECT count(*) FROM hashes"), 0);
  ASSERT_TRUE(ledger->begin(fresh));
  model.begin(fresh);
  EXPECT_EQ(contents(*open(Access::read_only)), model);
}

// What a commit writes does not grow with the digests nor with what is noted.
TEST_F(VerifyLedgerTest, ACommitWritesItsOwnOnly) {
  testing::Disk disk;
  disk.logging = false;
  auto ledger = VerifyLedger::open("/migration", {.vfs = disk.vfs()});
  ASSERT_TRUE(ledger);
  VerifyState fresh;
  fresh.source = fresh.target = item::KeyDigest(16);
  for (std::size_t i = 0; i < 10'000; ++i)
    fresh.units.push_back({"s" + std::to_string(i), "{}", VerifySide::source, false, "", {}});
  ASSERT_TRUE((*ledger)->begin(fresh));
  std::uint64_t at_start = 0;
  for (std::size_t i = 0; i < 40; ++i) {
    // The first ones may carry the -wal file over, which begin() filled.
    if (i == 20) at_start = disk.bytes_written();
    VerifyCommit step;
    step.steps.push_back({i * 200, "cursor", false, {1, 2, 3, 2, 0}});
    step.source_keys.hashes.resize(1000, 7);
    step.notes.push_back(testing::note_of("key" + std::to_string(i), Verdict::missing));
    ASSERT_TRUE((*ledger)->commit(step));
  }
  // Twice, as SQLite carries the -wal file over: the hashes, and some pages of each table. The digests are 3
  // MB.
  EXPECT_LT(disk.bytes_written() - at_start, 2 * 20 * (16'000u + 20 * 4096));
}

TEST_F(VerifyLedgerTest, IsReadWhileItIsWritten) {
  auto missing = try_open(Access::read_only);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  EXPECT_EQ(missing.error().message, "there is no verification \"" + file().string() +
                                         "\": nothing was verified here; is it the right --state?");
  auto writer = open();
  auto reader = open(Access::read_only);
  ASSERT_TRUE(writer->begin({}));
  for (std::uint64_t i = 1; i <= 3; ++i) {
    VerifyCommit step;
    step.source_keys.hashes = {i};
    step.notes = {testing::note_of(std::to_string(i), Verdict::missing)};
    ASSERT_TRUE(writer->commit(step));
    const auto state = reader->load();
    ASSERT_TRUE(state && *state);
    EXPECT_EQ((*state)->source.keys(), i);
    EXPECT_EQ((*state)->notes[static_cast<std::size_t>(Verdict::missing)], i);
    EXPECT_EQ(reader->notes({})->size(), i);
  }
  VerifyCommit step;
  step.target_keys.hashes = {1};
  EXPECT_FALSE(reader->commit(step));
}

TEST_F(VerifyLedgerTest, ANewerFormatIsRefused) {
  make_some();
  shell("PRAGMA user_version = 2");
  for (const Access access : {Access::read_write, Access::read_only}) {
    auto ledger = try_open(access);
    ASSERT_FALSE(ledger);
    EXPECT_EQ(ledger.error().kind, ErrorKind::needs_person);
    EXPECT_EQ(ledger.error().message,
              "verification \"" + file().string() +
                  "\" has format 2, and this messina knows formats up to 1: use the newer messina that wrote "
                  "it, or move it aside and verify again");
  }
}

TEST_F(VerifyLedgerTest, OtherFilesAreNotTaken) {
  write_file(std::string(5000, 'x'));
  EXPECT_EQ(try_open().error().message, damaged("file is not a database"));
  EXPECT_EQ(try_open().error().kind, ErrorKind::corrupt);
  std::filesystem::remove(file());
  shell("PRAGMA application_id = 0x6d657373; CREATE TABLE job (x)");  // a ledger's
  EXPECT_EQ(try_open().error().message, damaged("it is no verification of messina"));
}

TEST_F(VerifyLedgerTest, DamageIsNamed) {
  for (const auto& [sql, how] : {
           std::pair("DROP TABLE hashes", "its tables are not those of its format"),
           std::pair("DROP INDEX note_by_verdict", "its tables are not those of its format"),
           std::pair("DELETE FROM digest WHERE side = 'source'", "its digests are none"),
           std::pair("UPDATE digest SET bucket_bits = 21", "its digests are none"),
           std::pair("UPDATE digest SET buckets = x'00'", "its digests are none"),
           std::pair("UPDATE hashes SET hashes = x'00'", "its rows are none of this format"),
           std::pair("DELETE FROM unit WHERE position = 1", "its units do not fit together"),
       }) {
    SCOPED_TRACE(sql);
    make_some();
    shell(sql);
    auto ledger = try_open();
    const auto error = [&] {
      if (!ledger) return ledger.error();
      const auto loaded = (*ledger)->load();
      return loaded ? Error{} : loaded.error();
    }();
    EXPECT_EQ(error.kind, ErrorKind::corrupt);
    EXPECT_EQ(error.message, damaged(how));
    ledger = fail(Error{});
    std::filesystem::remove(file());
  }
}

TEST_F(VerifyLedgerTest, ATruncatedFileIsDamage) {
  make_some();
  const std::string whole = read_file();
  for (const std::size_t size : {std::size_t{50}, std::size_t{512}, whole.size() / 2, whole.size() - 4096}) {
    SCOPED_TRACE(size);
    write_file(whole.substr(0, size));
    auto ledger = try_open();
    const auto found = ledger ? contents_of(**ledger) : Result<VerifyModel>(fail(ledger.error()));
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::corrupt);
    EXPECT_EQ(found.error().message.find("verification \"" + file().string() + "\" is damaged ("), 0u);
  }
}

}  // namespace
}  // namespace messina::state
