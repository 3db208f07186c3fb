#include "cli/commands.h"
#include "cli/copy_job.h"
#include "cli/load_plan.h"
#include "cli/migrations.h"
#include "cli/watch.h"
#include "console/events.h"
#include "console/json_line.h"
#include "console/summary.h"
#include "jobs/migrate.h"
#include "state/disk_spool.h"

namespace messina::cli {
namespace {

jobs::MigrateOptions migrate_options(const plan::CopyPlan& plan, const Flags& flags, std::size_t loops,
                                     const jobs::Roles& roles) {
  const LiveFlags& live = flags.live;
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
  if (options.copy.read.kind == pace::Wish::Kind::fixed)
    options.apply.read_rcu_per_s = options.copy.read.value;
  options.until_in_step = live.until_in_step;
  if (live.allowed_lag) options.allowed_lag = *live.allowed_lag;
  options.spool_max_bytes = live.spool_max_bytes.value_or(0);
  options.heal = live.heal;
  options.delete_extra = live.delete_extra;
  return options;
}

using MigrateEnd = Result<jobs::MigrateSummary>;

MigrateEnd migrate_in(Session& session, const plan::CopyPlan& plan, const Flags& flags,
                      const jobs::Roles& roles, OpenedState& opened) {
  if (auto kept = remember_plan(opened.folder, plan); !kept) return fail(kept.error());
  auto watch = Watch::open(session, opened.folder, plan, flags);
  if (!watch) return fail(watch.error());
  const std::size_t loops = loop_count(plan.loops);
  auto lanes = Lanes::open(plan, loops, &session.stop());
  if (!lanes) return fail(lanes.error());
  Random random(entropy_seed());
  auto spool_files =
      state::Spool::open(opened.folder / "spool", state::SpoolOptions(), session.clock(), random);
  if (!spool_files) return fail(spool_files.error());
  state::LedgerStore store(std::move(opened.ledger), session.clock());
  state::DiskSpool spool(std::move(*spool_files), session.clock());

  jobs::Progress preparing;
  preparing.job = "migrate";
  preparing.table = plan.source.table;
  preparing.phase = "preparing";
  session.board().publish(preparing);
  session.display().start();
  Loop& loop = (*lanes)->first_loop();
  const auto report =
      net::run_on(loop, prepare_copy(&loop, &(*lanes)->first(), &plan, &store, &session.stop()));
  if (!report) return fail(report.error());
  if (*report) say_schema(session, **report);

  jobs::MigrateContext context;
  context.lanes = &(*lanes)->lanes();
  context.store = &store;
  context.spool = &spool;
  context.board = &session.board();
  context.stop = &session.stop();
  context.steering = &(*watch)->steering();
  context.random = random.fork();
  const jobs::MigrateOptions options = migrate_options(plan, flags, loops, roles);
  return net::run_on(loop, jobs::migrate(context, options));
}

ExitCode exit_of(const jobs::MigrateSummary& summary, const LiveFlags& flags) {
  if (!summary.live.gaps.empty()) return ExitCode::needs_person;
  if (!summary.ended_by_itself && (flags.until_in_step || !summary.history_done)) return ExitCode::stopped;
  return summary.live_rejects > 0 ? ExitCode::done_with_rejects : ExitCode::done;
}

ExitCode report_migrate(Session& session, const plan::CopyPlan& plan, const Flags& flags,
                        const jobs::MigrateSummary& summary) {
  const ExitCode exit = exit_of(summary, flags.live);
  console::MigrateOutcome outcome;
  outcome.source = migration_name(plan).source;
  outcome.target = migration_name(plan).target;
  outcome.exit = exit;
  outcome.summary = summary;
  if (plan.state_dir != plan::CopyPlan().state_dir) outcome.state_flag = " --state " + plan.state_dir;
  session.result(console::migrate_summary_text(outcome),
                 console::migrate_summary_event(session.clock().wall(), outcome));
  return exit;
}

ExitCode run_roles(Session& session, Flags& flags, const jobs::Roles& roles) {
  const auto plan = load_plan(session, flags, Writes::yes);
  if (!plan) return session.failed(plan.error());
  if (plan->eventually_consistent) {
    return session.failed(
        Error{ErrorKind::usage,
              "--eventually-consistent: a live migration reads consistently, since a page that "
              "is older than a change would hide it. Leave it out, or copy without following"});
  }
  if (flags.listen)
    if (const auto at = parse_listen(*flags.listen, flags.listen_anyone); !at)
      return session.failed(at.error());
  const state::MigrationName name = migration_name(*plan);
  auto opened = open_state(plan->state_dir, name, session.clock());
  if (!opened) return session.failed(opened.error(), Left::no_place);
  const std::filesystem::path folder = opened->folder;
  remember_end(folder, std::nullopt);
  const MigrateEnd end = migrate_in(session, *plan, flags, roles, *opened);
  session.display().stop();
  if (!end) {
    const auto status = read_status(folder);
    const Left left = status && status->begun ? Left::place : Left::no_place;
    remember_end(folder, console::LastEnd{exit_of(end.error(), left), end.error().message,
                                          console::iso_time(session.clock().wall())});
    return session.failed(end.error(), left);
  }
  return report_migrate(session, *plan, flags, *end);
}

}  // namespace

ExitCode run_migrate(Session& session, Flags& flags) { return run_roles(session, flags, {}); }

ExitCode run_capture(Session& session, Flags& flags) {
  return run_roles(session, flags, {.capture = true, .copy = false, .apply = false});
}

ExitCode run_apply(Session& session, Flags& flags) {
  return run_roles(session, flags, {.capture = false, .copy = false, .apply = true});
}

}  // namespace messina::cli
