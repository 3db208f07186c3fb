#include "live_process.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <span>
#include <string>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "jobs/authority.h"

namespace messina::simulation {

namespace {

using namespace std::chrono_literals;

/// A pause is seen at the next look, and a look may wait for a slow spool.
constexpr Duration kPauseIsSeen = 15s;
/// Who takes a target over waits as long before it writes: whoever had it sends nothing later.
constexpr Duration kNoticedWithin = jobs::kFormerOwnerLeaves;

/// The process's way to the target, watched: the rules 1 to 3 for changes, that no item is deleted which the
/// source has all the time (I5) or which is somebody else's, and that nothing is sent that may not be.
class WatchedTarget final : public endpoints::Writable {
 public:
  WatchedTarget(std::unique_ptr<endpoints::Writable> target, const LiveProcess::Setting& with,
                const LiveProcess& process)
      : target_(std::move(target)),
        world_(*with.world),
        history_(*with.history),
        watch_(*with.watch),
        disk_(*with.disk),
        leave_(with.leave || with.options.delete_extra),
        process_(process) {}

  endpoints::WriteCaps caps() const override { return target_->caps(); }
  Task<endpoints::WriteOutcome> put(std::span<const std::string_view> records) override {
    check_leave_to_send("pages of history");
    endpoints::WriteOutcome outcome = co_await target_->put(records);
    co_return outcome;
  }
  Task<endpoints::WriteOutcome> write(std::span<const endpoints::WriteRequest> requests) override {
    check_leave_to_send("changes");
    std::string broken = watch_.sent(requests);
    if (!broken.empty()) world_.violate(Violation::Kind::broken_rule, std::move(broken));
    for (const endpoints::WriteRequest& request : requests) {
      if (request.remove) check_removal(parse_key(request.raw));
    }
    endpoints::WriteOutcome outcome = co_await target_->write(requests);
    watch_.ended(requests, outcome);
    co_return outcome;
  }

 private:
  void check_leave_to_send(const char* what) {
    const MonoTime now = world_.universe().now();
    if (process_.kept_out_since)
      told(Violation::Kind::broken_rule,
           fmt::format("{} go out although the target is known to be another's since {} s", what,
                       std::chrono::duration<double>(now - *process_.kept_out_since).count()));
    if (process_.paused_since && now > *process_.paused_since + kPauseIsSeen)
      told(Violation::Kind::broken_rule, fmt::format("{} go out in a pause", what));
    const auto owner = world_.target_table.tags.find(jobs::kOwnerTag);
    const bool ours = owner == world_.target_table.tags.end() || !disk_.job ||
                      owner->second == disk_.job->live.authority.owner;
    if (!ours && now > world_.tagged_at + kNoticedWithin)
      told(Violation::Kind::wrong_end, fmt::format("{} go to a target that another has taken", what));
    if (ours && process_.options.copy.take_over && now < world_.tagged_at + kNoticedWithin)
      told(Violation::Kind::wrong_end,
           fmt::format("{} go to a target that its former owner may write to", what));
  }
  /// Once of a process.
  void told(Violation::Kind kind, std::string what) {
    if (!std::exchange(told_, true)) world_.violate(kind, std::move(what));
  }
  void check_removal(KeyId key) {
    if (!history_.ever_absent(key))
      world_.violate(Violation::Kind::wrong_end,
                     fmt::format("item {} is deleted, but the source has it all the time", key));
    if (!leave_ && !history_.ever_there(key))
      world_.violate(Violation::Kind::wrong_end,
                     fmt::format("item {} is deleted without leave, but is somebody else's", key));
  }

  std::unique_ptr<endpoints::Writable> target_;
  World& world_;
  const SourceHistory& history_;
  WriteWatch& watch_;
  const Disk& disk_;
  const bool leave_;
  const LiveProcess& process_;
  bool told_ = false;
};

/// Notes when the process is told of another owner.
class WatchedCatalog final : public endpoints::Catalog {
 public:
  WatchedCatalog(std::unique_ptr<endpoints::Catalog> catalog, const Disk& disk, LiveProcess& process)
      : catalog_(std::move(catalog)), disk_(disk), process_(process) {}

