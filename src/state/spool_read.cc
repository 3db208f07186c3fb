// The reader's half of the spool: what the applier takes, and the figures.
#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/snapshot.h>

#include "state/spool_files.h"
#include "state/spool_impl.h"

namespace messina::state {
namespace {

/// Entries that are read together: bounds the memory of a read, as an item has 400 KB at most.
constexpr std::size_t kMaxReadTogether = 256;
constexpr std::size_t kMaxTaken = 10'000;
constexpr std::size_t kQueueReadAhead = 1024;

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

Result<std::shared_lock<std::shared_mutex>> Spool::Impl::reading() const {
  std::shared_lock lock(db_mutex);
  if (db == nullptr) {
    return fail(ErrorKind::disk, fmt::format("spool \"{}\" could not be opened again after a failure of its "
                                             "disk: the next change tries it anew",
                                             folder.string()));
  }
  return lock;
}

/// Brings more records of the queue onto the desk; tells how many.
Result<std::size_t> Spool::Impl::read_queue(const TakeRequest& request) {
  const auto [behind, turn] = desk.read_up_to();
  const std::unique_ptr<rocksdb::Iterator> at((*db)->NewIterator(rocksdb::ReadOptions(), db->queue()));
  std::size_t count = 0;
  for (at->Seek(slice(place_key({behind.epoch, behind.generation + 1}))); at->Valid(); at->Next()) {
    if (count >= kQueueReadAhead || !desk.has_room()) break;
    const auto place = decode_place(view(at->key()));
    auto record = decode_queue_record(view(at->value()));
    if (!place || !record) return fail(error(rocksdb::Status::Corruption("the queue")));
    if (!may_be_reached(record->captured, request, incarnation)) break;
    desk.remember(*place, std::move(*record), turn);
    ++count;
  }
  if (!at->status().ok()) return fail(error(at->status()));
  return count;
}

/// Reads held candidates and hands over what may be taken; false when the request is filled.
Result<bool> Spool::Impl::deliver(const SpoolDesk::Candidates& candidates, const TakeRequest& request,
                                  std::size_t& bytes, Taken& taken) {
  const std::vector<SpoolDesk::Candidate>& found = candidates.found;
  std::vector<rocksdb::Slice> keys;
  keys.reserve(found.size());
  for (const SpoolDesk::Candidate& each : found) keys.push_back(slice(each.key));
  std::vector<rocksdb::PinnableSlice> values(found.size());
  std::vector<rocksdb::Status> statuses(found.size());
  (*db)->MultiGet(rocksdb::ReadOptions(), db->entries(), keys.size(), keys.data(), values.data(),
                  statuses.data());

  const auto let_go_from = [this, &found](std::size_t i) {
    for (; i < found.size(); ++i) desk.unhold(found[i].key);
  };
  const Generation marks_before = barrier->load(std::memory_order_relaxed);
  std::size_t read = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const SpoolDesk::Candidate& each = found[i];
    const auto stored = statuses[i].ok() ? decode(view(values[i])) : std::nullopt;
    if (!stored && !statuses[i].IsNotFound()) {
      let_go_from(i);
      return fail(error(statuses[i].ok() ? rocksdb::Status::Corruption("an entry") : statuses[i]));
    }
    read += values[i].size();
    if (!stored || stored->queued != each.place.generation) {
      desk.dead(each);  // it led to an entry that is gone, or that an older record leads to
      continue;
    }
    const EntryView entry = behind_barrier(*stored, marks_before);
    if (may_be_taken(entry, request, incarnation)) {
      SpoolEntry out = to_spool_entry(each.key, entry, incarnation);
      bytes += out.key.size() + out.image.size();
      if (bytes > request.max_bytes && !taken.entries.empty()) {
        let_go_from(i);
        return false;
      }
      desk.delivered(out.key, out.generation);
      taken.entries.push_back(std::move(out));
    } else {
      desk.unhold(each.key);
    }
    desk.passed(each.place);
  }
  average_bytes = std::max<std::uint64_t>(1, (average_bytes + read / found.size()) / 2);
  return true;
}

Result<Taken> Spool::Impl::take(const TakeRequest& request) {
  auto lock = reading();
  if (!lock) return fail(std::move(lock.error()));
  if (request.restart) desk.restart_pass();
  const std::size_t most = std::clamp<std::size_t>(request.max_entries, 1, kMaxTaken);
  Taken taken;
  std::size_t bytes = 0;
  while (taken.entries.size() < most && (taken.entries.empty() || bytes < request.max_bytes)) {
    const std::size_t left = request.max_bytes - std::min(bytes, request.max_bytes);
    const std::size_t together = std::min(
        {most - taken.entries.size(), kMaxReadTogether, 1 + left / static_cast<std::size_t>(average_bytes)});
    const SpoolDesk::Candidates candidates = desk.hold_next(together, request, incarnation);
    if (!candidates.found.empty()) {
      auto more = deliver(candidates, request, bytes, taken);
      if (!more) {
        for (const SpoolEntry& entry : taken.entries) desk.unhold(entry.key);
        return fail(std::move(more.error()));
      }
      if (!*more) return taken;
    }
    if (candidates.stop) {
      taken.end = true;
      return taken;
    }
    if (!candidates.found.empty()) continue;
    auto read = read_queue(request);
    if (!read) {
      for (const SpoolEntry& entry : taken.entries) desk.unhold(entry.key);
      return fail(std::move(read.error()));
    }
    if (*read == 0) {
      taken.end = true;
      return taken;
    }
  }
  return taken;
}

std::optional<std::int64_t> Spool::Impl::oldest_change() const {
  std::optional<std::int64_t> oldest = desk.oldest_change();
  const Place behind = desk.read_up_to().place;
  const std::unique_ptr<rocksdb::Iterator> at((*db)->NewIterator(rocksdb::ReadOptions(), db->queue()));
  at->Seek(slice(place_key({behind.epoch, behind.generation + 1})));
  if (!at->Valid()) return oldest;
  const auto record = decode_queue_record(view(at->value()));
  const auto place = decode_place(view(at->key()));
  if (!record || !place) return oldest;
  // Dated ones go ahead of what tells no time, whose age is not known.
  if (place->generation <= newest_undated) return 0;
  return std::min(oldest.value_or(record->changed_unix_ms), record->changed_unix_ms);
}

Result<std::vector<ShardPosition>> Spool::positions() const {
  auto lock = impl_->reading();
  if (!lock) return fail(std::move(lock.error()));
  const SpoolDb& db = *impl_->db;
  const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator(rocksdb::ReadOptions(), db.meta()));
  std::vector<ShardPosition> all;
  for (at->Seek(slice(kShardPrefix)); at->Valid() && at->key().starts_with(slice(kShardPrefix)); at->Next()) {
    auto position = decode_position(view(at->key()).substr(kShardPrefix.size()), view(at->value()));
    if (!position) return fail(impl_->error(rocksdb::Status::Corruption("a position")));
    all.push_back(std::move(*position));
  }
  if (!at->status().ok()) return fail(impl_->error(at->status()));
  return all;
}

