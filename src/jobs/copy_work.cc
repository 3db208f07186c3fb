// A worker: unit after unit, page after page.
#include <algorithm>
#include <utility>

#include "jobs/copy_run.h"

namespace messina::jobs {

namespace {

/// Pages of so many items need no limit any more.
constexpr std::size_t kManyItems = 1000;

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

/// Tells the watermark, and learns how much of a page can be written before it is stale.
void finish(UnitWork& work, HeldPage& held, const PageOutcome& outcome) {
  if (held.page.records.empty())
    held.mark.dropped();
  else if ((outcome.settled && outcome.rejects.empty()) || outcome.stale)
    held.mark.acknowledged(work.lane->loop->now());
  if (outcome.stale)
    work.most_items = static_cast<std::uint32_t>(std::max<std::uint64_t>(1, outcome.written / 2));
  else if (work.most_items != 0)
    work.most_items = held.page.records.size() >= kManyItems ? 0 : work.most_items * 2;
}

/// A page that was read ahead in vain.
Task<void> drop(ReadAhead& ahead) {
  co_await ahead.reading.wait();
  if (ahead.page) ahead.page->mark.dropped();
  ahead.page.reset();
}

/// The unit's position moves when, and only when, a page is settled.
Task<void> copy_pages(std::shared_ptr<CopyRun> run, std::shared_ptr<UnitWork> work, std::string position) {
  endpoints::Cursor here{std::move(position)};  // of the page in hand
  std::shared_ptr<ReadAhead> ahead = read_ahead(run, work, here);
  while (ahead) {
    co_await ahead->reading.wait();
    std::unique_ptr<HeldPage> held = std::move(ahead->page);
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
    finish(*work, *held, outcome);
    if (outcome.stale) {
      // Its memory may be what the page behind it waits for.
      held.reset();
      if (ahead) co_await drop(*ahead);
      ahead = read_ahead(run, work, here);
      continue;
    }
    if (!outcome.settled) break;
    here = held->page.next;
    if (run->tuning.faults.record_before_acknowledged) continue;
    Recorder::SettledPage settled = settled_page(*work, held->page, std::move(outcome));
    if (!settled.rejects.empty()) {
      // A change of a refused item must find its reject, which it may settle.
      settled.recorded = [mark = held->mark, loop = work->lane->loop]() mutable {
        mark.acknowledged(loop->now());
      };
    }
    co_await run->recorder.add(std::move(settled));
  }
  // Halted: the page that was being read ahead is read again by the next run.
  if (ahead) co_await drop(*ahead);
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
