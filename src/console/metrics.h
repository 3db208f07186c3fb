// The metrics of a job in Prometheus' text format, drawn from the snapshot of one table or of many (pure).
// https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4)
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "jobs/progress.h"
#include "jobs/tables_progress.h"

namespace messina::console {

/// On every metric: which table goes where. Never keys, nor anything else that is as many as the items.
struct MetricLabels {
  std::string source, target;  ///< canonical addresses
  std::string table;           ///< the source's; empty on the metrics of a run over many tables
};

std::string metrics_text(const jobs::Progress& progress, const MetricLabels& labels,
                         std::string_view version);
/// Each table that runs has the metrics of one; one that has ended keeps its counters, its share and its
/// phase; one that has not begun has none. `labels` are those of the run.
std::string metrics_text(const jobs::TablesProgress& progress, const MetricLabels& labels,
                         std::string_view version);
inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

/// What there is to be measured, for the page that describes it.
struct MetricInfo {
  std::string name;
  std::string type;   ///< "counter" or "gauge"
  std::string label;  ///< beside source, target and table; empty: none
  std::string help;
};
std::vector<MetricInfo> metric_catalog();

}  // namespace messina::console
