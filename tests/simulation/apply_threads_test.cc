// The applier on real event loops, over a spool on disk: several threads, real timers. What the simulation
// cannot show: races. For TSan above all.
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "jobs/apply.h"
#include "net/event_loop.h"
#include "state/disk_spool.h"
#include "state/temp_folder.h"
#include "world.h"

namespace messina::simulation {
namespace {

using namespace std::chrono_literals;

constexpr KeyId kKeys = 300;
constexpr KeyId kRefused = 77;
constexpr const char* kDomain = "stream";

/// Both tables, behind a lock.
struct Tables {
  std::mutex mutex;
  Random random{42};
  std::map<KeyId, Version> source, target;
};

class Target final : public endpoints::Writable {
 public:
  Target(Loop& loop, Tables& tables) : loop_(loop), tables_(tables) {}
  endpoints::WriteCaps caps() const override {
    endpoints::WriteCaps caps;
    caps.max_items = 7;
    return caps;
  }
  Task<endpoints::WriteOutcome> put(std::span<const std::string_view>) override {
    endpoints::WriteOutcome outcome;
    outcome.error = Error{ErrorKind::internal, "an applier does not only put"};
    co_return outcome;
  }
  Task<endpoints::WriteOutcome> write(std::span<const endpoints::WriteRequest> requests) override {
    co_await loop_.sleep_for(100us, nullptr);
    endpoints::WriteOutcome outcome;
    const std::lock_guard lock(tables_.mutex);
    if (tables_.random.chance(0.02)) {
      outcome.error = Error{ErrorKind::unknown_outcome, "the connection was cut"};
      co_return outcome;
    }
    for (const endpoints::WriteRequest& request : requests) {
      if (request.remove || parse_key(request.raw) != kRefused) continue;
      outcome.error = Error{ErrorKind::refused, "not valid", "ValidationException"};
      co_return outcome;
    }
    for (std::uint32_t i = 0; i < requests.size(); ++i) {
      if (tables_.random.chance(0.01)) {
        outcome.unprocessed.push_back(i);
      } else if (requests[i].remove) {
        tables_.target.erase(parse_key(requests[i].raw));
      } else {
        const ItemState item = parse_item(requests[i].raw);
        tables_.target[item.key] = item.version;
      }
    }
    co_return outcome;
  }

 private:
  Loop& loop_;
  Tables& tables_;
};

class Source final : public endpoints::Lookup {
 public:
  Source(Loop& loop, Tables& tables) : loop_(loop), tables_(tables) {}
  std::size_t max_keys() const override { return 20; }
  Task<Result<endpoints::LookupPage>> get(std::span<const std::string_view> keys,
                                          item::ExpectedItems*) override {
    endpoints::LookupPage page;
    page.sent_at = loop_.now();
    co_await loop_.sleep_for(100us, nullptr);
    std::vector<std::size_t> ends;
    const std::lock_guard lock(tables_.mutex);
    for (const std::string_view key : keys) {
      const auto item = tables_.source.find(parse_key(key));
      if (item == tables_.source.end()) continue;
      page.bytes.append(item_json({item->first, item->second}));
      ends.push_back(page.bytes.size());
    }
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      page.items.push_back(page.bytes.view().substr(begin, end - begin));
      begin = end;
    }
    page.cost_rcu = 1;
    co_return page;
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
    const AsyncSemaphore::Lease alone = co_await one_.acquire(1);
    co_await loop_.sleep_for(1ms, nullptr);
    state::apply(*job, recorded, step);
    co_return Result<void>();
  }
  Task<Result<std::vector<std::string>>> live_reject_keys() override { co_return std::vector<std::string>(); }
  Task<Result<std::vector<state::Reject>>> rejects(const state::RejectFilter&) override {
    co_return std::vector<state::Reject>();
  }
  std::optional<state::JobState> job = state::JobState();
  std::vector<state::Reject> recorded;

 private:
  Loop& loop_;
  AsyncSemaphore one_{1};
};

struct Machine {
  Machine() {
    for (int i = 0; i < 3; ++i) loops.push_back(std::make_unique<net::EventLoop>(fmt::format("loop {}", i)));
    for (auto& loop : loops) {
      jobs::Lane lane;
      lane.loop = loop.get();
      lane.source.get = std::make_unique<Source>(*loop, tables);
      lane.target.put = std::make_unique<Target>(*loop, tables);
      lanes.push_back(std::move(lane));
    }
    state::SpoolOptions small;
    small.memory = std::make_shared<state::SpoolMemory>(16u << 20);
    auto opened = state::Spool::open(folder.path() / "spool", small, clock, random);
    EXPECT_TRUE(opened);
    spool = std::make_unique<state::DiskSpool>(std::move(*opened), clock);
    store = std::make_unique<Store>(*loops.front());
    ledger = std::make_unique<jobs::LiveLedger>(*loops.front(), *store, *spool, state::LiveRecord());
  }

