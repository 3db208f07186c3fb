// The bar, the JSON event, /status, the metrics and the control socket's answer are drawn from one snapshot,
// and say the same.
#include "console/metrics.h"

#include <limits>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "console/control.h"
#include "console/events.h"
#include "console/http_pages.h"
#include "console/numbers.h"
#include "console/progress_text.h"
#include "console/tables_text.h"

namespace messina::console {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

const WallTime kTime{1'700'000'000'123ms};
const PageContext kContext{
    {"dynamodb://us-east-1/orders", "alternator://h:8000/orders", "orders"}, "1.2", 10min};

/// Every number differs from every other.
jobs::Progress snapshot() {
  jobs::Progress p;
  p.phase = "copying";
  p.counts = {.pages = 101,
              .read_items = 1'234'567,
              .read_bytes = 1'200'000'001,
              .written_items = 1'234'560,
              .rejected_items = 7,
              .rcu = 105.5,
              .wcu = 106.25};
  p.units = 110;
  p.units_done = 111;
  p.units_skipped = 112;
  p.expected_items = 113;
  p.expected_bytes = 114;
  p.share_done = 0.423;
  p.items_per_s = 45'210;
  p.bytes_per_s = 117;
  p.rcu_per_s = 812;
  p.eta_s = 200;
  p.holder = "hot partition";
  p.holder_detail = "segment 17";
  p.unknown_outcomes = 120;
  p.retries = 121;
  p.throttles = 122;
  p.memory_bytes = 123;
  p.elapsed_s = 124;
  p.idle_s = 125;
  p.paused = true;
  p.read_budget_rcu_per_s = 126;
  p.write_budget_wcu_per_s = 127;
  p.application_rcu_per_s = 128;
  p.application_wcu_per_s = 129;
  p.write_concurrency = 130;
  p.steering = {{"concurrency", "auto", "anna (uid 1000, pid 7)", 1},
                {"rcu", "126", "anna (uid 1000, pid 7)", 1}};
  return p;
}

/// Of a live migration; every number differs from every other, and from those above.
jobs::Progress live_snapshot() {
  jobs::Progress p = snapshot();
  p.job = "migrate";
  jobs::LiveProgress& live = p.live.emplace();
  live.capturing = live.in_step = true;
  live.events = 201;
  live.events_per_s = 202;
  live.shards_reading = 203;
  live.shards_waiting = 204;
  live.shards_drained = 205;
  live.until_trimmed_s = 7206;
  live.last_polled_s = 218;
  live.spool_reduced = 219;
  live.spool_reduced_rcu = 220;
  live.spool_keys_at_most = 207;
  live.spool_bytes = 208;
  live.disk_free_bytes = 209;
  live.disk_full_in_s = 210;
  live.oldest_change_s = 211;
  live.applied = 212;
  live.removed = 213;
  live.reread = 214;
  live.applied_per_s = 215;
  live.lag_s = 216;
  live.gaps_healing = 217;
  return p;
}

/// Field of the progress event → the metric of the same number.
const std::map<std::string, std::string> kSame{
    {"counts.pages", "messina_pages_total"},
    {"counts.read_items", "messina_items_read_total"},
    {"counts.read_bytes", "messina_read_bytes_total"},
    {"counts.written_items", "messina_items_written_total"},
    {"counts.rejected_items", "messina_items_rejected_total"},
    {"counts.rcu", "messina_read_capacity_units_total"},
    {"counts.wcu", "messina_write_capacity_units_total"},
    {"units", "messina_segments"},
    {"units_done", "messina_segments_done"},
    {"units_skipped", "messina_segments_skipped"},
    {"expected_items", "messina_expected_items"},
    {"expected_bytes", "messina_expected_bytes"},
    {"share_done", "messina_done_ratio"},
    {"items_per_s", "messina_items_per_second"},
    {"bytes_per_s", "messina_bytes_per_second"},
    {"rcu_per_s", "messina_read_capacity_units_per_second"},
    {"eta_s", "messina_eta_seconds"},
    {"unknown_outcomes", "messina_unknown_outcomes"},
    {"retries", "messina_retries_total"},
    {"throttles", "messina_throttles_total"},
    {"memory_bytes", "messina_memory_bytes"},
    {"elapsed_s", "messina_elapsed_seconds"},
    {"idle_s", "messina_idle_seconds"},
    {"read_budget_rcu_per_s", "messina_read_budget_capacity_units_per_second"},
    {"write_budget_wcu_per_s", "messina_write_budget_capacity_units_per_second"},
    {"application_rcu_per_s", "messina_application_read_capacity_units_per_second"},
    {"application_wcu_per_s", "messina_application_write_capacity_units_per_second"},
    {"write_concurrency", "messina_write_concurrency"},
};
/// The same of what a live migration has beside them; a label's value stands behind the slash.
const std::map<std::string, std::string> kSameOfLive{
    {"live.events", "messina_changes_captured_total"},
    {"live.events_per_s", "messina_changes_per_second"},
    {"live.shards_reading", "messina_shards/reading"},
    {"live.shards_waiting", "messina_shards/waiting"},
    {"live.shards_drained", "messina_shards/drained"},
    {"live.until_trimmed_s", "messina_until_trimmed_seconds"},
    {"live.last_polled_s", "messina_last_polled_seconds"},
    {"live.spool_reduced", "messina_spool_reduced_total"},
    {"live.spool_reduced_rcu", "messina_spool_reduced_read_capacity_units_total"},
    {"live.spool_keys_at_most", "messina_spool_keys"},
    {"live.spool_bytes", "messina_spool_bytes"},
    {"live.disk_free_bytes", "messina_spool_disk_free_bytes"},
    {"live.disk_full_in_s", "messina_spool_disk_full_in_seconds"},
    {"live.oldest_change_s", "messina_oldest_change_age_seconds"},
    {"live.applied", "messina_keys_written_total"},
    {"live.removed", "messina_keys_removed_total"},
    {"live.reread", "messina_keys_reread_total"},
    {"live.applied_per_s", "messina_keys_applied_per_second"},
    {"live.lag_s", "messina_lag_seconds"},
    {"live.gaps_healing", "messina_gaps_healing"},
};
/// The same of a verification.
const std::map<std::string, std::string> kSameOfVerify{
    {"verify.items", "messina_verify_items"},
    {"verify.missing", "messina_verify_keys/missing"},
    {"verify.extra", "messina_verify_keys/extra"},
    {"verify.differs", "messina_verify_keys/differs"},
    {"verify.unsettled", "messina_verify_keys/unsettled"},
    {"verify.rejected", "messina_verify_keys/rejected"},
    {"verify.suspects", "messina_verify_keys/suspect"},
    {"verify.source_rcu", "messina_verify_read_capacity_units/source"},
    {"verify.target_rcu", "messina_verify_read_capacity_units/target"},
};
/// Metrics of what is no number in the event.
const std::set<std::string> kOthers{"messina_build_info", "messina_phase",       "messina_held_by",
                                    "messina_paused",     "messina_set_by_hand", "messina_capturing",
                                    "messina_applying",   "messina_in_step",     "messina_gaps",
                                    "messina_spool_full", "messina_verified",    "messina_verifying"};

const PageContext kRunContext{{"dynamodb://us-east-1/", "alternator://h:8000/", ""}, "1.2", 10min};
/// Field of the event of all tables → the metric of the same number.
const std::map<std::string, std::string> kSameOfRun{
    {"share_done", "messina_tables_done_ratio"},
    {"eta_s", "messina_tables_eta_seconds"},
    {"read_budget_rcu_per_s", "messina_tables_read_budget_capacity_units_per_second"},
    {"write_concurrency", "messina_tables_write_concurrency"},
    {"tables_done", R"(messina_tables/done)"},
    {"tables_failed", R"(messina_tables/failed)"},
    {"tables_running", R"(messina_tables/running)"},
    {"tables_waiting", R"(messina_tables/waiting)"},
};

/// name{labels} → value.
std::map<std::string, double> samples_of(const std::string& text) {
  std::map<std::string, double> samples;
  static const std::regex kLine(R"((messina_[a-z_]+\{.*\}) (\S+))");
  std::smatch found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    EXPECT_TRUE(std::regex_match(line, found, kLine)) << line;
    EXPECT_TRUE(samples.emplace(found[1], std::stod(found[2])).second) << "twice: " << line;
  }
  return samples;
}

