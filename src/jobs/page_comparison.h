// One page of the source held against what the target answers for its keys. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "item/difference.h"
#include "item/key.h"
#include "item/transform.h"
#include "jobs/verify_record.h"

namespace messina::jobs {

/// Chooses keys by a hash of what they are (item::key_bytes), so that both sides give the same ones. Not
/// thread-safe.
class KeySample {
 public:
  explicit KeySample(const VerifyScope& scope);
  bool has(std::string_view key_bytes);

 private:
  std::optional<std::uint64_t> below_;  ///< of the hash's first half; absent: all
  KeyedHash hash_;
};

/// What both sides' items are called, and what is done to them on the way.
struct SidesOfItems {
  item::KeySchema source_key, target_key;
  item::TransformRules transform;
};

/// Used for one page after the other: keeps memory between them. Not thread-safe; `sides` outlives it.
class PageComparison {
 public:
  PageComparison(const SidesOfItems& sides, KeySample sample, const KeyedHash::Key& secret);

  /// Begins with a page; the records stay valid until the next one. Keys out of the sample are passed over.
  /// Errors: corrupt, where an item has no key.
  Result<void> begin(std::span<const std::string_view> records);
  /// How many of the page's keys are looked at.
  std::size_t size() const { return rows_.size(); }
  /// Their digest's hashes.
  const std::vector<Uint128>& hashes() const { return hashes_; }
  /// The keys to ask the target for, by its names, `most` from the one of this number on.
  std::span<const std::string_view> keys(std::size_t first, std::size_t most) const;
  /// Items that the target answered with. Errors: corrupt, where one was not asked for.
  Result<void> answered(std::span<const std::string_view> items);
  /// The keys, by the source's names, whose items are absent on the target or were not equal. What was not
  /// answered counts as absent. Errors: corrupt.
  Result<std::vector<std::string>> suspects() const;

 private:
  struct Row {
    std::string_view raw;
    item::KeyForms key;
    bool equal = false;
  };
  bool equal(std::string_view source, std::string_view target);

  const SidesOfItems& sides_;
  KeySample sample_;
  KeyedHash hash_;
  item::ItemComparer comparer_;
  std::vector<Row> rows_;
  std::vector<std::string_view> keys_;
  std::vector<Uint128> hashes_;
  std::unordered_map<std::string_view, std::size_t> by_key_;
  std::string transformed_;
};

}  // namespace messina::jobs
