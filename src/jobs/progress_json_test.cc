#include "jobs/progress_json.h"

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

TEST(ProgressJson, ComesBackAsItWent) {
  Progress progress;
  progress.phase = "copying";
  progress.counts = {.pages = 1,
                     .read_items = 2,
                     .read_bytes = 3,
                     .written_items = 4,
                     .rejected_items = 5,
                     .rcu = 6.5,
                     .wcu = 7};
  progress.units = 8;
  progress.units_done = 9;
  progress.units_skipped = 10;
  progress.expected_items = 11;
  progress.share_done = 0.25;
  progress.items_per_s = 12.5;
  progress.eta_s = 13;
  progress.holder = "target latency";
  progress.holder_detail = "\"quoted\"";
  progress.unknown_outcomes = 14;
  progress.retries = 15;
  progress.throttles = 16;
  progress.memory_bytes = 1ull << 40;
  progress.elapsed_s = 17;
  progress.idle_s = 18.5;
  progress.paused = true;
  progress.read_budget_rcu_per_s = 18;
  progress.read_budget_why = "half";
  progress.application_wcu_per_s = 19;
  progress.write_concurrency = 20;
  progress.write_concurrency_why = "growing";
  progress.steering = {{"rcu", "8000", "anna", 21}, {"paused", "yes", "ben", 22, true}};
  const std::string json = progress_to_json(progress);
  const Result<Progress> back = progress_from_json(json);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(progress_to_json(*back), json);
  EXPECT_EQ(back->counts, progress.counts);
  EXPECT_EQ(back->expected_items, progress.expected_items);
  EXPECT_FALSE(back->expected_bytes);
  EXPECT_EQ(back->eta_s, progress.eta_s);
  EXPECT_EQ(back->holder_detail, progress.holder_detail);
  EXPECT_EQ(back->memory_bytes, progress.memory_bytes);
  EXPECT_EQ(back->idle_s, progress.idle_s);
  EXPECT_TRUE(back->paused);
  EXPECT_EQ(back->read_budget_rcu_per_s, 18);
  EXPECT_FALSE(back->write_budget_wcu_per_s);
  EXPECT_EQ(back->steering, progress.steering);
}

TEST(ProgressJson, ALiveMigrationComesBackAsItWent) {
  Progress progress;
  progress.job = "migrate";
  LiveProgress& live = progress.live.emplace();
  live.capturing = live.applying = live.spool_full = live.in_step = true;
  live.stream_view = "NEW_IMAGE";
  live.events = 1;
  live.events_per_s = 2.5;
  live.shards_reading = 3;
  live.shards_waiting = 4;
  live.shards_drained = 5;
  live.until_trimmed_s = -6;
  live.last_polled_s = 0.75;
  live.spool_reduced = 16;
  live.spool_reduced_rcu = 17.5;
  live.spool_keys_at_most = 7;
  live.spool_bytes = 8;
  live.disk_free_bytes = 1ull << 40;
  live.disk_full_in_s = 10;
  live.oldest_change_s = 11.5;
  live.applied = 12;
  live.removed = 13;
  live.reread = 14;
  live.applied_per_s = 15;
  live.lag_s = 0.25;
  live.gaps = {"a gap", "of a server: \xff"};
  live.gaps_healing = 1;
  live.not_in_step = {"a reason"};
  live.roles = {{"capture", role_state::kRunning, "", 0, 0}, {"copy", role_state::kFailed, "no", 4, 2}};
  live.complete_until_unix_ms = 1'700'000'000'123;
  live.needs_person = "heal it";
  const auto back = progress_from_json(progress_to_json(progress));
  ASSERT_TRUE(back);
  live.gaps[1] = "of a server: \xEF\xBF\xBD";
  EXPECT_EQ(back->live, progress.live);
  progress.live.reset();
  EXPECT_EQ(progress_from_json(progress_to_json(progress))->live, std::nullopt);
  EXPECT_FALSE(progress_from_json(R"({"live":3})"));
  EXPECT_FALSE(progress_from_json(R"({"live":{"gaps":[1]}})"));
}

TEST(ProgressJson, StaysJsonWhateverAServerSays) {
  Progress progress;
  progress.holder_detail = "a\xff\"b";
  progress.steering = {{"rcu", "1", "\xc3", 2}};
  const Result<Progress> back = progress_from_json(progress_to_json(progress));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->holder_detail, "a\uFFFD\"b");
  EXPECT_EQ(back->steering.at(0).by, "\uFFFD");
}

TEST(ProgressJson, VersionsCanReadEachOthers) {
  const Result<Progress> other = progress_from_json(R"({"phase":"done","lag":3})");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->phase, "done");
  EXPECT_EQ(other->units, 0u);
}

TEST(ProgressJson, RefusesWhatItCannotBe) {
  EXPECT_EQ(progress_from_json("").error().kind, ErrorKind::corrupt);
  EXPECT_EQ(progress_from_json("[]").error().kind, ErrorKind::corrupt);
  const Result<Progress> wrong = progress_from_json(R"({"units":"many"})");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("\"units\""), std::string::npos);
  for (const char* text :
       {R"({"paused":1})", R"({"steering":{}})", R"({"steering":[1]})", R"({"steering":[{"setting":"rcu"}]})",
        R"({"steering":[{"setting":"rcu","value":8,"by":"x","atUnixMs":1}]})"})
    EXPECT_FALSE(progress_from_json(text)) << text;
}

}  // namespace
}  // namespace messina::jobs
