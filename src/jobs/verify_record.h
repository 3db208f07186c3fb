// What a verification compares, how far it came, and what it found: plain data, kept as one JSON text in
// state::VerifyState::record. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "state/job_store.h"

namespace messina::jobs {

/// What is compared; by default everything.
struct VerifyScope {
  /// Of all keys, chosen by a hash of the key, so that both sides give the same ones; over 0, under 1.
  std::optional<double> sample;
  std::uint64_t sample_seed = 1;
  /// One segment of the source's Scan. Keys that only the target has are not looked for: its segments are cut
  /// elsewhere.
  struct Segment {
    std::uint32_t index = 0, total = 1;
    bool operator==(const Segment&) const = default;
  };
  std::optional<Segment> segment;
  bool keys_alone = false;  ///< only those that were named; they are notes from the start
  bool exhaustive = false;  ///< each key of the target is looked up in the source, whatever digests say
  bool indexes = false;     ///< the target's indexes are held against its items, too
  bool operator==(const VerifyScope&) const = default;

  bool whole() const { return !sample && !segment && !keys_alone; }
  /// Whether keys that only the target has are looked for.
  bool looks_backward() const { return !segment && !keys_alone; }
};

enum class VerifyPhase : std::uint8_t {
  forward,   ///< pages of the source are looked up on the target
  backward,  ///< keys of the target are added up
  buckets,   ///< keys of buckets that differ are looked up in the source
  judging,   ///< what disagreed, and what was written meanwhile
  indexes,   ///< the target's indexes are held against its items
  done,
};
std::string_view to_string(VerifyPhase phase);

/// How one of the target's indexes stands to the target's items.
struct IndexFindings {
  static constexpr std::size_t kMostExamples = 10;

  std::string name;
  bool absent = false;        ///< the source has such an index, and the target has none
  std::uint64_t entries = 0;  ///< that the index has
  std::uint64_t missing = 0, extra = 0;
  std::uint64_t unsettled = 0;  ///< entries that could not be judged
  /// Of the first keys with a missing entry, and with one that should not be there: by the target's names.
  std::vector<std::string> missing_keys = {}, extra_keys = {};
  bool operator==(const IndexFindings&) const = default;

  bool well() const { return !absent && missing == 0 && extra == 0 && unsettled == 0; }
};

struct VerifyRecord {
  state::JobIdentity identity;
  VerifyScope scope;
  KeyedHash::Key secret{};  ///< of the digests: drawn for each verification
  int bucket_bits = 0;
  VerifyPhase phase = VerifyPhase::forward;
  /// Changes were applied beside it: what disagreed was judged by PROTOCOL rule 17, and what was written
  /// meanwhile by rule 18.
  bool live = false;
  std::int64_t began_unix_ms = 0, ended_unix_ms = 0;  ///< ended: 0 until the pass is done
  std::optional<std::uint64_t> expected_items;
  // Of the digests, once both are complete.
  std::uint64_t source_keys = 0, target_keys = 0;
  std::string source_digest, target_digest;  ///< hexadecimal: all buckets' sums together
  std::uint64_t buckets_differing = 0;       ///< before keys that were written meanwhile explained some
  std::uint64_t buckets_listed = 0;
  std::uint64_t touched_judged = 0;  ///< keys that were written during the pass
  std::uint64_t keys_judged = 0;     ///< keys that disagreed once, or were named
  double judging_source_rcu = 0, judging_target_rcu = 0;
  std::int64_t repaired_unix_ms = 0;  ///< what was found was marked to be read again; 0: it was not
  std::uint64_t repaired_keys = 0;
  std::vector<IndexFindings> indexes;  ///< with scope.indexes, those that are done
  /// What stood against calling it verified when it was done, beside differences: a gap, a part left out.
  std::vector<std::string> against;
  bool operator==(const VerifyRecord&) const = default;
};

std::string to_json(const VerifyRecord& record);
/// corrupt if the text is none.
Result<VerifyRecord> verify_record(std::string_view json);

}  // namespace messina::jobs
