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
/// {"p":{"S":"a"},"c":{"N":"1"}}, its numbers as DynamoDB renders them.
std::string key_json(const Key& key, const KeySchema& schema);
/// The key of a raw item in the same form, but for its numbers, which stay as they are written there: to a
/// server that keeps 1000 and 1e3 apart, only that names the item (PROTOCOL rule 21). Errors as of
/// find_key().
Result<std::string> key_text(std::string_view raw, const KeySchema& schema);

/// Takes the keys out of one table's items, one after the other. Keys of type S and N are copied and not
/// parsed where they are written without escapes and white space, as servers write them; items that begin
/// with them are read no further. May be used by many threads at once.
class KeyReader {
 public:
  explicit KeyReader(const KeySchema& schema) : KeyReader(schema, schema) {}
  /// `names`: a schema of as many attributes, by whose names the text has the key: of a target's item, whose
  /// key attributes are called otherwise there, the key as its source has it.
  KeyReader(const KeySchema& schema, const KeySchema& names);

  /// Appends an item's key as key_text() has it and as key_bytes() does; nullptr for a form that is not
  /// wanted. Errors as of find_key(); something may have been appended then.
  Result<void> append(std::string_view raw, std::string* text, std::string* bytes) const;
  /// The key as key_text() has it.
  Result<std::string> text(std::string_view raw) const;
  /// The part of an item that is its key and nothing else, {"id":{"S":"a"}, where it begins so, of types S
  /// and N and without escapes and white space; else empty. Items in which it is the same have the same key.
  std::string_view leading_text(std::string_view raw) const;

 private:
  KeySchema schema_;
  std::string before_partition_, before_sort_;  ///< of the text
  std::string partition_leads_, sort_leads_;  ///< what comes before plain values where items begin with them
  bool own_names_;                            ///< whether the text names the attributes as the items do
};

}  // namespace messina::item
