// Capture: rules 10, 13 and 14, by jobs/shard_map.h and jobs/capture_records.h.
#include <algorithm>

#include "jobs/capture_records.h"
#include "model.h"

namespace messina::model {

namespace {

using endpoints::ShardId;
using jobs::ShardMap;

constexpr std::chrono::hours kNeverTrimmed{24 * 365 * 100};
constexpr std::array<const char*, kKeys> kKeyJson = {R"({"k":{"S":"a"}})", R"({"k":{"S":"b"}})"};

ShardId id_of(int shard) { return {std::string(1, static_cast<char>('0' + shard))}; }
int shard_of_id(const ShardId& id) { return id.value.front() - '0'; }
std::string digits_of(Version version) { return std::to_string(version); }

bool has_bit(std::uint8_t bits, int bit) { return ((bits >> bit) & 1) != 0; }
std::uint8_t with_bit(std::uint8_t bits, int bit) { return static_cast<std::uint8_t>(bits | 1u << bit); }

std::int64_t unix_ms(int tick) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(wall(tick).time_since_epoch()).count();
}

}  // namespace

ShardMap Model::map_of(const std::array<Row, kShards>& rows) const {
  const bool trims = scope_.retention > 0 && !without_.rule14_age;
  ShardMap map({.retention = trims ? scope_.retention * kTick : std::chrono::seconds(kNeverTrimmed),
                .margin = std::chrono::seconds(0),
                .lateness = std::chrono::seconds(0)});
  std::vector<jobs::ShardRow> known;
  for (int i = 0; i < kShards; ++i) {
    const Row& row = rows[static_cast<std::size_t>(i)];
    if (row.state == RowState::unknown) continue;
    jobs::ShardRow& out = known.emplace_back();
    out.id = id_of(i);
    if (i == 2) out.parent = id_of(0);
    out.state = static_cast<jobs::ShardState>(static_cast<int>(row.state) - 1);
    if (row.read_to != 0) out.read_to = endpoints::SequenceNumber{digits_of(row.read_to)};
    out.read_until = wall(row.read_until);
  }
  map.restore(std::move(known));
  return map;
}

void Model::keep_rows(const ShardMap::Step& step, std::array<Row, kShards>& rows) const {
  for (const jobs::ShardRow& row : step.rows) {
    Row& kept = rows[static_cast<std::size_t>(shard_of_id(row.id))];
    kept.state = static_cast<RowState>(static_cast<int>(row.state) + 1);
    kept.read_to = row.read_to ? static_cast<Version>(row.read_to->digits.front() - '0') : Version{0};
    kept.read_until = scope_.retention > 0 ? static_cast<Tick>(tick_of(row.read_until)) : Tick{0};
  }
}

endpoints::StreamDescription Model::listing_of(const State& s) const {
  endpoints::StreamDescription listing;
  listing.answered_at = wall(0);
  listing.asked_at = mono(0);
  listing.shards.push_back({id_of(0), std::nullopt, s.split != 0});
  if (scope_.two_shards) listing.shards.push_back({id_of(1), std::nullopt, false});
  if (s.split != 0) listing.shards.push_back({id_of(2), id_of(0), false});
  return listing;
}

/// Into the ledger. The spool's marks are the next step.
void Model::declare_gap(State& next) const {
  ++next.gaps;
  next.gaps_healing = std::min<std::uint8_t>(next.gaps_healing, static_cast<std::uint8_t>(next.gaps - 1));
}