std::string labelled(const std::string& name, const std::string& more = "") {
  return name +
         R"({source="dynamodb://us-east-1/orders",target="alternator://h:8000/orders",table="orders")" +
         more + "}";
}

/// The event's numbers by their path.
std::map<std::string, double> numbers_of(const json::object& event) {
  std::map<std::string, double> numbers;
  for (const auto& [key, value] : event) {
    if (value.is_number()) numbers[key] = value.to_number<double>();
    if (!value.is_object()) continue;
    for (const auto& [inner, number] : value.get_object())
      if (number.is_number())
        numbers[std::string(key) + "." + std::string(inner)] = number.to_number<double>();
  }
  return numbers;
}

TEST(OneTruth, TheSameSnapshotGivesTheSameNumbersEverywhere) {
  const jobs::Progress p = snapshot();
  const json::object event = json::parse(progress_event(kTime, p)).get_object();
  const auto numbers = numbers_of(event);
  const auto samples = samples_of(http_page("GET", "/metrics", p, kContext, kTime).body);
  ASSERT_EQ(numbers.size(), kSame.size()) << "each number of the event has its metric";
  std::set<double> values;
  for (const auto& [field, metric] : kSame) {
    ASSERT_TRUE(numbers.contains(field)) << field;
    ASSERT_TRUE(samples.contains(labelled(metric))) << metric;
    EXPECT_EQ(numbers.at(field), samples.at(labelled(metric))) << field;
    values.insert(numbers.at(field));
  }
  EXPECT_EQ(values.size(), kSame.size()) << "no number may stand for another";

  EXPECT_EQ(http_page("GET", "/status", p, kContext, kTime).body, progress_event(kTime, p) + "\n");
  const auto answered = parse_control_answer(control_answer({p, {}}));
  ASSERT_TRUE(answered);
  EXPECT_EQ(progress_event(kTime, answered->snapshot), progress_event(kTime, p));

  const std::string bar = plain_line(p);
  for (const std::string& part :
       {percent(numbers.at("share_done")), counted(p.counts.read_items, "item"),
        bytes(numbers.at("counts.read_bytes")), rate(numbers.at("items_per_s")) + " items/s",
        rate(numbers.at("rcu_per_s")) + " RCU/s", "ETA " + duration(numbers.at("eta_s")),
        grouped(p.counts.rejected_items) + " rejected", grouped(p.unknown_outcomes) + " to send again"})
    EXPECT_NE(bar.find(part), std::string::npos) << part << " in " << bar;
  EXPECT_NE(bar.find("paused"), std::string::npos);
  EXPECT_NE(bar.find("held by hot partition in segment 17"), std::string::npos);
  EXPECT_EQ(event.at("paused"), json::value(true));
  EXPECT_EQ(event.at("steering").at(1).at("value"), "126");
  EXPECT_EQ(samples.at(labelled("messina_paused")), 1);
  EXPECT_EQ(samples.at(labelled("messina_set_by_hand", R"(,setting="rcu")")), 1);
  EXPECT_EQ(samples.at(labelled("messina_phase", R"(,phase="copying")")), 1);
  EXPECT_EQ(samples.at(labelled("messina_phase", R"(,phase="done")")), 0);
  EXPECT_EQ(samples.at(labelled("messina_held_by", R"(,holder="hot partition")")), 1);
  EXPECT_EQ(samples.at(labelled("messina_held_by", R"(,holder="memory")")), 0);
}

