#include "console/tables_text.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "console/events.h"
#include "console/json_line.h"
#include "console/line_parts.h"
#include "console/live_text.h"
#include "console/numbers.h"
#include "console/progress_text.h"

namespace messina::console {
namespace {

/// All tables of a run have the same.
std::string job_of(const jobs::TablesProgress& progress) {
  if (!progress.running.empty()) return progress.running.front().progress.job;
  return progress.ended.empty() ? jobs::Progress().job : progress.ended.front()->last.progress.job;
}

std::vector<LinePart> parts_of(const jobs::TablesProgress& progress) {
  std::vector<LinePart> parts;
  const std::optional<LiveTables> live = live_tables(progress);
  parts.push_back({0, job_of(progress)});
  // Live tables are never done.
  parts.push_back(
      {0, live ? counted(progress.tables, "table")
               : fmt::format("{}/{} tables", grouped(progress.tables_done), grouped(progress.tables))});
  if (progress.tables_failed > 0)
    parts.push_back({1, fmt::format("{} failed", grouped(progress.tables_failed))});
  if (live) add_live_alarms(live->together, parts);
  parts.push_back({1, percent(progress.share_done)});
  if (live && live->following > 0)
    parts.push_back({1, fmt::format("{} of {} in step", live->in_step, live->following)});
  add_volume_and_speed(progress, parts);
  if (live) add_live_speed(live->together, parts);
  const auto paused = std::ranges::count_if(
      progress.running, [](const jobs::TableProgress& table) { return table.progress.paused; });
  if (paused > 0) parts.push_back({1, fmt::format("{} paused", paused)});
  if (!progress.running.empty()) {
    // One that only stands ready says nothing about the run.
    const auto at_work = std::ranges::find_if(progress.running, [](const jobs::TableProgress& table) {
      return table.progress.phase != "queued" && table.progress.phase != "preparing";
    });
    const jobs::Progress& largest =
        (at_work == progress.running.end() ? progress.running.begin() : at_work)->progress;
    std::string text = fmt::format("{} {}", largest.table,
                                   largest.phase == "copying" ? percent(largest.share_done) : largest.phase);
    if (!largest.holder.empty() && largest.holder != "nothing") text += " held by " + largest.holder;
    parts.push_back({4, std::move(text)});
  }
  return parts;
}

std::string name_of(const jobs::TableOutcome& table) {
  return table.source == table.target ? table.source : table.source + " to " + table.target;
}

std::string end_of(const jobs::TableOutcome& table) {
  if (table.error && table.end == jobs::TableEnd::failed)
    return fmt::format("failed ({})", static_cast<int>(table.exit()));
  std::string text(jobs::to_string(table.end));
  if (table.live_rejects > 0) text += ", " + counted(table.live_rejects, "reject");
  return text;
}

bool was_begun(const jobs::TableOutcome& table) {
  return table.end == jobs::TableEnd::done || table.end == jobs::TableEnd::already_done ||
         table.end == jobs::TableEnd::in_step || table.end == jobs::TableEnd::followed ||
         table.counts.read_items > 0;
}

/// "18 done, 1 already done, 1 failed".
std::string tally(const std::vector<jobs::TableOutcome>& tables) {
  using enum jobs::TableEnd;
  std::string text;
  for (const jobs::TableEnd end :
       {done, already_done, in_step, followed, made, was_there, failed, stopped, not_begun}) {
    const auto count = std::ranges::count(tables, end, &jobs::TableOutcome::end);
    if (count == 0) continue;
    if (!text.empty()) text += ", ";
    text += fmt::format("{} {}", count, jobs::to_string(end));
  }
  return text;
}

/// Columns side by side, as wide as their widest cell; those at `right` are aligned right.
template <std::size_t N>
std::string in_columns(const std::vector<std::array<std::string, N>>& rows,
                       const std::array<bool, N>& right) {
  std::array<std::size_t, N> widths{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < N; ++i) widths[i] = std::max(widths[i], columns(row[i]));
  std::string text;
  for (const auto& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < N; ++i) {
      const std::string padding(widths[i] - columns(row[i]), ' ');
      line += " " + (right[i] ? padding + row[i] : row[i] + padding);
      if (i + 1 < N) line += ' ';
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string advice(const TablesOutcome& outcome) {
  std::string text;
  const auto exits = [&](ExitCode exit) {
    return std::ranges::any_of(outcome.tables, [exit](const auto& table) { return table.exit() == exit; });
  };
  if (exits(ExitCode::stopped))
    text += outcome.job == "migrate"
                ? "not finished; run the same command again before records are trimmed: each table goes on\n"
                : "not finished; run the same command again: finished tables are skipped, the others go on\n";
  if (std::ranges::any_of(outcome.tables, [](const auto& table) { return table.live_rejects > 0; }))
    text += fmt::format("`messina rejects list{}` shows why the target refused items\n", outcome.state_flag);
  return text;
}

}  // namespace

std::string tables_terminal_line(const jobs::TablesProgress& progress, std::size_t width) {
  return fitted_line(parts_of(progress), width);
}

std::string tables_plain_line(const jobs::TablesProgress& progress) { return whole_line(parts_of(progress)); }

namespace {

/// A JSON list of what `text` makes of each.
template <class List, class Text>
std::string list_of(const List& list, Text text) {
  std::string json = "[";
  for (const auto& each : list) {
    if (json.size() > 1) json += ',';
    json += text(each);
  }
  return json + "]";
}

JsonLine& add_sums(JsonLine& line, const jobs::TablesProgress& progress) {
  return line.whole("tables", progress.tables)
      .whole("tables_done", progress.tables_done)
      .whole("tables_failed", progress.tables_failed)
      .whole("tables_running", progress.running.size())
      .whole("tables_waiting", progress.waiting.size())
      .raw("running",
           list_of(progress.running,
                   [](const jobs::TableProgress& table) { return JsonLine::quoted(table.progress.table); }))
      .raw("counts", counts_json(progress.counts))
      .number("share_done", progress.share_done)
      .number("items_per_s", progress.items_per_s)
      .number("bytes_per_s", progress.bytes_per_s)
      .number("rcu_per_s", progress.rcu_per_s)
      .optional("eta_s", progress.eta_s)
      .number("elapsed_s", progress.elapsed_s)
      .optional("read_budget_rcu_per_s", progress.read_budget_rcu_per_s)
      .whole("write_concurrency", progress.write_concurrency);
}

std::string outcome_json(const jobs::TableOutcome& table) {
  JsonLine line;
  line.text("source_table", table.source)
      .text("target_table", table.target)
      .text("end", jobs::to_string(table.end))
      .raw("counts", counts_json(table.counts))
      .whole("live_rejects", table.live_rejects)
      .whole("changes", table.changes)
      .number("elapsed_s", table.elapsed_s)
      .whole("exit_code", static_cast<std::uint64_t>(table.exit()));
  if (table.error)
    line.raw("error", JsonLine()
                          .text("kind", to_string(table.error->kind))
                          .text("code", table.error->code)
                          .text("message", table.error->message)
                          .str());
  else
    line.null("error");
  return line.str();
}

}  // namespace

std::string tables_progress_events(WallTime time, const jobs::TablesProgress& progress) {
  std::string lines;
  for (const jobs::TableProgress& table : progress.running)
    lines += progress_event(time, table.progress) + "\n";
  JsonLine sums("tables_progress", time);
  return lines + add_sums(sums, progress).str() + "\n";
}

std::string tables_status_event(WallTime time, const jobs::TablesProgress& progress) {
  JsonLine line("tables_status", time);
  return add_sums(line, progress)
      .raw("progress",
           list_of(progress.running,
                   [](const jobs::TableProgress& table) { return progress_fields(table.progress); }))
      .raw("ended", list_of(progress.ended, [](const auto& table) { return outcome_json(table->outcome); }))
      .raw("waiting", list_of(progress.waiting, JsonLine::quoted))
      .str();
}

std::string tables_text(const TablesOutcome& outcome) {
  std::string text = fmt::format("{} in {}: {}\n", counted(outcome.tables.size(), "table"),
                                 duration(outcome.elapsed_s), tally(outcome.tables));
  std::vector<std::array<std::string, 5>> rows;
  state::Counts sum;
  for (const jobs::TableOutcome& table : outcome.tables) {
    sum += table.counts;
    auto& row = rows.emplace_back();
    row[0] = name_of(table);
    row[1] = end_of(table);
    if (outcome.job == "schema" || !was_begun(table)) continue;
    row[2] = counted(table.counts.read_items, "item");
    row[3] = bytes(static_cast<double>(table.counts.read_bytes));
    if (outcome.job == "migrate") row[4] = counted(table.changes, "change");
    if (table.end == jobs::TableEnd::done) row[4] = duration(table.elapsed_s);
  }
  text += in_columns<5>(rows, {false, false, true, true, true});
  if (outcome.job != "schema")
    text += fmt::format("together {}, {}; {} written, {} rejected\n", counted(sum.read_items, "item"),
                        bytes(static_cast<double>(sum.read_bytes)), grouped(sum.written_items),
                        grouped(sum.rejected_items));
  for (const jobs::TableOutcome& table : outcome.tables)
    if (table.error && table.end == jobs::TableEnd::failed)
      text += fmt::format("{}: {}\n", table.source, one_line(table.error->message));
  return text + advice(outcome);
}

std::string tables_event(WallTime time, const TablesOutcome& outcome) {
  state::Counts sum;
  for (const jobs::TableOutcome& table : outcome.tables) sum += table.counts;
  return JsonLine("tables", time)
      .text("job", outcome.job)
      .raw("tables", list_of(outcome.tables, outcome_json))
      .raw("counts", counts_json(sum))
      .number("elapsed_s", outcome.elapsed_s)
      .whole("exit_code", static_cast<std::uint64_t>(jobs::worst(outcome.tables)))
      .str();
}

}  // namespace messina::console
