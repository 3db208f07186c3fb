#include "item/item_json.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/hash.h"
#include "base/json_text.h"
#include "item/json_cursor.h"

namespace messina::item {
namespace {

// Names in messages are cut to this many bytes: a name may have 64 KB, and 256 of them may be nested.
constexpr std::size_t kMaxPathBytes = 300;

std::optional<Type> type_named(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Type::BS); ++i) {
    if (to_string(static_cast<Type>(i)) == name) return static_cast<Type>(i);
  }
  return std::nullopt;
}

std::string_view reason(Number::Misfit misfit) {
  switch (misfit) {
    case Number::Misfit::digits:
      return "the number has more than 38 significant digits";
    case Number::Misfit::overflow:
      return "the number is larger than 9.99…E+125, DynamoDB's largest";
    case Number::Misfit::underflow:
      return "the number is closer to zero than 1E-130, DynamoDB's smallest";
    case Number::Misfit::none:
      break;
  }
  return "not a number, or one of more than 10,000 characters";
}

std::string_view shortened(std::string_view name) {
  if (name.size() <= kMaxPathBytes) return name;
  std::size_t size = kMaxPathBytes;
  while (size > 0 && (static_cast<unsigned char>(name[size]) & 0xC0) == 0x80)
    --size;  // not inside a character
  return name.substr(0, size);
}

template <class T>
bool has_repeats(const std::vector<T>& members) {
  std::vector<const T*> sorted;
  sorted.reserve(members.size());
  for (const T& member : members) sorted.push_back(&member);
  const auto less = [](const T* a, const T* b) { return *a < *b; };
  std::ranges::sort(sorted, less);
  return std::ranges::adjacent_find(sorted, [](const T* a, const T* b) { return *a == *b; }) != sorted.end();
}

// Reads recursively; its functions return false when the text is refused and have then called refuse(). Text
// that is no JSON at all makes them return false without a word; the message for that is error()'s.
class Parser {
 public:
  Parser(std::string_view raw, const JsonRules& rules) : raw_(raw), cursor_(raw), rules_(rules) {
    max_nesting_ = std::min(rules.max_nesting, kMaxParsedNesting);
  }

  bool item(Item& out) { return map(out, 0) && end(); }
  bool single_value(Value& out) { return value(out, 0) && end(); }

  std::unexpected<Error> error() {
    if (!problem_.empty()) return fail(ErrorKind::refused, std::move(problem_));
    return fail(ErrorKind::refused, fmt::format("{}not DynamoDB JSON, at byte {} of {}", path(),
                                                cursor_.position() - raw_.data(), raw_.size()));
  }

 private:
  struct Step {
    std::string_view name;  // as written in JSON
    std::size_t index = 0;
    bool is_index = false;
  };

  bool end() { return cursor_.at_end(); }

  // `attribute "a"."b"[3]: `, or nothing at the top.
  std::string path() const {
    if (path_.empty()) return {};
    std::string out = "attribute ";
    for (const Step& step : path_) {
      if (out.size() > kMaxPathBytes) {
        out += "…";
        break;
      }
      if (step.is_index) {
        out += fmt::format("[{}]", step.index);
        continue;
      }
      if (&step != path_.data()) out += '.';
      out += '"';
      out += shortened(step.name);
      out += '"';
    }
    return out += ": ";
  }

  bool refuse(std::string_view why) {
    problem_ = path().append(why);
    return false;
  }

  bool text(std::string& out) {
    std::string_view inside;
    if (!cursor_.take_string(inside)) return false;
    const bool whole_pairs = unescape_json(inside, out);
    if (rules_.strict && (!whole_pairs || !simdjson::validate_utf8(out.data(), out.size()))) {
      return refuse("the text is not valid UTF-8");
    }
    return true;
  }

  bool number(Number& out) {
    std::string_view inside;
    if (!cursor_.take_string(inside)) return false;
    std::string digits;
    unescape_json(inside, digits);
    auto parsed = Number::parse(digits, Number::Limits::lenient);
    if (!parsed) return refuse(reason(Number::Misfit::none));
    if (rules_.numbers == Number::Limits::dynamodb && !parsed->fits_dynamodb())
      return refuse(reason(parsed->misfit()));
    out = std::move(*parsed);
    return true;
  }

  bool binary(std::string& out) {
    std::string_view inside;
    if (!cursor_.take_string(inside)) return false;
    std::string encoded;
    unescape_json(inside, encoded);
    auto bytes = base64_decode(encoded);
    if (!bytes && rules_.strict) return refuse("the value is not base64");
    out = std::move(bytes).value_or(std::string());
    return true;
  }

  bool boolean(bool& out) {
    std::string_view scalar;
    if (!cursor_.take_scalar(scalar) || (scalar != "true" && scalar != "false")) {
      return refuse("BOOL and NULL take true or false");
    }
    out = scalar == "true";
    return true;
  }

  bool null() {
    bool is_true = false;
    if (!boolean(is_true)) return false;
    return is_true || !rules_.strict || refuse("NULL must be true");
  }

  template <class T, class Read>
  bool set(std::vector<T>& members, Read read) {
    if (!cursor_.take('[')) return false;
    if (cursor_.take(']')) return refuse("a set must not be empty");
    do {
      if (!(this->*read)(members.emplace_back())) return false;
    } while (cursor_.take(','));
    if (!cursor_.take(']')) return false;
    return !rules_.strict || !has_repeats(members) || refuse("the set has a member twice");
  }

