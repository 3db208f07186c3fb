#include "cli/many_tables.h"

#include <algorithm>

#include "cli/machine.h"
#include "cli/many_runs.h"
#include "cli/migrate_job.h"
#include "cli/migrations.h"
#include "console/health.h"
#include "console/summary.h"
#include "console/tables_text.h"

namespace messina::cli {

using jobs::TableEnd;
using jobs::TableOutcome;

TableOutcome ManyRuns::copy_table(std::size_t index) { return in_state(index, &ManyRuns::copy_in); }

TableOutcome ManyRuns::copy_in(std::size_t index, OpenedState& opened) {
  const plan::CopyPlan& plan = plans_[index];
  auto begun = begin(index, opened, "copy");
  if (!begun) return failed(begun.error());

  TableLanes lanes = sides_.table(plan.source.table, plan.target.table, index);
  Loop& loop = *lanes.first().loop;
  state::LedgerStore store(std::move(opened.ledger), session_.clock());
  const auto prepared =
      net::run_on(loop, prepare_copy(&loop, &lanes.first(), &plan, &store, &session_.stop()));
  if (!prepared) return failed(prepared.error());
  if (prepared->report) say_schema(*prepared->report);

  begun->publish("queued");
  const jobs::TableRuns::Turn turn = runs_.take_turn(begun->unclean);
  begun->publish("preparing");
  if (session_.stop().requested()) return failed({ErrorKind::stopped, "stopped before its turn came"});
  jobs::CopyContext context;
  context.lanes = &lanes.lanes();
  context.store = &store;
  context.board = begun->board;
  context.stop = &session_.stop();
  context.steering = &runs_.steering(index);
  context.shared = &budgets_;
  context.cpu_time = [this] { return sides_.cpu_time(); };
  context.random = Random(entropy_seed());
  jobs::CopyOptions options = copy_options(plan, loops_);
  options.reserved = prepared->reserved;
  auto result = net::run_on(loop, jobs::copy(context, options));
  const CopyEnd end = ended(loop, store, std::move(result));

  TableOutcome outcome = end.result ? TableOutcome() : failed(end.result.error());
  const jobs::CopySummary* summary = end.result ? &*end.result : end.so_far ? &*end.so_far : nullptr;
  if (summary != nullptr) {
    if (auto checked = console::check_counts(summary->counts); !checked) return failed(checked.error());
    outcome.counts = summary->counts;
    outcome.live_rejects = summary->live_rejects;
    outcome.elapsed_s = static_cast<double>(summary->elapsed.count()) / 1000;
  }
  if (end.result) outcome.end = end.result->was_already_done ? TableEnd::already_done : TableEnd::done;
  if (summary != nullptr && session_.json())
    session_.display().result(
        console::summary_event(session_.clock().wall(), outcome_of(plan, end, *summary)) + "\n");
  return outcome;
}

TableOutcome ManyRuns::make_table(std::size_t index) {
  const plan::CopyPlan& plan = plans_[index];
  if (auto checked = plan::check_plan(plan); !checked) return failed(checked.error());
  TableLanes lanes = sides_.table(plan.source.table, plan.target.table, index);
  Loop& loop = *lanes.first().loop;
  const auto report = net::run_on(loop, make_target(&loop, &lanes.first(), &plan, &session_.stop()));
  if (!report) return failed(report.error());
  say_schema(*report);
  TableOutcome outcome;
  outcome.end = report->created ? TableEnd::made : TableEnd::was_there;
  return outcome;
}

namespace {

struct Watching {
  std::optional<ListenAt> listen;
  std::chrono::milliseconds stalled_after = console::kStalledAfter;
};

ExitCode run_many(Session& session, const plan::ManyTables& many, std::size_t loops, const std::string& job,
                  const Watching& watching, ManyRuns::Work work, const LiveFlags* live = nullptr,
                  const jobs::Roles& roles = {}) {
  const auto started = session.clock().now();
  const auto begun = begun_migrations(many.common.state_dir);
  const Left left = job == "schema" ? Left::nothing : begun && !begun->empty() ? Left::place : Left::no_place;
  auto sides = Sides::open(many.common, loops, &session.stop());
  if (!sides) return session.failed(sides.error(), left);
  auto tables = choose(session, many, **sides);
  if (!tables) return session.failed(tables.error(), left);
  ManyRuns runs(session, many, **sides, *std::move(tables), loops);
  if (watching.listen)
    if (auto listening = runs.listen(*watching.listen, watching.stalled_after); !listening)
      return session.failed(listening.error());
  if (live != nullptr) runs.go_live(*live, roles);
  runs.run(work);
  console::TablesOutcome outcome;
  outcome.job = job;
  outcome.tables = runs.outcomes();
  jobs::settle(outcome.tables);
  outcome.elapsed_s = std::chrono::duration<double>(session.clock().now() - started).count();
  if (many.common.state_dir != plan::CopyPlan().state_dir)
    outcome.state_flag = " --state " + many.common.state_dir;
  session.result(console::tables_text(outcome), console::tables_event(session.clock().wall(), outcome));
  return jobs::worst(outcome.tables);
}

}  // namespace

std::size_t tables_at_once(std::size_t tables, std::uint32_t parallel) {
  return std::min(tables, parallel + std::max<std::size_t>(kPreparedAhead, parallel));
}

namespace {

Result<Watching> watching_of(const Flags& flags) {
  Watching watching;
  watching.stalled_after = flags.stalled_after.value_or(console::kStalledAfter);
  if (flags.listen) {
    const auto at = parse_listen(*flags.listen, flags.listen_anyone);
    if (!at) return fail(at.error());
    watching.listen = *at;
  }
  return watching;
}

}  // namespace

ExitCode copy_many(Session& session, const plan::ManyTables& many, const Flags& flags) {
  const auto watching = watching_of(flags);
  if (!watching) return session.failed(watching.error());
  // Once for all of them: it writes the directory's README.
  if (auto made = state::prepare_state_dir(many.common.state_dir); !made)
    return session.failed(made.error(), Left::no_place);
  return run_many(session, many, loop_count(many.common.loops), "copy", *watching, &ManyRuns::copy_table);
}

ExitCode migrate_many(Session& session, const plan::ManyTables& many, const Flags& flags,
                      const jobs::Roles& roles) {
  if (auto checked = check_live(many.common); !checked) return session.failed(checked.error());
  const auto watching = watching_of(flags);
  if (!watching) return session.failed(watching.error());
  if (auto made = state::prepare_state_dir(many.common.state_dir); !made)
    return session.failed(made.error(), Left::no_place);
  raise_open_files();
  return run_many(session, many, loop_count(many.common.loops), "migrate", *watching,
                  &ManyRuns::migrate_table, &flags.live, roles);
}

ExitCode make_many(Session& session, const plan::ManyTables& many) {
  return run_many(session, many, 1, "schema", {}, &ManyRuns::make_table);
}

ExitCode for_each_table(Session& session, const plan::ManyTables& many,
                        const std::function<ExitCode(const plan::CopyPlan&)>& each) {
  std::vector<plan::CopyPlan> plans;
  {
    auto sides = Sides::open(many.common, 1, &session.stop());
    if (!sides) return session.failed(sides.error());
    auto tables = choose(session, many, **sides);
    if (!tables) return session.failed(tables.error());
    plans = std::move(tables->plans);
  }
  for (const plan::CopyPlan& plan : plans) {
    if (session.stop().requested())
      return session.failed({ErrorKind::stopped, "stopped before the last table: run it again"});
    if (auto checked = plan::check_plan(plan); !checked) return session.failed(checked.error());
    if (const ExitCode exit = each(plan); exit != ExitCode::done) return exit;
  }
  return ExitCode::done;
}

}  // namespace messina::cli
