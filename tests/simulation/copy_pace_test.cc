// A whole copy in virtual time that shares its tables with an application: budgets, CloudWatch, pauses.
#include <cmath>
#include <map>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "jobs/copy_internal.h"
#include "sim_loop.h"
#include "universe.h"

namespace messina::simulation {
namespace {

using namespace std::chrono_literals;

/// A DynamoDB table without items' contents: pages of a fixed size from a strict token bucket that an
/// application draws on, too, and CloudWatch, which is two minutes late.
class SharedTable {
 public:
  SharedTable(SimLoop& loop, double capacity, std::uint32_t segments, std::uint64_t items)
      : loop_(loop),
        capacity_(capacity),
        segments_(segments),
        items_(items),
        saved_(capacity),
        at_(loop.now()) {}

  static constexpr double kItemBytes = 1000;

  bool take(double units) {
    const MonoTime now = loop_.now();
    saved_ = std::min(capacity_, saved_ + capacity_ * std::chrono::duration<double>(now - at_).count());
    at_ = now;
    if (saved_ <= 0) return false;
    saved_ -= units;
    minutes_[std::chrono::floor<std::chrono::minutes>(loop_.wall())] += units;
    return true;
  }

  SimLoop& loop_;
  double capacity_;
  std::uint32_t segments_;
  std::uint64_t items_;  ///< in each segment
  double saved_;
  MonoTime at_;
  std::map<WallTime, double> minutes_;
  std::vector<std::pair<MonoTime, double>> pages_;
  std::uint64_t throttled_ = 0, in_flight_ = 0, most_in_flight_ = 0;
  bool metrics_denied_ = false;
};

class PacedScan final : public endpoints::Scannable {
 public:
  explicit PacedScan(SharedTable& table) : table_(table) {}
  Task<Result<std::vector<endpoints::Unit>>> plan(const endpoints::PlanHints&) override {
    std::vector<endpoints::Unit> units;
    for (std::uint32_t i = 0; i < table_.segments_; ++i)
      units.push_back({fmt::format("segment {}", i), "{}"});
    co_return units;
  }
  Task<Result<endpoints::Page>> read(const endpoints::Unit& unit, const endpoints::Cursor& cursor) override {
    return read_some(unit, cursor, 0);
  }
  Task<Result<endpoints::Page>> read_some(const endpoints::Unit&, const endpoints::Cursor& cursor,
                                          std::uint32_t most_items) override {
    const std::uint64_t from = cursor.bytes.empty() ? 0 : std::stoull(cursor.bytes);
    const std::uint64_t page_items = most_items == 0 ? 1048 : std::min<std::uint64_t>(most_items, 1048);
    const std::uint64_t to = std::min(table_.items_, from + page_items);
    const double units = std::ceil(static_cast<double>(to - from) * SharedTable::kItemBytes / 4096);
    endpoints::Page page;
    page.sent_at = table_.loop_.now();
    const bool taken = table_.take(units);
    if (taken) table_.pages_.emplace_back(table_.loop_.now(), units);
    table_.most_in_flight_ = std::max(table_.most_in_flight_, ++table_.in_flight_);
    co_await table_.loop_.sleep_for(200ms, nullptr);
    --table_.in_flight_;
    if (!taken) {
      ++table_.throttled_;
      Error error{ErrorKind::throttled, "slow down", "ProvisionedThroughputExceededException"};
      error.scope = ThrottleScope::table;
      co_return fail(error);
    }
    // One record stands for all of the page, so that virtual time is not spent on bytes.
    page.bytes.append(fmt::format(R"({{"pk":{{"S":"{}"}}}})", from));
    page.records.assign(to - from, page.bytes.view());
    page.end = to == table_.items_;
    if (!page.end) page.next.bytes = std::to_string(to);
    page.cost_rcu = units;
    co_return page;
  }

 private:
  SharedTable& table_;
};

class PacedCapacity final : public endpoints::Capacity {
 public:
  explicit PacedCapacity(SharedTable& table) : table_(table) {}
  Task<Result<endpoints::TableCapacity>> describe() override {
    endpoints::TableCapacity capacity;
    capacity.reads.provisioned = table_.capacity_;
    co_return capacity;
  }
  Task<Result<std::vector<endpoints::Consumption>>> consumed(WallTime from, WallTime to) override {
    if (table_.metrics_denied_) co_return fail(ErrorKind::denied, "not authorized");
    std::vector<endpoints::Consumption> periods;
    for (const auto& [minute, units] : table_.minutes_) {
      if (minute >= from && minute < to && minute + 2min <= table_.loop_.wall())
        periods.push_back({minute, 60s, units, 0});
    }
    co_return periods;
  }