/// Rule 13: listed once, positions stored, and only then history.
void Model::begin_steps(const State& s, const Out& out) const {
  State next = s;
  if (s.life == Life::begins) {
    ShardMap map = map_of({});
    const ShardMap::Step step = map.begin(listing_of(s), wall(0));
    next.memory = {};
    keep_rows(step, next.memory);
    next.began = 0;
    next.life = Life::listed;
    out(next, Act::begins, 0, 0, 0);
  } else if (s.life == Life::listed) {
    next.durable = next.memory;
    next.life = Life::runs;
    next.renew = 0;
    if (s.epoch > 0) next.barrier = next.next++;
    ++next.epoch;
    synced_put(next);
    if (without_.rule13_latest) {
      for (int i = 0; i < kShards; ++i) {
        if (next.memory[static_cast<std::size_t>(i)].state == RowState::reading)
          next.from_latest = with_bit(next.from_latest, i);
      }
    }
    // What was written before, history has: to shards that were closed then, or trimmed by now, for sure.
    next.captured |= next.trimmed;
    for (int n = 0; n < next.writes; ++n) {
      const Written& written = next.written[static_cast<std::size_t>(n)];
      if (written.shard == kHint) continue;
      const bool closed = next.memory[written.shard].state == RowState::drained;
      if (closed || written.at < next.began) next.captured = with_bit(next.captured, n);
    }
    next.history_epoch = next.epoch;
    if (!without_.rule13_order) {
      for (std::size_t i = 0; i < kPages; ++i) {
        next.page[i] = {};
        if (scope_.pages[i] == 0) next.page[i].phase = PagePhase::done;
      }
    }
    out(next, Act::stores_positions, 0, 0, 0);
  }
}

void Model::capture_steps(const State& s, const Out& out) const {
  begin_steps(s, out);
  if (s.life != Life::runs) return;
  bool lineage_free = true;
  for (int shard = 0; shard < kShards; ++shard) {
    const auto i = static_cast<std::size_t>(shard);
    const PendingPut& pending = s.pending[i];
    if (pending.stage == marks_pending) {
      State next = s;
      next.barrier = next.next++;
      next.pending[i].stage = put_pending;
      synced_put(next);
      out(next, Act::marks_all, 0, 0, 0);
    } else if (pending.stage == put_pending) {
      State next = s;
      next.pending[i] = {};
      next.durable[i] = next.memory[i];
      if (shard == 0 && next.memory[0].state == RowState::drained) next.durable[2] = next.memory[2];
      put_records(next, pending);
      out(next, Act::puts, static_cast<std::uint8_t>(shard), pending.records, 0);
    }
    if (pending.stage != nothing_pending) {
      lineage_free = lineage_free && s.memory[i].state != RowState::drained;
      continue;
    }
    const bool reads = s.memory[i].state == RowState::reading && s.durable[i].state == RowState::reading;
    const bool beside_parent = without_.rule14_lineage && s.memory[i].state == RowState::waiting;
    if (!reads && !beside_parent) continue;
    if (s.durable[i].read_to != 0 && has_bit(s.trimmed, s.durable[i].read_to - 1)) {
      State next = s;
      ShardMap map = map_of(s.memory);
      const ShardMap::Step step = map.trimmed(id_of(shard), wall(0));
      keep_rows(step, next.memory);
      const bool gap = !step.gaps.empty();
      if (gap) declare_gap(next);
      if (gap && scope_.slow_puts) {
        next.pending[i] = {marks_pending, 0, 0};
      } else {
        if (gap) next.barrier = next.next++;
        next.durable[i] = next.memory[i];
        synced_put(next);
      }
      out(next, Act::finds_trimmed, static_cast<std::uint8_t>(shard), gap, 0);
      continue;
    }
    std::uint8_t all = 0, first = 0;
    for (int n = 0; n < s.writes; ++n) {
      const Written& written = s.written[static_cast<std::size_t>(n)];
      if (written.shard != shard || n < s.memory[i].read_to || has_bit(s.trimmed, n)) continue;
      all = with_bit(all, n);
      if (first == 0) first = all;
    }
    poll_steps(s, shard, all, out);
    if (scope_.short_polls && first != all) poll_steps(s, shard, first, out);
  }
  const bool news = s.split != 0 && s.memory[2].state == RowState::unknown;
  if (!lineage_free || (!news && !scope_.claims)) return;
  State next = s;
  ShardMap map = map_of(s.memory);
  const ShardMap::Step step = map.listed(listing_of(s), wall(0));
  keep_rows(step, next.memory);
  for (const jobs::ShardRow& row : step.rows) {
    const auto i = static_cast<std::size_t>(shard_of_id(row.id));
    next.durable[i] = next.memory[i];
  }
  next.listed_split = s.split;
  next.listed_at = 0;
  if (!step.gaps.empty()) {
    declare_gap(next);
    next.barrier = next.next++;
  }
  if (!step.rows.empty()) synced_put(next);
  const bool waits = next.memory[2].state == RowState::waiting;
  if (waits) note(Seen::child_waited);
  out(next, Act::lists, s.split, !step.gaps.empty(), 0);
}

