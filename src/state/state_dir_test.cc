#include <array>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/ledger.h"
#include "state/temp_folder.h"

namespace messina::state {
namespace {

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::filesystem::perms permissions(const std::filesystem::path& path) {
  return std::filesystem::status(path).permissions();
}

std::string host() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

ManualClock clock_at(std::int64_t unix_s) {
  ManualClock clock;
  clock.set_wall(WallTime(std::chrono::seconds(unix_s)));
  return clock;
}

TEST(MigrationFolder, IsReadableAndUnique) {
  const std::string folder =
      migration_folder({"dynamodb://us-east-1/orders", "alternator://db-1:8000/orders"});
  EXPECT_EQ(folder.substr(0, 17), "orders-to-orders-");
  EXPECT_EQ(folder.size(), 17u + 12u);
  EXPECT_EQ(folder, migration_folder({"dynamodb://us-east-1/orders", "alternator://db-1:8000/orders"}));
  EXPECT_NE(folder, migration_folder({"dynamodb://eu-west-1/orders", "alternator://db-1:8000/orders"}));
  EXPECT_NE(migration_folder({"a", "bc"}), migration_folder({"ab", "c"}));
}

TEST(MigrationFolder, IsASafeName) {
  for (const std::string& uri :
       {std::string("x://h/.."), std::string("/"), std::string(), std::string("a/-rf *\n"),
        std::string(10'000, 'x'), std::string("x://h/\xff\x01")}) {
    const std::string folder = migration_folder({uri, uri});
    EXPECT_LT(folder.size(), 200u);
    EXPECT_NE(folder.front(), '-');
    EXPECT_NE(folder.front(), '.');
    EXPECT_EQ(folder.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"),
              std::string::npos)
        << folder;
  }
}

TEST(StateDir, IsPrivateAndSaysWhy) {
  testing::TempFolder temp;
  const auto dir = temp.path() / "deep" / "state";
  const mode_t before = ::umask(0);
  const auto done = prepare_state_dir(dir.string() + "/");
  ::umask(before);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(permissions(dir), std::filesystem::perms(0700));
  EXPECT_EQ(permissions(dir / "README"), std::filesystem::perms(0600));
  EXPECT_NE(read_text(dir / "README").find("Do not share it"), std::string::npos);

  std::filesystem::permissions(dir, std::filesystem::perms(0755));
  ASSERT_TRUE(prepare_state_dir(dir));
  EXPECT_EQ(permissions(dir), std::filesystem::perms(0700));
}

TEST(StateDir, LeavesAFolderOfOthersAsItIs) {
  testing::TempFolder temp;
  std::filesystem::permissions(temp.path(), std::filesystem::perms(0755));
  std::ofstream(temp.path() / "README") << "my project\n";
  ASSERT_TRUE(prepare_state_dir(temp.path()));
  EXPECT_EQ(permissions(temp.path()), std::filesystem::perms(0755));
  EXPECT_EQ(read_text(temp.path() / "README"), "my project\n");
  EXPECT_NE(read_text(temp.path() / "README.messina").find("Do not share it"), std::string::npos);
}

TEST(StateDir, AFileInItsPlaceIsNamed) {
  testing::TempFolder temp;
  std::ofstream(temp.path() / "state") << "x";
  const auto done = prepare_state_dir(temp.path() / "state");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::disk);
  EXPECT_EQ(done.error().message,
            "\"" + (temp.path() / "state").string() +
                "\" cannot be written (Not a directory): check the disk and its permissions, or "
                "choose another place with --state");
}

TEST(StateDir, ListsItsMigrations) {
  testing::TempFolder temp;
  EXPECT_EQ(list_migrations(temp.path() / "none").error().kind, ErrorKind::not_found);
  EXPECT_TRUE(list_migrations(temp.path())->empty());
  ASSERT_TRUE(prepare_state_dir(temp.path()));
  std::filesystem::create_directory(temp.path() / "something else");
  ASSERT_TRUE(Ledger::open(temp.path() / "b", {}));
  ASSERT_TRUE(Ledger::open(temp.path() / "a", {}));
  EXPECT_EQ(*list_migrations(temp.path()),
            (std::vector<std::filesystem::path>{temp.path() / "a", temp.path() / "b"}));
}

TEST(MigrationLock, NamesItsHolder) {
  testing::TempFolder temp;
  const auto folder = temp.path() / migration_folder({"dynamodb://r/orders", "alternator://h:1/orders_2"});
  const ManualClock clock = clock_at(1'780'000'000);
  EXPECT_FALSE(MigrationLock::holder(folder));
  {
    auto lock = MigrationLock::acquire(folder, clock);
    ASSERT_TRUE(lock) << lock.error().message;
    EXPECT_EQ(permissions(folder), std::filesystem::perms(0700));
    EXPECT_EQ(permissions(folder / "lock"), std::filesystem::perms(0600));
    const auto second = MigrationLock::acquire(folder, clock);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::needs_person);
    EXPECT_EQ(second.error().message, "migration \"orders → orders_2\" is being run by pid " +
                                          std::to_string(::getpid()) + " on host " + host() +
                                          " since 2026-05-28T20:26:40Z: wait for it or stop it");
    const auto holder = MigrationLock::holder(folder);
    ASSERT_TRUE(holder);
    EXPECT_EQ(holder->pid, ::getpid());
    EXPECT_EQ(holder->host, host());
    EXPECT_EQ(holder->since, "2026-05-28T20:26:40Z");
    const MigrationLock moved = std::move(*lock);
    EXPECT_TRUE(MigrationLock::holder(folder));
  }
  EXPECT_FALSE(MigrationLock::holder(folder));
  EXPECT_TRUE(MigrationLock::acquire(folder, clock));
}

TEST(MigrationLock, IsFreeAfterItsHolderWasKilled) {
  testing::TempFolder temp;
  const auto folder = temp.path() / "m";
  const ManualClock clock = clock_at(0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = MigrationLock::acquire(folder, clock);
    ::_exit(lock ? 0 : 1);  // as if killed: the lock's text stays behind
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_FALSE(read_text(folder / "lock").empty());
  EXPECT_FALSE(MigrationLock::holder(folder));
  EXPECT_TRUE(MigrationLock::acquire(folder, clock));
}

// `status` looks at the lock by taking it for a moment; that must not turn away the process that is starting.
TEST(MigrationLock, LooksDoNotGetInTheWay) {
  testing::TempFolder temp;
  const auto folder = temp.path() / "m";
  const ManualClock clock = clock_at(0);
  std::atomic<bool> stop = false;
  std::thread looking([&] {
    while (!stop) (void)MigrationLock::holder(folder);
  });
  for (int i = 0; i < 200; ++i) {
    const auto lock = MigrationLock::acquire(folder, clock);
    EXPECT_TRUE(lock) << lock.error().message;
  }
  stop = true;
  looking.join();
}

TEST(MigrationLock, AFolderThatCannotBeMadeIsNamed) {
  const auto lock = MigrationLock::acquire("/proc/none/m", clock_at(0));
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().kind, ErrorKind::disk);
  EXPECT_NE(lock.error().message.find("/proc/none/m"), std::string::npos);
}

}  // namespace
}  // namespace messina::state
