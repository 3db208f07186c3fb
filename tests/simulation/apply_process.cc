#include "apply_process.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "item/key.h"
#include "jobs/copy_start.h"

namespace messina::simulation {

namespace {

using namespace std::chrono_literals;

constexpr const char* kShard = "shard";
constexpr const char* kDomain = "stream";

item::KeySchema source_key() { return {.partition = {"pk", item::Type::S}, .sort = std::nullopt}; }

MonoTime quiet_time(const jobs::ApplyOptions& options, const Disk& disk, const Clock& clock) {
  jobs::CopyOptions times;
  times.clock_error = options.clock_error;
  times.dead_after = options.dead_after;
  return jobs::quiet_time(times, disk.job->heartbeat_unix_ms, clock);
}

std::size_t position_in(const std::vector<state::ShardPosition>& positions) {
  std::size_t next = 0;
  if (positions.empty()) return next;
  const std::string& text = positions.front().sequence_number;
  std::from_chars(text.data(), text.data() + text.size(), next);
  return next;
}

/// The applier's way to the target, watched.
class WatchedWritable final : public endpoints::Writable {
 public:
  WatchedWritable(std::unique_ptr<endpoints::Writable> target, WriteWatch& watch, World& world)
      : target_(std::move(target)), watch_(watch), world_(world) {}

  endpoints::WriteCaps caps() const override { return target_->caps(); }
  Task<endpoints::WriteOutcome> put(std::span<const std::string_view> records) override {
    return target_->put(records);
  }
  Task<endpoints::WriteOutcome> write(std::span<const endpoints::WriteRequest> requests) override {
    std::string broken = watch_.sent(requests);
    if (!broken.empty()) world_.violate(Violation::Kind::broken_rule, std::move(broken));
    endpoints::WriteOutcome outcome = co_await target_->write(requests);
    watch_.ended(requests, outcome);
    co_return outcome;
  }

