#include "jobs/shard_map.h"

#include <algorithm>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace messina::jobs {
namespace {

using endpoints::SequenceNumber;
using endpoints::ShardId;
using endpoints::ShardInfo;
using endpoints::StreamDescription;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr WallTime kStart{hours(1000)};

StreamDescription listing(std::vector<ShardInfo> shards) {
  StreamDescription stream;
  stream.shards = std::move(shards);
  return stream;
}

ShardInfo open_shard(const char* id, const char* parent = nullptr) {
  return {{id}, parent ? std::optional(ShardId{parent}) : std::nullopt, false};
}
ShardInfo closed_shard(const char* id, const char* parent = nullptr) {
  ShardInfo shard = open_shard(id, parent);
  shard.closed = true;
  return shard;
}

PollSeen empty_poll(WallTime at) { return {std::nullopt, std::nullopt, at, false, true}; }
PollSeen empty_page(WallTime at) { return {std::nullopt, std::nullopt, at, false, false}; }
PollSeen last_poll(WallTime at) { return {std::nullopt, std::nullopt, at, true}; }

TEST(ShardMap, WhatIsOpenAtTheStartIsReadFromItsBeginning) {
  ShardMap map({});
  const auto step = map.begin(listing({closed_shard("a"), open_shard("b", "a"), open_shard("c")}), kStart);
  EXPECT_EQ(step.rows.size(), 3u);
  EXPECT_THAT(step.gaps, IsEmpty());
  EXPECT_THAT(map.to_read(), ElementsAre(ShardId{"b"}, ShardId{"c"}));
  EXPECT_FALSE(map.find({"b"})->read_to);
  EXPECT_EQ(map.find({"a"})->state, ShardState::drained);
}

TEST(ShardMap, AChildWaitsForItsParentAndMissesNothing) {
  ShardMap map({});
  map.begin(listing({open_shard("a")}), kStart);
  const auto split = listing({open_shard("c2", "a"), closed_shard("a"), open_shard("c1", "a")});
  EXPECT_THAT(map.listed(split, kStart + minutes(1)).gaps, IsEmpty());
  EXPECT_THAT(map.to_read(), ElementsAre(ShardId{"a"}));
  EXPECT_FALSE(map.closed_are_drained(split));
  const auto drained = map.answered({"a"}, last_poll(kStart + minutes(2)));
  EXPECT_EQ(drained.rows.size(), 3u);  // the parent and both children, in one step
  EXPECT_THAT(drained.gaps, IsEmpty());
  EXPECT_THAT(map.to_read(), UnorderedElementsAre(ShardId{"c1"}, ShardId{"c2"}));
  EXPECT_TRUE(map.closed_are_drained(split));
}

TEST(ShardMap, AChildIsAsOldAsItsParentsEndNotAsTheReadingOfIt) {
  // The parent was closed after an hour, and read to its end after 23: the child's records are that old.
  const WallTime late = kStart + hours(23);
  for (const bool listed_before : {true, false}) {
    ShardMap map({});
    map.begin(listing({open_shard("a")}), kStart);
    const auto split = listing({closed_shard("a"), open_shard("b", "a")});
    if (listed_before) map.listed(split, kStart + hours(2));
    map.answered({"a"}, {SequenceNumber{"1"}, kStart + hours(1), late, true});
    if (!listed_before) map.listed(split, late);
    EXPECT_EQ(map.find({"b"})->read_until, kStart + hours(1));
    EXPECT_THAT(map.answered({"b"}, empty_poll(late + minutes(15))).gaps, IsEmpty());
  }
  ShardMap map({});
  map.begin(listing({open_shard("a"), open_shard("b", "a")}), kStart);
  map.answered({"a"}, {SequenceNumber{"1"}, kStart + hours(1), late, true});
  map.listed(listing({closed_shard("a"), open_shard("c", "a")}), late);
  const auto step = map.trimmed({"c"}, kStart + hours(25));
  ASSERT_EQ(step.gaps.size(), 1u);
  EXPECT_EQ(step.gaps[0].since, kStart + hours(1));
}

TEST(ShardMap, AnEmptyPageByItselfDoesNotSayThatNothingIsUnread) {
  ShardMap map({});
  map.begin(listing({open_shard("a")}), kStart);
  map.answered({"a"}, empty_page(kStart + hours(5)));
  EXPECT_EQ(map.find({"a"})->read_until, kStart);
  EXPECT_EQ(map.until_trimmed(kStart + hours(5)), hours(19));
  map.answered({"a"}, empty_poll(kStart + hours(5)));
  EXPECT_EQ(map.find({"a"})->read_until, kStart + hours(5));
  EXPECT_EQ(map.until_trimmed(kStart + hours(5)), hours(24));
  map.answered({"a"}, empty_page(kStart + hours(6)));
  EXPECT_EQ(map.until_trimmed(kStart + hours(6)), hours(23));
}

TEST(ShardMap, AChildThatIsListedAfterItsParentWasDrainedStartsAtOnce) {
  ShardMap map({});
  map.begin(listing({open_shard("a")}), kStart);
  map.answered({"a"}, last_poll(kStart + minutes(2)));
  const auto step = map.listed(listing({closed_shard("a"), open_shard("b", "a")}), kStart + hours(1));
  EXPECT_THAT(step.gaps, IsEmpty());
  EXPECT_THAT(map.to_read(), ElementsAre(ShardId{"b"}));
  // What it holds may be as old as its parent's end.
  EXPECT_EQ(map.find({"b"})->read_until, kStart);
}

TEST(ShardMap, TheChildOfAShardThatWasClosedAtTheStartMissesNothing) {
  ShardMap map({});
  map.begin(listing({closed_shard("a")}), kStart);
  const auto step = map.listed(listing({closed_shard("a"), open_shard("b", "a")}), kStart + minutes(1));
  EXPECT_THAT(step.gaps, IsEmpty());
  EXPECT_THAT(map.to_read(), ElementsAre(ShardId{"b"}));
}

TEST(ShardMap, AShardWithoutAKnownParentIsReadAndAGap) {
  for (const char* parent : {static_cast<const char*>(nullptr), "trimmed long ago"}) {
    ShardMap map({});
    map.begin(listing({open_shard("a")}), kStart);
    const auto step = map.listed(listing({open_shard("a"), open_shard("x", parent)}), kStart + minutes(1));
    ASSERT_EQ(step.gaps.size(), 1u);
    EXPECT_EQ(step.gaps[0].cause, GapCause::parent_unread);
    EXPECT_THAT(map.to_read(), ElementsAre(ShardId{"a"}, ShardId{"x"}));
  }
}

TEST(ShardMap, AGrandchildWhoseParentWasMissedIsAGap) {
  ShardMap map({});
  map.begin(listing({open_shard("a")}), kStart);
  // b, the child of a, came and went between two listings.
  const auto step = map.listed(listing({closed_shard("a"), open_shard("c", "b")}), kStart + hours(30));
  ASSERT_EQ(step.gaps.size(), 1u);
  EXPECT_EQ(step.gaps[0].shard, ShardId{"c"});
}

TEST(ShardMap, APositionAgesByTheServersClock) {
  ShardMapOptions options;
  ShardMap map(options);
  map.begin(listing({open_shard("a")}), kStart);
  EXPECT_THAT(map.answered({"a"}, empty_poll(kStart + hours(23) + minutes(30))).gaps, IsEmpty());
  const auto late = map.answered({"a"}, empty_poll(kStart + hours(47) + seconds(1)));
  ASSERT_EQ(late.gaps.size(), 1u);
  EXPECT_EQ(late.gaps[0].cause, GapCause::position_too_old);
  EXPECT_EQ(late.gaps[0].since, kStart + hours(23) + minutes(30));
  // It is told once.
  EXPECT_THAT(map.answered({"a"}, empty_poll(kStart + hours(48))).gaps, IsEmpty());
}

TEST(ShardMap, ABacklogIsAsOldAsItsLastRecord) {
  ShardMap map({});
  map.begin(listing({open_shard("a")}), kStart);
  PollSeen poll{SequenceNumber{"5"}, kStart + minutes(1), kStart + hours(20), false};
  map.answered({"a"}, poll);
  EXPECT_EQ(map.find({"a"})->read_until, kStart + minutes(1));
  EXPECT_EQ(map.until_trimmed(kStart + hours(20)), hours(4) + minutes(1));
  EXPECT_EQ(
      map.answered({"a"}, {SequenceNumber{"6"}, kStart + minutes(2), kStart + hours(25), false}).gaps.size(),
      1u);
}

TEST(ShardMap, ATrimmedPositionThatIsYoungGoesOnFromTheBeginning) {
  ShardMap map({});
  map.begin(listing({open_shard("a")}), kStart);
  map.answered({"a"}, {SequenceNumber{"5"}, std::nullopt, kStart + minutes(1), false});
  const auto step = map.trimmed({"a"}, kStart + hours(23));
  EXPECT_THAT(step.gaps, IsEmpty());
  EXPECT_FALSE(map.find({"a"})->read_to);
  EXPECT_EQ(map.trimmed({"a"}, kStart + hours(24)).gaps.size(), 1u);
}

TEST(ShardMap, AShardThatIsGoneUnreadIsAGapAndFreesItsChildren) {
  ShardMap map({});
  map.begin(listing({open_shard("a")}), kStart);
  map.listed(listing({closed_shard("a"), open_shard("b", "a")}), kStart + minutes(1));
  const auto step = map.lost({"a"}, kStart + hours(25));
  ASSERT_EQ(step.gaps.size(), 1u);
  EXPECT_EQ(step.gaps[0].cause, GapCause::shard_lost);
  EXPECT_THAT(map.to_read(), ElementsAre(ShardId{"b"}));
  EXPECT_THAT(map.lost({"a"}, kStart + hours(26)).gaps, IsEmpty());
}

TEST(ShardMap, LateRecordsKeepAnEmptyPollFromProvingMuch) {
  ShardMapOptions options;
  options.lateness = seconds(10);
  ShardMap map(options);
  map.begin(listing({open_shard("a")}), kStart);
  map.answered({"a"}, empty_poll(kStart + minutes(1)));
  EXPECT_EQ(map.find({"a"})->read_until, kStart + seconds(50));
}

TEST(ShardMap, WhatIsLongGoneIsForgottenButNotWhatAListingNames) {
  ShardMap map({});
  map.begin(listing({closed_shard("a"), closed_shard("b", "a"), open_shard("c", "b")}), kStart);
  const auto later = map.listed(listing({open_shard("c", "b")}), kStart + hours(49));
  EXPECT_THAT(later.forgotten, ElementsAre(ShardId{"a"}));
  EXPECT_NE(map.find({"b"}), nullptr);
  EXPECT_THAT(later.gaps, IsEmpty());
}

TEST(ShardMap, ARestoredMapGoesOnWhereItWas) {
  ShardMap map({});
  map.begin(listing({open_shard("a"), open_shard("b")}), kStart);
  map.answered({"a"}, {SequenceNumber{"7"}, kStart, kStart + minutes(1), false});
  ShardMap again({});
  again.restore(map.rows());
  EXPECT_EQ(again.rows(), map.rows());
  EXPECT_EQ(again.answered({"a"}, empty_poll(kStart + hours(30))).gaps.size(), 1u);
}

// A stream that splits, closes and trims, and a reader that stops, loses its memory and goes on from its
// rows: a record that was trimmed unread must have a gap (invariant I4), and with a reader that is never away
// for long there must be none.
class Stream {
 public:
  Stream(Random& random, seconds retention) : random_(random), retention_(retention) { add(std::nullopt); }

