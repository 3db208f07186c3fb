#include "state/spool_model.h"

#include <algorithm>
#include <utility>

namespace messina::state {

EntryView SpoolModel::Entry::whole() const {
  EntryView entry = view;
  if (entry.image) entry.image->bytes = bytes;
  return entry;
}

void SpoolModel::store(const std::string& key, const EntryView& entry) {
  std::string bytes(entry.image ? entry.image->bytes : std::string_view());  // may be a view of the old ones
  entries_.insert_or_assign(key, Entry{entry, std::move(bytes)});
}

void SpoolModel::open(MonoTime now) {
  incarnation_ = {incarnation_.number + 1, now};
  held_.clear();
  pass_ = 0;
}

std::vector<ShardPosition> SpoolModel::positions() const {
  std::vector<ShardPosition> all;
  for (const auto& [shard, position] : positions_) all.push_back(position);
  return all;
}

Result<PutAnswer> SpoolModel::put(const SpoolBatch& batch) {
  if (auto ok = check_limits(batch); !ok) return fail(std::move(ok.error()));
  const PutContext context{.domain = domain_number_,
                           .same_domain = !domain_.empty() && batch.domain == domain_,
                           .captured = incarnation_.stamp(batch.captured)};
  PutAnswer answer;
  for (const SpoolPut& put : batch.puts) {
    const Generation generation = next_++;
    if (answer.first == 0) answer.first = generation;
    answer.last = generation;
    if (keeps_touches_) touches_[put.key] = generation;
    EntryView entry = entry_of(put, generation, context);
    const auto found = entries_.find(put.key);
    if (found == entries_.end()) {
      queue_[generation] = {put.key, context.captured};
      store(put.key, entry);
    } else {
      store(put.key, merged(found->second.whole(), entry));
    }
    const auto hold = held_.find(put.key);
    if (hold == held_.end()) continue;
    auto& oldest = hold->second.oldest_put_since;
    oldest = std::min(oldest.value_or(put.changed_unix_ms), put.changed_unix_ms);
  }
  for (const ShardPosition& position : batch.positions) positions_[position.shard] = position;
  for (const std::string& shard : batch.forgotten_shards) positions_.erase(shard);
  if (!batch.lazy || !batch.puts.empty()) ++counter_;
  return answer;
}

Taken SpoolModel::take(const TakeRequest& request) {
  if (request.restart) pass_ = 0;
  Taken taken;
  std::size_t bytes = 0;
  for (auto place = queue_.upper_bound(pass_); place != queue_.end(); ++place) {
    if (taken.entries.size() >= request.max_entries) return taken;
    if (!taken.entries.empty() && bytes >= request.max_bytes) return taken;
    const auto& [queued, record] = *place;
    if (!may_be_reached(record.captured, request, incarnation_)) break;
    const EntryView entry = behind_barrier(entries_.at(record.key).whole(), barrier_);
    if (!held_.contains(record.key) && may_be_taken(entry, request, incarnation_)) {
      SpoolEntry out = to_spool_entry(record.key, entry, incarnation_);
      bytes += out.key.size() + out.image.size();
      if (!taken.entries.empty() && bytes > request.max_bytes) return taken;
      held_[record.key];
      taken.entries.push_back(std::move(out));
    }
    pass_ = queued;
  }
  taken.end = true;
  return taken;
}

void SpoolModel::settle(std::span<const Settled> written, MonoTime now) {
  for (const Settled& each : written) {
    const auto hold = held_.extract(each.key);
    if (hold.empty()) continue;
    Entry old = std::move(entries_.at(each.key));
    queue_.erase(old.view.queued);
    const EntryView left =
        remainder(old.whole(), barrier_, each.generation, next_, hold.mapped().oldest_put_since);
    if (left.empty()) {
      entries_.erase(each.key);
      continue;
    }
    queue_[next_++] = {each.key, incarnation_.stamp(now)};
    store(each.key, left);
  }
}

void SpoolModel::release(std::span<const std::string> keys) {
  for (const std::string& key : keys) held_.erase(key);
}

void SpoolModel::declare_gap() {
  barrier_ = next_++;
  ++counter_;
}

void SpoolModel::begin_domain(const std::string& domain) {
  ++counter_;
  if (domain == domain_) return;
  if (!domain_.empty()) barrier_ = next_++;
  domain_ = domain;
  ++domain_number_;
}

Reduced SpoolModel::reduce_to(std::uint64_t max_bytes) {
  Reduced reduced;
  std::uint64_t left = bytes();
  for (const auto& [queued, record] : queue_) {
    if (left <= max_bytes) break;
    Entry& entry = entries_.at(record.key);
    if (!entry.view.image) continue;
    if (behind_barrier(entry.view, barrier_).kind() != ChangeKind::reread) ++reduced.keys;
    left -= entry.bytes.size();
    entry.view.mark = entry.view.generation();
    entry.view.image.reset();
    entry.bytes.clear();
  }
  return reduced;
}

void SpoolModel::keep_touches() {
  touches_.clear();
  keeps_touches_ = true;
  ++counter_;
}

void SpoolModel::drop_touches() {
  touches_.clear();
  keeps_touches_ = false;
  ++counter_;
}

std::vector<Touch> SpoolModel::touches(const std::string& after, std::size_t most) const {
  std::vector<Touch> found;
  for (auto at = touches_.upper_bound(after); at != touches_.end() && found.size() < most; ++at)
    found.push_back({at->first, at->second});
  return found;
}

void SpoolModel::forget_touches(std::span<const Touch> judged) {
  for (const Touch& each : judged) {
    const auto found = touches_.find(each.key);
    if (found != touches_.end() && found->second == each.generation) touches_.erase(found);
  }
}

std::vector<KeyStand> SpoolModel::look_up(std::span<const std::string> keys) const {
  std::vector<KeyStand> stands;
  for (const std::string& key : keys) {
    const auto touched = touches_.find(key);
    stands.push_back({entries_.contains(key), touched == touches_.end() ? 0 : touched->second});
  }
  return stands;
}

std::uint64_t SpoolModel::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [key, entry] : entries_) sum += entry.bytes.size();
  return sum;
}

std::optional<std::int64_t> SpoolModel::oldest_change_unix_ms() const {
  std::optional<std::int64_t> oldest;
  for (const auto& [key, entry] : entries_) {
    oldest = std::min(oldest.value_or(entry.view.oldest_change_unix_ms), entry.view.oldest_change_unix_ms);
  }
  return oldest;
}

std::optional<SpoolEntry> SpoolModel::find(const std::string& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  return to_spool_entry(key, behind_barrier(found->second.whole(), barrier_), incarnation_);
}

}  // namespace messina::state
