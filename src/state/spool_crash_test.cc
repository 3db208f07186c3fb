// kill -9 at random moments: everything acknowledged is there, nothing is half there, and the spool opens.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/spool_model.h"
#include "state/spool_test_support.h"

namespace messina::state {
namespace {

using testing::kStream;

constexpr const char* kFolderVariable = "MESSINA_SPOOL_CRASH_FOLDER";
constexpr const char* kSeedVariable = "MESSINA_SPOOL_CRASH_SEED";

/// Step `step` of a run: some puts of a few keys, and a position that counts the steps. The same for the same
/// seed, so that the parent knows what its child did.
SpoolBatch batch_of(std::uint64_t seed, std::uint64_t step) {
  Random random(seed * 1'000'003 + step);
  SpoolBatch batch;
  batch.domain = kStream;
  for (std::uint64_t n = 1 + random.below(30); n > 0; --n) {
    std::string bytes(random.below(3000), 'x');
    bytes += std::to_string(step);
    const std::string key = "key-" + std::to_string(random.below(200));
    batch.puts.push_back(random.chance(0.1)   ? testing::removal(key, step)
                         : random.chance(0.1) ? testing::reread(key)
                                              : testing::image(key, step, std::move(bytes)));
  }
  batch.positions.push_back({"shard", std::to_string(step), 0, ShardState::reading, 0});
  return batch;
}

/// What is taken and settled after a step's put.
TakeRequest take_of(std::uint64_t step) { return {.restart = true, .max_entries = 1 + step % 20}; }
std::vector<Settled> to_settle(const std::vector<SpoolEntry>& taken) {
  std::vector<Settled> written;
  for (const SpoolEntry& entry : taken) written.push_back({entry.key, entry.generation});
  return written;
}

/// How many touches are forgotten after that.
std::size_t to_forget(std::uint64_t step) { return step % 12; }

/// What the child runs: puts, takes, settles and forgets until it is killed; a line for every acknowledged
/// put.
TEST(SpoolCrash, DISABLED_Child) {
  const char* const folder = std::getenv(kFolderVariable);
  ASSERT_NE(folder, nullptr);
  const std::uint64_t seed = std::strtoull(std::getenv(kSeedVariable), nullptr, 10);
  SystemClock clock;
  Random random(seed);
  SpoolOptions options{.memory = std::make_shared<SpoolMemory>(16u << 20), .reserve_bytes = 0};
  options.rewrite_queue_from = 300;
  options.forget_as_range_from = 4;
  auto spool = Spool::open(folder, options, clock, random);
  ASSERT_TRUE(spool) << spool.error().message;
  const auto commit = [&spool](Spool::Call call) {
    Spool::Call* const calls[] = {&call};
    (*spool)->commit(calls);
    if (!call.result) std::abort();
  };
  commit({.what = Spool::Domain{kStream}});
  std::uint64_t step = 1;
  if (const auto positions = (*spool)->positions(); positions && !positions->empty()) {
    step = std::stoull(positions->front().sequence_number) + 1;
  } else {
    commit({.what = Spool::KeepTouches{true}});
  }
  for (;; ++step) {
    const SpoolBatch batch = batch_of(seed, step);
    commit({.what = Spool::Put{&batch, {}}});
    std::printf("%llu\n", static_cast<unsigned long long>(step));
    std::fflush(stdout);
    const auto taken = (*spool)->take(take_of(step));
    if (!taken) std::abort();
    const auto written = to_settle(taken->entries);
    commit({.what = Spool::Settle{&written}});
    const auto touches = (*spool)->touches("", to_forget(step));
    if (!touches) std::abort();
    commit({.what = Spool::ForgetTouches{&*touches}});
  }
}

/// Runs the child until it has said `lines` lines, and kills it. The last line.
std::uint64_t run_and_kill(const std::filesystem::path& folder, std::uint64_t seed, std::uint64_t lines) {
  std::array<int, 2> pipe_ends{};
  EXPECT_EQ(::pipe(pipe_ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe_ends[1], STDOUT_FILENO);
    ::close(pipe_ends[0]);
    ::close(pipe_ends[1]);
    ::setenv(kFolderVariable, folder.c_str(), 1);
    ::setenv(kSeedVariable, std::to_string(seed).c_str(), 1);
    ::execl("/proc/self/exe", "state_test", "--gtest_filter=SpoolCrash.DISABLED_Child",
            "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr);
    ::_exit(127);
  }
  ::close(pipe_ends[1]);
  std::FILE* const out = ::fdopen(pipe_ends[0], "r");
  std::uint64_t last = 0;
  std::array<char, 256> line{};
  std::uint64_t seen = 0;
  while (std::fgets(line.data(), line.size(), out) != nullptr) {
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(line.data(), &end, 10);
    if (end == line.data() || *end != '\n') continue;  // GoogleTest's own
    last = number;
    if (++seen == lines) ::kill(child, SIGKILL);  // what it has said meanwhile is read, too
  }
  std::fclose(out);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the child failed by itself";
  return last;
}

/// Everything that is there.
struct Contents {
  std::vector<SpoolEntry> entries;  ///< `captured` is of another process's clock and left out
  std::vector<Touch> touches;
  bool same(const Contents& other) const {
    return testing::same(entries, other.entries) && touches == other.touches;
  }
  std::string describe() const {
    return testing::describe(entries) + "touches:\n" + testing::describe(touches);
  }
};
/// Takes, and releases again.
template <class Take, class Release>
std::vector<SpoolEntry> entries_by(Take take, Release release) {
  std::vector<SpoolEntry> entries = take(TakeRequest{.restart = true, .max_entries = 10'000});
  std::vector<std::string> keys;
  for (SpoolEntry& entry : entries) {
    keys.push_back(entry.key);
    entry.captured = {};
  }
  release(keys);
  return entries;
}
Contents contents(SpoolModel& model) {
  auto entries = entries_by([&model](const TakeRequest& request) { return model.take(request).entries; },
                            [&model](const std::vector<std::string>& keys) { model.release(keys); });
  return {std::move(entries), model.touches("", 10'000)};
}
Contents contents(Spool& spool) {
  auto entries = entries_by(
      [&spool](const TakeRequest& request) {
        auto taken = spool.take(request);
        EXPECT_TRUE(taken) << taken.error().message;
        return taken ? std::move(taken->entries) : std::vector<SpoolEntry>();
      },
      [&spool](const std::vector<std::string>& keys) { spool.release(keys); });
  return {std::move(entries), spool.touches("", 10'000).value()};
}

// The model takes the same steps. A kill leaves the spool as it was after one of them: the last acknowledged
// one at least.
TEST(SpoolCrash, WhatWasAcknowledgedSurvivesAKill) {
  std::random_device device;
  const char* const given = std::getenv("MESSINA_SPOOL_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : device();
  SCOPED_TRACE("MESSINA_SPOOL_SEED=" + std::to_string(seed));
  Random random(seed);
  testing::TempFolder temp;
  const std::filesystem::path folder = temp.path() / "spool";
  SystemClock clock;
  SpoolModel model("model");
  model.begin_domain(kStream);
  model.keep_touches();
  std::uint64_t done = 0;  // steps that the model has taken
  for (int kill = 0; kill < 10; ++kill) {
    SCOPED_TRACE("kill " + std::to_string(kill));
    const std::uint64_t acknowledged = run_and_kill(folder, seed, 1 + random.below(60));
    auto spool = Spool::open(folder, {.memory = std::make_shared<SpoolMemory>(16u << 20)}, clock, random);
    ASSERT_TRUE(spool) << spool.error().message;
    const auto positions = (*spool)->positions();
    ASSERT_TRUE(positions && positions->size() == 1);
    const std::uint64_t found = std::stoull(positions->front().sequence_number);
    ASSERT_GE(found, acknowledged);
    EXPECT_TRUE((*spool)->keeps_touches());
    const Contents there = contents(**spool);

    model.open({});
    while (done < found) {
      ++done;
      ASSERT_TRUE(model.put(batch_of(seed, done)));
      if (done == found && there.same(contents(model))) break;  // killed before it settled
      const Taken taken = model.take(take_of(done));
      model.settle(to_settle(taken.entries), {});
      if (done == found && there.same(contents(model))) break;  // killed before it forgot touches
      model.forget_touches(model.touches("", to_forget(done)));
    }
    const Contents expected = contents(model);
    ASSERT_TRUE(there.same(expected)) << "found:\n"
                                      << there.describe() << "expected:\n"
                                      << expected.describe();
  }
}

}  // namespace
}  // namespace messina::state