  struct Record {
    int number;
    WallTime written;
  };
  struct Shard {
    ShardInfo info;
    std::vector<Record> records;
    std::optional<WallTime> closed_at;
    bool gone = false;
    int first_kept = 0;
  };

  void write(WallTime now) {
    std::vector<Shard*> open;
    for (auto& shard : shards_) {
      if (!shard.closed_at) open.push_back(&shard);
    }
    open[random_.below(open.size())]->records.push_back({next_++, now});
  }
  void split(WallTime now) {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      if (!shards_[i].closed_at) open.push_back(i);
    }
    const std::size_t chosen = open[random_.below(open.size())];
    shards_[chosen].closed_at = now;
    shards_[chosen].info.closed = true;
    const ShardId parent = shards_[chosen].info.id;
    const auto children = 1 + random_.below(2);
    for (std::uint64_t i = 0; i < children; ++i) add(parent);
  }
  void trim(WallTime now) {
    for (auto& shard : shards_) {
      while (shard.first_kept < static_cast<int>(shard.records.size()) &&
             now - shard.records[shard.first_kept].written > retention_) {
        ++shard.first_kept;
      }
      const bool empty = shard.first_kept == static_cast<int>(shard.records.size());
      if (shard.closed_at && empty && now - *shard.closed_at > retention_) shard.gone = true;
    }
  }
  StreamDescription listing() const {
    StreamDescription description;
    for (const auto& shard : shards_) {
      if (!shard.gone) description.shards.push_back(shard.info);
    }
    std::ranges::reverse(description.shards);
    return description;
  }
  Shard* find(const ShardId& id) {
    for (auto& shard : shards_) {
      if (shard.info.id == id && !shard.gone) return &shard;
    }
    return nullptr;
  }
  int written() const { return next_; }

