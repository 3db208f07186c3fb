#include "cli/follow_run.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cli/copy_job.h"
#include "cli/load_plan.h"
#include "cli/migrations.h"
#include "console/json_line.h"
#include "console/summary.h"

namespace messina::cli {
namespace {

/// Between two looks at the holder's snapshot, which it renews five times a second.
constexpr auto kLook = std::chrono::milliseconds(250);

class Follower {
 public:
  Follower(Session& session, const plan::CopyPlan& plan, const FollowAim& aim)
      : session_(session), plan_(plan), aim_(aim), who_(name_of_holder(aim.holder)) {}

  ExitCode run() {
    session_.display().start();
    while (!session_.stop().requested()) {
      if (const auto end = look()) return *end;
      pause_for(session_.stop(), kLook);
    }
    session_.display().stop();
    session_.notice("info", fmt::format("{} goes on by itself; Ctrl-C there, or `kill {}`, stops it", who_,
                                        aim_.holder.holder_pid));
    return ExitCode::done;
  }

 private:
  bool copies_only() const { return aim_.roles.copy && !aim_.roles.capture && !aim_.roles.apply; }

  std::optional<ExitCode> look() {
    const auto answer = ask_running(aim_.folder, aim_.holder, {});
    if (answer) {
      silent_ = false;
      last_ = answer->snapshot;
      saw_copying_ =
          saw_copying_ || last_.phase == "copying" || last_.phase == "finishing" || last_.phase == "waiting";
      session_.board().publish(last_);
      return judge(last_);
    }
    const auto holder = state::MigrationLock::holder(aim_.folder);
    const bool the_same =
        holder && holder->pid == aim_.holder.holder_pid && holder->host == aim_.holder.holder_host;
    if (!the_same) return holder_ended();
    if (!std::exchange(silent_, true)) session_.notice("warning", answer.error().message);
    return std::nullopt;
  }

  /// The process has looked at what it was asked for, and this is how the part stands since.
  const jobs::RoleNote* note(const jobs::Progress& now, jobs::Role role) const {
    const jobs::RoleNote* const found = jobs::note_of(now, role);
    return found != nullptr && found->wish >= aim_.wish ? found : nullptr;
  }

  std::optional<ExitCode> judge(const jobs::Progress& now) {
    if (!now.live) return std::nullopt;  // it prepares; or it only copies, and ends by itself
    for (const jobs::Role role : jobs::kAllRoles) {
      if (!jobs::has(aim_.roles, role)) continue;
      const jobs::RoleNote* const part = note(now, role);
      if (part != nullptr && part->state == jobs::role_state::kFailed) return could_not_begin(*part);
    }
    if (copies_only()) {
      const jobs::RoleNote* const copy = note(now, jobs::Role::copy);
      if (copy == nullptr || copy->state != jobs::role_state::kDone) return std::nullopt;
      return say_copied();
    }
    if (!aim_.until_in_step) return std::nullopt;
    if (!now.live->needs_person.empty())
      return session_.failed(
          {ErrorKind::needs_person, fmt::format("{} ({} goes on)", now.live->needs_person, who_)});
    if (now.live->complete_until_unix_ms.value_or(0) <= aim_.asked_unix_ms) return std::nullopt;
    return say_in_step();
  }

  ExitCode could_not_begin(const jobs::RoleNote& part) {
    const ErrorKind kind = console::kind_of(static_cast<ExitCode>(part.exit_code));
    return session_.failed({kind, fmt::format("{} cannot begin to {}: {} (it goes on with the rest)", who_,
                                              part.role, part.why)});
  }

  /// What the ledger has of the copy.
  Result<jobs::CopySummary> copied() const {
    auto ledger = open_ledger(aim_.folder, state::Access::read_only);
    if (!ledger) return fail(ledger.error());
    const auto job = (*ledger)->load();
    if (!job) return fail(job.error());
    jobs::CopySummary summary = *job ? summary_of(**job) : jobs::CopySummary();
    summary.was_already_done = aim_.was_done && !saw_copying_;
    summary.elapsed = std::chrono::milliseconds(static_cast<std::int64_t>(last_.elapsed_s * 1000));
    return summary;
  }

  ExitCode say_copied() {
    auto summary = copied();
    if (!summary) return session_.failed(summary.error());
    return report_copy(session_, plan_, {std::move(*summary), {}});
  }

  ExitCode say_in_step() {
    session_.display().stop();
    const auto summary = copied();
    if (!summary) return session_.failed(summary.error());
    console::MigrateOutcome outcome;
    outcome.source = migration_name(plan_).source;
    outcome.target = migration_name(plan_).target;
    outcome.summary.copy = *summary;
    outcome.summary.live = last_.live.value_or(jobs::LiveProgress());
    outcome.summary.history_done = outcome.summary.ended_by_itself = true;
    outcome.summary.live_rejects = summary->live_rejects;
    outcome.exit = summary->live_rejects > 0 ? ExitCode::done_with_rejects : ExitCode::done;
    if (plan_.state_dir != plan::CopyPlan().state_dir) outcome.state_flag = " --state " + plan_.state_dir;
    session_.result(console::migrate_summary_text(outcome),
                    console::migrate_summary_event(session_.clock().wall(), outcome));
    return outcome.exit;
  }

  ExitCode holder_ended() {
    auto status = read_status(aim_.folder);
    if (!status) return session_.failed(status.error());
    const bool done = status->begun && status->phase == state::JobPhase::done;
    if (copies_only() && done) return say_copied();
    if (status->running)
      return session_.failed(
          {ErrorKind::stopped, fmt::format("{} has ended, and {} runs it now: run the same "
                                           "command again to follow that",
                                           who_, name_of_holder(*status))});
    if (status->last_end) {
      const console::LastEnd& end = *status->last_end;
      return session_.failed(
          {console::kind_of(end.exit), fmt::format("{} has ended: {}", who_, end.message)});
    }
    if (status->progress && status->progress->live && status->progress->phase == "done") {
      last_ = std::move(*status->progress);
      return say_in_step();
    }
    const char* how = status->heartbeat_unix_ms ? "was killed" : "was stopped";
    return session_.failed(
        {ErrorKind::stopped, fmt::format("{} {}: nobody does this now. Run the same command "
                                         "again, and it goes on",
                                         who_, how)});
  }

  Session& session_;
  const plan::CopyPlan& plan_;
  const FollowAim& aim_;
  const std::string who_;
  jobs::Progress last_;
  bool saw_copying_ = false;
  bool silent_ = false;  ///< it gave no answer when it was asked last
};

}  // namespace

std::string name_of_holder(const console::MigrationStatus& status) {
  return fmt::format("pid {} on {}", status.holder_pid, status.holder_host);
}

void pause_for(Stop& stop, std::chrono::milliseconds time) {
  // Shared: a stop that has begun calls back although the registration is gone.
  struct Waiter {
    std::mutex mutex;
    std::condition_variable wake;
    bool stopped = false;
  };
  const auto waiter = std::make_shared<Waiter>();
  const Stop::Registration on_stop = stop.on_request([waiter] {
    const std::lock_guard lock(waiter->mutex);
    waiter->stopped = true;
    waiter->wake.notify_all();
  });
  std::unique_lock lock(waiter->mutex);
  waiter->wake.wait_for(lock, time, [&waiter] { return waiter->stopped; });
}

ExitCode follow(Session& session, const plan::CopyPlan& plan, const FollowAim& aim) {
  return Follower(session, plan, aim).run();
}

}  // namespace messina::cli