/// One answered poll that brings the records of `wanted`.
void Model::poll_steps(const State& s, int shard, std::uint8_t wanted, const Out& out) const {
  const auto i = static_cast<std::size_t>(shard);
  int last = -1;
  bool more = false;
  for (int n = 0; n < s.writes; ++n) {
    if (has_bit(wanted, n)) last = n;
    const bool unread = s.written[static_cast<std::size_t>(n)].shard == shard && n >= s.memory[i].read_to &&
                        !has_bit(s.trimmed, n);
    more = more || (unread && n > last);
  }
  jobs::PollSeen poll;
  poll.answered_at = wall(0);
  poll.end = shard == 0 && s.split != 0 && !more;
  const bool tells = last >= 0 || poll.end || scope_.claims || scope_.retention > 0;
  if (!tells && !has_bit(s.from_latest, shard)) return;
  if (last >= 0) {
    poll.last = endpoints::SequenceNumber{digits_of(static_cast<Version>(last + 1))};
    poll.last_created = wall(s.written[static_cast<std::size_t>(last)].at);
  }
  State next = s;
  ShardMap map = map_of(s.memory);
  const ShardMap::Step step = map.answered(id_of(shard), poll);
  keep_rows(step, next.memory);
  if (scope_.claims) {
    next.polled_at[i] = 0;
    next.behind[i] = last >= 0 && !poll.end
                         ? static_cast<std::uint8_t>(-s.written[static_cast<std::size_t>(last)].at)
                         : std::uint8_t{0};
  }
  const bool gap = !step.gaps.empty();
  if (gap) declare_gap(next);
  PendingPut pending{put_pending, wanted, 0};
  if (has_bit(s.from_latest, shard)) {
    pending.records = 0;
    next.from_latest = static_cast<std::uint8_t>(next.from_latest & ~(1u << shard));
  }
  const auto store_rows = [&] {
    next.durable[i] = next.memory[i];
    if (poll.end) next.durable[2] = next.memory[2];
  };
  if (without_.rule10_positions) store_rows();
  const bool slow = scope_.slow_puts && (pending.records != 0 || gap || poll.end);
  if (slow) {
    pending.stage = gap ? marks_pending : put_pending;
    next.pending[i] = pending;
  } else {
    if (gap) {
      next.barrier = next.next++;
      synced_put(next);
    }
    store_rows();
    put_records(next, pending);
  }
  if (gap) note(Seen::gap);
  out(next, Act::polls, static_cast<std::uint8_t>(shard), wanted, gap);
}

void Model::put_records(State& next, const PendingPut& pending) const {
  if (pending.records == 0) return;
  static const item::KeySchema schema{.partition = {.name = "k", .type = item::Type::S},
                                      .sort = std::nullopt};
  const bool from_start = scope_.begun && next.epoch == 1;
  const jobs::RecordReader reader(schema, {.images = scope_.images,
                                           .carry_expired = true,
                                           .history_from_unix_ms = from_start ? 0 : unix_ms(next.began),
                                           .any_image = false});
  for (int n = 0; n < next.writes; ++n) {
    if (!has_bit(pending.records, n)) continue;
    const Written& written = next.written[static_cast<std::size_t>(n)];
    next.captured = with_bit(next.captured, n);
    // The token is the spool's affair: as long as DynamoDB's, in the same order.
    const std::string number = "10000000000000000000" + digits_of(static_cast<Version>(n + 1));
    const item::StreamRecord record{.keys = kKeyJson[written.key],
                                    .new_image = written.removed != 0 ? "" : kKeyJson[written.key],
                                    .old_image = {},
                                    .sequence_number = number,
                                    .removed = written.removed != 0,
                                    .by_service = false,
                                    .created_unix_s = unix_ms(written.at) / 1000};
    state::SpoolPut put;
    const auto taken = reader.read(record, 0, put);
    if (!taken || *taken != jobs::RecordReader::Taken::put) {
      note(Seen::record_of_history);
      continue;
    }
    this->put(next, written.key, put, pending.captured);
  }
}

}  // namespace messina::model
