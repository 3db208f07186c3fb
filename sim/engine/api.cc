#include "sim/engine/api.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace messina::sim {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

}  // namespace

std::optional<std::string_view> Request::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (same_name(field, name)) return value;
  }
  return std::nullopt;
}

std::string_view Request::operation() const {
  const std::string_view target = header("x-amz-target").value_or("");
  const std::size_t dot = target.find('.');
  return dot == std::string_view::npos ? std::string_view() : target.substr(dot + 1);
}

std::string_view Request::target_prefix() const {
  const std::string_view target = header("x-amz-target").value_or("");
  return target.substr(0, target.find('.'));
}

std::optional<std::string_view> Parameters::raw(std::string_view name) const {
  for (const Member& member : members_) {
    if (member.name == name) return member.value;
  }
  return std::nullopt;
}

Outcome<std::string> Parameters::text(std::string_view name, std::string absent) const {
  const auto value = raw(name);
  if (!value) return absent;
  auto text = string_of(*value);
  if (!text) return invalid(std::string(name) + " must be a string");
  return std::move(*text);
}

Outcome<bool> Parameters::flag(std::string_view name, bool absent) const {
  const auto value = raw(name);
  if (!value) return absent;
  if (*value == "true") return true;
  if (*value == "false") return false;
  return invalid(std::string(name) + " must be a boolean");
}

Outcome<std::optional<std::int64_t>> Parameters::integer(std::string_view name) const {
  const auto value = raw(name);
  if (!value) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error != std::errc() || end != value->data() + value->size()) {
    return invalid(std::string(name) + " must be an integer");
  }
  return number;
}

Outcome<std::vector<std::string>> Parameters::texts(std::string_view name) const {
  std::vector<std::string> texts;
  const auto value = raw(name);
  if (!value) return texts;
  if (!value->starts_with('[')) return invalid(std::string(name) + " must be a list of strings");
  for (const std::string_view element : elements_of(*value)) {
    auto text = string_of(element);
    if (!text) return invalid(std::string(name) + " must be a list of strings");
    texts.push_back(std::move(*text));
  }
  return texts;
}

}  // namespace messina::sim
