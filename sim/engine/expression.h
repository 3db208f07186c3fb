// DynamoDB's expressions: parsed to a tree, then evaluated or applied. Anything outside the grammar is
// refused. Source: Developer Guide, "Using expressions in DynamoDB".
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "item/value.h"
#include "sim/engine/api.h"
#include "sim/engine/personality.h"

namespace messina::sim {

/// ExpressionAttributeNames and ExpressionAttributeValues of one request, and which of them were used.
class Names {
 public:
  static Outcome<Names> read(const Parameters& parameters, const Personality& personality);
  /// "#n" resolved; other names as they are.
  Outcome<std::string> name(const std::string& token);
  Outcome<item::Value> value(const std::string& token);
  /// The raw JSON of ":v".
  Outcome<std::string_view> raw_value(const std::string& token);
  /// Names and values that no expression used are refused.
  Outcome<void> check_all_used() const;

 private:
  std::map<std::string, std::string> names_;
  std::map<std::string, std::string_view> raws_;
  std::map<std::string, item::Value> values_;
  std::set<std::string> used_;
};

/// A document path: a name, then names and list positions.
using Path = std::vector<std::variant<std::string, std::size_t>>;

const item::Value* find_path(const item::Item& item, const Path& path);

struct Operand;
/// size(path), if_not_exists(path, operand), list_append(a, b).
struct Call {
  std::string function;
  std::vector<Operand> arguments;
};
/// a + b, a - b.
struct Sum {
  std::vector<Operand> terms;  ///< two
  bool minus = false;
};
struct Operand {
  std::variant<Path, item::Value, Call, Sum> data;
  std::string token = {};  ///< ":v" where data is a value
};

/// A condition. `arguments` and `children` as the kind needs them.
struct Condition {
  enum class Kind {
    compare,
    between,
    in,
    exists,
    not_exists,
    attribute_type,
    begins_with,
    contains,
    and_,
    or_,
    not_
  };
  Kind kind = Kind::and_;
  std::string comparator;  ///< = <> < <= > >=
  std::vector<Operand> arguments;
  std::vector<Condition> children;
};

Outcome<Condition> parse_condition(std::string_view text, Names& names);
bool holds(const Condition& condition, const item::Item& item);

/// KeyConditionExpression: partition = :v [AND condition on the sort key].
struct KeyCondition {
  std::string_view partition_value;  ///< raw JSON of the value
  std::optional<Condition> sort;
};
Outcome<KeyCondition> parse_key_condition(std::string_view text, Names& names,
                                          std::string_view partition_name, std::string_view sort_name);

/// UpdateExpression.
struct UpdateAction {
  enum class Kind { set, remove, add, del };
  Kind kind = Kind::set;
  Path path;
  std::optional<Operand> operand;
};
Outcome<std::vector<UpdateAction>> parse_update(std::string_view text, Names& names);
/// The item after the actions, all of which see the item as it was before.
Outcome<item::Item> apply_update(const std::vector<UpdateAction>& actions, const item::Item& before);

/// ProjectionExpression.
Outcome<std::vector<Path>> parse_projection(std::string_view text, Names& names);
item::Item project(const item::Item& item, const std::vector<Path>& paths);

}  // namespace messina::sim
