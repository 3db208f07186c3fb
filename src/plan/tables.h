// Many tables: which ones, under what names, in what order (pure).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "plan/plan.h"

namespace messina::plan {

/// More would only wait for each other, and each holds its place's file open.
inline constexpr std::uint32_t kMostParallelTables = 256;

/// A table, or all that match a pattern, with what differs from the other tables.
struct TableEntry {
  std::string table;                  ///< a name, or a pattern with "*" (any characters) and "?" (one)
  std::optional<std::string> target;  ///< its name on the target; may hold "{table}"
  std::optional<std::map<std::string, std::string, std::less<>>> renames;
  std::optional<std::set<std::string, std::less<>>> drops;
  std::optional<std::uint32_t> segments;
  std::string from;  ///< "--tables" or "FILE:LINE"
};

enum class TableOrder : std::uint8_t {
  size,  ///< the biggest first, so that none is left over when the others are done
  name,
  given,  ///< as they are listed; those of one pattern by name
};

struct TableChoice {
  std::vector<TableEntry> entries;   ///< at least one; a table that several match belongs to the first
  std::vector<std::string> exclude;  ///< names and patterns
  std::string target_name = "{table}";
  TableOrder order = TableOrder::size;
  std::uint32_t parallel = 4;  ///< 1..kMostParallelTables

  /// True when the source's tables have to be listed first.
  bool has_patterns() const;
};

/// One of the tables to move.
struct ChosenTable {
  std::string source, target;
  std::size_t entry = 0;  ///< index into TableChoice::entries
};

bool is_pattern(std::string_view text);
bool matches(std::string_view pattern, std::string_view name);

/// In the order of the entries. `all` are the source's tables, of which the patterns choose; empty when there
/// is no pattern. Errors: usage (two tables would become one on the target, nothing is left), not_found (a
/// pattern that matches nothing).
Result<std::vector<ChosenTable>> choose_tables(const TableChoice& choice, std::span<const std::string> all);

/// The plan of one of them.
CopyPlan plan_for(const CopyPlan& common, const TableChoice& choice, const ChosenTable& table);

/// Indexes into `tables` in the order in which they are to begin. `sizes`: bytes by table, where known; those
/// without go last. Only for TableOrder::size.
std::vector<std::size_t> order_tables(std::span<const ChosenTable> tables, TableOrder order,
                                      std::span<const std::optional<std::uint64_t>> sizes);

/// "orders*,customers" as --tables and --exclude take it.
Result<std::vector<std::string>> parse_table_list(std::string_view text);
Result<TableOrder> parse_table_order(std::string_view text);
/// A table's name, with "*" and "?" allowed.
Result<void> check_table_pattern(std::string_view text);
/// The name on the target for all tables: must hold "{table}". Returns the text.
Result<std::string> check_target_name(const std::string& text);
/// The same for one entry, which may be a fixed name.
Result<std::string> check_entry_target(const std::string& text);

}  // namespace messina::plan