TEST(OneTruth, ALiveMigrationGivesTheSameNumbersEverywhere) {
  const jobs::Progress p = live_snapshot();
  const auto numbers = numbers_of(json::parse(progress_event(kTime, p)).get_object());
  const auto samples = samples_of(http_page("GET", "/metrics", p, kContext, kTime).body);
  ASSERT_EQ(numbers.size(), kSame.size() + kSameOfLive.size()) << "each number of the event has its metric";
  std::set<double> values;
  for (const auto& [field, metric] : kSameOfLive) {
    const std::size_t slash = metric.find('/');
    const std::string sample =
        labelled(metric.substr(0, slash),
                 slash == std::string::npos ? "" : fmt::format(R"(,state="{}")", metric.substr(slash + 1)));
    ASSERT_TRUE(numbers.contains(field)) << field;
    ASSERT_TRUE(samples.contains(sample)) << sample;
    EXPECT_EQ(numbers.at(field), samples.at(sample)) << field;
    values.insert(numbers.at(field));
  }
  EXPECT_EQ(values.size(), kSameOfLive.size()) << "no number may stand for another";

  EXPECT_EQ(http_page("GET", "/status", p, kContext, kTime).body, progress_event(kTime, p) + "\n");
  const auto answered = parse_control_answer(control_answer({p, {}}));
  ASSERT_TRUE(answered);
  EXPECT_EQ(progress_event(kTime, answered->snapshot), progress_event(kTime, p));

  const std::string bar = plain_line(p);
  for (const std::string& part :
       {rate(numbers.at("live.events_per_s")) + " changes/s", "lag " + duration(numbers.at("live.lag_s")),
        grouped(p.live->spool_keys_at_most) + " keys wait",
        "the oldest for " + duration(numbers.at("live.oldest_change_s")),
        "trimmed in " + duration(numbers.at("live.until_trimmed_s"))})
    EXPECT_NE(bar.find(part), std::string::npos) << part << " in " << bar;
}