/// 0: it has no touch.
Result<Generation> Spool::Impl::touched(const std::string& key, const rocksdb::ReadOptions& how) const {
  std::string bytes;
  const rocksdb::Status status = (*db)->Get(how, db->meta(), slice(kTouchPrefix + key), &bytes);
  if (status.IsNotFound()) return Generation{0};
  const auto generation = status.ok() ? decode_touch(bytes) : std::nullopt;
  if (!generation) return fail(error(status.ok() ? rocksdb::Status::Corruption("a touch") : status));
  return *generation;
}

Result<std::vector<Touch>> Spool::touches(const std::string& after, std::size_t most) const {
  auto lock = impl_->reading();
  if (!lock) return fail(std::move(lock.error()));
  if (!keeps_touches()) return std::vector<Touch>();
  const SpoolDb& db = *impl_->db;
  const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator(rocksdb::ReadOptions(), db.meta()));
  std::vector<Touch> found;
  for (at->Seek(slice(kTouchPrefix + after)); at->Valid() && found.size() < most; at->Next()) {
    if (!at->key().starts_with(slice(kTouchPrefix))) break;
    const std::string_view key = view(at->key()).substr(kTouchPrefix.size());
    if (key == after) continue;
    const auto generation = decode_touch(view(at->value()));
    if (!generation) return fail(impl_->error(rocksdb::Status::Corruption("a touch")));
    found.push_back({std::string(key), *generation});
  }
  if (!at->status().ok()) return fail(impl_->error(at->status()));
  return found;
}

