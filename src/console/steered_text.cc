#include "console/steered_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "console/numbers.h"
#include "console/progress_text.h"
#include "console/summary.h"

namespace messina::console {
namespace {

std::string_view last_part(std::string_view address) {
  return address.substr(address.rfind('/') + 1);  // npos + 1 is 0: the whole
}

/// "paused"; "copying, rcu = 2000 for all tables".
std::string in_force(const SteeredTable& table) {
  if (table.has_ended) return "has ended";
  if (table.error) return "failed: " + one_line(table.error->message);
  const jobs::Progress now = table.status.progress.value_or(jobs::Progress());
  std::string text = now.paused ? "paused" : now.phase == "paused" ? "resumed" : now.phase;
  if (text.empty()) text = "starting";
  for (const jobs::SteeringNote& note : now.steering) {
    if (note.setting == "paused") continue;
    text += fmt::format(", {} = {}{}", note.setting, one_line(note.value),
                        note.all_tables ? " for all tables" : "");
  }
  return text;
}

}  // namespace

std::string table_names(const MigrationStatus& status) {
  if (status.source.empty()) return status.folder;
  const std::string_view source = last_part(status.source), target = last_part(status.target);
  return source == target ? std::string(source) : fmt::format("{} to {}", source, target);
}

std::string steered_text(const TablesSteered& steered, const std::vector<SteeredTable>& tables,
                         ControlRequest::Verb verb, const std::optional<RunOfTables>& run) {
  std::string text = fmt::format("{}: {}\n", steered.done, counted(steered.tables, "table"));
  std::size_t width = 0;
  for (const SteeredTable& table : tables) width = std::max(width, columns(table_names(table.status)));
  for (const SteeredTable& table : tables) {
    const std::string name = table_names(table.status);
    text += fmt::format("  {}{}  {}\n", name, std::string(width - columns(name), ' '), in_force(table));
  }
  if (steered.to_come > 0)
    text += fmt::format("and {} to come, which will begin so\n", grouped(steered.to_come));
  if (run) text += fmt::format("all tables together: at most {}\n", together_text(*run));
  if (verb == ControlRequest::Verb::pause)
    text += "what is on the wire is finished first; `messina resume` with the same names goes on\n";
  if (verb == ControlRequest::Verb::set) text += "for this process only: a new start takes its own flags\n";
  return text;
}

}  // namespace messina::console
