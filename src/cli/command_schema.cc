#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/copy_job.h"
#include "cli/load_plan.h"
#include "cli/many_tables.h"
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

ExitCode print_table(Session& session, const plan::CopyPlan& plan) {
  auto lanes = Lanes::open(plan, 1, &session.stop());
  if (!lanes) return session.failed(lanes.error());
  const auto table = net::run_on((*lanes)->first_loop(), table_to_make(&session, &plan, lanes->get()));
  if (!table) return session.failed(table.error());
  session.display().result(*table + "\n");
  return ExitCode::done;
}

ExitCode make_table(Session& session, const plan::CopyPlan& plan) {
  auto lanes = Lanes::open(plan, 1, &session.stop());
  if (!lanes) return session.failed(lanes.error());
  Loop& loop = (*lanes)->first_loop();
  const auto report = net::run_on(loop, make_target(&loop, &(*lanes)->first(), &plan, &session.stop()));
  if (!report) return session.failed(report.error());
  std::string text = console::schema_text(*report);
  if (!report->created)
    text +=
        fmt::format("table \"{}\" is there on the target already; nothing was changed\n", plan.target.table);
  session.result(text, console::schema_event(session.clock().wall(), *report));
  return ExitCode::done;
}

}  // namespace

ExitCode run_schema(Session& session, Flags& flags) {
  auto loaded = load_plans(session, flags, flags.print_table ? Writes::no : Writes::yes);
  if (!loaded) return session.failed(loaded.error());
  if (auto* many = std::get_if<plan::ManyTables>(&*loaded)) {
    if (!flags.print_table) return make_many(session, *many);
    many->common.allow_write_aws = true;  // nothing is written
    return for_each_table(session, *many,
                          [&](const plan::CopyPlan& plan) { return print_table(session, plan); });
  }
  const auto& plan = std::get<plan::CopyPlan>(*loaded);
  return flags.print_table ? print_table(session, plan) : make_table(session, plan);
}

}  // namespace messina::cli
