#include <algorithm>
#include <compare>

#include "item/compare.h"
#include "sim/engine/expression.h"

namespace messina::sim {
namespace {

using item::Item;
using item::Value;

std::size_t element_count(const Value& value) {
  return std::visit(
      [](const auto& data) -> std::size_t {
        using T = std::decay_t<decltype(data)>;
        if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, item::Map> ||
                      std::is_same_v<T, item::List>) {
          return data.size();
        } else if constexpr (std::is_same_v<T, item::Binary>) {
          return data.bytes.size();
        } else if constexpr (std::is_same_v<T, item::StringSet> || std::is_same_v<T, item::NumberSet> ||
                             std::is_same_v<T, item::BinarySet>) {
          return data.members.size();
        } else {
          return 0;
        }
      },
      value.data);
}

/// The value of an operand of a condition; nullopt if the path leads nowhere.
std::optional<Value> value_of(const Operand& operand, const Item& item) {
  if (const auto* value = std::get_if<Value>(&operand.data)) return *value;
  if (const auto* path = std::get_if<Path>(&operand.data)) {
    const Value* found = find_path(item, *path);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  const auto* call = std::get_if<Call>(&operand.data);  // size()
  if (call == nullptr) return std::nullopt;
  const auto argument = value_of(call->arguments.front(), item);
  if (!argument) return std::nullopt;
  return Value{*item::Number::parse(std::to_string(element_count(*argument)))};
}

bool compare_holds(const std::string& comparator, const Value& a, const Value& b) {
  if (comparator == "=") return item::equal(a, b);
  if (comparator == "<>") return !item::equal(a, b);
  const std::partial_ordering order = item::compare(a, b);
  if (comparator == "<") return order == std::partial_ordering::less;
  if (comparator == "<=")
    return order == std::partial_ordering::less || order == std::partial_ordering::equivalent;
  if (comparator == ">") return order == std::partial_ordering::greater;
  return order == std::partial_ordering::greater || order == std::partial_ordering::equivalent;
}

bool begins_with(const Value& value, const Value& prefix) {
  const auto* s = std::get_if<std::string>(&value.data);
  const auto* sp = std::get_if<std::string>(&prefix.data);
  if (s != nullptr && sp != nullptr) return s->starts_with(*sp);
  const auto* b = std::get_if<item::Binary>(&value.data);
  const auto* bp = std::get_if<item::Binary>(&prefix.data);
  return b != nullptr && bp != nullptr && b->bytes.starts_with(bp->bytes);
}

bool contains(const Value& whole, const Value& part) {
  if (const auto* list = std::get_if<item::List>(&whole.data)) {
    return std::ranges::any_of(*list, [&](const Value& element) { return item::equal(element, part); });
  }
  const auto* text = std::get_if<std::string>(&part.data);
  const auto* bytes = std::get_if<item::Binary>(&part.data);
  const auto* number = std::get_if<item::Number>(&part.data);
  if (const auto* s = std::get_if<std::string>(&whole.data))
    return text != nullptr && s->find(*text) != std::string::npos;
  if (const auto* b = std::get_if<item::Binary>(&whole.data))
    return bytes != nullptr && b->bytes.find(bytes->bytes) != std::string::npos;
  if (const auto* ss = std::get_if<item::StringSet>(&whole.data))
    return text != nullptr && std::ranges::find(ss->members, *text) != ss->members.end();
  if (const auto* bs = std::get_if<item::BinarySet>(&whole.data))
    return bytes != nullptr && std::ranges::find(bs->members, bytes->bytes) != bs->members.end();
  if (const auto* ns = std::get_if<item::NumberSet>(&whole.data))
    return number != nullptr && std::ranges::find(ns->members, *number) != ns->members.end();
  return false;
}

/// The place that a path names, made if its parent is there; null if the path is invalid for the item.
Value* place(Item& item, const Path& path) {
  Item* map = &item;
  item::List* list = nullptr;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool last = i + 1 == path.size();
    Value* value = nullptr;
    if (const auto* name = std::get_if<std::string>(&path[i])) {
      if (map == nullptr) return nullptr;
      if (last) return &(*map)[*name];
      const auto found = map->find(*name);
      value = found == map->end() ? nullptr : &found->second;
    } else {
      if (list == nullptr) return nullptr;
      const std::size_t at = std::get<std::size_t>(path[i]);
      if (last) {
        if (at >= list->size()) list->emplace_back();
        return at < list->size() ? &(*list)[at] : &list->back();
      }
      value = at < list->size() ? &(*list)[at] : nullptr;
    }
    if (value == nullptr) return nullptr;
    map = std::get_if<item::Map>(&value->data);
    list = std::get_if<item::List>(&value->data);
  }
  return nullptr;
}

Outcome<void> remove(Item& item, const Path& path) {
  if (path.size() == 1) {
    item.erase(std::get<std::string>(path.front()));
    return {};
  }
  const Path parent_path(path.begin(), path.end() - 1);
  if (find_path(item, parent_path) == nullptr)
    return invalid("The document path provided in the update expression is invalid for update");
  Value* parent = place(item, parent_path);
  if (const auto* name = std::get_if<std::string>(&path.back())) {
    if (auto* map = std::get_if<item::Map>(&parent->data)) map->erase(*name);
  } else if (auto* list = std::get_if<item::List>(&parent->data)) {
    const std::size_t at = std::get<std::size_t>(path.back());
    if (at < list->size()) list->erase(list->begin() + static_cast<long>(at));
  }
  return {};
}

Outcome<Value> set_value(const Operand& operand, const Item& before) {
  if (const auto* value = std::get_if<Value>(&operand.data)) return *value;
  if (const auto* path = std::get_if<Path>(&operand.data)) {
    if (const Value* found = find_path(before, *path)) return *found;
    return invalid("The provided expression refers to an attribute that does not exist in the item");
  }
  if (const auto* sum = std::get_if<Sum>(&operand.data)) {
    const auto left = set_value(sum->terms[0], before);
    if (!left) return left;
    const auto right = set_value(sum->terms[1], before);
    if (!right) return right;
    const auto* a = std::get_if<item::Number>(&left->data);
    const auto* b = std::get_if<item::Number>(&right->data);
    if (a == nullptr || b == nullptr)
      return invalid("An operand in the update expression has an incorrect data type");
    return Value{sum->minus ? *a - *b : *a + *b};
  }
  const Call& call = std::get<Call>(operand.data);
  if (call.function == "if_not_exists") {
    const auto* path = std::get_if<Path>(&call.arguments[0].data);
    if (path == nullptr)
      return invalid("Operator or function requires a document path; operator or function: if_not_exists");
    if (const Value* found = find_path(before, *path)) return *found;
    return set_value(call.arguments[1], before);
  }
  auto left = set_value(call.arguments[0], before);
  if (!left) return left;
  auto right = set_value(call.arguments[1], before);
  if (!right) return right;
  auto* a = std::get_if<item::List>(&left->data);
  auto* b = std::get_if<item::List>(&right->data);
  if (a == nullptr || b == nullptr)
    return invalid("An operand in the update expression has an incorrect data type");
  std::ranges::move(*b, std::back_inserter(*a));
  return left;
}

template <class Set>
bool merge(Value& old, const Value& change, bool add) {
  auto* into = std::get_if<Set>(&old.data);
  const auto* from = std::get_if<Set>(&change.data);
  if (into == nullptr || from == nullptr) return false;
  for (const auto& member : from->members) {
    const auto found = std::ranges::find(into->members, member);
    if (add && found == into->members.end()) into->members.push_back(member);
    if (!add && found != into->members.end()) into->members.erase(found);
  }
  return true;
}

/// ADD and DELETE.
Outcome<void> combine(Item& item, const UpdateAction& action) {
  const Value& change = std::get<Value>(action.operand->data);
  const bool add = action.kind == UpdateAction::Kind::add;
  const item::Type type = item::type_of(change);
  const bool set = type == item::Type::SS || type == item::Type::NS || type == item::Type::BS;
  if (!set && !(add && type == item::Type::N))
    return invalid("Incorrect operand type for operator or function; operator: ADD or DELETE");
  const Value* old = find_path(item, action.path);
  if (old == nullptr) {
    if (!add) return {};
    Value* target = place(item, action.path);
    if (target == nullptr)
      return invalid("The document path provided in the update expression is invalid for update");
    *target = change;
    return {};
  }
  Value merged = *old;
  const auto* number = std::get_if<item::Number>(&old->data);
  if (number != nullptr && type == item::Type::N) {
    merged = Value{*number + std::get<item::Number>(change.data)};
  } else if (!merge<item::StringSet>(merged, change, add) && !merge<item::NumberSet>(merged, change, add) &&
             !merge<item::BinarySet>(merged, change, add)) {
    return invalid("An operand in the update expression has an incorrect data type");
  }
  if (set && element_count(merged) == 0) return remove(item, action.path);
  *place(item, action.path) = std::move(merged);
  return {};
}

}  // namespace

