#include "console/events.h"

#include "base/hash.h"
#include "console/health.h"
#include "console/json_line.h"

namespace messina::console {

std::string counts_json(const state::Counts& counts) {
  return JsonLine()
      .whole("pages", counts.pages)
      .whole("read_items", counts.read_items)
      .whole("read_bytes", counts.read_bytes)
      .whole("written_items", counts.written_items)
      .whole("rejected_items", counts.rejected_items)
      .number("rcu", counts.rcu)
      .number("wcu", counts.wcu)
      .str();
}

namespace {

std::string_view name_of(jobs::SchemaNote::Level level) {
  return level == jobs::SchemaNote::Level::stop ? "stop" : "note";
}

std::string steering_json(const std::vector<jobs::SteeringNote>& notes) {
  std::string list = "[";
  for (const jobs::SteeringNote& note : notes) {
    if (list.size() > 1) list += ',';
    list += JsonLine()
                .text("setting", note.setting)
                .text("value", note.value)
                .text("by", note.by)
                .text("at", iso_time(WallTime(std::chrono::milliseconds(note.at_unix_ms))))
                .flag("all_tables", note.all_tables)
                .str();
  }
  return list + "]";
}

std::string texts_json(const std::vector<std::string>& texts) {
  std::string list = "[";
  for (const std::string& text : texts) {
    if (list.size() > 1) list += ',';
    list += JsonLine::quoted(text);
  }
  return list + "]";
}

std::string roles_json(const std::vector<jobs::RoleNote>& roles) {
  std::string list = "[";
  for (const jobs::RoleNote& note : roles) {
    if (list.size() > 1) list += ',';
    list += JsonLine().text("role", note.role).text("state", note.state).text("why", note.why).str();
  }
  return list + "]";
}

std::string live_json(const jobs::LiveProgress& live) {
  std::optional<std::string> complete_until;
  if (live.complete_until_unix_ms)
    complete_until = iso_time(WallTime(std::chrono::milliseconds(*live.complete_until_unix_ms)));
  return JsonLine()
      .raw("roles", roles_json(live.roles))
      .flag("capturing", live.capturing)
      .flag("applying", live.applying)
      .text("stream_view", live.stream_view)
      .whole("events", live.events)
      .number("events_per_s", live.events_per_s)
      .whole("shards_reading", live.shards_reading)
      .whole("shards_waiting", live.shards_waiting)
      .whole("shards_drained", live.shards_drained)
      .optional("until_trimmed_s", live.until_trimmed_s)
      .optional("last_polled_s", live.last_polled_s)
      .whole("spool_keys_at_most", live.spool_keys_at_most)
      .whole("spool_bytes", live.spool_bytes)
      .whole("disk_free_bytes", live.disk_free_bytes)
      .optional("disk_full_in_s", live.disk_full_in_s)
      .optional("oldest_change_s", live.oldest_change_s)
      .flag("spool_full", live.spool_full)
      .whole("spool_reduced", live.spool_reduced)
      .number("spool_reduced_rcu", live.spool_reduced_rcu)
      .whole("applied", live.applied)
      .whole("removed", live.removed)
      .whole("reread", live.reread)
      .number("applied_per_s", live.applied_per_s)
      .optional("lag_s", live.lag_s)
      .raw("gaps", texts_json(live.gaps))
      .whole("gaps_healing", live.gaps_healing)
      .flag("in_step", live.in_step)
      .raw("not_in_step", texts_json(live.not_in_step))
      .optional("complete_until", complete_until)
      .text("needs_person", live.needs_person)
      .str();
}

std::string verify_json(const jobs::VerifyProgress& verify) {
  const auto time = [](std::int64_t unix_ms) -> std::optional<std::string> {
    if (unix_ms == 0) return std::nullopt;
    return iso_time(WallTime(std::chrono::milliseconds(unix_ms)));
  };
  return JsonLine()
      .flag("running", verify.running)
      .flag("staying", verify.staying)
      .text("phase", verify.phase)
      .whole("items", verify.items)
      .whole("target_keys", verify.target_keys)
      .optional("expected_items", verify.expected_items)
      .number("items_per_s", verify.items_per_s)
      .number("source_rcu", verify.source_rcu)
      .number("target_rcu", verify.target_rcu)
      .whole("missing", verify.missing)
      .whole("extra", verify.extra)
      .whole("differs", verify.differs)
      .whole("unsettled", verify.unsettled)
      .whole("rejected", verify.rejected)
      .whole("suspects", verify.suspects)
      .whole("judged", verify.judged)
      .whole("touched_judged", verify.touched_judged)
      .text("waits_for", verify.waits_for)
      .raw("not_verified", texts_json(verify.not_verified))
      .optional("began", time(verify.began_unix_ms))
      .optional("ended", time(verify.ended_unix_ms))
      .str();
}

JsonLine& add_progress(JsonLine& line, const jobs::Progress& progress) {
  line.text("job", progress.job)
      .text("table", progress.table)
      .text("phase", progress.phase)
      .raw("counts", counts_json(progress.counts))
      .whole("units", progress.units)
      .whole("units_done", progress.units_done)
      .whole("units_skipped", progress.units_skipped)
      .optional("expected_items", progress.expected_items)
      .optional("expected_bytes", progress.expected_bytes)
      .number("share_done", progress.share_done)
      .number("items_per_s", progress.items_per_s)
      .number("bytes_per_s", progress.bytes_per_s)
      .number("rcu_per_s", progress.rcu_per_s)
      .optional("eta_s", progress.eta_s)
      .text("holder", progress.holder)
      .text("holder_detail", progress.holder_detail)
      .whole("unknown_outcomes", progress.unknown_outcomes)
      .whole("retries", progress.retries)
      .whole("throttles", progress.throttles)
      .whole("memory_bytes", progress.memory_bytes)
      .number("elapsed_s", progress.elapsed_s)
      .number("idle_s", progress.idle_s)
      .flag("paused", progress.paused)
      .optional("read_budget_rcu_per_s", progress.read_budget_rcu_per_s)
      .text("read_budget_why", progress.read_budget_why)
      .optional("write_budget_wcu_per_s", progress.write_budget_wcu_per_s)
      .text("write_budget_why", progress.write_budget_why)
      .optional("application_rcu_per_s", progress.application_rcu_per_s)
      .optional("application_wcu_per_s", progress.application_wcu_per_s)
      .whole("write_concurrency", progress.write_concurrency)
      .text("write_concurrency_why", progress.write_concurrency_why)
      .raw("steering", steering_json(progress.steering));
  if (progress.live)
    line.raw("live", live_json(*progress.live));
  else
    line.null("live");
  return progress.verify ? line.raw("verify", verify_json(*progress.verify)) : line.null("verify");
}

}  // namespace

std::string notice_event(WallTime time, std::string_view level, std::string_view message) {
  return JsonLine("notice", time).text("level", level).text("message", message).str();
}

std::string schema_event(WallTime time, const jobs::SchemaReport& report) {
  std::string notes = "[";
  for (const jobs::SchemaNote& note : report.notes) {
    if (notes.size() > 1) notes += ',';
    notes += JsonLine().text("level", name_of(note.level)).text("text", note.text).str();
  }
  notes += ']';
  return JsonLine("schema", time)
      .text("source_table", report.source.name.value)
      .optional("target_table", report.target ? std::optional(report.target->name.value) : std::nullopt)
      .flag("created", report.created)
      .raw("notes", notes)
      .str();
}

std::string progress_event(WallTime time, const jobs::Progress& progress) {
  JsonLine line("progress", time);
  return add_progress(line, progress).str();
}

std::string progress_fields(const jobs::Progress& progress) {
  JsonLine line;
  return add_progress(line, progress).str();
}

std::string summary_event(WallTime time, const Outcome& outcome) {
  const jobs::CopySummary& summary = outcome.summary;
  return JsonLine("summary", time)
      .text("job", "copy")
      .text("source", outcome.source)
      .text("target", outcome.target)
      .raw("counts", counts_json(summary.counts))
      .whole("live_rejects", summary.live_rejects)
      .whole("units", summary.units)
      .whole("units_skipped", summary.units_skipped)
      .flag("finished", outcome.finished)
      .flag("was_already_done", summary.was_already_done)
      .number("elapsed_s", static_cast<double>(summary.elapsed.count()) / 1000)
      .whole("exit_code", static_cast<std::uint64_t>(outcome.exit))
      .str();
}

jobs::Roles roles_of(const jobs::LiveProgress& live) {
  jobs::Roles roles = jobs::kNoRoles;
  for (const jobs::RoleNote& note : live.roles)
    if (const auto role = jobs::role_of(note.role); role && note.state != jobs::role_state::kFailed)
      jobs::add(roles, *role);
  // A snapshot of a version that did not tell them.
  return roles == jobs::kNoRoles ? jobs::Roles() : roles;
}

std::string migrate_summary_event(WallTime time, const MigrateOutcome& outcome) {
  const jobs::MigrateSummary& summary = outcome.summary;
  return JsonLine("summary", time)
      .text("job", jobs::job_name(roles_of(summary.live)))
      .text("source", outcome.source)
      .text("target", outcome.target)
      .raw("counts", counts_json(summary.copy.counts))
      .whole("live_rejects", summary.live_rejects)
      .whole("units", summary.copy.units)
      .whole("units_skipped", summary.copy.units_skipped)
      .flag("finished", summary.ended_by_itself)
      .flag("was_already_done", summary.copy.was_already_done)
      .number("elapsed_s", static_cast<double>(summary.copy.elapsed.count()) / 1000)
      .flag("history_done", summary.history_done)
      .raw("live", live_json(summary.live))
      .whole("exit_code", static_cast<std::uint64_t>(outcome.exit))
      .str();
}

std::string error_event(WallTime time, const Error& error, ExitCode exit) {
  return JsonLine("error", time)
      .text("kind", to_string(error.kind))
      .text("code", error.code)
      .text("message", error.message)
      .whole("exit_code", static_cast<std::uint64_t>(exit))
      .str();
}

bool must_follow(const MigrationStatus& status) {
  return status.begun && status.phase == state::JobPhase::done && status.progress && status.progress->live &&
         status.progress->phase != "done";
}

std::string_view phase_name(const MigrationStatus& status) {
  if (!status.begun) return "new";
  switch (status.phase) {
    case state::JobPhase::planned:
      return "planned";
    case state::JobPhase::copying:
      return "copying";
    case state::JobPhase::done:
      return must_follow(status) ? "following" : "done";
  }
  return "planned";
}

std::string migration_event(WallTime time, const MigrationStatus& status) {
  JsonLine line("migration", time);
  line.text("folder", status.folder)
      .text("source", status.source)
      .text("target", status.target)
      .text("phase", phase_name(status))
      .flag("running", status.running);
  if (status.running) {
    line.raw("holder", JsonLine()
                           .text("host", status.holder_host)
                           .whole("pid", static_cast<std::uint64_t>(status.holder_pid))
                           .text("since", status.holder_since)
                           .str());
  } else {
    line.null("holder");
  }
  line.flag("unclean", status.unclean)
      .raw("counts", counts_json(status.counts))
      .whole("live_rejects", status.live_rejects)
      .whole("units", status.units)
      .whole("units_done", status.units_done)
      .whole("units_skipped", status.units_skipped);
  if (status.progress) {
    line.raw("progress", progress_fields(*status.progress));
  } else {
    line.null("progress");
  }
  line.flag("live", status.live);
  if (status.last_end) {
    line.raw("last_end", JsonLine()
                             .whole("exit_code", static_cast<std::uint64_t>(status.last_end->exit))
                             .text("message", status.last_end->message)
                             .text("at", status.last_end->at)
                             .str());
  } else {
    line.null("last_end");
  }
  line.raw("gaps", texts_json(status.gaps));
  if (status.run) {
    line.raw("run", JsonLine()
                        .whole("tables", status.run->tables)
                        .whole("done", status.run->done)
                        .whole("failed", status.run->failed)
                        .whole("running", status.run->running)
                        .whole("waiting", status.run->waiting)
                        .optional("read_budget_rcu_per_s", status.run->read_budget_rcu_per_s)
                        .whole("write_concurrency", status.run->write_concurrency)
                        .str());
  } else {
    line.null("run");
  }
  if (status.verify)
    line.raw("verify", verify_json(*status.verify));
  else
    line.null("verify");
  return line.str();
}

std::string status_check_event(WallTime time, const MigrationStatus& status, const Check& check) {
  return JsonLine("status_check", time)
      .text("folder", status.folder)
      .text("source", status.source)
      .text("target", status.target)
      .text("state", check.state)
      .text("reason", check.reason)
      .whole("exit_code", static_cast<std::uint64_t>(check.exit))
      .str();
}

std::string steered_event(WallTime time, const MigrationStatus& status, std::string_view done) {
  const jobs::Progress now = status.progress.value_or(jobs::Progress());
  return JsonLine("steered", time)
      .text("folder", status.folder)
      .text("source", status.source)
      .text("target", status.target)
      .whole("pid", static_cast<std::uint64_t>(status.holder_pid))
      .text("done", done)
      .flag("paused", now.paused)
      .raw("steering", steering_json(now.steering))
      .str();
}

std::string tables_steered_event(WallTime time, const TablesSteered& steered) {
  return JsonLine("tables_steered", time)
      .text("done", steered.done)
      .whole("tables", steered.tables)
      .whole("failed", steered.failed)
      .whole("to_come", steered.to_come)
      .whole("exit_code", static_cast<std::uint64_t>(steered.exit))
      .str();
}

std::string reject_event(WallTime time, const state::Reject& reject) {
  return JsonLine("reject", time)
      .whole("id", reject.id)
      .text("unit", reject.unit)
      .text("code", reject.code)
      .text("reason", reject.reason)
      .text("rejected_at", iso_time(WallTime(std::chrono::milliseconds(reject.at_unix_ms))))
      .flag("live", reject.live)
      .raw("item", reject.item)
      .str();
}

std::string repair_plan_event(WallTime time, std::uint64_t reread, std::uint64_t extra, bool delete_extra) {
  return JsonLine("repair_plan", time)
      .whole("reread", reread)
      .whole("extra", extra)
      .flag("delete_extra", delete_extra)
      .str();
}

std::string reread_event(WallTime time, std::uint64_t keys) {
  return JsonLine("reread", time).whole("keys", keys).str();
}

std::string retry_event(WallTime time, std::uint64_t written, std::uint64_t refused) {
  return JsonLine("retry", time).whole("written", written).whole("refused", refused).str();
}

std::string unit_event(WallTime time, std::string_view plan_json, const jobs::UnitRun& run) {
  return JsonLine("unit", time)
      .raw("plan", plan_json)
      .text("id", run.unit.id)
      .text("spec", run.unit.spec)
      .text("cursor", base64_encode(run.cursor.bytes))
      .str();
}

std::string selftest_event(WallTime time, const jobs::SelftestCheck& check) {
  return JsonLine("selftest", time)
      .text("name", check.name)
      .text("state", jobs::to_string(check.state))
      .text("why", check.why)
      .str();
}

std::string version_event(WallTime time, std::string_view version) {
  return JsonLine("version", time).text("version", version).str();
}

}  // namespace messina::console
