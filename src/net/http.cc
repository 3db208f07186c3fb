#include "net/http.h"

#include <algorithm>

#include <strings.h>

namespace messina::net {
namespace {
bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

/// (find_first_of would make a call for each character.)
bool on_one_line(std::string_view text) {
  return text.find('\r') == std::string_view::npos && text.find('\n') == std::string_view::npos;
}

/// Most heads have no more: one allocation instead of four.
constexpr std::size_t kUsualFields = 8;

}  // namespace

Headers::Shared& Headers::own() {
  if (shared_ == nullptr) {
    shared_ = std::make_shared<Shared>();
    shared_->fields.reserve(kUsualFields);
  } else if (shared_.use_count() > 1) {
    shared_ = std::make_shared<Shared>(*shared_);
  }
  return *shared_;
}

void Headers::add(std::string name, std::string value) {
  Shared& shared = own();
  shared.clean = shared.clean && on_one_line(name) && on_one_line(value);
  shared.fields.emplace_back(std::move(name), std::move(value));
}

void Headers::append(Headers&& others) {
  for (auto& [name, value] : others.own().fields) add(std::move(name), std::move(value));
}

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(own().fields, [&](const auto& field) { return same_name(field.first, name); });
  add(std::string(name), std::move(value));
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  const Fields& all = fields();
  const auto field = std::ranges::find_if(all, [&](const auto& f) { return same_name(f.first, name); });
  if (field == all.end()) return std::nullopt;
  return field->second;
}

const Headers::Fields& Headers::fields() const {
  static const Fields none;
  return shared_ == nullptr ? none : shared_->fields;
}

}  // namespace messina::net
