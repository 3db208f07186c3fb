#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/copy_job.h"
#include "cli/load_plan.h"
#include "console/summary.h"
#include "endpoints/table_json.h"

namespace messina::cli {
namespace {

Task<Result<std::string>> table_to_make(Session* session, const plan::CopyPlan* plan, Lanes* lanes) {
  jobs::Lane& lane = lanes->first();
  const Result<endpoints::TableDescription> source =
      co_await first_contact(lanes->first_loop(), lane.source, &session->stop());
  if (!source) co_return fail(source.error());
  const endpoints::TableDescription wanted =
      jobs::wanted_table(*source, lane.target.table, schema_options(*plan));
  co_return endpoints::create_table_request(wanted);
}

Task<Result<jobs::SchemaReport>> make_table(Session* session, const plan::CopyPlan* plan, Lanes* lanes) {
  jobs::Lane& lane = lanes->first();
  Loop& loop = lanes->first_loop();
  const Result<void> contact = co_await check_contact(loop, lane, plan->transform, &session->stop());
  if (!contact) co_return fail(contact.error());
  const jobs::SchemaOptions options = schema_options(*plan);
  Result<jobs::SchemaReport> report =
      co_await jobs::prepare_schema(loop, lane.source, lane.target, options, &session->stop());
  co_return report;
}

}  // namespace

ExitCode run_schema(Session& session, Flags& flags) {
  const auto plan = load_plan(session, flags, flags.print_table ? Writes::no : Writes::yes);
  if (!plan) return session.failed(plan.error());
  auto lanes = Lanes::open(*plan, 1);
  if (!lanes) return session.failed(lanes.error());
  Loop& loop = (*lanes)->first_loop();
  if (flags.print_table) {
    const auto table = net::run_on(loop, table_to_make(&session, &*plan, lanes->get()));
    if (!table) return session.failed(table.error());
    session.display().result(*table + "\n");
    return ExitCode::done;
  }
  const auto report = net::run_on(loop, make_table(&session, &*plan, lanes->get()));
  if (!report) return session.failed(report.error());
  std::string text = console::schema_text(*report);
  if (!report->created)
    text +=
        fmt::format("table \"{}\" is there on the target already; nothing was changed\n", plan->target.table);
  session.result(text, console::schema_event(session.clock().wall(), *report));
  return ExitCode::done;
}

}  // namespace messina::cli
