#include "sim_spool.h"

#include <memory>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

namespace messina::simulation {
namespace {

using state::SpoolBatch;

struct Seen {
  std::uint64_t begun = 0, acknowledged = 0;  ///< numbers of synced puts
  std::uint64_t lazy_begun = 0;
  std::set<std::string> settled;    ///< asked for
  std::set<std::string> forgotten;  ///< touches, likewise
};

/// Puts key n and position n together, again and again; empty polls in between.
Task<void> capture(SimSpool& spool, Seen& seen, std::uint64_t from) {
  auto kept = co_await spool.keeps_touches();
  EXPECT_TRUE(kept && (*kept || from == 1));
  if (kept && !*kept) {
    auto keeping = co_await spool.keep_touches();
    EXPECT_TRUE(keeping);
  }
  for (std::uint64_t n = from;; ++n) {
    SpoolBatch batch;
    batch.puts = {{"key-" + std::to_string(n), state::ChangeKind::reread, {}, {}, 0}};
    batch.positions = {{"shard", std::to_string(n), 0, state::ShardState::reading, 0}};
    seen.begun = n;
    auto put = co_await spool.put(batch);
    if (put) {
      seen.acknowledged = n;
    } else {
      EXPECT_TRUE(state::is_spool_full(put.error()));
      --n;
      continue;
    }
    SpoolBatch poll;
    poll.positions = {
        {"shard", std::to_string(n), static_cast<std::int64_t>(n), state::ShardState::reading, 0}};
    poll.lazy = true;
    seen.lazy_begun = n;
    auto polled = co_await spool.put(poll);
    EXPECT_TRUE(polled);
  }
}

Task<void> apply(SimSpool& spool, Seen& seen) {
  for (;;) {
    const state::TakeRequest request{.restart = true, .max_entries = 3};
    auto taken = co_await spool.take(request);
    EXPECT_TRUE(taken);
    std::vector<state::Settled> written;
    for (const state::SpoolEntry& entry : taken->entries) {
      written.push_back({entry.key, entry.generation});
      seen.settled.insert(entry.key);
    }
    auto settled = co_await spool.settle(written);
    EXPECT_TRUE(settled);
    const std::string from_the_first;
    auto touches = co_await spool.touches(from_the_first, 2);
    EXPECT_TRUE(touches);
    for (const state::Touch& touch : *touches) seen.forgotten.insert(touch.key);
    auto forgotten = co_await spool.forget_touches(*touches);
    EXPECT_TRUE(forgotten);
  }
}

state::KeyStand stand_of(const state::SpoolModel& model, const std::string& key) {
  return model.look_up(std::vector<std::string>{key}).front();
}

TEST(SimSpool, ACrashCutsItBackToADurablePrefix) {
  std::uint64_t lost_lazy = 0, kept_unanswered = 0, came_back = 0, full = 0, touched_again = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Universe universe(seed);
    SpoolDisk disk("spool");
    Seen seen;
    std::uint64_t position = 0;
    for (int life = 0; life < 4; ++life) {
      SimLoop loop(universe);
      {
        const SpoolFaults faults{.slow = 0.1, .full = 0.2, .until = universe.now() + std::chrono::seconds(1)};
        SimSpool spool(loop, disk, universe.random(), faults);
        const auto rethrow = [](std::exception_ptr error) {
          if (error) std::rethrow_exception(error);
        };
        asio::co_spawn(loop.executor(), capture(spool, seen, position + 1), rethrow);
        asio::co_spawn(loop.executor(), apply(spool, seen), rethrow);
        for (std::uint64_t steps = universe.random().below(200); steps > 0; --steps) {
          if (loop.run_one() || !loop.has_timer()) continue;
          universe.advance_to(loop.next_timer());
          loop.fire_due_timers();
        }
        loop.destroy_everything();
      }
      disk.crash(universe.random());

      const auto positions = disk.synced.positions();
      position = positions.empty() ? 0 : std::stoull(positions[0].sequence_number);
      ASSERT_GE(position, seen.acknowledged);
      ASSERT_LE(position, seen.begun);
      if (position > seen.acknowledged) ++kept_unanswered;
      if (!positions.empty() && positions[0].read_until_unix_ms < static_cast<std::int64_t>(seen.lazy_begun))
        ++lost_lazy;
      if (position < seen.begun) ++full;
      for (std::uint64_t n = 1; n <= position; ++n) {
        const std::string key = "key-" + std::to_string(n);
        const bool there = disk.synced.find(key).has_value();
        EXPECT_TRUE(there || seen.settled.contains(key)) << key;
        if (there && seen.settled.contains(key)) ++came_back;
        const bool touched = stand_of(disk.synced, key).touched != 0;
        EXPECT_TRUE(touched || seen.forgotten.contains(key)) << key;
        if (touched && seen.forgotten.contains(key)) ++touched_again;
      }
      EXPECT_EQ(stand_of(disk.synced, "key-" + std::to_string(position + 1)), state::KeyStand{});
      seen.acknowledged = position;
    }
  }
  // Each of these has been seen, so the test looks at what it says it does.
  EXPECT_GT(lost_lazy, 0u);
  EXPECT_GT(kept_unanswered, 0u);
  EXPECT_GT(came_back, 0u);
  EXPECT_GT(full, 0u);
  EXPECT_GT(touched_again, 0u);
}

}  // namespace
}  // namespace messina::simulation
