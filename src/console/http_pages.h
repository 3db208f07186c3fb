// What --listen serves: /metrics, /healthz and /status, all of them from one snapshot (pure).
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "console/metrics.h"
#include "jobs/progress.h"
#include "jobs/tables_progress.h"

namespace messina::console {

struct HttpPage {
  int status = 200;
  std::string content_type;
  std::string body;
  std::string allow = {};  ///< the Allow header of a 405
};

/// What the pages say beside the snapshot.
struct PageContext {
  MetricLabels labels;
  std::string version;
  std::chrono::milliseconds stalled_after;
};

/// `target` is the request's, a query is passed over. /status is the progress event of --json; /healthz is
/// 200 or 503 with the reason on a line; another path is 404, another method than GET and HEAD 405.
HttpPage http_page(std::string_view method, std::string_view target, const jobs::Progress& snapshot,
                   const PageContext& context, WallTime now);
/// Of many tables. /status is tables_status_event(); the context's labels name no table.
HttpPage http_page(std::string_view method, std::string_view target, const jobs::TablesProgress& snapshot,
                   const PageContext& context, WallTime now);

}  // namespace messina::console
