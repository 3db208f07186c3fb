// Rejects beside changes: their keys are read from the source again (PROTOCOL rule 7). What was stored when
// they were refused may be older than what was applied since, and is never sent.
#pragma once
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "item/key.h"
#include "state/job_store.h"
#include "state/spool_store.h"

namespace messina::jobs {

/// Puts re-read marks for `keys` (item::key_text), durably. Nobody knows since when the keys differ, so that
/// nothing is claimed before they are applied. Waits where the spool has no room. Errors: stopped, disk.
Task<Result<void>> put_marks(Loop& loop, state::SpoolStore& spool, std::vector<std::string> keys, Stop* stop);

/// Puts a mark for the key of each live reject, and says for how many keys. The rejects stay live until a
/// later write of their keys is acknowledged. Errors: as of put_marks(), and what the ledger answers.
Task<Result<std::uint64_t>> reread_rejects(Loop& loop, state::JobStore& store, state::SpoolStore& spool,
                                           const item::KeySchema& source_key, Stop* stop);

/// A person's wish that a running migration does so, on its way from the control socket to the job and back.
/// Thread-safe.
class RejectRetries {
 public:
  struct Answer {
    std::uint64_t asked = 0, done = 0;  ///< how often; the last wish is fulfilled when they are equal
    std::uint64_t keys = 0;             ///< of the last that was done: these will be read again
    std::string error;                  ///< of the last that was done; empty: it went well
    bool operator==(const Answer&) const = default;
  };

  /// nullopt: nobody fulfils such wishes here, or not yet.
  std::optional<Answer> answer() const {
    const std::lock_guard lock(mutex_);
    return served_ ? std::optional(answer_) : std::nullopt;
  }
  /// Does nothing while nobody serves.
  void ask() {
    const std::lock_guard lock(mutex_);
    if (served_) ++answer_.asked;
  }

  // The job's side.
  void serve() {
    const std::lock_guard lock(mutex_);
    served_ = true;
  }
  /// How many wishes there were, if one of them is not fulfilled yet.
  std::optional<std::uint64_t> wanted() const {
    const std::lock_guard lock(mutex_);
    return answer_.asked > answer_.done ? std::optional(answer_.asked) : std::nullopt;
  }
  /// All wishes up to that number.
  void fulfilled(std::uint64_t wish, const Result<std::uint64_t>& keys) {
    const std::lock_guard lock(mutex_);
    answer_.done = wish;
    answer_.keys = keys.value_or(0);
    answer_.error = keys ? std::string() : keys.error().message;
  }

 private:
  mutable std::mutex mutex_;
  bool served_ = false;
  Answer answer_;
};

}  // namespace messina::jobs
