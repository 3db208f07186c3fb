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

/// Whether the target has a source's item as it is written there. `scratch` is overwritten.
bool equal_as_written(item::ItemComparer& comparer, const item::TransformRules& transform,
                      std::string_view source, std::string_view target, std::string& scratch);

/// Used for one page after the other: keeps memory between them. Not thread-safe; `sides` outlives it.
class PageComparison {
 public:
  class Batch;

  PageComparison(const SidesOfItems& sides, KeySample sample, const KeyedHash::Key& secret);

  /// Begins with a page; the records stay valid until the next one. Keys out of the sample are passed over.
  /// Errors: corrupt, where an item has no key.
  Result<void> begin(std::span<const std::string_view> records);
  /// How many of the page's keys are looked at.
  std::size_t size() const { return rows_.size(); }
  /// Their digest's hashes.
  const std::vector<Uint128>& hashes() const { return hashes_; }
  /// The keys to ask the target for, by its names. They stay valid until the next page.
  std::span<const std::string_view> keys() const { return keys_; }
  /// The keys, by the source's names, whose items are absent on the target or were not equal. What was not
  /// answered counts as absent. Errors: corrupt.
  Result<std::vector<std::string>> suspects() const;

 private:
  struct Row {
    std::string_view raw;
    std::uint32_t text_at, bytes_at;  ///< where its key begins in texts_ and bytes_, and the former one ends
    bool equal = false;
  };
  std::string_view key_bytes(std::size_t row) const;

  const SidesOfItems& sides_;
  const item::KeyReader source_keys_, target_keys_;
  KeySample sample_;
  KeyedHash hash_;
  item::ItemComparer comparer_;
  std::vector<Row> rows_;
  std::vector<std::string_view> keys_;
  std::string texts_, bytes_;  ///< of all keys, one behind the other
  std::vector<Uint128> hashes_;
  std::string transformed_, answered_bytes_;
};

/// Some of a page's rows by a hash of their keys, open addressing.
class RowIndex {
 public:
  bool empty() const { return slots_.empty(); }
  void clear() { slots_.clear(); }
  /// For so many rows at most.
  void make_room(std::size_t rows);
  void add(std::uint64_t hash, std::size_t row);
  /// The first row of those with this hash, and others, that `is` takes.
  template <class Is>
  std::optional<std::size_t> find(std::uint64_t hash, Is is) const {
    for (std::size_t at = hash; slots_[at &= slots_.size() - 1] != 0; ++at) {
      const std::size_t row = slots_[at] - 1;
      if (is(row)) return row;
    }
    return std::nullopt;
  }

 private:
  std::vector<std::uint32_t> slots_;  ///< 0 is free, else the row's number and 1
};

/// Those of a page's keys that the target is asked for together, and what it answers about them. Used for one
/// after the other, as the page is, which outlives it; several may be waiting for their answers at once.
class PageComparison::Batch final : public item::ExpectedItems {
 public:
  explicit Batch(PageComparison& page) : page_(page) {}

  /// Begins with keys()[first, end) of the page.
  void begin(std::size_t first, std::size_t end);
  std::span<const std::string_view> keys() const { return page_.keys().subspan(first_, end_ - first_); }
  /// The page's item that an answer goes on with, if that can be told before all of it is read.
  std::string_view next(std::string_view rest) override;
  /// Items that the target answered with, in whatever order: that of keys() is the cheapest. Errors: corrupt,
  /// where one was not asked for.
  Result<void> answered(std::span<const std::string_view> items);

 private:
  /// The row whose key an answer goes on with; nullopt: none, or it does not begin with the key, so written.
  /// Says in `turned_` whether it goes on otherwise than the row.
  std::optional<std::size_t> find_written(std::string_view rest);
  /// The row of a key, as key_bytes() has it; nullopt: none has it.
  std::optional<std::size_t> find(std::string_view key_bytes);

  PageComparison& page_;
  std::size_t first_ = 0, end_ = 0;  ///< rows of the page
  std::size_t next_ = 0;             ///< the row that is answered next if the target keeps the order
  bool in_order_ = true;             ///< it was kept by the last item that was looked into
  bool in_turn_ = true;              ///< likewise, of the last item that was told by its beginning
  bool turned_ = false;              ///< the target's attributes were in another order, at last
  std::vector<std::size_t> known_;   ///< rows that next() gave since items were last answered
  RowIndex by_text_, by_bytes_;      ///< empty until the target first does not keep the order
};

}  // namespace messina::jobs
