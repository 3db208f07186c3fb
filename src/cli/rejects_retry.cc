#include "cli/rejects_retry.h"

#include <array>
#include <chrono>

#include <fmt/format.h>

#include "item/transform.h"
#include "net/event_loop.h"
#include "pace/backoff.h"
#include "plan/plan_json.h"

namespace messina::cli {
namespace {

enum class Sent : std::uint8_t { written, refused };
struct Attempt {
  Sent sent = Sent::written;
  Error why;
};

/// One record until it has the server's own answer. A write of unknown outcome is repeated only when a late
/// twin of it can no longer land (PROTOCOL rule 1).
Task<Result<Attempt>> send_one(Session* session, const plan::CopyPlan* plan, Loop* loop,
                               endpoints::Endpoint* target, std::string record) {
  const std::array<std::string_view, 1> records{record};
  const std::span<const std::string_view> span(records);
  pace::Backoff backoff;
  Random random(entropy_seed());
  for (;;) {
    if (session->stop().requested()) co_return fail(ErrorKind::stopped, "stopped between two rejects");
    const endpoints::WriteOutcome outcome = co_await target->put->put(span);
    if (!outcome.error && outcome.unprocessed.empty()) co_return Attempt{};
    const Error error =
        outcome.error.value_or(Error{ErrorKind::throttled, "the target left the item unprocessed"});
    if (error.kind == ErrorKind::refused || error.kind == ErrorKind::too_large)
      co_return Attempt{Sent::refused, error};
    Duration pause{};
    if (error.kind == ErrorKind::unknown_outcome) {
      pause = plan->dead_after + plan->clock_error + std::chrono::milliseconds(1);
    } else if (error.retryable()) {
      pause = backoff.next(error, random);
    } else {
      co_return fail(error);
    }
    co_await loop->sleep_for(pause, &session->stop());
  }
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

std::int64_t unix_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

Result<RetryResult> retry_rejects(Session& session, const plan::CopyPlan& plan, Lanes& lanes,
                                  state::Ledger& ledger) {
  Loop& loop = lanes.first_loop();
  endpoints::Endpoint& target = lanes.first().target;
  const auto job = ledger.load();
  if (!job) return fail(job.error());
  const auto described = net::run_on(loop, first_contact(loop, target, &session.stop()));
  if (auto ready = check_ready(plan, *job, described); !ready) return fail(ready.error());

  RetryResult result;
  state::Ledger::RejectFilter filter;
  filter.limit = 100;
  for (;;) {
    const auto rejects = ledger.rejects(filter);
    if (!rejects) return fail(rejects.error());
    if (rejects->empty()) return result;
    for (const state::Reject& reject : *rejects) {
      Result<Attempt> attempt = Attempt{};
      std::string record = reject.item;
      if (!plan.transform.empty()) {
        record.clear();
        if (auto changed = item::transform_item(reject.item, plan.transform, record); !changed)
          attempt = Attempt{Sent::refused, changed.error()};
      }
      if (attempt->sent == Sent::written)
        attempt = net::run_on(loop, send_one(&session, &plan, &loop, &target, std::move(record)));
      if (!attempt) return fail(attempt.error());
      const Result<void> noted =
          attempt->sent == Sent::written
              ? ledger.settle_rejects({reject.id})
              : ledger.update_reject(reject.id, attempt->why.message, attempt->why.code,
                                     unix_ms(session.clock().wall()));
      if (!noted) return fail(noted.error());
      ++(attempt->sent == Sent::written ? result.written : result.refused);
    }
    filter.after_id = rejects->back().id;
  }
}

}  // namespace messina::cli
