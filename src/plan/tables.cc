#include "plan/tables.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "plan/text.h"

namespace messina::plan {
namespace {

constexpr std::string_view kPlaceholder = "{table}";

std::string filled(std::string text, std::string_view table) {
  for (std::size_t at = 0; (at = text.find(kPlaceholder, at)) != std::string::npos; at += table.size())
    text.replace(at, kPlaceholder.size(), table);
  return text;
}

bool excluded(const TableChoice& choice, std::string_view name) {
  return std::ranges::any_of(choice.exclude,
                             [&](const std::string& pattern) { return matches(pattern, name); });
}

/// Characters of a template that no name of a table can hold.
Result<void> check_template(const std::string& text) {
  const std::string sample = filled(text, "x");
  if (is_pattern(sample)) return fail(ErrorKind::usage, fmt::format("{} holds \"*\" or \"?\"", shown(text)));
  if (auto checked = check_table_pattern(sample); !checked)
    return fail(ErrorKind::usage,
                fmt::format("{} makes no table's name (only {} is replaced)", shown(text), kPlaceholder));
  return {};
}

}  // namespace

bool TableChoice::has_patterns() const {
  return std::ranges::any_of(entries, [](const TableEntry& entry) { return is_pattern(entry.table); });
}

bool is_pattern(std::string_view text) { return text.find_first_of("*?") != std::string_view::npos; }

bool matches(std::string_view pattern, std::string_view name) {
  // Goes back to the last star only: what an earlier one took need never change.
  std::size_t p = 0, n = 0, star = std::string_view::npos, star_took_to = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_took_to = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++star_took_to;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

Result<std::vector<ChosenTable>> choose_tables(const TableChoice& choice, std::span<const std::string> all) {
  std::vector<std::string> names(all.begin(), all.end());
  std::ranges::sort(names);
  std::vector<ChosenTable> chosen;
  std::unordered_set<std::string> taken;
  for (std::size_t i = 0; i < choice.entries.size(); ++i) {
    const TableEntry& entry = choice.entries[i];
    const auto take = [&](const std::string& name) {
      if (excluded(choice, name) || !taken.insert(name).second) return;
      chosen.push_back({name, filled(entry.target.value_or(choice.target_name), name), i});
    };
    if (!is_pattern(entry.table)) {
      take(entry.table);
      continue;
    }
    bool any = false;
    for (const std::string& name : names) {
      if (!matches(entry.table, name)) continue;
      any = true;
      take(name);
    }
    if (!any)
      return fail(ErrorKind::not_found, fmt::format("{}: none of the source's {} tables matches {}",
                                                    entry.from, names.size(), shown(entry.table)));
  }
  if (chosen.empty())
    return fail(ErrorKind::usage, "every table that was named is excluded: name others, or exclude fewer");
  std::unordered_map<std::string, std::string> source_of;
  for (const ChosenTable& table : chosen) {
    const auto [at, fresh] = source_of.emplace(table.target, table.source);
    if (!fresh)
      return fail(
          ErrorKind::usage,
          fmt::format("tables {} and {} would both become {} on the target: give names that differ, with "
                      "--target-name '{{table}}…' or \"target\" in the plan",
                      shown(at->second), shown(table.source), shown(table.target)));
  }
  return chosen;
}

CopyPlan plan_for(const CopyPlan& common, const TableChoice& choice, const ChosenTable& table) {
  CopyPlan plan = common;
  plan.source.table = table.source;
  plan.target.table = table.target;
  const TableEntry& entry = choice.entries[table.entry];
  if (entry.renames) plan.transform.renames = *entry.renames;
  if (entry.drops) plan.transform.drops = *entry.drops;
  if (entry.segments) plan.segments = entry.segments;
  return plan;
}

std::vector<std::size_t> order_tables(std::span<const ChosenTable> tables, TableOrder order,
                                      std::span<const std::optional<std::uint64_t>> sizes) {
  std::vector<std::size_t> indexes(tables.size());
  std::iota(indexes.begin(), indexes.end(), std::size_t{0});
  // Ties keep the plan's order. (Not by stable_sort: libstdc++ 12's does not compile without warnings by
  // clang.)
  if (order == TableOrder::name) {
    std::ranges::sort(indexes, {}, [&](std::size_t i) { return std::pair(tables[i].source, i); });
  }
  if (order == TableOrder::size) {
    std::ranges::sort(indexes, [&](std::size_t a, std::size_t b) {
      if (sizes[a].has_value() != sizes[b].has_value()) return sizes[a].has_value();
      return sizes[a] != sizes[b] ? sizes[a] > sizes[b] : a < b;
    });
  }
  return indexes;
}

Result<std::vector<std::string>> parse_table_list(std::string_view text) {
  std::vector<std::string> list;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    std::string_view one = text.substr(at, comma - at);
    while (one.starts_with(' ')) one.remove_prefix(1);
    while (one.ends_with(' ')) one.remove_suffix(1);
    if (one.empty())
      return fail(ErrorKind::usage,
                  fmt::format("{} names nothing between two commas, or at an end", shown(text)));
    if (auto checked = check_table_pattern(one); !checked) return fail(checked.error());
    list.emplace_back(one);
    at = comma + 1;
  }
  return list;
}

Result<TableOrder> parse_table_order(std::string_view text) {
  static const std::array<std::string, 3> kOrders{"size", "name", "given"};
  const auto found = std::ranges::find(kOrders, text);
  if (found != kOrders.end()) return static_cast<TableOrder>(found - kOrders.begin());
  return fail(ErrorKind::usage, fmt::format("{} is not one of size, name and given{}", shown(text),
                                            did_you_mean(text, kOrders)));
}

Result<void> check_table_pattern(std::string_view text) {
  const bool good = !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '*' || c == '?';
  });
  if (good) return {};
  return fail(
      ErrorKind::usage,
      fmt::format("{} is no table's name (a-z, A-Z, 0-9, \"_\", \"-\" and \".\") and no pattern (with \"*\" "
                  "and \"?\")",
                  shown(text)));
}

Result<std::string> check_target_name(const std::string& text) {
  if (text.find(kPlaceholder) == std::string::npos)
    return fail(ErrorKind::usage, fmt::format("{} lacks {}: without it all tables would have one name",
                                              shown(text), kPlaceholder));
  return check_entry_target(text);
}

Result<std::string> check_entry_target(const std::string& text) {
  if (auto checked = check_template(text); !checked) return fail(checked.error());
  return text;
}

}  // namespace messina::plan