const Value* find_path(const Item& item, const Path& path) {
  const Item* map = &item;
  const item::List* list = nullptr;
  const Value* value = nullptr;
  for (const auto& step : path) {
    value = nullptr;
    if (const auto* name = std::get_if<std::string>(&step)) {
      if (map != nullptr) {
        const auto found = map->find(*name);
        if (found != map->end()) value = &found->second;
      }
    } else if (list != nullptr && std::get<std::size_t>(step) < list->size()) {
      value = &(*list)[std::get<std::size_t>(step)];
    }
    if (value == nullptr) return nullptr;
    map = std::get_if<item::Map>(&value->data);
    list = std::get_if<item::List>(&value->data);
  }
  return value;
}

bool holds(const Condition& condition, const Item& item) {
  using Kind = Condition::Kind;
  const auto child = [&](const Condition& c) { return holds(c, item); };
  switch (condition.kind) {
    case Kind::and_:
      return std::ranges::all_of(condition.children, child);
    case Kind::or_:
      return std::ranges::any_of(condition.children, child);
    case Kind::not_:
      return !child(condition.children.front());
    case Kind::exists:
      return value_of(condition.arguments[0], item).has_value();
    case Kind::not_exists:
      return !value_of(condition.arguments[0], item).has_value();
    default:
      break;
  }
  std::vector<Value> values;
  for (const Operand& argument : condition.arguments) {
    auto value = value_of(argument, item);
    // A missing attribute differs from everything and compares with nothing.
    if (!value) return condition.kind == Kind::compare && condition.comparator == "<>";
    values.push_back(std::move(*value));
  }
  switch (condition.kind) {
    case Kind::compare:
      return compare_holds(condition.comparator, values[0], values[1]);
    case Kind::between:
      return compare_holds(">=", values[0], values[1]) && compare_holds("<=", values[0], values[2]);
    case Kind::in:
      return std::any_of(values.begin() + 1, values.end(),
                         [&](const Value& v) { return item::equal(values[0], v); });
    case Kind::begins_with:
      return begins_with(values[0], values[1]);
    case Kind::contains:
      return contains(values[0], values[1]);
    case Kind::attribute_type: {
      const auto* name = std::get_if<std::string>(&values[1].data);
      return name != nullptr && item::to_string(item::type_of(values[0])) == *name;
    }
    default:
      return false;
  }
}

