#include "jobs/verify_record.h"

#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

VerifyRecord full_record() {
  VerifyRecord record;
  record.identity = {"table \"a\"", "table \"b\"", "1", "2", "plan"};
  record.scope = {.sample = 0.25,
                  .sample_seed = 7,
                  .segment = VerifyScope::Segment{3, 16},
                  .keys_alone = true,
                  .exhaustive = true,
                  .indexes = true};
  record.secret = {1, 2, 3, 255};
  record.bucket_bits = 12;
  record.phase = VerifyPhase::buckets;
  record.live = true;
  record.began_unix_ms = 1;
  record.ended_unix_ms = 2;
  record.expected_items = 3;
  record.source_keys = 4;
  record.target_keys = 5;
  record.source_digest = "00ff";
  record.target_digest = "ff00";
  record.buckets_differing = 6;
  record.buckets_listed = 7;
  record.touched_judged = 8;
  record.keys_judged = 9;
  record.judging_source_rcu = 1.5;
  record.judging_target_rcu = 2.5;
  record.repaired_unix_ms = 10;
  record.repaired_keys = 11;
  record.indexes = {{.name = "by_g",
                     .entries = 12,
                     .missing = 1,
                     .extra = 2,
                     .unsettled = 3,
                     .missing_keys = {"{}"},
                     .extra_keys = {"a", "b"}},
                    {.name = "gone", .absent = true}};
  record.against = {"a gap", "\xff"};
  return record;
}

TEST(VerifyRecord, ComesBackAsItWas) {
  VerifyRecord record = full_record();
  record.against.pop_back();  // bytes that are no UTF-8 do not come back
  const auto again = verify_record(to_json(record));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, record);
  const auto empty = verify_record(to_json(VerifyRecord()));
  ASSERT_TRUE(empty);
  EXPECT_EQ(*empty, VerifyRecord());
  EXPECT_TRUE(verify_record(to_json(full_record())));
}

TEST(VerifyRecord, WhatIsNoneIsDamaged) {
  for (const char* text :
       {"", "[]", R"({"phase":"sideways"})", R"({"secret":"AA"})", R"({"segment":{}})", R"({"against":[1]})",
        R"({"live":1})", R"({"bucketBits":"x"})", R"({"indexes":[1]})", R"({"indexes":[{"missing":"x"}]})"}) {
    const auto record = verify_record(text);
    ASSERT_FALSE(record) << text;
    EXPECT_EQ(record.error().kind, ErrorKind::corrupt);
  }
  EXPECT_TRUE(verify_record(R"({"something":"newer"})"));
}

}  // namespace
}  // namespace messina::jobs
