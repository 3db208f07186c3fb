#include "cli/verify_job.h"

#include <fstream>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cli/copy_job.h"
#include "cli/follow_run.h"
#include "cli/lanes.h"
#include "cli/load_plan.h"
#include "cli/migrate_job.h"
#include "cli/migrations.h"
#include "cli/watch.h"
#include "item/item_json.h"
#include "jobs/migrate.h"
#include "plan/text.h"
#include "state/disk_spool.h"
#include "state/verify_ledger_store.h"

namespace messina::cli {
namespace {

/// Between two looks at what another process does.
constexpr auto kLook = std::chrono::milliseconds(250);

using Ended = Result<void>;

/// What a ledger says against verifying without whoever applies the changes.
Result<void> may_verify_alone(state::Ledger& ledger, const Flags& flags) {
  const auto job = ledger.load();
  if (!job) return fail(job.error());
  if (!*job || flags.verify.as_it_is) return {};
  if ((*job)->live.capture_epoch > 0)
    return fail(ErrorKind::config,
                "a live migration keeps this target, and does not run: what was not applied yet would look "
                "wrong. Run `messina migrate --verify`, or `migrate` and this beside it; --as-it-is compares "
                "all the same");
  if ((*job)->phase == state::JobPhase::copying)
    return fail(ErrorKind::config,
                "history is not all copied: finish `messina copy` first; --as-it-is compares all the same");
  return {};
}

/// Later commands find the migration by its folder; a migration's own plan stays.
Result<void> remember_where(const std::filesystem::path& folder, const plan::CopyPlan& plan) {
  if (remembered_plan(folder)) return {};
  return remember_plan(folder, plan);
}

jobs::VerifyOptions verify_options(const plan::CopyPlan& plan, const jobs::VerifyWish& wish,
                                   std::size_t loops) {
  const jobs::CopyOptions copy = copy_options(plan, loops);
  jobs::VerifyOptions options;
  options.transform = plan.transform;
  options.scope = wish.scope;
  options.keys = wish.keys;
  options.restart = wish.restart;
  options.read = copy.read;
  options.units_per_lane = copy.units_per_lane;
  options.memory_bytes = copy.memory_bytes;
  return options;
}

Ended verify_alone(Session& session, const plan::CopyPlan& plan, const Flags& flags,
                   const jobs::VerifyWish& wish, OpenedState& opened) {
  if (auto may = may_verify_alone(*opened.ledger, flags); !may) return may;
  if (auto kept = remember_where(opened.folder, plan); !kept) return kept;
  auto watch = Watch::open(session, opened.folder, plan, flags);
  if (!watch) return fail(watch.error());
  const std::size_t loops = loop_count(plan.loops);
  auto lanes = Lanes::open(plan, loops, &session.stop());
  if (!lanes) return fail(lanes.error());
  state::VerifyLedgerStore store(opened.folder);
  jobs::Progress preparing;
  preparing.job = "verify";
  preparing.table = plan.source.table;
  preparing.phase = "preparing";
  session.board().publish(preparing);
  session.display().start();
  Loop& loop = (*lanes)->first_loop();
  const auto source =
      net::run_on(loop, check_contact(loop, (*lanes)->first(), plan.transform, &session.stop()));
  if (!source) return fail(source.error());
  if (const auto cost = console::verify_cost_text(source->item_count, source->size_bytes, wish.scope))
    session.notice("info", *cost);
  jobs::VerifyContext context;
  context.lanes = &(*lanes)->lanes();
  context.store = &store;
  context.stop = &session.stop();
  context.steering = &(*watch)->steering();
  context.board = &session.board();
  context.random = Random(entropy_seed());
  jobs::Verify verify(std::move(context), verify_options(plan, wish, loops));
  const auto figures = net::run_on(loop, verify.run());
  if (!figures) return fail(figures.error());
  return {};
}

/// A repair without a migration that runs: an applier alone, for the marks.
Ended repair_alone(Session& session, const plan::CopyPlan& plan, const Flags& flags,
                   const jobs::VerifyWish& wish, OpenedState& opened) {
  if (auto may = may_verify_alone(*opened.ledger, flags); !may) return may;
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
  state::VerifyLedgerStore verify_store(opened.folder);
  session.display().start();
  jobs::MigrateOptions options =
      migrate_options(plan, {}, loops, {.capture = false, .copy = false, .apply = true});
  options.copy.into_existing = true;
  options.verify_and_end = wish;
  jobs::MigrateContext context;
  context.lanes = &(*lanes)->lanes();
  context.store = &store;
  context.spool = &spool;
  context.verify_store = &verify_store;
  context.board = &session.board();
  context.stop = &session.stop();
  context.steering = &(*watch)->steering();
  context.random = random.fork();
  const auto done = net::run_on((*lanes)->first_loop(), jobs::migrate(context, options));
  if (!done) return fail(done.error());
  if (!done->ended_by_itself)
    return fail(ErrorKind::stopped, "stopped before all that was found was repaired");
  return {};
}

console::ControlRequest request_for(const jobs::VerifyWish& wish, const Flags& flags) {
  console::ControlRequest request;
  request.verb = console::ControlRequest::Verb::verify;
  request.verify = wish;
  request.verify.keys.clear();
  request.verify.read_rcu_per_s = flags.draft.read_rcu_per_s;
  if (!flags.verify.keys_file.empty())
    request.keys_file = std::filesystem::absolute(flags.verify.keys_file).string();
  return request;
}

/// Asks the process that has the state, and follows it to the end.
VerifyEnd ask_holder(Session& session, const std::filesystem::path& folder,
                     const console::MigrationStatus& status, const console::ControlRequest& request) {
  VerifyEnd end{.result = {}, .folder = folder};
  const std::string who = name_of_holder(status);
  auto answer = ask_running(folder, status, request);
  if (answer && !answer->verify)
    answer = fail(ErrorKind::usage, "it does not follow changes, and verifies nothing: wait for its end");
  if (!answer) {
    end.result = fail(ErrorKind::needs_person,
                      fmt::format("{} (since {}) runs this migration; asked to do this, it says: {}", who,
                                  status.holder_since, answer.error().message));
    return end;
  }
  const std::uint64_t wish = answer->verify->asked;
  session.only_looks_on();
  session.notice("info", fmt::format("{} does this now: it is followed here; Ctrl-C leaves it at work, and "
                                     "`messina verify --cancel` ends it",
                                     who));
  session.display().start();
  while (answer && answer->verify && answer->verify->done < wish) {
    session.board().publish(answer->snapshot);
    pause_for(session.stop(), kLook);
    end.left_running = session.stop().requested();
    if (end.left_running) return end;
    answer = ask_running(folder, status, {});
  }
  if (!answer || !answer->verify)
    end.result = fail(ErrorKind::stopped,
                      fmt::format("{} has ended, or gives no answer: run the same command again", who));
  else if (answer->verify->error)
    end.result = fail(*answer->verify->error);
  return end;
}

}  // namespace

Result<std::vector<std::string>> read_keys(const std::string& file) {
  std::ifstream in(file);
  std::vector<std::string> keys;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (const auto item = item::parse_item(line); !item)
      return fail(ErrorKind::config,
                  fmt::format("--keys: {}, line {}: {}", plan::shown(file), number, item.error().message));
    keys.push_back(std::move(line));
  }
  if (number == 0)
    return fail(ErrorKind::config, fmt::format("--keys: {} cannot be read, or is empty", plan::shown(file)));
  return keys;
}

