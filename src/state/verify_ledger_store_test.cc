#include "state/verify_ledger_store.h"

#include <filesystem>
#include <memory>
#include <optional>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "state/power_cut_vfs.h"
#include "state/random_verify.h"
#include "state/temp_folder.h"

namespace messina::state {
namespace {

class VerifyLedgerStoreTest : public ::testing::Test {
 protected:
  VerifyLedgerStoreTest() {
    store_ = std::make_unique<VerifyLedgerStore>("/migration", FileOptions{.vfs = disk_.vfs()});
  }
  void run(Task<void> work) {
    asio::co_spawn(loop_, std::move(work), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
    loop_.run();
  }

  testing::Disk disk_;
  asio::io_context loop_;
  std::unique_ptr<VerifyLedgerStore> store_;
};

Task<void> verify(VerifyStore& store, asio::io_context& loop, int& steps) {
  Random random(1);
  auto loaded = co_await store.load();
  EXPECT_TRUE(loaded && !*loaded);
  VerifyModel model;
  const VerifyState fresh = testing::random_verification(random, 10);
  model.begin(fresh);
  auto begun = co_await store.begin(fresh);
  EXPECT_TRUE(begun);
  for (int i = 0; i < 10; ++i) {
    const VerifyCommit step = testing::random_verify_commit(random, *model.state(), 100);
    auto notes = co_await store.commit(step);
    EXPECT_TRUE(notes && *notes == model.commit(step));
    EXPECT_TRUE(loop.get_executor().running_in_this_thread());
    ++steps;
  }
  loaded = co_await store.load();
  EXPECT_TRUE(loaded && *loaded == model.state());
  NoteFilter filter;
  filter.items = true;
  auto notes = co_await store.notes(filter);
  EXPECT_TRUE(notes && *notes == model.notes(filter));
  for (const KeyNote& each : model.notes(filter)) {
    auto note = co_await store.note(each.key);
    EXPECT_TRUE(note && *note == each);
  }
  auto groups = co_await store.groups();
  EXPECT_TRUE(groups && *groups == model.groups());
}

TEST_F(VerifyLedgerStoreTest, AnswersOnTheCallersLoopWhatTheModelSays) {
  int steps = 0;
  run(verify(*store_, loop_, steps));
  EXPECT_EQ(steps, 10);
}

Task<void> commit_without_begin(VerifyStore& store, std::optional<Error>& error) {
  const VerifyCommit step;
  auto done = co_await store.commit(step);
  if (!done) error = done.error();
}

TEST_F(VerifyLedgerStoreTest, ErrorsArriveAsValues) {
  std::optional<Error> error;
  run(commit_without_begin(*store_, error));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::internal);
  EXPECT_EQ(error->message, "verification \"/migration/verification.db\" is not begun: begin() comes first");
}

// Most migrations do not verify: nothing is made, and nothing fails, before the first call.
TEST_F(VerifyLedgerStoreTest, TheFileIsOpenedByTheFirstCall) {
  const testing::TempFolder temp;
  store_ = std::make_unique<VerifyLedgerStore>(temp.path());
  EXPECT_FALSE(std::filesystem::exists(temp.path() / "verification.db"));
  std::optional<Error> error;
  run(commit_without_begin(*store_, error));
  EXPECT_TRUE(std::filesystem::exists(temp.path() / "verification.db"));

  store_ = std::make_unique<VerifyLedgerStore>("/no/such/migration");
  loop_.restart();
  run(commit_without_begin(*store_, error));
  EXPECT_EQ(error->kind, ErrorKind::disk) << error->message;
}

}  // namespace
}  // namespace messina::state
