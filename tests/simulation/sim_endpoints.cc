#include "sim_endpoints.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "item/lookup_page.h"

namespace messina::simulation {

namespace {

using namespace std::chrono_literals;

constexpr double kRcuPerItem = 0.5;

class SimCatalog final : public endpoints::Catalog {
 public:
  SimCatalog(World& world, SimLoop& loop, bool source) : world_(world), loop_(loop), source_(source) {}

  Task<Result<endpoints::TableDescription>> describe(std::vector<std::string>*) override {
    const bool fails = world_.chance(world_.plan().read_failed);
    co_await loop_.sleep_for(world_.between(1ms, 20ms), nullptr);
    if (fails) co_return fail(ErrorKind::transient, "the connection was cut");
    endpoints::TableDescription table;
    table.name.value = "items";
    const World::Described& described = source_ ? world_.source_table : world_.target_table;
    table.id = described.id;
    table.status = described.status;
    table.tags = described.tags;
    table.item_count = described.items;
    table.key.partition = {"pk", item::Type::S};
    co_return table;
  }
  Task<Result<void>> create(const endpoints::TableDescription&) override {
    co_return fail(ErrorKind::exists, "the simulation's tables exist");
  }
  Task<Result<void>> remove() override { co_return fail(ErrorKind::internal, "no job deletes tables"); }
  Task<Result<void>> tag(std::map<std::string, std::string> tags) override {
    const bool fails = world_.chance(world_.plan().read_failed);
    co_await loop_.sleep_for(world_.between(1ms, 20ms), nullptr);
    if (fails) co_return fail(ErrorKind::transient, "the connection was cut");
    for (const auto& [name, value] : tags)
      (source_ ? world_.source_table : world_.target_table).tags.insert_or_assign(name, value);
    if (!source_) world_.tagged_at = loop_.now();
    co_return Result<void>();
  }
  Task<Result<bool>> empty() override {
    co_await loop_.sleep_for(world_.between(1ms, 20ms), nullptr);
    co_return world_.target_is_empty();
  }

 private:
  World& world_;
  SimLoop& loop_;
  bool source_;
};

class SimScan final : public endpoints::Scannable {
 public:
  SimScan(World& world, SimLoop& loop, Observed& observed, bool source)
      : world_(world), loop_(loop), observed_(observed), source_(source) {}

  Task<Result<std::vector<endpoints::Unit>>> plan(const endpoints::PlanHints&) override {
    co_await loop_.sleep_for(world_.between(1ms, 5ms), nullptr);
    std::vector<endpoints::Unit> units;
    for (std::uint32_t i = 0; i < world_.plan().segments; ++i) {
      units.push_back(
          {.id = fmt::format("segment {}/{}", i, world_.plan().segments), .spec = segment_spec(i)});
    }
    co_return units;
  }

  Task<Result<endpoints::Page>> read(const endpoints::Unit& unit, const endpoints::Cursor& cursor) override {
    return read_some(unit, cursor, 0);
  }
  Task<Result<endpoints::Page>> read_some(const endpoints::Unit& unit, const endpoints::Cursor& cursor,
                                          std::uint32_t most_items) override {
    const std::uint32_t segment = parse_segment(unit.spec);
    const KeyId from = parse_cursor(cursor.bytes);
    endpoints::Page page;
    page.sent_at = loop_.now();
    const bool fails = world_.chance(world_.plan().read_failed);
    const Duration slow = world_.chance(world_.plan().slow) ? world_.between(1s, 20s) : Duration::zero();
    co_await loop_.sleep_for(world_.between(1ms, 10ms) + slow, nullptr);
    if (fails) {
      const std::uint64_t kind = world_.universe().random().below(4);
      co_await loop_.sleep_for(world_.between(1ms, 10ms), nullptr);
      if (kind == 0) co_return fail(ErrorKind::transient, "the connection was cut");
      if (kind == 1) co_return fail(ErrorKind::corrupt, "an answer that is no answer");
      Error error{ErrorKind::throttled, "slow down", "ProvisionedThroughputExceededException"};
      if (kind == 2) error.scope = ThrottleScope::key_range;
      co_return fail(error);
    }
    const World::ReadPage found =
        source_ ? world_.read(segment, from, most_items) : world_.read_target(segment, from);
    co_await loop_.sleep_for(world_.between(1ms, 10ms), nullptr);
    fill(page, found);
    co_return page;
  }

  void recycle(endpoints::Page page) override {
    observed_.page_bytes -= static_cast<std::int64_t>(page.bytes.size());
  }

 private:
  void fill(endpoints::Page& page, const World::ReadPage& found) {
    std::vector<std::size_t> ends;
    for (const ItemState& item : found.items) {
      page.bytes.append(item_json(item));
      ends.push_back(page.bytes.size());
    }
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      page.records.push_back(page.bytes.view().substr(begin, end - begin));
      begin = end;
    }
    page.end = !found.next;
    if (found.next) page.next.bytes = cursor_text(*found.next);
    page.cost_rcu = std::max(1.0, kRcuPerItem * static_cast<double>(found.items.size()));
    observe(page);
  }

