#include "console/display.h"

#include <latch>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "console/progress_text.h"
#include "console/summary.h"

namespace messina::console {
namespace {

jobs::Progress copying() {
  jobs::Progress progress;
  progress.phase = "copying";
  progress.counts.read_items = 1'234'567;
  progress.counts.read_bytes = 1'200'000'000;
  progress.share_done = 0.423;
  progress.items_per_s = 45'210;
  progress.rcu_per_s = 812;
  progress.eta_s = 200;
  progress.holder = "hot partition";
  progress.holder_detail = "segment 17";
  return progress;
}

TEST(ProgressText, SaysEverythingWhereThereIsRoom) {
  EXPECT_EQ(terminal_line(copying(), 200),
            "copy  42.3%  1,234,567 items  1.2 GB  45,210 items/s  812 RCU/s  ETA 3 min 20 s  held by hot "
            "partition in segment 17");
  EXPECT_EQ(plain_line(copying()), terminal_line(copying(), 500));
  jobs::Progress preparing;
  preparing.phase = "preparing";
  EXPECT_EQ(terminal_line(preparing, 80), "copy  preparing");
}

TEST(ProgressText, FitsEveryWidth) {
  for (std::size_t width = 1; width < 200; ++width)
    EXPECT_LE(columns(terminal_line(copying(), width)), std::max<std::size_t>(width - 1, 1)) << width;
  EXPECT_EQ(terminal_line(copying(), 80), "copy  42.3%  1,234,567 items  45,210 items/s  ETA 3 min 20 s");
}

TEST(ProgressText, LetsNoServerMoveTheCursor) {
  jobs::Progress progress = copying();
  progress.holder_detail = "x\x1b[2J\ny\xc2\x9b";
  const std::string line = terminal_line(progress, 300);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find("\xc2\x9b"), std::string::npos);
}

class DisplayTest : public ::testing::Test {
 protected:
  Output output() {
    return {.out = [this](std::string_view text) { out += text; },
            .err = [this](std::string_view text) { err += text; },
            .width = [this] { return width; }};
  }
  static void tick(Display& display) {
    display.tick();
    display.flush();
  }
  std::string out, err;
  std::size_t width = 30;
  jobs::ProgressBoard board;
  ManualClock clock;
};

TEST_F(DisplayTest, RedrawsOneLineAndKeepsTheLogApart) {
  Display display(board, output(), Style::terminal, clock);
  tick(display);
  EXPECT_EQ(err, "") << "nothing was published yet";
  board.publish(copying());
  tick(display);
  EXPECT_EQ(err, "\rcopy  42.3%  45,210 items/s\x1b[K");
  err.clear();
  tick(display);
  EXPECT_EQ(err, "") << "an unchanged line is not drawn again";
  width = 60;
  tick(display);
  EXPECT_EQ(err, "\rcopy  42.3%  45,210 items/s  ETA 3 min 20 s\x1b[K");
  err.clear();
  log::init(spdlog::level::info, false);
  log::warn("careful");
  display.flush();
  EXPECT_TRUE(err.starts_with("\r\x1b[K")) << err;
  EXPECT_TRUE(err.ends_with(" warning: careful\ncopy  42.3%  45,210 items/s  ETA 3 min 20 s")) << err;
  err.clear();
  display.result("done\n");
  display.flush();
  EXPECT_EQ(err, "\r\x1b[K");
  EXPECT_EQ(out, "done\n");
  display.stop();
  tick(display);
  EXPECT_EQ(err, "\r\x1b[K") << "nothing is drawn after the end";
}

TEST_F(DisplayTest, WritesPlainLinesAndEvents) {
  board.publish(copying());
  Display(board, output(), Style::plain, clock).tick();
  EXPECT_EQ(err, plain_line(copying()) + "\n");
  Display(board, output(), Style::json, clock).tick();
  EXPECT_TRUE(out.starts_with("{\"event\":\"progress\",\"time\":\"1970-01-01T00:00:00.000Z\",")) << out;
  EXPECT_EQ(out.back(), '\n');
  out.clear();
  Display(board, output(), Style::quiet, clock).tick();
  EXPECT_EQ(out, "");
}

TEST_F(DisplayTest, ItsThreadEndsAtOnce) {
  board.publish(copying());
  Display display(board, output(), Style::plain, clock);
  display.start();
  display.stop();
  display.stop();
}

std::string line_of(std::size_t bytes) {
  std::string line(bytes, 'x');
  line.back() = '\n';
  return line;
}

/// A reader who reads nothing until the latch is counted down.
class StuckDisplayTest : public DisplayTest {
 protected:
  Output stuck() {
    return {.out =
                [this](std::string_view text) {
                  reads.wait();
                  out += text;
                },
            .err =
                [this](std::string_view text) {
                  reads.wait();
                  err += text;
                },
            .width = [this] { return width; }};
  }
  std::latch reads{1};
};

TEST_F(StuckDisplayTest, WhoeverSaysSomethingWaitsForNoReader) {
  const std::string line = line_of(1024);
  constexpr std::size_t kFit = OutputQueue::kMostBytes / 1024;
  board.publish(copying());
  Display display(board, stuck(), Style::plain, clock);
  for (std::size_t i = 0; i < kFit + 3; ++i) display.say(line);
  display.tick();
  reads.count_down();
  display.stop();
  EXPECT_EQ(err.size(), kFit * 1024 + std::string("3 messages left out here: nobody was reading\n").size());
  EXPECT_THAT(err, testing::EndsWith("x\n3 messages left out here: nobody was reading\n"));
  EXPECT_THAT(err, testing::Not(testing::HasSubstr("copy  42"))) << "stale progress";
  err.clear();
  display.say("and goes on\n");
  display.stop();
  EXPECT_EQ(err, "and goes on\n") << "it was said once";
}

TEST_F(StuckDisplayTest, WhatWasLeftOutIsAnEventAmongEvents) {
  Display display(board, stuck(), Style::json, clock);
  display.say(line_of(OutputQueue::kMostBytes));
  display.say("lost\n");
  reads.count_down();
  display.flush();
  err.clear();
  display.say("{}\n");
  display.flush();
  EXPECT_THAT(err, testing::StartsWith(R"({"event":"notice",)"));
  EXPECT_THAT(err, testing::HasSubstr("1 message left out here"));
  EXPECT_THAT(err, testing::EndsWith("}\n{}\n"));
}

TEST_F(StuckDisplayTest, ResultsWaitAndAreNeverLeftOut) {
  constexpr std::size_t kBytes = OutputQueue::kMostResultBytes;
  Display display(board, stuck(), Style::quiet, clock);
  display.result(std::string(kBytes, 'a'));
  std::thread other([&] {
    display.result(std::string(kBytes, 'b'));
    display.result("c\n");
  });
  // Beside a result that waits, others still have their say.
  display.say("here\n");
  reads.count_down();
  other.join();
  display.stop();
  EXPECT_EQ(out, std::string(kBytes, 'a') + std::string(kBytes, 'b') + "c\n");
  EXPECT_EQ(err, "here\n");
}

TEST(Summary, AddsUpOrSaysSo) {
  state::Counts counts;
  counts.read_items = 10;
  counts.written_items = 9;
  counts.rejected_items = 1;
  EXPECT_TRUE(check_counts(counts));
  counts.rejected_items = 0;
  const auto wrong = check_counts(counts);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::internal);
  EXPECT_NE(wrong.error().message.find("read 10, written 9, rejected 0"), std::string::npos);
}

TEST(Summary, IsForPeople) {
  Outcome outcome{
      "dynamodb://us-east-1/orders", "alternator://h:8000/orders", ExitCode::done_with_rejects, {}};
  outcome.summary.counts.read_items = 1'234'567;
  outcome.summary.counts.read_bytes = 1'200'000'000;
  outcome.summary.counts.written_items = 1'234'560;
  outcome.summary.counts.rejected_items = 7;
  outcome.summary.live_rejects = 7;
  outcome.summary.elapsed = std::chrono::milliseconds(200'000);
  EXPECT_EQ(summary_text(outcome),
            "copied dynamodb://us-east-1/orders to alternator://h:8000/orders in 3 min 20 s\n"
            "  read      1,234,567 items, 1.2 GB\n"
            "  written   1,234,560 items\n"
            "  rejected          7 items\n"
            "7 rejects are live: `messina rejects list` shows why the target refused\n");
  outcome.state_flag = " --state place";
  EXPECT_TRUE(
      summary_text(outcome).ends_with("`messina rejects list --state place` shows why the target refused\n"));
  outcome.summary.was_already_done = true;
  EXPECT_TRUE(summary_text(outcome).starts_with("already done, nothing written: "));
}

}  // namespace
}  // namespace messina::console
