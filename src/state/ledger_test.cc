#include "state/ledger.h"

#include <fstream>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/random_commits.h"
#include "state/temp_folder.h"

namespace messina::state {
namespace {

using testing::Contents;

constexpr Ledger::RejectFilter kAllRejects{.live_only = false, .after_id = {}, .limit = 100'000};

class LedgerTest : public ::testing::Test {
 protected:
  std::filesystem::path folder() const { return temp_.path() / "orders-to-orders-0123456789ab"; }
  std::filesystem::path file() const { return folder() / "ledger.db"; }

  Result<std::unique_ptr<Ledger>> try_open(Access access = Access::read_write) const {
    return Ledger::open(folder(), {.access = access});
  }
  std::unique_ptr<Ledger> open(Access access = Access::read_write) const {
    auto ledger = try_open(access);
    EXPECT_TRUE(ledger) << ledger.error().message;
    return ledger ? std::move(*ledger) : nullptr;
  }
  static Contents contents(Ledger& ledger) {
    auto job = ledger.load();
    auto rejects = ledger.rejects(kAllRejects);
    EXPECT_TRUE(job) << job.error().message;
    EXPECT_TRUE(rejects) << rejects.error().message;
    if (!job || !rejects) return {};
    for (Reject& reject : *rejects) reject.id = 0;
    return {std::move(*job), std::move(*rejects)};
  }
  /// As a person with the sqlite3 shell would.
  void shell(const std::string& sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  std::string read_file() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write_file(const std::string& bytes) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string damaged(const std::string& how) const {
    return "ledger \"" + file().string() + "\" is damaged (" + how +
           "): move it aside, together with its -wal and -shm files, and start over with --restart "
           "--into-existing";
  }
  /// A job of 200 units with rejects, whose process was killed (its heartbeat stands) or came to a clean end.
  void upgrade(Contents made) const;
  Contents make_job(bool clean_end) const {
    auto ledger = open();
    Random random(5);
    JobState job = testing::random_job(random, 0);
    for (int i = 0; i < 200; ++i) {
      job.units.push_back({"segment-" + std::to_string(i), "{\"segment\":1}", UnitState::pending, "", {}});
    }
    EXPECT_TRUE(ledger->begin(job));
    Contents made;
    made.begin(job);
    for (int i = 0; i < 10; ++i) {
      Commit commit = testing::random_commit(random, job, 1'000);
      commit.clean_end = clean_end && i == 9;
      EXPECT_TRUE(ledger->commit(commit));
      made.commit(commit);
    }
    return made;
  }

  testing::TempFolder temp_;
};

// Format 2 was the present one without the tables `live` and `reject_key`, and each reject was of a unit;
// format 1 had no table `spool` either.
TEST_F(LedgerTest, OlderFormatsAreUpgradedInPlaceAndReadAsTheyAre) {
  for (const int format : {1, 2}) {
    SCOPED_TRACE(format);
    std::filesystem::remove(file());
    Contents made = make_job(true);
    made.job->live = {};
    for (Reject& reject : made.rejects) {
      reject.key.clear();
      if (reject.unit.empty()) reject.unit = "segment-0";
    }
    shell(
        "DROP TABLE live; DROP TABLE reject_key; UPDATE reject SET unit = 'segment-0' WHERE unit IS NULL;"
        " PRAGMA user_version = 2");
    if (format == 1) {
      made.job->spool.reset();
      shell("DROP TABLE spool; PRAGMA user_version = 1");
    }
    upgrade(made);
  }
}

void LedgerTest::upgrade(Contents made) const {
  EXPECT_EQ(contents(*open(Access::read_only)), made);
  Commit commit;
  commit.spool = SpoolStamp{"spool", 5};
  commit.live.emplace().authority = {"owner", 1};
  commit.rejects.push_back({.unit = "", .reason = "no", .code = "", .item = "{}", .key = "k"});
  auto ledger = open();
  EXPECT_EQ(contents(*ledger), made);
  ASSERT_TRUE(ledger->commit(commit));
  made.commit(commit);
  EXPECT_EQ(contents(*ledger), made);
  ledger.reset();
  EXPECT_EQ(contents(*open(Access::read_only)), made);
}

TEST_F(LedgerTest, NothingWasBegunInAFreshLedger) {
  auto ledger = open();
  EXPECT_EQ(contents(*ledger), Contents{});
  EXPECT_EQ(ledger->commit({}).error().kind, ErrorKind::internal);
}

// apply() is the meaning of commit().
TEST_F(LedgerTest, AnOwnerThatWasReservedIsThereBeforeTheJobAndStaysWithIt) {
  auto ledger = open();
  EXPECT_EQ(ledger->reserved_authority(), Authority());
  const Authority ours{"us", 1};
  ASSERT_TRUE(ledger->reserve_authority(ours));
  ledger = open();
  EXPECT_FALSE(ledger->load()->has_value());
  EXPECT_EQ(ledger->reserved_authority(), ours);
  ASSERT_TRUE(ledger->begin({}));
  EXPECT_EQ((*ledger->load())->live.authority, ours);
}

TEST_F(LedgerTest, RandomCommitsMeanWhatApplySays) {
  Contents expected;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    auto ledger = open();
    JobState job = testing::random_job(random, 60);
    job.live.history_epoch = random.below(5);
    ASSERT_TRUE(ledger->begin(job));  // replaces most of the former seed's
    expected.begin(job);
    ASSERT_EQ(contents(*ledger), expected);
    for (int i = 0; i < 12; ++i) {
      const Commit commit = testing::random_commit(random, job, 6'000);
      auto done = ledger->commit(commit);
      ASSERT_TRUE(done) << done.error().message;
      expected.commit(commit);
      if (i % 4 == 0) ledger = open();
      ASSERT_EQ(contents(*ledger), expected);
    }
  }
}

TEST_F(LedgerTest, ACommitThatNamesNoUnitChangesNothing) {
  const Contents made = make_job(false);
  auto ledger = open();
  Commit commit;
  commit.steps.push_back({0, "moved", UnitState::done, {}});
  commit.steps.push_back({200, "moved", UnitState::done, {}});
  EXPECT_EQ(ledger->commit(commit).error().kind, ErrorKind::internal);
  commit.steps.pop_back();
  commit.rejects.push_back({0, "no such unit", "", "", "{}", 0, true});
  EXPECT_EQ(ledger->commit(commit).error().kind, ErrorKind::internal);
  EXPECT_EQ(contents(*ledger), made);
}

TEST_F(LedgerTest, AMillionUnits) {
  auto ledger = open();
  JobState job;
  job.units.resize(1'000'000);
  for (std::size_t i = 0; i < job.units.size(); ++i) {
    job.units[i].id = "segment-" + std::to_string(i);
    job.units[i].spec = "{\"segment\":" + std::to_string(i) + ",\"of\":1000000}";
  }
  ASSERT_TRUE(ledger->begin(job));
  Commit commit;
  commit.steps.push_back({999'999, "cursor", UnitState::done, {1, 2, 3, 2, 0, 0.5, 0}});
  ASSERT_TRUE(ledger->commit(commit));
  apply(job, commit);
  auto found = ledger->load();
  ASSERT_TRUE(found && *found);
  EXPECT_TRUE(**found == job);
}

TEST_F(LedgerTest, RejectsAreListedSettledAndRefusedAgain) {
  auto ledger = open();
  JobState job;
  job.units = {{"a", "", {}, "", {}}, {"b", "", {}, "", {}}};
  ASSERT_TRUE(ledger->begin(job));
  Commit commit;
  const std::string original("{\"k\":{\"S\":\"\x00\xff\"}}", 16);
  commit.steps.push_back({1, "c", UnitState::pending, {1, 3, 30, 1, 2, 0, 0}});
  commit.rejects.push_back({0, "b", "too large", "ValidationException", original, 17, true});
  commit.rejects.push_back({0, "b", "empty key", "ValidationException", "{}", 18, true});
  ASSERT_TRUE(ledger->commit(commit));

  auto live = ledger->rejects({});
  ASSERT_TRUE(live);
  ASSERT_EQ(live->size(), 2u);
  EXPECT_EQ((*live)[0].item, original);
  const std::uint64_t first = (*live)[0].id, second = (*live)[1].id;
  EXPECT_EQ(ledger->rejects({.live_only = true, .after_id = first, .limit = 10})->size(), 1u);
  EXPECT_EQ(ledger->rejects({.live_only = true, .after_id = {}, .limit = 1})->size(), 1u);

  const std::vector<std::uint64_t> ids{first, first, 4711};
  ASSERT_TRUE(ledger->settle_rejects(ids));
  ASSERT_TRUE(ledger->settle_rejects(ids));  // once is enough
  ASSERT_TRUE(ledger->update_reject(second, "still empty", "Validation", 19));
  EXPECT_EQ(ledger->update_reject(4711, "", "", 0).error().kind, ErrorKind::not_found);

  live = ledger->rejects({});
  ASSERT_EQ(live->size(), 1u);
  EXPECT_EQ((*live)[0], (Reject{second, "b", "still empty", "Validation", "{}", 19, true}));
  EXPECT_EQ(ledger->rejects(kAllRejects)->size(), 2u);
  auto state = ledger->load();
  EXPECT_EQ((*state)->live_rejects, 1u);
  EXPECT_EQ((*state)->units[1].counts, (Counts{1, 3, 30, 2, 1, 0, 0}));
}

TEST_F(LedgerTest, IsReadWhileItIsWritten) {
  EXPECT_EQ(try_open(Access::read_only).error().kind, ErrorKind::not_found);
  auto writer = open();
  EXPECT_TRUE(open(Access::read_only));
  JobState job;
  job.units = {{"a", "", {}, "", {}}};
  ASSERT_TRUE(writer->begin(job));
  auto reader = open(Access::read_only);
  Commit commit;
  commit.heartbeat_unix_ms = 42;
  ASSERT_TRUE(writer->commit(commit));
  EXPECT_EQ((*reader->load())->heartbeat_unix_ms, 42);
  EXPECT_FALSE(reader->commit(commit));
}

/// Runs `body` in a child process and gives its exit status; as an unprivileged user if we are root.
template <class Body>
int in_unprivileged_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(99);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(LedgerTest, IsReadAfterItsWriterWasKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto ledger = try_open();
    JobState job;
    job.units = {{"a", "", {}, "", {}}};
    Commit commit;
    commit.heartbeat_unix_ms = 42;
    ::_exit(ledger && (*ledger)->begin(job) && (*ledger)->commit(commit) ? 0
                                                                         : 1);  // without closing anything
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_GT(std::filesystem::file_size(file().string() + "-wal"), 0u);
  for (const bool with_shm : {true, false}) {
    if (!with_shm) std::filesystem::remove(file().string() + "-shm");
    auto reader = open(Access::read_only);
    auto state = reader->load();
    ASSERT_TRUE(state && *state);
    EXPECT_EQ((*state)->heartbeat_unix_ms, 42);
  }
}

TEST_F(LedgerTest, IsReadInAFolderThatCannotBeWritten) {
  const Contents made = make_job(true);
  std::filesystem::permissions(temp_.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(folder(), std::filesystem::perms(0555));
  std::filesystem::permissions(file(), std::filesystem::perms(0444));
  const int status = in_unprivileged_child([&] {
    auto reader = try_open(Access::read_only);
    if (!reader) return 1;
    auto state = (*reader)->load();
    return state && *state == made.job ? 0 : 2;
  });
  std::filesystem::permissions(folder(), std::filesystem::perms::owner_all);
  EXPECT_EQ(status, 0);
}

TEST_F(LedgerTest, FilesAreTheirOwnersAloneWhateverTheUmask) {
  for (const mode_t mask : {0000u, 0777u}) {
    testing::TempFolder temp;
    const std::filesystem::path inner = temp.path() / "m";
    const mode_t before = ::umask(mask);
    auto ledger = Ledger::open(inner, {});
    const bool begun = ledger && (*ledger)->begin({});
    ::umask(before);
    ASSERT_TRUE(ledger) << ledger.error().message;
    EXPECT_TRUE(begun);
    EXPECT_EQ(std::filesystem::status(inner).permissions(), std::filesystem::perms(0700));
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(inner)) {
      EXPECT_EQ(entry.status().permissions(), std::filesystem::perms(0600)) << entry.path();
      ++files;
    }
    EXPECT_EQ(files, 3);  // with -wal and -shm
  }
}

TEST_F(LedgerTest, ANewerFormatIsRefused) {
  make_job(true);
  shell("PRAGMA user_version = 4");
  for (const Access access : {Access::read_write, Access::read_only}) {
    auto ledger = try_open(access);
    ASSERT_FALSE(ledger);
    EXPECT_EQ(ledger.error().kind, ErrorKind::needs_person);
    EXPECT_EQ(ledger.error().message,
              "ledger \"" + file().string() +
                  "\" has format 4, and this messina knows formats up to 3: use the newer "
                  "messina that wrote it, or begin anew with another --state");
  }
}

TEST_F(LedgerTest, ALockHeldByAShellIsNamed) {
  make_job(true);
  auto opened = Ledger::open(
      folder(), {.access = Access::read_write, .busy_timeout = std::chrono::milliseconds(20), .vfs = ""});
  ASSERT_TRUE(opened);
  const std::unique_ptr<Ledger>& ledger = *opened;
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto done = ledger->commit({});
  sqlite3_close(db);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::busy);
  EXPECT_NE(done.error().message.find("is locked by another program"), std::string::npos);
  EXPECT_TRUE(ledger->commit({}));
}

TEST_F(LedgerTest, OtherFilesAreNotTaken) {
  std::filesystem::create_directory(folder());
  write_file(std::string(5000, 'x'));
  EXPECT_EQ(try_open().error().message, damaged("file is not a database"));
  EXPECT_EQ(try_open().error().kind, ErrorKind::corrupt);
  std::filesystem::remove(file());
  shell("CREATE TABLE other (x)");
  const std::string others = read_file();
  EXPECT_EQ(try_open().error().message, damaged("it is no ledger of messina"));
  EXPECT_EQ(read_file(), others);
  EXPECT_EQ(try_open(Access::read_only).error().message, damaged("it is no ledger of messina"));
}

TEST_F(LedgerTest, AMissingTableIsDamage) {
  make_job(true);
  shell("DROP TABLE reject");
  EXPECT_EQ(try_open().error().message, damaged("its tables are not those of its format"));
}

TEST_F(LedgerTest, ATruncatedFileIsDamage) {
  make_job(false);
  const std::string whole = read_file();
  for (const std::size_t size : {std::size_t{50}, std::size_t{512}, whole.size() / 2, whole.size() - 4096}) {
    SCOPED_TRACE(size);
    write_file(whole.substr(0, size));
    auto ledger = try_open();
    ASSERT_FALSE(ledger);
    EXPECT_EQ(ledger.error().kind, ErrorKind::corrupt);
    EXPECT_EQ(ledger.error().message.find("ledger \"" + file().string() + "\" is damaged ("), 0u);
  }
}

// A page of garbage is found, at the latest when it is read; or it was one that holds nothing.
TEST_F(LedgerTest, AGarbledPageIsNeverTakenForContents) {
  for (const bool clean_end : {true, false}) {
    const Contents made = make_job(clean_end);
    const std::string whole = read_file();
    const std::size_t pages = whole.size() / 4096;
    ASSERT_GT(pages, 8u);
    int found = 0;
    for (std::size_t page = 0; page < pages; ++page) {
      SCOPED_TRACE("page " + std::to_string(page) + (clean_end ? ", clean end" : ""));
      Random random(page + 1);
      std::string bytes = whole;
      for (std::size_t i = 0; i < 4096; ++i) bytes[page * 4096 + i] = static_cast<char>(random.next());
      write_file(bytes);
      const auto expect_named = [&](const Error& error) {
        ++found;
        EXPECT_EQ(error.kind, ErrorKind::corrupt) << error.message;
        EXPECT_EQ(error.message.find("ledger \"" + file().string() + "\" is damaged ("), 0u) << error.message;
      };
      auto ledger = try_open();
      if (!ledger) {
        expect_named(ledger.error());
        continue;
      }
      auto job = (*ledger)->load();
      auto rejects = (*ledger)->rejects(kAllRejects);
      if (!job) {
        expect_named(job.error());
      } else if (!rejects) {
        expect_named(rejects.error());
      } else {
        EXPECT_EQ(contents(**ledger), made);
        EXPECT_TRUE(clean_end) << "quick_check should have found it";
      }
    }
    EXPECT_GT(found, static_cast<int>(pages / 2));
    std::filesystem::remove(file());
  }
}

}  // namespace
}  // namespace messina::state
