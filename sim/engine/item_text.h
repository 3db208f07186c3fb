// Items on their way in and out: checked by the personality's rules, kept as the JSON text that Scan will
// send.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "item/key.h"
#include "item/value.h"
#include "sim/engine/api.h"
#include "sim/engine/personality.h"

namespace messina::sim {

/// Where a row lies: by token, then partition, then sort key. Ordering by it is the order of Scan and of
/// Query.
struct RowKey {
  std::int64_t token = 0;
  std::string partition;
  std::string sort;
  auto operator<=>(const RowKey&) const = default;
};

/// An accepted item.
struct CheckedItem {
  RowKey key;
  std::string json;            ///< as the server renders it
  std::size_t size_bytes = 0;  ///< as DynamoDB charges it
};

/// Checks the raw "Item" of a put. `operation` names the call in error messages.
Outcome<CheckedItem> check_item(std::string_view raw, const item::KeySchema& schema,
                                const Personality& personality, std::string_view operation);

/// Checks and renders an item that an expression has changed. `before` is the stored text, whose untouched
/// attributes are kept as they were written.
Outcome<CheckedItem> check_changed(const item::Item& item, std::string_view before, std::string_view key_raw,
                                   const item::KeySchema& schema, const Personality& personality);

/// Checks a raw "Key": exactly the key's attributes.
Outcome<RowKey> check_key(std::string_view raw, const item::KeySchema& schema,
                          const Personality& personality);

/// The row of a partition key value, for Query. `raw` is the attribute value's text.
Outcome<RowKey> partition_row(std::string_view raw, const item::KeyAttribute& attribute,
                              const Personality& personality);
/// The sort key's bytes in row order.
std::string sort_bytes(const item::Value& value);

/// Part of an item as a projection leaves it.
std::string render_projected(const item::Item& item, const item::KeySchema& schema,
                             const Personality& personality);

/// A stored or checked text as an item, by the most lenient rules.
item::Item parse_stored(std::string_view json);

}  // namespace messina::sim