 private:
  void add(std::optional<ShardId> parent) {
    Shard shard;
    shard.info = {{"s" + std::to_string(shards_.size())}, std::move(parent), false};
    shards_.push_back(std::move(shard));
  }
  Random& random_;
  const seconds retention_;
  std::vector<Shard> shards_;
  int next_ = 0;
};

struct Outcome {
  int gaps = 0;
  int missed = 0;
};

Outcome run(std::uint64_t seed, bool outages) {
  Random random(seed);
  ShardMapOptions options;
  options.retention = seconds(1000);
  options.margin = seconds(50);
  Stream stream(random, options.retention);
  ShardMap map(options);
  WallTime now = kStart;
  for (int i = 0; i < 5; ++i) stream.write(now);
  const int before = stream.written();  // history has these
  Outcome outcome;
  std::vector<bool> taken;
  const auto take = [&](const ShardMap::Step& step) { outcome.gaps += static_cast<int>(step.gaps.size()); };
  take(map.begin(stream.listing(), now));
  for (int turn = 0; turn < 400; ++turn) {
    now += seconds(random.below(10));
    if (outages && random.chance(0.01)) now += seconds(random.below(3000));
    if (random.chance(0.6)) stream.write(now);
    if (random.chance(0.03)) stream.split(now);
    stream.trim(now);
    if (random.chance(0.05)) {
      const auto rows = map.rows();
      map = ShardMap(options);
      map.restore(rows);
    }
    if (random.chance(0.3)) take(map.listed(stream.listing(), now));
    for (const ShardId& id : map.to_read()) {
      Stream::Shard* const shard = stream.find(id);
      if (shard == nullptr) {
        take(map.lost(id, now));
        continue;
      }
      const auto& read_to = map.find(id)->read_to;
      int from = 0;
      if (read_to) {
        const int last = std::atoi(read_to->digits.c_str());
        while (from < static_cast<int>(shard->records.size()) && shard->records[from].number <= last) ++from;
        if (from < shard->first_kept && random.chance(0.5)) {
          take(map.trimmed(id, now));
          continue;
        }
      }
      from = std::max(from, shard->first_kept);
      const int to =
          std::min<int>(static_cast<int>(shard->records.size()), from + static_cast<int>(random.below(4)));
      PollSeen poll{.last = {}, .last_created = {}, .answered_at = now, .end = false};
      for (int i = from; i < to; ++i) {
        const auto& record = shard->records[i];
        if (taken.size() <= static_cast<std::size_t>(record.number)) taken.resize(record.number + 1);
        taken[record.number] = true;
        poll.last = SequenceNumber{std::to_string(record.number)};
        poll.last_created = record.written;
      }
      // Pages may be empty although there is more.
      poll.caught_up = to == from && from == static_cast<int>(shard->records.size());
      poll.end = shard->closed_at && to == static_cast<int>(shard->records.size());
      take(map.answered(id, poll));
    }
  }
  taken.resize(stream.written());
  // What is still to be read is not missed.
  for (int round = 0; round < 2000 && !map.to_read().empty(); ++round) {
    take(map.listed(stream.listing(), now));
    bool more = false;
    for (const ShardId& id : map.to_read()) {
      Stream::Shard* const shard = stream.find(id);
      if (shard == nullptr) {
        take(map.lost(id, now));
        more = true;
        continue;
      }
      PollSeen poll{.last = {}, .last_created = {}, .answered_at = now, .end = shard->closed_at.has_value()};
      const auto& read_to = map.find(id)->read_to;
      const int last = read_to ? std::atoi(read_to->digits.c_str()) : -1;
      for (int i = shard->first_kept; i < static_cast<int>(shard->records.size()); ++i) {
        const auto& record = shard->records[i];
        if (record.number <= last) continue;
        taken[record.number] = true;
        poll.last = SequenceNumber{std::to_string(record.number)};
        poll.last_created = record.written;
      }
      more |= poll.end;
      take(map.answered(id, poll));
    }
    if (!more) break;
  }
  for (int i = before; i < stream.written(); ++i) outcome.missed += taken[i] ? 0 : 1;
  return outcome;
}

