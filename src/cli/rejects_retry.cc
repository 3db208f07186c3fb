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

/// Answers 500 to one record, in a row, before they are taken for a refusal of it (as the copy does with an
/// item that has no witness).
constexpr int kFailures = 10;

std::int64_t unix_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

/// The server itself said that it failed, as opposed to a gateway or nobody.
bool answered_failure(const Error& error) {
  return !error.code.empty() && error.code != "HTTP 502" && error.code != "HTTP 503" &&
         error.code != "HTTP 504";
}

Task<endpoints::WriteOutcome> put_once(endpoints::Endpoint* target, std::string_view record) {
  const std::array<std::string_view, 1> records{record};
  const std::span<const std::string_view> span(records);
  endpoints::WriteOutcome outcome = co_await target->put->put(span);
  co_return outcome;
}

/// Sends records, each until it has the server's own answer. The ledger's heartbeat stands while a request
/// may be on the wire, so that a copy that is started over afterwards waits until it must be dead (PROTOCOL
/// rule 3): an item of the reject would else land on top of a newer one.
class Sender {
 public:
  /// `former_unclean`: a process before this one may have left requests on the wire.
  Sender(Session& session, const plan::CopyPlan& plan, Lanes& lanes, state::Ledger& ledger,
         bool former_unclean)
      : session_(session), plan_(plan), lanes_(lanes), ledger_(ledger), former_unclean_(former_unclean) {}

  Result<Attempt> send(const std::string& record);
  /// Says in the ledger that nothing is on the wire, unless something may be.
  Result<void> end() {
    if (!begun_ || left_unknown_ || former_unclean_) return {};
    return beat(/*clean_end=*/true);
  }

 private:
  Result<void> beat(bool clean_end) {
    state::Commit commit;
    commit.heartbeat_unix_ms = unix_ms(session_.clock().wall());
    commit.clean_end = clean_end;
    return ledger_.commit(commit);
  }

  Session& session_;
  const plan::CopyPlan& plan_;
  Lanes& lanes_;
  state::Ledger& ledger_;
  Random random_{entropy_seed()};
  const bool former_unclean_;
  bool begun_ = false;
  bool left_unknown_ = false;
};

Result<Attempt> Sender::send(const std::string& record) {
  Loop& loop = lanes_.first_loop();
  pace::Backoff backoff;
  for (int failures = 0;;) {
    if (session_.stop().requested()) return fail(ErrorKind::stopped, "stopped between two rejects");
    if (auto ok = beat(/*clean_end=*/false); !ok) return fail(ok.error());
    begun_ = true;
    const endpoints::WriteOutcome outcome = net::run_on(loop, put_once(&lanes_.first().target, record));
    if (!outcome.error && outcome.unprocessed.empty()) return Attempt{};
    const Error error =
        outcome.error.value_or(Error{ErrorKind::throttled, "the target left the item unprocessed"});
    if (error.kind == ErrorKind::refused || error.kind == ErrorKind::too_large)
      return Attempt{Sent::refused, error};
    const bool unknown = error.kind == ErrorKind::unknown_outcome;
    if (!unknown && !error.retryable()) return fail(error);
    // A write of unknown outcome is repeated, or given up, only when a late twin of it can no longer land
    // (PROTOCOL rule 1).
    const Duration pause = unknown ? plan_.dead_after + plan_.clock_error + std::chrono::milliseconds(1)
                                   : backoff.next(error, random_);
    left_unknown_ = unknown;
    const MonoTime until = loop.now() + pause;
    net::run_on(loop, loop.sleep_until(until, &session_.stop()));
    if (loop.now() >= until) left_unknown_ = false;
    failures = unknown && answered_failure(error) ? failures + 1 : 0;
    if (failures >= kFailures && !left_unknown_) return Attempt{Sent::refused, error};
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

/// One portion of rejects; the ledger has the outcome of each as soon as it is known.
Result<void> retry_portion(Session& session, const plan::CopyPlan& plan, Sender& sender,
                           state::Ledger& ledger, const std::vector<state::Reject>& rejects,
                           RetryResult& result) {
  for (const state::Reject& reject : rejects) {
    Result<Attempt> attempt = Attempt{};
    std::string record = reject.item;
    if (!plan.transform.empty()) {
      record.clear();
      if (auto changed = item::transform_item(reject.item, plan.transform, record); !changed)
        attempt = Attempt{Sent::refused, changed.error()};
    }
    if (attempt->sent == Sent::written) attempt = sender.send(record);
    if (!attempt) return fail(attempt.error());
    const Result<void> noted = attempt->sent == Sent::written
                                   ? ledger.settle_rejects({reject.id})
                                   : ledger.update_reject(reject.id, attempt->why.message, attempt->why.code,
                                                          unix_ms(session.clock().wall()));
    if (!noted) return fail(noted.error());
    ++(attempt->sent == Sent::written ? result.written : result.refused);
  }
  return {};
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
  Sender sender(session, plan, lanes, ledger, (*job)->heartbeat_unix_ms.has_value());
  state::Ledger::RejectFilter filter;
  filter.limit = 100;
  for (;;) {
    const auto rejects = ledger.rejects(filter);
    if (!rejects) return fail(rejects.error());
    Result<void> done;
    if (!rejects->empty()) done = retry_portion(session, plan, sender, ledger, *rejects, result);
    if (!done || rejects->empty()) {
      const Result<void> ended = sender.end();
      if (!done) return fail(done.error());
      if (!ended) return fail(ended.error());
      return result;
    }
    filter.after_id = rejects->back().id;
  }
}

}  // namespace messina::cli
