#include "jobs/live_ledger.h"

#include <algorithm>
#include <utility>

#include "jobs/copy_internal.h"
#include "jobs/copy_start.h"

namespace messina::jobs {

namespace {

/// A commit with nothing in it but the heartbeat.
constexpr Duration kHeartbeatEvery = std::chrono::seconds(1);

}  // namespace

void LiveRejects::add(std::string key) {
  const std::lock_guard lock(mutex_);
  keys_.insert(std::move(key));
  size_ = keys_.size();
}

bool LiveRejects::contains(std::string_view key) const {
  if (empty()) return false;
  const std::lock_guard lock(mutex_);
  return keys_.contains(key);
}

void LiveRejects::remove(std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (const auto found = keys_.find(key); found != keys_.end()) keys_.erase(found);
  size_ = keys_.size();
}

void LiveRejects::clear() {
  const std::lock_guard lock(mutex_);
  keys_.clear();
  size_ = 0;
}

LiveLedger::LiveLedger(Loop& loop, state::JobStore& store, state::SpoolStore& spool, state::LiveRecord record)
    : loop_(loop), store_(store), spool_(spool), record_(std::move(record)) {}

Task<Result<void>> LiveLedger::load_rejects() {
  Result<std::vector<std::string>> keys = co_await store_.live_reject_keys();
  if (!keys) co_return fail(keys.error());
  for (std::string& key : *keys) rejects_.add(std::move(key));
  co_return Result<void>();
}

Task<Result<void>> LiveLedger::commit(state::Commit step) {
  const MonoTime at = loop_.now();
  step.heartbeat_unix_ms = unix_ms(loop_.wall());
  step.spool = spool_.stamp();
  step.snapshot_json = std::exchange(snapshot_json_, {});
  const Result<void> committed = co_await store_.commit(step);
  if (!committed) co_return fail(committed.error());
  last_commit_ = at;
  send_until_ = at + kHeartbeatBound;
  co_return Result<void>();
}

Task<Result<void>> LiveLedger::change_record(std::function<void(state::LiveRecord&)> change) {
  const AsyncSemaphore::Lease alone = co_await one_.acquire(1);
  state::Commit step;
  step.live = record_;
  change(*step.live);
  state::LiveRecord changed = *step.live;
  const Result<void> committed = co_await commit(std::move(step));
  if (!committed) co_return fail(committed.error());
  record_ = std::move(changed);
  co_return Result<void>();
}

Task<Result<void>> LiveLedger::record_gaps(std::vector<state::GapRecord> gaps) {
  const auto add = [&gaps](state::LiveRecord& record) {
    for (state::GapRecord& gap : gaps) {
      if (record.gaps.size() < state::LiveRecord::kMostGaps)
        record.gaps.push_back(gap);
      else
        record.gaps.back().noticed_unix_ms = gap.noticed_unix_ms;
      // What came later than the healing began is not healed by it.
      record.gaps_healing = std::min<std::uint64_t>(record.gaps_healing, record.gaps.size() - 1);
    }
  };
  const Result<void> recorded = co_await update(add);
  co_return recorded;
}

Task<Result<void>> LiveLedger::declare_gaps(std::vector<state::GapRecord> gaps) {
  const Result<void> recorded = co_await record_gaps(std::move(gaps));
  if (!recorded) co_return fail(recorded.error());
  const Result<void> marked = co_await spool_.declare_gap();
  co_return marked;
}

Task<Result<void>> LiveLedger::record_rejects(std::vector<state::Reject> rejects,
                                              std::vector<std::string> settled_keys) {
  // Before it is durable: a key that is refused counts as refused, whatever becomes of the commit.
  for (const state::Reject& reject : rejects) rejects_.add(reject.key);
  state::Commit step;
  // The store takes the settled ones first: of a key that is refused again, the newest reject alone is live.
  step.settled_keys = settled_keys;
  std::erase_if(settled_keys, [&](const std::string& key) {
    return std::ranges::find(rejects, key, &state::Reject::key) != rejects.end();
  });
  std::vector<std::string> refused_keys;
  for (const state::Reject& reject : rejects) refused_keys.push_back(reject.key);
  step.rejects = std::move(rejects);
  const Result<void> committed = co_await commit(std::move(step));
  if (!committed) co_return fail(committed.error());
  for (const std::string& key : settled_keys) rejects_.remove(key);
  // Again: a copy that began anew meanwhile has forgotten all that the ledger had before.
  for (const std::string& key : refused_keys) rejects_.add(key);
  co_return Result<void>();
}

Task<Result<void>> LiveLedger::keep_heartbeat(Stop& stop) {
  while (!stop.requested()) {
    if (loop_.now() - last_commit_ >= kHeartbeatEvery) {
      state::Commit beat;
      const Result<void> beaten = co_await commit(std::move(beat));
      if (!beaten) co_return fail(beaten.error());
    }
    co_await loop_.sleep_until(std::max(last_commit_ + kHeartbeatEvery, loop_.now()), &stop);
  }
  co_return Result<void>();
}

Task<Result<void>> LiveLedger::end_cleanly() {
  state::Commit step;
  step.clean_end = true;
  const Result<void> committed = co_await commit(std::move(step));
  co_return committed;
}

}  // namespace messina::jobs
