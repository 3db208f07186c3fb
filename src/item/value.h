// DynamoDB's data model: the ten types of an attribute value.
// Source: Amazon DynamoDB Developer Guide, "Supported data types and naming rules in Amazon DynamoDB".
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "item/number.h"

namespace messina::item {

struct Value;

struct Null {};
struct Binary {
  std::string bytes;
  auto operator<=>(const Binary&) const = default;
};
struct StringSet {
  std::vector<std::string> members;
};
struct NumberSet {
  std::vector<Number> members;
};
struct BinarySet {
  std::vector<std::string> members;
};
using List = std::vector<Value>;
/// Attribute name → value, in the order of the bytes of the name.
using Map = std::map<std::string, Value, std::less<>>;

/// An attribute value. Compare with equal() (item/compare.h): sets compare without order, numbers by value.
struct Value {
  std::variant<std::string, Number, Binary, bool, Null, Map, List, StringSet, NumberSet, BinarySet> data;
};

/// An item is a map of top-level attributes.
using Item = Map;

/// The one- or two-letter name of a type as DynamoDB JSON writes it: S N B BOOL NULL M L SS NS BS.
enum class Type : std::uint8_t { S, N, B, BOOL, NULL_, M, L, SS, NS, BS };
Type type_of(const Value& value);
std::string_view to_string(Type type);

// Limits: Developer Guide, "Quotas and constraints in Amazon DynamoDB".
inline constexpr std::size_t kMaxItemBytes = 400 * 1024;
inline constexpr std::size_t kMaxHashKeyBytes = 2048;
inline constexpr std::size_t kMaxRangeKeyBytes = 1024;
inline constexpr int kMaxNesting = 32;

}  // namespace messina::item
