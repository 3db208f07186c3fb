// The applier's single promises, each in virtual time.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "apply_bench.h"
#include "jobs/authority.h"

namespace messina::simulation {
namespace {

using namespace std::chrono_literals;

/// When the item was sent first, of those that were sent.
std::optional<MonoTime> sent_at(const ApplyBench& bench, const std::string& raw) {
  for (const ApplyBench::Write& write : bench.target.writes) {
    for (const std::string& each : write.raws) {
      if (each == raw) return write.sent;
    }
  }
  return std::nullopt;
}

std::string raw(const std::string& key, std::uint64_t version) {
  return ApplyBench::image(key, version).image;
}

endpoints::WriteOutcome answer(ErrorKind kind, std::string code = "") {
  endpoints::WriteOutcome outcome;
  outcome.error = Error{kind, "the server says so", std::move(code)};
  return outcome;
}

TEST(ApplyCases, AHotKeyCostsFewWritesAndDelaysNobody) {
  ApplyBench bench;
  bench.target.latency = 50ms;
  bench.start();
  std::vector<std::pair<MonoTime, std::string>> others;
  std::uint64_t version = 0;
  for (int ms = 0; ms < 1000; ++ms) {
    std::vector<state::SpoolPut> puts;
    for (int i = 0; i < 10; ++i) puts.push_back(ApplyBench::image("hot", ++version));
    if (ms % 50 == 0) {
      const std::string key = fmt::format("other {}", ms);
      puts.push_back(ApplyBench::image(key, 1));
      others.emplace_back(bench.universe.now(), raw(key, 1));
    }
    bench.put(std::move(puts));
    bench.run_for(1ms);
  }
  bench.run_for(5s);
  EXPECT_EQ(bench.waiting(), 0u);
  EXPECT_EQ(bench.target.writes.back().raws.front(), raw("hot", 10'000));
  std::size_t hot = 0;
  for (const ApplyBench::Write& write : bench.target.writes) {
    for (const std::string& each : write.raws) hot += each.find(R"("hot")") != std::string::npos;
  }
  EXPECT_LE(hot, 20u);
  EXPECT_GE(hot, 2u);
  for (const auto& [at, item] : others) {
    const std::optional<MonoTime> sent = sent_at(bench, item);
    ASSERT_TRUE(sent) << item;
    EXPECT_LE(*sent - at, 100ms) << item;
  }
}

TEST(ApplyCases, OnAQuietSystemAChangeIsOnItsWayWithinSomeTensOfMs) {
  ApplyBench bench;
  bench.start();
  bench.run_for(10s);
  for (std::uint64_t i = 0; i < 50; ++i) {
    const MonoTime at = bench.universe.now();
    const std::string key = fmt::format("key {}", i);
    bench.put({ApplyBench::image(key, 1)});
    bench.run_for(937ms);
    const std::optional<MonoTime> sent = sent_at(bench, raw(key, 1));
    ASSERT_TRUE(sent);
    EXPECT_LE(*sent - at, 100ms);
  }
  EXPECT_LE(bench.apply->figures().lag_s.value_or(1), 0.12);
}

TEST(ApplyCases, BatchesAreFilledAcrossKeysWithinTheCapsAndTheConcurrency) {
  jobs::ApplyOptions options;
  options.write_concurrency = 3;
  ApplyBench bench(options);
  bench.target.caps.max_items = 25;
  bench.target.latency = 50ms;
  bench.start();
  std::vector<state::SpoolPut> puts;
  for (std::uint64_t i = 0; i < 1000; ++i) puts.push_back(ApplyBench::image(fmt::format("{:04}", i), 1));
  bench.put(std::move(puts));
  bench.run_for(5s);
  EXPECT_EQ(bench.waiting(), 0u);
  EXPECT_EQ(bench.target.most_on_wire, 3u);
  EXPECT_LE(bench.target.writes.size(), 44u);
  for (const ApplyBench::Write& write : bench.target.writes) EXPECT_LE(write.raws.size(), 25u);
  EXPECT_EQ(bench.apply->figures().written, 1000u);
}

TEST(ApplyCases, ABatchHoldsNoMoreBytesThanItMay) {
  ApplyBench bench;
  bench.target.caps.max_bytes = 3 * raw("0000", 1).size();
  bench.start();
  std::vector<state::SpoolPut> puts;
  for (std::uint64_t i = 0; i < 100; ++i) puts.push_back(ApplyBench::image(fmt::format("{:04}", i), 1));
  bench.put(std::move(puts));
  bench.run_for(5s);
  EXPECT_EQ(bench.apply->figures().written, 100u);
  for (const ApplyBench::Write& write : bench.target.writes) EXPECT_LE(write.raws.size(), 3u);
}

TEST(ApplyCases, TheChangeAtFaultIsFoundAndItsRejectIsLiveUntilItIsWritten) {
  ApplyBench bench;
  bool refuses = true;
  bench.target.answer = [&](const ApplyBench::Write& write) -> std::optional<endpoints::WriteOutcome> {
    const bool bad = std::ranges::find(write.raws, raw("0007", 1)) != write.raws.end();
    if (bad && refuses) return answer(ErrorKind::refused, "ValidationException");
    return std::nullopt;
  };
  bench.start();
  std::vector<state::SpoolPut> puts;
  for (std::uint64_t i = 0; i < 20; ++i) puts.push_back(ApplyBench::image(fmt::format("{:04}", i), 1));
  bench.put(std::move(puts));
  bench.run_for(5s);
  EXPECT_EQ(bench.waiting(), 0u);
  EXPECT_EQ(bench.apply->figures().written, 19u);
  EXPECT_EQ(bench.apply->figures().rejected, 1u);
  ASSERT_EQ(bench.disk.rejects.size(), 1u);
  EXPECT_EQ(bench.disk.rejects.front().item, raw("0007", 1));
  EXPECT_EQ(bench.disk.rejects.front().code, "ValidationException");
  EXPECT_TRUE(bench.disk.rejects.front().live);
  refuses = false;
  bench.put({ApplyBench::removal("0007")});
  bench.run_for(5s);
  EXPECT_EQ(bench.target.writes.back().raws.front(), ApplyBench::key_text("0007"));
  EXPECT_TRUE(bench.target.writes.back().removes.front());
  EXPECT_FALSE(bench.disk.rejects.front().live);
  EXPECT_TRUE(bench.ledger.rejects().empty());
}

TEST(ApplyCases, AChangeThatIsAnswered500IsFoundAndRejected) {
  jobs::ApplyOptions options;
  options.dead_after = 2s;
  ApplyBench bench(options);
  bench.target.answer = [&](const ApplyBench::Write& write) -> std::optional<endpoints::WriteOutcome> {
    const bool bad = std::ranges::find(write.raws, raw("0007", 1)) != write.raws.end();
    if (bad) return answer(ErrorKind::unknown_outcome, "InternalServerError");
    return std::nullopt;
  };
  bench.start();
  std::vector<state::SpoolPut> puts;
  for (std::uint64_t i = 0; i < 20; ++i) puts.push_back(ApplyBench::image(fmt::format("{:04}", i), 1));
  bench.put(std::move(puts));
  for (int minute = 0; minute < 2; ++minute) {
    bench.put({ApplyBench::image("another", static_cast<std::uint64_t>(minute))});
    bench.run_for(1min);
  }
  EXPECT_EQ(bench.apply->figures().written, 21u);
  ASSERT_EQ(bench.disk.rejects.size(), 1u);
  EXPECT_EQ(bench.disk.rejects.front().item, raw("0007", 1));
}

TEST(ApplyCases, AnUnknownOutcomeIsWrittenAgainInItsNewestStateAndNotBefore) {
  ApplyBench bench;
  bool first = true;
  bench.target.answer = [&](const ApplyBench::Write&) -> std::optional<endpoints::WriteOutcome> {
    if (std::exchange(first, false)) return answer(ErrorKind::unknown_outcome);
    return std::nullopt;
  };
  bench.start();
  bench.put({ApplyBench::image("key", 1)});
  bench.run_for(1s);
  ASSERT_EQ(bench.target.writes.size(), 1u);
  EXPECT_EQ(bench.apply->figures().unknown_outcomes, 1u);
  EXPECT_FALSE(bench.apply->figures().trouble.empty());
  bench.put({ApplyBench::image("key", 2)});
  bench.run_for(40s);
  ASSERT_EQ(bench.target.writes.size(), 2u);
  EXPECT_EQ(bench.target.writes.back().raws.front(), raw("key", 2));
  EXPECT_GT(bench.target.writes[1].sent - bench.target.writes[0].sent, 31s);
  EXPECT_LT(bench.target.writes[1].sent - bench.target.writes[0].sent, 32s);
  EXPECT_EQ(bench.apply->figures().unknown_outcomes, 0u);
  ASSERT_TRUE(bench.end());
  EXPECT_TRUE(bench.apply->wire_is_quiet());
}

TEST(ApplyCases, AStopWaitsForTheAnswerAndKnowsWhatItLeavesBehind) {
  ApplyBench bench;
  bench.target.latency = 3s;
  bench.start();
  bench.put({ApplyBench::image("key", 1)});
  bench.run_for(500ms);
  ASSERT_EQ(bench.target.writes.size(), 1u);
  ASSERT_TRUE(bench.end());
  EXPECT_EQ(bench.waiting(), 0u);
  EXPECT_TRUE(bench.apply->wire_is_quiet());
  EXPECT_FALSE(bench.apply->figures().running);

  ApplyBench cut;
  cut.target.answer = [](const ApplyBench::Write&) {
    return std::optional(answer(ErrorKind::unknown_outcome));
  };
  cut.start();
  cut.put({ApplyBench::image("key", 1)});
  cut.run_for(500ms);
  ASSERT_TRUE(cut.end());
  EXPECT_EQ(cut.waiting(), 1u);
  EXPECT_FALSE(cut.apply->wire_is_quiet());
}

TEST(ApplyCases, NothingIsSentWithoutADurableHeartbeat) {
  ApplyBench bench;
  bench.start();
  bench.run_for(5s);
  bench.disk.hangs_until = bench.universe.now() + 60s;
  bench.run_for(15s);
  bench.put({ApplyBench::image("key", 1)});
  bench.run_for(40s);
  EXPECT_TRUE(bench.target.writes.empty());
  bench.run_for(10s);
  EXPECT_EQ(bench.target.writes.size(), 1u);
}

TEST(ApplyCases, APauseBeginsNoWrite) {
  ApplyBench bench;
  bench.start();
  bench.apply->pause(true);
  bench.put({ApplyBench::image("key", 1), ApplyBench::mark("marked")});
  bench.run_for(10s);
  EXPECT_TRUE(bench.target.writes.empty());
  bench.apply->pause(false);
  bench.run_for(5s);
  EXPECT_EQ(bench.waiting(), 0u);
}

TEST(ApplyCases, AMarkIsReadAndWrittenOrRemoved) {
  ApplyBench bench;
  bench.source.items[ApplyBench::key_text("there")] = raw("there", 9);
  bench.start();
  bench.put({ApplyBench::mark("there"), ApplyBench::mark("gone")});
  bench.run_for(5s);
  EXPECT_EQ(bench.waiting(), 0u);
  EXPECT_TRUE(sent_at(bench, raw("there", 9)));
  EXPECT_TRUE(sent_at(bench, ApplyBench::key_text("gone")));
  EXPECT_EQ(bench.apply->figures().reread, 2u);
  EXPECT_EQ(bench.apply->figures().written, 1u);
  EXPECT_EQ(bench.apply->figures().removed, 1u);
}

// A table that was deleted and made again lacks everything.
TEST(ApplyCases, WhatIsAbsentIsDeletedOnceTheSourceWasSeenToBeTheSame) {
  ApplyBench bench;
  bench.source.items[ApplyBench::key_text("there")] = raw("there", 9);
  bench.source_sight.seen(bench.universe.now());
  bench.start();
  bench.run_for(1s);
  bench.put({ApplyBench::mark("gone")});
  bench.run_for(20s);
  EXPECT_EQ(bench.source.lookups.size(), 1u);
  EXPECT_TRUE(bench.target.writes.empty());
  EXPECT_TRUE(bench.source_sight.take_wish());
  bench.put({ApplyBench::mark("there")});
  bench.run_for(2s);
  EXPECT_TRUE(sent_at(bench, raw("there", 9))) << "nothing is to be deleted for it";
  bench.source_sight.seen(bench.universe.now());
  bench.run_for(5s);
  EXPECT_TRUE(sent_at(bench, ApplyBench::key_text("gone")));
  EXPECT_EQ(bench.waiting(), 0u);
}

TEST(ApplyCases, NothingIsWrittenWhileNobodySeesTheOwner) {
  ApplyBench bench;
  bench.owner_sight.seen(bench.universe.now());
  bench.start();
  bench.put({ApplyBench::image("early", 1)});
  bench.run_for(5s);
  EXPECT_TRUE(sent_at(bench, raw("early", 1)));
  bench.run_for(jobs::kOwnerSeenLasts);
  bench.put({ApplyBench::image("late", 1)});
  bench.run_for(60s);
  EXPECT_FALSE(sent_at(bench, raw("late", 1)));
  bench.owner_sight.seen(bench.universe.now());
  bench.run_for(5s);
  EXPECT_TRUE(sent_at(bench, raw("late", 1)));
}

TEST(ApplyCases, WhatWasReadWaitsForTheWatermarkAndIsReadAgainWhenThatTakesTooLong) {
  ApplyBench bench;
  bench.source.items[ApplyBench::key_text("key")] = raw("key", 1);
  bench.start();
  bench.apply->pause(true);
  bench.put({ApplyBench::mark("key")});
  bench.run_for(1s);
  const auto page = bench.watermark.sent(bench.universe.now());
  bench.put({ApplyBench::image("changed", 1)});
  bench.apply->pause(false);
  bench.run_for(50s);
  EXPECT_TRUE(bench.target.writes.empty());
  EXPECT_EQ(bench.source.lookups.size(), 1u);
  // It was let go, and nothing is read in vain while the page is where it was.
  bench.run_for(300s);
  EXPECT_EQ(bench.source.lookups.size(), 1u);
  bench.source.items[ApplyBench::key_text("key")] = raw("key", 2);
  bench.watermark.acknowledged(page, bench.universe.now());
  bench.run_for(5s);
  EXPECT_EQ(bench.source.lookups.size(), 2u);
  EXPECT_TRUE(sent_at(bench, raw("key", 2)));
  EXPECT_FALSE(sent_at(bench, raw("key", 1)));
  EXPECT_TRUE(sent_at(bench, raw("changed", 1)));
}

TEST(ApplyCases, ReadsKeepToTheirBudgetAndChangesPassThemBy) {
  jobs::ApplyOptions options;
  options.read_rcu_per_s = 50;
  ApplyBench bench(options);
  bench.source.max_keys = 10;
  bench.start();
  std::vector<state::SpoolPut> puts;
  for (std::uint64_t i = 0; i < 3000; ++i) puts.push_back(ApplyBench::mark(fmt::format("{:04}", i)));
  bench.put(std::move(puts));
  bench.run_for(10s);
  EXPECT_LE(bench.source.keys_asked, 560u);
  EXPECT_GE(bench.source.keys_asked, 450u);
  const MonoTime at = bench.universe.now();
  bench.put({ApplyBench::image("changed", 1)});
  bench.run_for(5s);
  const std::optional<MonoTime> sent = sent_at(bench, raw("changed", 1));
  ASSERT_TRUE(sent);
  EXPECT_LE(*sent - at, 1s);
  bench.run_for(60s);
  EXPECT_EQ(bench.waiting(), 0u);
}

TEST(ApplyCases, RenamesAndDropsHoldForImagesAndForKeys) {
  jobs::ApplyOptions options;
  options.transform.renames = {{"pk", "id"}};
  options.transform.drops = {"v"};
  ApplyBench bench(options);
  bench.start();
  bench.put({ApplyBench::image("a", 1), ApplyBench::removal("b")});
  bench.run_for(5s);
  EXPECT_TRUE(sent_at(bench, R"({"id":{"S":"a"}})"));
  EXPECT_TRUE(sent_at(bench, R"({"id":{"S":"b"}})"));
  EXPECT_EQ(bench.waiting(), 0u);
}

TEST(ApplyCases, WhatCannotBeRenamedIsRejectedAsItWas) {
  jobs::ApplyOptions options;
  options.transform.renames = {{"v", "pk2"}};
  ApplyBench bench(options);
  state::SpoolPut clash = ApplyBench::image("a", 1);
  clash.image = R"({"pk":{"S":"a"},"v":{"N":"1"},"pk2":{"N":"2"}})";
  const std::string original = clash.image;
  bench.start();
  bench.put({std::move(clash), ApplyBench::image("b", 1)});
  bench.run_for(5s);
  ASSERT_EQ(bench.disk.rejects.size(), 1u);
  EXPECT_EQ(bench.disk.rejects.front().item, original);
  EXPECT_TRUE(sent_at(bench, R"({"pk":{"S":"b"},"pk2":{"N":"1"}})"));
  EXPECT_EQ(bench.waiting(), 0u);
}

TEST(ApplyCases, AnOutageIsWaitedOut) {
  ApplyBench bench;
  const MonoTime back = bench.universe.now() + 10min;
  bench.target.answer = [&](const ApplyBench::Write&) -> std::optional<endpoints::WriteOutcome> {
    if (bench.universe.now() < back) return answer(ErrorKind::transient);
    return std::nullopt;
  };
  bench.start();
  std::vector<state::SpoolPut> puts;
  for (std::uint64_t i = 0; i < 500; ++i) puts.push_back(ApplyBench::image(fmt::format("{:04}", i), 1));
  bench.put(std::move(puts));
  bench.run_for(10min);
  const std::size_t in_vain = bench.target.writes.size();
  EXPECT_LT(in_vain, 1000u);
  bench.run_for(30s);
  EXPECT_EQ(bench.waiting(), 0u);
  EXPECT_EQ(bench.apply->figures().written, 500u);
}

TEST(ApplyCases, WhatIsDeniedEndsIt) {
  ApplyBench bench;
  bench.target.answer = [](const ApplyBench::Write&) {
    return std::optional(answer(ErrorKind::denied, "AccessDeniedException"));
  };
  bench.start();
  bench.put({ApplyBench::image("key", 1)});
  bench.run_for(5s);
  ASSERT_TRUE(bench.result);
  ASSERT_FALSE(*bench.result);
  EXPECT_EQ(bench.result->error().kind, ErrorKind::denied);
  EXPECT_EQ(bench.waiting(), 1u);
}

TEST(ApplyCases, KeysOfOneValueThatAreWrittenInTwoWaysAreReadOneByOne) {
  // As the numbers 1000 and 1e3 of a source that keeps them apart: an answer does not say which it is of.
  ApplyBench bench;
  const std::string plain = R"({"pk":{"S":"a"}})", escaped = R"({"pk":{"S":"\u0061"}})";
  bench.source.items[plain] = R"({"pk":{"S":"a"},"v":{"N":"1"}})";
  bench.source.items[escaped] = R"({"pk":{"S":"\u0061"},"v":{"N":"2"}})";
  bench.start();
  state::SpoolPut first, second;
  first.key = plain;
  second.key = escaped;
  bench.put({first, second});
  bench.run_for(5s);
  EXPECT_EQ(bench.waiting(), 0u);
  EXPECT_TRUE(sent_at(bench, bench.source.items[plain]));
  EXPECT_TRUE(sent_at(bench, bench.source.items[escaped]));
  for (const ApplyBench::Write& write : bench.target.writes) {
    for (const bool removes : write.removes) EXPECT_FALSE(removes);
  }
}

}  // namespace
}  // namespace messina::simulation
