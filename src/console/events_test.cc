// Holds every event to tests/golden/json-events.json: its keys, their order and their types.
#include "console/events.h"

#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "base/log.h"
#include "console/check_text.h"
#include "console/diff_text.h"
#include "console/health.h"
#include "console/json_line.h"
#include "console/tables_text.h"
#include "console/verify_text.h"

namespace messina::console {
namespace {

namespace json = boost::json;

const WallTime kTime{std::chrono::milliseconds(1'700'000'000'123)};

/// "text", "number", "flag", "null", or the same of what it holds.
json::value type_of(const json::value& value) {
  if (value.is_string()) return "text";
  if (value.is_number()) return "number";
  if (value.is_bool()) return "flag";
  if (value.is_null()) return "null";
  if (value.is_array()) {
    json::array types;
    if (!value.get_array().empty()) types.push_back(type_of(value.get_array().front()));
    return types;
  }
  json::object types;
  for (const auto& [key, inner] : value.get_object()) types[key] = type_of(inner);
  return types;
}

jobs::Progress full_progress() {
  jobs::Progress progress;
  progress.phase = "copying";
  progress.expected_items = 1;
  progress.expected_bytes = 2;
  progress.eta_s = 1.5;
  progress.holder = "memory";
  progress.read_budget_rcu_per_s = progress.write_budget_wcu_per_s = 1;
  progress.application_rcu_per_s = progress.application_wcu_per_s = 2;
  progress.steering.push_back({"rcu", "8000", "anna", 1'700'000'000'000});
  return progress;
}

jobs::Progress live_progress() {
  jobs::Progress progress = full_progress();
  jobs::LiveProgress& live = progress.live.emplace();
  live.until_trimmed_s = live.last_polled_s = live.disk_full_in_s = live.oldest_change_s = live.lag_s = 1.5;
  live.gaps = {"g"};
  live.not_in_step = {"n"};
  live.roles = {{"apply", jobs::role_state::kWaiting, "w", 0, 1}};
  live.complete_until_unix_ms = 1'700'000'000'000;
  jobs::VerifyProgress& verify = progress.verify.emplace();
  verify.expected_items = 1;
  verify.not_verified = {"n"};
  verify.began_unix_ms = verify.ended_unix_ms = 1'700'000'000'000;
  return progress;
}

MigrateOutcome full_migrate() {
  MigrateOutcome outcome;
  outcome.summary.live = *live_progress().live;
  return outcome;
}

jobs::SchemaReport full_schema() {
  jobs::SchemaReport report;
  report.source.name.value = "a";
  report.target.emplace().name.value = "b";
  report.notes.push_back({jobs::SchemaNote::Level::note, "x"});
  return report;
}

CheckReport full_check() {
  jobs::EstimateQuestion question;
  question.items = 1;
  question.bytes = 2;
  question.region = "us-east-1";
  question.throughput_bytes_per_s = 1;
  CheckReport report;
  question.writes.emplace();
  report.estimate = jobs::estimate(question, jobs::built_in_prices());
  report.made = {1, 0, 0, {"table"}};
  return report;
}

PlanReport full_plan() {
  PlanReport report;
  report.tables = {full_check()};
  report.estimate = full_check().estimate;
  return report;
}

/// The event of all tables, which follows those of the tables that run.
std::string tables_progress_line() {
  jobs::TablesProgress progress;
  progress.running.push_back({"a", "b", full_progress()});
  progress.eta_s = 1;
  progress.read_budget_rcu_per_s = 1;
  const std::string lines = tables_progress_events(kTime, progress);
  const std::size_t second = lines.find('\n') + 1;
  return lines.substr(second, lines.size() - second - 1);
}

jobs::TableOutcome some_table(bool failed) {
  jobs::TableOutcome table;
  table.source = "a";
  if (failed) table.error = Error{ErrorKind::denied, "m"};
  return table;
}

std::string tables_status_line() {
  jobs::TablesProgress progress;
  progress.running.push_back({"a", "b", full_progress()});
  jobs::EndedTable ended;
  ended.outcome = some_table(true);
  progress.ended.push_back(std::make_shared<const jobs::EndedTable>(ended));
  progress.waiting = {"c"};
  return tables_status_event(kTime, progress);
}

VerifyOutcome full_verification() {
  VerifyOutcome outcome;
  jobs::VerifyRecord& record = outcome.figures.record;
  record.scope.sample = 0.5;
  record.scope.segment = {0, 2};
  record.scope.indexes = true;
  record.indexes = {{.name = "by_g", .entries = 1}};
  record.expected_items = 1;
  record.began_unix_ms = record.ended_unix_ms = record.repaired_unix_ms = 1'700'000'000'000;
  record.source_digest = record.target_digest = "0";
  outcome.groups = {{state::Verdict::missing, "only on source", 1, "{}"}};
  return outcome;
}

state::KeyNote some_difference() {
  return {.key = R"({"id":{"S":"a"}})",
          .verdict = state::Verdict::differs,
          .cause = "`n` smaller on target",
          .places = R"([{"path":"n","kind":"value","target":"less"}])",
          .source = R"({"id":{"S":"a"},"n":{"N":"2"}})",
          .target = R"({"id":{"S":"a"},"n":{"N":"1"}})",
          .judged_unix_ms = 1'700'000'000'000};
}

std::vector<std::string> every_event() {
  MigrationStatus idle;
  MigrationStatus running;
  running.running = true;
  running.progress = full_progress();
  MigrationStatus one_of_many = running;
  one_of_many.run.emplace().read_budget_rcu_per_s = 1;
  MigrationStatus failed;
  failed.last_end = {ExitCode::needs_person, "m", "t"};
  failed.gaps = {"g"};
  failed.verify = live_progress().verify;
  jobs::Progress live_unknown;
  live_unknown.live.emplace();
  state::Reject reject;
  reject.item = R"({"id":{"S":"a"}})";
  HmacKey redaction("k");
  jobs::Progress unknown;
  jobs::SchemaReport no_target = full_schema();
  no_target.target.reset();
  no_target.notes.clear();
  return {
      notice_event(kTime, "info", "m"),
      schema_event(kTime, full_schema()),
      schema_event(kTime, no_target),
      tables_progress_line(),
      tables_status_line(),
      tables_event(kTime, {.job = "copy", .tables = {some_table(false), some_table(true)}}),
      tables_event(kTime, {.job = "copy", .tables = {some_table(true)}}),
      progress_event(kTime, full_progress()),
      progress_event(kTime, unknown),
      progress_event(kTime, live_progress()),
      progress_event(kTime, live_unknown),
      summary_event(kTime, {}),
      migrate_summary_event(kTime, full_migrate()),
      error_event(kTime, {ErrorKind::config, "m"}, ExitCode::wrong_usage),
      migration_event(kTime, idle),
      migration_event(kTime, running),
      migration_event(kTime, one_of_many),
      migration_event(kTime, failed),
      status_check_event(kTime, idle, {}),
      steered_event(kTime, running, "paused"),
      tables_steered_event(kTime, {}),
      reject_event(kTime, reject),
      retry_event(kTime, 1, 2),
      reread_event(kTime, 3),
      repair_plan_event(kTime, 1, 2, true),
      unit_event(kTime, "{}", {}),
      selftest_event(kTime, {}),
      version_event(kTime, "1"),
      finding_event(kTime, {jobs::Finding::Level::ok, "source", "ttl", "", "x", ""}, ""),
      finding_event(kTime, {jobs::Finding::Level::stop, "source", "scan", "dynamodb:Scan", "x", "y"}, "t"),
      check_event(kTime, {}),
      check_event(kTime, full_check()),
      check_tables_event(kTime, {}),
      check_tables_event(kTime, full_plan()),
      verify_summary_event(kTime, {}),
      verify_summary_event(kTime, full_verification()),
      diff_event(kTime, some_difference()),
      diff_event(kTime, some_difference(), &redaction),
      index_difference_event(kTime, {"by_g", true, R"({"id":{"S":"a"}})"}),
      index_difference_event(kTime, {"by_g", false, R"({"id":{"S":"a"}})"}, &redaction)};
}

TEST(Events, KeepTheirKeysAndTypes) {
  const std::string path = MESSINA_SOURCE_DIR "/tests/golden/json-events.json";
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const json::value golden = json::parse(text);
  json::array seen;
  for (const std::string& line : every_event()) {
    EXPECT_EQ(line.find('\n'), std::string::npos);
    const json::value event = json::parse(line);
    json::value types = type_of(event);
    types.get_object()["event"] = event.at("event");
    seen.push_back(std::move(types));
  }
  EXPECT_EQ(golden, json::value(seen)) << "what they are now:\n" << json::serialize(seen);
}

TEST(JsonLine, StaysJsonWhateverItIsGiven) {
  const std::string line = JsonLine("x", kTime)
                               .text("text", "a\"\n\xff")
                               .number("nan", std::numeric_limits<double>::quiet_NaN())
                               .number("rate", 1.5)
                               .whole("most", std::numeric_limits<std::uint64_t>::max())
                               .texts("none", {})
                               .texts("two", {"a", "\"\xff"})
                               .str();
  EXPECT_EQ(line,
            "{\"event\":\"x\",\"time\":\"2023-11-14T22:13:20.123Z\",\"text\":\"a\\\"\\n\xEF\xBF\xBD\","
            "\"nan\":null,\"rate\":1.5,"
            "\"most\":18446744073709551615,\"none\":[],\"two\":[\"a\",\"\\\"\xEF\xBF\xBD\"]}");
  EXPECT_NO_THROW(json::parse(line));
}

}  // namespace
}  // namespace messina::console