Result<console::VerifyOutcome> kept_verification(const std::filesystem::path& folder,
                                                 const plan::CopyPlan& plan) {
  auto ledger = state::VerifyLedger::open(folder, {.access = state::Access::read_only});
  if (!ledger) return fail(ledger.error());
  const auto state = (*ledger)->load();
  if (!state) return fail(state.error());
  if (!*state) return fail(ErrorKind::not_found, "nothing was verified here yet: `messina verify` does");
  auto figures = jobs::figures_of(**state);
  if (!figures) return fail(figures.error());
  auto groups = (*ledger)->groups();
  if (!groups) return fail(groups.error());
  console::VerifyOutcome outcome;
  outcome.source = migration_name(plan).source;
  outcome.target = migration_name(plan).target;
  outcome.figures = std::move(*figures);
  outcome.groups = std::move(*groups);
  if (plan.state_dir != plan::CopyPlan().state_dir) outcome.state_flag = " --state " + plan.state_dir;
  const jobs::VerifyFigures& found = outcome.figures;
  outcome.finished = found.record.phase == jobs::VerifyPhase::done;
  const bool all_well = found.differences() == 0 && found.notes_of(state::Verdict::unsettled) == 0 &&
                        found.notes_of(state::Verdict::rejected) == 0 && found.record.against.empty() &&
                        jobs::against_indexes(found.record).empty();
  outcome.exit = all_well ? ExitCode::done : ExitCode::done_with_rejects;
  return outcome;
}

VerifyEnd verify_table(Session& session, const plan::CopyPlan& plan, const Flags& flags,
                       const jobs::VerifyWish& wish) {
  const MonoTime began = session.clock().now();
  const state::MigrationName name = migration_name(plan);
  const std::filesystem::path folder = std::filesystem::path(plan.state_dir) / state::migration_folder(name);
  VerifyEnd end{.result = {}, .folder = folder};
  auto opened = open_state(plan.state_dir, name, session.clock());
  if (opened) {
    end.result = wish.repair ? repair_alone(session, plan, flags, wish, *opened)
                             : verify_alone(session, plan, flags, wish, *opened);
  } else {
    const auto status = read_status(folder);
    const bool held = opened.error().kind == ErrorKind::needs_person && status && status->running;
    if (held && runs_here(*status))
      end = ask_holder(session, folder, *status, request_for(wish, flags));
    else
      end.result = fail(opened.error());
  }
  session.display().stop();
  end.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(session.clock().now() - began);
  return end;
}

ExitCode cancel_verification(Session& session, const plan::CopyPlan& plan) {
  const auto folder = folder_of(plan);
  if (!folder) return session.failed(folder.error());
  const auto status = read_status(*folder);
  if (!status) return session.failed(status.error());
  if (!status->running) return session.failed(not_running(*status));
  console::ControlRequest request;
  request.verb = console::ControlRequest::Verb::cancel_verify;
  const auto answer = ask_running(*folder, *status, request);
  if (!answer) return session.failed(answer.error());
  session.notice("info",
                 fmt::format("{} verifies no more; asked again, it begins anew", name_of_holder(*status)));
  return ExitCode::done;
}

}  // namespace messina::cli
