// Where a running migration is asked to verify, or to repair what a verification found, and says how it
// stands: between the control socket and the job.
#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "jobs/verify.h"

namespace messina::jobs {

/// What is asked for. The rest is the process's own: its tables, its plan, its budgets.
struct VerifyWish {
  VerifyScope scope;
  std::vector<std::string> keys;
  bool restart = false;
  std::optional<double> read_rcu_per_s;
  std::optional<RepairOptions> repair;
  bool operator==(const VerifyWish&) const = default;
};

/// Thread-safe. One verification at a time.
class VerifyDesk {
 public:
  struct Answer {
    std::uint64_t asked = 0, done = 0;  ///< how often; the last wish is at its end when they are equal
    std::optional<Error> error;         ///< of the last that ended; absent: it went well
  };

  /// The wish's number: of the one that is being fulfilled, if that is the same. Errors: usage (another one
  /// is), config (nobody verifies here).
  Result<std::uint64_t> ask(const VerifyWish& wish) {
    const std::lock_guard lock(mutex_);
    if (!served_) return fail(ErrorKind::config, "it cannot verify yet: ask again in a moment");
    const bool busy = answer_.asked > answer_.done;
    if (busy && wish_ == wish) return answer_.asked;
    if (busy)
      return fail(ErrorKind::usage,
                  "another verification is at work: wait for it, or end it with `messina verify --cancel`");
    wish_ = wish;
    taken_ = false;
    return ++answer_.asked;
  }
  /// Ends what is at work at its next safe point. The next verification begins anew.
  void cancel() {
    const std::lock_guard lock(mutex_);
    if (cancel_ != nullptr) cancel_->request();
  }
  /// nullopt: nobody verifies here, or not yet.
  std::optional<Answer> answer() const {
    const std::lock_guard lock(mutex_);
    return served_ ? std::optional(answer_) : std::nullopt;
  }

  // The job's side.
  void serve() {
    const std::lock_guard lock(mutex_);
    served_ = true;
  }
  /// A wish that nobody has taken yet. `cancel` is requested by cancel(); it may die after done().
  std::optional<VerifyWish> take(std::shared_ptr<Stop> cancel) {
    const std::lock_guard lock(mutex_);
    if (answer_.asked == answer_.done || taken_) return std::nullopt;
    taken_ = true;
    cancel_ = std::move(cancel);
    return wish_;
  }
  void done(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    answer_.done = answer_.asked;
    answer_.error = std::move(error);
    cancel_.reset();
  }

 private:
  mutable std::mutex mutex_;
  bool served_ = false, taken_ = false;
  VerifyWish wish_;
  Answer answer_;
  std::shared_ptr<Stop> cancel_;
};

}  // namespace messina::jobs
