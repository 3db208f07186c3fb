#include <algorithm>

#include <fmt/format.h>

#include "jobs/capture_internal.h"
#include "jobs/copy_start.h"

namespace messina::jobs {

using endpoints::StreamArn;
using endpoints::StreamDescription;
using endpoints::StreamStatus;

namespace {

/// A stream that was asked for is there in seconds as a rule; of a table that is being changed in minutes.
constexpr std::chrono::minutes kEnableWait{15};
constexpr std::chrono::seconds kEnablePoll{1};
/// A stream that is still off so long after it was asked for was switched off again.
constexpr std::chrono::minutes kAskAgain{1};
const std::string kStream = "stream";

std::unexpected<Error> no_stream(const std::string& table) {
  return fail(ErrorKind::config, table +
                                     " has no stream of its changes: switch one on (NEW_IMAGE is "
                                     "best), or allow it with --enable-stream");
}

}  // namespace

Task<Result<void>> check_stream(Loop& loop, endpoints::Endpoint& source, const CaptureOptions& options,
                                Stop* stop) {
  if (options.enable) co_return Result<void>();
  Random random(entropy_seed());
  endpoints::Feed* const feed = source.feed.get();
  const auto find = [feed] { return feed->find(); };
  const Result<std::optional<StreamArn>> named =
      co_await with_retries<std::optional<StreamArn>>(loop, stop, random, find, kAskAndEnd);
  if (!named) co_return fail(named.error());
  if (!*named) co_return no_stream(source.display);
  const auto describe = [feed, &named] { return feed->describe(**named); };
  const Result<StreamDescription> stream =
      co_await with_retries<StreamDescription>(loop, stop, random, describe, kAskAndEnd);
  const bool gone = !stream && stream.error().kind == ErrorKind::not_found;
  if (!stream && !gone) co_return fail(stream.error());
  if (gone || stream->status == StreamStatus::disabled) co_return no_stream(source.display);
  co_return Result<void>();
}

Task<Result<void>> Capture::State::begin() {
  const state::LiveRecord& record = context.ledger->record();
  if (record.gap()) {
    // A crash may have come between the ledger's gap and the spool's marks.
    state::SpoolStore* const spool = context.spool;
    const auto call = [spool] { return spool->declare_gap(); };
    auto marked = co_await with_room<void>(call);
    if (!marked) co_return marked;
  }
  auto stream = co_await find_stream(record.capture_epoch == 0 ? kAskAndEnd : kOutlastOutages);
  if (!stream) co_return fail(std::move(stream.error()));
  auto taken = co_await take_up(std::move(*stream));
  co_return taken;
}

Task<Result<void>> Capture::State::renew() {
  auto stream = co_await find_stream(kOutlastOutages);
  if (!stream && stream.error().kind == ErrorKind::config)
    co_return fail(ErrorKind::needs_person, stream.error().message);
  if (!stream) co_return fail(std::move(stream.error()));
  auto taken = co_await take_up(std::move(*stream));
  co_return taken;
}

Task<Result<StreamDescription>> Capture::State::find_stream(Patience patience) {
  Loop& loop = *context.loop;
  const std::string& table = context.source->display;
  std::optional<MonoTime> waiting_since;
  std::optional<MonoTime> asked_at;
  for (;;) {
    const auto find = [this] { return feed->find(); };
    auto named = co_await ask<std::optional<StreamArn>>(kStream, find, patience);
    if (!named) co_return fail(std::move(named.error()));
    StreamStatus status = StreamStatus::disabled;
    if (*named) {
      const auto describe = [this, &named] { return feed->describe(**named); };
      auto stream = co_await ask<StreamDescription>(kStream, describe, patience);
      if (!stream && stream.error().kind != ErrorKind::not_found) co_return fail(std::move(stream.error()));
      // Before its shards are listed a stream is not there yet.
      if (stream && stream->status == StreamStatus::enabled && !stream->shards.empty())
        co_return std::move(*stream);
      // Switched off, and gone with its last record.
      status = stream ? stream->status : StreamStatus::disabled;
    }
    const bool to_ask = !asked_at || loop.now() - *asked_at > kAskAgain;
    if (status == StreamStatus::disabled && to_ask) {
      if (!options.enable) {
        co_return no_stream(table);
      }
      const auto enable = [this] { return feed->enable(*options.enable); };
      auto enabled = co_await ask<void>(kStream, enable, patience);
      // It is there if somebody else was faster, or if only our first answer was lost.
      if (!enabled && enabled.error().kind != ErrorKind::exists) co_return fail(std::move(enabled.error()));
      asked_at = loop.now();
    }
    if (!waiting_since) waiting_since = loop.now();
    if (loop.now() - *waiting_since > kEnableWait) {
      co_return fail(ErrorKind::busy, fmt::format("the stream of {} was not enabled within {} minutes: try "
                                                  "again when the table's status is ACTIVE",
                                                  table, kEnableWait.count()));
    }
    co_await loop.sleep_for(kEnablePoll, stop());
    if (stop()->requested()) co_return fail(ErrorKind::stopped, "stopped while the stream was being enabled");
  }
}

Task<Result<void>> Capture::State::take_up(StreamDescription stream) {
  const state::LiveRecord& record = context.ledger->record();
  heard_from_server(stream.answered_at);
  const bool new_epoch = options.new_epoch || record.capture_epoch == 0 || record.stream != stream.arn.value;
  // Nothing is missed where history begins anew.
  const bool replaced = !options.new_epoch && record.capture_epoch > 0 && !record.stream.empty() &&
                        record.stream != stream.arn.value;
  if (replaced && ended != record.stream) {
    state::GapRecord gap{.cause = std::string(to_string(GapCause::stream_ended)),
                         .detail = record.stream,
                         .noticed_unix_ms = unix_ms(server_now())};
    // Told already by a process that did not live to begin the new epoch?
    const bool told = std::ranges::any_of(record.gaps, [&](const state::GapRecord& known) {
      return known.cause == gap.cause && known.detail == gap.detail;
    });
    std::vector<state::GapRecord> gaps;
    gaps.push_back(std::move(gap));
    if (!told) {
      auto declared = co_await declare(std::move(gaps));
      if (!declared) co_return declared;
    }
  }
  const bool images =
      (limits.images_in_order && has_new_image(stream.view)) || options.faults.images_of_any_domain;
  arn = stream.arn;
  domain = images ? arn.value : std::string();
  {
    const std::lock_guard lock(mutex);
    seen.stream = arn.value;
    seen.view = endpoints::text_of(stream.view);
    listing.reset();
    polled.clear();
  }
  auto old = co_await context.spool->positions();
  if (!old) co_return fail(std::move(old.error()));
  const bool ours =
      !new_epoch && !old->empty() && std::ranges::all_of(*old, [&](const state::ShardPosition& position) {
        return position.epoch == record.capture_epoch;
      });
  if (!ours) {
    auto begun = co_await begin_epoch(std::move(stream), std::move(*old));
    co_return begun;
  }
  epoch = record.capture_epoch;
  read_records_since(record.capture_began_unix_ms);
  std::vector<ShardRow> rows;
  for (const state::ShardPosition& position : *old) rows.push_back(to_row(position));
  const std::lock_guard lock(mutex);
  map.restore(std::move(rows));
  co_return Result<void>();
}

/// Records from before an epoch are in the history that is read under it. They must not be put: were some of
/// them trimmed before they are read, the older image of a key would never be followed by the newer one, and
/// nothing would tell, as no change was missed. With what is written so shortly before the epoch that it
/// would be trimmed only when the positions are too old, that cannot happen; it is put, as the clocks of a
/// server's machines differ.
void Capture::State::read_records_since(std::int64_t began_unix_ms) {
  const bool any = options.faults.images_of_any_domain;
  const std::int64_t before_ms = std::chrono::milliseconds(margin).count() / 4;
  const RecordRules rules{
      .images = !domain.empty(),
      .carry_expired = options.carry_expired,
      .history_from_unix_ms = options.faults.replay_what_history_has ? 0 : began_unix_ms - before_ms,
      .any_image = any};
  records.emplace(context.key, rules);
}

Task<Result<void>> Capture::State::begin_epoch(StreamDescription stream,
                                               std::vector<state::ShardPosition> old) {
  const std::uint64_t former = context.ledger->record().capture_epoch;
  epoch = former + 1;
  const std::int64_t began_unix_ms = unix_ms(stream.answered_at);
  read_records_since(began_unix_ms);
  state::SpoolStore* const spool = context.spool;
  const auto begin_domain = [spool, this] { return spool->begin_domain(domain); };
  auto begun = co_await with_room<void>(begin_domain);
  if (!begun) co_return begun;

  ShardMap::Step step =
      change_map([&](ShardMap& shards) { return shards.begin(stream, stream.answered_at); });
  for (const state::ShardPosition& position : old) {
    endpoints::ShardId shard{position.shard};
    if (map.find(shard) == nullptr) step.forgotten.push_back(std::move(shard));
  }
  if (options.faults.begin_at_latest) {
    const std::vector<endpoints::ShardId> open = map.to_read();
    from_latest.insert(open.begin(), open.end());
  }
  state::SpoolBatch batch;
  auto stored = co_await store(std::move(step), batch);
  if (!stored) co_return stored;
  if (former > 0 && !options.faults.images_outlive_epochs) {
    // What was not read yet of the closed shards never will be: what the spool holds may be older than that.
    const auto mark = [spool] { return spool->declare_gap(); };
    auto marked = co_await with_room<void>(mark);
    if (!marked) co_return marked;
  }
  std::function<void(state::LiveRecord&)> change = [this, began_unix_ms](state::LiveRecord& record) {
    record.capture_epoch = epoch;
    record.stream = arn.value;
    record.capture_began_unix_ms = began_unix_ms;
  };
  auto kept = co_await context.ledger->update(std::move(change));
  co_return kept;
}

}  // namespace messina::jobs
