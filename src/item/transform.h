// Renaming and dropping of top-level attributes on the way to the target.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/error.h"
#include "item/key.h"

namespace messina::item {

struct TransformRules {
  std::map<std::string, std::string, std::less<>> renames;  ///< from → to; key attributes included
  std::set<std::string, std::less<>> drops;                 ///< never key attributes
  bool empty() const { return renames.empty() && drops.empty(); }
};

/// Checks rules against a key schema. ErrorKind::config, naming the attribute, for a dropped key attribute,
/// two renames to one name, a rename to an empty name or to that of a key attribute which keeps it, and an
/// attribute both renamed and dropped. Dropping `b` while `a` becomes `b` is legal, and so are two attributes
/// that change names.
Result<void> check_rules(const TransformRules& rules, const KeySchema& schema);

/// The key schema after the renames.
KeySchema transform_schema(const KeySchema& schema, const TransformRules& rules);

/// Appends the transformed item to `out`. Values are copied byte for byte; only names change, and white space
/// between attributes goes. An item that already has an attribute of the new name is refused
/// (ErrorKind::refused): silently losing one of the two would be worse. So is what is not a JSON object.
/// After an error `out` is as it was.
Result<void> transform_item(std::string_view raw, const TransformRules& rules, std::string& out);

}  // namespace messina::item