TEST(ShardMap, NothingIsMissedInSilence) {
  int with_gaps = 0, with_losses = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE(seed);
    const Outcome outcome = run(seed, true);
    with_gaps += outcome.gaps > 0;
    with_losses += outcome.missed > 0;
    ASSERT_TRUE(outcome.missed == 0 || outcome.gaps > 0) << outcome.missed << " records";
  }
  EXPECT_GT(with_losses, 100);  // else this has tested little
  EXPECT_GT(with_gaps, with_losses);
}

TEST(ShardMap, AReaderThatIsNeverAwayForLongHasNoGap) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(seed);
    const Outcome outcome = run(seed, false);
    ASSERT_EQ(outcome.missed, 0);
    ASSERT_EQ(outcome.gaps, 0);
  }
}

TEST(ShardMap, RowsAreKeptAsPositions) {
  ShardRow row{.id = {"child"},
               .parent = ShardId{"parent"},
               .state = ShardState::waiting,
               .read_to = SequenceNumber{"000000000000000000123"},
               .read_until = WallTime(std::chrono::milliseconds(1'700'000'000'123))};
  EXPECT_EQ(to_row(to_position(row, 7)), row);
  EXPECT_EQ(to_position(row, 7).epoch, 7u);
  row.parent.reset();
  row.read_to.reset();
  EXPECT_EQ(to_row(to_position(row, 7)), row);
  // What is not whole milliseconds counts as not read.
  row.read_until += std::chrono::microseconds(999);
  EXPECT_EQ(to_position(row, 7).read_until_unix_ms, 1'700'000'000'123);
}

}  // namespace
}  // namespace messina::jobs