 private:
  std::unique_ptr<endpoints::Writable> target_;
  WriteWatch& watch_;
  World& world_;
};

}  // namespace

std::string WriteWatch::sent(std::span<const endpoints::WriteRequest> requests) {
  const MonoTime now = universe_.now();
  std::string broken;
  for (const endpoints::WriteRequest& request : requests) {
    const KeyId key = parse_key(request.raw);
    State& state = keys_[key];
    if (state.on_wire) broken = fmt::format("two writes of item {} are on the wire", key);
    if (now <= state.free_after) broken = fmt::format("item {} was written again too early", key);
    if (now <= state.other_after && request.raw != state.newest) {
      broken = fmt::format("another state of item {} was written too early", key);
    }
    state.on_wire = true;
    state.newest = request.raw;
  }
  return broken;
}

void WriteWatch::ended(std::span<const endpoints::WriteRequest> requests,
                       const endpoints::WriteOutcome& outcome) {
  const MonoTime now = universe_.now();
  for (std::uint32_t i = 0; i < requests.size(); ++i) {
    State& state = keys_[parse_key(requests[i].raw)];
    state.on_wire = false;
    if (!outcome.error) {
      const bool written = std::ranges::find(outcome.unprocessed, i) == outcome.unprocessed.end();
      if (written) state.free_after = now + clock_error_;
    } else if (outcome.error->kind == ErrorKind::unknown_outcome) {
      state.free_after = now + dead_after_ + clock_error_;
    } else if (outcome.error->kind == ErrorKind::refused) {
      // Perhaps written in part: the same state may go again at once.
      state.other_after = now + clock_error_;
    }
  }
}

void WriteWatch::sender_died() {
  for (auto& [key, state] : keys_) {
    if (std::exchange(state.on_wire, false)) state.free_after = universe_.now() + dead_after_ + clock_error_;
  }
}

bool SimHistory::done() const { return std::ranges::all_of(segments, &Segment::done); }

ApplyProcess::ApplyProcess(World& world, Disk& ledger_disk, SpoolDisk& spool_disk, SimChanges& changes,
                           SimHistory& history, const SpoolFaults& spool_faults,
                           const jobs::ApplyOptions& options, WriteWatch& watch, std::uint64_t seed)
    : loop(world.universe()),
      world_(world),
      changes_(changes),
      history_(history),
      store_(std::make_unique<SimStore>(world, loop, ledger_disk)),
      spool_(loop, spool_disk, world.universe().random(), spool_faults),
      random_(seed),
      options_(options),
      watermark_(options.clock_error),
      ledger_(loop, *store_, spool_, ledger_disk.job->live),
      quiet_until_(quiet_time(options, ledger_disk, loop)) {
  const std::size_t lane_count = 1 + seed % 2;
  for (std::size_t i = 0; i < lane_count; ++i) {
    lanes_.push_back({&loop, make_source(world, loop, observed), make_target(world, loop, observed)});
    auto& put = lanes_.back().target.put;
    put = std::make_unique<WatchedWritable>(std::move(put), watch, world);
  }
  jobs::Apply::Context context;
  context.lanes = &lanes_;
  context.spool = &spool_;
  context.ledger = &ledger_;
  context.watermark = &watermark_;
  context.stop = &stop;
  context.source_key = source_key();
  context.quiet_until = quiet_until_;
  context.random = random_.fork();
  apply.emplace(context, options_);
  asio::co_spawn(loop.executor(), run(), [this](std::exception_ptr error, Result<void> answer) {
    if (error) std::rethrow_exception(error);
    result = std::move(answer);
  });
}

ApplyProcess::~ApplyProcess() {
  loop.destroy_everything();
  // Whoever waits for its turn at the ledger goes with it, and wakes others.
  store_.reset();
  loop.destroy_everything();
}

void ApplyProcess::fail_with(const Error& error) {
  if (!failure_) failure_ = error;
  stop.request();
}

Task<Result<void>> ApplyProcess::run() {
  const Result<void> loaded = co_await ledger_.load_rejects();
  if (!loaded) co_return loaded;
  jobs::TaskGroup others;
  others.spawn(loop.executor(), beat());
  others.spawn(loop.executor(), capture());
  for (std::uint32_t i = 0; i < history_.segments.size(); ++i) {
    if (!history_.segments[i].done) others.spawn(loop.executor(), copy_segment(i));
  }
  const Result<void> applied = co_await apply->run();
  if (!applied) fail_with(applied.error());
  stop.request();
  co_await others.wait();
  if (failure_) co_return fail(*failure_);
  if (!left_unknown_ && apply->wire_is_quiet()) {
    const Result<void> ended = co_await ledger_.end_cleanly();
    ended_cleanly = ended.has_value();
  }
  co_return Result<void>();
}

Task<void> ApplyProcess::beat() {
  const Result<void> beaten = co_await ledger_.keep_heartbeat(stop);
  if (!beaten) fail_with(beaten.error());
}

// ---------------------------------------------------------------------------------------------- capture

Task<void> ApplyProcess::capture() {
  const std::string domain = kDomain;
  const Result<void> begun = co_await spool_.begin_domain(domain);
  const auto positions = co_await spool_.positions();
  if (!begun || !positions) co_return;
  captured_ = position_in(*positions);
  while (!stop.requested()) {
    co_await loop.sleep_for(world_.between(1ms, changes_.latest), &stop);
    const std::size_t waiting = changes_.events.size() - captured_;
    if (waiting == 0) continue;
    std::size_t from = captured_;
    if (random_.chance(changes_.told_again)) from -= std::min<std::size_t>(from, random_.below(5));
    const std::size_t to = captured_ + 1 + random_.below(std::min<std::size_t>(waiting, 6));
    state::SpoolBatch batch;
    batch.domain = domain;
    batch.captured = loop.now();
    for (std::size_t i = from; i < to; ++i) {
      const SimChanges::Event& event = changes_.events[i];
      state::SpoolPut put;
      put.key = key_json(event.key);
      put.changed_unix_ms = event.at_unix_ms;
      if (!random_.chance(changes_.marks)) {
        put.kind = event.state.there ? state::ChangeKind::image : state::ChangeKind::removal;
        put.token = *state::OrderToken::parse(fmt::format("{:021}", i + 1));
        if (event.state.there) put.image = item_json({.key = event.key, .version = event.state.version});
      }
      batch.puts.push_back(std::move(put));
    }
    batch.positions.push_back({.shard = kShard, .sequence_number = std::to_string(to)});
    co_await loop.sleep_for(world_.between(0ms, changes_.latest), nullptr);
    const Result<state::PutAnswer> put = co_await spool_.put(batch);
    if (put) captured_ = to;
  }
}

// ---------------------------------------------------------------------------------------------- history

Task<void> ApplyProcess::copy_segment(std::uint32_t segment) {
  SimHistory::Segment& place = history_.segments[segment];
  const endpoints::Unit unit{.id = fmt::format("segment {}", segment), .spec = segment_spec(segment)};
  co_await loop.sleep_until(quiet_until_ + 1ms, &stop);
  while (!place.done && !stop.requested()) {
    const jobs::Watermark::Page id = watermark_.sent(loop.now());
    const endpoints::Cursor cursor{cursor_text(place.from)};
    Result<endpoints::Page> page = co_await lanes_.front().source.scan->read(unit, cursor);
    if (!page) {
      watermark_.dropped(id);
      co_await loop.sleep_for(world_.between(1ms, 500ms), &stop);
      continue;
    }
    std::vector<std::string> records(page->records.begin(), page->records.end());
    const KeyId next = parse_cursor(page->next.bytes);
    const bool end = page->end;
    lanes_.front().source.scan->recycle(std::move(*page));
    co_await loop.sleep_for(world_.between(0ms, history_.latest), &stop);
    const bool written = co_await write_page(std::move(records));
    if (!written) co_return;
    watermark_.acknowledged(id, loop.now());
    place.from = next;
    place.done = end;
  }
}

Task<bool> ApplyProcess::write_page(std::vector<std::string> records) {
  while (!records.empty()) {
    const std::size_t count = std::min<std::size_t>(records.size(), world_.plan().batch_items);
    const auto end = records.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<std::string> batch(records.begin(), end);
    records.erase(records.begin(), end);
    const bool written = co_await write_batch(std::move(batch));
    if (!written) co_return false;
  }
  co_return true;
}

Task<bool> ApplyProcess::may_send() {
  while (!stop.requested() && loop.now() > ledger_.send_until()) co_await loop.sleep_for(20ms, &stop);
  co_return !stop.requested();
}

/// False if the process stops before all of it is acknowledged, or among the rejects.
Task<bool> ApplyProcess::write_batch(std::vector<std::string> records) {
  while (!records.empty()) {
    const bool may = co_await may_send();
    if (!may) co_return false;
    const std::vector<std::string_view> views(records.begin(), records.end());
    const std::span<const std::string_view> to_put = views;
    const endpoints::WriteOutcome outcome = co_await lanes_.front().target.put->put(to_put);
    if (!outcome.error) {
      std::vector<std::string> left;
      for (const std::uint32_t at : outcome.unprocessed) left.push_back(std::move(records[at]));
      records = std::move(left);
      if (!records.empty()) co_await loop.sleep_for(world_.between(1ms, 500ms), &stop);
      continue;
    }
    const ErrorKind kind = outcome.error->kind;
    if (kind == ErrorKind::unknown_outcome) {
      const MonoTime until = loop.now() + options_.dead_after + options_.clock_error + 1ms;
      co_await loop.sleep_until(until, &stop);
      if (loop.now() < until) {
        left_unknown_ = true;
        co_return false;
      }
    } else if (kind != ErrorKind::refused) {
      co_await loop.sleep_for(world_.between(1ms, 500ms), &stop);
    } else if (records.size() == 1) {
      const bool recorded = co_await reject(records.front(), *outcome.error);
      co_return recorded;
    } else {
      std::vector<std::string> last{std::move(records.back())};
      records.pop_back();
      const bool written = co_await write_batch(std::move(last));
      if (!written) co_return false;
    }
  }
  co_return true;
}

Task<bool> ApplyProcess::reject(const std::string& record, const Error& error) {
  std::vector<state::Reject> rejects(1);
  state::Reject& reject = rejects.front();
  reject.unit = "history";
  reject.reason = error.message;
  reject.code = error.code;
  reject.item = record;
  reject.key = item::key_bytes(*item::find_key(record, source_key()));
  std::vector<std::string> former{reject.key};
  const Result<void> recorded = co_await ledger_.record_rejects(std::move(rejects), std::move(former));
  if (!recorded) fail_with(recorded.error());
  co_return recorded.has_value();
}

}  // namespace messina::simulation
