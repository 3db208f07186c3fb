#include <algorithm>

#include "jobs/capture_internal.h"
#include "jobs/copy_start.h"

namespace messina::jobs {

using endpoints::FeedPage;
using endpoints::ShardId;
using endpoints::ShardStart;

namespace {

/// GetRecords answers with 1,000 records or 1 MB at most ("Limit", API reference; developer guide, "Reading
/// and processing a stream").
constexpr std::int64_t kMostPageBytes = 1 << 20;
/// What a page is expected to have at least, whatever the last one had.
constexpr std::int64_t kLeastPageBytes = 128 << 10;
/// Pages may be empty although there is more to read (jobs/shard_map.h, PollSeen::caught_up), and no server
/// says how many. So many in a row, the first of them made at full speed, are taken to say that nothing is
/// unread that could be read when the first of them was asked for.
constexpr std::uint32_t kEmptyAtFullSpeed = 4;
/// Positions of shards that tell nothing are stored so often at most, and synced so often at least: they must
/// not age by a part of the retention's margin that matters.
constexpr Duration kStoreEvery = std::chrono::seconds(5), kSyncEvery = std::chrono::minutes(1);
/// After a shard's end, its children are looked for so often; they are listed at once as a rule, and the
/// regular listings find what comes later.
constexpr int kLooksForChildren = 4;
constexpr Duration kBetweenLooks = std::chrono::seconds(1);

}  // namespace

Task<void> Capture::State::read_shard(State& self, ShardId shard) {
  const std::shared_ptr<Stop> halting = self.halt;
  Reader reader;
  reader.shard = std::move(shard);
  reader.expected_bytes = kLeastPageBytes;
  reader.next_poll = reader.stored_at = reader.synced_at = self.context.loop->now();
  const ShardRow* const row = self.map.find(reader.shard);
  if (row != nullptr) reader.read_to = row->read_to;
  while (!halting->requested()) {
    auto more = co_await self.poll(reader);
    if (!more) self.end_with(more.error());
    if (!more || !*more) break;
    if (reader.next_poll > self.context.loop->now())
      co_await self.context.loop->sleep_until(reader.next_poll, halting.get());
  }
  self.being_read.erase(reader.shard);
  self.succeeded(reader.shard.value);
}

Task<Result<bool>> Capture::State::poll(Reader& reader) {
  const MonoTime began = context.loop->now();
  reader.next_poll = began + limits.shard_interval;
  if (reader.iterator.empty()) {
    const auto iterator = [this, &reader] {
      ShardStart start{reader.read_to};
      return feed->iterator(arn, reader.shard, std::move(start));
    };
    auto asked = co_await ask<std::string>(reader.shard.value, iterator);
    if (!asked) {
      auto recovered = co_await recover(reader, asked.error());
      co_return recovered;
    }
    reader.iterator = std::move(*asked);
  }
  AsyncSemaphore::Lease lease = co_await memory.acquire(reader.expected_bytes);
  if (halt->requested()) co_return false;
  const auto next = [this, &reader] { return feed->next(reader.iterator); };
  auto page = co_await ask<FeedPage>(reader.shard.value, next);
  if (!page) {
    lease.release();
    auto recovered = co_await recover(reader, page.error());
    co_return recovered;
  }
  reader.iterator = std::move(page->next_iterator);
  const bool end = reader.iterator.empty();
  if (page->records.empty()) {
    ++reader.empty_polls;
    reader.empties.push_back({page->sent_at, page->answered_at});
    const std::size_t most = options.faults.one_empty_page_is_enough ? 1 : kEmptyAtFullSpeed;
    if (reader.empties.size() > most) reader.empties.pop_front();
  } else {
    reader.empty_polls = 0;
    reader.empties.clear();
  }
  reader.next_poll = page->sent_at + limits.shard_interval;
  auto taken = co_await take_page(reader, std::move(*page), lease);
  lease.release();
  if (!taken) co_return fail(std::move(taken.error()));
  if (end) {
    auto found = co_await find_children(reader.shard);
    if (!found) co_return fail(std::move(found.error()));
    co_return false;
  }
  if (reader.empty_polls > kEmptyAtFullSpeed) {
    const std::uint32_t doublings = std::min(reader.empty_polls - kEmptyAtFullSpeed, 16u);
    const auto slower =
        std::min<Duration>(options.idle_poll, Duration(limits.shard_interval) * (1 << doublings));
    reader.next_poll += std::max<Duration>(slower - limits.shard_interval, Duration::zero());
  }
  co_return true;
}

/// True: the shard is read on.
Task<Result<bool>> Capture::State::recover(Reader& reader, const Error& error) {
  reader.iterator.clear();
  reader.empties.clear();
  reader.empty_polls = 0;  // another iterator goes from the last record on, over what was empty
  if (error.kind == ErrorKind::stale) co_return true;
  if (error.kind == ErrorKind::trimmed) {
    ShardMap::Step step =
        change_map([&](ShardMap& shards) { return shards.trimmed(reader.shard, server_now()); });
    reader.read_to.reset();
    state::SpoolBatch batch;
    auto stored = co_await store(std::move(step), batch);
    if (!stored) co_return fail(std::move(stored.error()));
    co_return true;
  }
  if (error.kind != ErrorKind::not_found) co_return fail(error);
  // Gone with its whole stream, or alone?
  const MonoTime now = context.loop->now();
  auto listed = co_await list(now);
  if (!listed) co_return fail(std::move(listed.error()));
  if (halt->requested()) co_return false;
  {
    const AsyncSemaphore::Lease alone = co_await lineage.acquire(1);
    ShardMap::Step step = change_map([&](ShardMap& shards) {
      losing_a_shard = true;
      return shards.lost(reader.shard, server_now());
    });
    state::SpoolBatch batch;
    auto stored = co_await store(std::move(step), batch);
    if (!stored) co_return fail(std::move(stored.error()));
    const std::lock_guard lock(mutex);
    losing_a_shard = false;
  }
  start_readers();
  co_return false;
}

Result<void> Capture::State::read_records(const FeedPage& page, state::SpoolBatch& batch, PollSeen& poll) {
  const std::int64_t now = unix_ms(page.answered_at);
  if (!records) return fail(ErrorKind::internal, "a stream is read that was not begun");
  batch.puts.reserve(page.records.size());
  for (const item::StreamRecord& record : page.records) {
    auto taken = records->read(record, now, batch.puts.emplace_back());
    if (!taken) {
      return fail(ErrorKind::needs_person, "the stream's records are not of the table that was described (" +
                                               taken.error().message + "): was it made again?");
    }
    if (*taken == RecordReader::Taken::put) continue;
    batch.puts.pop_back();
    const std::lock_guard lock(mutex);
    ++(*taken == RecordReader::Taken::older ? seen.older_left_out : seen.expired_left_out);
  }
  if (page.records.empty()) return {};
  const item::StreamRecord& last = page.records.back();
  poll.last = endpoints::SequenceNumber{std::string(last.sequence_number)};
  if (last.created_unix_s) poll.last_created = WallTime(std::chrono::seconds(*last.created_unix_s));
  return {};
}

Task<Result<void>> Capture::State::take_page(Reader& reader, FeedPage page, AsyncSemaphore::Lease& lease) {
  const MonoTime now = context.loop->now();
  heard_from_server(page.answered_at);
  state::SpoolBatch batch;
  batch.domain = domain;
  batch.captured = now;
  PollSeen poll;
  poll.answered_at = page.answered_at;
  poll.end = reader.iterator.empty();
  const auto bytes = static_cast<std::int64_t>(page.bytes.size());
  const std::size_t events = page.records.size();
  const MonoTime sent_at = page.sent_at;
  poll.caught_up = events == 0 && !poll.end && has_caught_up(reader);
  if (poll.caught_up) poll.answered_at = reader.empties.front().answered_at;
  auto read = read_records(page, batch, poll);
  feed->recycle(std::move(page));
  if (!read) co_return read;
  lease.adjust(bytes);
  reader.expected_bytes = std::clamp(2 * bytes, kLeastPageBytes, kMostPageBytes);
  if (from_latest.contains(reader.shard)) {
    if (events == 0) from_latest.erase(reader.shard);
    batch.puts.clear();
  }

  AsyncSemaphore::Lease alone;
  if (poll.end && !options.faults.children_at_once) alone = co_await lineage.acquire(1);
  ShardMap::Step step = change_map([&](ShardMap& shards) { return shards.answered(reader.shard, poll); });
  if (poll.last) reader.read_to = poll.last;
  if (poll.end && options.faults.children_at_once) start_readers();
  bool to_store = true;
  if (batch.puts.empty() && !poll.end && step.gaps.empty()) {
    to_store = now - reader.stored_at >= std::min<Duration>(kStoreEvery, margin / 8);
    batch.lazy = now - reader.synced_at < std::min<Duration>(kSyncEvery, margin / 4);
  }
  if (to_store) {
    auto stored = co_await store(std::move(step), batch);
    if (!stored) co_return stored;
    reader.stored_at = now;
    if (!batch.lazy) reader.synced_at = now;
  }
  const std::lock_guard lock(mutex);
  seen.events += events;
  seen.bytes += static_cast<std::uint64_t>(bytes);
  note_poll(reader, poll, sent_at);
  co_return Result<void>();
}

bool Capture::State::has_caught_up(const Reader& reader) const {
  if (options.faults.one_empty_page_is_enough) return true;
  if (reader.empty_polls < kEmptyAtFullSpeed || !listing) return false;
  const auto listed = std::ranges::find(listing->shards, reader.shard, &endpoints::ShardInfo::id);
  return listed == listing->shards.end() || !listed->closed;
}

/// Times of a server's records are whole seconds, and its clock is not ours: only differences of its own
/// times are used.
void Capture::State::note_poll(const Reader& reader, const PollSeen& poll, MonoTime sent_at) {
  const auto [at, is_first] = polled.try_emplace(reader.shard);
  Polled& noted = at->second;
  // What a child holds was written after its parent was closed: before that, nothing of it is missing that is
  // not missing of the parent.
  if (is_first) {
    const ShardRow* const row = map.find(reader.shard);
    const auto parent = row != nullptr && row->parent ? polled.find(*row->parent) : polled.end();
    if (parent != polled.end()) noted.whole_until = parent->second.whole_until;
  }
  MonoTime whole_until = (poll.caught_up ? reader.empties.front().sent_at : sent_at) - limits.lateness;
  std::chrono::seconds behind{0};
  constexpr std::chrono::seconds kRounding{1};
  if (poll.last && poll.last_created && !poll.end) {
    const auto age = std::chrono::ceil<std::chrono::seconds>(poll.answered_at - *poll.last_created);
    behind = std::max(age, std::chrono::seconds(0));
    whole_until = std::min(whole_until, sent_at - behind - kRounding);
  } else if (poll.end) {
    // When it was closed is not known, and its children begin there.
    whole_until = noted.whole_until;
  } else if (!poll.caught_up) {
    // Nothing new is known to be read.
    whole_until = noted.whole_until;
    behind = std::chrono::ceil<std::chrono::seconds>(sent_at - std::min(sent_at, whole_until + kRounding));
  }
  noted.sent_at = sent_at;
  noted.behind = behind;
  noted.whole_until = std::max(noted.whole_until, whole_until);
}

Task<Result<void>> Capture::State::find_children(const ShardId& parent) {
  start_readers();  // those that have waited for it
  MonoTime since = context.loop->now();
  for (int look = 0; look < kLooksForChildren; ++look) {
    auto listed = co_await list(since);
    if (!listed) co_return listed;
    const bool found = std::ranges::any_of(
        map.rows(), [&](const ShardRow& row) { return row.parent && *row.parent == parent; });
    if (found) break;
    since = context.loop->now();
    co_await context.loop->sleep_for(kBetweenLooks, halt.get());
    if (halt->requested()) break;
  }
  co_return Result<void>();
}

}  // namespace messina::jobs
