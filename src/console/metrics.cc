#include "console/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "console/json_line.h"
#include "console/live_text.h"
#include "pace/speed_holder.h"

namespace messina::console {
namespace {

using jobs::LiveProgress;
using jobs::Progress;
using jobs::TablesProgress;
using jobs::VerifyProgress;

/// Values by the metric's own label; without one, one value under "". Empty: not known, and left out.
using Samples = std::vector<std::pair<std::string, double>>;

template <class Snapshot>
struct MetricOf {
  const char* name;
  const char* type;
  const char* label;  ///< or null
  const char* help;
  Samples (*samples)(const Snapshot&);
};
using Metric = MetricOf<Progress>;
using LiveMetric = MetricOf<jobs::LiveProgress>;
using VerifyMetric = MetricOf<VerifyProgress>;
using RunMetric = MetricOf<TablesProgress>;

template <class T>
Samples one(T value) {
  return {{"", static_cast<double>(value)}};
}
template <class T>
Samples known(const std::optional<T>& value) {
  return value ? one(*value) : Samples();
}

/// There are three settings, so these do not grow.
Samples set_by_hand(const Progress& progress) {
  Samples samples;
  for (const jobs::SteeringNote& note : progress.steering) samples.emplace_back(note.setting, 1);
  return samples;
}

/// 1 for what holds now, and 0 for the others that there are.
Samples states(std::vector<std::string> all, const std::string& now) {
  if (!now.empty() && std::ranges::find(all, now) == all.end()) all.push_back(now);
  Samples samples;
  for (std::string& state : all) {
    const double value = state == now ? 1 : 0;
    samples.emplace_back(std::move(state), value);
  }
  return samples;
}

std::vector<std::string> holders() {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < pace::kSpeedHolders; ++i)
    names.emplace_back(pace::to_string(static_cast<pace::SpeedHolder>(i)));
  return names;
}

/// The one list of metrics: docs/operate/metrics.md, the alert rules and the dashboard are held to it.
const std::array kMetrics{
    Metric{"messina_items_read_total", "counter", nullptr, "Items read and settled, former runs included.",
           [](const Progress& p) { return one(p.counts.read_items); }},
    Metric{"messina_items_written_total", "counter", nullptr,
           "Items that the target acknowledged, former runs included.",
           [](const Progress& p) { return one(p.counts.written_items); }},
    Metric{"messina_items_rejected_total", "counter", nullptr,
           "Items that the target refused, former runs included.",
           [](const Progress& p) { return one(p.counts.rejected_items); }},
    Metric{"messina_read_bytes_total", "counter", nullptr,
           "Bytes of the items that were read, as DynamoDB JSON.",
           [](const Progress& p) { return one(p.counts.read_bytes); }},
    Metric{"messina_pages_total", "counter", nullptr, "Pages settled: every item written or rejected.",
           [](const Progress& p) { return one(p.counts.pages); }},
    Metric{"messina_read_capacity_units_total", "counter", nullptr, "RCU that the source charged.",
           [](const Progress& p) { return one(p.counts.rcu); }},
    Metric{"messina_write_capacity_units_total", "counter", nullptr, "WCU that the target charged.",
           [](const Progress& p) { return one(p.counts.wcu); }},
    Metric{"messina_retries_total", "counter", nullptr, "Requests that were made again, in this run.",
           [](const Progress& p) { return one(p.retries); }},
    Metric{"messina_throttles_total", "counter", nullptr,
           "Answers that asked for fewer requests, in this run.",
           [](const Progress& p) { return one(p.throttles); }},
    Metric{"messina_segments", "gauge", nullptr, "Segments of the table.",
           [](const Progress& p) { return one(p.units); }},
    Metric{"messina_segments_done", "gauge", nullptr, "Segments that are copied.",
           [](const Progress& p) { return one(p.units_done); }},
    Metric{"messina_segments_skipped", "gauge", nullptr, "Segments left out as told.",
           [](const Progress& p) { return one(p.units_skipped); }},
    Metric{"messina_expected_items", "gauge", nullptr,
           "Items by the source's description, which is hours old; absent while not known.",
           [](const Progress& p) { return known(p.expected_items); }},
    Metric{"messina_expected_bytes", "gauge", nullptr,
           "Bytes by the source's description, which is hours old; absent while not known.",
           [](const Progress& p) { return known(p.expected_bytes); }},
    Metric{"messina_done_ratio", "gauge", nullptr, "Share of the work that is done, 0 to 1.",
           [](const Progress& p) { return one(p.share_done); }},
    Metric{"messina_items_per_second", "gauge", nullptr, "Items read a second, over the last 10 s.",
           [](const Progress& p) { return one(p.items_per_s); }},
    Metric{"messina_bytes_per_second", "gauge", nullptr, "Bytes read a second, over the last 10 s.",
           [](const Progress& p) { return one(p.bytes_per_s); }},
    Metric{"messina_read_capacity_units_per_second", "gauge", nullptr,
           "RCU spent a second, over the last 10 s.", [](const Progress& p) { return one(p.rcu_per_s); }},
    Metric{"messina_eta_seconds", "gauge", nullptr, "Seconds to go at this speed; absent while not known.",
           [](const Progress& p) { return known(p.eta_s); }},
    Metric{"messina_idle_seconds", "gauge", nullptr,
           "Seconds since a page was settled; 0 while the job waits by design.",
           [](const Progress& p) { return one(p.idle_s); }},
    Metric{"messina_elapsed_seconds", "gauge", nullptr, "Seconds since this run began to copy.",
           [](const Progress& p) { return one(p.elapsed_s); }},
    Metric{"messina_unknown_outcomes", "gauge", nullptr,
           "Batches without an answer that wait to be sent again.",
           [](const Progress& p) { return one(p.unknown_outcomes); }},
    Metric{"messina_memory_bytes", "gauge", nullptr, "Bytes in flight, of the --memory budget.",
           [](const Progress& p) { return one(p.memory_bytes); }},
    Metric{"messina_phase", "gauge", "phase", "1 for the phase that the job is in.",
           [](const Progress& p) {
             return states({"preparing", "queued", "waiting", "copying", "following", "paused", "finishing",
                            "done", "stopped", "failed"},
                           p.phase);
           }},
    Metric{"messina_held_by", "gauge", "holder", "1 for what holds the speed.",
           [](const Progress& p) { return states(holders(), p.holder); }},
    Metric{"messina_paused", "gauge", nullptr, "1 while the job is paused by hand.",
           [](const Progress& p) { return one(p.paused); }},
    Metric{"messina_read_budget_capacity_units_per_second", "gauge", nullptr,
           "RCU that may be spent a second; absent: no limit.",
           [](const Progress& p) { return known(p.read_budget_rcu_per_s); }},
    Metric{"messina_write_budget_capacity_units_per_second", "gauge", nullptr,
           "WCU that may be spent a second; absent: no limit.",
           [](const Progress& p) { return known(p.write_budget_wcu_per_s); }},
    Metric{"messina_application_read_capacity_units_per_second", "gauge", nullptr,
           "RCU that everybody else spends a second on the source; absent while not known.",
           [](const Progress& p) { return known(p.application_rcu_per_s); }},
    Metric{"messina_application_write_capacity_units_per_second", "gauge", nullptr,
           "WCU that everybody else spends a second on the target; absent while not known.",
           [](const Progress& p) { return known(p.application_wcu_per_s); }},
    Metric{"messina_write_concurrency", "gauge", nullptr, "Requests to the target at once, at most.",
           [](const Progress& p) { return one(p.write_concurrency); }},
    Metric{"messina_set_by_hand", "gauge", "setting",
           "1 for each setting that was changed on the running job; absent if none was.",
           [](const Progress& p) { return set_by_hand(p); }},
};

/// Those that a live migration has beside them.
const std::array kLiveMetrics{
    LiveMetric{"messina_changes_captured_total", "counter", nullptr,
               "Changes captured from the stream, in this run.",
               [](const LiveProgress& p) { return one(p.events); }},
    LiveMetric{"messina_keys_written_total", "counter", nullptr,
               "Keys whose newest state was written to the target, in this run.",
               [](const LiveProgress& p) { return one(p.applied); }},
    LiveMetric{"messina_keys_removed_total", "counter", nullptr,
               "Keys that were deleted on the target, in this run.",
               [](const LiveProgress& p) { return one(p.removed); }},
    LiveMetric{"messina_keys_reread_total", "counter", nullptr,
               "Keys that were read again from the source to be written, in this run.",
               [](const LiveProgress& p) { return one(p.reread); }},
    LiveMetric{"messina_capturing", "gauge", nullptr, "1 while this process captures changes.",
               [](const LiveProgress& p) { return one(p.capturing); }},
    LiveMetric{"messina_applying", "gauge", nullptr, "1 while this process applies changes.",
               [](const LiveProgress& p) { return one(p.applying); }},
    LiveMetric{"messina_in_step", "gauge", nullptr, "1 while the target is in step with the source.",
               [](const LiveProgress& p) { return one(p.in_step); }},
    LiveMetric{"messina_gaps", "gauge", nullptr,
               "Holes in what was captured that nothing heals yet: changes were missed.",
               [](const LiveProgress& p) { return one(open_gaps(p).size()); }},
    LiveMetric{"messina_gaps_healing", "gauge", nullptr, "Those that this run heals.",
               [](const LiveProgress& p) { return one(p.gaps_healing); }},
    LiveMetric{
        "messina_lag_seconds", "gauge", nullptr,
        "Seconds from a change at the source to its write on the target, lately; absent while not known.",
        [](const LiveProgress& p) { return known(p.lag_s); }},
    LiveMetric{"messina_oldest_change_age_seconds", "gauge", nullptr,
               "Age of the oldest change that waits; absent while none waits.",
               [](const LiveProgress& p) { return known(p.oldest_change_s); }},
    LiveMetric{
        "messina_until_trimmed_seconds", "gauge", nullptr,
        "Seconds until the oldest record that may be unread is trimmed; below 0 it may be gone; absent "
        "while not known.",
        [](const LiveProgress& p) { return known(p.until_trimmed_s); }},
    LiveMetric{
        "messina_last_polled_seconds", "gauge", nullptr,
        "Seconds since the open shard that is silent for longest has answered a poll; absent while not "
        "known.",
        [](const LiveProgress& p) { return known(p.last_polled_s); }},
    LiveMetric{"messina_changes_per_second", "gauge", nullptr, "Changes captured a second.",
               [](const LiveProgress& p) { return one(p.events_per_s); }},
    LiveMetric{"messina_keys_applied_per_second", "gauge", nullptr, "Keys written or deleted a second.",
               [](const LiveProgress& p) { return one(p.applied_per_s); }},
    LiveMetric{"messina_shards", "gauge", "state",
               "Shards of the stream: those that are read, wait for their parents, or are read to their end.",
               [](const LiveProgress& p) {
                 return Samples{{"reading", static_cast<double>(p.shards_reading)},
                                {"waiting", static_cast<double>(p.shards_waiting)},
                                {"drained", static_cast<double>(p.shards_drained)}};
               }},
    LiveMetric{"messina_spool_keys", "gauge", nullptr, "Keys whose changes wait in the spool, at most.",
               [](const LiveProgress& p) { return one(p.spool_keys_at_most); }},
    LiveMetric{"messina_spool_bytes", "gauge", nullptr, "Bytes that the spool takes of its disk.",
               [](const LiveProgress& p) { return one(p.spool_bytes); }},
    LiveMetric{"messina_spool_full", "gauge", nullptr, "1 while capture waits for room in the spool.",
               [](const LiveProgress& p) { return one(p.spool_full); }},
    LiveMetric{"messina_spool_reduced_total", "counter", nullptr,
               "Changes that the spool's bound has reduced to marks, in this run, at most.",
               [](const LiveProgress& p) { return one(p.spool_reduced); }},
    LiveMetric{"messina_spool_reduced_read_capacity_units_total", "counter", nullptr,
               "RCU that reading the keys of these again costs, by the table's mean item.",
               [](const LiveProgress& p) { return one(p.spool_reduced_rcu); }},
    LiveMetric{"messina_spool_disk_free_bytes", "gauge", nullptr, "Bytes free on the spool's disk.",
               [](const LiveProgress& p) { return one(p.disk_free_bytes); }},
    LiveMetric{
        "messina_spool_disk_full_in_seconds", "gauge", nullptr,
        "Seconds until the spool has filled its disk, at the pace of the last minutes; absent while it "
        "does not grow.",
        [](const LiveProgress& p) { return known(p.disk_full_in_s); }},
};

/// The list of those of a verification, the last that there was.
const std::array kVerifyMetrics{
    VerifyMetric{"messina_verified", "gauge", nullptr,
                 "1 while nothing stands against calling the target verified; absent until it was compared.",
                 [](const VerifyProgress& p) { return one(p.not_verified.empty()); }},
    VerifyMetric{"messina_verifying", "gauge", nullptr,
                 "1 while both sides are compared, or what changes is judged.",
                 [](const VerifyProgress& p) { return one(p.running); }},
    VerifyMetric{"messina_verify_items", "gauge", nullptr, "Items of the source that were compared.",
                 [](const VerifyProgress& p) { return one(p.items); }},
    VerifyMetric{"messina_verify_keys", "gauge", "verdict", "Keys by what was found of them.",
                 [](const VerifyProgress& p) {
                   const auto of = [](const char* verdict, std::uint64_t keys) {
                     return std::pair(std::string(verdict), static_cast<double>(keys));
                   };
                   return Samples{of("missing", p.missing),   of("extra", p.extra),
                                  of("differs", p.differs),   of("unsettled", p.unsettled),
                                  of("rejected", p.rejected), of("suspect", p.suspects)};
                 }},
    VerifyMetric{
        "messina_verify_read_capacity_units", "gauge", "side", "RCU that comparing has read.",
        [](const VerifyProgress& p) { return Samples{{"source", p.source_rcu}, {"target", p.target_rcu}}; }},
};

/// The list of those of a run over many tables, beside each table's own.
const std::array kRunMetrics{
    RunMetric{"messina_tables", "gauge", "state",
              "Tables of a run over many, by state; absent for one table.",
              [](const TablesProgress& p) {
                const auto of = [](std::string state, std::size_t count) {
                  return std::pair(std::move(state), static_cast<double>(count));
                };
                return Samples{of("waiting", p.waiting.size()), of("running", p.running.size()),
                               of("done", p.tables_done), of("failed", p.tables_failed)};
              }},
    RunMetric{"messina_tables_done_ratio", "gauge", nullptr,
              "Share of the work of all tables together, 0 to 1; absent for one table.",
              [](const TablesProgress& p) { return one(p.share_done); }},
    RunMetric{"messina_tables_eta_seconds", "gauge", nullptr,
              "Seconds to go for all tables together; absent while not known, and for one table.",
              [](const TablesProgress& p) { return known(p.eta_s); }},
    RunMetric{"messina_tables_read_budget_capacity_units_per_second", "gauge", nullptr,
              "RCU that all tables together may spend a second; absent: no such limit, or one table.",
              [](const TablesProgress& p) { return known(p.read_budget_rcu_per_s); }},
    RunMetric{"messina_tables_write_concurrency", "gauge", nullptr,
              "Requests to the target at once of all tables together, at most; absent for one table.",
              [](const TablesProgress& p) { return one(p.write_concurrency); }},
};

/// What a table keeps that has ended: counters never vanish before they were scraped, and an alert can tell
/// done from gone.
template <class Snapshot>
bool is_kept(const MetricOf<Snapshot>& metric) {
  const std::string_view name = metric.name;
  return std::string_view(metric.type) == "counter" || name == "messina_done_ratio" ||
         name == "messina_phase" || name == "messina_gaps" || name == "messina_verify_keys";
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : valid_utf8(text)) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void write_head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

constexpr std::string_view kInfoName = "messina_build_info";
constexpr std::string_view kInfoHelp = "1; the version is a label.";

std::string labels_text(const MetricLabels& labels) {
  return fmt::format("source=\"{}\",target=\"{}\",table=\"{}\"", escaped(labels.source),
                     escaped(labels.target), escaped(labels.table));
}

void write_info(std::string& out, const std::string& which, std::string_view version) {
  write_head(out, kInfoName, "gauge", kInfoHelp);
  out += fmt::format("{}{{{},version=\"{}\"}} 1\n", kInfoName, which, escaped(version));
}

/// A metric of one table, or of a run.
struct Labelled {
  std::string labels;
  const Progress* progress;
  bool ended = false;
};

template <class Snapshot>
void write_samples(std::string& out, const MetricOf<Snapshot>& metric, const std::string& which,
                   const Samples& samples) {
  for (const auto& [state, value] : samples) {
    const std::string own =
        metric.label == nullptr ? "" : fmt::format(",{}=\"{}\"", metric.label, escaped(state));
    out += fmt::format("{}{{{}{}}} {}\n", metric.name, which, own, number(value));
  }
}

const Progress* part_of(const Metric&, const Progress& progress) { return &progress; }
const LiveProgress* part_of(const LiveMetric&, const Progress& progress) {
  return progress.live ? &*progress.live : nullptr;
}
const VerifyProgress* part_of(const VerifyMetric&, const Progress& progress) {
  return progress.verify ? &*progress.verify : nullptr;
}

/// All samples of a metric stand together, below its one head, as the format demands.
void write_tables(std::string& out, const std::vector<Labelled>& tables) {
  const auto write_all = [&](const auto& metrics) {
    for (const auto& metric : metrics) {
      std::string lines;
      for (const Labelled& table : tables) {
        const auto* part = part_of(metric, *table.progress);
        if (part != nullptr && (!table.ended || is_kept(metric)))
          write_samples(lines, metric, table.labels, metric.samples(*part));
      }
      if (lines.empty()) continue;
      write_head(out, metric.name, metric.type, metric.help);
      out += lines;
    }
  };
  write_all(kMetrics);
  write_all(kLiveMetrics);
  write_all(kVerifyMetrics);
}

}  // namespace