  void observe(const endpoints::Page& page) {
    Observed& seen = observed_;
    const auto bytes = static_cast<std::int64_t>(page.bytes.size());
    seen.page_bytes += bytes;
    seen.most_page_bytes = std::max(seen.most_page_bytes, seen.page_bytes);
    seen.largest_page = std::max(seen.largest_page, bytes);
    seen.rcu += page.cost_rcu;
    seen.largest_rcu = std::max(seen.largest_rcu, page.cost_rcu);
    const double elapsed = std::chrono::duration<double>(loop_.now() - seen.started).count();
    seen.most_rcu_over_budget = std::max(seen.most_rcu_over_budget, seen.rcu - seen.rcu_rate * elapsed);
  }

  World& world_;
  SimLoop& loop_;
  Observed& observed_;
  bool source_;
};

class SimWritable final : public endpoints::Writable {
 public:
  SimWritable(World& world, SimLoop& loop, Observed& observed)
      : world_(world), loop_(loop), observed_(observed) {}

  endpoints::WriteCaps caps() const override {
    endpoints::WriteCaps caps;
    caps.max_items = world_.plan().batch_items;
    return caps;
  }

  Task<endpoints::WriteOutcome> put(std::span<const std::string_view> records) override {
    std::vector<ItemState> items;
    for (const std::string_view record : records) items.push_back(parse_item(record));
    endpoints::WriteOutcome outcome = co_await attempt(std::move(items));
    co_return outcome;
  }

  Task<endpoints::WriteOutcome> write(std::span<const endpoints::WriteRequest> requests) override {
    std::vector<ItemState> items;
    for (const endpoints::WriteRequest& request : requests) {
      items.push_back(request.remove ? ItemState{.key = parse_key(request.raw), .version = 0, .removed = true}
                                     : parse_item(request.raw));
    }
    endpoints::WriteOutcome outcome = co_await attempt(std::move(items));
    co_return outcome;
  }

 private:
  struct OnWire {
    explicit OnWire(Observed& seen) : observed(seen) {
      ++observed.puts_on_wire;
      observed.most_puts_on_wire = std::max(observed.most_puts_on_wire, observed.puts_on_wire);
    }
    OnWire(const OnWire&) = delete;
    ~OnWire() { --observed.puts_on_wire; }
    Observed& observed;
  };
  struct Fate {
    std::vector<ItemState> executed;  ///< what the target will write
    Duration executes_after{}, answers_after{};
    bool lost = false;
    endpoints::WriteOutcome outcome;
  };

  Task<endpoints::WriteOutcome> attempt(std::vector<ItemState> items) {
    ++observed_.puts;
    observed_.keys_written += items.size();
    const OnWire on_wire(observed_);
    if (items.empty() || items.size() > world_.plan().batch_items) {
      world_.violate(Violation::Kind::broken_rule, fmt::format("a batch of {} records", items.size()));
    }
    Fate fate = draw_fate(items);
    if (!fate.executed.empty())
      world_.send(fate.executed, loop_.now() + fate.executes_after, fate.lost, &observed_);
    co_await loop_.sleep_for(fate.answers_after, nullptr);
    if (!fate.outcome.error) world_.acknowledged(acknowledged_items(items, fate.outcome.unprocessed));
    co_return std::move(fate.outcome);
  }

  /// It takes any delete.
  bool refuses(const ItemState& item) const { return !item.removed && world_.refuses(item.key); }

  static bool twins(const std::vector<ItemState>& items) {
    std::set<KeyId> keys;
    return !std::ranges::all_of(items, [&](const ItemState& item) { return keys.insert(item.key).second; });
  }

  static std::vector<ItemState> acknowledged_items(const std::vector<ItemState>& items,
                                                   const std::vector<std::uint32_t>& unprocessed) {
    std::vector<ItemState> acked;
    for (std::uint32_t i = 0; i < items.size(); ++i) {
      if (std::ranges::find(unprocessed, i) == unprocessed.end()) acked.push_back(items[i]);
    }
    return acked;
  }

  /// Executed before the answer that never came, up to D after the client gave up, or never.
  void lose(Fate& fate, const std::vector<ItemState>& items, Duration noticed_after) {
    fate.answers_after = noticed_after;
    fate.lost = true;
    const std::uint64_t kind = world_.universe().random().below(3);
    if (kind == 0) return;
    fate.executed = items;
    fate.executes_after = kind == 1
                              ? world_.between(1ms, noticed_after)
                              : noticed_after + world_.between(Duration::zero(), world_.plan().dead_after);
  }

