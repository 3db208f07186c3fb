// The copy on real event loops: several threads, real timers. What the simulation cannot show: races. For
// TSan above all.
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "jobs/copy.h"
#include "jobs/copy_internal.h"
#include "jobs/progress_json.h"
#include "net/event_loop.h"
#include "world.h"

namespace messina::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kItems = 3000, kSegments = 40, kPageItems = 25;

/// Both tables, behind a lock.
struct Tables {
  std::mutex mutex;
  Random random{42};
  std::map<KeyId, Version> target;
  std::uint64_t puts = 0;

  bool chance(double probability) {
    const std::lock_guard lock(mutex);
    return random.chance(probability);
  }
};

class Catalog final : public endpoints::Catalog {
 public:
  Task<Result<endpoints::TableDescription>> describe(std::vector<std::string>*) override {
    endpoints::TableDescription table;
    table.id = "id";
    table.item_count = kItems;
    table.tags = tags_;
    co_return table;
  }
  Task<Result<void>> tag(std::map<std::string, std::string> tags) override {
    tags_ = std::move(tags);
    co_return Result<void>();
  }
  Task<Result<void>> create(const endpoints::TableDescription&) override {
    co_return fail(ErrorKind::exists, "exists");
  }
  Task<Result<void>> remove() override { co_return fail(ErrorKind::internal, "no job deletes tables"); }
  Task<Result<bool>> empty() override { co_return true; }

 private:
  std::map<std::string, std::string> tags_;
};

class Scan final : public endpoints::Scannable {
 public:
  Scan(Loop& loop, Tables& tables) : loop_(loop), tables_(tables) {}
  Task<Result<std::vector<endpoints::Unit>>> plan(const endpoints::PlanHints&) override {
    std::vector<endpoints::Unit> units;
    for (std::uint32_t i = 0; i < kSegments; ++i) {
      units.push_back({.id = fmt::format("segment {}/{}", i, kSegments), .spec = segment_spec(i)});
    }
    co_return units;
  }
  Task<Result<endpoints::Page>> read(const endpoints::Unit& unit, const endpoints::Cursor& cursor) override {
    const std::uint32_t segment = parse_segment(unit.spec);
    const KeyId from = parse_cursor(cursor.bytes);
    co_await loop_.sleep_for(100us, nullptr);
    if (tables_.chance(0.02)) co_return fail(ErrorKind::transient, "the connection was cut");
    endpoints::Page page;
    std::vector<std::size_t> ends;
    KeyId key = from;
    for (; key < kItems && ends.size() < kPageItems; ++key) {
      if (key % kSegments != segment) continue;
      page.bytes.append(item_json({key, 1}));
      ends.push_back(page.bytes.size());
    }
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      page.records.push_back(page.bytes.view().substr(begin, end - begin));
      begin = end;
    }
    page.end = key >= kItems;
    page.next.bytes = cursor_text(key);
    page.cost_rcu = 1;
    co_return page;
  }

 private:
  Loop& loop_;
  Tables& tables_;
};

class Put final : public endpoints::Writable {
 public:
  Put(Loop& loop, Tables& tables) : loop_(loop), tables_(tables) {}
  endpoints::WriteCaps caps() const override {
    endpoints::WriteCaps caps;
    caps.max_items = 7;
    return caps;
  }
  Task<endpoints::WriteOutcome> write(std::span<const endpoints::WriteRequest>) override {
    endpoints::WriteOutcome outcome;
    outcome.error = Error{ErrorKind::internal, "a copy only puts"};
    co_return outcome;
  }
  Task<endpoints::WriteOutcome> put(std::span<const std::string_view> records) override {
    co_await loop_.sleep_for(50us, nullptr);
    endpoints::WriteOutcome outcome;
    const std::lock_guard lock(tables_.mutex);
    ++tables_.puts;
    if (tables_.random.chance(0.02)) {
      outcome.error = Error{ErrorKind::unknown_outcome, "the connection was cut"};
      co_return outcome;
    }
    for (std::uint32_t i = 0; i < records.size(); ++i) {
      const ItemState item = parse_item(records[i]);
      if (item.key == 77) {
        outcome.error = Error{ErrorKind::refused, "not valid", "ValidationException"};
        co_return outcome;
      }
      if (tables_.random.chance(0.01)) {
        outcome.unprocessed.push_back(i);
      } else {
        tables_.target[item.key] = item.version;
      }
    }
    co_return outcome;
  }

