#include "cli/migrations.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <boost/json.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/load_plan.h"
#include "console/json_line.h"
#include "jobs/gap_text.h"
#include "jobs/progress_json.h"
#include "net/local_socket.h"
#include "plan/plan_json.h"
#include "plan/text.h"
#include "state/verify_ledger.h"

namespace messina::cli {

std::string state_dir(const Flags& flags) {
  return flags.draft.state_dir.value_or(plan::CopyPlan().state_dir);
}

namespace {

/// A damaged file of the verification is told by who asks for it.
std::optional<jobs::VerifyProgress> last_verification(const std::filesystem::path& folder) {
  const auto ledger = state::VerifyLedger::open(folder, {.access = state::Access::read_only});
  const auto kept = ledger ? (*ledger)->load() : Result<std::optional<state::VerifyState>>();
  if (!kept || !*kept) return std::nullopt;
  const auto figures = jobs::figures_of(**kept);
  if (!figures) return std::nullopt;
  return jobs::progress_of(*figures, false);
}

}  // namespace

Result<std::vector<std::filesystem::path>> begun_migrations(const std::string& dir) {
  auto folders = state::list_migrations(dir);
  if (!folders) return folders;
  std::erase_if(*folders, [](const std::filesystem::path& folder) {
    const auto status = read_status(folder);
    return status && !status->begun && !status->running && !last_verification(folder);
  });
  return folders;
}

Result<std::filesystem::path> folder_of(const plan::CopyPlan& plan) {
  const state::MigrationName name = migration_name(plan);
  std::filesystem::path folder = std::filesystem::path(plan.state_dir) / state::migration_folder(name);
  std::error_code ignored;
  if (std::filesystem::exists(folder / "ledger.db", ignored)) return folder;
  return fail(ErrorKind::not_found,
              fmt::format("the state directory {} knows no migration from {} to {}: `messina status` lists "
                          "those it knows",
                          plan::shown(plan.state_dir), name.source, name.target));
}

Result<std::filesystem::path> find_migration(Session& session, Flags& flags) {
  const bool by_address = !flags.source.empty() || !flags.plan_file.empty();
  if (by_address && !flags.migration.empty())
    return fail(ErrorKind::usage, "--migration and addresses name the same thing: leave one out");
  if (by_address) {
    const auto plan = load_plan(session, flags, Writes::no);
    if (!plan) return fail(plan.error());
    return folder_of(*plan);
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

Error not_running(const console::MigrationStatus& status) {
  const std::string name =
      status.source.empty() ? status.folder : fmt::format("{} to {}", status.source, status.target);
  const bool done = status.begun && status.phase == state::JobPhase::done && !console::must_follow(status);
  return {ErrorKind::not_found,
          done ? fmt::format("{} is done: there is nothing to steer", name)
               : fmt::format("{} is not running: start it, and give what you would set as flags (--read-rcu, "
                             "--write-concurrency)",
                             name)};
}

Result<std::unique_ptr<state::Ledger>> open_ledger(const std::filesystem::path& folder,
                                                   state::Access access) {
  auto ledger = state::Ledger::open(folder, {.access = access});
  if (ledger || ledger.error().kind != ErrorKind::corrupt) return ledger;
  Error error = ledger.error();
  error.kind = ErrorKind::needs_person;
  return fail(std::move(error));
}

namespace {

/// Writes a file of the migration's folder whole or not at all.
Result<void> replace_file(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path fresh = file.string() + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written =
      fd >= 0 && ::write(fd, text.data(), text.size()) == std::ssize(text) && ::fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (!written || ::rename(fresh.c_str(), file.c_str()) != 0)
    return fail(ErrorKind::disk,
                fmt::format("{} cannot be written ({}): check the disk and its permissions",
                            plan::shown(fresh.string()), std::strerror(written ? errno : why)));
  return {};
}

constexpr const char* kEndFile = "end.json";

std::optional<console::LastEnd> remembered_end(const std::filesystem::path& folder) {
  std::error_code none;
  if (!std::filesystem::exists(folder / kEndFile, none)) return std::nullopt;
  const auto text = read_file((folder / kEndFile).string());
  if (!text) return std::nullopt;
  namespace json = boost::json;
  boost::system::error_code error;
  const json::value value = json::parse(*text, error);
  const json::object* object = error ? nullptr : value.if_object();
  if (object == nullptr) return std::nullopt;
  const json::value *exit = object->if_contains("exit_code"), *message = object->if_contains("message"),
                    *at = object->if_contains("at");
  if (exit == nullptr || !exit->is_int64() || message == nullptr || !message->is_string() || at == nullptr ||
      !at->is_string())
    return std::nullopt;
  return console::LastEnd{static_cast<ExitCode>(exit->get_int64()), std::string(message->get_string()),
                          std::string(at->get_string())};
}

}  // namespace

void remember_end(const std::filesystem::path& folder, const std::optional<console::LastEnd>& end) {
  if (!end) {
    std::error_code ignored;
    std::filesystem::remove(folder / kEndFile, ignored);
    return;
  }
  console::JsonLine line;
  line.whole("exit_code", static_cast<std::uint64_t>(end->exit))
      .text("message", end->message)
      .text("at", end->at);
  [[maybe_unused]] const Result<void> ignored = replace_file(folder / kEndFile, line.str() + "\n");
}

Result<void> remember_plan(const std::filesystem::path& folder, const plan::CopyPlan& plan) {
  return replace_file(folder / "plan.json", plan::to_json(plan) + "\n");
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
  } else {
    status.last_end = remembered_end(folder);
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
  status.live_rejects = state.live_rejects;
  status.units = state.units.size();
  for (const state::UnitRecord& unit : state.units) {
    status.counts += unit.counts;
    if (unit.state == state::UnitState::done) ++status.units_done;
    if (unit.state == state::UnitState::skipped) ++status.units_skipped;
  }
  status.heartbeat_unix_ms = state.heartbeat_unix_ms;
  if (!state.snapshot_json.empty())
    if (auto progress = jobs::progress_from_json(state.snapshot_json)) status.progress = std::move(*progress);
  for (std::size_t i = state.live.gaps_healing; i < state.live.gaps.size(); ++i)
    status.gaps.push_back(jobs::gap_text(state.live.gaps[i]));
  const bool done = state.phase == state::JobPhase::done && !console::must_follow(status);
  status.unclean = !status.running && !done && state.heartbeat_unix_ms.has_value();
  return status;
}

Result<console::MigrationStatus> read_live_status(const std::filesystem::path& folder, const Clock& clock) {
  auto status = read_status(folder);
  if (!status) return status;
  status->verify = last_verification(folder);
  if (!status->running) return status;
  if (auto answered = ask_running(folder, *status, {})) {
    status->progress = std::move(answered->snapshot);
    if (status->progress->verify) status->verify = status->progress->verify;
    status->run = std::move(answered->run);
    status->live = true;
    return status;
  }
  const bool done = status->phase == state::JobPhase::done && !console::must_follow(*status);
  const bool at_work = status->progress && status->heartbeat_unix_ms && !done;
  if (!at_work) return status;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch());
  const std::int64_t silent_ms = now.count() - *status->heartbeat_unix_ms;
  status->progress->idle_s += static_cast<double>(std::max<std::int64_t>(silent_ms, 0)) / 1000;
  return status;
}

Left left_in(const std::filesystem::path& folder, bool was_there) {
  const auto status = read_status(folder);
  return (status ? status->begun : was_there) ? Left::place : Left::no_place;
}

bool runs_here(const console::MigrationStatus& status) {
  std::array<char, 256> here{};
  return ::gethostname(here.data(), here.size() - 1) == 0 && status.holder_host == here.data();
}

Result<console::ControlAnswer> ask_running(const std::filesystem::path& folder,
                                           const console::MigrationStatus& status,
                                           const console::ControlRequest& request) {
  /// A control loop has nothing else to do: a process that takes longer hangs or is stopped.
  static constexpr auto kPatience = std::chrono::seconds(3);
  const std::string who = fmt::format("pid {} on host {}", status.holder_pid, status.holder_host);
  if (!runs_here(status))
    return fail(ErrorKind::not_found, fmt::format("{} runs it: give the command on that host", who));
  const auto answer =
      net::ask_local(folder / console::kControlSocket, console::control_request(request), kPatience);
  if (answer) return console::parse_control_answer(*answer);
  switch (answer.error().kind) {
    case ErrorKind::not_found:
      return fail(
          ErrorKind::not_found,
          fmt::format("{} runs it and takes no commands: it is a `rejects retry`, or could not make its "
                      "socket and warned of that when it began",
                      who));
    case ErrorKind::denied:
      return fail(ErrorKind::denied,
                  fmt::format("{} belongs to another user: give the command as that user, or "
                              "as root",
                              who));
    default:
      return fail(
          ErrorKind::stopped,
          fmt::format("{} gives no answer ({}): see whether it is suspended, or its machine overloaded, "
                      "and try again",
                      who, answer.error().message));
  }
}

}  // namespace messina::cli
