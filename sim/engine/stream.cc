#include "sim/engine/stream.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/json_text.h"
#include "item/compare.h"
#include "sim/engine/json_scan.h"
#include "sim/engine/token.h"

namespace messina::sim {
namespace {

constexpr std::int64_t kLastToken = std::numeric_limits<std::int64_t>::max();
/// How a sequence number grows: by a random step, sometimes by a carry, so that its length changes within a
/// shard, too.
constexpr std::uint64_t kNumberStep = 1000;
constexpr std::uint64_t kCarryOneIn = 64;
/// A multiple of ten more would not fit into 20 digits any more.
constexpr std::uint64_t kLongestHigh = 1'800'000'000'000'000'000;
/// The low halves of the smallest and the largest time-UUID of an instant, as ScyllaDB makes them (recorded).
constexpr std::uint64_t kSmallestLow = 0x8080'8080'8080'8080, kLargestLow = 0x7f7f'7f7f'7f7f'7f7f;
/// ScyllaDB deals tokens out to CPUs by the bits behind the first 12 (`murmur3_partitioner_ignore_msb_bits`).
constexpr int kIgnoredBits = 12;

std::int64_t ms_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::uint64_t biased(std::int64_t token) { return static_cast<std::uint64_t>(token) ^ (1ULL << 63); }

std::size_t cpu_of(std::int64_t token) {
  static_assert(kScyllaCpus == 2, "the first bit that counts is the CPU");
  return static_cast<std::size_t>((biased(token) << kIgnoredBits) >> 63);
}

/// The first token behind `token` that is another CPU's.
std::int64_t other_cpu_from(std::int64_t token) {
  constexpr std::uint64_t kRun = 1ULL << (63 - kIgnoredBits);
  return static_cast<std::int64_t>(((biased(token) / kRun + 1) * kRun) ^ (1ULL << 63));
}

std::string scylla_stream_id(std::int64_t token, std::uint64_t random, std::size_t vnode) {
  // 64 bits of token, 38 random ones, 22 of the vnode's number, 4 of the version, which is 1 (recorded).
  constexpr std::uint64_t kVnodeMask = (1ULL << 22) - 1;
  const std::uint64_t low = (random << 26) | ((vnode & kVnodeMask) << 4) | 1;
  return fmt::format("{:016x}{:016x}", static_cast<std::uint64_t>(token), low);
}

std::string keys_of(std::string_view json, const item::KeySchema& schema) {
  std::string keys = "{";
  const auto append = [&](const std::string& name) {
    const auto value = member_of(json, name);
    if (!value) return;
    if (keys.back() != '{') keys.push_back(',');
    append_json_string(keys, name);
    keys.push_back(':');
    append_compact(keys, *value);
  };
  append(schema.partition.name);
  if (schema.sort) append(schema.sort->name);
  return keys + "}";
}

}  // namespace

std::optional<StreamView> StreamView::parse(std::string_view name) {
  if (name == "KEYS_ONLY") return StreamView{std::string(name), false, false};
  if (name == "NEW_IMAGE") return StreamView{std::string(name), true, false};
  if (name == "OLD_IMAGE") return StreamView{std::string(name), false, true};
  if (name == "NEW_AND_OLD_IMAGES") return StreamView{std::string(name), true, true};
  return std::nullopt;
}

std::string StreamRecord::key_json(const item::KeySchema& schema) const {
  if (!keys.empty()) return keys;
  return keys_of(new_image.empty() ? old_image : new_image, schema);
}

Stream::Stream(Identity identity, StreamRules rules, std::uint64_t seed, Moment now, WallTime generation)
    : identity_(std::move(identity)), rules_(std::move(rules)), random_(seed), created_(now.wall) {
  if (rules_.roll_every > Duration{}) next_roll_ = now.mono + rules_.roll_every;
  if (rules_.split_every > Duration{} && !scylla()) next_split_ = now.mono + rules_.split_every;
  if (scylla()) {
    vnodes_ = rules_.vnodes;
    const std::size_t wanted = std::max<std::size_t>(1, (rules_.shards + kScyllaCpus - 1) / kScyllaCpus);
    while (rules_.vnodes.empty() && vnodes_.size() < wanted)
      vnodes_.push_back(static_cast<std::int64_t>(random_.next()));
    std::ranges::sort(vnodes_);
    open_generation(generation, now);
    return;
  }
  last_ = {1 + random_.below(9), random_.below(kNumberStep)};
  const auto count = static_cast<std::int64_t>(std::max<std::size_t>(1, rules_.shards));
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t last = i + 1 == count ? kLastToken : segment_start(i + 1, count) - 1;
    open(new_shard_id(now), {}, segment_start(i, count), last, now);
  }
}

