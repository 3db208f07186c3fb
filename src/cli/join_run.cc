#include "cli/join_run.h"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/copy_job.h"
#include "cli/follow_run.h"
#include "cli/load_plan.h"
#include "cli/migrations.h"
#include "jobs/copy_start.h"

namespace messina::cli {
namespace {

/// A process has the lock before it has its socket.
constexpr auto kSocketAtMost = std::chrono::seconds(3);
constexpr auto kLookAgain = std::chrono::milliseconds(100);

using Names = std::vector<std::string>;

std::string joined(const Names& names) { return fmt::format("{}", fmt::join(names, ", ")); }

/// What cannot be asked of a process that runs.
Names only_at_start(const plan::CopyPlan& plan, const Flags& flags) {
  Names names;
  if (plan.restart) names.emplace_back("--restart");
  if (plan.take_over) names.emplace_back("--take-over");
  if (flags.live.heal) names.emplace_back("--heal");
  if (flags.live.delete_extra) names.emplace_back("--delete-extra");
  return names;
}

/// What decides about what is written, and differs.
Names differences(const plan::CopyPlan& asked, const plan::CopyPlan& running) {
  Names names;
  if (asked.transform.renames != running.transform.renames) names.emplace_back("renames");
  if (asked.transform.drops != running.transform.drops) names.emplace_back("dropped attributes");
  if (asked.segments != running.segments) names.emplace_back("segments");
  if (asked.skip_segments != running.skip_segments) names.emplace_back("skipSegments");
  if (asked.eventually_consistent != running.eventually_consistent)
    names.emplace_back("--eventually-consistent");
  return names;
}

/// What was given here and is the other process's to decide: its pace, its bounds, its clocks.
Names others_pace(const plan::CopyPlan& asked, const plan::CopyPlan& running, const Flags& flags) {
  const plan::CopyPlan nothing;
  Names names;
  const auto add = [&](const auto& mine, const auto& its, const auto& none, const char* flag) {
    if (mine != its && mine != none) names.emplace_back(flag);
  };
  add(asked.read_rcu_per_s, running.read_rcu_per_s, nothing.read_rcu_per_s, "--read-rcu");
  add(asked.read_share, running.read_share, nothing.read_share, "--read-share");
  add(asked.write_wcu_per_s, running.write_wcu_per_s, nothing.write_wcu_per_s, "--write-wcu");
  add(asked.write_share, running.write_share, nothing.write_share, "--write-share");
  add(asked.write_concurrency, running.write_concurrency, nothing.write_concurrency, "--write-concurrency");
  add(asked.loops, running.loops, nothing.loops, "--loops");
  add(asked.memory_bytes, running.memory_bytes, nothing.memory_bytes, "--memory");
  add(asked.clock_error, running.clock_error, nothing.clock_error, "--clock-error");
  add(asked.dead_after, running.dead_after, nothing.dead_after, "--dead-after");
  if (flags.draft.spool_max_bytes) names.emplace_back("--spool-max");
  if (flags.draft.stream_retention) names.emplace_back("--stream-retention");
  if (flags.draft.allowed_lag) names.emplace_back("--allowed-lag");
  if (flags.listen) names.emplace_back("--listen");
  return names;
}

Result<console::ControlAnswer> ask_to_join(Session& session, const std::filesystem::path& folder,
                                           const console::MigrationStatus& status,
                                           const console::ControlRequest& request) {
  const MonoTime patience = session.clock().now() + kSocketAtMost;
  for (;;) {
    auto answer = ask_running(folder, status, request);
    const bool no_socket = !answer && answer.error().kind == ErrorKind::not_found;
    if (!no_socket || session.clock().now() >= patience || session.stop().requested()) return answer;
    if (!state::MigrationLock::holder(folder)) return answer;
    pause_for(session.stop(), kLookAgain);
  }
}

}  // namespace

std::optional<ExitCode> join_holder(Session& session, const plan::CopyPlan& plan, const Flags& flags,
                                    const jobs::Roles& roles, const Error& in_use) {
  if (in_use.kind != ErrorKind::needs_person) return std::nullopt;
  const std::filesystem::path folder =
      std::filesystem::path(plan.state_dir) / state::migration_folder(migration_name(plan));
  auto status = read_status(folder);
  if (!status || !status->running || !runs_here(*status)) return std::nullopt;
  const std::string who = name_of_holder(*status);
  const auto refuse = [&](const std::string& why) {
    return session.failed(Error{ErrorKind::needs_person, fmt::format("{} (since {}) runs this migration{}",
                                                                     who, status->holder_since, why)});
  };
  if (const Names names = only_at_start(plan, flags); !names.empty())
    return refuse(fmt::format(", and {} cannot be asked of a process that runs: stop it, then run this again",
                              joined(names)));
  const auto running = remembered_plan(folder);
  if (running) {
    if (const Names names = differences(plan, *running); !names.empty())
      return refuse(fmt::format(" with another plan: {} differ. Give it the same, or wait for it, or stop it",
                                joined(names)));
  }
  console::ControlRequest request;
  request.verb = console::ControlRequest::Verb::join;
  request.wish.roles = roles;
  request.wish.enable_stream = plan.live.enable_stream;
  request.wish.skip_expired = plan.live.skip_expired;
  request.wish.into_existing = plan.into_existing;
  const bool was_done = status->begun && status->phase == state::JobPhase::done;
  const std::int64_t asked = jobs::unix_ms(session.clock().wall());
  const auto answer = ask_to_join(session, folder, *status, request);
  if (!answer) {
    if (!state::MigrationLock::holder(folder))
      return session.failed(
          {ErrorKind::stopped, fmt::format("{} has just ended: run the same command again", who)});
    const bool answered = answer.error().kind == ErrorKind::usage;
    return refuse(
        (answered ? "; asked to do this as well, it says: " : ", and cannot be asked to do this as well: ") +
        answer.error().message);
  }
  session.only_looks_on();
  session.notice("info",
                 fmt::format("{} does this now, since {}: it is followed here; Ctrl-C leaves it running", who,
                             status->holder_since));
  if (running)
    if (const Names names = others_pace(plan, *running, flags); !names.empty())
      session.notice("info",
                     fmt::format("{}: it keeps its own; `messina set` changes its pace", joined(names)));
  session.board().publish(answer->snapshot);
  return follow(session, plan,
                {.folder = folder,
                 .holder = *status,
                 .roles = roles,
                 .wish = answer->wish,
                 .until_in_step = flags.live.until_in_step,
                 .asked_unix_ms = asked,
                 .was_done = was_done});
}

}  // namespace messina::cli
