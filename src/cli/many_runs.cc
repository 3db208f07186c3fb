#include "cli/many_runs.h"

#include <algorithm>
#include <exception>
#include <thread>

#include <fmt/format.h>

#include "cli/load_plan.h"
#include "cli/many_tables.h"
#include "cli/migrations.h"
#include "console/health.h"
#include "console/json_line.h"
#include "console/summary.h"
#include "plan/units.h"

namespace messina::cli {

using jobs::TableEnd;
using jobs::TableOutcome;

namespace {

jobs::SharedBudgets::Limits limits_of(const plan::CopyPlan& plan, std::size_t loops) {
  const jobs::CopyOptions options = copy_options(plan, loops);
  jobs::SharedBudgets::Limits limits;
  limits.memory_bytes = plan.memory_bytes;
  limits.write_concurrency = plan.write_concurrency.value_or(options.write_bounds.most);
  if (plan.read_rcu_per_s && *plan.read_rcu_per_s != plan::kUnlimited)
    limits.read_rcu_per_s = plan.read_rcu_per_s;
  return limits;
}

}  // namespace

ManyRuns::ManyRuns(Session& session, const plan::ManyTables& many, Sides& sides, TablesToRun tables,
                   std::size_t loops)
    : session_(session),
      plans_(std::move(tables.plans)),
      places_(migration_name(many.common)),
      sides_(sides),
      loops_(loops),
      parallel_(many.choice.parallel),
      budgets_(limits_of(many.common, loops), session.clock().now()),
      runs_(std::move(tables.tables), many.choice.parallel, session.clock()) {}

void ManyRuns::run(Work work) {
  session_.display().watch_tables([this] { return progress(); });
  session_.display().start();
  std::vector<std::thread> threads;
  // A live table never ends, so each has a thread, which only waits for it.
  const std::size_t count =
      live_ ? plans_.size() : tables_at_once(plans_.size(), static_cast<std::uint32_t>(parallel_));
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back([this, work] { serve(work); });
  for (std::thread& thread : threads) thread.join();
  session_.display().stop();
}

void ManyRuns::serve(Work work) {
  while (!session_.stop().requested()) {
    const auto index = runs_.next();
    if (!index) return;
    TableOutcome outcome;
    try {
      outcome = (this->*work)(*index);
    } catch (const std::exception& error) {
      outcome = failed({ErrorKind::internal, error.what()});
    }
    if (live_) live_->together.left(*index);
    outcome.source = plans_[*index].source.table;
    outcome.target = plans_[*index].target.table;
    say_failure(outcome);
    runs_.end(*index, std::move(outcome));
  }
}

jobs::TablesProgress ManyRuns::progress() {
  jobs::TablesProgress progress = runs_.progress();
  progress.read_budget_rcu_per_s = budgets_.reads.rate();
  progress.write_concurrency = static_cast<std::uint64_t>(budgets_.writes.capacity());
  return progress;
}

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

Result<console::ControlAnswer> ManyRuns::obey(std::size_t index, const console::ControlRequest& request,
                                              const std::string& by) {
  const jobs::Hand hand{by, session_.clock().wall(), request.all_tables};
  console::ControlAnswer answer;
  if (request.verb == console::ControlRequest::Verb::join) {
    // A run that only copies can be given nothing to do.
    console::Joinable* const joinable = live_ ? &live_->joinables[index] : nullptr;
    const auto wish = console::join(request, runs_.steering(index), runs_.snapshot(index), joinable, hand);
    if (!wish) return fail(wish.error());
    answer.snapshot = runs_.snapshot(index);
    answer.run = console::run_of(progress(), false);
    answer.wish = *wish;
    return answer;
  }
  const auto change = [&](jobs::Steering& steering) { console::apply(request, steering, hand); };
  if (request.all_tables) {
    console::apply(request, budgets_, session_.clock().now());
    runs_.steer_all(change);
  } else {
    change(runs_.steering(index));
  }
  answer.snapshot = runs_.snapshot(index);
  answer.run = console::run_of(progress(), request.all_tables);
  if (live_) {
    jobs::RejectRetries& retries = live_->retries[index];
    if (request.verb == console::ControlRequest::Verb::retry_rejects) retries.ask();
    answer.retry = retries.answer();
    auto verify = ask_desk(live_->verify_desks[index], request);
    if (!verify) return fail(verify.error());
    answer.verify = std::move(*verify);
  }
  return answer;
}

TableOutcome ManyRuns::in_state(std::size_t index,
                                TableOutcome (ManyRuns::*work)(std::size_t, OpenedState&)) {
  const plan::CopyPlan& plan = plans_[index];
  if (auto checked = plan::check_plan(plan); !checked) return failed(checked.error());
  const state::MigrationName name = migration_name(plan);
  const std::filesystem::path folder = std::filesystem::path(plan.state_dir) / state::migration_folder(name);
  std::error_code ignored;
  const bool was_there = std::filesystem::exists(folder / "ledger.db", ignored);
  auto opened = open_migration(plan.state_dir, name, session_.clock());
  if (opened) remember_end(folder, std::nullopt);
  TableOutcome outcome = opened ? (this->*work)(index, *opened) : failed(opened.error());
  if (!outcome.error) return outcome;
  outcome.left = left_in(folder, was_there);
  if (opened)
    remember_end(folder, console::LastEnd{outcome.exit(), outcome.error->message,
                                          console::iso_time(session_.clock().wall())});
  return outcome;
}

Result<ManyRuns::Begun> ManyRuns::begin(std::size_t index, const OpenedState& opened, const char* job) {
  const plan::CopyPlan& plan = plans_[index];
  if (auto kept = remember_plan(opened.folder, plan); !kept) return fail(kept.error());
  const auto former = opened.ledger->load();
  if (!former) return fail(former.error());
  const jobs::CopySummary before = *former ? summary_of(**former) : jobs::CopySummary();
  Begun begun;
  begun.unclean = *former && (*former)->heartbeat_unix_ms.has_value();
  begun.board = &runs_.begin(index, before.counts);
  begun.preparing.job = job;
  begun.preparing.table = plan.source.table;
  begun.preparing.counts = before.counts;
  begun.publish("preparing");
  begun.socket = serve_control(session_, watch_loop_, opened.folder, plan.source.table,
                               [this, index](const console::ControlRequest& request, const std::string& by) {
                                 return obey(index, request, by);
                               });
  return begun;
}

TableOutcome ManyRuns::failed(const Error& error) {
  TableOutcome outcome;
  outcome.end = error.kind == ErrorKind::stopped ? TableEnd::stopped : TableEnd::failed;
  outcome.error = error;
  return outcome;
}

void ManyRuns::say_failure(const TableOutcome& outcome) {
  if (outcome.end != TableEnd::failed) return;
  Error error = *outcome.error;
  error.message = fmt::format("{}: {}", outcome.source, error.message);
  const std::string text = session_.json()
                               ? console::error_event(session_.clock().wall(), error, outcome.exit()) + "\n"
                               : "messina: " + error.message + "\n";
  session_.display().say(text);
}

void ManyRuns::say_schema(const jobs::SchemaReport& report) {
  if (session_.json()) {
    session_.display().result(console::schema_event(session_.clock().wall(), report) + "\n");
    return;
  }
  std::string text;
  for (const jobs::SchemaNote& note : report.notes)
    text += fmt::format("{}: note: {}\n", report.source.name.value, note.text);
  if (!text.empty()) session_.display().say(text);
}

}  // namespace messina::cli
