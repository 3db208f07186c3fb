// Names of an enumeration's values, as the files have them; private to this room.
#pragma once
#include <array>
#include <optional>
#include <string_view>
#include <utility>

namespace messina::state {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

template <class Enum, std::size_t N>
std::string_view name_of(const Names<Enum, N>& names, Enum value) {
  for (const auto& [each, name] : names) {
    if (each == value) return name;
  }
  return "";  // the table's CHECK refuses it
}

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const Names<Enum, N>& names, std::string_view name) {
  for (const auto& [each, each_name] : names) {
    if (each_name == name) return each;
  }
  return std::nullopt;
}

}  // namespace messina::state