TEST(OneTruth, WhatIsYesOrNoIsOneOrZero) {
  jobs::Progress p = live_snapshot();
  const auto sample = [&p](const char* name) {
    return samples_of(metrics_text(p, kContext.labels, "1")).at(labelled(name));
  };
  EXPECT_EQ(sample("messina_capturing"), 1);
  EXPECT_EQ(sample("messina_applying"), 0);
  EXPECT_EQ(sample("messina_in_step"), 1);
  EXPECT_EQ(sample("messina_spool_full"), 0);
  EXPECT_EQ(sample("messina_gaps"), 0);
  p.live->capturing = p.live->in_step = false;
  p.live->applying = p.live->spool_full = true;
  p.live->gaps = {"a", "b", "c"};
  p.live->gaps_healing = 1;
  EXPECT_EQ(sample("messina_capturing"), 0);
  EXPECT_EQ(sample("messina_applying"), 1);
  EXPECT_EQ(sample("messina_in_step"), 0);
  EXPECT_EQ(sample("messina_spool_full"), 1);
  EXPECT_EQ(sample("messina_gaps"), 2);
  p.live.reset();
  EXPECT_EQ(metrics_text(p, {}, "1").find("messina_in_step"), std::string::npos)
      << "of a copy there are none";
}

/// Two that run, one done, one failed, one to come.
jobs::TablesProgress tables_snapshot() {
  jobs::TablesProgress all;
  all.tables = 5;
  const auto addresses = [](const std::string& table) {
    return jobs::TableProgress{"dynamodb://us-east-1/" + table, "alternator://h:8000/" + table, {}};
  };
  for (const std::string table : {"orders", "log"}) {
    jobs::TableProgress& running = all.running.emplace_back(addresses(table));
    running.progress = snapshot();
    running.progress.table = table;
  }
  all.running[1].progress.paused = false;
  all.running[1].progress.counts.read_items = 12;
  for (const std::string table : {"old", "bad"}) {
    jobs::EndedTable ended;
    ended.last = addresses(table);
    ended.last.progress.table = ended.outcome.source = ended.outcome.target = table;
    ended.outcome.end = jobs::TableEnd::done;
    ended.last.progress.phase = "done";
    ended.last.progress.live.emplace();
    ended.last.progress.share_done = 1;
    ended.last.progress.counts.read_items = ended.outcome.counts.read_items = 100;
    if (table == "bad") {
      ended.outcome.end = jobs::TableEnd::failed;
      ended.outcome.error = Error{ErrorKind::needs_person, "it is odd"};
      ended.last.progress.phase = "failed";
    }
    all.ended.push_back(std::make_shared<const jobs::EndedTable>(ended));
  }
  all.waiting = {"late"};
  all.tables_done = 1;
  all.tables_failed = 1;
  for (const auto& table : all.running) all.counts += table.progress.counts;
  for (const auto& table : all.ended) all.counts += table->outcome.counts;
  all.share_done = 0.55;
  all.items_per_s = 45'211;
  all.bytes_per_s = 118;
  all.rcu_per_s = 813;
  all.eta_s = 201;
  all.elapsed_s = 131;
  all.read_budget_rcu_per_s = 4'000;
  all.write_concurrency = 256;
  return all;
}