 private:
  SharedTable& table_;
};

class PacedCatalog final : public endpoints::Catalog {
 public:
  PacedCatalog(std::string id, SharedTable* table) : id_(std::move(id)), table_(table) {}
  Task<Result<endpoints::TableDescription>> describe(std::vector<std::string>*) override {
    endpoints::TableDescription table;
    table.id = id_;
    table.key.partition = {"pk", item::Type::S};
    table.on_demand = table_ == nullptr;
    if (table_ != nullptr) table.read_capacity = static_cast<std::uint64_t>(table_->capacity_);
    table.tags = tags_;
    co_return table;
  }
  Task<Result<void>> tag(std::map<std::string, std::string> tags) override {
    tags_ = std::move(tags);
    co_return Result<void>();
  }
  Task<Result<void>> create(const endpoints::TableDescription&) override { co_return Result<void>(); }
  Task<Result<bool>> empty() override { co_return true; }
  Task<Result<void>> remove() override { co_return fail(ErrorKind::internal, "no job deletes tables"); }

 private:
  std::string id_;
  SharedTable* table_;
  std::map<std::string, std::string> tags_;
};

class Swallow final : public endpoints::Writable {
 public:
  explicit Swallow(SimLoop& loop) : loop_(loop) {}
  endpoints::WriteCaps caps() const override { return {.max_items = 2000}; }
  Task<endpoints::WriteOutcome> put(std::span<const std::string_view>) override {
    ++puts;
    const Duration time = takes;
    co_await loop_.sleep_for(time, nullptr);
    endpoints::WriteOutcome outcome;
    outcome.latency = time;
    co_return outcome;
  }
  Task<endpoints::WriteOutcome> write(std::span<const endpoints::WriteRequest>) override {
    endpoints::WriteOutcome outcome;
    outcome.error = Error{ErrorKind::internal, "a copy only puts"};
    co_return outcome;
  }
  std::uint64_t puts = 0;
  Duration takes = 5ms;

 private:
  SimLoop& loop_;
};

/// A ledger that takes a moment and never fails.
class MemoryStore final : public state::JobStore {
 public:
  explicit MemoryStore(SimLoop& loop) : loop_(loop) {}
  Task<Result<std::optional<state::JobState>>> load() override { co_return job; }
  Task<Result<void>> begin(const state::JobState& fresh) override {
    job = fresh;
    co_return Result<void>();
  }
  Task<Result<void>> commit(const state::Commit& step) override {
    co_await loop_.sleep_for(5ms, nullptr);
    state::apply(*job, step);
    co_return Result<void>();
  }
  Task<Result<std::vector<std::string>>> live_reject_keys() override { co_return std::vector<std::string>(); }
  Task<Result<std::vector<state::Reject>>> rejects(const state::RejectFilter&) override {
    co_return std::vector<state::Reject>();
  }
  std::optional<state::JobState> job;

 private:
  SimLoop& loop_;
};

class CopyPace : public testing::Test {
 protected:
  CopyPace() { options.most_units_per_lane = 64; }

