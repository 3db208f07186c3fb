#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/migrations.h"
#include "console/progress_text.h"
#include "console/summary.h"

namespace messina::cli {
namespace {

std::string text_of(const console::MigrationStatus& status) {
  std::string text = console::migration_text(status);
  if (status.running && status.progress)
    text += "  now        " + console::plain_line(*status.progress) + "\n";
  return text;
}

}  // namespace

ExitCode run_status(Session& session, Flags& flags) {
  std::vector<std::filesystem::path> folders;
  if (!flags.source.empty() || !flags.plan_file.empty() || !flags.migration.empty()) {
    const auto folder = find_migration(session, flags);
    if (!folder) return session.failed(folder.error());
    folders.push_back(*folder);
  } else {
    auto all = state::list_migrations(state_dir(flags));
    if (!all) return session.failed(all.error());
    folders = std::move(*all);
    if (folders.empty() && !session.json())
      session.display().result(
          fmt::format("the state directory \"{}\" holds no migration\n", state_dir(flags)));
  }
  ExitCode exit = ExitCode::done;
  for (const auto& folder : folders) {
    const auto status = read_status(folder);
    if (!status) {
      // The others are still worth showing.
      exit = session.failed(status.error());
      continue;
    }
    session.result(text_of(*status), console::migration_event(session.clock().wall(), *status));
  }
  return exit;
}

}  // namespace messina::cli