  Fate draw_fate(const std::vector<ItemState>& items) {
    const WorldPlan& plan = world_.plan();
    Random& random = world_.universe().random();
    Fate fate;
    fate.executes_after = world_.between(1ms, 10ms);
    if (world_.chance(plan.slow)) fate.executes_after += world_.between(1s, 20s);
    fate.answers_after = fate.executes_after + world_.between(1ms, 10ms);
    const bool refused = std::ranges::any_of(items, [&](const ItemState& i) { return refuses(i); });
    const bool failing =
        std::ranges::any_of(items, [&](const ItemState& i) { return world_.fails_on(i.key); });
    if (world_.chance(plan.lost)) {
      fate.outcome.error = Error{ErrorKind::unknown_outcome, "the connection was cut"};
      lose(fate, items, world_.between(5ms, 5s));
    } else if (failing) {
      fate.outcome.error = Error{ErrorKind::unknown_outcome, "The key is too long", "InternalServerError"};
    } else if (world_.chance(plan.failed_500)) {
      fate.outcome.error = Error{ErrorKind::unknown_outcome, "Internal error", "InternalServerError"};
      lose(fate, items, world_.between(5ms, 1s));
    } else if (world_.chance(plan.throttled)) {
      fate.outcome.error = Error{ErrorKind::throttled, "slow down", "ProvisionedThroughputExceededException"};
      if (random.chance(0.3)) fate.outcome.error->scope = ThrottleScope::key_range;
    } else if (world_.chance(plan.transient)) {
      fate.outcome.error = Error{ErrorKind::transient, "connection refused"};
    } else if (twins(items)) {
      fate.outcome.error =
          Error{ErrorKind::refused, "Provided list of item keys contains duplicates", "ValidationException"};
    } else if (refused) {
      fate.outcome.error = Error{ErrorKind::refused, "the item is not valid", "ValidationException"};
      // A refused batch may be partly written.
      for (const ItemState& item : items) {
        if (!refuses(item) && random.chance(0.3)) fate.executed.push_back(item);
      }
    } else {
      for (std::uint32_t i = 0; i < items.size(); ++i) {
        if (world_.chance(plan.unprocessed)) {
          fate.outcome.unprocessed.push_back(i);
        } else {
          fate.executed.push_back(items[i]);
        }
      }
    }
    return fate;
  }

  World& world_;
  SimLoop& loop_;
  Observed& observed_;
};

class SimLookup final : public endpoints::Lookup {
 public:
  SimLookup(World& world, SimLoop& loop, bool source) : world_(world), loop_(loop), source_(source) {}

  std::size_t max_keys() const override { return world_.plan().batch_items + 1; }

  Task<Result<endpoints::LookupPage>> get(std::span<const std::string_view> keys,
                                          item::ExpectedItems* expected) override {
    if (keys.empty() || keys.size() > max_keys()) {
      world_.violate(Violation::Kind::broken_rule, fmt::format("a lookup of {} keys", keys.size()));
    }
    endpoints::LookupPage page;
    page.sent_at = loop_.now();
    const bool fails = world_.chance(world_.plan().read_failed);
    const Duration slow = world_.chance(world_.plan().slow) ? world_.between(1s, 20s) : Duration::zero();
    co_await loop_.sleep_for(world_.between(1ms, 10ms) + slow, nullptr);
    if (fails) {
      co_await loop_.sleep_for(world_.between(1ms, 10ms), nullptr);
      if (world_.universe().random().chance(0.5))
        co_return fail(ErrorKind::transient, "the connection was cut");
      co_return fail(Error{ErrorKind::throttled, "slow down", "ProvisionedThroughputExceededException"});
    }
    look_up(page, keys);
    if (expected != nullptr) recognise(page, *expected);
    co_await loop_.sleep_for(world_.between(1ms, 10ms), nullptr);
    co_return page;
  }

 private:
  /// What the table has now.
  void look_up(endpoints::LookupPage& page, std::span<const std::string_view> keys) {
    std::vector<std::size_t> ends;
    std::size_t items = 0;
    const auto append = [&](std::string_view text) {
      page.bytes.append(text);
      ends.push_back(page.bytes.size());
    };
    std::vector<std::string_view> unprocessed;
    for (const std::string_view key : keys) {
      const KeyId id = parse_key(key);
      const std::optional<Version> version = version_of(id);
      if (world_.chance(world_.plan().unprocessed)) {
        unprocessed.push_back(key);
      } else if (version) {
        append(item_json({.key = id, .version = *version}));
        ++items;
      }
    }
    for (const std::string_view key : unprocessed) append(key);
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      const std::string_view text = page.bytes.view().substr(begin, end - begin);
      (page.items.size() < items ? page.items : page.unprocessed_keys).push_back(text);
      begin = end;
    }
    page.cost_rcu = kRcuPerItem * static_cast<double>(keys.size());
  }

