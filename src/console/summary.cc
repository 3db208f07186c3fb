#include "console/summary.h"

#include <utility>

#include <fmt/format.h>

#include "console/json_line.h"
#include "console/live_text.h"
#include "console/numbers.h"
#include "console/progress_text.h"
#include "console/verify_text.h"

namespace messina::console {
namespace {

/// "one of 12 tables: 3 done, 4 running, 5 to come; together at most 4,000 RCU/s read, 256 writes at once".
std::string run_text(const RunOfTables& run) {
  std::string text = fmt::format("one of {}", counted(run.tables, "table"));
  const char* before = ": ";
  for (const auto& [count, what] : {std::pair(run.done, "done"), std::pair(run.failed, "failed"),
                                    std::pair(run.running, "running"), std::pair(run.waiting, "to come")}) {
    if (count == 0) continue;
    text += fmt::format("{}{} {}", std::exchange(before, ", "), grouped(count), what);
  }
  return text + "; together at most " + together_text(run);
}

std::string rejects_text(std::uint64_t live_rejects, const std::string& state_flag) {
  if (live_rejects == 0) return "";
  return fmt::format("{} live: `messina rejects list{}` shows why the target refused\n",
                     live_rejects == 1 ? std::string("1 reject is") : grouped(live_rejects) + " rejects are",
                     state_flag);
}

const char* items(std::uint64_t count) { return count == 1 ? "item" : "items"; }

}  // namespace

Result<void> check_counts(const state::Counts& counts) {
  if (counts.read_items == counts.written_items + counts.rejected_items) return {};
  return fail(
      ErrorKind::internal,
      fmt::format(
          "the ledger's numbers do not add up: read {}, written {}, rejected {}; this is a bug of messina, "
          "please report it with the state directory's ledger.db",
          grouped(counts.read_items), grouped(counts.written_items), grouped(counts.rejected_items)));
}

std::string together_text(const RunOfTables& run) {
  std::string text;
  if (run.read_budget_rcu_per_s) text = rate(*run.read_budget_rcu_per_s) + " RCU/s read, ";
  return text + fmt::format("{} at once", counted(run.write_concurrency, "write"));
}

std::string summary_text(const Outcome& outcome) {
  const jobs::CopySummary& summary = outcome.summary;
  const state::Counts& counts = summary.counts;
  std::string text;
  if (!outcome.finished)
    text += fmt::format("so far: {} to {}\n", outcome.source, outcome.target);
  else if (summary.was_already_done)
    text += fmt::format("already done, nothing written: {} to {}\n", outcome.source, outcome.target);
  else
    text += fmt::format("copied {} to {} in {}\n", outcome.source, outcome.target,
                        duration(static_cast<double>(summary.elapsed.count()) / 1000));
  const std::string read = grouped(counts.read_items), written = grouped(counts.written_items),
                    rejected = grouped(counts.rejected_items);
  const std::size_t width = read.size();
  text += fmt::format("  read      {:>{}} {}, {}\n", read, width, items(counts.read_items),
                      bytes(static_cast<double>(counts.read_bytes)));
  text += fmt::format("  written   {:>{}} {}\n", written, width, items(counts.written_items));
  text += fmt::format("  rejected  {:>{}} {}\n", rejected, width, items(counts.rejected_items));
  if (summary.units_skipped > 0)
    text += fmt::format("  left out  {} of {}, as told\n", counted(summary.units_skipped, "segment"),
                        grouped(summary.units));
  if (counts.rcu > 0)
    text += fmt::format("  cost      {} RCU read\n", grouped(static_cast<std::uint64_t>(counts.rcu + 0.5)));
  return text + rejects_text(summary.live_rejects, outcome.state_flag);
}

namespace {

void add_gaps(std::string& text, const jobs::LiveProgress& live) {
  for (const std::string& gap : live.gaps) text += fmt::format("GAP: {}\n", one_line(gap));
  if (!open_gaps(live).empty()) text += "to mend that, " + heal_text(false) + "\n";
}

std::string waiting_text(const jobs::LiveProgress& live) {
  if (live.spool_keys_at_most == 0) return "  waiting   no change\n";
  std::string text =
      fmt::format("  waiting   at most {} in the spool, {}", counted(live.spool_keys_at_most, "key"),
                  bytes(static_cast<double>(live.spool_bytes)));
  if (live.oldest_change_s)
    text += fmt::format(", the oldest change for {}", duration(*live.oldest_change_s));
  return text + "\n";
}

/// Of a process that only captured: what waits, and what comes next.
std::string capture_summary_text(const MigrateOutcome& outcome) {
  const jobs::LiveProgress& live = outcome.summary.live;
  std::string text = fmt::format("captured the changes of {} for {}\n", outcome.source, outcome.target);
  text +=
      fmt::format("  shards    {} read, {} waiting for their parents, {} read to their end\n",
                  grouped(live.shards_reading), grouped(live.shards_waiting), grouped(live.shards_drained));
  text += fmt::format("  captured  {}\n", counted(live.events, "change"));
  text += waiting_text(live);
  add_gaps(text, live);
  const char* next = outcome.summary.history_done
                         ? "`messina migrate` or `messina apply` brings them to the target"
                         : "`messina migrate` goes on from here, or `messina copy`, then "
                           "`messina apply`";
  text += fmt::format("next: {}\n", next);
  if (live.until_trimmed_s && *live.until_trimmed_s >= 0)
    text += fmt::format("nothing is captured any more: go on within {}, or changes are missed\n",
                        duration(*live.until_trimmed_s));
  return text;
}

/// Of a process that only applied.
std::string apply_summary_text(const MigrateOutcome& outcome) {
  const jobs::LiveProgress& live = outcome.summary.live;
  std::string text = fmt::format("applied the changes of {} to {}\n", outcome.source, outcome.target);
  text += fmt::format("  applied   {} written, {} removed, {} read again\n", counted(live.applied, "key"),
                      grouped(live.removed), grouped(live.reread));
  text += waiting_text(live);
  add_gaps(text, live);
  for (const jobs::RoleNote& note : live.roles)
    if (!note.why.empty()) text += fmt::format("not applied: {}\n", one_line(note.why));
  text += outcome.summary.history_done
              ? "next: `messina migrate` captures and applies, and tells when the target is in step\n"
              : "next: history is not all copied: `messina migrate`, or `messina copy`\n";
  return text + rejects_text(outcome.summary.live_rejects, outcome.state_flag);
}

/// What the process has verified, or does.
std::string verify_line(const jobs::VerifyProgress& verify) {
  if (verify.running && !verify.staying)
    return fmt::format("  verify     {}\n", verify_progress_text(verify));
  if (verify.phase != "done") return "  verify     stopped; `messina verify` goes on where it was\n";
  const char* const more = verify.staying ? "; each key that changes is judged" : "";
  const std::string at = time_text(verify.ended_unix_ms).value_or("");
  if (verify.not_verified.empty()) return fmt::format("  verified   all equal, at {}{}\n", at, more);
  return fmt::format("  verify     not equal, at {}: {}{}\n", at, fmt::join(verify.not_verified, "; "), more);
}

}  // namespace

std::string migrate_summary_text(const MigrateOutcome& outcome) {
  const std::string job = jobs::job_name(roles_of(outcome.summary.live));
  if (job == "capture") return capture_summary_text(outcome);
  if (job == "apply") return apply_summary_text(outcome);
  const jobs::MigrateSummary& summary = outcome.summary;
  const jobs::LiveProgress& live = summary.live;
  const state::Counts& counts = summary.copy.counts;
  std::string text =
      fmt::format("{}: {} to {}\n", live.in_step ? "in step" : "not in step", outcome.source, outcome.target);
  if (!live.in_step)
    for (const std::string& reason : live.not_in_step)
      text += fmt::format("  because   {}\n", one_line(reason));
  if (!summary.history_done)
    text += fmt::format("  copied    not all: `messina status{}` shows how far\n", outcome.state_flag);
  else if (summary.copy.units == 0 || summary.copy.was_already_done)
    text += "  copied    before this run\n";
  else
    text += fmt::format("  copied    {}, {} in {}\n", counted(counts.written_items, "item"),
                        bytes(static_cast<double>(counts.read_bytes)),
                        duration(static_cast<double>(summary.copy.elapsed.count()) / 1000));
  if (summary.copy.units_skipped > 0)
    text += fmt::format("  left out  {} of {}, as told\n", counted(summary.copy.units_skipped, "segment"),
                        grouped(summary.copy.units));
  text += fmt::format("  captured  {}\n", counted(live.events, "change"));
  text += fmt::format("  applied   {} written, {} removed, {} read again\n", counted(live.applied, "key"),
                      grouped(live.removed), grouped(live.reread));
  if (live.lag_s) text += fmt::format("  lag       {}\n", duration(*live.lag_s));
  add_gaps(text, live);
  if (!live.in_step && open_gaps(live).empty())
    text += "changes are followed no more: run the same command again before their records are trimmed\n";
  return text + rejects_text(summary.live_rejects, outcome.state_flag);
}

std::string selftest_text(const jobs::SelftestCheck& check) {
  using State = jobs::SelftestCheck::State;
  const char* mark = check.state == State::passed ? "ok  " : check.state == State::failed ? "FAIL" : "skip";
  return fmt::format("{}  {}{}{}\n", mark, check.name, check.why.empty() ? "" : ": ", check.why);
}

std::string schema_text(const jobs::SchemaReport& report) {
  std::string text;
  if (report.created && report.target)
    text += fmt::format("made table \"{}\" on the target\n", report.target->name.value);
  for (const jobs::SchemaNote& note : report.notes)
    text += fmt::format("{}: {}\n", note.level == jobs::SchemaNote::Level::stop ? "stop" : "note",
                        one_line(note.text));
  return text;
}

std::string migration_text(const MigrationStatus& status) {
  if (status.folder.empty())
    return fmt::format("{} to {}\n  not begun  the state directory holds nothing of it yet\n",
                       one_line(status.source), one_line(status.target));
  // A unit that ran alone and failed before it began has left no addresses.
  std::string text = status.source.empty()
                         ? status.folder + "\n"
                         : fmt::format("{} to {}\n", one_line(status.source), one_line(status.target));
  if (status.running)
    text += fmt::format("  running    pid {} on {} since {}\n", status.holder_pid,
                        one_line(status.holder_host), one_line(status.holder_since));
  else if (status.unclean)
    text += "  stopped    the last run ended uncleanly; run the same command again and it goes on\n";
  else if (status.begun && must_follow(status))
    text += "  stopped    nobody follows the changes; run the same command again and it goes on\n";
  else if (status.begun && status.phase != state::JobPhase::done)
    text += "  stopped    run the same command again and it goes on\n";
  else if (!status.begun && !status.verify)
    text += "  failed     before anything was copied; run the same command again\n";
  if (status.begun || !status.verify) text += fmt::format("  phase      {}\n", phase_name(status));
  if (status.begun) {
    text += fmt::format("  segments   {} of {} done", grouped(status.units_done), grouped(status.units));
    if (status.units_skipped > 0) text += fmt::format(", {} left out", grouped(status.units_skipped));
    text += fmt::format("\n  read       {}, {}\n", counted(status.counts.read_items, "item"),
                        bytes(static_cast<double>(status.counts.read_bytes)));
    text += fmt::format("  written    {}\n", counted(status.counts.written_items, "item"));
    text += fmt::format("  rejected   {}", counted(status.counts.rejected_items, "item"));
    text += status.live_rejects > 0 ? ", see `messina rejects list`\n" : "\n";
  }
  if (status.last_end)
    text += fmt::format("  ended      {} (at {})\n", one_line(status.last_end->message), status.last_end->at);
  if (status.running && status.progress && status.progress->live)
    text += live_status_text(*status.progress->live);
  else
    text += gap_lines(status.gaps, status.running);
  if (status.verify) text += verify_line(*status.verify);
  text += fmt::format("  state      {}\n", status.folder);
  // What a process that is gone was told concerns nobody.
  if (status.running && status.progress) {
    for (const jobs::SteeringNote& note : status.progress->steering)
      text += fmt::format("  set        {} = {}{} by {} at {}\n", note.setting, one_line(note.value),
                          note.all_tables ? " for all tables" : "", one_line(note.by),
                          iso_time(WallTime(std::chrono::milliseconds(note.at_unix_ms))));
    if (status.run) text += fmt::format("  run        {}\n", run_text(*status.run));
    text += fmt::format("  now        {}\n", plain_line(*status.progress));
    if (!status.live) text += "             (from the ledger: the process itself gives no answer)\n";
  }
  return text;
}

}  // namespace messina::console
