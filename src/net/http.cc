#include "net/http.h"

#include <algorithm>

#include <strings.h>

namespace messina::net {
namespace {
bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}
}  // namespace

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(fields_, [&](const auto& field) { return same_name(field.first, name); });
  fields_.emplace_back(std::string(name), std::move(value));
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  const auto field = std::ranges::find_if(fields_, [&](const auto& f) { return same_name(f.first, name); });
  if (field == fields_.end()) return std::nullopt;
  return field->second;
}

}  // namespace messina::net
