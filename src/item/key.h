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

/// Finds the key attributes in a raw item (DynamoDB JSON) without parsing the rest, and stops reading behind
/// the last of them. Both give ErrorKind::refused, naming the attribute, when it is missing or of another
/// type.
Result<Key> find_key(std::string_view raw, const KeySchema& schema);
Result<Key> key_of(const Item& item, const KeySchema& schema);

/// Canonical bytes of a key. Equal keys (numbers by value) have equal bytes, different ones different bytes,
/// and the bytes order by partition key, then as DynamoDB orders sort keys: S and B by unsigned bytes, N by
/// value. Only values of S, N and B can be keys; others throw std::invalid_argument (a bug of the caller).
std::string key_bytes(const Key& key);
/// {"p":{"S":"a"},"c":{"N":"1"}}
std::string key_json(const Key& key, const KeySchema& schema);

}  // namespace messina::item
