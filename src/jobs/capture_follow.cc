#include <algorithm>

#include "jobs/capture_internal.h"
#include "jobs/copy_start.h"

namespace messina::jobs {

using endpoints::StreamDescription;
using endpoints::StreamStatus;

namespace {

const std::string kListing = "listing";

}  // namespace

Task<Result<void>> Capture::State::follow() {
  for (;;) {
    halt = std::make_shared<Stop>();
    stream_over = false;
    const std::shared_ptr<Stop> halting = halt;
    const Stop::Registration outer = context.stop->on_request([halting] { halting->request(); });
    {
      const std::lock_guard lock(mutex);
      seen.running = true;
    }
    // Shards that are known need not wait for a listing.
    start_readers();
    Task<void> listings = keep_listing(*this);
    tasks.spawn(context.loop->executor(), std::move(listings));
    co_await tasks.wait();
    {
      const std::lock_guard lock(mutex);
      seen.running = false;
    }
    halt.reset();
    if (failed) co_return fail(*failed);
    if (context.stop->requested() || !stream_over) co_return Result<void>();
    auto renewed = co_await renew();
    if (!renewed && renewed.error().kind == ErrorKind::stopped) co_return Result<void>();
    if (!renewed) co_return renewed;
  }
}

void Capture::State::end_with(const Error& error) {
  if (error.kind != ErrorKind::stopped && !failed) failed = error;
  halt->request();
}

void Capture::State::start_readers() {
  std::vector<endpoints::ShardId> shards = map.to_read();
  if (options.faults.parent_not_waited_for) {
    for (const ShardRow& row : map.rows()) {
      if (row.state == ShardState::waiting) shards.push_back(row.id);
    }
  }
  for (const endpoints::ShardId& shard : shards) {
    if (halt->requested() || !being_read.insert(shard).second) continue;
    Task<void> reader = read_shard(*this, shard);
    tasks.spawn(context.loop->executor(), std::move(reader));
  }
}

Task<void> Capture::State::keep_listing(State& self) {
  const std::shared_ptr<Stop> halting = self.halt;
  while (!halting->requested()) {
    auto listed = co_await self.list(std::nullopt);
    if (!listed) self.end_with(listed.error());
    co_await self.context.loop->sleep_for(self.options.list_every, halting.get());
  }
}

Task<Result<void>> Capture::State::list(std::optional<MonoTime> newer_than) {
  const AsyncSemaphore::Lease alone = co_await lineage.acquire(1);
  if (newer_than && listing && listing->asked_at > *newer_than) co_return Result<void>();
  if (halt->requested()) co_return fail(ErrorKind::stopped, "stopped before the shards were listed");
  const auto describe = [this] { return feed->describe(arn); };
  auto described = co_await ask<StreamDescription>(kListing, describe);
  if (!described && described.error().kind != ErrorKind::not_found)
    co_return fail(std::move(described.error()));
  const bool over = !described || described->status == StreamStatus::disabling ||
                    described->status == StreamStatus::disabled;
  if (over) {
    auto ended_well = co_await end_stream();
    co_return ended_well;
  }
  heard_from_server(described->answered_at);
  ShardMap::Step step =
      change_map([&](ShardMap& shards) { return shards.listed(*described, described->answered_at); });
  state::SpoolBatch batch;
  auto stored = co_await store(std::move(step), batch);
  if (!stored) co_return stored;
  {
    const std::lock_guard lock(mutex);
    listing = std::move(*described);
    std::erase_if(polled, [this](const auto& entry) { return map.find(entry.first) == nullptr; });
  }
  start_readers();
  co_return Result<void>();
}

Task<Result<void>> Capture::State::end_stream() {
  std::vector<state::GapRecord> gaps;
  gaps.push_back({.cause = std::string(to_string(GapCause::stream_ended)),
                  .detail = arn.value,
                  .noticed_unix_ms = unix_ms(server_now())});
  ended = arn.value;
  auto declared = co_await declare(std::move(gaps));
  stream_over = declared.has_value();
  halt->request();
  co_return declared;
}

}  // namespace messina::jobs
