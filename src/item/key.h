// Keys: the schema of a table's key and the key of an item.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "item/value.h"

namespace messina::item {

/// One key attribute: its name and its type, S, N or B.
struct KeyAttribute {
  std::string name;
  Type type = Type::S;
  bool operator==(const KeyAttribute&) const = default;
};

struct KeySchema {
  KeyAttribute partition;
  std::optional<KeyAttribute> sort;
  bool operator==(const KeySchema&) const = default;
};

/// The key attributes of an item.
struct Key {
  Value partition;
  std::optional<Value> sort;
};

/// Finds the key attributes in a raw item (DynamoDB JSON) without parsing the rest.
Result<Key> find_key(std::string_view raw, const KeySchema& schema);
Result<Key> key_of(const Item& item, const KeySchema& schema);

/// Canonical bytes of a key: equal keys (numbers by value) have equal bytes, and the bytes order as DynamoDB orders sort keys.
std::string key_bytes(const Key& key);
/// {"p":{"S":"a"},"c":{"N":"1"}}
std::string key_json(const Key& key, const KeySchema& schema);

}  // namespace messina::item
