#include "state/ledger_store.h"

#include <algorithm>
#include <utility>

namespace messina::state {

LedgerStore::LedgerStore(std::unique_ptr<Ledger> ledger, const Clock& clock)
    : ledger_(std::move(ledger)), clock_(clock) {}

Task<Result<std::optional<JobState>>> LedgerStore::load() {
  return thread_.run<std::optional<JobState>>([this] { return ledger_->load(); });
}

Task<Result<void>> LedgerStore::begin(const JobState& fresh) {
  return thread_.run<void>([this, &fresh] { return ledger_->begin(fresh); });
}

Task<Result<void>> LedgerStore::commit(const Commit& step) {
  return thread_.run<void>([this, &step] { return timed_commit(step); });
}

Task<Result<std::vector<std::string>>> LedgerStore::live_reject_keys() {
  return thread_.run<std::vector<std::string>>([this] { return ledger_->live_reject_keys(); });
}

Task<Result<std::vector<Reject>>> LedgerStore::rejects(const RejectFilter& filter) {
  return thread_.run<std::vector<Reject>>([this, &filter] { return ledger_->rejects(filter); });
}

Task<Result<Authority>> LedgerStore::reserved_authority() {
  return thread_.run<Authority>([this] { return ledger_->reserved_authority(); });
}

Task<Result<void>> LedgerStore::reserve_authority(const Authority& authority) {
  return thread_.run<void>([this, &authority] { return ledger_->reserve_authority(authority); });
}

LedgerStore::Stats LedgerStore::stats() const {
  Stats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = stats_;
  }
  stats.cpu = thread_.cpu();
  return stats;
}

Result<void> LedgerStore::timed_commit(const Commit& step) {
  const MonoTime start = clock_.now();
  auto result = ledger_->commit(step);
  const Duration took = clock_.now() - start;
  if (result) {
    const std::lock_guard lock(mutex_);
    ++stats_.commits;
    stats_.commit_sum += took;
    stats_.commit_max = std::max(stats_.commit_max, took);
  }
  return result;
}

}  // namespace messina::state
