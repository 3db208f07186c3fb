// What a verification keeps of itself: its place, the digests of both sides' keys, and what it knows of keys
// that were, or are, not equal. The interface that jobs see.
//
// Contract of crash order: a commit is atomic. When commit() has returned, its contents survive kill -9 and
// power cuts; before that, either all of it or none of it does; commits become durable in the order in which
// they were made.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "base/hash.h"
#include "item/key_digest.h"

namespace messina::state {

/// Which side a unit of a verification reads.
enum class VerifySide : std::uint8_t {
  source,  ///< forward: its items are looked up on the target
  target,  ///< backward: its keys are added up
  bucket,  ///< the target once more: keys of buckets that differ are looked up in the source
};
inline constexpr std::size_t kVerifySides = 3;

struct VerifyCounts {
  std::uint64_t pages = 0;
  std::uint64_t items = 0;  ///< of `source`: compared; of the others: keys that were read
  std::uint64_t bytes = 0;
  double source_rcu = 0, target_rcu = 0;
  VerifyCounts& operator+=(const VerifyCounts& other);
  bool operator==(const VerifyCounts&) const = default;
};

struct VerifyUnit {
  std::string id;  ///< unique within its side
  std::string spec;
  VerifySide side = VerifySide::source;
  bool done = false;
  std::string cursor = {};  ///< where to go on; empty: from the start
  VerifyCounts counts = {};
  bool operator==(const VerifyUnit&) const = default;
};

/// How a key stands after it was looked at.
enum class Verdict : std::uint8_t {
  equal,      ///< never kept: a note of it takes the key's former one away
  suspect,    ///< the sides disagreed once, to be judged (PROTOCOL rule 17)
  unsettled,  ///< it could not be judged: it was being written all the time
  rejected,   ///< the target refused it: a live reject
  missing,    ///< only the source has it
  extra,      ///< only the target has it
  differs,
};
inline constexpr std::size_t kVerdicts = 7;
/// "equal", "suspect", …
std::string_view to_string(Verdict verdict);
std::optional<Verdict> verdict_of(std::string_view name);
/// missing, extra, differs: what is reported as a difference, and repaired.
bool is_difference(Verdict verdict);

/// What is known of one key.
struct KeyNote {
  std::string key;  ///< item::key_text of the source's key, as the spool's keys are
  Verdict verdict = Verdict::suspect;
  /// What a report groups it by, in words: "`updated_at` older on target". Empty for suspects.
  std::string cause = {};
  /// Of `differs`: the places, as jobs::to_json() writes them.
  std::string places = {};
  /// The raw items as they were judged, of the source as it would be written to the target (renamed). Empty
  /// where a side has none, or where there was no room to keep them.
  std::string source = {}, target = {};
  std::int64_t judged_unix_ms = 0;  ///< 0 of suspects
  bool operator==(const KeyNote&) const = default;
};

/// How many notes there are, by verdict.
using NoteCounts = std::array<std::uint64_t, kVerdicts>;

struct VerifyState {
  std::string record;  ///< the job's own JSON
  std::vector<VerifyUnit> units;
  /// Of the keys of either side: as many buckets each.
  item::KeyDigest source{0}, target{0};
  NoteCounts notes{};
  bool operator==(const VerifyState&) const = default;
};

/// Keys of one side that were read.
struct ReadKeys {
  std::vector<Uint128> hashes;
  /// What further ones come to: a digest of as many buckets as the side's.
  std::optional<item::KeyDigest> sums = {};
  bool empty() const { return hashes.empty() && !sums; }
};
void add(item::KeyDigest& digest, const ReadKeys& keys);

/// One atomic step forward.
struct VerifyCommit {
  struct UnitStep {
    std::size_t unit = 0;  ///< index into VerifyState::units
    std::string cursor;    ///< the newest position
    bool done = false;
    VerifyCounts delta;
  };
  std::vector<UnitStep> steps;
  ReadKeys source_keys, target_keys;  ///< added to the digests
  /// Each replaces its key's former note, but a suspect only one that is no suspect. Later ones count.
  std::vector<KeyNote> notes;
  std::vector<VerifyUnit> new_units;  ///< behind those that there are
  std::optional<std::string> record;  ///< in place of the last one
};

/// Which notes, in the order of their keys' bytes.
struct NoteFilter {
  std::vector<Verdict> verdicts;  ///< empty: all
  std::optional<std::string> cause;
  std::string after_key;     ///< empty: from the first
  std::size_t limit = 1000;  ///< 1..100,000
  bool items = false;        ///< with the raw items, of up to 400 KB each; else they are left empty
};

/// Notes of one verdict and cause.
struct NoteGroup {
  Verdict verdict = Verdict::suspect;
  std::string cause;
  std::uint64_t keys = 0;
  std::string first_key;  ///< an example
  bool operator==(const NoteGroup&) const = default;
};

/// One migration's verification: the last one, there is no other. Calls run one after another, in the order
/// in which they were made. Thread-safe; arguments live until the call is answered.
class VerifyStore {
 public:
  virtual ~VerifyStore() = default;
  /// nullopt when nothing was verified yet. Errors: disk, corrupt.
  virtual Task<Result<std::optional<VerifyState>>> load() = 0;
  /// Forgets whatever was there.
  virtual Task<Result<void>> begin(const VerifyState& fresh) = 0;
  /// How many notes there are then.
  virtual Task<Result<NoteCounts>> commit(const VerifyCommit& step) = 0;
  virtual Task<Result<std::vector<KeyNote>>> notes(const NoteFilter& filter) = 0;
  /// The note of one key.
  virtual Task<Result<std::optional<KeyNote>>> note(const std::string& key) = 0;
  /// Most keys first.
  virtual Task<Result<std::vector<NoteGroup>>> groups() = 0;
};

}  // namespace messina::state
