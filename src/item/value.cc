#include "item/value.h"

#include <array>

namespace messina::item {
namespace {

// Type lists the types in the order of Value::data's alternatives.
template <Type type, class T>
constexpr bool kSamePlace =
    std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(type), decltype(Value::data)>, T>;
static_assert(kSamePlace<Type::S, std::string> && kSamePlace<Type::N, Number> &&
              kSamePlace<Type::B, Binary> && kSamePlace<Type::BOOL, bool> && kSamePlace<Type::NULL_, Null> &&
              kSamePlace<Type::M, Map> && kSamePlace<Type::L, List> && kSamePlace<Type::SS, StringSet> &&
              kSamePlace<Type::NS, NumberSet> && kSamePlace<Type::BS, BinarySet>);

constexpr std::array<std::string_view, 10> kNames = {"S", "N", "B",  "BOOL", "NULL",
                                                     "M", "L", "SS", "NS",   "BS"};

}  // namespace

Type type_of(const Value& value) { return static_cast<Type>(value.data.index()); }

std::string_view to_string(Type type) { return kNames[static_cast<std::size_t>(type)]; }

}  // namespace messina::item
