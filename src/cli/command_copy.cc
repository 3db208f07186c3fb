#include <iostream>
#include <iterator>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/hash.h"
#include "cli/commands.h"
#include "cli/copy_job.h"
#include "cli/join_run.h"
#include "cli/load_plan.h"
#include "cli/many_tables.h"
#include "cli/migrations.h"
#include "cli/watch.h"
#include "console/json_line.h"
#include "console/summary.h"
#include "jobs/retry.h"
#include "plan/plan_json.h"
#include "plan/text.h"

namespace messina::cli {
namespace {

jobs::CopyContext copy_context(Session& session, Lanes& lanes, state::LedgerStore& store, Watch& watch) {
  jobs::CopyContext context;
  context.lanes = &lanes.lanes();
  context.store = &store;
  context.board = &session.board();
  context.stop = &session.stop();
  context.steering = &watch.steering();
  context.cpu_time = [&lanes] { return lanes.cpu_time(); };
  context.random = Random(entropy_seed());
  return context;
}

CopyEnd copy_in(Session& session, const plan::CopyPlan& plan, const Flags& flags, OpenedState& opened) {
  if (auto kept = remember_plan(opened.folder, plan); !kept) return {fail(kept.error()), {}};
  auto watch = Watch::open(session, opened.folder, plan, flags);
  if (!watch) return {fail(watch.error()), {}};
  const std::size_t loops = loop_count(plan.loops);
  auto lanes = Lanes::open(plan, loops, &session.stop());
  if (!lanes) return {fail(lanes.error()), {}};
  state::LedgerStore store(std::move(opened.ledger), session.clock());
  jobs::Progress preparing;
  preparing.table = plan.source.table;
  preparing.phase = "preparing";
  session.board().publish(preparing);
  session.display().start();
  Loop& loop = (*lanes)->first_loop();
  const auto prepared =
      net::run_on(loop, prepare_copy(&loop, &(*lanes)->first(), &plan, &store, &session.stop()));
  if (!prepared) return {fail(prepared.error()), {}};
  if (prepared->report) say_schema(session, *prepared->report);
  jobs::CopyContext context = copy_context(session, **lanes, store, **watch);
  jobs::CopyOptions options = copy_options(plan, loops);
  options.reserved = prepared->reserved;
  auto result = net::run_on(loop, jobs::copy(context, options));
  return ended(loop, store, std::move(result));
}

/// Migrator's plans may ask to follow the changes, which this command would not do.
Result<void> check_not_live(const plan::CopyPlan& plan) {
  if (!plan.live.stream_changes) return {};
  return fail(ErrorKind::usage,
              "the plan asks to follow changes (\"target.streamChanges\"), and copy moves history only: use "
              "`messina migrate`, or take the key out");
}

/// Runs `work` under the migration's lock, and keeps how it ended for `status`.
template <class Work>
CopyEnd in_state(Session& session, const plan::CopyPlan& plan, const state::MigrationName& name, Work work) {
  const std::filesystem::path folder = std::filesystem::path(plan.state_dir) / state::migration_folder(name);
  std::error_code ignored;
  const bool was_there = std::filesystem::exists(folder / "ledger.db", ignored);
  auto opened = open_state(plan.state_dir, name, session.clock());
  if (!opened) return {fail(opened.error()), {}, left_in(folder, was_there), true};
  remember_end(folder, std::nullopt);
  CopyEnd end = work(*opened);
  if (!end.result) {
    const Error& error = end.result.error();
    end.left = left_in(folder, was_there);
    remember_end(folder, console::LastEnd{exit_of(error, end.left), error.message,
                                          console::iso_time(session.clock().wall())});
  }
  return end;
}

Task<Result<std::vector<endpoints::Unit>>> plan_units(Session* session, const plan::CopyPlan* plan,
                                                      Lanes* lanes) {
  jobs::Lane& lane = lanes->first();
  const Result<endpoints::TableDescription> contact =
      co_await first_contact(lanes->first_loop(), lane.source, &session->stop());
  if (!contact) co_return fail(contact.error());
  endpoints::PlanHints hints;
  hints.segments = plan->segments;
  hints.lanes = static_cast<std::uint32_t>(loop_count(plan->loops) * jobs::CopyOptions().units_per_lane);
  Result<std::vector<endpoints::Unit>> units = co_await lane.source.scan->plan(hints);
  co_return units;
}

ExitCode print_units(Session& session, const plan::CopyPlan& plan) {
  auto lanes = Lanes::open(plan, 1, &session.stop());
  if (!lanes) return session.failed(lanes.error());
  const auto units = net::run_on((*lanes)->first_loop(), plan_units(&session, &plan, lanes->get()));
  if (!units) return session.failed(units.error());
  const std::string plan_json = plan::to_json(plan);
  for (std::size_t i = 0; i < units->size(); ++i) {
    if (plan.skip_segments.contains(static_cast<std::uint32_t>(i))) continue;
    session.display().result(console::unit_event(session.clock().wall(), plan_json, {(*units)[i], {}}) +
                             "\n");
  }
  return ExitCode::done;
}

// ---------------------------------------------------------------------------------------------- one unit

struct ReadUnit {
  plan::CopyPlan plan;
  jobs::UnitRun run;
};

Result<ReadUnit> parse_unit(std::string_view text) {
  namespace json = boost::json;
  const auto refuse = [](std::string_view why) {
    return fail(
        ErrorKind::usage,
        fmt::format("this is no unit of work ({}): give a line of `messina copy … --print-units`", why));
  };
  boost::system::error_code error;
  const json::value value = json::parse({text.data(), text.size()}, error);
  if (error) return refuse("it is not one JSON object: " + error.message());
  const json::object* object = value.if_object();
  if (object == nullptr) return refuse("it is not a JSON object");
  const auto text_of = [&](const char* key) -> const json::string* {
    const json::value* found = object->if_contains(key);
    return found == nullptr ? nullptr : found->if_string();
  };
  const json::value* plan_value = object->if_contains("plan");
  const json::string *id = text_of("id"), *spec = text_of("spec"), *cursor = text_of("cursor");
  if (plan_value == nullptr || id == nullptr || spec == nullptr || cursor == nullptr)
    return refuse("\"plan\", \"id\", \"spec\" or \"cursor\" is missing");
  auto plan = plan::plan_from_json(json::serialize(*plan_value));
  if (!plan) return refuse(plan.error().message);
  const auto bytes = base64_decode({cursor->data(), cursor->size()});
  if (!bytes) return refuse("\"cursor\" is not base64");
  ReadUnit unit{std::move(*plan), {}};
  unit.run.unit = {std::string(*id), std::string(*spec)};
  unit.run.cursor.bytes = *bytes;
  return unit;
}

Result<ReadUnit> read_unit(const std::string& file) {
  if (file != "-") {
    const auto text = read_file(file);
    if (!text) return fail(text.error());
    return parse_unit(*text);
  }
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  return parse_unit(text);
}

/// Units of one migration keep their place in folders of their own, so that they can run side by side.
state::MigrationName unit_name(const ReadUnit& unit) {
  state::MigrationName name = migration_name(unit.plan);
  name.source += "#" + unit.run.unit.id;
  return name;
}

CopyEnd copy_one(Session& session, const ReadUnit& unit, const Flags& flags, OpenedState& opened) {
  const plan::CopyPlan& plan = unit.plan;
  auto watch = Watch::open(session, opened.folder, plan, flags);
  if (!watch) return {fail(watch.error()), {}};
  auto lanes = Lanes::open(plan, 1, &session.stop());
  if (!lanes) return {fail(lanes.error()), {}};
  state::LedgerStore store(std::move(opened.ledger), session.clock());
  session.display().start();
  Loop& loop = (*lanes)->first_loop();
  jobs::Lane& lane = (*lanes)->first();
  if (auto contact = net::run_on(loop, check_contact(loop, lane, plan.transform, &session.stop())); !contact)
    return {fail(contact.error()), {}};
  jobs::CopyContext context = copy_context(session, **lanes, store, **watch);
  const jobs::CopyOptions options = copy_options(plan, 1);
  auto result = net::run_on(loop, jobs::copy_unit(context, options, unit.run));
  return ended(loop, store, std::move(result));
}

}  // namespace

ExitCode run_copy(Session& session, Flags& flags) {
  const auto loaded = load_plans(session, flags, Writes::yes);
  if (!loaded) return session.failed(loaded.error());
  if (const auto* many = std::get_if<plan::ManyTables>(&*loaded)) {
    if (auto checked = check_not_live(many->common); !checked) return session.failed(checked.error());
    if (!flags.print_units) return copy_many(session, *many, flags);
    return for_each_table(session, *many,
                          [&](const plan::CopyPlan& plan) { return print_units(session, plan); });
  }
  const auto& plan = std::get<plan::CopyPlan>(*loaded);
  if (auto checked = check_not_live(plan); !checked) return session.failed(checked.error());
  if (flags.print_units) return print_units(session, plan);
  if (flags.listen)
    if (const auto at = parse_listen(*flags.listen, flags.listen_anyone); !at)
      return session.failed(at.error());
  const CopyEnd end = in_state(session, plan, migration_name(plan),
                               [&](OpenedState& opened) { return copy_in(session, plan, flags, opened); });
  if (end.not_opened) {
    const jobs::Roles copies{.capture = false, .copy = true, .apply = false};
    if (const auto joined = join_holder(session, plan, flags, copies, end.result.error())) return *joined;
  }
  return report_copy(session, plan, end);
}

ExitCode run_copy_unit(Session& session, Flags& flags) {
  auto unit = read_unit(flags.unit_file);
  if (!unit) return session.failed(unit.error());
  if (flags.draft.state_dir) unit->plan.state_dir = *flags.draft.state_dir;
  if (flags.draft.restart) unit->plan.restart = *flags.draft.restart;
  if (auto completed = complete_plan(unit->plan, flags); !completed) return session.failed(completed.error());
  const CopyEnd end = in_state(session, unit->plan, unit_name(*unit),
                               [&](OpenedState& opened) { return copy_one(session, *unit, flags, opened); });
  return report_copy(session, unit->plan, end);
}

}  // namespace messina::cli
