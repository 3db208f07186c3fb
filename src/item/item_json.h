// DynamoDB JSON: {"name":{"S":"…"},…} ↔ Item.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "item/value.h"

namespace messina::item {

/// The most that JsonRules::max_nesting can be.
inline constexpr int kMaxParsedNesting = 256;

struct JsonRules {
  Number::Limits numbers = Number::Limits::lenient;
  /// Levels of L and M that may be nested, up to kMaxParsedNesting (item/value.h has DynamoDB's own limit).
  int max_nesting = kMaxParsedNesting;
  /// Refuse also what DynamoDB refuses and ScyllaDB (before 6) accepts: repeated set members, NULL false, bad
  /// base64 (ScyllaDB 5 stores an empty value for it, and so does the lenient reading), text that is not
  /// UTF-8, empty attribute names at the top level. Empty sets are refused by both, and always.
  bool strict = false;
};

/// Parses one item. Works on any bytes (no padding needed; the result keeps no view of the text). Duplicate
/// names: the first wins, as on ScyllaDB. Errors are ErrorKind::refused with a message that names the
/// attribute but never shows its value.
Result<Item> parse_item(std::string_view raw, const JsonRules& rules = {});
Result<Value> parse_value(std::string_view raw, const JsonRules& rules = {});

/// Appends the item as compact DynamoDB JSON; numbers as Number::to_string.
void append_item(std::string& out, const Item& item);
void append_value(std::string& out, const Value& value);
std::string to_json(const Item& item);

}  // namespace messina::item