TEST(OneTruth, TheSnapshotOfManyTablesGivesTheSameNumbersEverywhere) {
  const jobs::TablesProgress all = tables_snapshot();
  const std::string page = http_page("GET", "/metrics", all, kRunContext, kTime).body;
  const auto samples = samples_of(page);
  const std::string status_text = http_page("GET", "/status", all, kRunContext, kTime).body;
  EXPECT_EQ(status_text, tables_status_event(kTime, all) + "\n");
  const json::object status = json::parse(status_text).get_object();
  EXPECT_EQ(status.at("event"), "tables_status");

  // The events of --json say what /status says: each table's, then that of all.
  std::istringstream lines(tables_progress_events(kTime, all));
  std::vector<json::object> events;
  for (std::string line; std::getline(lines, line);) events.push_back(json::parse(line).get_object());
  ASSERT_EQ(events.size(), 3u);
  const json::array& tables = status.at("progress").get_array();
  ASSERT_EQ(tables.size(), 2u);
  for (std::size_t i = 0; i < tables.size(); ++i) {
    json::object event = events[i];
    event.erase("event");
    event.erase("time");
    EXPECT_EQ(json::value(event), tables[i]);
  }
  for (const auto& [key, value] : events[2]) {
    if (key == "event") continue;
    EXPECT_EQ(status.at(key), value) << key;
  }

  // Of each table that runs, the metrics say what its event says.
  for (const json::value& table : tables) {
    const std::string name(table.at("table").get_string());
    const auto numbers = numbers_of(table.get_object());
    ASSERT_EQ(numbers.size(), kSame.size());
    for (const auto& [field, metric] : kSame) {
      const std::string sample =
          fmt::format(R"({}{{source="dynamodb://us-east-1/{}",target="alternator://h:8000/{}",table="{}"}})",
                      metric, name, name, name);
      ASSERT_TRUE(samples.contains(sample)) << sample;
      EXPECT_EQ(numbers.at(field), samples.at(sample)) << sample;
    }
  }
  // Of all together too; its other numbers are sums that Prometheus can add up by itself.
  const std::string of_run = R"({source="dynamodb://us-east-1/",target="alternator://h:8000/",table="")";
  std::set<std::string> sums{"tables", "items_per_s", "bytes_per_s", "rcu_per_s", "elapsed_s"};
  for (const auto& [field, number] : numbers_of(events[2])) {
    if (field.starts_with("counts.") || sums.contains(field)) continue;
    ASSERT_TRUE(kSameOfRun.contains(field)) << field;
    const std::string& metric = kSameOfRun.at(field);
    const std::size_t slash = metric.find('/');
    const std::string sample =
        metric.substr(0, slash) + of_run +
        (slash == std::string::npos ? "" : fmt::format(R"(,state="{}")", metric.substr(slash + 1))) + "}";
    ASSERT_TRUE(samples.contains(sample)) << sample;
    EXPECT_EQ(samples.at(sample), number) << field;
  }
  double read = 0;
  for (const auto& [sample, value] : samples)
    if (sample.starts_with("messina_items_read_total{")) read += value;
  EXPECT_EQ(read, status.at("counts").at("read_items").to_number<double>()) << "ended tables count on";

  // The line on the terminal.
  const std::string bar = tables_plain_line(all);
  for (const std::string& part : std::vector<std::string>{
           "1/5 tables", "1 failed", "1 paused", percent(all.share_done),
           counted(all.counts.read_items, "item"), "45,211 items/s", "813 RCU/s", "ETA 3 min 21 s"})
    EXPECT_NE(bar.find(part), std::string::npos) << part << " in " << bar;

  // What the sockets answer.
  const RunOfTables run = run_of(all, true);
  EXPECT_EQ(run.tables, 5u);
  EXPECT_EQ(run.waiting_names, (std::vector<std::string>{"late"}));
  EXPECT_EQ(run.read_budget_rcu_per_s, 4'000);
  EXPECT_EQ(status.at("waiting"), json::value(json::array{"late"}));
  EXPECT_EQ(status.at("ended").at(1).at("error").at("message"), "it is odd");
}

TEST(OneTruth, ATableThatHasEndedKeepsItsCounters) {
  const auto samples = samples_of(metrics_text(tables_snapshot(), kRunContext.labels, "1"));
  std::set<std::string> kept;
  for (const auto& [sample, value] : samples)
    if (sample.find("table=\"bad\"") != std::string::npos) kept.insert(sample.substr(0, sample.find('{')));
  for (const MetricInfo& metric : metric_catalog()) {
    const bool keeps = metric.type == "counter" || metric.name == "messina_done_ratio" ||
                       metric.name == "messina_phase" || metric.name == "messina_gaps";
    EXPECT_EQ(kept.contains(metric.name), keeps) << metric.name;
  }
  const std::string labels =
      R"({source="dynamodb://us-east-1/bad",target="alternator://h:8000/bad",table="bad")";
  EXPECT_EQ(samples.at("messina_phase" + labels + R"(,phase="failed"})"), 1);
  EXPECT_EQ(samples.at("messina_phase" + labels + R"(,phase="copying"})"), 0);
  for (const auto& [sample, value] : samples)
    EXPECT_EQ(sample.find("table=\"late\""), std::string::npos) << "it has not begun: " << sample;
}

TEST(Metrics, OfManyTablesStandTogetherUnderOneHead) {
  std::istringstream lines(metrics_text(tables_snapshot(), kRunContext.labels, "1"));
  std::set<std::string> heads;
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(heads.insert(family).second) << "twice: " << family;
    } else if (!line.starts_with('#')) {
      EXPECT_TRUE(line.starts_with(family + "{")) << line << " below " << family;
    }
  }
  EXPECT_GT(heads.size(), 30u);
}

