#include "jobs/gap_text.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

TEST(GapText, NamesTheCauseAndTheTime) {
  const state::GapRecord gap{"position_too_old", "shardId-1", 1'700'000'000'999, 1'700'003'600'000};
  EXPECT_EQ(gap_text(gap),
            "shard shardId-1 was not read for as long as its records are kept: changes between "
            "2023-11-14T22:13:20Z and 2023-11-14T23:13:20Z were missed");
}

TEST(GapText, SaysNothingOfABeginningThatIsNotKnown) {
  EXPECT_EQ(gap_text({"stream_ended", "arn:x", 0, 1'700'000'000'000}),
            "the stream arn:x was switched off or replaced before it was read to its end: changes before "
            "2023-11-14T22:13:20Z were missed");
}

TEST(GapText, WhatWaitedInASpoolHasNoBeginning) {
  EXPECT_EQ(gap_text({"spool_missing", "the spool beside the ledger", 1'600'000'000'000, 1'700'000'000'000}),
            "the spool beside the ledger is missing, and with it the changes that waited (noticed "
            "2023-11-14T22:13:20Z)");
}

TEST(GapText, EachCauseHasItsOwnSentenceAndOneOfALaterVersionIsNamed) {
  std::set<std::string> texts;
  for (const char* cause : {"position_too_old", "shard_lost", "parent_unread", "stream_ended",
                            "spool_missing", "spool_older", "of_a_later_version"}) {
    const std::string text = gap_text({cause, "d", 1, 2});
    EXPECT_TRUE(texts.insert(text).second) << text;
    EXPECT_EQ(text.find(cause) != std::string::npos, cause == std::string("of_a_later_version")) << text;
  }
  EXPECT_THAT(gap_text({"of_a_later_version", "d", 1, 2}), testing::StartsWith("of_a_later_version (d)"));
}

}  // namespace
}  // namespace messina::jobs
