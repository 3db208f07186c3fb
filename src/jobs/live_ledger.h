// The ledger as the parts of one live migration share it: capture, copy, applier and what leads them.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/async.h"
#include "base/clock.h"
#include "base/error.h"
#include "state/job_store.h"
#include "state/live_record.h"
#include "state/spool_store.h"

namespace messina::jobs {

/// Keys with a live reject (PROTOCOL rule 7): item::key_bytes of the source's key. Thread-safe.
class LiveRejects {
 public:
  void add(std::string key);
  bool contains(std::string_view key) const;
  void remove(std::string_view key);
  /// History begins anew: its rejects were forgotten with its units.
  void clear();
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> keys_;
  std::atomic<std::size_t> size_{0};
};

/// The live record in memory and the one way to change it. Belongs to the migration's first loop; the copy
/// commits its units to the same store by itself. Every commit carries the spool's stamp and a heartbeat.
class LiveLedger {
 public:
  /// All of it outlives the ledger. `record`: as load() found it.
  LiveLedger(Loop& loop, state::JobStore& store, state::SpoolStore& spool, state::LiveRecord record);

  /// Fills rejects(). Before anything else.
  Task<Result<void>> load_rejects();

  const state::LiveRecord& record() const { return record_; }
  /// Changes the record, durably: `change` is applied to a copy, which counts when it is committed. Changes
  /// happen one after another.
  /// (A template, so that no std::function is made inside of a co_await: see base/async.h.)
  template <class Change>
  Task<Result<void>> update(Change change) {
    std::function<void(state::LiveRecord&)> any = std::move(change);
    return change_record(std::move(any));
  }
  /// PROTOCOL rule 15: durable in the ledger first, then every image of the spool becomes a mark.
  Task<Result<void>> declare_gaps(std::vector<state::GapRecord> gaps);
  /// The first half of it.
  Task<Result<void>> record_gaps(std::vector<state::GapRecord> gaps);
  /// Rejects of changes, durable before their entries go; and keys that were written since they were refused.
  /// A key in both counts as refused: its former rejects are live no more, this one is.
  Task<Result<void>> record_rejects(std::vector<state::Reject> rejects,
                                    std::vector<std::string> settled_keys);

  /// Goes with the next commit, for `status`.
  void set_snapshot(std::string json) { snapshot_json_ = std::move(json); }
  /// Commits a heartbeat about every second, until `stop`; ends with the error of a ledger that cannot be
  /// written. Without it nothing may be sent: see send_until().
  Task<Result<void>> keep_heartbeat(Stop& stop);
  /// Nothing is sent to an unstamped target after this time (PROTOCOL rule 3's other side). Any thread.
  MonoTime send_until() const { return send_until_.load(); }
  /// No request is on the wire any more: the next process need not wait.
  Task<Result<void>> end_cleanly();

  LiveRejects& rejects() { return rejects_; }

 private:
  Task<Result<void>> commit(state::Commit step);
  Task<Result<void>> change_record(std::function<void(state::LiveRecord&)> change);

  Loop& loop_;
  state::JobStore& store_;
  state::SpoolStore& spool_;
  state::LiveRecord record_;
  std::string snapshot_json_;
  MonoTime last_commit_{};
  AsyncSemaphore one_{1};
  LiveRejects rejects_;
  std::atomic<MonoTime> send_until_{MonoTime{}};
};

}  // namespace messina::jobs
