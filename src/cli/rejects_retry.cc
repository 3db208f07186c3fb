#include "cli/rejects_retry.h"

#include <chrono>

#include <fmt/format.h>

#include "cli/copy_job.h"
#include "jobs/retry_rejects.h"
#include "net/event_loop.h"
#include "plan/plan_json.h"

namespace messina::cli {
namespace {

/// Rejects that are read and tried together; a kill loses at most the outcomes of so many, which are tried
/// again.
constexpr std::size_t kPortion = 100;

std::int64_t unix_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

Result<void> check_ready(const plan::CopyPlan& plan, const std::optional<state::JobState>& job,
                         const Result<endpoints::TableDescription>& target) {
  if (!target) return fail(target.error());
  if (!job || job->phase != state::JobPhase::done)
    return fail(ErrorKind::needs_person,
                "the copy is not done: finish it first (messina copy), then retry its rejects");
  if (job->identity.plan_fingerprint != plan::fingerprint(plan))
    return fail(ErrorKind::needs_person,
                "the copy was made with other renames, dropped attributes or segments: give the same ones");
  if (job->identity.target_table_id != target->id)
    return fail(ErrorKind::needs_person,
                fmt::format("the target's table \"{}\" was deleted and made again since the copy: copy "
                            "it again with --restart",
                            target->name.value));
  return {};
}

/// Says in the ledger that requests may be on the wire, or that none is any more. A copy that is started over
/// after a retry that did not end cleanly then waits until they must be dead (PROTOCOL rule 3): an item of
/// the rejects would else land on top of a newer one.
Result<void> beat(Session& session, state::Ledger& ledger, bool clean_end) {
  state::Commit commit;
  commit.heartbeat_unix_ms = unix_ms(session.clock().wall());
  commit.clean_end = clean_end;
  return ledger.commit(commit);
}

Result<void> record(Session& session, state::Ledger& ledger, const jobs::RejectRetry& retry,
                    RetryResult& result) {
  std::vector<std::uint64_t> written;
  for (const jobs::RejectOutcome& outcome : retry.outcomes) {
    if (outcome.written) {
      written.push_back(outcome.id);
      continue;
    }
    const auto noted =
        ledger.update_reject(outcome.id, outcome.reason, outcome.code, unix_ms(session.clock().wall()));
    if (!noted) return fail(noted.error());
    ++result.refused;
  }
  result.written += written.size();
  return ledger.settle_rejects(written);
}

}  // namespace

Result<RetryResult> retry_rejects(Session& session, const plan::CopyPlan& plan, Lanes& lanes,
                                  state::Ledger& ledger) {
  Loop& loop = lanes.first_loop();
  const auto job = ledger.load();
  if (!job) return fail(job.error());
  const auto described = net::run_on(loop, first_contact(loop, lanes.first().target, &session.stop()));
  if (auto ready = check_ready(plan, *job, described); !ready) return fail(ready.error());

  const bool former_unclean = (*job)->heartbeat_unix_ms.has_value();
  const jobs::CopyOptions options = copy_options(plan, 1);
  jobs::CopyContext context;
  context.lanes = &lanes.lanes();
  context.stop = &session.stop();
  context.random = Random(entropy_seed());
  RetryResult result;
  state::Ledger::RejectFilter filter;
  filter.limit = kPortion;
  for (bool begun = false;; begun = true) {
    const auto rejects = ledger.rejects(filter);
    if (!rejects) return fail(rejects.error());
    if (rejects->empty()) {
      if (begun && !former_unclean)
        if (auto ended = beat(session, ledger, /*clean_end=*/true); !ended) return fail(ended.error());
      return result;
    }
    if (auto begins = beat(session, ledger, /*clean_end=*/false); !begins) return fail(begins.error());
    const jobs::RejectRetry retry = net::run_on(loop, jobs::retry_rejects(context, options, *rejects));
    if (auto recorded = record(session, ledger, retry, result); !recorded) return fail(recorded.error());
    // The heartbeat stays: whether something is still on the wire is not known.
    if (retry.error) return fail(*retry.error);
    filter.after_id = rejects->back().id;
  }
}

}  // namespace messina::cli