  Loop& home() { return *loops.front(); }

  /// A change of the source, and what the capture makes of it.
  state::SpoolPut change(std::uint64_t number) {
    const std::lock_guard lock(tables.mutex);
    const auto key = static_cast<KeyId>(random.below(kKeys));
    state::SpoolPut put;
    put.key = key_json(key);
    put.token = *state::OrderToken::parse(std::to_string(number + 1));
    if (random.chance(0.2)) {
      tables.source.erase(key);
      put.kind = state::ChangeKind::removal;
    } else {
      tables.source[key] = number;
      put.kind = state::ChangeKind::image;
      put.image = item_json({key, number});
    }
    if (random.chance(0.1)) put.kind = state::ChangeKind::reread;
    return put;
  }
  Result<state::PutAnswer> put_some(std::uint64_t from, std::uint64_t to) {
    state::SpoolBatch batch;
    batch.domain = kDomain;
    for (std::uint64_t number = from; number < to; ++number) batch.puts.push_back(change(number));
    batch.captured = home().now();
    return net::run_on(home(), spool->put(batch));
  }

  SystemClock clock;
  Random random{7};
  Tables tables;
  state::testing::TempFolder folder;
  std::vector<std::unique_ptr<net::EventLoop>> loops;
  std::unique_ptr<state::DiskSpool> spool;
  std::vector<jobs::Lane> lanes;
  std::unique_ptr<Store> store;
  std::unique_ptr<jobs::LiveLedger> ledger;
  jobs::Watermark watermark{1ms};
  Stop stop;
};

/// A test that fails half-way must not wait for its threads for ever.
struct EndAll {
  Stop& stop;
  ~EndAll() { stop.request(); }
};

TEST(ApplyThreads, ThreeLoopsBringTheTargetUpToTheSpool) {
  Machine machine;
  const std::string domain = kDomain;
  ASSERT_TRUE(net::run_on(machine.home(), machine.spool->begin_domain(domain)));
  jobs::ApplyOptions options;
  options.clock_error = 1ms;
  options.dead_after = 2ms;
  options.write_concurrency = 6;
  jobs::Apply::Context context;
  context.lanes = &machine.lanes;
  context.spool = machine.spool.get();
  context.ledger = machine.ledger.get();
  context.watermark = &machine.watermark;
  context.stop = &machine.stop;
  context.source_key = {.partition = {"pk", item::Type::S}, .sort = std::nullopt};
  context.quiet_until = machine.home().now();
  jobs::Apply apply(context, options);
  std::optional<Result<void>> applied, beaten;
  std::jthread applying([&] { applied = net::run_on(machine.home(), apply.run()); });
  std::jthread beating(
      [&] { beaten = net::run_on(machine.home(), machine.ledger->keep_heartbeat(machine.stop)); });

  const EndAll end{machine.stop};

  for (std::uint64_t number = 0; number < 5000; number += 25) {
    ASSERT_TRUE(machine.put_some(number, number + 25));
  }
  // Until the spool is empty; the test's own timeout is its deadline.
  for (;;) {
    const auto figures = net::run_on(machine.home(), machine.spool->figures());
    ASSERT_TRUE(figures);
    if (figures->keys_at_most == 0) break;
  }
  machine.stop.request();
  applying.join();
  beating.join();
  ASSERT_TRUE(applied);
  ASSERT_TRUE(*applied) << applied->error().message;
  ASSERT_TRUE(*beaten);
  EXPECT_TRUE(apply.wire_is_quiet());
  std::map<KeyId, Version> wanted = machine.tables.source;
  wanted.erase(kRefused);
  machine.tables.target.erase(kRefused);
  EXPECT_EQ(machine.tables.target, wanted);
  EXPECT_EQ(machine.ledger->rejects().size(), machine.tables.source.count(kRefused));
  EXPECT_EQ(machine.store->job->live_rejects, machine.tables.source.count(kRefused));
}

}  // namespace
}  // namespace messina::simulation
