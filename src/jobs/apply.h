// Apply: brings an unstamped target up to what the spool holds (PROTOCOL rules 1 to 3, 6 to 8, 11 and 12).
//
// One applier a table. It takes entries from the spool, as far as the watermark lets them through, reads
// again those that are marks, and writes batches over the lanes. A key is held in the spool from its taking
// until more than S after the server's answer: so two writes of a key are never in flight together, nor
// closer than S, and what is newer waits there and coalesces. What was not written, or may have been, goes
// back to the spool when it may, and is taken again in its newest state.
//
// The spool's keys are the keys' JSON as item::key_text writes it: it is what is deleted and looked up.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "base/random.h"
#include "endpoints/endpoint.h"
#include "item/transform.h"
#include "jobs/copy.h"
#include "jobs/live_ledger.h"
#include "jobs/sight.h"
#include "jobs/watermark.h"
#include "state/spool_store.h"

namespace messina::jobs {

struct ApplyRun;  // jobs/apply_run.h

/// Rules that a mutation test removes.
struct ApplyFaults {
  bool retry_unknown_at_once = false;  ///< without rule 1
  bool keys_not_apart = false;         ///< without rule 2: a key may be written again at once
  bool no_predecessor_wait = false;    ///< without rule 3
  bool unprocessed_is_absent = false;  ///< without rule 6
  bool settle_before_reject = false;   ///< without rule 7: the entry goes before the reject is durable
  bool settle_newest = false;          ///< without rule 8: what came after the taking goes, too
  bool reread_settles_later_marks =
      false;                  ///< without rule 8: a re-read discharges marks put after it was sent
  bool no_watermark = false;  ///< without rule 11
};

struct ApplyOptions {
  item::TransformRules transform;
  Duration clock_error = std::chrono::seconds(1);  ///< S
  Duration dead_after = std::chrono::seconds(30);  ///< D
  std::uint64_t memory_bytes = 64u << 20;          ///< entries in hand
  std::uint32_t write_concurrency = 8;             ///< write() calls on the wire, over all lanes; >= 1
  /// ConsistentRead units per second that re-reads may take where Context::reads is none; absent: no limit
  /// but the source's throttling.
  std::optional<double> read_rcu_per_s;
  ApplyFaults faults;
};

struct ApplyFigures {
  bool running = false;
  std::uint64_t written = 0, removed = 0;  ///< keys whose write or delete was acknowledged, in this process
  std::uint64_t reread = 0;                ///< keys that were read from the source again
  std::uint64_t rejected = 0;
  std::uint64_t unknown_outcomes = 0;  ///< keys that wait out rule 1
  std::uint64_t retries = 0, throttles = 0;
  double keys_per_s = 0;
  double rcu = 0, wcu = 0;  ///< of this process
  /// From a change at the source to its acknowledged write, the longest of the newest batches'; seconds.
  /// nullopt: nothing was written yet.
  std::optional<double> lag_s;
  state::SpoolFigures spool;  ///< looked at once a second
  std::string trouble;        ///< what is being tried again; empty as a rule
};

class Apply {
 public:
  struct Context {
    std::vector<Lane>* lanes = nullptr;  ///< it runs on the first; writes go out on all of them
    state::SpoolStore* spool = nullptr;
    LiveLedger* ledger = nullptr;
    const Sight* owner = nullptr;  ///< of the target; null: nobody looks
    /// Of the source: what is absent there is deleted only when the table was seen to be the same since it
    /// was asked for (PROTOCOL rule 6). Null: nobody looks.
    Sight* source = nullptr;
    Watermark* watermark = nullptr;
    ReadBudget* reads = nullptr;  ///< what re-reads take of the source; may be null: a budget of their own
    std::atomic<std::uint64_t>* source_throttles = nullptr;  ///< counted for whoever sets that budget's rate
    SharedBudgets* shared = nullptr;                         ///< may be null: of all tables together
    Stop* stop = nullptr;
    item::KeySchema source_key;
    /// PROTOCOL rule 3: nothing is applied before. By quiet_time() (jobs/copy_start.h), after a clean end,
    /// too: the former process settled what it had just written.
    MonoTime quiet_until{};
    Random random{0};
  };
  Apply(const Context& context, const ApplyOptions& options);
  ~Apply();

  /// Applies until the stop; then what is on the wire is waited for, as long as it is answered. Errors: what
  /// a side answered for good (denied, not_found), disk. Refused items become rejects, outages are waited
  /// out. Once in the life of an opened spool: keys whose outcome is unknown stay held in it.
  Task<Result<void>> run();
  /// True if run() ended with no request on the wire whose outcome is unknown, and not before the quiet_until
  /// of a former process's.
  bool wire_is_quiet() const;
  /// No new write is begun while this is set (a person's `pause`). Any thread.
  void pause(bool paused);

  /// Thread-safe.
  ApplyFigures figures() const;

 private:
  std::shared_ptr<ApplyRun> run_;
};

}  // namespace messina::jobs