  bool list(List& out, int depth) {
    if (!cursor_.take('[')) return false;
    if (cursor_.take(']')) return true;
    path_.push_back({{}, 0, true});
    do {
      path_.back().index = out.size();
      if (!value(out.emplace_back(), depth)) return false;
    } while (cursor_.take(','));
    path_.pop_back();
    return cursor_.take(']');
  }

  // The members of an M, or of the item itself (depth 0).
  bool map(Map& out, int depth) {
    return walk_object(cursor_, [&](std::string_view raw_name) {
      path_.push_back({raw_name});
      std::string name;
      const bool whole_pairs = unescape_json(raw_name, name);
      if (rules_.strict && (!whole_pairs || !simdjson::validate_utf8(name.data(), name.size()))) {
        path_.pop_back();
        return refuse("an attribute's name is not valid UTF-8");
      }
      if (rules_.strict && depth == 0 && name.empty()) return refuse("an attribute's name must not be empty");
      Value parsed;
      if (!value(parsed, depth)) return false;
      out.try_emplace(std::move(name), std::move(parsed));
      path_.pop_back();
      return true;
    });
  }

  bool value(Value& out, int depth) {
    if (!cursor_.take('{')) return false;
    if (cursor_.peek() == '}') return refuse("the value has no type");
    std::string_view name;
    if (!cursor_.take_string(name) || !cursor_.take(':')) return false;
    const auto type = type_named(name);
    if (!type) return refuse("the value has a type that is none of S, N, B, BOOL, NULL, M, L, SS, NS, BS");
    if (!typed(out, *type, depth)) return false;
    if (cursor_.peek() == ',') return refuse("the value has more than one type");
    return cursor_.take('}');
  }

  bool typed(Value& out, Type type, int depth) {
    if ((type == Type::M || type == Type::L) && depth >= max_nesting_) {
      return refuse(fmt::format("lists and maps are nested deeper than {} levels", max_nesting_));
    }
    switch (type) {
      case Type::S:
        return text(out.data.emplace<std::string>());
      case Type::N:
        return number(out.data.emplace<Number>());
      case Type::B:
        return binary(out.data.emplace<Binary>().bytes);
      case Type::BOOL:
        return boolean(out.data.emplace<bool>());
      case Type::NULL_:
        out.data.emplace<Null>();
        return null();
      case Type::M:
        return map(out.data.emplace<Map>(), depth + 1);
      case Type::L:
        return list(out.data.emplace<List>(), depth + 1);
      case Type::SS:
        return set(out.data.emplace<StringSet>().members, &Parser::text);
      case Type::NS:
        return set(out.data.emplace<NumberSet>().members, &Parser::number);
      case Type::BS:
        return set(out.data.emplace<BinarySet>().members, &Parser::binary);
    }
    return false;
  }

  std::string_view raw_;
  ByteCursor cursor_;
  const JsonRules& rules_;
  int max_nesting_ = 0;
  std::vector<Step> path_;
  std::string problem_;
};

struct Writer {
  std::string& out;

  void operator()(const std::string& text) const { append_json_string(out, text); }
  void operator()(const Number& number) const {
    out += '"';
    out += number.to_string();
    out += '"';
  }
  void operator()(const Binary& binary) const {
    out += '"';
    out += base64_encode(binary.bytes);
    out += '"';
  }
  void operator()(bool truth) const { out += truth ? "true" : "false"; }
  void operator()(Null) const { out += "true"; }
  void operator()(const Map& map) const { append_item(out, map); }
  void operator()(const List& list) const {
    sequence(list, [this](const Value& element) { append_value(out, element); });
  }
  void operator()(const StringSet& set) const { sequence(set.members, *this); }
  void operator()(const NumberSet& set) const { sequence(set.members, *this); }
  void operator()(const BinarySet& set) const {
    sequence(set.members, [this](const std::string& bytes) { (*this)(Binary{bytes}); });
  }

 private:
  template <class Members, class Write>
  void sequence(const Members& members, const Write& write) const {
    char separator = '[';
    for (const auto& member : members) {
      out += separator;
      write(member);
      separator = ',';
    }
    if (separator == '[') out += '[';
    out += ']';
  }
};

}  // namespace

Result<Item> parse_item(std::string_view raw, const JsonRules& rules) {
  Parser parser(raw, rules);
  Item out;
  if (!parser.item(out)) return parser.error();
  return out;
}

Result<Value> parse_value(std::string_view raw, const JsonRules& rules) {
  Parser parser(raw, rules);
  Value out;
  if (!parser.single_value(out)) return parser.error();
  return out;
}

void append_value(std::string& out, const Value& value) {
  out += "{\"";
  out += to_string(type_of(value));
  out += "\":";
  std::visit(Writer{out}, value.data);
  out += '}';
}

void append_item(std::string& out, const Item& item) {
  char separator = '{';
  for (const auto& [name, value] : item) {
    out += separator;
    append_json_string(out, name);
    out += ':';
    append_value(out, value);
    separator = ',';
  }
  if (separator == '{') out += '{';
  out += '}';
}

std::string to_json(const Item& item) {
  std::string out;
  append_item(out, item);
  return out;
}

}  // namespace messina::item
