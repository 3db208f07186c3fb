#include "console/http_pages.h"

#include <memory>

#include <gtest/gtest.h>

namespace messina::console {
namespace {

using namespace std::chrono_literals;

const WallTime kTime{1'700'000'000'123ms};
const PageContext kContext{
    {"dynamodb://us-east-1/orders", "alternator://h:8000/orders", "orders"}, "1.2", 10min};
const PageContext kRunContext{{"dynamodb://us-east-1/", "alternator://h:8000/", ""}, "1.2", 10min};

jobs::Progress snapshot() {
  jobs::Progress p;
  p.table = "orders";
  p.phase = "copying";
  p.paused = true;
  return p;
}

/// Of five tables two run, one is done, one failed and one is to come.
jobs::TablesProgress tables_snapshot() {
  jobs::TablesProgress all;
  all.tables = 5;
  all.tables_done = all.tables_failed = 1;
  all.waiting = {"late"};
  for (const std::string table : {"orders", "log"}) {
    jobs::TableProgress& running = all.running.emplace_back();
    running.progress = snapshot();
    running.progress.table = table;
    running.progress.paused = table == "orders";
  }
  jobs::EndedTable bad;
  bad.outcome.source = bad.outcome.target = bad.last.progress.table = "bad";
  bad.outcome.end = jobs::TableEnd::failed;
  bad.outcome.error = Error{ErrorKind::needs_person, "it is odd"};
  bad.last.progress.phase = "failed";
  all.ended.push_back(std::make_shared<const jobs::EndedTable>(bad));
  return all;
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

TEST(HttpPages, OfManyTablesAreWellWhileNoneIsSick) {
  jobs::TablesProgress all = tables_snapshot();
  const auto healthz = [&all] { return http_page("GET", "/healthz", all, kRunContext, kTime); };
  EXPECT_EQ(healthz().status, 200);
  EXPECT_EQ(healthz().body,
            "ok: 1 of 5 tables done, 2 running, 1 of them paused, 1 to come, 1 failed: bad\n");
  all.running[1].progress.idle_s = 601;
  EXPECT_EQ(healthz().status, 503);
  EXPECT_TRUE(healthz().body.starts_with("stalled: log: nothing was settled for 10 min 01 s"))
      << healthz().body;
  while (all.running.size() < 6) all.running.push_back(all.running[1]);
  EXPECT_TRUE(healthz().body.ends_with("; and 2 more\n")) << healthz().body;
  EXPECT_EQ(http_page("POST", "/status", all, kRunContext, kTime).status, 405);
  EXPECT_EQ(http_page("GET", "/x", all, kRunContext, kTime).status, 404);
}

}  // namespace
}  // namespace messina::console
