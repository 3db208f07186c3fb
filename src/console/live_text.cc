#include "console/live_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "console/numbers.h"
#include "console/progress_text.h"

namespace messina::console {
namespace {

/// What waits for longer is told with its age.
constexpr double kOldChangeS = 10;

std::string not_in_step(const jobs::LiveProgress& live) {
  // The alarm has said it of a gap.
  if (!open_gaps(live).empty() || live.not_in_step.empty()) return "not in step";
  return "not in step: " + live.not_in_step.front();
}

/// "23 h 59 min", or that it is over.
std::string trimmed_text(double seconds) {
  if (seconds < 0) return "records that were not read may be trimmed already";
  return fmt::format("the oldest record that may be unread is trimmed in {}", duration(seconds));
}

void add_line(std::string& text, const char* label, const std::string& what) {
  text += fmt::format("  {:<10} {}\n", label, one_line(what));
}

/// "capture, copy (done), apply (waiting: …)"
std::string roles_text(const jobs::LiveProgress& live) {
  std::string text;
  for (const jobs::RoleNote& note : live.roles) {
    text += (text.empty() ? "" : ", ") + note.role;
    if (note.state == jobs::role_state::kRunning) continue;
    text += fmt::format(" ({}{}{})", note.state, note.why.empty() ? "" : ": ", note.why);
  }
  return text;
}

std::string stream_text(const jobs::LiveProgress& live) {
  std::string text = live.stream_view.empty() ? "" : live.stream_view + ", ";
  text += fmt::format("{} captured, {} a second", counted(live.events, "change"), rate(live.events_per_s));
  if (live.until_trimmed_s) text += "; " + trimmed_text(*live.until_trimmed_s);
  return text;
}

std::string spool_text(const jobs::LiveProgress& live) {
  std::string text = fmt::format(
      "at most {}, {}; {} free on its disk", counted(live.spool_keys_at_most, "key"),
      bytes(static_cast<double>(live.spool_bytes)), bytes(static_cast<double>(live.disk_free_bytes)));
  if (live.disk_full_in_s) text += fmt::format(", full in {} at this pace", duration(*live.disk_full_in_s));
  if (live.spool_reduced > 0)
    text += fmt::format("; at most {} reduced to marks, which cost about {} RCU to read again",
                        counted(live.spool_reduced, "change"), grouped(live.spool_reduced_rcu));
  return text;
}

std::string applied_text(const jobs::LiveProgress& live) {
  std::string text =
      fmt::format("{} written, {} removed, {} read again, {} a second", counted(live.applied, "key"),
                  grouped(live.removed), grouped(live.reread), rate(live.applied_per_s));
  if (live.lag_s) text += "; lag " + duration(*live.lag_s);
  return text;
}

}  // namespace

bool follows(const jobs::Progress& progress) {
  if (progress.phase == "following") return true;
  if (!progress.live) return false;
  const bool all_copied =
      progress.units > 0 && progress.units_done + progress.units_skipped >= progress.units;
  // Without units there is nothing to copy for this process: it captures or applies only.
  if (progress.phase == "paused") return all_copied || progress.units == 0;
  return all_copied && (progress.phase == "done" || progress.phase == "stopped");
}

std::vector<std::string> open_gaps(const jobs::LiveProgress& live) {
  const auto healing = std::min<std::size_t>(live.gaps_healing, live.gaps.size());
  return {live.gaps.begin() + static_cast<std::ptrdiff_t>(healing), live.gaps.end()};
}

void add_live_alarms(const jobs::LiveProgress& live, std::vector<LinePart>& parts) {
  const std::size_t open = open_gaps(live).size();
  if (open == 1) parts.push_back({0, "GAP: changes were missed"});
  if (open > 1) parts.push_back({0, grouped(open) + " GAPS: changes were missed"});
  if (open < live.gaps.size()) parts.push_back({1, "healing " + counted(live.gaps.size() - open, "gap")});
  if (live.spool_full) parts.push_back({0, "SPOOL FULL: nothing is captured"});
  if (!live.until_trimmed_s || *live.until_trimmed_s >= kTrimSpokenOfS) return;
  const double left = *live.until_trimmed_s;
  if (left < 0)
    parts.push_back({0, "UNREAD RECORDS MAY BE TRIMMED"});
  else if (left < kTrimUrgentS)
    parts.push_back({0, "UNREAD RECORDS ARE TRIMMED IN " + duration(left)});
  else
    parts.push_back({1, "unread records are trimmed in " + duration(left)});
}

void add_live_speed(const jobs::LiveProgress& live, std::vector<LinePart>& parts) {
  if (live.lag_s) parts.push_back({2, "lag " + duration(*live.lag_s)});
  parts.push_back({3, rate(live.events_per_s) + " changes/s"});
  std::string waiting =
      fmt::format("{} {} {}", grouped(live.spool_keys_at_most), live.spool_keys_at_most == 1 ? "key" : "keys",
                  live.spool_keys_at_most == 1 ? "waits" : "wait");
  if (live.oldest_change_s.value_or(0) >= kOldChangeS)
    waiting += fmt::format(", the oldest for {}", duration(*live.oldest_change_s));
  parts.push_back({4, std::move(waiting)});
}

void add_following(const jobs::LiveProgress& live, std::vector<LinePart>& parts) {
  parts.push_back({0, live.in_step ? "in step" : not_in_step(live)});
  add_live_speed(live, parts);
}

std::optional<LiveTables> live_tables(const jobs::TablesProgress& progress) {
  std::optional<LiveTables> tables;
  const auto least = [](std::optional<double>& all, const std::optional<double>& one) {
    if (one) all = std::min(all.value_or(*one), *one);
  };
  const auto most = [](std::optional<double>& all, const std::optional<double>& one) {
    if (one) all = std::max(all.value_or(*one), *one);
  };
  for (const jobs::TableProgress& table : progress.running) {
    if (!table.progress.live) continue;
    if (!tables) tables.emplace();
    const jobs::LiveProgress& one = *table.progress.live;
    jobs::LiveProgress& all = tables->together;
    all.events += one.events;
    all.events_per_s += one.events_per_s;
    all.spool_keys_at_most += one.spool_keys_at_most;
    all.spool_bytes += one.spool_bytes;
    all.spool_full = all.spool_full || one.spool_full;
    least(all.until_trimmed_s, one.until_trimmed_s);
    most(all.last_polled_s, one.last_polled_s);
    most(all.oldest_change_s, one.oldest_change_s);
    most(all.lag_s, one.lag_s);
    for (const std::string& gap : open_gaps(one)) all.gaps.push_back(table.progress.table + ": " + gap);
    if (!follows(table.progress)) continue;
    ++tables->following;
    if (one.in_step) ++tables->in_step;
  }
  return tables;
}

std::string heal_text(bool running) {
  return std::string(running ? "stop it, and " : "") +
         "run the same command with --heal (`messina migrate … --heal`): history is copied again, and keys "
         "that "
         "only the target has are looked for";
}

std::string gaps_text(const std::vector<std::string>& gaps, bool running) {
  if (gaps.empty()) return "";
  std::string text = counted(gaps.size(), "gap") + " in what was captured: " + gaps.front();
  if (gaps.size() > 1) text += fmt::format("; and {} more", grouped(gaps.size() - 1));
  return text + "; " + heal_text(running);
}

std::optional<LiveTrouble> live_trouble(const jobs::LiveProgress& live) {
  if (const auto open = open_gaps(live); !open.empty())
    return LiveTrouble{ExitCode::needs_person, "needs a person", gaps_text(open, true)};
  std::string text;
  if (live.spool_full)
    text = fmt::format("the spool is full ({}, {} free on its disk): nothing is captured until there is room",
                       bytes(static_cast<double>(live.spool_bytes)),
                       bytes(static_cast<double>(live.disk_free_bytes)));
  if (live.until_trimmed_s && *live.until_trimmed_s < kTrimUrgentS)
    text += fmt::format("{}{}: capture must go on before, or changes are missed", text.empty() ? "" : "; ",
                        trimmed_text(*live.until_trimmed_s));
  if (text.empty()) return std::nullopt;
  return LiveTrouble{ExitCode::stopped, "at risk", std::move(text)};
}

std::string gap_lines(const std::vector<std::string>& gaps, bool running) {
  std::string text;
  for (const std::string& gap : gaps) add_line(text, "GAP", gap);
  if (!gaps.empty()) add_line(text, "to mend", heal_text(running));
  return text;
}

std::string live_status_text(const jobs::LiveProgress& live) {
  std::string text = gap_lines(open_gaps(live), true);
  for (std::size_t i = 0; i < live.gaps.size() && i < live.gaps_healing; ++i)
    add_line(text, "healing", live.gaps[i]);
  if (live.spool_full) add_line(text, "FULL", "the spool has no room: nothing is captured until it has");
  if (!live.roles.empty()) add_line(text, "does", roles_text(live));
  add_line(text, "stream", stream_text(live));
  add_line(
      text, "shards",
      fmt::format(
          "{} are read, {} wait for their parents, {} are read to their end{}", grouped(live.shards_reading),
          grouped(live.shards_waiting), grouped(live.shards_drained),
          live.last_polled_s ? "; all open ones have answered within " + duration(*live.last_polled_s) : ""));
  add_line(text, "spool", spool_text(live));
  add_line(text, "waiting",
           live.oldest_change_s ? fmt::format("the oldest change for {}", duration(*live.oldest_change_s))
                                : "no change");
  add_line(text, "applied", applied_text(live));
  if (live.in_step) {
    add_line(text, "in step", "yes");
    return text;
  }
  add_line(text, "in step", live.not_in_step.empty() ? "no" : "no: " + live.not_in_step.front());
  for (std::size_t i = 1; i < live.not_in_step.size(); ++i) add_line(text, "", live.not_in_step[i]);
  return text;
}

}  // namespace messina::console
