// One page of the source held against what the target answers for its keys. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "item/difference.h"
#include "item/key.h"
#include "item/lookup_page.h"
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
class PageComparison final : public item::ExpectedItems {
 public:
  /// `keys_at_once`: how many of keys() are asked for together, in their order; where they are not, answers
  /// in another order take longer.
  PageComparison(const SidesOfItems& sides, KeySample sample, const KeyedHash::Key& secret,
                 std::size_t keys_at_once);

  /// Begins with a page; the records stay valid until the next one. Keys out of the sample are passed over.
  /// Errors: corrupt, where an item has no key.
  Result<void> begin(std::span<const std::string_view> records);
  /// How many of the page's keys are looked at.
  std::size_t size() const { return rows_.size(); }
  /// Their digest's hashes.
  const std::vector<Uint128>& hashes() const { return hashes_; }
  /// The keys to ask the target for, by its names. They stay valid until the next page.
  std::span<const std::string_view> keys() const { return keys_; }
  /// The page's item that an answer goes on with, if it does, byte for byte.
  std::string_view next(std::string_view rest) override;
  /// Items that the target answered with, in whatever order: that of keys() is the cheapest. Errors: corrupt,
  /// where one was not asked for.
  Result<void> answered(std::span<const std::string_view> items);
  /// The keys, by the source's names, whose items are absent on the target or were not equal. What was not
  /// answered counts as absent. Errors: corrupt.
  Result<std::vector<std::string>> suspects() const;

 private:
  struct Row {
    std::string_view raw;
    std::uint32_t text_at, bytes_at;  ///< where its key begins in texts_ and bytes_, and the former one ends
    bool equal = false;
  };
  bool equal(std::string_view source, std::string_view target);
  std::string_view key_bytes(std::size_t row) const;
  /// The row of a key; nullopt: none has it.
  std::optional<std::size_t> find(std::string_view key_bytes);
  std::optional<std::size_t> find_indexed(std::string_view key_bytes) const;
  void index_rows(std::size_t first, std::size_t end);

  const SidesOfItems& sides_;
  const item::KeyReader source_keys_, target_keys_;
  KeySample sample_;
  KeyedHash hash_;
  const std::size_t keys_at_once_;
  item::ItemComparer comparer_;
  std::vector<Row> rows_;
  std::vector<std::string_view> keys_;
  std::string texts_, bytes_;  ///< of all keys, one behind the other
  std::vector<Uint128> hashes_;
  std::size_t next_ = 0;            ///< the row that is answered next if the target keeps the order
  bool in_order_ = true;            ///< it was kept by the last item that was looked into
  std::vector<std::size_t> known_;  ///< rows that next() gave since items were last answered
  /// Some rows by the hash of their key's bytes, open addressing; 0 is free, else the row's number and 1. Of
  /// none until the target first does not keep the order; then of those that were asked for together, as long
  /// as answers are about these: they stay in the nearest cache.
  std::vector<std::uint32_t> slots_;
  std::size_t indexed_first_ = 0, indexed_end_ = 0;
  std::string transformed_, answered_bytes_;
};

}  // namespace messina::jobs