TEST(OneTruth, EveryMetricIsListedHere) {
  std::set<std::string> listed = kOthers;
  for (const auto& [field, metric] : kSameOfRun) listed.insert(metric.substr(0, metric.find('/')));
  for (const auto& [field, metric] : kSame) listed.insert(metric);
  for (const auto* each : {&kSameOfLive, &kSameOfVerify})
    for (const auto& [field, metric] : *each) listed.insert(metric.substr(0, metric.find('/')));
  std::set<std::string> all;
  for (const MetricInfo& metric : metric_catalog()) all.insert(metric.name);
  EXPECT_EQ(all, listed);
}

TEST(Metrics, TellOfTheLastVerification) {
  jobs::Progress p = snapshot();
  EXPECT_EQ(metrics_text(p, {}, "1").find("messina_verif"), std::string::npos);
  jobs::VerifyProgress& verify = p.verify.emplace();
  verify.running = true;
  verify.items = 301;
  verify.source_rcu = 302;
  verify.target_rcu = 303;
  verify.missing = 304;
  verify.extra = 305;
  verify.differs = 306;
  verify.unsettled = 307;
  verify.rejected = 308;
  verify.suspects = 309;
  const auto numbers = numbers_of(json::parse(progress_event(kTime, p)).get_object());
  auto samples = samples_of(http_page("GET", "/metrics", p, kContext, kTime).body);
  for (const auto& [field, metric] : kSameOfVerify) {
    const std::size_t slash = metric.find('/');
    const std::string label = metric.starts_with("messina_verify_keys") ? "verdict" : "side";
    const std::string name =
        slash == std::string::npos
            ? labelled(metric)
            : labelled(metric.substr(0, slash), fmt::format(",{}=\"{}\"", label, metric.substr(slash + 1)));
    ASSERT_TRUE(numbers.contains(field) && samples.contains(name)) << name;
    EXPECT_EQ(numbers.at(field), samples.at(name)) << field;
  }
  EXPECT_EQ(samples.at(labelled("messina_verified")), 1);
  EXPECT_EQ(samples.at(labelled("messina_verifying")), 1);
  p.verify->not_verified = {"keys differ"};
  p.verify->running = false;
  samples = samples_of(http_page("GET", "/metrics", p, kContext, kTime).body);
  EXPECT_EQ(samples.at(labelled("messina_verified")), 0);
  EXPECT_EQ(samples.at(labelled("messina_verifying")), 0);
}

