// Reading ahead: one page of a unit at a time, within the memory and the read budget.
#include <algorithm>
#include <utility>

#include "jobs/copy_run.h"
#include "jobs/retry.h"

namespace messina::jobs {

namespace {

using pace::SpeedHolder;

/// Waits for the read budget; false if the job was halted meanwhile (the reservation is given back).
Task<bool> take_read_budget(CopyRun& run, Loop& loop, double& estimate) {
  const ReadBudget::Reservation reservation = run.read_budget.reserve(loop.now());
  estimate = reservation.estimate;
  if (reservation.wait > Duration::zero()) {
    const Waits::Guard waiting(run.waits, SpeedHolder::read_budget);
    co_await loop.sleep_for(reservation.wait, &run.halt);
  }
  if (!run.halt.requested()) co_return true;
  run.read_budget.correct(estimate, 0);
  co_return false;
}

Task<void> pause_after(CopyRun& run, Loop& loop, UnitWork& work, const Error& error, Duration pause) {
  ++run.retries;
  run.note_trouble(error, loop.now());
  SpeedHolder holder = SpeedHolder::source_latency;
  if (error.kind == ErrorKind::throttled) {
    ++run.throttles;
    holder = SpeedHolder::source_throttling;
    if (error.scope == ThrottleScope::key_range) {
      holder = SpeedHolder::hot_partition;
      run.hot_unit = static_cast<std::int64_t>(work.index);
    }
  }
  const Waits::Guard waiting(run.waits, holder);
  co_await loop.sleep_for(pause, &run.halt);
}

Task<void> read_page(std::shared_ptr<CopyRun> run, std::shared_ptr<UnitWork> work,
                     std::shared_ptr<ReadAhead> ahead, endpoints::Cursor cursor) {
  Loop& loop = *work->lane->loop;
  endpoints::Scannable& scan = *work->lane->source.scan;
  AsyncSemaphore::Lease lease;
  {
    const Waits::Guard waiting(run->waits, SpeedHolder::memory);
    const std::int64_t bytes = run->page_lease();
    lease = co_await run->memory.acquire(bytes);
  }
  Retry retry;
  while (!run->halt.requested()) {
    double estimate = 0;
    const bool may_read = co_await take_read_budget(*run, loop, estimate);
    if (!may_read) co_return;
    Result<endpoints::Page> page;
    {
      const Waits::Guard waiting(run->waits, SpeedHolder::source_latency);
      page = co_await scan.read(work->unit, cursor);
    }
    run->read_budget.correct(estimate, page ? page->cost_rcu : 0);
    if (page) {
      lease.adjust(run->lease_for(page->bytes));
      ahead->page = std::make_unique<HeldPage>(scan, std::move(*page), std::move(lease));
      co_return;
    }
    Duration pause{};
    if (!retry.again(page.error(), work->random, pause)) {
      co_await end_by(run, *work->lane, page.error());
      co_return;
    }
    co_await pause_after(*run, loop, *work, page.error(), pause);
  }
}

}  // namespace

std::shared_ptr<ReadAhead> read_ahead(const std::shared_ptr<CopyRun>& run,
                                      const std::shared_ptr<UnitWork>& work,
                                      const endpoints::Cursor& cursor) {
  auto ahead = std::make_shared<ReadAhead>();
  ahead->reading.spawn(work->lane->loop->executor(), read_page(run, work, ahead, cursor));
  return ahead;
}

}  // namespace messina::jobs
