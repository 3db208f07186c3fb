#include "item/difference.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/json_text.h"
#include "item/compare.h"
#include "item/item_json.h"
#include "item/json_cursor.h"

namespace messina::item {
namespace {

bool plain(std::string_view name) {
  const auto in_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && std::ranges::all_of(name, in_name);
}

/// Walks both values down to where they differ. Nesting is bounded by the parser (kMaxParsedNesting).
class Differ {
 public:
  Differ(std::vector<Difference>& out, std::size_t most) : out_(out), most_(most) {}

  void add(std::string path, Difference::Kind kind,
           std::partial_ordering target_is = std::partial_ordering::unordered) {
    if (out_.size() < most_) out_.push_back({std::move(path), kind, target_is});
  }

  void compare(const std::string& path, const Map& source, const Map& target) {
    for (const auto& [name, value] : source) {
      const auto found = target.find(name);
      if (found == target.end())
        add(member_path(path, name), Difference::Kind::missing);
      else
        compare(member_path(path, name), value, found->second);
    }
    for (const auto& [name, value] : target)
      if (!source.contains(name)) add(member_path(path, name), Difference::Kind::extra);
  }

 private:
  void compare(const std::string& path, const Value& source, const Value& target) {
    if (out_.size() >= most_ || equal(source, target)) return;
    if (source.data.index() != target.data.index()) {
      add(path, Difference::Kind::type);
    } else if (const auto* map = std::get_if<Map>(&source.data)) {
      compare(path, *map, std::get<Map>(target.data));
    } else if (const auto* list = std::get_if<List>(&source.data)) {
      compare(path, *list, std::get<List>(target.data));
    } else {
      add(path, Difference::Kind::value, item::compare(target, source));
    }
  }

  void compare(const std::string& path, const List& source, const List& target) {
    const std::size_t both = std::min(source.size(), target.size());
    for (std::size_t i = 0; i < both; ++i) compare(member_path(path, i), source[i], target[i]);
    for (std::size_t i = both; i < source.size(); ++i) add(member_path(path, i), Difference::Kind::missing);
    for (std::size_t i = both; i < target.size(); ++i) add(member_path(path, i), Difference::Kind::extra);
  }

  std::vector<Difference>& out_;
  const std::size_t most_;
};

/// Two attribute values whose bytes differ.
bool equal_values(std::string_view source, std::string_view target) {
  const Result<Value> a = parse_value(source);
  const Result<Value> b = parse_value(target);
  return a && b && equal(*a, *b);
}

}  // namespace

std::string member_path(const std::string& parent, std::string_view name) {
  std::string path = parent;
  if (!path.empty()) path += '.';
  if (plain(name))
    path += name;
  else
    path += json_string(name);
  return path;
}

std::string member_path(const std::string& parent, std::size_t index) {
  return parent + '[' + std::to_string(index) + ']';
}

std::string_view ItemComparer::unescaped(std::string_view name) {
  if (!name.contains('\\')) return name;
  std::string& text = unescaped_.emplace_back();
  unescape_json(name, text);
  return text;
}

bool ItemComparer::read_source(std::string_view raw) {
  unescaped_.clear();
  source_.clear();
  ByteCursor cursor(raw);
  const bool whole = walk_object(cursor, [&](std::string_view name) {
    const char* const first = cursor.position();
    if (!skip_value(cursor, 1)) return false;
    source_.push_back({.name = unescaped(name), .value = {first, cursor.last_end()}});
    return true;
  });
  return whole && cursor.at_end();
}

ItemComparer::Attribute* ItemComparer::find(std::string_view name) {
  // Of more than this, in two orders that have nothing in common, parsing is cheaper than to look for each.
  constexpr std::size_t kMostSearched = 256;
  const std::size_t count = source_.size();
  // Two servers mostly write items in the same order, or in two orders that have pieces in common.
  for (const std::size_t near : {last_ + 1, last_ - 1})
    if (near < count && source_[near].name == name) return &source_[last_ = near];
  if (count > kMostSearched) return nullptr;
  for (std::size_t i = 0; i < count; ++i)
    if (source_[i].name == name) return &source_[last_ = i];
  return nullptr;
}

bool ItemComparer::equal_by_attributes(std::string_view source, std::string_view target) {
  if (!read_source(source)) return false;
  std::size_t found = 0;
  bool in_order = true;
  last_ = SIZE_MAX;
  ByteCursor cursor(target);
  const bool all = walk_object(cursor, [&](std::string_view name) {
    Attribute* const attribute = find(unescaped(name));
    if (attribute == nullptr || std::exchange(attribute->found, true)) return false;
    in_order = in_order && last_ == found;
    ++found;
    const char* const first = cursor.position();
    const std::string_view value = attribute->value;
    if (value.starts_with('{') && cursor.rest().starts_with(value)) {
      cursor.skip(value.size());  // braces say where it ends
      return true;
    }
    return skip_value(cursor, 1) && equal_values(value, {first, cursor.last_end()});
  });
  if (!all || !cursor.at_end() || found != source_.size()) return false;
  if (in_order) return true;
  // Of a name that stands twice the first counts, and which that is their order tells, which is not the same.
  names_.clear();
  for (const Attribute& attribute : source_) names_.push_back(attribute.name);
  std::ranges::sort(names_);
  return std::ranges::adjacent_find(names_) == names_.end();
}

bool ItemComparer::equal(std::string_view source, std::string_view target) {
  return differences(source, target, 1).empty();
}

std::vector<Difference> ItemComparer::differences(std::string_view source, std::string_view target,
                                                  std::size_t most) {
  std::vector<Difference> found;
  if (source == target || equal_by_attributes(source, target)) return found;
  const Result<Item> a = parse_item(source);
  const Result<Item> b = parse_item(target);
  Differ differ(found, most);
  if (a && b)
    differ.compare("", *a, *b);
  else
    differ.add("", Difference::Kind::value);
  return found;
}

}  // namespace messina::item
