#include "item/key.h"

#include <cstdint>
#include <cstring>
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

constexpr std::string_view kEndOfBytes("\0\0", 2);

// Ends with the pair 00 00; a zero byte inside becomes 00 FF, so that what is longer is greater and no text
// is the beginning of another.
void append_bytes(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    out.push_back(c);
    if (c == '\0') out.push_back('\xff');
  }
  out += kEndOfBytes;
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

/// A value of a key as it is written: {"S":"a"}.
struct WrittenValue {
  std::string_view raw;
  /// Its inside, if it is a string or a number without escapes and white space: what it says is its own text
  /// then.
  std::optional<std::string_view> plain;
};
struct WrittenKey {
  WrittenValue partition, sort;
};

/// How a value of the type begins whose inside may be plain; empty: that of no value is.
std::string_view plain_head(Type type) {
  if (type == Type::S) return R"({"S":")";
  return type == Type::N ? R"({"N":")" : "";
}
constexpr std::size_t kPlainHeadBytes = 6;

/// Takes a value without escapes and white space off the front, behind `leads`, which ends with its head.
bool take_plain(std::string_view& text, std::string_view leads, WrittenValue* value) {
  if (leads.empty() || !text.starts_with(leads)) return false;
  const char* const first = text.data() + leads.size();
  const char* const end = text.data() + text.size();
  const char* const quote = skip_unescaped(first, end);
  if (end - quote < 2 || quote[0] != '"' || quote[1] != '}') return false;
  value->raw = {first - kPlainHeadBytes, quote + 2};
  value->plain = {first, quote};
  text = {quote + 2, end};
  return true;
}

Result<WrittenKey> find_values(std::string_view raw, const KeySchema& schema) {
  WrittenKey found;
  ByteCursor cursor(raw);
  const auto wanted = [&](std::string_view name) -> std::pair<WrittenValue*, Type> {
    if (found.partition.raw.empty() && json_string_is(name, schema.partition.name))
      return {&found.partition, schema.partition.type};
    if (schema.sort && found.sort.raw.empty() && json_string_is(name, schema.sort->name))
      return {&found.sort, schema.sort->type};
    return {nullptr, Type::S};
  };
  const auto whole = [&] {
    return !found.partition.raw.empty() && (!schema.sort || !found.sort.raw.empty());
  };
  const bool is_object = walk_object(cursor, [&](std::string_view name) {
    const auto [value, type] = wanted(name);
    if (value == nullptr) return skip_value(cursor, 1);
    const char* const first = cursor.position();
    std::string_view rest = cursor.rest();
    if (take_plain(rest, plain_head(type), value)) {
      cursor.skip(static_cast<std::size_t>(rest.data() - first));
    } else {
      if (!skip_value(cursor, 1)) return false;
      value->raw = {first, cursor.last_end()};
    }
    return !whole();  // nothing more to look for: the walk ends
  });
  if (!is_object && !whole()) return fail(ErrorKind::refused, "the item is not DynamoDB JSON");
  if (found.partition.raw.empty()) return missing(schema.partition);
  if (schema.sort && found.sort.raw.empty()) return missing(*schema.sort);
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

/// One growth for all of it: keys are short, and there are many. `fill` writes `more` bytes.
template <class Fill>
void append_filled(std::string& out, std::size_t more, Fill fill) {
  const std::size_t first = out.size(), size = first + more;
  // What libstdc++ 12 gives as the size is the capacity.
  out.resize_and_overwrite(size, [&](char* text, std::size_t) {
    fill(text + first);
    return size;
  });
}

/// As append_bytes() does; a zero byte would have been escaped in what is plain.
void append_plain_bytes(std::string& out, std::string_view plain) {
  append_filled(out, 1 + plain.size() + kEndOfBytes.size(), [plain](char* at) {
    *at++ = 'S';
    std::memcpy(at, plain.data(), plain.size());
    std::memcpy(at + plain.size(), kEndOfBytes.data(), kEndOfBytes.size());
  });
}

/// Appends what is asked for: a value as key_text() has it behind `before`, and as key_bytes() does.
Result<void> append_forms(const WrittenValue& value, const KeyAttribute& attribute, std::string_view before,
                          std::string* text, std::string* bytes) {
  const bool is_number = attribute.type == Type::N;
  const std::optional<Number> number = value.plain && is_number ? Number::parse(*value.plain) : std::nullopt;
  if (value.plain && (!is_number || number)) {
    if (text != nullptr) text->append(before).append(value.raw);
    if (bytes == nullptr) return {};
    if (number) {
      *bytes += 'N';
      append_number(*bytes, *number);
    } else {
      append_plain_bytes(*bytes, *value.plain);
    }
    return {};
  }
  const Result<Value> parsed = checked_json(value.raw, attribute);
  if (!parsed) return fail(parsed.error());
  if (text != nullptr) {
    *text += before;
    append_as_written(*text, *parsed, value.raw);
  }
  if (bytes != nullptr) append_key_value(*bytes, *parsed);
  return {};
}

}  // namespace

