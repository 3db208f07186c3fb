#include "plan/yaml_reader.h"

#include <set>

#include <fmt/format.h>

#include "plan/text.h"
#include "plan/units.h"

namespace messina::plan {

std::string YamlReader::where(const Field& field) const {
  return fmt::format("{}:{}", file_name_, field.line);
}

void YamlReader::fail_at(const YAML::Node& node, const std::string& message) const {
  throw Malformed{{ErrorKind::usage, fmt::format("{}:{}: {}", file_name_, node.Mark().line + 1, message)}};
}

void YamlReader::fail_at(const Field& field, const std::string& message) const {
  throw Malformed{{ErrorKind::usage, fmt::format("{}: key \"{}\": {}", where(field), field.path, message)}};
}

void YamlReader::mapping(const Field& field, const Keys& keys) const {
  if (!field.node.IsMap()) {
    const std::string message = "this must be a mapping of keys to values";
    if (field.path.empty()) fail_at(field.node, message);
    fail_at(field, message);
  }
  std::vector<std::string> names;
  for (const auto& [name, handler] : keys) names.push_back(name);
  std::set<std::string> seen;
  for (const auto& pair : field.node) {
    if (!pair.first.IsScalar()) fail_at(pair.first, "a key must be a word");
    const std::string& key = pair.first.Scalar();
    const std::string path = field.path.empty() ? key : field.path + "." + key;
    if (!seen.insert(key).second) fail_at(pair.first, fmt::format("key {} stands here twice", shown(path)));
    bool found = false;
    for (const auto& [name, handler] : keys) {
      if (name != key) continue;
      found = true;
      handler({pair.second, path, pair.first.Mark().line + 1});
      break;
    }
    if (!found) fail_at(pair.first, fmt::format("unknown key {}{}", shown(path), did_you_mean(key, names)));
  }
}

std::vector<Field> YamlReader::members(const Field& field) const {
  std::vector<Field> fields;
  for (const auto& pair : field.node)
    if (pair.first.IsScalar())
      fields.push_back({pair.second, field.path + "." + pair.first.Scalar(), pair.first.Mark().line + 1});
  return fields;
}

std::vector<Field> YamlReader::list(const Field& field) const {
  if (!field.node.IsSequence()) fail_at(field, "this must be a list");
  std::vector<Field> fields;
  std::size_t index = 0;
  for (const auto& element : field.node)
    fields.push_back({element, fmt::format("{}[{}]", field.path, index++), element.Mark().line + 1});
  return fields;
}

std::string YamlReader::text(const Field& field) const {
  if (!field.node.IsScalar())
    fail_at(field, field.node.IsNull() ? "the value is missing" : "this must be a single value");
  const std::string& raw = field.node.Scalar();
  std::string out;
  for (std::size_t at = 0; at < raw.size();) {
    const std::string_view rest = std::string_view(raw).substr(at);
    if (rest.starts_with("$${")) {
      out += "${";
      at += 3;
    } else if (rest.starts_with("${")) {
      const std::size_t close = rest.find('}');
      if (close == std::string_view::npos)
        fail_at(field, "\"${\" without \"}\" (write \"$${\" for the characters themselves)");
      const std::string_view name = rest.substr(2, close - 2);
      const auto value = environment_(name);
      if (!value) fail_at(field, fmt::format("the environment variable {} is not set", shown(name)));
      out += *value;
      at += close + 1;
    } else {
      out.push_back(raw[at++]);
    }
  }
  if (const auto bad = invalid_utf8_at(out)) fail_at(field, fmt::format("{} is not valid UTF-8", shown(out)));
  return out;
}

bool YamlReader::boolean(const Field& field) const {
  const std::string value = text(field);
  if (value == "true" || value == "yes" || value == "on") return true;
  if (value == "false" || value == "no" || value == "off") return false;
  fail_at(field, shown(value) + " is not true or false");
}

std::uint64_t YamlReader::whole(const Field& field, std::uint64_t low, std::uint64_t high) const {
  return parsed(field, [&](const std::string& value) { return parse_whole(value, low, high); });
}

double YamlReader::rate(const Field& field) const {
  return parsed(field, [](const std::string& value) { return parse_rate(value); });
}

}  // namespace messina::plan
