// Schema: what the target's table should be, what it is, and what it cannot have.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "endpoints/endpoint.h"
#include "item/transform.h"

namespace messina::jobs {

struct SchemaOptions {
  bool create = true;  ///< false: only compare
  bool target_is_alternator = true;
  bool source_is_alternator = false;
  std::optional<std::string> write_isolation;  ///< absent: only_rmw_uses_lwt on an Alternator
  item::TransformRules transform;
  Duration wait_for_active = std::chrono::minutes(10);
  /// Asked right before a table is made, for tags that it gets beside the source's (PROTOCOL rule 20: whose
  /// it is, which is durable by then); empty: none. They are not compared with what a table has that is
  /// there.
  std::function<Task<Result<std::map<std::string, std::string>>>()> own_tags = {};
};

/// One thing that differs or will not survive, by name: `index "by_year": projection KEYS_ONLY becomes ALL`.
struct SchemaNote {
  enum class Level : std::uint8_t { note, stop } level = Level::note;
  std::string text;
};

struct SchemaReport {
  endpoints::TableDescription source;
  std::optional<endpoints::TableDescription> target;  ///< after creation; absent when there is none
  bool created = false;
  std::vector<SchemaNote> notes;
};

/// The table to make for `source` (pure). Reserved tags ("aws:…") are left out, TTL is not carried (PROTOCOL
/// rule 19).
endpoints::TableDescription wanted_table(const endpoints::TableDescription& source,
                                         const endpoints::TableName& name, const SchemaOptions& options);

/// What `actual` lacks of `wanted` (pure). Key schemas that differ are `stop`.
std::vector<SchemaNote> compare_tables(const endpoints::TableDescription& wanted,
                                       const endpoints::TableDescription& actual,
                                       const SchemaOptions& options);

/// Whether a table in this state can be copied from ("source") or into ("target"): busy for a passing state,
/// needs_person for the others, with a message that names `display`, the state and the way out (pure).
Result<void> check_status(const endpoints::TableDescription& table, const std::string& display,
                          std::string_view side);

/// Describes both sides, reports by name, and makes the target's table if it is missing and may be made;
/// waits until it is active. Errors as of Catalog, plus needs_person for a stop note.
Task<Result<SchemaReport>> prepare_schema(Loop& loop, endpoints::Endpoint& source,
                                          endpoints::Endpoint& target, const SchemaOptions& options,
                                          Stop* stop);

}  // namespace messina::jobs
