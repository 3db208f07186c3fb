// Equality, order and size of values.
#pragma once
#include <compare>
#include <cstddef>

#include "item/value.h"

namespace messina::item {

/// Equal as DynamoDB values: numbers by value, sets without order or repeats (ScyllaDB keeps repeated
/// members), maps by name, lists in order.
bool equal(const Value& a, const Value& b);
bool equal(const Item& a, const Item& b);

/// The order of key values and of `<` in expressions: S and B by unsigned bytes, N by value. Unordered for
/// other types or two different types.
std::partial_ordering compare(const Value& a, const Value& b);

/// Size as DynamoDB charges it (Developer Guide, "DynamoDB item sizes and formats"). An approximation for
/// numbers; ConsumedCapacity is the truth for accounting.
std::size_t size_bytes(const Value& value);
std::size_t size_bytes(const Item& item);

}  // namespace messina::item
