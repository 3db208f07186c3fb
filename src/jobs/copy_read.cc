// Reading ahead: one page of a unit at a time, within the memory and the read budget.
#include <algorithm>
#include <utility>

#include "jobs/copy_run.h"
#include "jobs/read_charge.h"
#include "jobs/retry.h"

namespace messina::jobs {

namespace {

using pace::SpeedHolder;

/// How often a paused reader looks whether it may go on.
constexpr Duration kPausedNap = std::chrono::milliseconds(100);

/// Waits until the page may be asked for; false if the job was halted or paused meanwhile.
Task<bool> may_read(CopyRun& run, Loop& loop, UnitWork& work, ReadCharge& charge) {
  while (!run.halt.requested() && !run.paused) {
    const MonoTime now = loop.now();
    if (work.read_not_before > now) {
      charge.give_up(now);
      const Waits::Guard waiting(run.waits, SpeedHolder::hot_partition);
      co_await loop.sleep_until(work.read_not_before, &run.halt);
      continue;
    }
    const std::optional<Duration> nap = charge.ask(now);
    if (!nap) co_return true;
    const Waits::Guard waiting(run.waits, SpeedHolder::read_budget);
    co_await loop.sleep_for(*nap, &run.halt);
  }
  charge.give_up(loop.now());
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
      work.hot.throttled();
    } else {
      ++run.source_throttles;
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
  Retry retry;
  while (!run->halt.requested()) {
    if (run->paused) {
      // Other tables may share the memory, and go on.
      lease.release();
      co_await loop.sleep_for(kPausedNap, &run->halt);
      continue;
    }
    if (lease.amount() == 0) {
      const Waits::Guard waiting(run->waits, SpeedHolder::memory);
      const std::int64_t bytes = run->page_lease();
      lease = co_await run->memory.acquire(bytes);
    }
    ReadCharge charge(run->read_budget, run->context.shared);
    const bool granted = co_await may_read(*run, loop, *work, charge);
    if (!granted) continue;
    if (work->most_items != 0) charge.at_most(work->most_items);
    PageMark mark(run->tuning.faults.pages_unmarked ? nullptr : run->context.companion, loop.now());
    Result<endpoints::Page> page;
    {
      const Waits::Guard waiting(run->waits, SpeedHolder::source_latency);
      page = co_await scan.read_some(work->unit, cursor, charge.items());
    }
    charge.answered(loop.now(), page ? page->records.size() : 0, page ? page->cost_rcu : 0);
    if (page) {
      work->hot.answered();
      work->read_not_before = loop.now() + work->hot.pause();
      lease.adjust(run->lease_for(page->bytes));
      ahead->page = std::make_unique<HeldPage>(scan, std::move(*page), std::move(lease), mark);
      co_return;
    }
    mark.dropped();
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
