#include "item/key.h"

#include <cstdint>
#include <stdexcept>

#include <fmt/format.h>

#include "base/json_text.h"
#include "item/item_json.h"
#include "item/json_cursor.h"

namespace messina::item {
namespace {

std::unexpected<Error> missing(const KeyAttribute& attribute) {
  return fail(ErrorKind::refused, fmt::format("key attribute {} is missing", json_string(attribute.name)));
}

Result<Value> checked(Value value, const KeyAttribute& attribute) {
  if (type_of(value) == attribute.type) return value;
  return fail(ErrorKind::refused,
              fmt::format("key attribute {} is of type {}, not {}", json_string(attribute.name),
                          to_string(type_of(value)), to_string(attribute.type)));
}

Result<Value> checked_json(std::string_view raw, const KeyAttribute& attribute) {
  auto value = parse_value(raw);
  if (value) return checked(std::move(*value), attribute);
  return fail(ErrorKind::refused,
              fmt::format("key attribute {}: {}", json_string(attribute.name), value.error().message));
}

// Encodings of a value as key_bytes has it: a byte for the type, then bytes that order as the values do.

// Ends with the pair 00 00; a zero byte inside becomes 00 FF, so that what is longer is greater and no text
// is the beginning of another.
void append_bytes(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    out.push_back(c);
    if (c == '\0') out.push_back('\xff');
  }
  out.append(2, '\0');
}

// Zero is 80. A positive number is 81, the exponent with its sign flipped (2 bytes, big-endian), the digits
// in pairs as 1 to 100, and 00. A negative one is 7E and the complement of all that.
void append_number(std::string& out, const Number& number) {
  if (number.is_zero()) {
    out.push_back('\x80');
    return;
  }
  const std::size_t first = out.size();
  out.push_back('\x81');
  const auto exponent = static_cast<std::uint16_t>(number.exponent() + 0x8000);
  static_assert(kMaxNumberText < 0x8000);
  out.push_back(static_cast<char>(exponent >> 8));
  out.push_back(static_cast<char>(exponent & 0xff));
  const std::string_view digits = number.digits();
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int low = i + 1 < digits.size() ? digits[i + 1] - '0' : 0;
    out.push_back(static_cast<char>((digits[i] - '0') * 10 + low + 1));
  }
  out.push_back('\0');
  if (!number.negative()) return;
  for (std::size_t i = first; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
}

void append_key_value(std::string& out, const Value& value) {
  switch (type_of(value)) {
    case Type::S:
      out.push_back('S');
      return append_bytes(out, std::get<std::string>(value.data));
    case Type::B:
      out.push_back('B');
      return append_bytes(out, std::get<Binary>(value.data).bytes);
    case Type::N:
      out.push_back('N');
      return append_number(out, std::get<Number>(value.data));
    default:
      throw std::invalid_argument("a key is of type S, N or B");
  }
}

struct FoundKey {
  Key key;
  std::string_view partition, sort;  ///< the values as they are written
};

Result<FoundKey> find_values(std::string_view raw, const KeySchema& schema) {
  std::string_view partition, sort;
  ByteCursor cursor(raw);
  const auto whole = [&] { return !partition.empty() && (!schema.sort || !sort.empty()); };
  const bool is_object = walk_object(cursor, [&](std::string_view name) {
    const char* const first = cursor.position();
    if (!skip_value(cursor, 1)) return false;
    const std::string_view value(first, static_cast<std::size_t>(cursor.last_end() - first));
    if (partition.empty() && json_string_is(name, schema.partition.name)) {
      partition = value;
    } else if (schema.sort && sort.empty() && json_string_is(name, schema.sort->name)) {
      sort = value;
    }
    return !whole();  // nothing more to look for: the walk ends
  });
  if (!is_object && !whole()) return fail(ErrorKind::refused, "the item is not DynamoDB JSON");
  if (partition.empty()) return missing(schema.partition);
  if (schema.sort && sort.empty()) return missing(*schema.sort);

  FoundKey found{.key = {}, .partition = partition, .sort = sort};
  auto value = checked_json(partition, schema.partition);
  if (!value) return fail(std::move(value.error()));
  found.key.partition = std::move(*value);
  if (schema.sort) {
    value = checked_json(sort, *schema.sort);
    if (!value) return fail(std::move(value.error()));
    found.key.sort = std::move(*value);
  }
  return found;
}

/// A value of a key, in its own form but for a number's text.
void append_as_written(std::string& out, const Value& value, std::string_view raw) {
  // {"N":"1e3"}: between the last two quotation marks.
  const std::size_t end = raw.rfind('"');
  const std::size_t first = end == std::string_view::npos || end == 0 ? end : raw.rfind('"', end - 1);
  const bool quoted = end != std::string_view::npos && first != std::string_view::npos && first < end;
  const std::string_view text = quoted ? raw.substr(first + 1, end - first - 1) : std::string_view();
  const bool plain = !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
  if (type_of(value) != Type::N || !plain) return append_value(out, value);
  out += R"({"N":")";
  out += text;
  out += "\"}";
}

std::string text_of(const FoundKey& found, const KeySchema& names) {
  std::string out = "{";
  append_json_string(out, names.partition.name);
  out += ':';
  append_as_written(out, found.key.partition, found.partition);
  if (found.key.sort && names.sort) {
    out += ',';
    append_json_string(out, names.sort->name);
    out += ':';
    append_as_written(out, *found.key.sort, found.sort);
  }
  return out += '}';
}

}  // namespace

Result<Key> find_key(std::string_view raw, const KeySchema& schema) {
  auto found = find_values(raw, schema);
  if (!found) return fail(std::move(found.error()));
  return std::move(found->key);
}

Result<Key> key_of(const Item& item, const KeySchema& schema) {
  const auto find = [&](const KeyAttribute& attribute) -> Result<Value> {
    const auto found = item.find(attribute.name);
    if (found == item.end()) return missing(attribute);
    return checked(found->second, attribute);
  };
  Key key;
  auto value = find(schema.partition);
  if (!value) return fail(std::move(value.error()));
  key.partition = std::move(*value);
  if (schema.sort) {
    value = find(*schema.sort);
    if (!value) return fail(std::move(value.error()));
    key.sort = std::move(*value);
  }
  return key;
}

std::string key_bytes(const Key& key) {
  std::string out;
  append_key_value(out, key.partition);
  if (key.sort) append_key_value(out, *key.sort);
  return out;
}

std::string key_json(const Key& key, const KeySchema& schema) {
  std::string out = "{" + json_string(schema.partition.name) + ":";
  append_value(out, key.partition);
  if (key.sort && schema.sort) {
    out += ',';
    append_json_string(out, schema.sort->name);
    out += ':';
    append_value(out, *key.sort);
  }
  return out += '}';
}

Result<std::string> key_text(std::string_view raw, const KeySchema& schema) {
  return key_text(raw, schema, schema);
}

Result<std::string> key_text(std::string_view raw, const KeySchema& schema, const KeySchema& names) {
  const auto found = find_values(raw, schema);
  if (!found) return fail(found.error());
  return text_of(*found, names);
}

Result<KeyForms> key_forms(std::string_view raw, const KeySchema& schema, const KeySchema& names) {
  const auto found = find_values(raw, schema);
  if (!found) return fail(found.error());
  return KeyForms{.text = text_of(*found, names), .bytes = key_bytes(found->key)};
}

}  // namespace messina::item
