// Members of answers' JSON objects, by Boost.JSON: what several parsers of the control plane ask. Internal to
// the room.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "base/error.h"
#include "base/log.h"

namespace messina::endpoints {

namespace json = boost::json;

/// The object at `name` of an answer, or the answer itself for an empty name.
inline Result<json::object> object_of(std::string_view body, std::string_view name) {
  boost::system::error_code failure;
  auto parsed = json::parse({body.data(), body.size()}, failure);
  if (failure || !parsed.is_object()) return fail(ErrorKind::corrupt, "it is no JSON object");
  if (name.empty()) return std::move(parsed.get_object());
  auto* inner = parsed.get_object().if_contains(name);
  if (!inner || !inner->is_object()) return fail(ErrorKind::corrupt, fmt::format("it has no \"{}\"", name));
  return std::move(inner->get_object());
}

/// Empty where there is no text of that name; so for the others.
inline std::string text_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

inline const json::object& object_in(const json::object& from, std::string_view name) {
  static const json::object kNone;
  const auto* value = from.if_contains(name);
  return value && value->is_object() ? value->get_object() : kNone;
}

inline const json::array& array_in(const json::object& from, std::string_view name) {
  static const json::array kNone;
  const auto* value = from.if_contains(name);
  return value && value->is_array() ? value->get_array() : kNone;
}

inline std::uint64_t count_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (!value || !value->is_number()) return 0;
  boost::system::error_code failure;
  const auto count = value->to_number<std::uint64_t>(failure);
  return failure ? 0 : count;
}

/// The texts called `name` in the objects of a list.
inline std::vector<std::string> texts_of(const json::array& list, std::string_view name) {
  std::vector<std::string> texts;
  for (const auto& element : list) {
    if (element.is_object()) texts.push_back(text_in(element.get_object(), name));
  }
  return texts;
}

}  // namespace messina::endpoints