std::string metrics_text(const Progress& progress, const MetricLabels& labels, std::string_view version) {
  std::string out;
  write_info(out, labels_text(labels), version);
  write_tables(out, {{labels_text(labels), &progress}});
  return out;
}

std::string metrics_text(const TablesProgress& progress, const MetricLabels& labels,
                         std::string_view version) {
  const std::string which = labels_text(labels);
  std::string out;
  write_info(out, which, version);
  for (const RunMetric& metric : kRunMetrics) {
    const Samples samples = metric.samples(progress);
    if (samples.empty()) continue;
    write_head(out, metric.name, metric.type, metric.help);
    write_samples(out, metric, which, samples);
  }
  std::vector<Labelled> tables;
  const auto add = [&tables](const jobs::TableProgress& table, bool ended) {
    tables.push_back({labels_text({table.source_address, table.target_address, table.progress.table}),
                      &table.progress, ended});
  };
  for (const jobs::TableProgress& table : progress.running) add(table, false);
  for (const auto& table : progress.ended) add(table->last, true);
  write_tables(out, tables);
  return out;
}

std::vector<MetricInfo> metric_catalog() {
  std::vector<MetricInfo> all{{std::string(kInfoName), "gauge", "version", std::string(kInfoHelp)}};
  const auto add = [&all](const auto& metrics) {
    for (const auto& metric : metrics)
      all.push_back({metric.name, metric.type, metric.label == nullptr ? "" : metric.label, metric.help});
  };
  add(kMetrics);
  add(kLiveMetrics);
  add(kVerifyMetrics);
  add(kRunMetrics);
  return all;
}

}  // namespace messina::console
