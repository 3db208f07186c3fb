#include "sim/engine/item_text.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/json_text.h"
#include "item/compare.h"
#include "item/item_json.h"
#include "sim/engine/json_scan.h"
#include "sim/engine/token.h"

namespace messina::sim {
namespace {

using item::KeyAttribute;
using item::KeySchema;
using item::Type;
using item::Value;

using RawAttributes = std::map<std::string, std::string_view, std::less<>>;

RawAttributes raw_attributes(std::string_view raw) {
  RawAttributes attributes;
  for (Member& member : members_of(raw)) attributes.emplace(std::move(member.name), member.value);
  return attributes;
}

/// The text inside {"N":"…"}.
std::string number_text(std::string_view raw_value) {
  const auto members = members_of(raw_value);
  return members.empty() ? std::string() : string_of(members.front().value).value_or("");
}

std::size_t byte_size(const Value& value) {
  if (const auto* s = std::get_if<std::string>(&value.data)) return s->size();
  if (const auto* b = std::get_if<item::Binary>(&value.data)) return b->bytes.size();
  return 0;
}

bool is_empty_key(const Value& value) { return item::type_of(value) != Type::N && byte_size(value) == 0; }

std::string partition_bytes(const Value& value, std::string_view raw_value, const Personality& personality) {
  if (const auto* s = std::get_if<std::string>(&value.data)) return *s;
  if (const auto* b = std::get_if<item::Binary>(&value.data)) return b->bytes;
  const auto* n = std::get_if<item::Number>(&value.data);
  return decimal_bytes(personality.alternator ? number_text(raw_value) : n->to_string());
}

Outcome<void> check_key_value(const Value& value, const KeyAttribute& attribute, bool hash,
                              const Personality& p) {
  if (item::type_of(value) != attribute.type) {
    const auto expected = item::to_string(attribute.type), actual = item::to_string(item::type_of(value));
    if (p.alternator)
      return invalid(fmt::format("Type mismatch: expected type {} for key column {}, got type {}", expected,
                                 attribute.name, actual));
    return invalid(fmt::format(
        "One or more parameter values were invalid: Type mismatch for key {} expected: {} actual: {}",
        attribute.name, expected, actual));
  }
  if (is_empty_key(value)) {
    return invalid(fmt::format(
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
        "contain an empty string value. Key: {}",
        attribute.name));
  }
  const std::size_t size = byte_size(value);
  const std::size_t limit = hash ? p.max_hash_key_bytes : p.max_range_key_bytes;
  if (limit != 0 && size > limit) {
    return invalid(
        fmt::format("One or more parameter values were invalid: Size of {} has exceeded the maximum size "
                    "limit of {} bytes",
                    hash ? "hashkey" : "rangekey", limit));
  }
  if (p.max_serialized_key_bytes != 0 && size + 2 > p.max_serialized_key_bytes) {
    return refuse("InternalServerError",
                  fmt::format("Internal server error: std::runtime_error (Key size too large: {} > {})",
                              size + 2, p.max_serialized_key_bytes),
                  500);
  }
  return {};
}

Outcome<const Value*> key_value(const item::Item& item, const KeyAttribute& attribute, const Personality& p) {
  const auto found = item.find(attribute.name);
  if (found != item.end()) return &found->second;
  return invalid(
      p.alternator ? fmt::format("Key column {} not found", attribute.name)
                   : fmt::format("One or more parameter values were invalid: Missing the key {} in the item",
                                 attribute.name));
}

Outcome<RowKey> row_key(const item::Item& item, const RawAttributes& raws, const KeySchema& schema,
                        const Personality& p) {
  const auto partition = key_value(item, schema.partition, p);
  if (!partition) return std::unexpected(partition.error());
  if (const auto ok = check_key_value(**partition, schema.partition, true, p); !ok)
    return std::unexpected(ok.error());
  RowKey key;
  key.partition = partition_bytes(**partition, raws.at(schema.partition.name), p);
  key.token = token_of(key.partition);
  if (!schema.sort) return key;
  const auto sort = key_value(item, *schema.sort, p);
  if (!sort) return std::unexpected(sort.error());
  if (const auto ok = check_key_value(**sort, *schema.sort, false, p); !ok)
    return std::unexpected(ok.error());
  key.sort = sort_bytes(**sort);
  return key;
}

void append_attribute(std::string& out, std::string_view name, const Value& value,
                      std::optional<std::string_view> raw) {
  if (out.back() != '{') out.push_back(',');
  append_json_string(out, name);
  out.push_back(':');
  const Type type = item::type_of(value);
  // ScyllaDB keeps strings, numbers and bytes in forms of its own and everything else as the JSON that came.
  if (!raw || type == Type::N || type == Type::B || type == Type::S) {
    item::append_value(out, value);
  } else {
    append_compact(out, *raw);
  }
}

/// ScyllaDB renders the key's attributes first, then the others by name.
std::string render(const item::Item& item, const RawAttributes& raws, const KeySchema& schema,
                   const Personality& p) {
  if (!p.alternator) return item::to_json(item);
  const auto raw_of = [&](std::string_view name) -> std::optional<std::string_view> {
    const auto found = raws.find(name);
    return found == raws.end() ? std::nullopt : std::optional(found->second);
  };
  std::string out = "{";
  const auto is_key = [&](std::string_view name) {
    return name == schema.partition.name || (schema.sort && name == schema.sort->name);
  };
  const auto append_key = [&](std::string_view name) {
    const auto found = item.find(name);
    if (found != item.end()) append_attribute(out, name, found->second, raw_of(name));
  };
  append_key(schema.partition.name);
  if (schema.sort) append_key(schema.sort->name);
  for (const auto& [name, value] : item) {
    if (!is_key(name)) append_attribute(out, name, value, raw_of(name));
  }
  out.push_back('}');
  return out;
}

Outcome<CheckedItem> finish(const item::Item& item, const RawAttributes& raws, RowKey key,
                            const KeySchema& schema, const Personality& p) {
  CheckedItem checked;
  checked.size_bytes = item::size_bytes(item);
  if (p.max_item_bytes != 0 && checked.size_bytes > p.max_item_bytes) {
    return invalid("Item size has exceeded the maximum allowed size");
  }
  checked.key = std::move(key);
  checked.json = render(item, raws, schema, p);
  return checked;
}

/// The first value that claims to be binary and is no base64.
bool has_bad_base64(std::string_view raw_value) {
  const auto members = members_of(raw_value);
  if (members.size() != 1) return false;
  const auto& [type, value] = members.front();
  if (type == "B") {
    const auto text = string_of(value);
    return text && !base64_decode(*text);
  }
  const auto elements = type == "BS" || type == "L" ? elements_of(value) : std::vector<std::string_view>();
  if (type == "BS") {
    return std::ranges::any_of(elements, [](std::string_view element) {
      const auto text = string_of(element);
      return text && !base64_decode(*text);
    });
  }
  if (type == "L") return std::ranges::any_of(elements, has_bad_base64);
  if (type == "M") {
    return std::ranges::any_of(members_of(value),
                               [](const Member& member) { return has_bad_base64(member.value); });
  }
  return false;
}

Outcome<item::Item> parse_by_rules(std::string_view raw, const RawAttributes& raws, const Personality& p) {
  if (!raw.starts_with('{')) return invalid("Item must be a map of attribute values");
  // DynamoDB's item rules refuse it themselves; ScyllaDB has an error of its own for it.
  if (p.alternator && !p.bad_base64_is_empty) {
    for (const auto& [name, value] : raws) {
      if (has_bad_base64(value)) return refuse("SerializationException", "Invalid base64 data");
    }
  }
  auto item = item::parse_item(raw, p.items);
  if (!item) return invalid(item.error().message);
  return std::move(*item);
}

}  // namespace

std::string sort_bytes(const Value& value) { return item::key_bytes(item::Key{value, std::nullopt}); }

Outcome<CheckedItem> check_item(std::string_view raw, const KeySchema& schema, const Personality& p,
                                std::string_view operation) {
  const RawAttributes raws = raw_attributes(raw);
  auto item = parse_by_rules(raw, raws, p);
  if (!item) {
    ApiError error = item.error();
    error.message = fmt::format("{}: {}", operation, error.message);
    return std::unexpected(std::move(error));
  }
  auto key = row_key(*item, raws, schema, p);
  if (!key) return std::unexpected(key.error());
  return finish(*item, raws, std::move(*key), schema, p);
}

Outcome<CheckedItem> check_changed(const item::Item& item, std::string_view before, std::string_view key_raw,
                                   const KeySchema& schema, const Personality& p) {
  const RawAttributes stored = raw_attributes(before);
  RawAttributes raws;
  if (!before.empty()) {
    const item::Item old = parse_stored(before);
    for (const auto& [name, value] : item) {
      const auto was = old.find(name);
      if (was != old.end() && item::equal(was->second, value)) raws.emplace(name, stored.find(name)->second);
    }
  }
  const RawAttributes keys = raw_attributes(key_raw);
  for (const auto& [name, value] : keys) raws.insert_or_assign(name, value);
  auto key = row_key(item, keys, schema, p);
  if (!key) return std::unexpected(key.error());
  return finish(item, raws, std::move(*key), schema, p);
}

Outcome<RowKey> check_key(std::string_view raw, const KeySchema& schema, const Personality& p) {
  const RawAttributes raws = raw_attributes(raw);
  const auto item = parse_by_rules(raw, raws, p);
  if (!item) return std::unexpected(item.error());
  if (item->size() > (schema.sort ? 2u : 1u))
    return invalid("The provided key element does not match the schema");
  if (!p.alternator && item->size() < (schema.sort ? 2u : 1u)) {
    return invalid("The provided key element does not match the schema");
  }
  return row_key(*item, raws, schema, p);
}

Outcome<RowKey> partition_row(std::string_view raw, const KeyAttribute& attribute, const Personality& p) {
  const auto value = item::parse_value(raw, p.items);
  if (!value) return invalid(value.error().message);
  if (const auto ok = check_key_value(*value, attribute, true, p); !ok) return std::unexpected(ok.error());
  RowKey key;
  key.partition = partition_bytes(*value, raw, p);
  key.token = token_of(key.partition);
  return key;
}

std::string render_projected(const item::Item& item, const KeySchema& schema, const Personality& p) {
  return render(item, {}, schema, p);
}

item::Item parse_stored(std::string_view json) {
  auto item = item::parse_item(json);
  return item ? std::move(*item) : item::Item{};
}

}  // namespace messina::sim