  Task<Result<endpoints::TableDescription>> describe(std::vector<std::string>* absent) override {
    Result<endpoints::TableDescription> table = co_await catalog_->describe(absent);
    if (process_.blind) co_return fail(ErrorKind::transient, "descriptions are not answered");
    const bool begun = disk_.job && !disk_.job->live.authority.owner.empty();
    if (table && begun && !process_.options.copy.take_over) {
      const auto owner = table->tags.find(jobs::kOwnerTag);
      const bool others = owner != table->tags.end() && owner->second != disk_.job->live.authority.owner;
      if (others && !process_.kept_out_since) process_.kept_out_since = process_.loop.now();
    }
    co_return table;
  }
  Task<Result<void>> create(const endpoints::TableDescription& table) override {
    return catalog_->create(table);
  }
  Task<Result<void>> remove() override { return catalog_->remove(); }
  Task<Result<void>> tag(std::map<std::string, std::string> tags) override {
    return catalog_->tag(std::move(tags));
  }
  Task<Result<bool>> empty() override { return catalog_->empty(); }

 private:
  std::unique_ptr<endpoints::Catalog> catalog_;
  const Disk& disk_;
  LiveProcess& process_;
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
  if (key >= keys_.size()) return true;
  return std::ranges::any_of(keys_[key], [](const State& state) { return !state.content; });
}

bool SourceHistory::ever_there(KeyId key) const {
  return key < keys_.size() &&
         std::ranges::any_of(keys_[key], [](const State& state) { return state.content.has_value(); });
}

bool SourceHistory::ever_held(KeyId key, const Content& content) const {
  return std::ranges::any_of(keys_[key], [&](const State& state) { return state.content == content; });
}

bool SourceHistory::changed_since(KeyId key, MonoTime since) const { return keys_[key].back().from > since; }

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
    lane.target.put = std::make_unique<WatchedTarget>(std::move(lane.target.put), with, *this);
    lane.target.catalog = std::make_unique<WatchedCatalog>(std::move(lane.target.catalog), *with.disk, *this);
    lanes.push_back(std::move(lane));
  }
  context.lanes = &lanes;
  context.store = store.get();
  context.spool = &spool;
  context.board = &board;
  context.stop = &stop;
  context.steering = &steering;
  context.random = Random(seed);
  if (with.verify_disk != nullptr) {
    verify_store.emplace(loop, *with.verify_disk, universe.random(), with.verify_store_faults);
    context.verify_store = &*verify_store;
    context.verify_desk = &verify_desk;
  }
  if (copies_alone()) {
    copy_alone();
    return;
  }
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
  verify_store.reset();
  loop.destroy_everything();
}

void LiveProcess::copy_alone() {
  copy_context.lanes = &lanes;
  copy_context.store = store.get();
  copy_context.board = &board;
  copy_context.stop = &stop;
  copy_context.steering = &steering;
  copy_context.random = context.random.fork();
  asio::co_spawn(loop.executor(), jobs::run_copy(copy_context, options.copy, options.copy_tuning, nullptr),
                 [this](std::exception_ptr error, Result<jobs::CopySummary> answer) {
                   if (error) std::rethrow_exception(error);
                   if (!answer) {
                     result = fail(answer.error());
                     return;
                   }
                   jobs::MigrateSummary summary;
                   summary.copy = *answer;
                   result = std::move(summary);
                 });
}

void LiveProcess::pause(bool paused) {
  steering.pause(paused, {});
  if (paused == paused_since.has_value()) return;
  paused_since = paused ? std::optional(universe.now()) : std::nullopt;
}

}  // namespace messina::simulation
