#include "console/health.h"

#include <algorithm>

#include <fmt/format.h>

#include "console/json_line.h"
#include "console/live_text.h"
#include "console/numbers.h"
#include "console/progress_text.h"

namespace messina::console {
namespace {

std::string held_by(const jobs::Progress& progress) {
  if (progress.holder.empty() || progress.holder == "nothing") return "";
  return fmt::format(", held by {}{}{}", progress.holder, progress.holder_detail.empty() ? "" : ": ",
                     progress.holder_detail);
}

std::string to_go(const MigrationStatus& status) {
  return fmt::format("{} of {} segments done, {} written", grouped(status.units_done), grouped(status.units),
                     counted(status.counts.written_items, "item"));
}

/// "in step, lag 0.3 s", "not in step: …".
std::string step_text(const jobs::LiveProgress& live) {
  if (!live.in_step)
    return live.not_in_step.empty() ? "not in step" : "not in step: " + live.not_in_step.front();
  return live.lag_s ? "in step, lag " + duration(*live.lag_s) : "in step";
}

Check check_running(const MigrationStatus& status, std::chrono::milliseconds stalled_after) {
  const std::string who = fmt::format("pid {} on {}", status.holder_pid, status.holder_host);
  if (!status.progress) return {ExitCode::done, "running", who + " has just begun"};
  const jobs::Progress& progress = *status.progress;
  std::optional<LiveTrouble> trouble;
  if (progress.live)
    trouble = live_trouble(*progress.live);
  else if (!status.gaps.empty())
    trouble = {ExitCode::needs_person, "needs a person", gaps_text(status.gaps, status.running)};
  const Health health = health_of(progress, stalled_after);
  // A stall is the cause of what is about to be missed; what was missed is worse.
  if (!health.ok && !(trouble && trouble->exit == ExitCode::needs_person))
    return {ExitCode::stopped, "stalled", fmt::format("{} ({})", health.reason, who)};
  if (trouble) return {trouble->exit, trouble->state, fmt::format("{} ({})", trouble->text, who)};
  std::string doing;
  if (progress.paused)
    doing = pause_text(progress);
  else if (progress.live && follows(progress))
    doing = "following, " + step_text(*progress.live);
  else
    doing = fmt::format("{} done, {} written", percent(progress.share_done),
                        counted(progress.counts.written_items, "item"));
  if (status.live_rejects > 0) doing += fmt::format(", {}", counted(status.live_rejects, "reject"));
  return {ExitCode::done, progress.paused ? "paused" : "running", fmt::format("{} ({})", doing, who)};
}

Check check_idle(const MigrationStatus& status) {
  if (status.folder.empty())
    return {ExitCode::stopped, "not begun", "the state directory holds nothing of it yet"};
  const std::optional<LastEnd>& end = status.last_end;
  if (end && end->exit == ExitCode::needs_person)
    return {ExitCode::needs_person, "needs a person", fmt::format("{} (at {})", end->message, end->at)};
  if (!status.gaps.empty())
    return {ExitCode::needs_person, "needs a person", gaps_text(status.gaps, status.running)};
  if (status.begun && status.phase == state::JobPhase::done && !must_follow(status)) {
    std::string written = counted(status.counts.written_items, "item") + " written";
    if (status.live_rejects == 0) return {ExitCode::done, "done", std::move(written)};
    return {
        ExitCode::done_with_rejects, "done with rejects",
        fmt::format("{}, {}: see `messina rejects list`", written, counted(status.live_rejects, "reject"))};
  }
  // Tables that were compared, and not moved from here.
  if (!status.begun && status.verify && status.verify->phase == "done") {
    const jobs::VerifyProgress& verify = *status.verify;
    const std::uint64_t differences = verify.missing + verify.extra + verify.differs;
    if (differences == 0) return {ExitCode::done, "verified", "no difference was found"};
    return {ExitCode::done_with_rejects, "differs",
            fmt::format("{}: see `messina diff`", counted(differences, "difference"))};
  }
  std::string text = status.begun && status.units > 0 ? to_go(status) : "nothing was copied yet";
  if (must_follow(status)) text = "history is copied, and nobody follows the changes since";
  if (end)
    text += fmt::format("; the last run ended at {}: {}", end->at, end->message);
  else if (status.unclean)
    text += "; the last run was killed";
  const bool to_mend = end && end->exit == ExitCode::wrong_usage;
  return {ExitCode::stopped, "stopped",
          text + (to_mend ? "; mend that, then run the same command again" : "; run the same command again")};
}

}  // namespace

std::string pause_text(const jobs::Progress& progress) {
  if (!progress.paused) return "";
  const auto note = std::ranges::find(progress.steering, "paused", &jobs::SteeringNote::setting);
  if (note == progress.steering.end()) return "paused";
  return fmt::format("paused by {} since {}", note->by,
                     iso_time(WallTime(std::chrono::milliseconds(note->at_unix_ms))));
}

namespace {

Health health_of_follower(const jobs::Progress& progress, double limit_s) {
  // Its idle_s stays at 0 while it tells of itself (jobs/progress.h).
  if (progress.idle_s > limit_s)
    return {false, fmt::format("nothing was told for {} (limit {}) while {}", duration(progress.idle_s),
                               duration(limit_s), progress.phase)};
  if (progress.paused) return {true, one_line(pause_text(progress))};
  if (!progress.live) return {true, one_line(progress.phase)};
  const jobs::LiveProgress& live = *progress.live;
  if (live.applying && live.applied_per_s <= 0 && live.oldest_change_s.value_or(0) > limit_s) {
    const std::string why = progress.holder_detail.empty() ? "" : ": " + progress.holder_detail;
    return {false, one_line(fmt::format("a change has waited for {} (limit {}) and none is applied{}",
                                        duration(*live.oldest_change_s), duration(limit_s), why))};
  }
  const std::optional<LiveTrouble> trouble = live_trouble(live);
  return {true, one_line(fmt::format("{}, {}", progress.phase, trouble ? trouble->text : step_text(live)))};
}

}  // namespace

Health health_of(const jobs::Progress& progress, std::chrono::milliseconds stalled_after) {
  if (follows(progress))
    return health_of_follower(progress, std::chrono::duration<double>(stalled_after).count());
  if (progress.idle_s > std::chrono::duration<double>(stalled_after).count()) {
    return {false, one_line(fmt::format(
                       "nothing was settled for {} (limit {}) while {}{}", duration(progress.idle_s),
                       duration(std::chrono::duration<double>(stalled_after).count()),
                       progress.phase.empty() ? "starting" : progress.phase, held_by(progress)))};
  }
  if (progress.paused) return {true, one_line(pause_text(progress))};
  std::string doing = progress.phase.empty() ? "starting" : progress.phase;
  if (progress.live)
    if (const auto trouble = live_trouble(*progress.live)) doing += ", " + trouble->text;
  return {true, one_line(doing)};
}

Health health_of(const jobs::TablesProgress& progress, std::chrono::milliseconds stalled_after) {
  static constexpr std::size_t kMostNamed = 3;
  std::string sick;
  std::size_t count = 0, paused = 0;
  for (const jobs::TableProgress& table : progress.running) {
    if (table.progress.paused) ++paused;
    const Health health = health_of(table.progress, stalled_after);
    if (health.ok || ++count > kMostNamed) continue;
    sick += fmt::format("{}{}: {}", sick.empty() ? "" : "; ", table.progress.table, health.reason);
  }
  if (count > kMostNamed) sick += fmt::format("; and {} more", count - kMostNamed);
  if (count > 0) return {false, one_line(sick)};
  std::string text =
      fmt::format("{} of {} done", grouped(progress.tables_done), counted(progress.tables, "table"));
  const auto add = [&text](std::size_t number, const char* what) {
    if (number > 0) text += fmt::format(", {} {}", grouped(number), what);
  };
  add(progress.running.size(), "running");
  add(paused, "of them paused");
  add(progress.waiting.size(), "to come");
  if (progress.tables_failed > 0) {
    text += fmt::format(", {} failed: ", grouped(progress.tables_failed));
    std::size_t named = 0;
    for (const auto& table : progress.ended) {
      if (!table->outcome.error || ++named > kMostNamed) continue;
      text += fmt::format("{}{}", named == 1 ? "" : ", ", table->outcome.source);
    }
    if (named > kMostNamed) text += ", …";
  }
  return {true, one_line(text)};
}

Check check(const MigrationStatus& status, std::chrono::milliseconds stalled_after) {
  return status.running ? check_running(status, stalled_after) : check_idle(status);
}

Check check(const Error& error) {
  const ExitCode exit = exit_code(error.kind);
  return {exit, exit == ExitCode::needs_person ? "needs a person" : "unreadable", error.message};
}

std::string check_line(const Check& check, std::string_view name) {
  return one_line(fmt::format("{}: {}: {}", check.state, name, check.reason)) + "\n";
}

}  // namespace messina::console
