#include "console/http_pages.h"

#include "console/events.h"
#include "console/health.h"

namespace messina::console {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";

}  // namespace

HttpPage http_page(std::string_view method, std::string_view target, const jobs::Progress& snapshot,
                   const PageContext& context, WallTime now) {
  if (method != "GET" && method != "HEAD")
    return {405, kText, "only GET and HEAD: steer the job by `messina pause`, `resume` and `set`\n",
            "GET, HEAD"};
  const std::string_view path = target.substr(0, target.find('?'));
  if (path == "/metrics") return {200, kMetricsType, metrics_text(snapshot, context.labels, context.version)};
  if (path == "/status") return {200, "application/json", progress_event(now, snapshot) + "\n"};
  if (path == "/healthz") {
    const Health health = health_of(snapshot, context.stalled_after);
    return {health.ok ? 200 : 503, kText, (health.ok ? "ok: " : "stalled: ") + health.reason + "\n"};
  }
  return {404, kText, "there are /metrics, /healthz and /status\n"};
}

}  // namespace messina::console
