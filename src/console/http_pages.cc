#include "console/http_pages.h"

#include "console/events.h"
#include "console/health.h"
#include "console/tables_text.h"

namespace messina::console {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";

std::string status_page(WallTime now, const jobs::Progress& snapshot) {
  return progress_event(now, snapshot) + "\n";
}
std::string status_page(WallTime now, const jobs::TablesProgress& snapshot) {
  return tables_status_event(now, snapshot) + "\n";
}

template <class Snapshot>
HttpPage page_of(std::string_view method, std::string_view target, const Snapshot& snapshot,
                 const PageContext& context, WallTime now) {
  if (method != "GET" && method != "HEAD")
    return {405, kText, "only GET and HEAD: steer the job by `messina pause`, `resume` and `set`\n",
            "GET, HEAD"};
  const std::string_view path = target.substr(0, target.find('?'));
  if (path == "/metrics") return {200, kMetricsType, metrics_text(snapshot, context.labels, context.version)};
  if (path == "/status") return {200, "application/json", status_page(now, snapshot)};
  if (path == "/healthz") {
    const Health health = health_of(snapshot, context.stalled_after);
    return {health.ok ? 200 : 503, kText, (health.ok ? "ok: " : "stalled: ") + health.reason + "\n"};
  }
  return {404, kText, "there are /metrics, /healthz and /status\n"};
}

}  // namespace

HttpPage http_page(std::string_view method, std::string_view target, const jobs::Progress& snapshot,
                   const PageContext& context, WallTime now) {
  return page_of(method, target, snapshot, context, now);
}

HttpPage http_page(std::string_view method, std::string_view target, const jobs::TablesProgress& snapshot,
                   const PageContext& context, WallTime now) {
  return page_of(method, target, snapshot, context, now);
}

}  // namespace messina::console
