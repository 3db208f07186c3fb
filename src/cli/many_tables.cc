#include "cli/many_tables.h"

#include <algorithm>
#include <exception>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "cli/choose_tables.h"
#include "cli/copy_job.h"
#include "cli/load_plan.h"
#include "cli/migrations.h"
#include "cli/watch.h"
#include "console/health.h"
#include "console/json_line.h"
#include "console/summary.h"
#include "console/tables_text.h"
#include "plan/units.h"

namespace messina::cli {
namespace {

/// Tables that are prepared (state opened, tables described and made) beside those that copy, so that one is
/// ready whenever a turn is free. Small tables take longer to prepare than to copy.
constexpr std::size_t kPreparedAhead = 12;

using jobs::TableEnd;
using jobs::TableOutcome;

/// One run over many tables: threads that take one table after the other from start to end.
class ManyRuns {
 public:
  ManyRuns(Session& session, const plan::ManyTables& many, Sides& sides, TablesToRun tables,
           std::size_t loops)
      : session_(session),
        plans_(std::move(tables.plans)),
        places_(migration_name(many.common)),
        sides_(sides),
        loops_(loops),
        parallel_(many.choice.parallel),
        budgets_(limits_of(many.common, loops), session.clock().now()),
        runs_(std::move(tables.tables), many.choice.parallel, session.clock()) {}

  /// Serves --listen's pages from now on. Errors: config (the port cannot be had).
  Result<void> listen(const ListenAt& at, std::chrono::milliseconds stalled_after);

  /// `work` does one table and never throws away what it began.
  void run(TableOutcome (ManyRuns::*work)(std::size_t)) {
    session_.display().watch_tables([this] { return progress(); });
    session_.display().start();
    std::vector<std::thread> threads;
    const std::size_t count = tables_at_once(plans_.size(), static_cast<std::uint32_t>(parallel_));
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([this, work] { serve(work); });
    for (std::thread& thread : threads) thread.join();
    session_.display().stop();
  }

  TableOutcome copy_table(std::size_t index);
  TableOutcome make_table(std::size_t index);
  std::vector<TableOutcome> outcomes() const { return runs_.outcomes(); }

 private:
  static jobs::SharedBudgets::Limits limits_of(const plan::CopyPlan& plan, std::size_t loops) {
    const jobs::CopyOptions options = copy_options(plan, loops);
    jobs::SharedBudgets::Limits limits;
    limits.memory_bytes = plan.memory_bytes;
    limits.write_concurrency = plan.write_concurrency.value_or(options.write_bounds.most);
    if (plan.read_rcu_per_s && *plan.read_rcu_per_s != plan::kUnlimited)
      limits.read_rcu_per_s = plan.read_rcu_per_s;
    return limits;
  }

  void serve(TableOutcome (ManyRuns::*work)(std::size_t)) {
    while (!session_.stop().requested()) {
      const auto index = runs_.next();
      if (!index) return;
      TableOutcome outcome;
      try {
        outcome = (this->*work)(*index);
      } catch (const std::exception& error) {
        outcome = failed({ErrorKind::internal, error.what()});
      }
      outcome.source = plans_[*index].source.table;
      outcome.target = plans_[*index].target.table;
      say_failure(outcome);
      runs_.end(*index, std::move(outcome));
    }
  }

  jobs::TablesProgress progress() {
    jobs::TablesProgress progress = runs_.progress();
    progress.read_budget_rcu_per_s = budgets_.reads.rate();
    progress.write_concurrency = static_cast<std::uint64_t>(budgets_.writes.capacity());
    return progress;
  }

  /// What the socket of table `index` is asked.
  console::ControlAnswer obey(std::size_t index, const console::ControlRequest& request,
                              const std::string& by);
  TableOutcome copy_in(std::size_t index, OpenedState& opened);

  static TableOutcome failed(const Error& error) {
    TableOutcome outcome;
    outcome.end = error.kind == ErrorKind::stopped ? TableEnd::stopped : TableEnd::failed;
    outcome.error = error;
    return outcome;
  }

  /// At once, since the end of the others may be hours away.
  void say_failure(const TableOutcome& outcome) {
    if (outcome.end != TableEnd::failed) return;
    Error error = *outcome.error;
    error.message = fmt::format("{}: {}", outcome.source, error.message);
    const std::string text = session_.json()
                                 ? console::error_event(session_.clock().wall(), error, outcome.exit()) + "\n"
                                 : "messina: " + error.message + "\n";
    session_.display().say(text);
  }

  void say_schema(const jobs::SchemaReport& report) {
    if (session_.json()) {
      session_.display().result(console::schema_event(session_.clock().wall(), report) + "\n");
      return;
    }
    std::string text;
    for (const jobs::SchemaNote& note : report.notes)
      text += fmt::format("{}: note: {}\n", report.source.name.value, note.text);
    if (!text.empty()) session_.display().say(text);
  }

