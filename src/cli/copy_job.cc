#include "cli/copy_job.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "cli/load_plan.h"
#include "cli/migrations.h"
#include "console/summary.h"
#include "jobs/authority.h"
#include "plan/plan_json.h"
#include "plan/text.h"
#include "plan/units.h"

namespace messina::cli {

Result<OpenedState> open_state(const std::string& state_dir, const state::MigrationName& name,
                               const Clock& clock) {
  if (auto made = state::prepare_state_dir(state_dir); !made) return fail(made.error());
  return open_migration(state_dir, name, clock);
}

Result<OpenedState> open_migration(const std::string& state_dir, const state::MigrationName& name,
                                   const Clock& clock) {
  std::filesystem::path folder = std::filesystem::path(state_dir) / state::migration_folder(name);
  auto lock = state::MigrationLock::acquire(folder, clock);
  if (!lock) return fail(lock.error());
  auto ledger = open_ledger(folder, state::Access::read_write);
  if (!ledger) return fail(ledger.error());
  return OpenedState{std::move(folder), std::move(*lock), std::move(*ledger)};
}

namespace {

pace::Wish wish(const std::optional<double>& rate, const std::optional<double>& share) {
  if (share) return {pace::Wish::Kind::share, *share};
  if (!rate) return {};
  if (*rate == plan::kUnlimited) return {pace::Wish::Kind::unlimited, 0};
  return {pace::Wish::Kind::fixed, *rate};
}

}  // namespace

jobs::CopyOptions copy_options(const plan::CopyPlan& plan, std::size_t lanes) {
  static constexpr std::uint32_t kWritesPerLoop = 16;
  // 40,000 RCU/s at 200 ms a page are 32 pages at once; each holds memory of the budget.
  static constexpr std::uint32_t kMostUnits = 64;
  jobs::CopyOptions options;
  options.transform = plan.transform;
  options.segments = plan.segments;
  options.skip_segments = plan.skip_segments;
  options.into_existing = plan.into_existing;
  options.restart = plan.restart;
  options.take_over = plan.take_over;
  options.read = wish(plan.read_rcu_per_s, plan.read_share);
  options.write = wish(plan.write_wcu_per_s, plan.write_share);
  options.write_concurrency = plan.write_concurrency;
  options.write_bounds.start =
      std::min(options.write_bounds.most, kWritesPerLoop * static_cast<std::uint32_t>(lanes));
  options.most_units_per_lane = kMostUnits / static_cast<std::uint32_t>(lanes);
  options.memory_bytes = plan.memory_bytes;
  options.clock_error = plan.clock_error;
  options.dead_after = plan.dead_after;
  options.plan_fingerprint = plan::fingerprint(plan);
  return options;
}

jobs::SchemaOptions schema_options(const plan::CopyPlan& plan) {
  jobs::SchemaOptions options;
  options.create = plan.schema == plan::SchemaMode::create;
  options.source_is_alternator = plan.source.kind == plan::EndpointKind::alternator;
  options.target_is_alternator = plan.target.kind == plan::EndpointKind::alternator;
  options.write_isolation = plan.write_isolation;
  options.transform = plan.transform;
  return options;
}

namespace {

using Tags = std::map<std::string, std::string>;

/// Rule 20, the ledger first: a table must not carry an owner that nobody knows.
Task<Result<Tags>> reserve(state::LedgerStore* store, state::Authority* authority) {
  if (authority->owner.empty()) {
    Random random(entropy_seed());
    const state::Authority fresh = jobs::new_authority(random);
    const Result<void> reserved = co_await store->reserve_authority(fresh);
    if (!reserved) co_return fail(reserved.error());
    *authority = fresh;
  }
  co_return jobs::tags_of(*authority);
}

}  // namespace

Task<Result<PreparedCopy>> prepare_copy(Loop* loop, jobs::Lane* lane, const plan::CopyPlan* plan,
                                        state::LedgerStore* store, Stop* stop,
                                        const jobs::CaptureOptions* capture) {
  PreparedCopy prepared;
  const Result<endpoints::TableDescription> contact =
      co_await check_contact(*loop, *lane, plan->transform, stop);
  if (!contact) co_return fail(contact.error());
  if (capture != nullptr) {
    const Result<void> stream = co_await jobs::check_stream(*loop, lane->source, *capture, stop);
    if (!stream) co_return fail(stream.error());
  }
  Result<std::optional<state::JobState>> begun = co_await store->load();
  if (!begun) co_return fail(begun.error());
  const bool done = *begun && (*begun)->phase == state::JobPhase::done && !plan->restart;
  if (!*begun) {
    const Result<state::Authority> reserved = co_await store->reserved_authority();
    if (!reserved) co_return fail(reserved.error());
    prepared.reserved = *reserved;
  }
  if (done || plan->schema == plan::SchemaMode::skip) co_return prepared;
  jobs::SchemaOptions options = schema_options(*plan);
  state::Authority of_begun = *begun ? (*begun)->live.authority : state::Authority();
  // What was begun before targets had owners takes its own as ever.
  if (!*begun) options.own_tags = [store, &prepared] { return reserve(store, &prepared.reserved); };
  if (!of_begun.owner.empty()) options.own_tags = [store, &of_begun] { return reserve(store, &of_begun); };
  Result<jobs::SchemaReport> report =
      co_await jobs::prepare_schema(*loop, lane->source, lane->target, options, stop);
  if (!report) co_return fail(report.error());
  if (!report->target) {
    co_return fail(ErrorKind::not_found, fmt::format("the target has no table \"{}\", and --check-schema "
                                                     "makes none: leave --check-schema out, or make it "
                                                     "with `messina schema`",
                                                     plan->target.table));
  }
  prepared.report = std::move(*report);
  co_return prepared;
}

Task<Result<jobs::SchemaReport>> make_target(Loop* loop, jobs::Lane* lane, const plan::CopyPlan* plan,
                                             Stop* stop) {
  const Result<endpoints::TableDescription> contact =
      co_await check_contact(*loop, *lane, plan->transform, stop);
  if (!contact) co_return fail(contact.error());
  const jobs::SchemaOptions options = schema_options(*plan);
  Result<jobs::SchemaReport> report =
      co_await jobs::prepare_schema(*loop, lane->source, lane->target, options, stop);
  co_return report;
}

void say_schema(Session& session, const jobs::SchemaReport& report) {
  if (session.json())
    session.display().result(console::schema_event(session.clock().wall(), report) + "\n");
  else
    session.display().say(console::schema_text(report));
}

jobs::CopySummary summary_of(const state::JobState& state) {
  jobs::CopySummary summary;
  for (const state::UnitRecord& unit : state.units) {
    summary.counts += unit.counts;
    if (unit.state == state::UnitState::skipped) ++summary.units_skipped;
  }
  summary.units = state.units.size();
  summary.live_rejects = state.live_rejects;
  return summary;
}

CopyEnd ended(Loop& loop, state::LedgerStore& store, Result<jobs::CopySummary> result) {
  if (result) return {std::move(result), {}};
  const auto state = net::run_on(loop, store.load());
  if (!state || !*state) return {std::move(result), {}};
  return {std::move(result), summary_of(**state)};
}

console::Outcome outcome_of(const plan::CopyPlan& plan, const CopyEnd& end,
                            const jobs::CopySummary& summary) {
  console::Outcome outcome;
  outcome.source = migration_name(plan).source;
  outcome.target = migration_name(plan).target;
  outcome.exit = !end.result                ? exit_of(end.result.error(), Left::place)
                 : summary.live_rejects > 0 ? ExitCode::done_with_rejects
                                            : ExitCode::done;
  outcome.finished = end.result.has_value();
  outcome.summary = summary;
  if (plan.state_dir != plan::CopyPlan().state_dir) outcome.state_flag = " --state " + plan.state_dir;
  return outcome;
}

ExitCode report_copy(Session& session, const plan::CopyPlan& plan, const CopyEnd& end) {
  session.display().stop();
  // What needs a person is another job's numbers as a rule: they would only distract.
  const bool tell_so_far = !end.result && end.so_far && end.result.error().kind != ErrorKind::needs_person;
  const jobs::CopySummary* summary = end.result ? &*end.result : tell_so_far ? &*end.so_far : nullptr;
  if (summary != nullptr) {
    if (auto checked = console::check_counts(summary->counts); !checked)
      return session.failed(checked.error());
    const console::Outcome outcome = outcome_of(plan, end, *summary);
    session.result(console::summary_text(outcome), console::summary_event(session.clock().wall(), outcome));
    if (end.result) return outcome.exit;
  }
  return session.failed(end.result.error(), end.left);
}

}  // namespace messina::cli
