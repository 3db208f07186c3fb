#include "apply_bench.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

namespace messina::simulation {

namespace {

using namespace std::chrono_literals;

constexpr const char* kDomain = "stream";

class BenchWritable final : public endpoints::Writable {
 public:
  BenchWritable(ApplyBench::Target& target, SimLoop& loop) : target_(target), loop_(loop) {}

  endpoints::WriteCaps caps() const override { return target_.caps; }
  Task<endpoints::WriteOutcome> put(std::span<const std::string_view>) override {
    endpoints::WriteOutcome outcome;
    outcome.error = Error{ErrorKind::internal, "an applier does not only put"};
    co_return outcome;
  }
  Task<endpoints::WriteOutcome> write(std::span<const endpoints::WriteRequest> requests) override {
    ApplyBench::Write write;
    write.sent = loop_.now();
    for (const endpoints::WriteRequest& request : requests) {
      write.raws.emplace_back(request.raw);
      write.removes.push_back(request.remove);
    }
    target_.writes.push_back(write);
    target_.most_on_wire = std::max(target_.most_on_wire, ++target_.on_wire);
    co_await loop_.sleep_for(target_.latency, nullptr);
    --target_.on_wire;
    std::optional<endpoints::WriteOutcome> told;
    if (target_.answer) told = target_.answer(write);
    endpoints::WriteOutcome outcome;
    if (told) outcome = std::move(*told);
    co_return outcome;
  }

 private:
  ApplyBench::Target& target_;
  SimLoop& loop_;
};

class BenchLookup final : public endpoints::Lookup {
 public:
  BenchLookup(ApplyBench::Source& source, SimLoop& loop) : source_(source), loop_(loop) {}

  std::size_t max_keys() const override { return source_.max_keys; }
  Task<Result<endpoints::LookupPage>> get(std::span<const std::string_view> keys,
                                          item::ExpectedItems*) override {
    endpoints::LookupPage page;
    page.sent_at = loop_.now();
    source_.lookups.push_back(page.sent_at);
    source_.keys_asked += keys.size();
    co_await loop_.sleep_for(5ms, nullptr);
    for (const std::string_view key : keys) {
      // The map's strings stay as they are while the page is looked at.
      if (const auto item = source_.items.find(std::string(key)); item != source_.items.end())
        page.items.push_back(item->second);
    }
    page.cost_rcu = static_cast<double>(keys.size());
    co_return page;
  }

 private:
  ApplyBench::Source& source_;
  SimLoop& loop_;
};

WorldPlan no_world() {
  WorldPlan plan;
  plan.keys = 1;
  return plan;
}

}  // namespace

ApplyBench::ApplyBench(const jobs::ApplyOptions& options)
    : world(universe, no_world()),
      loop(universe),
      spool(loop, spool_disk, spool_luck, {}),
      watermark(options.clock_error),
      ledger(loop, *(store = std::make_unique<SimStore>(world, loop, disk)), spool, {}),
      options_(options) {
  disk.job.emplace();
  lanes.resize(1);
  lanes.front().loop = &loop;
  lanes.front().source.get = std::make_unique<BenchLookup>(source, loop);
  lanes.front().target.put = std::make_unique<BenchWritable>(target, loop);
}

ApplyBench::~ApplyBench() {
  loop.destroy_everything();
  // Whoever waits for its turn at the ledger goes with it, and wakes others.
  store.reset();
  loop.destroy_everything();
}

void ApplyBench::start() {
  jobs::Apply::Context context;
  context.lanes = &lanes;
  context.spool = &spool;
  context.ledger = &ledger;
  context.owner = &owner_sight;
  context.source = &source_sight;
  context.watermark = &watermark;
  context.stop = &stop;
  context.source_key = {.partition = {"pk", item::Type::S}, .sort = std::nullopt};
  context.quiet_until = loop.now();
  apply.emplace(context, options_);
  others_.spawn(loop.executor(), beat());
  asio::co_spawn(loop.executor(), apply->run(), [this](std::exception_ptr error, Result<void> answer) {
    if (error) std::rethrow_exception(error);
    result = std::move(answer);
  });
  run_for(1s);
}

Task<void> ApplyBench::beat() {
  const std::string domain = kDomain;
  co_await spool.begin_domain(domain);
  co_await ledger.keep_heartbeat(stop);
}

void ApplyBench::run_for(Duration time) {
  const MonoTime until = universe.now() + time;
  for (;;) {
    if (loop.run_one()) continue;
    const bool timer = loop.has_timer() && loop.next_timer() <= until;
    const bool event = !universe.idle() && universe.next_event() <= until;
    if (!timer && !event) break;
    if (event && (!timer || universe.next_event() <= loop.next_timer()))
      universe.run_next_event();
    else
      universe.advance_to(loop.next_timer());
    loop.fire_due_timers();
  }
  universe.advance_to(until);
  loop.fire_due_timers();
}

Result<void> ApplyBench::end() {
  stop.request();
  const MonoTime patience = universe.now() + 10min;
  while (!result && universe.now() < patience) run_for(10ms);
  if (!result) return fail(ErrorKind::internal, "the applier does not end");
  return *result;
}

void ApplyBench::put(std::vector<state::SpoolPut> puts) {
  for (state::SpoolPut& put : puts) {
    put.changed_unix_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(loop.wall().time_since_epoch()).count();
    put.token = *state::OrderToken::parse(fmt::format("{:021}", next_token_++));
  }
  others_.spawn(loop.executor(), put_all(std::move(puts)));
}

Task<void> ApplyBench::put_all(std::vector<state::SpoolPut> puts) {
  state::SpoolBatch batch;
  batch.domain = kDomain;
  batch.captured = loop.now();
  batch.puts = std::move(puts);
  co_await spool.put(batch);
}

std::string ApplyBench::key_text(const std::string& key) {
  return fmt::format(R"({{"pk":{{"S":"{}"}}}})", key);
}

state::SpoolPut ApplyBench::image(const std::string& key, std::uint64_t version) {
  state::SpoolPut put;
  put.key = key_text(key);
  put.kind = state::ChangeKind::image;
  put.image = fmt::format(R"({{"pk":{{"S":"{}"}},"v":{{"N":"{}"}}}})", key, version);
  return put;
}

state::SpoolPut ApplyBench::removal(const std::string& key) {
  state::SpoolPut put;
  put.key = key_text(key);
  put.kind = state::ChangeKind::removal;
  return put;
}

state::SpoolPut ApplyBench::mark(const std::string& key) {
  state::SpoolPut put;
  put.key = key_text(key);
  return put;
}

}  // namespace messina::simulation