std::string_view Stream::status(MonoTime now) const {
  if (now < settled_at_) return enabled() ? "ENABLING" : "DISABLING";
  return enabled() ? "ENABLED" : "DISABLED";
}

// ------------------------------------------------------------------------------------------------- shards

std::string Stream::new_shard_id(Moment now) {
  last_shard_ms_ = std::max(ms_of(now.wall), last_shard_ms_ + 1);
  return fmt::format("shardId-{:020}-{:08x}", last_shard_ms_, random_.next() >> 32);
}

StreamShard& Stream::open(std::string id, std::string parent, std::int64_t first, std::int64_t last,
                          Moment now) {
  StreamShard& shard = shards_[id];
  shard.id = std::move(id);
  shard.parent = std::move(parent);
  shard.first_token = first;
  shard.last_token = last;
  if (scylla()) return shard;
  shard.starting = next_number();
  if (rules_.call_limits) shard.calls = TokenBucket(kGetRecordsPerSecond, 1, now.mono);
  open_[first] = &shard;
  return shard;
}

void Stream::close(StreamShard& shard, Moment now) {
  shard.ending = scylla() ? SequenceNumber{uuid_time(now.wall), kLargestLow} : next_number();
  shard.closed_at = now.mono;
  open_.erase(shard.first_token);
}

/// The numbers of the shards to come may be longer by a digit.
void Stream::lengthen_numbers() {
  if (random_.chance(0.5)) return;
  last_.high = last_.high < kLongestHigh ? last_.high * 10 + random_.below(10) : last_.high + 1;
}

Stream::SplitResult Stream::split(const std::string& id, Moment now) {
  StreamShard* shard = find(id);
  if (shard == nullptr) return SplitResult::no_such_shard;
  if (!shard->open()) return SplitResult::closed_already;
  const std::int64_t first = shard->first_token;
  const std::int64_t last = shard->last_token;
  const std::uint64_t width = biased(last) - biased(first);
  if (width == 0) return SplitResult::too_narrow;
  const auto middle = static_cast<std::int64_t>((biased(first) + width / 2) ^ (1ULL << 63));
  close(*shard, now);
  lengthen_numbers();
  open(new_shard_id(now), id, first, middle, now);
  open(new_shard_id(now), id, middle + 1, last, now);
  return SplitResult::done;
}

void Stream::roll_all(Moment now) {
  if (!enabled()) return;
  if (scylla()) {
    // A shard's name has only milliseconds; two generations never share one.
    const WallTime at(std::chrono::milliseconds(std::max(ms_of(now.wall), generation_ms_ + 1)));
    for (StreamShard* shard : generation_) close(*shard, {now.mono, at});
    open_generation(at, now);
    return;
  }
  const auto closing = open_;
  for (const auto& [first, shard] : closing) close(*shard, now);
  lengthen_numbers();
  for (const auto& [first, shard] : closing)
    open(new_shard_id(now), shard->id, first, shard->last_token, now);
}

void Stream::open_generation(WallTime at, Moment now) {
  generation_ms_ = ms_of(at);
  const std::vector<StreamShard*> before = std::exchange(generation_, {});
  for (std::size_t i = 0; i < vnodes_.size(); ++i) {
    // Vnodes are numbered by their last token, so that the one that wraps around is the first.
    const std::size_t number = (i + 1) % vnodes_.size();
    std::array<std::int64_t, kScyllaCpus> tokens{};
    tokens[cpu_of(vnodes_[i])] = vnodes_[i];
    tokens[1 - cpu_of(vnodes_[i])] = other_cpu_from(vnodes_[i]);
    for (std::size_t cpu = 0; cpu < kScyllaCpus; ++cpu) {
      // Recorded: 5.2 has no space behind the letter, 6.2 has one.
      std::string id = fmt::format("H{}{:x}:{}", rules_.space_in_shard_id ? " " : "", generation_ms_,
                                   scylla_stream_id(tokens[cpu], random_.next(), number));
      std::string parent = before.empty() ? "" : before[generation_.size()]->id;
      StreamShard& shard = open(std::move(id), std::move(parent), tokens[cpu], tokens[cpu], now);
      shard.starting = {uuid_time(at), kSmallestLow};
      generation_.push_back(&shard);
    }
  }
}

