#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/copy_job.h"
#include "cli/load_plan.h"
#include "cli/migrations.h"
#include "cli/rejects_retry.h"
#include "console/json_line.h"
#include "console/numbers.h"
#include "console/progress_text.h"
#include "plan/plan_json.h"

namespace messina::cli {
namespace {

/// Reads all rejects in portions and hands each to `show`.
template <class Show>
Result<std::uint64_t> for_each_reject(state::Ledger& ledger, bool live_only, Stop& stop, Show show) {
  state::Ledger::RejectFilter filter;
  filter.live_only = live_only;
  std::uint64_t count = 0;
  for (;;) {
    const auto rejects = ledger.rejects(filter);
    if (!rejects) return fail(rejects.error());
    if (rejects->empty()) return count;
    for (const state::Reject& reject : *rejects) {
      if (stop.requested()) return fail(ErrorKind::stopped, "stopped in the middle of the rejects");
      if (console::stdout_failed()) return fail(ErrorKind::disk, "stdout takes no more: the list is cut");
      show(reject);
      ++count;
    }
    filter.after_id = rejects->back().id;
  }
}

std::string list_line(const state::Reject& reject) {
  return fmt::format("{:>6}  {}  {}  {}{}{}  {}\n", reject.id,
                     console::iso_time(WallTime(std::chrono::milliseconds(reject.at_unix_ms))),
                     reject.live ? "live   " : "settled", console::one_line(reject.unit),
                     reject.code.empty() ? "" : "  ", console::one_line(reject.code),
                     console::one_line(reject.reason));
}

/// Shows one migration's rejects; how many there were.
Result<std::uint64_t> show_rejects(Session& session, const Flags& flags, const std::filesystem::path& folder,
                                   bool as_events) {
  auto ledger = open_ledger(folder, state::Access::read_only);
  if (!ledger) return fail(ledger.error());
  return for_each_reject(**ledger, !flags.all_rejects, session.stop(), [&](const state::Reject& reject) {
    session.display().result(as_events ? console::reject_event(session.clock().wall(), reject) + "\n"
                                       : list_line(reject));
  });
}

/// The plan of SOURCE and TARGET, else the one that the migration keeps.
Result<plan::CopyPlan> plan_to_retry(Session& session, Flags& flags) {
  const bool by_address = !flags.source.empty() || !flags.plan_file.empty();
  if (by_address) {
    auto plan = load_plan(session, flags, Writes::yes);
    if (!plan) return plan;
    const auto folder = find_migration(session, flags);
    if (!folder) return fail(folder.error());
    return plan;
  }
  const auto folder = find_migration(session, flags);
  if (!folder) return fail(folder.error());
  auto plan = remembered_plan(*folder);
  if (!plan) return plan;
  plan->state_dir = state_dir(flags);
  plan->allow_write_aws = false;  // said anew each time
  if (auto completed = complete_plan(*plan, flags); !completed) return fail(completed.error());
  return plan;
}

/// PROTOCOL rule 7: beside changes the stored bytes may be older than what the target holds by now.
Result<bool> beside_changes(const std::filesystem::path& folder) {
  const auto ledger = open_ledger(folder, state::Access::read_only);
  if (!ledger) return fail(ledger.error());
  const auto job = (*ledger)->load();
  if (!job) return fail(job.error());
  return *job && (*job)->live.capture_epoch > 0;
}

ExitCode say_reread(Session& session, std::uint64_t keys, const std::string& by) {
  session.result(keys == 0
                     ? "there are no live rejects\n"
                     : fmt::format("{} will be read from the source again, by {}; a reject is settled when "
                                   "its key is written\n",
                                   console::counted(keys, "key"), by),
                 console::reread_event(session.clock().wall(), keys));
  return ExitCode::done;
}

/// Where changes are applied: by whoever runs the migration, or into the spool of one that nobody runs.
ExitCode reread_rejects(Session& session, const plan::CopyPlan& plan, const std::filesystem::path& folder) {
  const auto status = read_status(folder);
  if (!status) return session.failed(status.error());
  if (status->running) {
    const auto keys = have_rejects_marked(session, folder, *status);
    if (!keys) return session.failed(keys.error());
    return say_reread(session, *keys, "the process that runs the migration");
  }
  auto opened = open_state(plan.state_dir, migration_name(plan), session.clock());
  if (!opened) return session.failed(opened.error());
  const auto keys = mark_rejects(session, plan, *opened);
  if (!keys) return session.failed(keys.error(), Left::place);
  return say_reread(session, *keys, "the next `messina migrate` or `messina apply`");
}

}  // namespace

ExitCode run_rejects_list(Session& session, Flags& flags) {
  std::vector<std::filesystem::path> folders;
  if (flags.source.empty() && flags.plan_file.empty() && flags.migration.empty()) {
    auto all = begun_migrations(state_dir(flags));
    if (!all) return session.failed(all.error());
    folders = std::move(*all);
  } else {
    const auto folder = find_migration(session, flags);
    if (!folder) return session.failed(folder.error());
    folders.push_back(*folder);
  }
  std::uint64_t total = 0;
  for (const auto& folder : folders) {
    if (folders.size() > 1 && !session.json()) session.display().say(folder.filename().string() + "\n");
    const auto count = show_rejects(session, flags, folder, session.json());
    if (!count) return session.failed(count.error());
    total += *count;
  }
  if (!session.json())
    session.display().say(
        fmt::format("{}{}\n", console::counted(total, flags.all_rejects ? "reject" : "live reject"),
                    total == 0          ? ""
                    : flags.all_rejects ? "; `messina rejects export --all` writes them with their items"
                                        : "; `messina rejects export` writes them with their items"));
  return ExitCode::done;
}

ExitCode run_rejects_export(Session& session, Flags& flags) {
  const auto folder = find_migration(session, flags);
  if (!folder) return session.failed(folder.error());
  const auto count = show_rejects(session, flags, *folder, true);
  if (!count) return session.failed(count.error());
  return ExitCode::done;
}

ExitCode run_rejects_retry(Session& session, Flags& flags) {
  const auto plan = plan_to_retry(session, flags);
  if (!plan) return session.failed(plan.error());
  const auto folder = folder_of(*plan);
  if (!folder) return session.failed(folder.error());
  const auto beside = beside_changes(*folder);
  if (!beside) return session.failed(beside.error());
  if (*beside) return reread_rejects(session, *plan, *folder);
  auto opened = open_state(plan->state_dir, migration_name(*plan), session.clock());
  if (!opened) return session.failed(opened.error());
  auto lanes = Lanes::open(*plan, 1, &session.stop());
  if (!lanes) return session.failed(lanes.error());
  const auto result = retry_rejects(session, *plan, **lanes, *opened->ledger);
  if (!result) return session.failed(result.error(), Left::place);
  session.result(fmt::format("{} written, {} refused again\n", console::grouped(result->written),
                             console::grouped(result->refused)),
                 console::retry_event(session.clock().wall(), result->written, result->refused));
  return result->refused > 0 ? ExitCode::done_with_rejects : ExitCode::done;
}

}  // namespace messina::cli
