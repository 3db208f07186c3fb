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

/// How long the value is that an item goes on with; 0 where it is none.
std::size_t value_bytes(std::string_view rest) {
  // {"S":"…"} and the like: most are, and their type is one letter.
  constexpr std::size_t kHead = 6;
  if (rest.size() > kHead && rest[0] == '{' && rest[1] == '"' && rest[3] == '"' && rest[4] == ':' &&
      rest[5] == '"' && rest[2] != '"' && rest[2] != '\\') {
    const char* const end = rest.data() + rest.size();
    const char* const quote = skip_unescaped(rest.data() + kHead, end);
    if (end - quote >= 2 && quote[0] == '"' && quote[1] == '}')
      return static_cast<std::size_t>(quote + 2 - rest.data());
  }
  ByteCursor cursor(rest);
  if (!rest.starts_with('{') || !skip_value(cursor, 1)) return 0;
  return static_cast<std::size_t>(cursor.last_end() - rest.data());
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

std::size_t ItemComparer::equal_bytes(std::string_view source, std::string_view rest) {
  if (!read_source(source)) return 0;
  order_.clear();
  last_ = SIZE_MAX;
  ByteCursor cursor(rest);
  const bool all = walk_object(cursor, [&](std::string_view name) {
    Attribute* const attribute = find(unescaped(name));
    if (attribute == nullptr || std::exchange(attribute->found, true)) return false;
    order_.push_back(last_);
    const char* const first = cursor.position();
    const std::string_view value = attribute->value;
    if (value.starts_with('{') && cursor.rest().starts_with(value)) {
      cursor.skip(value.size());  // braces say where it ends
      return true;
    }
    return skip_value(cursor, 1) && equal_values(value, {first, cursor.last_end()});
  });
  if (!all || order_.size() != source_.size()) return 0;
  // Of a name that stands twice the first counts, and which that is their order tells, which is not the same.
  if (!std::ranges::is_sorted(order_) && !has_different_names()) return 0;
  return rest.size() - cursor.rest().size();
}

bool ItemComparer::has_different_names() {
  names_.clear();
  for (const Attribute& attribute : source_) names_.push_back(attribute.name);
  std::ranges::sort(names_);
  return std::ranges::adjacent_find(names_) == names_.end();
}

bool ItemComparer::equal_by_attributes(std::string_view source, std::string_view target) {
  const std::size_t bytes = equal_bytes(source, target);
  return bytes > 0 && ByteCursor(target.substr(bytes)).at_end();
}

bool ItemComparer::begins_equal(std::string_view source, std::string_view rest) {
  if (rest.size() < source.size()) return false;
  if (has_shape(source, rest)) return true;
  if (equal_bytes(source, rest) != source.size()) return false;
  learn_shape();
  return true;
}

void ItemComparer::learn_shape() {
  shape_.on_target.clear();
  if (!unescaped_.empty() || !has_different_names()) return;
  shape_.on_target = order_;
  shape_.names.resize(source_.size());
  for (std::size_t i = 0; i < source_.size(); ++i) {
    shape_.names[i] = "\"";
    shape_.names[i].append(source_[i].name).append("\":");
  }
}

bool ItemComparer::has_shape(std::string_view source, std::string_view rest) {
  const std::size_t count = shape_.on_target.size();
  if (count == 0) return false;
  const auto take = [](std::string_view& text, std::string_view what) {
    if (!text.starts_with(what)) return false;
    text.remove_prefix(what.size());
    return true;
  };
  const auto between = [](std::size_t i) { return i == 0 ? std::string_view("{") : std::string_view(","); };
  values_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    if (!take(source, between(i)) || !take(source, shape_.names[i])) return false;
    const std::size_t bytes = value_bytes(source);
    if (bytes == 0) return false;
    values_.push_back(source.substr(0, bytes));
    source.remove_prefix(bytes);
  }
  if (source != "}") return false;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t attribute = shape_.on_target[i];
    if (!take(rest, between(i)) || !take(rest, shape_.names[attribute]) || !take(rest, values_[attribute]))
      return false;
  }
  return rest.starts_with('}');
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
