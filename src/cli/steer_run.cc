#include "cli/steer_run.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "cli/migrations.h"
#include "console/numbers.h"
#include "console/steered_text.h"
#include "console/summary.h"
#include "jobs/table_outcome.h"
#include "state/ledger.h"

namespace messina::cli {
namespace {

using console::ControlRequest;
using console::SteeredTable;

struct RunningTable {
  std::filesystem::path folder;
  SteeredTable told;
};

/// The tables of one process.
struct RunningProcess {
  std::string name;  ///< "pid 4711 on mover-1"
  std::vector<RunningTable> tables;
  std::optional<console::RunOfTables> run;  ///< absent: it has one table
  std::size_t not_named = 0;                ///< of its tables
  bool whole() const { return not_named == 0; }
};

/// Those of the folders that a process holds, by process.
std::vector<RunningProcess> running_processes(const std::vector<std::filesystem::path>& folders) {
  std::vector<RunningProcess> processes;
  std::map<std::string, std::size_t> known;
  for (const auto& folder : folders) {
    auto status = read_status(folder);
    const auto holder = state::MigrationLock::holder(folder);
    if (!holder) continue;
    const std::string name = fmt::format("pid {} on {}", holder->pid, holder->host);
    const auto [at, fresh] = known.emplace(name, processes.size());
    if (fresh) processes.emplace_back().name = name;
    RunningTable& table = processes[at->second].tables.emplace_back();
    table.folder = folder;
    table.told.status.folder = folder.string();
    if (status)
      table.told.status = std::move(*status);
    else
      table.told.error = status.error();
  }
  return processes;
}

/// Asks one table; false if it could not be told.
bool ask(RunningTable& table, const ControlRequest& request, std::optional<console::RunOfTables>& run) {
  if (table.told.error) return false;
  auto answered = ask_running(table.folder, table.told.status, request);
  if (answered) {
    table.told.status.progress = std::move(answered->snapshot);
    table.told.status.live = true;
    if (answered->run) run = std::move(answered->run);
    return true;
  }
  if (state::MigrationLock::holder(table.folder))
    table.told.error = answered.error();
  else
    table.told.has_ended = true;
  return false;
}

bool names(const plan::TableChoice& choice, const std::string& table) {
  const auto matches = [&table](const std::string& pattern) { return plan::matches(pattern, table); };
  return std::ranges::none_of(choice.exclude, matches) &&
         std::ranges::any_of(choice.entries, matches, &plan::TableEntry::table);
}

/// Finds out whether all tables of the process were named, by asking one that answers.
void look_at(RunningProcess& process, const std::optional<plan::TableChoice>& choice) {
  ControlRequest look;
  look.all_tables = true;
  for (RunningTable& table : process.tables)
    if (ask(table, look, process.run)) break;
  if (!choice || !process.run) return;
  const auto other = [&choice](const std::string& table) { return !names(*choice, table); };
  process.not_named = static_cast<std::size_t>(std::ranges::count_if(process.run->running_names, other) +
                                               std::ranges::count_if(process.run->waiting_names, other));
}

void tell(RunningProcess& process, ControlRequest request) {
  request.all_tables = process.whole();
  for (RunningTable& table : process.tables) {
    const bool told = ask(table, request, process.run);
    // The first has told all of them; what is in force there the others say themselves.
    if (told && process.whole() && process.run) {
      request = ControlRequest();
      request.all_tables = true;
    }
  }
}

Error part_of_a_run(const RunningProcess& process) {
  return {ErrorKind::usage,
          fmt::format("{} runs {} more that {} not named, and rcu and concurrency are what all its tables "
                      "take together: name all of them (the --tables or the plan that it was started with), "
                      "or one by SOURCE TARGET, which gives that table a limit of its own",
                      process.name, console::counted(process.not_named, "table"),
                      process.not_named == 1 ? "was" : "were")};
}

std::string name_of(const console::MigrationStatus& status) {
  return status.source.empty() ? status.folder : fmt::format("{} to {}", status.source, status.target);
}

ExitCode say_all(Session& session, const ControlRequest& request, std::vector<RunningProcess>& processes) {
  console::TablesSteered sum;
  sum.done = console::describe(request);
  std::vector<SteeredTable> tables;
  for (RunningProcess& process : processes) {
    if (process.whole() && process.run) sum.to_come += process.run->waiting;
    for (RunningTable& table : process.tables) tables.push_back(std::move(table.told));
  }
  for (const SteeredTable& table : tables) {
    if (table.has_ended) continue;
    ++sum.tables;
    if (table.error) {
      ++sum.failed;
      sum.exit = jobs::worse(sum.exit, exit_code(table.error->kind));
    }
    if (!session.json()) continue;
    if (table.error) {
      Error error = *table.error;
      error.message = fmt::format("{}: {}", console::table_names(table.status), error.message);
      session.display().say(console::error_event(session.clock().wall(), error, exit_code(error.kind)) +
                            "\n");
    } else {
      session.display().result(console::steered_event(session.clock().wall(), table.status, sum.done) + "\n");
    }
  }
  const bool one_run = processes.size() == 1 && request.verb == ControlRequest::Verb::set;
  session.result(
      console::steered_text(sum, tables, request.verb,
                            one_run ? processes.front().run : std::optional<console::RunOfTables>()),
      console::tables_steered_event(session.clock().wall(), sum));
  return sum.exit;
}

}  // namespace

ExitCode say_steered(Session& session, const ControlRequest& request, const console::MigrationStatus& status,
                     const std::string& state_flag) {
  std::string text = fmt::format("{}: {}\n", console::describe(request), name_of(status));
  if (request.verb == ControlRequest::Verb::pause)
    text += fmt::format("what is on the wire is finished first; `messina resume{}` goes on\n", state_flag);
  if (request.verb == ControlRequest::Verb::set) {
    if (status.run)
      text += fmt::format("of this table; all tables of its run together still: at most {}\n",
                          console::together_text(*status.run));
    text += "for this process only: a new start takes its own flags\n";
  }
  session.result(text, console::steered_event(session.clock().wall(), status, console::describe(request)));
  return ExitCode::done;
}

namespace {

/// Of a process that copies one table, which nobody had to name.
ExitCode say_one(Session& session, const SteerAim& aim, const ControlRequest& request,
                 const SteeredTable& table) {
  if (table.error) return session.failed(*table.error);
  if (!table.has_ended) return say_steered(session, request, table.status, aim.state_flag);
  auto ended = read_status(table.status.folder);
  return session.failed(ended ? not_running(*ended) : ended.error());
}

}  // namespace

ExitCode steer_run(Session& session, const SteerAim& aim, const ControlRequest& request) {
  std::vector<RunningProcess> processes = running_processes(aim.folders);
  if (processes.empty())
    return session.failed(
        {ErrorKind::not_found,
         "none of these tables is being copied now: `messina status` shows how they stand"});
  for (RunningProcess& process : processes) {
    look_at(process, aim.choice);
    if (!process.whole() && request.verb == ControlRequest::Verb::set)
      return session.failed(part_of_a_run(process));
  }
  for (RunningProcess& process : processes) tell(process, request);
  const RunningProcess& first = processes.front();
  const bool one_table = processes.size() == 1 && first.tables.size() == 1 && !first.run && !aim.choice;
  if (one_table) return say_one(session, aim, request, first.tables.front().told);
  return say_all(session, request, processes);
}

}  // namespace messina::cli
