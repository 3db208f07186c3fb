#include <algorithm>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/migrations.h"
#include "cli/named_migrations.h"
#include "console/health.h"
#include "console/summary.h"

namespace messina::cli {
namespace {

Result<NamedMigrations> migrations_to_show(Session& session, Flags& flags) {
  if (names_migrations(flags)) return find_migrations(session, flags);
  auto folders = state::list_migrations(state_dir(flags));
  if (!folders) return fail(folders.error());
  // Between the making of a ledger's file and its first commit nothing was begun there.
  std::erase_if(*folders, [](const std::filesystem::path& folder) {
    const auto ledger = open_ledger(folder, state::Access::read_only);
    return !ledger && ledger.error().kind == ErrorKind::not_found;
  });
  NamedMigrations all;
  all.folders = *std::move(folders);
  return all;
}

void say_check(Session& session, const console::MigrationStatus& status, const console::Check& check) {
  const std::string name =
      status.source.empty() ? status.folder : fmt::format("{} to {}", status.source, status.target);
  session.result(console::check_line(check, name),
                 console::status_check_event(session.clock().wall(), status, check));
}

/// One line a migration, and the gravest exit status of all.
ExitCode check_all(Session& session, const Flags& flags, const NamedMigrations& migrations) {
  const auto stalled_after = flags.stalled_after.value_or(console::kStalledAfter);
  ExitCode worst = ExitCode::done;
  for (const auto& folder : migrations.folders) {
    auto status = read_live_status(folder, session.clock());
    const console::Check check =
        status ? console::check(*status, stalled_after) : console::check(status.error());
    if (!status) {
      status.emplace();
      status->folder = folder.string();
    }
    say_check(session, *status, check);
    worst = std::max(worst, check.exit);
  }
  for (const console::MigrationStatus& status : migrations.not_begun) {
    const console::Check check = console::check(status, stalled_after);
    say_check(session, status, check);
    worst = std::max(worst, check.exit);
  }
  return worst;
}

}  // namespace

ExitCode run_status(Session& session, Flags& flags) {
  if (flags.stalled_after && !flags.check)
    return session.failed({ErrorKind::usage, "--stalled-after says what --check calls stalled: add --check"});
  const auto shown = migrations_to_show(session, flags);
  if (!shown) return session.failed(shown.error());
  if (shown->folders.empty() && shown->not_begun.empty()) {
    const std::string text = fmt::format("the state directory \"{}\" holds no migration", state_dir(flags));
    // Whoever checks expects one: a wrong --state must not look like all is well.
    if (flags.check) return session.failed({ErrorKind::not_found, text});
    if (!session.json()) session.display().result(text + "\n");
  }
  if (flags.check) return check_all(session, flags, *shown);
  ExitCode exit = ExitCode::done;
  for (const auto& folder : shown->folders) {
    const auto status = read_live_status(folder, session.clock());
    if (!status) {
      // The others are still worth showing.
      exit = session.failed(status.error());
      continue;
    }
    session.result(console::migration_text(*status),
                   console::migration_event(session.clock().wall(), *status));
  }
  for (const console::MigrationStatus& status : shown->not_begun)
    session.result(console::migration_text(status), console::migration_event(session.clock().wall(), status));
  return exit;
}

}  // namespace messina::cli
