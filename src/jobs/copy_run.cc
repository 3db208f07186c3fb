#include "jobs/copy_run.h"

#include <algorithm>
#include <utility>

namespace messina::jobs {

namespace {

/// A page of DynamoDB's Scan ends at 1 MB (facts: Scan); the first estimate.
constexpr std::size_t kPageBytes = 1 << 20;

/// A page's lease covers the page, the bodies it is written with, and where renames apply the renamed
/// records.
std::int64_t lease_bytes(std::size_t held, std::size_t used, bool transformed) {
  return static_cast<std::int64_t>(held + used * (transformed ? 2 : 1));
}

}  // namespace

CopyRun::CopyRun(CopyContext& job_context, const CopyOptions& job_options, const CopyTuning& job_tuning)
    : context(job_context),
      options(job_options),
      tuning(job_tuning),
      started(job_context.lanes->front().loop->now()),
      own_memory(static_cast<std::int64_t>(job_options.memory_bytes)),
      memory(job_context.shared != nullptr ? job_context.shared->memory : own_memory),
      permits(job_options.write_concurrency.value_or(job_options.write_bounds.start),
              job_context.shared != nullptr ? &job_context.shared->writes : nullptr),
      write_limit(permits.own(), job_options.write_concurrency, job_options.write_bounds),
      own_reads(started),
      read_budget(job_context.companion != nullptr ? job_context.companion->reads : own_reads),
      write_budget(started),
      owner(job_context.companion != nullptr ? job_context.companion->owner : own_sight),
      page_lease_(lease_bytes(kPageBytes, kPageBytes, !job_options.transform.empty())) {}

void CopyRun::fail_with(Error error) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
    failed_ = true;
  }
  halt.request();
  if (context.companion != nullptr) context.companion->copy_failed.request();
}

std::optional<Error> CopyRun::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::int64_t CopyRun::lease_for(const Slab& page) {
  const std::int64_t lease = lease_bytes(page.capacity(), page.size(), !options.transform.empty());
  // Follows a larger page at once and smaller ones slowly. Races between lanes cost one estimate.
  const std::int64_t before = page_lease_;
  page_lease_ = std::max(lease, before - before / 8);
  return lease;
}

std::string CopyRun::recent_trouble(MonoTime now) const {
  const Duration waiting = unknown_outcomes > 0 ? options.dead_after + options.clock_error : Duration::zero();
  return trouble_.recent(now, waiting);
}

void CopyRun::release_all() {
  own_memory.set_capacity(INT64_MAX / 2);
  write_limit.close();
  recorder.close();
}

}  // namespace messina::jobs
