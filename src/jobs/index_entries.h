// What an index of a table should hold, and what it holds: an item is in it under its index key, or not at
// all where it lacks one of the index's key attributes (Developer Guide, "Global secondary indexes": an index
// is sparse). Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "item/key.h"

namespace messina::jobs {

/// Reads items of a table, or entries of one of its indexes: both have the table's key and, as far as they
/// are in the index, the index's. Not thread-safe.
class IndexEntries {
 public:
  IndexEntries(const item::KeySchema& table, const item::KeySchema& index, const KeyedHash::Key& secret);

  struct Entry {
    /// The table's key by item::key_text() and item::key_bytes(); valid until the next read().
    std::string_view key, key_bytes;
    std::optional<Uint128> hash;  ///< of both keys; nullopt: the item is not in the index
  };
  /// Errors: corrupt, where there is no key of the table.
  Result<Entry> read(std::string_view raw);

 private:
  item::KeyReader table_keys_, index_keys_;
  KeyedHash hash_;
  std::string text_, bytes_;
};

/// The attributes that read() needs, each once.
std::vector<std::string> attributes_of(const item::KeySchema& table, const item::KeySchema& index);

/// What a table says of an item's place in an index, and the index of it.
struct IndexPlace {
  std::optional<Uint128> wanted;  ///< by the item as it was before the index was read
  std::optional<Uint128> after;   ///< and after that
  std::vector<Uint128> held;      ///< entries of the item's key in the index, each once

  /// The item was not written to meanwhile, as far as the index goes.
  bool settled() const { return wanted == after; }
  bool lacks() const;         ///< its entry is missing
  std::size_t extra() const;  ///< entries that should not be there
  bool operator==(const IndexPlace&) const = default;
};

}  // namespace messina::jobs
