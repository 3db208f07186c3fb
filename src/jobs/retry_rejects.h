// Puts rejects back: for a copy by itself, before any change of the source is applied to the target (PROTOCOL
// rule 7: afterwards, stored bytes may be older than what the target holds and are never sent again).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "jobs/copy.h"
#include "state/job_store.h"

namespace messina::jobs {

/// What became of one reject that was tried again.
struct RejectOutcome {
  std::uint64_t id = 0;  ///< state::Reject::id
  bool written = false;  ///< acknowledged: settle it in the ledger
  /// Refused again: the server's newest words, for the ledger.
  std::string reason;
  std::string code;
};

struct RejectRetry {
  /// In no particular order. Rejects that are not named were not decided (a stop, an error) and stay as they
  /// are.
  std::vector<RejectOutcome> outcomes;
  /// What ended it early: stopped, or what a side answered for good.
  std::optional<Error> error;
};

/// Writes the rejects' stored bytes, with `options.transform`, by the context's first lane; in batches that
/// are halved when refused, with the waits of PROTOCOL rule 1, as the copy does. `rejects` holds each key
/// once, as a copy leaves them. `context.store` and `context.board` are not used: the caller has the
/// migration's lock and records the outcomes.
Task<RejectRetry> retry_rejects(CopyContext& context, const CopyOptions& options,
                                const std::vector<state::Reject>& rejects);

}  // namespace messina::jobs
