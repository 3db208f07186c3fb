#include "live_process.h"

#include <algorithm>
#include <exception>
#include <span>
#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

namespace messina::simulation {

namespace {

/// The way of a process's changes to the target, watched: the rules 1 to 3, and that no item is deleted which
/// the source has all the time (I5).
class WatchedTarget final : public endpoints::Writable {
 public:
  WatchedTarget(std::unique_ptr<endpoints::Writable> target, const LiveProcess::Setting& with)
      : target_(std::move(target)), world_(*with.world), history_(*with.history), watch_(*with.watch) {}

  endpoints::WriteCaps caps() const override { return target_->caps(); }
  Task<endpoints::WriteOutcome> put(std::span<const std::string_view> records) override {
    return target_->put(records);
  }
  Task<endpoints::WriteOutcome> write(std::span<const endpoints::WriteRequest> requests) override {
    std::string broken = watch_.sent(requests);
    if (!broken.empty()) world_.violate(Violation::Kind::broken_rule, std::move(broken));
    for (const endpoints::WriteRequest& request : requests) {
      const KeyId key = parse_key(request.raw);
      if (!request.remove || history_.ever_absent(key)) continue;
      world_.violate(Violation::Kind::wrong_end,
                     fmt::format("item {} is deleted, but the source has it all the time", key));
    }
    endpoints::WriteOutcome outcome = co_await target_->write(requests);
    watch_.ended(requests, outcome);
    co_return outcome;
  }

 private:
  std::unique_ptr<endpoints::Writable> target_;
  World& world_;
  const SourceHistory& history_;
  WriteWatch& watch_;
};

}  // namespace

SourceHistory::SourceHistory(World& world) : keys_(world.plan().keys) {
  for (KeyId key = 0; key < world.plan().keys; ++key)
    keys_[key].push_back({world.universe().now(), content(world.source_state(key))});
  world.on_source_change([this, &world](KeyId key, World::SourceState) {
    keys_[key].push_back({world.universe().now(), content(world.source_state(key))});
  });
}

bool SourceHistory::ever_absent(KeyId key) const {
  return std::ranges::any_of(keys_[key], [](const State& state) { return !state.content; });
}

bool SourceHistory::held_since(KeyId key, const Content& content, MonoTime since) const {
  const std::vector<State>& states = keys_[key];
  for (std::size_t i = states.size(); i-- > 0;) {
    if (states[i].content == content) return true;
    if (states[i].from <= since) return false;
  }
  return false;
}

LiveProcess::LiveProcess(const Setting& with, std::uint64_t seed)
    : universe(with.world->universe()),
      options(with.options),
      loop(universe),
      store(std::make_unique<SimStore>(*with.world, loop, *with.disk)),
      spool(loop, *with.spool_disk, universe.random(), with.spool_faults) {
  observed.started = loop.now();
  const std::size_t lane_count = 1 + seed % 2;
  for (std::size_t i = 0; i < lane_count; ++i) {
    jobs::Lane lane{&loop, make_source(*with.world, loop, observed),
                    make_target(*with.world, loop, observed)};
    lane.source.feed = make_feed(*with.stream, loop);
    lane.target.put = std::make_unique<WatchedTarget>(std::move(lane.target.put), with);
    lanes.push_back(std::move(lane));
  }
  context.lanes = &lanes;
  context.store = store.get();
  context.spool = &spool;
  context.board = &board;
  context.stop = &stop;
  context.steering = &steering;
  context.random = Random(seed);
  asio::co_spawn(loop.executor(), jobs::migrate(context, options),
                 [this](std::exception_ptr error, Result<jobs::MigrateSummary> answer) {
                   if (error) std::rethrow_exception(error);
                   result = std::move(answer);
                 });
}

LiveProcess::~LiveProcess() {
  loop.destroy_everything();
  // Whoever waits for its turn at the ledger goes with it, and wakes others.
  store.reset();
  loop.destroy_everything();
}

bool LiveProcess::step() {
  if (loop.run_one()) return true;
  if (!loop.has_timer()) return false;
  advance_to(loop.next_timer());
  return true;
}

void LiveProcess::advance_to(MonoTime time) {
  while (!universe.idle() && universe.next_event() <= time) universe.run_next_event();
  universe.advance_to(time);
  loop.fire_due_timers();
}

}  // namespace messina::simulation
