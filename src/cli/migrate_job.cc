#include "cli/migrate_job.h"

#include "cli/copy_job.h"
#include "cli/load_plan.h"

namespace messina::cli {

jobs::MigrateOptions migrate_options(const plan::CopyPlan& plan, const LiveFlags& flags, std::size_t loops,
                                     const jobs::Roles& roles) {
  const plan::LivePlan& live = plan.live;
  jobs::MigrateOptions options;
  options.copy = copy_options(plan, loops);
  options.roles = roles;
  options.capture.enable = live.enable_stream;
  if (live.stream_retention)
    options.capture.retention = std::chrono::duration_cast<std::chrono::seconds>(*live.stream_retention);
  options.capture.carry_expired = !live.skip_expired;
  options.apply.transform = plan.transform;
  options.apply.clock_error = plan.clock_error;
  options.apply.dead_after = plan.dead_after;
  if (plan.write_concurrency) options.apply.write_concurrency = *plan.write_concurrency;
  options.until_in_step = flags.until_in_step;
  options.allowed_lag = live.allowed_lag;
  options.spool_max_bytes = live.spool_max_bytes.value_or(0);
  options.heal = flags.heal;
  options.delete_extra = flags.delete_extra;
  options.verify = flags.verify;
  return options;
}

Result<void> check_live(const plan::CopyPlan& plan) {
  if (!plan.eventually_consistent) return {};
  return fail(ErrorKind::usage,
              "--eventually-consistent: a live migration reads consistently, since a page that is older than "
              "a change would hide it. Leave it out, or copy without following");
}

ExitCode exit_of(const jobs::MigrateSummary& summary, bool until_in_step) {
  if (!summary.live.gaps.empty()) return ExitCode::needs_person;
  const bool copies = console::roles_of(summary.live).copy;
  if (!summary.ended_by_itself && (until_in_step || (copies && !summary.history_done)))
    return ExitCode::stopped;
  const bool differs = summary.verified && summary.verified->differences() > 0;
  return summary.live_rejects > 0 || differs ? ExitCode::done_with_rejects : ExitCode::done;
}

console::MigrateOutcome outcome_of(const plan::CopyPlan& plan, const jobs::MigrateSummary& summary,
                                   bool until_in_step) {
  console::MigrateOutcome outcome;
  outcome.source = migration_name(plan).source;
  outcome.target = migration_name(plan).target;
  outcome.exit = exit_of(summary, until_in_step);
  outcome.summary = summary;
  if (plan.state_dir != plan::CopyPlan().state_dir) outcome.state_flag = " --state " + plan.state_dir;
  return outcome;
}

}  // namespace messina::cli