std::optional<MonoTime> Stream::next_change() const {
  if (!enabled()) return std::nullopt;
  if (!next_roll_ || !next_split_) return next_roll_ ? next_roll_ : next_split_;
  return std::min(*next_roll_, *next_split_);
}

void Stream::change_as_scheduled(Moment now) {
  trim_all(now.mono);  // shards are made here for as long as nobody reads
  if (next_roll_ && *next_roll_ <= now.mono) {
    next_roll_ = *next_roll_ + rules_.roll_every;
    roll_all(now);
    return;
  }
  next_split_ = *next_split_ + rules_.split_every;
  if (open_.size() >= rules_.max_open_shards) return;
  split(std::next(open_.begin(), static_cast<std::ptrdiff_t>(random_.below(open_.size())))->second->id, now);
}

void Stream::disable(Moment now) {
  if (!enabled()) return;
  disabled_at_ = now.mono;
  for (auto& [id, shard] : shards_) {
    if (shard.open()) close(shard, now);
  }
}

bool Stream::gone(MonoTime now) const {
  return disabled_at_ && (rules_.vanishes_when_disabled || *disabled_at_ + rules_.retention <= now);
}

StreamShard* Stream::find(std::string_view shard) {
  const auto found = shards_.find(shard);
  return found == shards_.end() ? nullptr : &found->second;
}

StreamShard& Stream::route(std::int64_t token) {
  if (!scylla()) return *std::prev(open_.upper_bound(token))->second;
  const auto behind = std::ranges::upper_bound(vnodes_, token);
  const auto vnode =
      behind == vnodes_.begin() ? vnodes_.size() - 1 : static_cast<std::size_t>(behind - vnodes_.begin()) - 1;
  return *generation_[vnode * kScyllaCpus + cpu_of(token)];
}

// ------------------------------------------------------------------------------------------------ records

SequenceNumber Stream::next_number() {
  if (random_.below(kCarryOneIn) == 0) ++last_.high;
  last_.low += 1 + random_.below(kNumberStep);
  return last_;
}

void Stream::add(StreamShard& shard, StreamRecord record) {
  ++appended_;
  auto place = shard.records.end();
  // ScyllaDB's log is in the order of the writes' stamps, whenever they arrive.
  while (place != shard.records.begin() && record.number < std::prev(place)->number) --place;
  shard.records.insert(place, std::move(record));
}

void Stream::append(const RowKey& key, Change change, Moment now) {
  const bool removal = change.cause == ChangeCause::remove || change.cause == ChangeCause::expiry;
  if (removal && !change.existed && !rules_.logs_every_write) return;
  StreamShard& shard = route(key.token);
  trim(shard, now.mono);
  StreamRecord record;
  record.at = now.mono;
  record.created_s = std::chrono::system_clock::to_time_t(now.wall);
  record.event = removal ? RecordEvent::remove : change.existed ? RecordEvent::modify : RecordEvent::insert;
  const auto keep_old = [&](StreamRecord& in) {
    if (!identity_.view.old_image || !change.existed) return;
    in.old_image = std::move(change.old_image);
    in.old_bytes = static_cast<std::uint32_t>(change.old_bytes);
  };
  const auto keep_new = [&](StreamRecord& in) {
    if (!identity_.view.new_image || removal) return;
    in.new_image = change.new_image;
    in.new_bytes = static_cast<std::uint32_t>(change.new_bytes);
  };
  const auto finish = [&](StreamRecord& in) {
    if (in.new_image.empty() && in.old_image.empty()) in.keys = keys_of(change.key_source, identity_.keys);
    add(shard, std::move(in));
  };
  if (!scylla()) {
    record.expired = change.cause == ChangeCause::expiry;
    record.number = next_number();
    keep_old(record);
    keep_new(record);
    finish(record);
    return;
  }
  const std::int64_t stamp_us = change.stamp_us.value_or(
      std::chrono::duration_cast<std::chrono::microseconds>(now.wall.time_since_epoch()).count());
  if (change.cause == ChangeCause::put) {
    // Recorded: a put deletes the row a microsecond before it writes the new one, and both are logged.
    StreamRecord removed = record;
    removed.event = RecordEvent::remove;
    removed.number = {uuid_time(stamp_us - 1), random_.next()};
    keep_old(removed);
    finish(removed);
  } else {
    keep_old(record);
  }
  record.event = removal ? RecordEvent::remove : RecordEvent::insert_and_modify;
  record.number = {uuid_time(stamp_us), random_.next()};
  keep_new(record);
  finish(record);
}

