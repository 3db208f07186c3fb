#include "cli/commands.h"
#include "cli/copy_job.h"
#include "cli/join_run.h"
#include "cli/load_plan.h"
#include "cli/many_tables.h"
#include "cli/migrate_job.h"
#include "cli/migrations.h"
#include "cli/watch.h"
#include "console/events.h"
#include "console/json_line.h"
#include "console/summary.h"
#include "jobs/migrate.h"
#include "state/disk_spool.h"
#include "state/verify_ledger_store.h"

namespace messina::cli {
namespace {

using MigrateEnd = Result<jobs::MigrateSummary>;

MigrateEnd migrate_in(Session& session, const plan::CopyPlan& plan, const Flags& flags,
                      const jobs::Roles& roles, OpenedState& opened) {
  if (auto kept = remember_plan(opened.folder, plan); !kept) return fail(kept.error());
  auto watch = Watch::open(session, opened.folder, plan, flags,
                           console::Joinable{.skips_expired = plan.live.skip_expired});
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
  state::VerifyLedgerStore verify_store(opened.folder);

  jobs::Progress preparing;
  preparing.job = jobs::job_name(roles);
  preparing.table = plan.source.table;
  preparing.phase = "preparing";
  session.board().publish(preparing);
  session.display().start();
  Loop& loop = (*lanes)->first_loop();
  jobs::MigrateOptions options = migrate_options(plan, flags.live, loops, roles);
  const auto prepared =
      net::run_on(loop, prepare_copy(&loop, &(*lanes)->first(), &plan, &store, &session.stop(),
                                     roles.capture ? &options.capture : nullptr));
  if (!prepared) return fail(prepared.error());
  if (prepared->report) say_schema(session, *prepared->report);
  options.copy.reserved = prepared->reserved;

  jobs::MigrateContext context;
  context.lanes = &(*lanes)->lanes();
  context.store = &store;
  context.spool = &spool;
  context.board = &session.board();
  context.stop = &session.stop();
  context.steering = &(*watch)->steering();
  context.retries = &(*watch)->retries();
  context.verify_store = &verify_store;
  context.verify_desk = &(*watch)->verify_desk();
  context.random = random.fork();
  return net::run_on(loop, jobs::migrate(context, options));
}

ExitCode report_migrate(Session& session, const plan::CopyPlan& plan, const Flags& flags,
                        const jobs::MigrateSummary& summary) {
  const console::MigrateOutcome outcome = outcome_of(plan, summary, flags.live.until_in_step);
  session.result(console::migrate_summary_text(outcome),
                 console::migrate_summary_event(session.clock().wall(), outcome));
  return outcome.exit;
}

ExitCode run_roles(Session& session, Flags& flags, const jobs::Roles& roles) {
  const auto loaded = load_plans(session, flags, Writes::yes);
  if (!loaded) return session.failed(loaded.error());
  if (const auto* many = std::get_if<plan::ManyTables>(&*loaded))
    return migrate_many(session, *many, flags, roles);
  const auto* plan = &std::get<plan::CopyPlan>(*loaded);
  if (auto checked = check_live(*plan); !checked) return session.failed(checked.error());
  if (flags.listen)
    if (const auto at = parse_listen(*flags.listen, flags.listen_anyone); !at)
      return session.failed(at.error());
  const state::MigrationName name = migration_name(*plan);
  auto opened = open_state(plan->state_dir, name, session.clock());
  if (!opened) {
    if (const auto joined = join_holder(session, *plan, flags, roles, opened.error())) return *joined;
    return session.failed(opened.error(), Left::no_place);
  }
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