Result<Key> find_key(std::string_view raw, const KeySchema& schema) {
  const auto found = find_values(raw, schema);
  if (!found) return fail(found.error());
  Key key;
  auto value = checked_json(found->partition.raw, schema.partition);
  if (!value) return fail(std::move(value.error()));
  key.partition = std::move(*value);
  if (!schema.sort) return key;
  value = checked_json(found->sort.raw, *schema.sort);
  if (!value) return fail(std::move(value.error()));
  key.sort = std::move(*value);
  return key;
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

KeyReader::KeyReader(const KeySchema& schema, const KeySchema& names)
    : schema_(schema), before_partition_("{" + json_string(names.partition.name) + ":") {
  if (schema.sort && names.sort) before_sort_ = "," + json_string(names.sort->name) + ":";
  std::string before_own_values;
  const auto leads = [&before_own_values](char before, const KeyAttribute& attribute) {
    const std::string own = fmt::format("{}{}:", before, json_string(attribute.name));
    before_own_values += own;
    const std::string_view head = plain_head(attribute.type);
    return head.empty() ? "" : own + std::string(head);
  };
  partition_leads_ = leads('{', schema.partition);
  if (schema.sort) sort_leads_ = leads(',', *schema.sort);
  own_names_ = before_own_values == before_partition_ + before_sort_;
}

Result<void> KeyReader::append(std::string_view raw, std::string* text, std::string* bytes) const {
  std::string_view rest = raw;
  WrittenKey key;
  const bool leads = take_plain(rest, partition_leads_, &key.partition) &&
                     (!schema_.sort || take_plain(rest, sort_leads_, &key.sort));
  if (!leads) {
    Result<WrittenKey> found = find_values(raw, schema_);
    if (!found) return fail(std::move(found.error()));
    key = *found;
  }
  std::string* by_values = text;
  if (leads && own_names_ && text != nullptr) {  // then the item begins as the text does
    const std::size_t size = raw.size() - rest.size();
    append_filled(*text, size + 1, [&](char* at) {
      std::memcpy(at, raw.data(), size);
      at[size] = '}';
    });
    by_values = nullptr;
  }
  const auto append_value = [&](const WrittenValue& value, const KeyAttribute& attribute,
                                std::string_view before) -> Result<void> {
    const bool plain_text = value.plain && attribute.type == Type::S;
    if (!plain_text || by_values != nullptr) return append_forms(value, attribute, before, by_values, bytes);
    if (bytes != nullptr) append_plain_bytes(*bytes, *value.plain);
    return {};
  };
  Result<void> appended = append_value(key.partition, schema_.partition, before_partition_);
  if (appended && schema_.sort) appended = append_value(key.sort, *schema_.sort, before_sort_);
  if (!appended) return appended;
  if (by_values != nullptr) by_values->push_back('}');
  return {};
}

std::string_view KeyReader::leading_text(std::string_view raw) const {
  std::string_view rest = raw;
  WrittenValue value;
  if (!take_plain(rest, partition_leads_, &value)) return {};
  if (schema_.sort && !take_plain(rest, sort_leads_, &value)) return {};
  return raw.substr(0, raw.size() - rest.size());
}

Result<std::string> KeyReader::text(std::string_view raw) const {
  std::string text;
  const Result<void> found = append(raw, &text, nullptr);
  if (!found) return fail(found.error());
  return text;
}

Result<std::string> key_text(std::string_view raw, const KeySchema& schema) {
  return KeyReader(schema).text(raw);
}

}  // namespace messina::item