  Session& session_;
  const std::vector<plan::CopyPlan> plans_;
  const state::MigrationName places_;  ///< without tables
  Sides& sides_;
  const std::size_t loops_;
  const std::size_t parallel_;
  jobs::SharedBudgets budgets_;
  jobs::TableRuns runs_;
  net::EventLoop watch_loop_{"watch"};
  std::unique_ptr<net::HttpServer> pages_;
};

Result<void> ManyRuns::listen(const ListenAt& at, std::chrono::milliseconds stalled_after) {
  const console::PageContext context{{places_.source, places_.target, ""}, MESSINA_VERSION, stalled_after};
  auto pages = serve_pages(
      session_, watch_loop_, at, [this, context](std::string_view method, std::string_view target) {
        return console::http_page(method, target, progress(), context, session_.clock().wall());
      });
  if (!pages) return fail(pages.error());
  pages_ = std::move(*pages);
  return {};
}

console::ControlAnswer ManyRuns::obey(std::size_t index, const console::ControlRequest& request,
                                      const std::string& by) {
  const jobs::Hand hand{by, session_.clock().wall(), request.all_tables};
  const auto change = [&](jobs::Steering& steering) { console::apply(request, steering, hand); };
  if (request.all_tables) {
    console::apply(request, budgets_, session_.clock().now());
    runs_.steer_all(change);
  } else {
    change(runs_.steering(index));
  }
  return {runs_.snapshot(index), console::run_of(progress(), request.all_tables)};
}

TableOutcome ManyRuns::copy_table(std::size_t index) {
  const plan::CopyPlan& plan = plans_[index];
  if (auto checked = plan::check_plan(plan); !checked) return failed(checked.error());
  const state::MigrationName name = migration_name(plan);
  const std::filesystem::path folder = std::filesystem::path(plan.state_dir) / state::migration_folder(name);
  std::error_code ignored;
  const bool was_there = std::filesystem::exists(folder / "ledger.db", ignored);
  auto opened = open_migration(plan.state_dir, name, session_.clock());
  if (opened) remember_end(folder, std::nullopt);
  TableOutcome outcome = opened ? copy_in(index, *opened) : failed(opened.error());
  if (!outcome.error) return outcome;
  outcome.left = left_in(folder, was_there);
  if (opened)
    remember_end(folder, console::LastEnd{outcome.exit(), outcome.error->message,
                                          console::iso_time(session_.clock().wall())});
  return outcome;
}

TableOutcome ManyRuns::copy_in(std::size_t index, OpenedState& opened) {
  const plan::CopyPlan& plan = plans_[index];
  if (auto kept = remember_plan(opened.folder, plan); !kept) return failed(kept.error());
  const auto former = opened.ledger->load();
  if (!former) return failed(former.error());
  const jobs::CopySummary before = *former ? summary_of(**former) : jobs::CopySummary();
  const bool unclean = *former && (*former)->heartbeat_unix_ms.has_value();

  jobs::ProgressBoard& board = runs_.begin(index, before.counts);
  jobs::Progress preparing;
  preparing.table = plan.source.table;
  preparing.phase = "preparing";
  preparing.counts = before.counts;
  board.publish(preparing);
  const auto socket =
      serve_control(session_, watch_loop_, opened.folder, plan.source.table,
                    [this, index](const console::ControlRequest& request, const std::string& by) {
                      return obey(index, request, by);
                    });

  TableLanes lanes = sides_.table(plan.source.table, plan.target.table, index);
  Loop& loop = *lanes.first().loop;
  state::LedgerStore store(std::move(opened.ledger), session_.clock());
  const auto report = net::run_on(loop, prepare_copy(&loop, &lanes.first(), &plan, &store, &session_.stop()));
  if (!report) return failed(report.error());
  if (*report) say_schema(**report);

  preparing.phase = "queued";
  board.publish(preparing);
  const jobs::TableRuns::Turn turn = runs_.take_turn(unclean);
  preparing.phase = "preparing";
  board.publish(preparing);
  if (session_.stop().requested()) return failed({ErrorKind::stopped, "stopped before its turn came"});
  jobs::CopyContext context;
  context.lanes = &lanes.lanes();
  context.store = &store;
  context.board = &board;
  context.stop = &session_.stop();
  context.steering = &runs_.steering(index);
  context.shared = &budgets_;
  context.cpu_time = [this] { return sides_.cpu_time(); };
  context.random = Random(entropy_seed());
  const jobs::CopyOptions options = copy_options(plan, loops_);
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

struct Watching {
  std::optional<ListenAt> listen;
  std::chrono::milliseconds stalled_after = console::kStalledAfter;
};

ExitCode run_many(Session& session, const plan::ManyTables& many, std::size_t loops, const std::string& job,
                  const Watching& watching, TableOutcome (ManyRuns::*work)(std::size_t)) {
  const auto started = session.clock().now();
  const auto begun = begun_migrations(many.common.state_dir);
  const Left left = job != "copy" ? Left::nothing : begun && !begun->empty() ? Left::place : Left::no_place;
  auto sides = Sides::open(many.common, loops, &session.stop());
  if (!sides) return session.failed(sides.error(), left);
  auto tables = choose(session, many, **sides);
  if (!tables) return session.failed(tables.error(), left);
  ManyRuns runs(session, many, **sides, *std::move(tables), loops);
  if (watching.listen)
    if (auto listening = runs.listen(*watching.listen, watching.stalled_after); !listening)
      return session.failed(listening.error());
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

ExitCode copy_many(Session& session, const plan::ManyTables& many, const Flags& flags) {
  Watching watching;
  watching.stalled_after = flags.stalled_after.value_or(console::kStalledAfter);
  if (flags.listen) {
    const auto at = parse_listen(*flags.listen, flags.listen_anyone);
    if (!at) return session.failed(at.error());
    watching.listen = *at;
  }
  // Once for all of them: it writes the directory's README.
  if (auto made = state::prepare_state_dir(many.common.state_dir); !made)
    return session.failed(made.error(), Left::no_place);
  return run_many(session, many, loop_count(many.common.loops), "copy", watching, &ManyRuns::copy_table);
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