void Stream::trim(StreamShard& shard, MonoTime now) {
  while (!shard.records.empty() && shard.records.front().at + rules_.retention <= now) {
    shard.trimmed = shard.records.front().number;
    ++shard.trimmed_count;
    shard.records.pop_front();
  }
}

bool Stream::over(const StreamShard& shard, MonoTime now) const {
  return shard.closed_at && shard.records.empty() && *shard.closed_at + rules_.retention <= now;
}

StreamShard* Stream::trimmed(std::string_view id, MonoTime now) {
  const auto found = shards_.find(id);
  if (found == shards_.end()) return nullptr;
  trim(found->second, now);
  if (!over(found->second, now)) return &found->second;
  shards_.erase(found);
  return nullptr;
}

void Stream::trim_all(MonoTime now) {
  for (auto shard = shards_.begin(); shard != shards_.end();) {
    trim(shard->second, now);
    shard = over(shard->second, now) ? shards_.erase(shard) : std::next(shard);
  }
}

void Stream::forget_records() {
  for (auto entry = shards_.begin(); entry != shards_.end();) {
    StreamShard& shard = entry->second;
    if (!shard.records.empty()) {
      shard.trimmed = shard.records.back().number;
      shard.trimmed_count += shard.records.size();
      shard.records.clear();
    }
    entry = shard.open() ? std::next(entry) : shards_.erase(entry);
  }
}

// ------------------------------------------------------------------------------------------------ reading

bool Stream::expired(const ShardIterator& iterator, MonoTime now) const {
  if (rules_.iterator_life == Duration{}) return false;
  return iterator.issued <= iterators_since_ || iterator.issued + rules_.iterator_life < now;
}

StreamPosition Stream::oldest(const StreamShard& shard) const {
  // Recorded: Alternator begins at the nil UUID.
  if (scylla()) return {SequenceNumber{}, true};
  return shard.trimmed ? StreamPosition{*shard.trimmed, false} : StreamPosition{shard.starting, true};
}

StreamPosition Stream::latest(Moment now) const {
  if (scylla()) return {{uuid_time(now.wall), kSmallestLow}, true};
  return {last_, false};
}

bool Stream::could_be_in(SequenceNumber number, const StreamShard& shard) const {
  return scylla() || (number >= shard.starting && number <= shard.ending.value_or(last_));
}

bool Stream::is_trimmed(StreamPosition position, const StreamShard& shard) {
  if (!shard.trimmed) return false;
  return position.inclusive ? position.number <= *shard.trimmed : position.number < *shard.trimmed;
}

StreamPage Stream::read(const StreamShard& shard, StreamPosition from, std::size_t limit, Moment now) const {
  StreamPage page{{}, from, false};
  const auto before = [&](const StreamRecord& record) {
    return from.inclusive ? record.number < from.number : record.number <= from.number;
  };
  auto record = std::ranges::partition_point(shard.records, before);
  const std::uint64_t visible_until =
      scylla() ? uuid_time(now.wall - std::chrono::duration_cast<WallTime::duration>(rules_.visible_after))
               : 0;
  std::size_t bytes = 0;
  for (; record != shard.records.end() && page.records.size() < limit; ++record) {
    if (scylla() && record->number.high >= visible_until) break;
    bytes += record->new_bytes + record->old_bytes;
    if (!page.records.empty() && bytes > kMaxPageBytes) break;
    page.records.push_back(&*record);
  }
  if (!page.records.empty()) page.next = {page.records.back()->number, false};
  if (shard.open()) return page;
  if (scylla()) {
    // It tells the end of a shard by an empty page only, and not before all that is in it may show.
    page.drained = page.records.empty() && shard.ending->high < visible_until;
  } else {
    // DynamoDB may tell it with the last records or by an empty page behind them: readers meet both here.
    const bool tells_late = !page.records.empty() && page.records.back()->number.low % 2 == 1;
    page.drained = record == shard.records.end() && !tells_late;
  }
  return page;
}

}  // namespace messina::sim