  void start(double capacity, std::uint64_t items_per_segment) {
    lanes.resize(1);
    lanes[0].loop = &loop;
    table.emplace(loop, capacity, 64, items_per_segment);
    lanes[0].source.scan = std::make_unique<PacedScan>(*table);
    lanes[0].source.catalog = std::make_unique<PacedCatalog>("source", &*table);
    lanes[0].source.capacity = std::make_unique<PacedCapacity>(*table);
    lanes[0].target.catalog = std::make_unique<PacedCatalog>("target", nullptr);
    auto swallow = std::make_unique<Swallow>(loop);
    target = swallow.get();
    lanes[0].target.put = std::move(swallow);
    began = loop.now();
  }
  void copy() {
    context.lanes = &lanes;
    context.store = &store;
    context.board = &board;
    context.stop = &stop;
    context.steering = &steering;
    context.random = Random(3);
    began = loop.now();
    asio::co_spawn(loop.executor(), jobs::run_copy(context, options, tuning, nullptr),
                   [this](std::exception_ptr error, Result<jobs::CopySummary> answer) {
                     if (error) std::rethrow_exception(error);
                     result = std::move(answer);
                   });
  }
  /// Reads `rate` units per second beside the copy until the end, from `from` on.
  Task<void> application(double rate, Duration from) {
    co_await loop.sleep_for(from, nullptr);
    while (!result) {
      if (!table->take(rate / 100)) ++application_throttled;
      co_await loop.sleep_for(10ms, nullptr);
    }
  }
  void spawn_application(double rate, Duration from) {
    asio::co_spawn(loop.executor(), application(rate, from), [](std::exception_ptr error) {
      if (error) std::rethrow_exception(error);
    });
  }
  void run_for(Duration time) {
    const MonoTime until = universe.now() + time;
    while (!result && universe.now() < until) {
      if (loop.run_one()) continue;
      if (!loop.has_timer()) break;
      const MonoTime next = std::min(until, loop.next_timer());
      while (!universe.idle() && universe.next_event() <= next) universe.run_next_event();
      universe.advance_to(next);
      loop.fire_due_timers();
    }
  }
  void TearDown() override {
    stop.request();
    run_for(1h);
    EXPECT_TRUE(result);
    loop.destroy_everything();
  }
  double spent(Duration from, Duration to) const {
    double sum = 0;
    for (const auto& [at, units] : table->pages_) sum += at >= began + from && at < began + to ? units : 0;
    return sum;
  }
  double most_in(Duration window) const {
    double sum = 0, most = 0;
    std::size_t first = 0;
    for (const auto& [at, units] : table->pages_) {
      sum += units;
      while (table->pages_[first].first + window <= at) sum -= table->pages_[first++].second;
      most = std::max(most, sum);
    }
    return most;
  }

