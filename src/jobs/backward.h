// The backward pass: finds the keys that only the target has (PROTOCOL rule 15). Each becomes a mark in the
// spool; the applier reads it from the source again, and deletes it if it is not there (rule 6).
#pragma once
#include "base/async.h"
#include "base/error.h"
#include "base/random.h"
#include "endpoints/endpoint.h"
#include "item/key.h"
#include "jobs/copy.h"
#include "jobs/live_ledger.h"
#include "jobs/steering.h"
#include "state/spool_store.h"

namespace messina::jobs {

struct BackwardContext {
  Lane* lane = nullptr;  ///< the target is scanned, the source is asked for the keys
  state::SpoolStore* spool = nullptr;
  LiveLedger* ledger = nullptr;
  Stop* stop = nullptr;
  item::KeySchema source_key, target_key;
  ReadBudget* reads = nullptr;      ///< of the source
  SharedBudgets* shared = nullptr;  ///< may be null
  std::atomic<std::uint64_t>* source_throttles = nullptr;
  const Steering* steering = nullptr;  ///< may be null: nobody pauses it
  Random random{0};
  bool looks = true;  ///< false: a mutation test's
};

/// Runs on the lane's loop, once history is copied under the present capture epoch: until every key of the
/// target was looked up, then records that the pass is done and the gaps that it heals are healed. Goes on
/// where the record says. Errors: stopped, corrupt, disk, and what a side answered for good.
Task<Result<void>> look_backward(BackwardContext context);

}  // namespace messina::jobs
