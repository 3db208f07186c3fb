// A worker: unit after unit, page after page.
#include <utility>

#include "jobs/copy_run.h"

namespace messina::jobs {

namespace {

/// The next unit for a worker; null when none is left or the job is halted.
Task<std::shared_ptr<UnitWork>> next_unit(CopyRun& run, Lane& lane, Random& random,
                                          const state::JobState& job) {
  while (!run.halt.requested()) {
    const UnitQueue::Next next = run.units->take(lane.loop->now());
    if (next.kind == UnitQueue::Next::Kind::none) co_return nullptr;
    if (next.kind == UnitQueue::Next::Kind::unit) {
      const state::UnitRecord& record = job.units[next.unit];
      auto work = std::make_shared<UnitWork>();
      work->index = next.unit;
      work->unit = {.id = record.id, .spec = record.spec};
      work->lane = &lane;
      work->random = random.fork();
      co_return work;
    }
    const auto holder = next.for_predecessor ? pace::SpeedHolder::predecessor : pace::SpeedHolder::nothing;
    const Waits::Guard waiting(run.waits, holder);
    co_await lane.loop->sleep_until(next.until, &run.halt);
  }
  co_return nullptr;
}

Recorder::SettledPage settled_page(const UnitWork& work, const endpoints::Page& page, PageOutcome outcome) {
  Recorder::SettledPage settled;
  settled.unit = work.index;
  settled.cursor = page.end ? std::string() : page.next.bytes;
  settled.unit_done = page.end;
  settled.counts.pages = 1;
  settled.counts.read_items = page.records.size();
  for (const std::string_view record : page.records) settled.counts.read_bytes += record.size();
  settled.counts.written_items = outcome.written;
  settled.counts.rejected_items = outcome.rejects.size();
  settled.counts.rcu = page.cost_rcu;
  settled.counts.wcu = outcome.wcu;
  settled.rejects = std::move(outcome.rejects);
  return settled;
}

/// The unit's position moves when, and only when, a page is settled.
Task<void> copy_pages(std::shared_ptr<CopyRun> run, std::shared_ptr<UnitWork> work, std::string position) {
  const endpoints::Cursor start{std::move(position)};
  std::shared_ptr<ReadAhead> ahead = read_ahead(run, work, start);
  while (ahead) {
    co_await ahead->reading.wait();
    const std::unique_ptr<HeldPage> held = std::move(ahead->page);
    ahead = nullptr;
    if (!held) co_return;
    if (!held->page.end && !run->halt.requested()) ahead = read_ahead(run, work, held->page.next);
    if (run->tuning.faults.record_before_acknowledged) {
      PageOutcome hoped;
      hoped.written = held->page.records.size();
      Recorder::SettledPage early = settled_page(*work, held->page, std::move(hoped));
      co_await run->recorder.add(std::move(early));
    }
    PageOutcome outcome = co_await write_page(run, work, held->page);
    if (!outcome.settled) break;
    if (run->tuning.faults.record_before_acknowledged) continue;
    Recorder::SettledPage settled = settled_page(*work, held->page, std::move(outcome));
    co_await run->recorder.add(std::move(settled));
  }
  // Halted: the page that was being read ahead is dropped, and read again by the next run.
  if (ahead) co_await ahead->reading.wait();
}

}  // namespace

Task<void> work_on_units(std::shared_ptr<CopyRun> run, Lane& lane, Random random,
                         std::shared_ptr<const state::JobState> job) {
  for (;;) {
    std::shared_ptr<UnitWork> work = co_await next_unit(*run, lane, random, *job);
    if (!work) co_return;
    std::string position = job->units[work->index].cursor;
    co_await copy_pages(run, work, std::move(position));
  }
}

}  // namespace messina::jobs
