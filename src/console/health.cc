#include "console/health.h"

#include <algorithm>

#include <fmt/format.h>

#include "console/json_line.h"
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

Check check_running(const MigrationStatus& status, std::chrono::milliseconds stalled_after) {
  const std::string who = fmt::format("pid {} on {}", status.holder_pid, status.holder_host);
  if (!status.progress) return {ExitCode::done, "running", who + " has just begun"};
  const jobs::Progress& progress = *status.progress;
  const Health health = health_of(progress, stalled_after);
  if (!health.ok) return {ExitCode::stopped, "stalled", fmt::format("{} ({})", health.reason, who)};
  std::string doing = progress.paused ? pause_text(progress)
                                      : fmt::format("{} done, {} written", percent(progress.share_done),
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
  if (status.begun && status.phase == state::JobPhase::done) {
    std::string written = counted(status.counts.written_items, "item") + " written";
    if (status.live_rejects == 0) return {ExitCode::done, "done", std::move(written)};
    return {
        ExitCode::done_with_rejects, "done with rejects",
        fmt::format("{}, {}: see `messina rejects list`", written, counted(status.live_rejects, "reject"))};
  }
  std::string text = status.begun ? to_go(status) : "nothing was copied yet";
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

Health health_of(const jobs::Progress& progress, std::chrono::milliseconds stalled_after) {
  if (progress.idle_s > std::chrono::duration<double>(stalled_after).count()) {
    return {false, one_line(fmt::format(
                       "nothing was settled for {} (limit {}) while {}{}", duration(progress.idle_s),
                       duration(std::chrono::duration<double>(stalled_after).count()),
                       progress.phase.empty() ? "starting" : progress.phase, held_by(progress)))};
  }
  if (progress.paused) return {true, one_line(pause_text(progress))};
  return {true, progress.phase.empty() ? "starting" : one_line(progress.phase)};
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
