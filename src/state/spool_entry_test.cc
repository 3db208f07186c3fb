#include "state/spool_entry.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "state/spool_records.h"

namespace messina::state {
namespace {

EntryView random_put(Random& random, Generation generation, std::string_view bytes) {
  SpoolPut put{.key = "k",
               .kind = static_cast<ChangeKind>(random.below(3)),
               .token = OrderToken::parse(std::to_string(random.below(5))).value(),
               .image = std::string(bytes),
               .changed_unix_ms = static_cast<std::int64_t>(random.below(10))};
  const PutContext context{.domain = static_cast<std::uint32_t>(generation / 4),
                           .same_domain = random.chance(0.8),
                           .captured = {1, static_cast<std::int64_t>(generation)}};
  EntryView entry = entry_of(put, generation, context);
  if (entry.image && !entry.image->removed) entry.image->bytes = bytes;  // `put` dies here
  return entry;
}

// RocksDB merges neighbours in any grouping.
/// The short way to remove an entry says no more than the long one.
TEST(SpoolEntry, WhatGoesUnreadLeavesNothing) {
  constexpr Generation kMost = 5;
  int unread = 0;
  for (Generation mark = 0; mark < kMost; ++mark) {
    for (Generation image = 0; image < kMost; ++image) {
      if (mark == 0 && image == 0) continue;
      for (Generation barrier = 0; barrier < kMost; ++barrier) {
        for (Generation generation = 1; generation < kMost; ++generation) {
          EntryView entry{.queued = 1, .oldest_change_unix_ms = 0, .mark = mark, .image = {}};
          if (image != 0) {
            entry.image = EntryView::Image();
            entry.image->generation = image;
          }
          if (!goes_unread(entry.generation(), barrier, generation)) continue;
          ++unread;
          EXPECT_TRUE(remainder(entry, barrier, generation, kMost, {}).empty())
              << mark << ' ' << image << ' ' << barrier << ' ' << generation;
        }
      }
    }
  }
  EXPECT_GT(unread, 0);
}

TEST(SpoolEntry, MergingIsAssociative) {
  Random random(11);
  for (int i = 0; i < 20'000; ++i) {
    const EntryView a = random_put(random, 1 + random.below(3), "a");
    const EntryView b = random_put(random, 5 + random.below(3), "b");
    const EntryView c = random_put(random, 9 + random.below(3), "c");
    ASSERT_EQ(merged(merged(a, b), c), merged(a, merged(b, c))) << i;
  }
}

TEST(SpoolEntry, BytesThereAndBack) {
  Random random(12);
  for (int i = 0; i < 5'000; ++i) {
    EntryView entry = random_put(random, random.next() >> random.below(64), "item\0bytes");
    if (random.chance(0.5)) entry = merged(entry, random_put(random, random.next(), ""));
    if (random.chance(0.2)) entry.queued = random.next();
    if (entry.empty()) continue;  // generation 0
    std::string bytes;
    encode(entry, bytes);
    ASSERT_EQ(decode(bytes), entry);
    if (!entry.image) {
      EXPECT_EQ(bytes.size(), 25u);
      EXPECT_FALSE(decode(bytes + "x"));
    }
    for (std::size_t cut = 0; cut < std::min<std::size_t>(bytes.size(), 17); ++cut) {
      EXPECT_FALSE(decode(std::string_view(bytes).substr(0, cut)));
    }
  }
  EXPECT_FALSE(decode(""));
  EXPECT_FALSE(decode(std::string(17, '\0')));    // of nothing
  EXPECT_FALSE(decode(std::string(40, '\x7f')));  // unknown flags
}

TEST(SpoolRecords, BytesThereAndBack) {
  std::string bytes;
  const SpoolCounters counters{1ull << 63, 2, 3, 4, 5, 6, 4'000'000'000u};
  encode(counters, bytes);
  EXPECT_EQ(decode_counters(bytes), counters);
  EXPECT_FALSE(decode_counters(bytes + "x"));
  EXPECT_FALSE(decode_counters(std::string_view(bytes).substr(1)));

  const Place place{3, 0x0102030405060708};
  EXPECT_EQ(decode_place(place_key(place)), place);
  EXPECT_LT(place_key({0, 256}), place_key({0, 1000}));
  EXPECT_LT(place_key({0, ~0ull}), place_key({1, 0}));
  EXPECT_FALSE(decode_place("short"));

  const ShardPosition position{"shard", "12345", -1, ShardState::drained, 9, "parent"};
  bytes.clear();
  encode(position, bytes);
  EXPECT_EQ(decode_position("shard", bytes), position);
  bytes.front() = 3;
  EXPECT_FALSE(decode_position("shard", bytes));

  bytes.clear();
  encode(QueueRecord{"key", {7, -5}, 1'700'000'000'000}, bytes);
  const auto record = decode_queue_record(bytes);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->key, "key");
  EXPECT_EQ(record->captured, (CaptureTime{7, -5}));
  EXPECT_EQ(record->changed_unix_ms, 1'700'000'000'000);
}

}  // namespace
}  // namespace messina::state