TEST(Metrics, LeavesOutWhatIsNotKnownAndEscapesTheRest) {
  const std::string text = metrics_text(jobs::Progress(), {"a\\b\"c\nd\xff", "t", "x"}, "1");
  EXPECT_EQ(text.find("messina_eta_seconds"), std::string::npos) << "no sample, so no head either";
  EXPECT_EQ(text.find("messina_set_by_hand"), std::string::npos);
  EXPECT_NE(text.find("source=\"a\\\\b\\\"c\\nd\xEF\xBF\xBD\",target"), std::string::npos) << text;
  jobs::Progress odd;
  odd.eta_s = std::numeric_limits<double>::infinity();
  odd.phase = "of a later version";
  const std::string other = metrics_text(odd, {}, "1");
  EXPECT_NE(other.find("messina_eta_seconds{source=\"\",target=\"\",table=\"\"} +Inf\n"), std::string::npos);
  EXPECT_NE(other.find("phase=\"of a later version\"} 1\n"), std::string::npos);
}

TEST(Metrics, ItsLabelsDoNotGrowWithTheTable) {
  jobs::Progress p = live_snapshot();
  const std::size_t lines = samples_of(metrics_text(p, {}, "1")).size();
  p.live->gaps_healing = 0;
  p.live->gaps = {"shard-17 is gone", "shard-18 is gone"};
  p.counts.read_items *= 1'000'000;
  p.units = 1'000'000;
  p.holder_detail = "another segment";
  EXPECT_EQ(samples_of(metrics_text(p, {}, "1")).size(), lines);
  for (const MetricInfo& metric : metric_catalog())
    EXPECT_TRUE(
        (std::set<std::string>{"", "phase", "holder", "version", "setting", "state", "verdict", "side"}
             .contains(metric.label)))
        << metric.name;
  EXPECT_EQ(metrics_text(p, {}, "1").find("another segment"), std::string::npos);
}

}  // namespace
}  // namespace messina::console