  /// As the splitter of answers does: all of them, or none.
  static void recognise(endpoints::LookupPage& page, item::ExpectedItems& expected) {
    std::vector<std::string_view> known;
    for (const std::string_view item : page.items) {
      known.push_back(expected.next(item));
      if (known.back().empty()) return;
    }
    page.items = std::move(known);
  }

  std::optional<Version> version_of(KeyId key) const {
    if (!source_) return world_.on_target(key);
    const World::SourceState state = world_.source_state(key);
    return state.there ? std::optional(state.version) : std::nullopt;
  }

  World& world_;
  SimLoop& loop_;
  bool source_;
};

}  // namespace

endpoints::Endpoint make_source(World& world, SimLoop& loop, Observed& observed) {
  endpoints::Endpoint source;
  source.display = "table \"items\" (simulated source)";
  source.table.value = "items";
  source.catalog = std::make_unique<SimCatalog>(world, loop, true);
  source.scan = std::make_unique<SimScan>(world, loop, observed, true);
  source.get = std::make_unique<SimLookup>(world, loop, true);
  return source;
}

endpoints::Endpoint make_target(World& world, SimLoop& loop, Observed& observed) {
  endpoints::Endpoint target;
  target.display = "table \"items\" (simulated target)";
  target.table.value = "items";
  target.catalog = std::make_unique<SimCatalog>(world, loop, false);
  target.scan = std::make_unique<SimScan>(world, loop, observed, false);
  target.get = std::make_unique<SimLookup>(world, loop, false);
  target.put = std::make_unique<SimWritable>(world, loop, observed);
  return target;
}

// ---------------------------------------------------------------------------------------------- the disk

void Disk::apply_pending() {
  if (pending_begin) {
    const state::JobState former = job.value_or(state::JobState());
    job = std::move(*pending_begin);
    const std::uint64_t of_units = job->live.history_epoch;
    job->live = former.live;
    job->live.history_epoch = of_units;
    job->spool = former.spool;
    rejects = state::kept_by_begin(*job, std::move(rejects));
    job->live_rejects = rejects.size();
    ++begun;
    began = pending_began;
  }
  if (pending_commit) {
    if (pending_commit->live) {
      for (const state::GapRecord& gap : pending_commit->live->gaps) gap_causes.insert(gap.cause);
    }
    state::apply(*job, rejects, *pending_commit);
    for (state::Reject& reject : rejects)
      if (reject.id == 0) reject.id = ++reject_ids;
  }
  drop_pending();
}

void Disk::drop_pending() {
  pending_begin.reset();
  pending_commit.reset();
}

Task<void> SimStore::latency() {
  const bool slow = world_.chance(world_.plan().slow_commit);
  const Duration time = slow ? world_.between(1s, 40s) : world_.between(500us, 20ms);
  co_await loop_.sleep_for(time, nullptr);
  if (disk_.hangs_until > loop_.now()) co_await loop_.sleep_until(disk_.hangs_until, nullptr);
}

Task<Result<std::optional<state::JobState>>> SimStore::load() {
  co_await loop_.sleep_for(5ms, nullptr);
  co_return disk_.job;
}

Task<Result<std::vector<std::string>>> SimStore::live_reject_keys() {
  co_await loop_.sleep_for(5ms, nullptr);
  std::vector<std::string> keys;
  for (const state::Reject& reject : disk_.rejects) {
    if (reject.live && !reject.key.empty()) keys.push_back(reject.key);
  }
  co_return keys;
}

Task<Result<std::vector<state::Reject>>> SimStore::rejects(const state::RejectFilter& filter) {
  co_await loop_.sleep_for(5ms, nullptr);
  std::vector<state::Reject> found;
  for (const state::Reject& reject : disk_.rejects) {
    const bool wanted = (reject.live || !filter.live_only) && reject.id > filter.after_id.value_or(0);
    if (wanted && found.size() < filter.limit) found.push_back(reject);
  }
  co_return found;
}

Task<Result<void>> SimStore::begin(const state::JobState& fresh) {
  const AsyncSemaphore::Lease alone = co_await one_.acquire(1);
  disk_.pending_begin = fresh;
  disk_.pending_began = loop_.now();
  co_await latency();
  disk_.apply_pending();
  co_return Result<void>();
}

Task<Result<void>> SimStore::commit(const state::Commit& step) {
  const AsyncSemaphore::Lease alone = co_await one_.acquire(1);
  world_.check_commit(*disk_.job, step);
  if (world_.chance(world_.plan().broken_commit)) {
    co_await latency();
    co_return fail(ErrorKind::disk, "the ledger's disk is full");
  }
  disk_.pending_commit = step;
  co_await latency();
  disk_.apply_pending();
  co_return Result<void>();
}

}  // namespace messina::simulation
