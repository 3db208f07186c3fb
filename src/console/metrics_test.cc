// The bar, the JSON event, /status, the metrics and the control socket's answer are drawn from one snapshot,
// and say the same; and docs/operate describes the metrics that there are.
#include "console/metrics.h"

#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "console/control.h"
#include "console/events.h"
#include "console/http_pages.h"
#include "console/numbers.h"
#include "console/progress_text.h"

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
/// Metrics of what is no number in the event.
const std::set<std::string> kOthers{"messina_build_info", "messina_phase", "messina_held_by",
                                    "messina_paused", "messina_set_by_hand"};

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
    if (key != "counts") continue;
    for (const auto& [inner, count] : value.get_object())
      numbers["counts." + std::string(inner)] = count.to_number<double>();
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
  const auto answered = parse_control_answer(control_answer(p));
  ASSERT_TRUE(answered);
  EXPECT_EQ(progress_event(kTime, *answered), progress_event(kTime, p));

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

TEST(OneTruth, EveryMetricIsListedHere) {
  std::set<std::string> listed = kOthers;
  for (const auto& [field, metric] : kSame) listed.insert(metric);
  std::set<std::string> all;
  for (const MetricInfo& metric : metric_catalog()) all.insert(metric.name);
  EXPECT_EQ(all, listed);
}

TEST(Metrics, LeavesOutWhatIsNotKnownAndEscapesTheRest) {
  const std::string text = metrics_text({}, {"a\\b\"c\nd\xff", "t", "x"}, "1");
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
  jobs::Progress p = snapshot();
  const std::size_t lines = samples_of(metrics_text(p, {}, "1")).size();
  p.counts.read_items *= 1'000'000;
  p.units = 1'000'000;
  p.holder_detail = "another segment";
  EXPECT_EQ(samples_of(metrics_text(p, {}, "1")).size(), lines);
  for (const MetricInfo& metric : metric_catalog())
    EXPECT_TRUE((std::set<std::string>{"", "phase", "holder", "version", "setting"}.contains(metric.label)))
        << metric.name;
  EXPECT_EQ(metrics_text(p, {}, "1").find("another segment"), std::string::npos);
}

TEST(HttpPages, AnswersWhatItHas) {
  const jobs::Progress p = snapshot();
  const auto get = [&p](std::string_view target) { return http_page("GET", target, p, kContext, kTime); };
  EXPECT_EQ(get("/metrics").content_type, kMetricsType);
  EXPECT_EQ(get("/metrics?x=1").body, get("/metrics").body);
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/healthz").body, "ok: paused\n");
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(get("/metrics/").status, 404);
  EXPECT_EQ(http_page("HEAD", "/status", p, kContext, kTime).status, 200);
  const HttpPage posted = http_page("POST", "/status", p, kContext, kTime);
  EXPECT_EQ(posted.status, 405);
  EXPECT_EQ(posted.allow, "GET, HEAD");
  jobs::Progress stalled = p;
  stalled.idle_s = 601;
  const HttpPage sick = http_page("GET", "/healthz", stalled, kContext, kTime);
  EXPECT_EQ(sick.status, 503);
  EXPECT_TRUE(sick.body.starts_with("stalled: nothing was settled for 10 min 01 s")) << sick.body;
}

std::string read_page(const std::string& name) {
  const std::string path = MESSINA_SOURCE_DIR "/docs/operate/" + name;
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(MetricsDocs, DescribeTheMetricsThatThereAreAndNoOthers) {
  std::set<std::string> described, there;
  static const std::regex kRow(R"(\| `(messina_[a-z_]+)` \| ([a-z]+) \| (.*) \| (.*) \|)");
  std::istringstream lines(read_page("metrics.md"));
  std::smatch found;
  for (std::string line; std::getline(lines, line);)
    if (std::regex_match(line, found, kRow)) described.insert(line);
  for (const MetricInfo& metric : metric_catalog())
    there.insert(fmt::format("| `{}` | {} | {} | {} |", metric.name, metric.type,
                             metric.label.empty() ? "" : "`" + metric.label + "`", metric.help));
  EXPECT_EQ(described, there);
}

TEST(MetricsDocs, AlertsAndDashboardUseMetricsThatThereAre) {
  std::set<std::string> names;
  for (const MetricInfo& metric : metric_catalog()) names.insert(metric.name);
  static const std::regex kName("messina_[a-z_]+");
  for (const char* page : {"alerts.yaml", "dashboard.json", "metrics.md", "watching.md", "trouble.md"}) {
    const std::string text = read_page(page);
    std::size_t used = 0;
    for (std::sregex_iterator at(text.begin(), text.end(), kName), end; at != end; ++at, ++used)
      EXPECT_TRUE(names.contains(at->str())) << page << ": " << at->str();
    EXPECT_TRUE(used > 0 || page == std::string("trouble.md")) << page;
  }
  EXPECT_NO_THROW(json::parse(read_page("dashboard.json")));
}

}  // namespace
}  // namespace messina::console
