#include "state/spool_desk.h"

#include <algorithm>
#include <utility>

namespace messina::state {

void SpoolDesk::putting(std::span<const SpoolPut> puts, Generation first) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < puts.size(); ++i) {
    announced_.insert(std::hash<std::string>()(puts[i].key));
    if (held_.empty()) continue;
    const auto hold = held_.find(puts[i].key);
    if (hold == held_.end()) continue;
    hold->second.newest_put = first + i;
    auto& oldest = hold->second.oldest_put_since;
    oldest = std::min(oldest.value_or(puts[i].changed_unix_ms), puts[i].changed_unix_ms);
  }
}

void SpoolDesk::put() {
  {
    const std::lock_guard lock(mutex_);
    announced_.clear();
    ++steps_;
  }
  visible_.notify_all();
}

std::optional<SpoolDesk::Hold> SpoolDesk::find_hold(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto hold = held_.find(key);
  return hold == held_.end() ? std::nullopt : std::optional(hold->second);
}

void SpoolDesk::settled(std::span<const Gone> gone) {
  const std::lock_guard lock(mutex_);
  for (const Gone& each : gone) {
    held_.erase(each.key);
    erase_record(each.place);
  }
}

std::vector<Place> SpoolDesk::take_dead() {
  const std::lock_guard lock(mutex_);
  return std::exchange(dead_, {});
}

bool SpoolDesk::has_dead() const {
  const std::lock_guard lock(mutex_);
  return !dead_.empty();
}

void SpoolDesk::read_again_from(std::uint32_t epoch) {
  const std::lock_guard lock(mutex_);
  records_.clear();
  bytes_ = 0;
  read_ = {epoch, 0};
  ++turn_;
}

void SpoolDesk::restart_pass() {
  const std::lock_guard lock(mutex_);
  pass_ = {};
}

SpoolDesk::ReadUpTo SpoolDesk::read_up_to() const {
  const std::lock_guard lock(mutex_);
  return {read_, turn_};
}

bool SpoolDesk::has_room() const {
  const std::lock_guard lock(mutex_);
  return records_.size() < kMaxRecords && bytes_ < kMaxBytes;
}

void SpoolDesk::remember(Place place, QueueRecord record, std::uint64_t turn) {
  const std::lock_guard lock(mutex_);
  if (turn != turn_) return;
  read_ = std::max(read_, place);
  const std::size_t size = record.key.size();
  if (records_.emplace(place, std::move(record)).second) bytes_ += size;
}

SpoolDesk::Candidates SpoolDesk::hold_next(std::size_t most, const TakeRequest& request,
                                           const Incarnation& incarnation) {
  Candidates candidates;
  bool announced = false;
  std::vector<Place> overtaken;
  std::unique_lock lock(mutex_);
  for (auto at = records_.upper_bound(pass_); at != records_.end() && candidates.found.size() < most; ++at) {
    const auto& [place, record] = *at;
    if (!may_be_reached(record.captured, request, incarnation)) {
      candidates.stop = true;
      break;
    }
    const auto [hold, fresh] = held_.try_emplace(record.key, Hold{place, 0, {}});
    if (fresh) {
      candidates.found.push_back({place, record.key});
      announced = announced || announced_.contains(std::hash<std::string>()(record.key));
    } else if (place < hold->second.place) {
      // The entry that the key is held by was found under a later record: this one leads nowhere any more.
      overtaken.push_back(place);
    } else if (candidates.found.empty()) {
      pass_ = place;
    } else if (hold->second.place >= candidates.found.front().place) {
      break;  // perhaps by a record found here, which may turn out to be dead: this one is looked at after it
    }
  }
  for (const Place& place : overtaken) {
    erase_record(place);
    dead_.push_back(place);
  }
  // A put that was announced before the hold was there is not noted in it: its entry must be read after it.
  // The others need not wait for the disk, which would make every taking as slow as a sync.
  const std::uint64_t step = steps_;
  if (announced) visible_.wait(lock, [this, step] { return steps_ > step; });
  return candidates;
}

void SpoolDesk::delivered(const std::string& key, Generation generation) {
  const std::lock_guard lock(mutex_);
  const auto hold = held_.find(key);
  if (hold != held_.end()) hold->second.newest_put = std::max(hold->second.newest_put, generation);
}

void SpoolDesk::passed(Place place) {
  const std::lock_guard lock(mutex_);
  pass_ = std::max(pass_, place);
}

void SpoolDesk::unhold(const std::string& key) {
  const std::lock_guard lock(mutex_);
  held_.erase(key);
}

void SpoolDesk::dead(const Candidate& candidate) {
  const std::lock_guard lock(mutex_);
  held_.erase(candidate.key);
  erase_record(candidate.place);
  dead_.push_back(candidate.place);
}

std::optional<std::int64_t> SpoolDesk::oldest_change() const {
  const std::lock_guard lock(mutex_);
  std::optional<std::int64_t> oldest;
  for (const auto& [place, record] : records_) {
    // A held key's earlier records lead nowhere: what was put by them is settled, or in what the key is held
    // by.
    const auto hold = held_.find(record.key);
    if (hold != held_.end() && place < hold->second.place) continue;
    oldest = std::min(oldest.value_or(record.changed_unix_ms), record.changed_unix_ms);
  }
  return oldest;
}

void SpoolDesk::release(std::span<const std::string> keys) {
  const std::lock_guard lock(mutex_);
  for (const std::string& key : keys) held_.erase(key);
}

void SpoolDesk::erase_record(Place place) {
  const auto found = records_.find(place);
  if (found == records_.end()) return;
  bytes_ -= found->second.key.size();
  records_.erase(found);
}

}  // namespace messina::state