  Universe universe{1};
  SimLoop loop{universe};
  MemoryStore store{loop};
  Stop stop;
  jobs::ProgressBoard board;
  jobs::Steering steering;
  jobs::CopyOptions options;
  jobs::CopyTuning tuning;
  std::vector<jobs::Lane> lanes;
  jobs::CopyContext context;
  std::optional<SharedTable> table;
  Swallow* target = nullptr;
  std::optional<Result<jobs::CopySummary>> result;
  MonoTime began{};
  std::uint64_t application_throttled = 0;
};

TEST_F(CopyPace, AHighBudgetIsUsedUpByMoreUnitsAtOnce) {
  start(100'000, 10'000'000);
  options.read = {pace::Wish::Kind::fixed, 40'000};
  copy();
  run_for(40s);
  EXPECT_GE(spent(10s, 40s), 40'000 * 30 * 0.95);
  EXPECT_LE(most_in(10s), 40'000 * 10 * 1.02);
  EXPECT_GE(table->most_in_flight_, 30u);
  EXPECT_EQ(table->throttled_, 0u);
}

TEST_F(CopyPace, ALowBudgetIsKeptFromTheFirstSecondOn) {
  start(100'000, 1'000'000);
  options.read = {pace::Wish::Kind::fixed, 100};
  copy();
  run_for(60s);
  EXPECT_GE(spent(5s, 60s), 100 * 55 * 0.95);
  EXPECT_LE(most_in(10s), 100 * 10 * 1.02);
}

TEST_F(CopyPace, TheApplicationIsNeverThrottledAlsoWhenItsTrafficDoubles) {
  start(10'000, 100'000'000);
  spawn_application(2000, 0s);
  run_for(5min);  // CloudWatch knows it by then
  spawn_application(2000, 5min);
  copy();
  run_for(4min);
  // Seconds are no finer than that.
  EXPECT_NEAR(board.snapshot().read_budget_rcu_per_s.value_or(0), 4000, 40);
  EXPECT_NEAR(board.snapshot().application_rcu_per_s.value_or(0), 2000, 40);
  run_for(6min);
  EXPECT_NEAR(board.snapshot().read_budget_rcu_per_s.value_or(0), 3000, 60);
  EXPECT_EQ(application_throttled, 0u);
  EXPECT_EQ(table->throttled_, 0u);
  EXPECT_GE(spent(10s, 60s), 4000 * 50 * 0.95);
}

TEST_F(CopyPace, WithoutCloudWatchAQuarter) {
  start(10'000, 100'000'000);
  table->metrics_denied_ = true;
  copy();
  run_for(20s);
  EXPECT_EQ(board.snapshot().read_budget_rcu_per_s, 2500);
  EXPECT_FALSE(board.snapshot().application_rcu_per_s);
  EXPECT_GE(spent(5s, 20s), 2500 * 15 * 0.95);
}

TEST_F(CopyPace, ASideIsNotBlamedBeforeTheFirstPageUnlessThatTakesLong) {
  start(10'000, 100'000'000);
  target->takes = 1min;
  copy();
  run_for(3s);
  EXPECT_EQ(board.snapshot().phase, "copying");
  EXPECT_EQ(board.snapshot().counts.read_items, 0u);
  EXPECT_EQ(board.snapshot().holder, "nothing");
  run_for(5s);
  EXPECT_EQ(board.snapshot().counts.read_items, 0u);
  EXPECT_EQ(board.snapshot().holder, "target latency");
  target->takes = 5ms;
}

TEST_F(CopyPace, WhatBusyLoopsAreSlowToTakeIsNoLatency) {
  start(10'000, 100'000'000);
  target->takes = 30s;
  context.cpu_time = [this] { return loop.now().time_since_epoch(); };
  copy();
  run_for(15s);
  EXPECT_EQ(board.snapshot().holder, "cpu");
  EXPECT_EQ(board.snapshot().holder_detail, "");
  const auto used = context.cpu_time();
  context.cpu_time = [used] { return used; };
  run_for(15s);
  EXPECT_EQ(board.snapshot().holder, "target latency");
  target->takes = 5ms;
}

TEST_F(CopyPace, APauseEndsReadsAndWritesButNotTheHeartbeat) {
  start(10'000, 100'000'000);
  copy();
  run_for(5s);
  const WallTime at = loop.wall();
  const std::uint64_t memory = board.snapshot().memory_bytes;
  steering.pause(true, {"anna (uid 1000, pid 1)", at});
  run_for(1s);
  EXPECT_EQ(board.snapshot().phase, "paused");
  EXPECT_TRUE(board.snapshot().paused);
  ASSERT_EQ(board.snapshot().steering.size(), 1u);
  EXPECT_EQ(board.snapshot().steering[0].setting, "paused");
  const std::size_t pages = table->pages_.size();
  const std::uint64_t puts = target->puts;
  const auto heartbeat = store.job->heartbeat_unix_ms;
  run_for(60s);
  EXPECT_EQ(table->pages_.size(), pages);
  EXPECT_EQ(target->puts, puts);
  EXPECT_LT(board.snapshot().memory_bytes, memory / 2) << "what is not read needs no memory";
  EXPECT_GT(store.job->heartbeat_unix_ms.value_or(0), heartbeat.value_or(0) + 50'000);
  steering.pause(false, {"anna (uid 1000, pid 1)", at});
  run_for(5s);
  EXPECT_EQ(board.snapshot().phase, "copying");
  EXPECT_GT(table->pages_.size(), pages);
}

TEST_F(CopyPace, SettingsByHandHoldUntilTheyAreTakenBack) {
  start(10'000, 100'000'000);
  copy();
  run_for(2s);
  steering.set_read_rcu(500, "500", {"anna", loop.wall()});
  steering.set_write_concurrency(3, "3", {"anna", loop.wall()});
  run_for(1s);
  EXPECT_EQ(board.snapshot().read_budget_rcu_per_s, 500);
  EXPECT_EQ(board.snapshot().read_budget_why, "set by hand");
  EXPECT_EQ(board.snapshot().write_concurrency, 3u);
  EXPECT_EQ(board.snapshot().write_concurrency_why, "set by hand");
  run_for(20s);
  EXPECT_LE(spent(10s, 20s), 500 * 10 * 1.02);
  EXPECT_GE(spent(10s, 20s), 500 * 10 * 0.95);
  steering.set_read_rcu(std::nullopt, "auto", {"anna", loop.wall()});
  run_for(1s);
  EXPECT_EQ(board.snapshot().read_budget_rcu_per_s, 5000);
}

}  // namespace
}  // namespace messina::simulation
