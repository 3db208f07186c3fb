// The writer's half of the spool: one step after another, each a batch of RocksDB.
#include <algorithm>
#include <set>
#include <utility>

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "state/spool_files.h"
#include "state/spool_impl.h"

namespace messina::state {
namespace {

/// Time after which the disk is asked again how much it has left.
constexpr Duration kAskDiskAfter = std::chrono::seconds(1);
/// Entries that one turn of the queue's rewriting goes over: a few milliseconds.
constexpr std::size_t kRewriteSlice = 1024;

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

Spool::Impl::Rewrite::Rewrite() = default;
Spool::Impl::Rewrite::~Rewrite() = default;

Result<void> Spool::Impl::has_room_for_puts() {
  const MonoTime now = clock.now();
  if (!full && put_since_asked < kAskDiskEvery && now - asked < kAskDiskAfter) return {};
  auto free = spool_free_bytes(options, folder);
  if (!free) return fail(std::move(free.error()));
  put_since_asked = 0;
  asked = now;
  full = *free < options.reserve_bytes;
  if (full) return fail(spool_full_error(folder, *free, options.reserve_bytes));
  return {};
}

void Spool::Impl::add_record(Step& step, const QueueRecord& record, Generation generation) {
  scratch.clear();
  encode(record, scratch);
  batch->Put(db->queue(), slice(place_key({step.next.epoch, generation})), slice(scratch));
  ++step.next.records;
  ++live_records;
}

void Spool::Impl::drop_record(Step& step, Place place) {
  if (place.epoch < first_epoch) return;  // went with all of its epoch
  batch->Delete(db->queue(), slice(place_key(place)));
  if (step.next.records > 0) --step.next.records;
  if (place.epoch == step.next.epoch && live_records > 0) --live_records;
  if (rewrite && place.epoch == rewrite->epoch && rewrite->records > 0) --rewrite->records;
}

Result<void> Spool::Impl::add_settled(Step& step, const Settle& call) {
  for (const Settled& each : *call.written) {
    const auto hold = desk.find_hold(each.key);
    if (!hold || !step.settled_keys.insert(each.key).second) continue;
    queued_keys.forget(each.key);
    drop_record(step, hold->place);
    step.gone.push_back({each.key, hold->place});
    // What was put since the key is held is known here, so the entry need not be read to be deleted.
    if (goes_unread(hold->newest_put, counters.barrier, each.generation)) {
      batch->Delete(db->entries(), slice(each.key));
      continue;
    }
    std::string bytes;
    const rocksdb::Status status = (*db)->Get(rocksdb::ReadOptions(), db->entries(), slice(each.key), &bytes);
    if (status.IsNotFound()) continue;
    if (!status.ok()) return fail(error(status));
    const auto entry = decode(bytes);
    if (!entry) return fail(error(rocksdb::Status::Corruption("an entry")));
    const EntryView left =
        remainder(*entry, counters.barrier, each.generation, step.next.generation, hold->oldest_put_since);
    if (left.empty()) {
      batch->Delete(db->entries(), slice(each.key));
      continue;
    }
    add_record(step, {each.key, incarnation.stamp(clock.now()), left.oldest_change_unix_ms},
               step.next.generation++);
    scratch.clear();
    encode(left, scratch);
    batch->Put(db->entries(), slice(each.key), slice(scratch));
  }
  return {};
}

void Spool::Impl::add_change_of_images(Step& step, const Call& call) {
  step.synced = true;
  if (const auto* raised = std::get_if<Barrier>(&call.what)) {
    const Generation before = raised->before != 0 ? raised->before : step.next.generation++;
    step.next.barrier = std::max(step.next.barrier, before);
    return;
  }
  const std::string& name = std::get<Domain>(call.what).name;
  if (name == step.domain) return;
  if (!step.domain.empty()) step.next.barrier = step.next.generation++;
  step.domain = name;
  ++step.next.domain;
  batch->Put(db->meta(), slice(kDomainRecord), slice(name));
}

void Spool::Impl::add_puts(Step& step, Put& call) {
  const SpoolBatch& given = *call.batch;
  step.synced = step.synced || !given.lazy || !given.puts.empty();
  const PutContext context{.domain = step.next.domain,
                           .same_domain = !step.domain.empty() && given.domain == step.domain,
                           .captured = incarnation.stamp(given.captured)};
  if (!given.puts.empty()) {
    call.answer = {step.next.generation, step.next.generation + given.puts.size() - 1};
    desk.putting(given.puts, call.answer.first);
  }
  for (const SpoolPut& put : given.puts) {
    const Generation generation = step.next.generation++;
    if (put.changed_unix_ms <= 0) newest_undated = generation;
    if (!queued_keys.knew(put.key)) {
      add_record(step, {put.key, context.captured, put.changed_unix_ms}, generation);
    }
    scratch.clear();
    encode(entry_of(put, generation, context), scratch);
    batch->Merge(db->entries(), slice(put.key), slice(scratch));
    put_since_asked += scratch.size();
    if (!step.keeps_touches) continue;
    scratch.clear();
    encode_touch(generation, scratch);
    batch->Put(db->meta(), slice(kTouchPrefix + put.key), slice(scratch));
    put_since_asked += put.key.size() + scratch.size();
  }
  for (const ShardPosition& position : given.positions) {
    scratch.clear();
    encode(position, scratch);
    batch->Put(db->meta(), slice(kShardPrefix + position.shard), slice(scratch));
  }
  for (const std::string& shard : given.forgotten_shards)
    batch->Delete(db->meta(), slice(kShardPrefix + shard));
}

/// Takes all touches off. What the step puts from here on is kept, or not.
void Spool::Impl::change_touches(Step& step, bool keep) {
  step.synced = true;
  step.changes_touches = true;
  step.keeps_touches = keep;
  batch->DeleteRange(db->meta(), slice(kTouchPrefix), slice(kTouchesEnd));
  if (keep) {
    put_touches_record();
  } else {
    batch->Delete(db->meta(), slice(kTouchesRecord));
  }
}

void Spool::Impl::put_touches_record() {
  scratch.clear();
  encode_incarnation(incarnation.number, scratch);
  batch->Put(db->meta(), slice(kTouchesRecord), slice(scratch));
}

/// Of all calls of a step together: what one forgets the other must not keep.
Result<void> Spool::Impl::add_forgotten(std::span<Call* const> calls) {
  if (!keeps_touches) return {};
  std::set<std::pair<std::string_view, Generation>> judged;
  for (const Call* call : calls) {
    if (const auto* forget = std::get_if<ForgetTouches>(&call->what))
      for (const Touch& each : *forget->judged) judged.emplace(each.key, each.generation);
  }
  if (judged.size() < options.forget_as_range_from) {
    for (const auto& [key, former] : judged) {
      const auto generation = touched(std::string(key), rocksdb::ReadOptions());
      if (!generation) return fail(generation.error());
      if (*generation == former) batch->Delete(db->meta(), slice(kTouchPrefix + std::string(key)));
    }
    return {};
  }
  // They mostly are next to each other, as touches() gives them: one range takes all of them off, and those
  // between that stay are put again.
  const std::string first = kTouchPrefix + std::string(judged.begin()->first);
  const std::string end = kTouchPrefix + std::string(judged.rbegin()->first) + '\0';
  batch->DeleteRange(db->meta(), slice(first), slice(end));
  const std::unique_ptr<rocksdb::Iterator> at((*db)->NewIterator(rocksdb::ReadOptions(), db->meta()));
  for (at->Seek(slice(first)); at->Valid() && at->key().compare(slice(end)) < 0; at->Next()) {
    const auto generation = decode_touch(view(at->value()));
    if (!generation) return fail(error(rocksdb::Status::Corruption("a touch")));
    if (!judged.contains({view(at->key()).substr(kTouchPrefix.size()), *generation}))
      batch->Put(db->meta(), at->key(), at->value());
  }
  if (!at->status().ok()) return fail(error(at->status()));
  return {};
}

/// Ends a step: writes the batch, or forgets it.
Result<void> Spool::Impl::write(Step& step) {
  if (step.synced && step.counts) ++step.next.counter;
  scratch.clear();
  encode(step.next, scratch);
  batch->Put(db->meta(), slice(kCountersRecord), slice(scratch));
  rocksdb::WriteOptions how;
  how.sync = step.synced;
  const rocksdb::Status status = (*db)->Write(how, batch.get());
  batch->Clear();
  // Numbers once given are not given again, whatever became of them.
  counters.generation = step.next.generation;
  if (!status.ok()) {
    broken = true;
    full = status.IsNoSpace();
    if (step.changes_touches) {
      // Opened anew, the database may have the step all the same. If it has, and its record says that touches
      // are kept, the puts that follow must not be missing: so the next step takes the record off.
      touches_in_doubt = true;
      const std::lock_guard lock(published_mutex);
      keeps_touches = false;
    }
    return fail(error(status));
  }
  counters = step.next;
  touches_in_doubt = false;
  barrier->store(counters.barrier, std::memory_order_relaxed);
  {
    const std::lock_guard lock(published_mutex);
    published = counters;
    domain = step.domain;
    keeps_touches = step.keeps_touches;
  }
  desk.settled(step.gone);
  if (step.forget_before != 0) {
    desk.read_again_from(step.forget_before);
    first_epoch = step.forget_before;
    rewrite.reset();
  }
  desk.put();
  return {};
}

/// After an error: nothing of the step was written, as far as anybody may count on it.
void Spool::Impl::abandon() {
  batch->Clear();
  queued_keys.forget_all();
  desk.put();
}

void Spool::Impl::commit(std::span<Call* const> calls) {
  const auto all_fail = [&calls](const Error& cause) {
    for (Call* call : calls) {
      if (call->result) call->result = fail(cause);
    }
  };
  if (broken) {
    if (full) {
      if (auto room = has_room_for_puts(); !room) return all_fail(room.error());
    }
    if (auto opened = reopen(); !opened) return all_fail(opened.error());
  }
  Step step{.next = counters,
            .domain = domain,
            .keeps_touches = keeps_touches,
            .synced = false,
            .gone = {},
            .settled_keys = {}};
  batch->Clear();
  if (touches_in_doubt) change_touches(step, false);
  for (const Place place : desk.take_dead()) drop_record(step, place);
  // First, as they name generations that were given before this step: what it puts is newer, and stays.
  Result<void> added = add_forgotten(calls);
  for (Call* call : calls) {
    if (const auto* settle = std::get_if<Settle>(&call->what); settle != nullptr && added)
      added = add_settled(step, *settle);
  }
  if (!added) {
    abandon();
    return all_fail(added.error());
  }
  for (Call* call : calls) {
    if (auto* put = std::get_if<Put>(&call->what)) {
      if (!put->batch->puts.empty()) call->result = has_room_for_puts();
      if (call->result) add_puts(step, *put);
    } else if (const auto* touches = std::get_if<KeepTouches>(&call->what)) {
      change_touches(step, touches->keep);
    } else if (std::holds_alternative<Barrier>(call->what) || std::holds_alternative<Domain>(call->what)) {
      add_change_of_images(step, *call);
    }
  }
  advance_rewrite(step);
  Result<void> done;
  if (step.synced || batch->Count() > 0 || rewrite) done = write(step);
  if (done) return;
  abandon();
  all_fail(done.error());
}

/// The queue grows with the puts, and entries with the keys: where keys are put again and again, most records
/// lead to entries that others lead to as well. So from time to time the queue is written anew from the
/// entries, in an epoch before that of the puts that come meanwhile, and then all before goes in one piece. A
/// crash leaves records that are redundant, no more.
void Spool::Impl::advance_rewrite(Step& step) {
  if (rewrite_is_due()) {
    step.next.epoch += 2;
    live_records = 0;
    rewrite.emplace();
    rewrite->epoch = step.next.epoch - 1;
    return;  // entries are read from when this step is written
  }
  if (!rewrite) return;
  if (!rewrite->entries) {
    rocksdb::ReadOptions how;
    how.fill_cache = false;
    how.readahead_size = 1u << 20;
    rewrite->entries.reset((*db)->NewIterator(how, db->entries()));
    rewrite->entries->SeekToFirst();
  }
  rocksdb::Iterator& at = *rewrite->entries;
  std::size_t n = 0;
  for (; n < kRewriteSlice && at.Valid(); ++n, at.Next()) {
    const auto entry = decode(view(at.value()));
    if (!entry) break;
    scratch.clear();
    encode(QueueRecord{std::string(view(at.key())), entry->image ? entry->image->captured : CaptureTime{},
                       entry->oldest_change_unix_ms},
           scratch);
    batch->Put(db->queue(), slice(place_key({rewrite->epoch, entry->queued})), slice(scratch));
    ++rewrite->records;
    ++step.next.records;
  }
  const bool whole_slice = n == kRewriteSlice;
  if (at.Valid() && whole_slice) return;
  if (at.Valid() || !at.status().ok()) {
    // A damaged entry: who takes it is told so. The queue stays as it is.
    rewrite.reset();
    counted = step.next.records;
    return;
  }
  batch->DeleteRange(db->queue(), slice(place_key({})), slice(place_key({rewrite->epoch, 0})));
  counted = rewrite->records;
  step.next.records = rewrite->records + live_records;
  step.forget_before = rewrite->epoch;
}

}  // namespace messina::state
