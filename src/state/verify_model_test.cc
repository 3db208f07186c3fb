#include "state/verify_model.h"

#include <gtest/gtest.h>

#include "state/random_verify.h"

namespace messina::state {
namespace {

using testing::note_of;

TEST(Verdict, HasAName) {
  for (std::size_t i = 0; i < kVerdicts; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    EXPECT_FALSE(to_string(verdict).empty());
    EXPECT_EQ(verdict_of(to_string(verdict)), verdict);
  }
  EXPECT_EQ(to_string(Verdict::unsettled), "unsettled");
  EXPECT_EQ(verdict_of("Equal"), std::nullopt);
  EXPECT_EQ(verdict_of(""), std::nullopt);
}

TEST(Verdict, ThreeAreDifferences) {
  std::size_t differences = 0;
  for (std::size_t i = 0; i < kVerdicts; ++i) differences += is_difference(static_cast<Verdict>(i)) ? 1 : 0;
  EXPECT_EQ(differences, 3u);
  EXPECT_TRUE(is_difference(Verdict::missing) && is_difference(Verdict::extra) &&
              is_difference(Verdict::differs));
}

class VerifyModelTest : public ::testing::Test {
 protected:
  VerifyModelTest() { model.begin({}); }
  void commit(std::vector<KeyNote> notes) {
    VerifyCommit step;
    step.notes = std::move(notes);
    model.commit(step);
  }
  std::uint64_t notes(Verdict verdict) const {
    return model.state()->notes[static_cast<std::size_t>(verdict)];
  }
  VerifyModel model;
};

TEST_F(VerifyModelTest, ANoteReplacesItsKeysFormerOne) {
  commit({note_of("a", Verdict::suspect), note_of("a", Verdict::differs, "x", "{}"),
          note_of("b", Verdict::missing)});
  EXPECT_EQ(model.note("a"), note_of("a", Verdict::differs, "x", "{}"));
  EXPECT_EQ(notes(Verdict::suspect), 0u);
  EXPECT_EQ(notes(Verdict::differs), 1u);
  commit({note_of("a", Verdict::equal), note_of("c", Verdict::equal)});
  EXPECT_EQ(model.note("a"), std::nullopt);
  EXPECT_EQ(model.note("c"), std::nullopt);
  EXPECT_EQ(notes(Verdict::differs), 0u);
  EXPECT_EQ(notes(Verdict::equal), 0u);
}

TEST_F(VerifyModelTest, AKeySuspectedAgainKeepsItsNote) {
  commit({note_of("a", Verdict::suspect, "", "first"), note_of("b", Verdict::extra)});
  commit({note_of("a", Verdict::suspect, "", "second"), note_of("b", Verdict::suspect)});
  EXPECT_EQ(model.note("a")->source, "first");
  EXPECT_EQ(model.note("b"), note_of("b", Verdict::suspect));
  EXPECT_EQ(notes(Verdict::suspect), 2u);
  EXPECT_EQ(notes(Verdict::extra), 0u);
}

TEST_F(VerifyModelTest, NotesAreListedByTheirKeysBytes) {
  commit({note_of("b", Verdict::missing, "x", "{}"), note_of("\xff", Verdict::extra, "x"),
          note_of("a", Verdict::suspect), note_of("c", Verdict::missing, "y")});
  NoteFilter filter;
  const auto keys = [&] {
    std::string all;
    for (const KeyNote& each : model.notes(filter)) all += each.key;
    return all;
  };
  EXPECT_EQ(keys(), "abc\xff");
  filter.verdicts = {Verdict::extra, Verdict::missing, Verdict::extra};
  EXPECT_EQ(keys(), "bc\xff");
  EXPECT_EQ(model.notes(filter).front().source, "");
  filter.items = true;
  EXPECT_EQ(model.notes(filter).front().source, "{}");
  filter.cause = "x";
  EXPECT_EQ(keys(), "b\xff");
  filter.after_key = "b";
  EXPECT_EQ(keys(), "\xff");
  filter = {};
  filter.limit = 2;
  EXPECT_EQ(keys(), "ab");
}

TEST_F(VerifyModelTest, GroupsAreListedByTheNumberOfTheirKeys) {
  commit({note_of("e", Verdict::differs, "x"), note_of("d", Verdict::differs, "x"),
          note_of("c", Verdict::differs, "y"), note_of("b", Verdict::missing),
          note_of("a", Verdict::suspect)});
  EXPECT_EQ(model.groups(), (std::vector<NoteGroup>{{Verdict::differs, "x", 2, "d"},
                                                    {Verdict::suspect, "", 1, "a"},
                                                    {Verdict::missing, "", 1, "b"},
                                                    {Verdict::differs, "y", 1, "c"}}));
}

TEST_F(VerifyModelTest, BeginForgetsWhatWasThere) {
  commit({note_of("a", Verdict::missing)});
  VerifyState fresh = *model.state();
  fresh.record = "second";
  model.begin(fresh);
  EXPECT_EQ(model.note("a"), std::nullopt);
  EXPECT_EQ(notes(Verdict::missing), 0u);
  EXPECT_EQ(model.state()->record, "second");
}

TEST_F(VerifyModelTest, UnitsThatAreNewCanTakeAStepAtOnce) {
  VerifyCommit step;
  step.new_units = {{"a", "{}", VerifySide::target, false, "", {}},
                    {"a", "{}", VerifySide::source, false, "", {}}};
  step.steps = {{1, "c1", false, {1, 2, 3, 0.5, 0.25}}, {1, "c2", true, {1, 2, 3, 0.5, 0.25}}};
  step.source_keys.hashes = {7};
  step.source_keys.sums = item::KeyDigest(0);
  step.source_keys.sums->add(8);
  model.commit(step);
  EXPECT_EQ(model.state()->units[0], step.new_units[0]);
  EXPECT_EQ(model.state()->units[1],
            (VerifyUnit{"a", "{}", VerifySide::source, true, "c2", {2, 4, 6, 1, 0.5}}));
  EXPECT_EQ(model.state()->source.keys(), 2u);
  EXPECT_TRUE(model.state()->source.buckets()[0].sum == 15);
  EXPECT_EQ(model.state()->target.keys(), 0u);
}

}  // namespace
}  // namespace messina::state
