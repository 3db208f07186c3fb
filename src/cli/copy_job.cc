#include "cli/copy_job.h"

#include <fmt/format.h>

#include "cli/load_plan.h"
#include "console/summary.h"
#include "plan/plan_json.h"
#include "plan/text.h"

namespace messina::cli {

Result<OpenedState> open_state(const std::string& state_dir, const state::MigrationName& name,
                               const Clock& clock) {
  if (auto made = state::prepare_state_dir(state_dir); !made) return fail(made.error());
  std::filesystem::path folder = std::filesystem::path(state_dir) / state::migration_folder(name);
  auto lock = state::MigrationLock::acquire(folder, clock);
  if (!lock) return fail(lock.error());
  auto ledger = state::Ledger::open(folder, {});
  if (!ledger) return fail(ledger.error());
  return OpenedState{std::move(folder), std::move(*lock), std::move(*ledger)};
}

jobs::CopyOptions copy_options(const plan::CopyPlan& plan, std::size_t lanes) {
  static constexpr std::uint32_t kWritesPerLoop = 16;
  jobs::CopyOptions options;
  options.transform = plan.transform;
  options.segments = plan.segments;
  options.skip_segments = plan.skip_segments;
  options.into_existing = plan.into_existing;
  options.restart = plan.restart;
  options.read_rcu_per_s = plan.read_rcu_per_s;
  options.write_concurrency =
      plan.write_concurrency.value_or(kWritesPerLoop * static_cast<std::uint32_t>(lanes));
  options.memory_bytes = plan.memory_bytes;
  options.clock_error = plan.clock_error;
  options.dead_after = plan.dead_after;
  options.plan_fingerprint = plan::fingerprint(plan);
  return options;
}

jobs::SchemaOptions schema_options(const plan::CopyPlan& plan) {
  jobs::SchemaOptions options;
  options.create = plan.schema == plan::SchemaMode::create;
  options.target_is_alternator = plan.target.kind == plan::EndpointKind::alternator;
  options.write_isolation = plan.write_isolation;
  options.transform = plan.transform;
  return options;
}

ExitCode report_copy(Session& session, const plan::CopyPlan& plan, const Result<jobs::CopySummary>& summary) {
  session.display().stop();
  if (!summary) return session.failed(summary.error());
  if (auto checked = console::check_counts(summary->counts); !checked) return session.failed(checked.error());
  console::Outcome outcome;
  outcome.source = migration_name(plan).source;
  outcome.target = migration_name(plan).target;
  outcome.exit = summary->live_rejects > 0 ? ExitCode::done_with_rejects : ExitCode::done;
  outcome.summary = *summary;
  session.result(console::summary_text(outcome), console::summary_event(session.clock().wall(), outcome));
  return outcome.exit;
}

}  // namespace messina::cli
