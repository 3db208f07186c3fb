// Every key that a plan file may have. The parser takes these and no others; the table in
// docs/formats/plan-files.md and docs/formats/plan.schema.json are written from them, and a test holds them
// to it.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace messina::plan {

enum class KeyUse : std::uint8_t {
  honoured,
  ignored,  ///< accepted without effect, and named once in the log
  refused,  ///< what it asks for is not possible; may still stand there with a value that asks for nothing
};

enum class KeyOrigin : std::uint8_t { ours, theirs, both };  ///< "theirs": ScyllaDB Migrator's

/// What a value looks like to an editor (docs/formats/plan.schema.json, $defs).
enum class KeyShape : std::uint8_t {
  anything,
  text,
  flag,
  whole,
  number,
  texts,     ///< list of texts
  wholes,    ///< list of whole numbers
  renames,   ///< list of mappings, place "rename"
  tables,    ///< list of names and of mappings, place "table"
  mapping,   ///< place of the key's own name
  side,      ///< an address, or a mapping
  endpoint,  ///< a URL, or a mapping
  view,      ///< true, false, or a stream's view
  nothing,   ///< an empty list, or null
};

struct PlanKey {
  std::string_view place;  ///< the mapping in which it stands: "plan", "side", "source", "credentials", …
  std::string_view name;
  KeyUse use = KeyUse::honoured;
  KeyOrigin origin = KeyOrigin::ours;
  KeyShape shape = KeyShape::text;
  /// For the docs: what it does. For an ignored one also the end of its notice, for a refused one its error.
  std::string_view says;
  std::string_view values = {};  ///< of a text, separated by spaces, where only these can be
};

/// In the order of the docs.
std::span<const PlanKey> plan_keys();

/// Those of some places.
std::vector<const PlanKey*> keys_in(std::initializer_list<std::string_view> places);

/// The tables of docs/formats/plan-files.md, between its two markers.
std::string keys_as_markdown();
/// The whole of docs/formats/plan.schema.json (JSON Schema, draft 2020-12).
std::string keys_as_json_schema();

}  // namespace messina::plan
