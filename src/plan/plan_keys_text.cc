// The keys as the docs and as editors want them.
#include <utility>

#include <fmt/format.h>

#include "base/json_text.h"
#include "plan/plan_keys.h"

namespace messina::plan {
namespace {

struct Place {
  std::string_view name;
  std::string_view title;
};

constexpr Place kPlaces[] = {
    {"plan", "At the top"},
    {"side", "In `source` and `target`"},
    {"source", "In `source` alone"},
    {"target", "In `target` alone"},
    {"alternator", "In `source` and `target` of type `alternator`"},
    {"endpoint", "In `endpoint`"},
    {"credentials", "In `credentials`"},
    {"assumeRole", "In `credentials.assumeRole`"},
    {"table", "In a mapping of `tables`"},
    {"rename", "In a mapping of `renames`"},
    {"savepoints", "In `savepoints`"},
    {"validation", "In `validation`"},
};

std::string_view word(KeyUse use) {
  switch (use) {
    case KeyUse::honoured:
      return "honoured";
    case KeyUse::ignored:
      return "ignored";
    case KeyUse::refused:
      return "refused";
  }
  return "";
}

/// A mapping of one place, for the schema.
std::string reference(std::string_view name) { return fmt::format(R"({{"$ref": "#/$defs/{}"}})", name); }

std::string schema_of(const PlanKey& key) {
  switch (key.shape) {
    case KeyShape::anything:
      return "true";
    case KeyShape::text: {
      if (key.values.empty()) return reference("text");
      std::string values;
      std::string_view rest = key.values;
      while (!rest.empty()) {
        const std::string_view value = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), value.size() + 1));
        values += (values.empty() ? "" : ", ") + json_string(value);
      }
      return fmt::format(R"({{"anyOf": [{{"enum": [{}]}}, {}]}})", values, reference("variable"));
    }
    case KeyShape::flag:
      // What asks for something impossible may stand there as "no".
      return reference(key.use == KeyUse::refused ? "no" : "flag");
    case KeyShape::view:
      return fmt::format(
          R"({{"anyOf": [{{"enum": [true, false, "NEW_IMAGE", "NEW_AND_OLD_IMAGES", "OLD_IMAGE", "KEYS_ONLY"]}}, {}]}})",
          reference("variable"));
    case KeyShape::whole:
      return reference("whole");
    case KeyShape::number:
      return reference("number");
    case KeyShape::texts:
      return R"({"type": "array", "items": {"$ref": "#/$defs/text"}})";
    case KeyShape::wholes:
      return R"({"type": "array", "items": {"$ref": "#/$defs/whole"}})";
    case KeyShape::renames:
      return R"({"type": "array", "items": {"$ref": "#/$defs/rename"}})";
    case KeyShape::tables:
      return R"({"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/text"}, {"$ref": "#/$defs/table"}]}})";
    case KeyShape::mapping:
      return reference(key.name);
    case KeyShape::side:
      return fmt::format(R"({{"anyOf": [{{"type": "string"}}, {}]}})", reference(key.name));
    case KeyShape::endpoint:
      return fmt::format(R"({{"anyOf": [{{"type": "string"}}, {}]}})", reference("endpoint"));
    case KeyShape::nothing:
      return key.origin == KeyOrigin::ours ? "false" : R"({"type": "array", "maxItems": 0})";
  }
  return "true";
}

std::string property(const PlanKey& key) {
  std::string schema = schema_of(key);
  const std::string says = fmt::format("{}: {}", word(key.use), key.says);
  if (schema.starts_with('{')) {
    // Migrator's savepoint files write what is absent as null.
    if (key.origin != KeyOrigin::ours)
      schema = fmt::format(R"({{"anyOf": [{}, {{"type": "null"}}]}})", schema);
    schema.insert(1, fmt::format(R"("description": {}, )", json_string(says)));
  }
  return fmt::format("        {}: {}", json_string(key.name), schema);
}

std::string mapping(std::string_view name, std::initializer_list<std::string_view> places,
                    std::string_view more = {}) {
  std::string properties;
  for (const PlanKey* key : keys_in(places)) properties += (properties.empty() ? "" : ",\n") + property(*key);
  return fmt::format(
      "    {}: {{\n      \"type\": \"object\",\n      \"additionalProperties\": false,\n{}      "
      "\"properties\": "
      "{{\n{}\n      }}\n    }}",
      json_string(name), more, properties);
}

}  // namespace

std::string keys_as_markdown() {
  std::string text;
  for (const Place& place : kPlaces) {
    text += fmt::format("**{}**\n\n| key | | |\n|---|---|---|\n", place.title);
    for (const PlanKey* key : keys_in({place.name})) {
      std::string says(key->says);
      if (!key->values.empty()) {
        std::string values(key->values);
        for (std::size_t at = 0; (at = values.find(' ', at)) != std::string::npos; at += 4)
          values.replace(at, 1, "`, `");
        says += ": `" + values + "`";
      }
      text += fmt::format("| `{}` | {} | {} |\n", key->name, word(key->use), says);
    }
    text += '\n';
  }
  return text;
}

std::string keys_as_json_schema() {
  std::string text = R"({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "A plan of messina",
  "description": "docs/formats/plan-files.md explains the keys. Those of ScyllaDB Migrator's files are among them.",
  "$ref": "#/$defs/plan",
  "$defs": {
    "variable": {"type": "string", "pattern": "\\$\\{[^}]+\\}"},
    "text": {"type": ["string", "number", "boolean"]},
    "flag": {"anyOf": [{"enum": [true, false, "yes", "no", "on", "off"]}, {"$ref": "#/$defs/variable"}]},
    "no": {"enum": [false, "no", "off"]},
    "whole": {"anyOf": [{"type": "integer", "minimum": 0}, {"$ref": "#/$defs/variable"}]},
    "number": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"$ref": "#/$defs/variable"}]},
)";
  text += mapping("plan", {"plan"}) + ",\n";
  text += mapping("source", {"side", "alternator", "source"}) + ",\n";
  text += mapping("target", {"side", "alternator", "target"}) + ",\n";
  text += mapping("alternator", {"alternator"}) + ",\n";
  text += mapping("endpoint", {"endpoint"}, "      \"required\": [\"host\"],\n") + ",\n";
  text += mapping("credentials", {"credentials"}) + ",\n";
  text += mapping("assumeRole", {"assumeRole"}, "      \"required\": [\"arn\"],\n") + ",\n";
  text += mapping("table", {"table"}, "      \"required\": [\"table\"],\n") + ",\n";
  text += mapping("rename", {"rename"}, "      \"required\": [\"from\", \"to\"],\n") + ",\n";
  text += mapping("savepoints", {"savepoints"}) + ",\n";
  text += mapping("validation", {"validation"}) + "\n  }\n}\n";
  return text;
}

}  // namespace messina::plan