Outcome<Item> apply_update(const std::vector<UpdateAction>& actions, const Item& before) {
  Item after = before;
  std::vector<const UpdateAction*> removals;
  for (const UpdateAction& action : actions) {
    if (action.kind == UpdateAction::Kind::remove) {
      removals.push_back(&action);
    } else if (action.kind == UpdateAction::Kind::set) {
      auto value = set_value(*action.operand, before);
      if (!value) return std::unexpected(value.error());
      Value* target = place(after, action.path);
      if (target == nullptr)
        return invalid("The document path provided in the update expression is invalid for update");
      *target = std::move(*value);
    } else if (const auto done = combine(after, action); !done) {
      return std::unexpected(done.error());
    }
  }
  // Highest list positions first, so that one removal does not move the next one's target.
  std::ranges::sort(removals, [](const UpdateAction* a, const UpdateAction* b) { return a->path > b->path; });
  for (const UpdateAction* action : removals) {
    if (const auto done = remove(after, action->path); !done) return std::unexpected(done.error());
  }
  return after;
}

Item project(const Item& item, const std::vector<Path>& paths) {
  // Rebuilds the parents of each found value; list positions close up, in the order of the expression.
  Item out;
  for (const Path& path : paths) {
    const Value* found = find_path(item, path);
    if (found == nullptr) continue;
    Value* at = &out[std::get<std::string>(path.front())];
    for (std::size_t i = 1; i < path.size(); ++i) {
      if (const auto* name = std::get_if<std::string>(&path[i])) {
        if (!std::holds_alternative<item::Map>(at->data)) at->data = item::Map{};
        at = &std::get<item::Map>(at->data)[*name];
      } else {
        if (!std::holds_alternative<item::List>(at->data)) at->data = item::List{};
        at = &std::get<item::List>(at->data).emplace_back();
      }
    }
    *at = *found;
  }
  return out;
}

}  // namespace messina::sim
