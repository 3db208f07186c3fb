// For tests: random verifications and commits, and what a file of them holds.
#pragma once
#include <bit>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "state/random_commits.h"
#include "state/verify_ledger.h"
#include "state/verify_model.h"

namespace messina::state::testing {

inline Uint128 random_hash(Random& random) {
  const Uint128 high = random.next();
  return high << 64 | random.next();
}

inline VerifyCounts random_verify_counts(Random& random) {
  return {random.below(3), random.below(1000), random.below(1 << 20), random.unit() * 99, random.unit() / 3};
}

/// One of a few dozen, of bytes that order differently when they are taken for text or as signed.
inline std::string random_note_key(Random& random) {
  static constexpr char kBytes[] = {'\0', 'a', '\x7f', '\x80', '\xff'};
  std::string key(1 + random.below(2), '\0');
  for (char& c : key) c = kBytes[random.below(std::size(kBytes))];
  return key;
}

inline std::string random_cause(Random& random) {
  static constexpr const char* kCauses[] = {"", "`a` older on target", "`a` missing on target"};
  return kCauses[random.below(std::size(kCauses))];
}

inline VerifyUnit random_verify_unit(Random& random, std::size_t number) {
  return {"unit-" + std::to_string(number),
          random_bytes(random, 40),
          static_cast<VerifySide>(random.below(3)),
          random.chance(0.2),
          random_bytes(random, 20),
          random_verify_counts(random)};
}

inline VerifyState random_verification(Random& random, std::size_t max_units) {
  VerifyState state;
  state.record = random_bytes(random, 300);
  const int bucket_bits = static_cast<int>(random.below(6));
  state.source = state.target = item::KeyDigest(bucket_bits);
  for (std::uint64_t n = random.below(3); n > 0; --n) state.source.add(random_hash(random));
  for (std::size_t n = random.below(max_units + 1); n > 0; --n)
    state.units.push_back(random_verify_unit(random, state.units.size()));
  return state;
}

inline KeyNote note_of(std::string key, Verdict verdict, std::string cause = {}, std::string source = {}) {
  return {.key = std::move(key),
          .verdict = verdict,
          .cause = std::move(cause),
          .places = {},
          .source = std::move(source),
          .target = {}};
}

inline KeyNote random_note(Random& random, std::size_t max_item) {
  return {.key = random_note_key(random),
          .verdict = static_cast<Verdict>(random.below(kVerdicts)),
          .cause = random_cause(random),
          .places = random_bytes(random, 30),
          .source = random_bytes(random, max_item),
          .target = random_bytes(random, max_item),
          .judged_unix_ms = static_cast<std::int64_t>(random.below(1u << 30))};
}

/// `max_item`: bytes of a raw item; over 4,000 it takes more than a page of the file.
inline VerifyCommit random_verify_commit(Random& random, const VerifyState& now, std::size_t max_item) {
  VerifyCommit commit;
  std::size_t units = now.units.size();
  for (std::uint64_t n = random.chance(0.2) ? random.below(4) : 0; n > 0; --n)
    commit.new_units.push_back(random_verify_unit(random, units++));
  for (std::uint64_t n = units == 0 ? 0 : random.below(5); n > 0; --n) {
    commit.steps.push_back(
        {random.below(units), random_bytes(random, 60), random.chance(0.3), random_verify_counts(random)});
  }
  for (ReadKeys* keys : {&commit.source_keys, &commit.target_keys}) {
    for (std::uint64_t n = random.below(6); n > 0; --n) keys->hashes.push_back(random_hash(random));
    if (!random.chance(0.2)) continue;
    keys->sums = item::KeyDigest(std::countr_zero(now.source.buckets().size()));
    for (std::uint64_t n = random.below(6); n > 0; --n) keys->sums->add(random_hash(random));
  }
  for (std::uint64_t n = random.chance(0.4) ? 0 : random.below(6); n > 0; --n)
    commit.notes.push_back(random_note(random, max_item));
  if (random.chance(0.3)) commit.record = random_bytes(random, 500);
  return commit;
}

inline NoteFilter random_filter(Random& random) {
  NoteFilter filter;
  for (std::uint64_t n = random.below(4); n > 0; --n)
    filter.verdicts.push_back(static_cast<Verdict>(random.below(kVerdicts)));
  if (random.chance(0.3)) filter.cause = random_cause(random);
  if (random.chance(0.5)) filter.after_key = random_note_key(random);
  filter.limit = random.chance(0.5) ? random.below(5) : 1000;
  filter.items = random.chance(0.5);
  return filter;
}

/// Everything that the file holds.
inline Result<VerifyModel> contents_of(VerifyLedger& ledger) {
  NoteFilter all;
  all.limit = 100'000;
  all.items = true;
  const auto state = ledger.load();
  if (!state) return fail(state.error());
  const auto notes = ledger.notes(all);
  if (!notes) return fail(notes.error());
  VerifyModel contents;
  if (!*state) return contents;
  contents.begin(**state);
  VerifyCommit known;
  known.notes = *notes;
  contents.commit(known);
  if (contents.state()->notes != (*state)->notes)
    return fail(ErrorKind::corrupt, "notes are counted wrongly");
  return contents;
}

}  // namespace messina::state::testing