 private:
  Loop& loop_;
  Tables& tables_;
};

class Store final : public state::JobStore {
 public:
  explicit Store(Loop& loop) : loop_(loop) {}
  Task<Result<std::optional<state::JobState>>> load() override { co_return job; }
  Task<Result<void>> begin(const state::JobState& fresh) override {
    job = fresh;
    co_return Result<void>();
  }
  Task<Result<void>> commit(const state::Commit& step) override {
    co_await loop_.sleep_for(1ms, nullptr);
    state::apply(*job, step);
    co_return Result<void>();
  }
  Task<Result<std::vector<std::string>>> live_reject_keys() override { co_return std::vector<std::string>(); }
  Task<Result<std::vector<state::Reject>>> rejects(const state::RejectFilter&) override {
    co_return std::vector<state::Reject>();
  }
  std::optional<state::JobState> job;

 private:
  Loop& loop_;
};

struct Machine {
  Machine() {
    for (int i = 0; i < 4; ++i) loops.push_back(std::make_unique<net::EventLoop>(fmt::format("loop {}", i)));
    for (auto& loop : loops) {
      jobs::Lane lane;
      lane.loop = loop.get();
      lane.source.display = "the source";
      lane.source.catalog = std::make_unique<Catalog>();
      lane.source.scan = std::make_unique<Scan>(*loop, tables);
      lane.target.display = "the target";
      lane.target.catalog = std::make_unique<Catalog>();
      lane.target.put = std::make_unique<Put>(*loop, tables);
      lanes.push_back(std::move(lane));
    }
    store = std::make_unique<Store>(*loops.front());
    options.units_per_lane = 3;
    options.write_concurrency = 6;
    options.memory_bytes = 4 << 20;
    options.clock_error = 1ms;
    options.dead_after = 2ms;
    tuning.commit_period = 2ms;
    tuning.reserve_units = 2;
  }
  Result<jobs::CopySummary> copy(Stop& stop) {
    jobs::CopyContext context{
        .lanes = &lanes, .store = store.get(), .board = &board, .stop = &stop, .random = Random(7)};
    return net::run_on(*loops.front(), jobs::run_copy(context, options, tuning, nullptr));
  }

  Tables tables;
  std::vector<std::unique_ptr<net::EventLoop>> loops;
  std::vector<jobs::Lane> lanes;
  std::unique_ptr<Store> store;
  jobs::ProgressBoard board;
  jobs::CopyOptions options;
  jobs::CopyTuning tuning;
};

TEST(CopyThreads, FourLoopsCopyATable) {
  Machine machine;
  Stop stop;
  const Result<jobs::CopySummary> summary = machine.copy(stop);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->counts.read_items, kItems);
  EXPECT_EQ(summary->counts.written_items, kItems - 1);
  EXPECT_EQ(summary->counts.rejected_items, 1u);
  EXPECT_EQ(machine.tables.target.size(), kItems - 1);
  EXPECT_EQ(machine.store->job->phase, state::JobPhase::done);
  EXPECT_FALSE(machine.store->job->heartbeat_unix_ms);
  const Result<jobs::Progress> last = jobs::progress_from_json(machine.store->job->snapshot_json);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->phase, "done");
  EXPECT_EQ(last->counts, summary->counts);
}

TEST(CopyThreads, AStopFromAnotherThreadIsFollowedByTheRest) {
  Machine machine;
  bool done = false;
  for (int runs = 0; runs < 200 && !done; ++runs) {
    Stop stop;
    std::jthread stopper([&machine, &stop] {
      // After some writes, however long they take.
      std::uint64_t before = 0;
      {
        const std::lock_guard lock(machine.tables.mutex);
        before = machine.tables.puts;
      }
      for (int i = 0; i < 1'000'000; ++i) {
        const std::lock_guard lock(machine.tables.mutex);
        if (machine.tables.puts > before + 100) break;
      }
      stop.request();
    });
    const Result<jobs::CopySummary> summary = machine.copy(stop);
    done = summary.has_value();
    if (!done) {
      ASSERT_EQ(summary.error().kind, ErrorKind::stopped) << summary.error().message;
    }
  }
  ASSERT_TRUE(done);
  EXPECT_EQ(machine.tables.target.size(), kItems - 1);
}

}  // namespace
}  // namespace messina::simulation
