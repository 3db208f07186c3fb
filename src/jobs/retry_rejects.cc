#include "jobs/retry_rejects.h"

#include <algorithm>
#include <utility>

#include "jobs/copy_run.h"
#include "jobs/copy_start.h"

namespace messina::jobs {

namespace {

/// Rejects whose batches are written together.
constexpr std::size_t kTogether = 100;

}  // namespace

Task<RejectRetry> retry_rejects(CopyContext& context, const CopyOptions& options,
                                const std::vector<state::Reject>& rejects) {
  const CopyTuning tuning;
  auto run = std::make_shared<CopyRun>(context, options, tuning);
  Stop::Registration on_stop;
  if (context.stop != nullptr) on_stop = context.stop->on_request([run] { run->halt.request(); });
  const Teardown teardown{run};
  RejectRetry retry;
  Random pinning = context.random.fork();
  Result<PinnedTables> tables =
      co_await pin_tables(context.lanes->front(), &run->halt, pinning, options.plan_fingerprint);
  if (!tables) {
    retry.error = tables.error();
    co_return retry;
  }
  run->pinned = std::move(tables->identity);
  run->target_key = std::move(tables->target_key);
  // Nothing here depends on a heartbeat: whoever comes next sends the same bytes.
  run->send_until = MonoTime::max();
  auto work = std::make_shared<UnitWork>();
  work->lane = &context.lanes->front();
  work->unit.id = "rejects";
  work->random = context.random.fork();

  for (std::size_t next = 0; next < rejects.size() && !run->halt.requested(); next += kTogether) {
    endpoints::Page page;
    const std::size_t end = std::min(rejects.size(), next + kTogether);
    for (std::size_t i = next; i < end; ++i) page.records.push_back(rejects[i].item);
    PageOutcome outcome = co_await write_page(run, work, page);
    if (!outcome.settled) break;
    std::vector<RejectOutcome> decided(page.records.size());
    for (std::size_t i = 0; i < decided.size(); ++i) decided[i] = {rejects[next + i].id, true, {}, {}};
    for (std::size_t i = 0; i < outcome.rejects.size(); ++i) {
      RejectOutcome& again = decided[outcome.rejected_records[i]];
      again.written = false;
      again.reason = std::move(outcome.rejects[i].reason);
      again.code = std::move(outcome.rejects[i].code);
    }
    std::ranges::move(decided, std::back_inserter(retry.outcomes));
  }
  retry.error = run->failure();
  if (!retry.error && retry.outcomes.size() < rejects.size()) {
    retry.error = Error{ErrorKind::stopped, "stopped before all rejects were tried: run it again to go on"};
  }
  co_return retry;
}

}  // namespace messina::jobs
