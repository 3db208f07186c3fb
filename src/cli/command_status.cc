#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/migrations.h"
#include "console/health.h"
#include "console/summary.h"

namespace messina::cli {
namespace {

Result<std::vector<std::filesystem::path>> folders_to_show(Session& session, Flags& flags) {
  if (flags.source.empty() && flags.plan_file.empty() && flags.migration.empty())
    return state::list_migrations(state_dir(flags));
  const auto folder = find_migration(session, flags);
  if (!folder) return fail(folder.error());
  return std::vector{*folder};
}

/// One line a migration, and the gravest exit status of all.
ExitCode check_all(Session& session, const Flags& flags, const std::vector<std::filesystem::path>& folders) {
  const auto stalled_after = flags.stalled_after.value_or(console::kStalledAfter);
  ExitCode worst = ExitCode::done;
  for (const auto& folder : folders) {
    auto status = read_live_status(folder, session.clock());
    const console::Check check =
        status ? console::check(*status, stalled_after) : console::check(status.error());
    if (!status) {
      status.emplace();
      status->folder = folder.string();
    }
    const std::string name =
        status->source.empty() ? status->folder : fmt::format("{} to {}", status->source, status->target);
    session.result(console::check_line(check, name),
                   console::check_event(session.clock().wall(), *status, check));
    worst = std::max(worst, check.exit);
  }
  return worst;
}

}  // namespace

ExitCode run_status(Session& session, Flags& flags) {
  if (flags.stalled_after && !flags.check)
    return session.failed({ErrorKind::usage, "--stalled-after says what --check calls stalled: add --check"});
  const auto folders = folders_to_show(session, flags);
  if (!folders) return session.failed(folders.error());
  if (folders->empty()) {
    const std::string text = fmt::format("the state directory \"{}\" holds no migration", state_dir(flags));
    // Whoever checks expects one: a wrong --state must not look like all is well.
    if (flags.check) return session.failed({ErrorKind::not_found, text});
    if (!session.json()) session.display().result(text + "\n");
  }
  if (flags.check) return check_all(session, flags, *folders);
  ExitCode exit = ExitCode::done;
  for (const auto& folder : *folders) {
    const auto status = read_live_status(folder, session.clock());
    if (!status) {
      // The others are still worth showing.
      exit = session.failed(status.error());
      continue;
    }
    session.result(console::migration_text(*status),
                   console::migration_event(session.clock().wall(), *status));
  }
  return exit;
}

}  // namespace messina::cli