Result<std::vector<KeyStand>> Spool::look_up(const std::vector<std::string>& keys) const {
  auto lock = impl_->reading();
  if (!lock) return fail(std::move(lock.error()));
  const SpoolDb& db = *impl_->db;
  // All as of one moment, so that a put shows in both, its entry and its touch, or in neither. A put on its
  // way is not waited for (take() does that to note it with the hold): it shows before it is answered.
  rocksdb::ManagedSnapshot moment(&*db);
  rocksdb::ReadOptions how;
  how.snapshot = moment.snapshot();
  const bool kept = keeps_touches();
  std::vector<KeyStand> stands;
  stands.reserve(keys.size());
  rocksdb::PinnableSlice entry;
  for (const std::string& key : keys) {
    const rocksdb::Status status = db->Get(how, db.entries(), slice(key), &entry);
    entry.Reset();
    if (!status.ok() && !status.IsNotFound()) return fail(impl_->error(status));
    const auto touched = kept ? impl_->touched(key, how) : Result<Generation>(0);
    if (!touched) return fail(touched.error());
    stands.push_back({.waits = status.ok(), .touched = *touched});
  }
  return stands;
}

Result<SpoolFigures> Spool::figures() const {
  auto lock = impl_->reading();
  if (!lock) return fail(std::move(lock.error()));
  auto free = spool_free_bytes(impl_->options, impl_->folder);
  if (!free) return fail(std::move(free.error()));
  return SpoolFigures{.keys_at_most = impl_->counters_now().records,
                      .disk_bytes = folder_bytes(impl_->folder),
                      .disk_free_bytes = *free,
                      .oldest_change_unix_ms = impl_->oldest_change(),
                      .full = impl_->full,
                      .reducing = impl_->reclaiming};
}

Result<Spool::Reduction> Spool::plan_reduction(std::uint64_t max_bytes) const {
  auto lock = impl_->reading();
  if (!lock) return fail(std::move(lock.error()));
  const std::uint64_t bytes = folder_bytes(impl_->folder);
  if (bytes <= max_bytes || impl_->reclaiming) return Reduction{};
  const SpoolDb& db = *impl_->db;
  const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator(rocksdb::ReadOptions(), db.queue()));
  at->SeekToFirst();
  const auto first = at->Valid() ? decode_place(view(at->key())) : std::nullopt;
  if (!first) return Reduction{};
  const SpoolCounters now = impl_->counters_now();
  const Generation from = std::max(now.barrier, first->generation);
  const double share = 1 - 0.9 * static_cast<double>(max_bytes) / static_cast<double>(bytes);
  Reduction reduction;
  // Below the next generation: a barrier must not be one that is still to be given.
  reduction.before = std::min(
      from + static_cast<Generation>(share * static_cast<double>(now.generation - from)), now.generation - 1);
  for (std::uint32_t epoch = first->epoch; epoch <= now.epoch; ++epoch) {
    for (at->Seek(slice(place_key({epoch, from}))); at->Valid(); at->Next()) {
      const auto place = decode_place(view(at->key()));
      if (!place || place->epoch != epoch || place->generation >= reduction.before) break;
      ++reduction.reduced.keys;
    }
  }
  if (reduction.reduced.keys == 0) return Reduction{};
  return reduction;
}

}  // namespace messina::state
