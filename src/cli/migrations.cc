#include "cli/migrations.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/load_plan.h"
#include "jobs/progress_json.h"
#include "plan/plan_json.h"
#include "plan/text.h"

namespace messina::cli {

std::string state_dir(const Flags& flags) {
  return flags.draft.state_dir.value_or(plan::CopyPlan().state_dir);
}

Result<std::vector<std::filesystem::path>> begun_migrations(const std::string& dir) {
  auto folders = state::list_migrations(dir);
  if (!folders) return folders;
  std::erase_if(*folders, [](const std::filesystem::path& folder) {
    const auto status = read_status(folder);
    return status && !status->begun && !status->running;
  });
  return folders;
}

Result<std::filesystem::path> find_migration(Session& session, Flags& flags) {
  const bool by_address = !flags.source.empty() || !flags.plan_file.empty();
  if (by_address && !flags.migration.empty())
    return fail(ErrorKind::usage, "--migration and addresses name the same thing: leave one out");
  if (by_address) {
    const auto plan = load_plan(session, flags, Writes::no);
    if (!plan) return fail(plan.error());
    const std::filesystem::path folder =
        std::filesystem::path(plan->state_dir) / state::migration_folder(migration_name(*plan));
    std::error_code ignored;
    if (!std::filesystem::exists(folder / "ledger.db", ignored))
      return fail(ErrorKind::not_found,
                  fmt::format("the state directory {} knows no migration from {} to {}: `messina status` "
                              "lists those it knows",
                              plan::shown(plan->state_dir), migration_name(*plan).source,
                              migration_name(*plan).target));
    return folder;
  }
  const std::string dir = state_dir(flags);
  if (!flags.migration.empty()) {
    const auto all = state::list_migrations(dir);
    if (!all) return fail(all.error());
    std::vector<std::string> names;
    for (const auto& folder : *all) {
      if (folder.filename() == flags.migration) return folder;
      names.push_back(folder.filename().string());
    }
    return fail(ErrorKind::not_found,
                fmt::format("the state directory {} has no migration {}{}", plan::shown(dir),
                            plan::shown(flags.migration), plan::did_you_mean(flags.migration, names)));
  }
  const auto folders = begun_migrations(dir);
  if (!folders) return fail(folders.error());
  if (folders->empty())
    return fail(ErrorKind::not_found,
                fmt::format("the state directory {} holds no migration", plan::shown(dir)));
  if (folders->size() > 1)
    return fail(
        ErrorKind::usage,
        fmt::format(
            "the state directory {} holds {} migrations: name one by SOURCE TARGET or --migration NAME "
            "(`messina status` lists them)",
            plan::shown(dir), folders->size()));
  return folders->front();
}

Result<std::unique_ptr<state::Ledger>> open_ledger(const std::filesystem::path& folder,
                                                   state::Access access) {
  auto ledger = state::Ledger::open(folder, {.access = access});
  if (ledger || ledger.error().kind != ErrorKind::corrupt) return ledger;
  Error error = ledger.error();
  error.kind = ErrorKind::needs_person;
  return fail(std::move(error));
}

Result<void> remember_plan(const std::filesystem::path& folder, const plan::CopyPlan& plan) {
  const std::string text = plan::to_json(plan) + "\n";
  const std::filesystem::path fresh = folder / "plan.json.new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written =
      fd >= 0 && ::write(fd, text.data(), text.size()) == std::ssize(text) && ::fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (!written || ::rename(fresh.c_str(), (folder / "plan.json").c_str()) != 0)
    return fail(ErrorKind::disk,
                fmt::format("{} cannot be written ({}): check the disk and its permissions",
                            plan::shown(fresh.string()), std::strerror(written ? errno : why)));
  return {};
}

Result<plan::CopyPlan> remembered_plan(const std::filesystem::path& folder) {
  const auto text = read_file((folder / "plan.json").string());
  if (!text) return fail(ErrorKind::not_found, text.error().message + ": give SOURCE and TARGET");
  return plan::plan_from_json(*text);
}

Result<console::MigrationStatus> read_status(const std::filesystem::path& folder) {
  console::MigrationStatus status;
  status.folder = folder.string();
  if (const auto holder = state::MigrationLock::holder(folder)) {
    status.running = true;
    status.holder_host = holder->host;
    status.holder_pid = holder->pid;
    status.holder_since = holder->since;
  }
  const auto plan = remembered_plan(folder);
  if (plan) {
    status.source = migration_name(*plan).source;
    status.target = migration_name(*plan).target;
  }
  auto ledger = open_ledger(folder, state::Access::read_only);
  if (!ledger) return fail(ledger.error());
  const auto job = (*ledger)->load();
  if (!job) return fail(job.error());
  if (!*job) return status;
  const state::JobState& state = **job;
  status.begun = true;
  if (!plan) {
    status.source = state.identity.source;
    status.target = state.identity.target;
  }
  status.phase = state.phase;
  status.unclean =
      !status.running && state.phase != state::JobPhase::done && state.heartbeat_unix_ms.has_value();
  status.live_rejects = state.live_rejects;
  status.units = state.units.size();
  for (const state::UnitRecord& unit : state.units) {
    status.counts += unit.counts;
    if (unit.state == state::UnitState::done) ++status.units_done;
    if (unit.state == state::UnitState::skipped) ++status.units_skipped;
  }
  if (!state.snapshot_json.empty())
    if (auto progress = jobs::progress_from_json(state.snapshot_json)) status.progress = std::move(*progress);
  return status;
}

}  // namespace messina::cli
