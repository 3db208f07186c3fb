// GetItem, Query, Scan.
#include <algorithm>
#include <cmath>
#include <map>

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "base/json_text.h"
#include "item/item_json.h"
#include "sim/engine/engine.h"
#include "sim/engine/expression.h"
#include "sim/engine/token.h"

namespace messina::sim {
namespace {

constexpr std::size_t kMaxPageBytes = 1u << 20;   // API reference of Scan and Query
constexpr std::int64_t kMaxSegments = 1'000'000;  // API reference of Scan
constexpr double kReadUnitBytes = 4096;           // Developer Guide, "Capacity unit consumption"

double read_units(std::size_t bytes, bool consistent) {
  return std::max(1.0, std::ceil(static_cast<double>(bytes) / kReadUnitBytes)) * (consistent ? 1.0 : 0.5);
}

/// What Scan and Query have in common.
struct ReadOptions {
  const item::KeySchema* keys = nullptr;  ///< the table's
  const Personality* personality = nullptr;
  std::size_t limit = 0;  ///< 0: none
  bool consistent = false;
  bool count_only = false;
  std::optional<Condition> filter;
  std::optional<std::vector<Path>> projection;
  const Index* index = nullptr;
  std::string_view start_key;  ///< raw ExclusiveStartKey; empty: from the beginning
};

struct Page {
  std::string items;
  std::size_t count = 0;
  std::size_t scanned = 0;
  std::size_t bytes = 0;
  const Row* last = nullptr;  ///< set if the page ended before the range did
};

/// Rows of an index, ordered as its key says and then by the table's key, so that they are distinct. Made
/// anew for each page: indexes are here to be right, not fast.
using IndexRows = std::map<RowKey, const Row*>;

const Row* row_of(const Table::Rows::value_type& entry) {
  return entry.second.deleted ? nullptr : &entry.second;
}
const Row* row_of(const IndexRows::value_type& entry) { return entry.second; }

template <class Iterator>
Page collect(Iterator at, Iterator end, const ReadOptions& options) {
  Page page;
  const Row* last = nullptr;
  for (; at != end; ++at) {
    const Row* row = row_of(*at);
    if (row == nullptr) continue;
    const bool full = page.scanned != 0 && page.bytes + row->size_bytes > kMaxPageBytes;
    if (full || (options.limit != 0 && page.scanned == options.limit)) {
      page.last = last;
      break;
    }
    ++page.scanned;
    page.bytes += row->size_bytes;
    last = row;
    if (options.filter || options.projection) {
      const item::Item item = parse_stored(row->json);
      if (options.filter && !holds(*options.filter, item)) continue;
      if (!options.count_only) {
        page.items += page.items.empty() ? "" : ",";
        page.items += options.projection ? render_projected(project(item, *options.projection), *options.keys,
                                                            *options.personality)
                                         : row->json;
      }
    } else if (!options.count_only) {
      if (!page.items.empty()) page.items.push_back(',');
      page.items += row->json;
    }
    ++page.count;
  }
  // Both services give a key when the limit is met, also if nothing follows.
  if (options.limit != 0 && page.scanned == options.limit) page.last = last;
  return page;
}

/// The key attributes of a row as stored.
std::string key_text(const Row& row, const item::KeySchema& table, const Index* index) {
  std::vector<std::string_view> names{table.partition.name};
  if (table.sort) names.push_back(table.sort->name);
  if (index != nullptr) {
    names.push_back(index->keys.partition.name);
    if (index->keys.sort) names.push_back(index->keys.sort->name);
  }
  const Parameters attributes(row.json);
  std::string key = "{";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(names.begin(), names.begin() + static_cast<long>(i), names[i]) !=
        names.begin() + static_cast<long>(i))
      continue;
    append_member(key, names[i], attributes.raw(names[i]).value_or("null"));
  }
  return key + "}";
}

/// A row's place in an index; nullopt if it lacks the index's attributes.
std::optional<RowKey> index_key(std::string_view json, const RowKey& table_key, const Index& index,
                                const Personality& p) {
  const Parameters attributes(json);
  const auto partition = attributes.raw(index.keys.partition.name);
  if (!partition) return std::nullopt;
  auto key = partition_row(*partition, index.keys.partition, p);
  if (!key) return std::nullopt;
  if (index.keys.sort) {
    const auto sort = attributes.raw(index.keys.sort->name);
    const auto value = sort ? item::parse_value(*sort) : fail(ErrorKind::refused, "");
    if (!value || item::type_of(*value) != index.keys.sort->type) return std::nullopt;
    key->sort = sort_bytes(*value);
  }
  key->sort += '\0' + table_key.partition + '\0' + table_key.sort;
  return std::move(*key);
}

IndexRows index_rows(const Table& table, const Index& index, const Personality& p) {
  IndexRows rows;
  for (const auto& [key, row] : table.rows()) {
    if (row.deleted || index.lost.contains(key)) continue;
    if (auto place = index_key(row.json, key, index, p)) rows.emplace(std::move(*place), &row);
  }
  for (const auto& [key, row] : index.strays) {
    if (auto place = index_key(row.json, key, index, p)) rows.emplace(std::move(*place), &row);
  }
  return rows;
}

/// An index that projects less than everything narrows the projection.
void narrow(ReadOptions& options, const item::KeySchema& table) {
  if (options.index == nullptr || options.projection) return;
  const boost::json::value* projection = options.index->description.if_contains("Projection");
  const boost::json::value* type = projection != nullptr && projection->is_object()
                                       ? projection->get_object().if_contains("ProjectionType")
                                       : nullptr;
  if (type == nullptr || *type == "ALL") return;
  std::vector<Path> paths{{table.partition.name}, {options.index->keys.partition.name}};
  if (table.sort) paths.push_back({table.sort->name});
  if (options.index->keys.sort) paths.push_back({options.index->keys.sort->name});
  if (const boost::json::value* more = projection->get_object().if_contains("NonKeyAttributes");
      more != nullptr && more->is_array()) {
    for (const boost::json::value& name : more->get_array()) paths.push_back({std::string(name.as_string())});
  }
  options.projection = std::move(paths);
}

Outcome<ReadOptions> read_options(const Parameters& p, const Table& table, Names& names,
                                  const Personality& personality) {
  ReadOptions options;
  options.keys = &table.spec.keys;
  options.personality = &personality;
  const auto limit = p.integer("Limit");
  if (!limit) return std::unexpected(limit.error());
  if (*limit && **limit < 1) return invalid("Limit must be greater than 0");
  options.limit = static_cast<std::size_t>(limit->value_or(0));
  const auto consistent = p.flag("ConsistentRead");
  if (!consistent) return std::unexpected(consistent.error());
  options.consistent = *consistent;
  if (const auto index_name = p.text("IndexName"); p.has("IndexName")) {
    if (!index_name) return std::unexpected(index_name.error());
    const auto found = std::ranges::find(table.spec.indexes, *index_name, &Index::name);
    if (found == table.spec.indexes.end())
      return invalid("The table does not have the specified index: " + *index_name);
    if (found->global && options.consistent)
      return invalid("Consistent reads are not supported on global secondary indexes");
    options.index = &*found;
  }
  if (p.has("FilterExpression")) {
    auto filter = parse_condition(p.text("FilterExpression").value_or(""), names);
    if (!filter) return std::unexpected(filter.error());
    options.filter = std::move(*filter);
  }
  if (p.has("ProjectionExpression")) {
    auto paths = parse_projection(p.text("ProjectionExpression").value_or(""), names);
    if (!paths) return std::unexpected(paths.error());
    options.projection = std::move(*paths);
  }
  const auto select = p.text("Select", "ALL_ATTRIBUTES");
  if (!select) return std::unexpected(select.error());
  const bool known = *select == "ALL_ATTRIBUTES" || *select == "COUNT" ||
                     (*select == "SPECIFIC_ATTRIBUTES" && options.projection) ||
                     (*select == "ALL_PROJECTED_ATTRIBUTES" && options.index != nullptr);
  if (!known) return invalid("Select cannot be used like this: " + *select);
  options.count_only = *select == "COUNT";
  if (!personality.alternator) narrow(options, table.spec.keys);
  options.start_key = p.raw("ExclusiveStartKey").value_or("");
  if (options.start_key == "null") options.start_key = {};
  return options;
}

/// Where ExclusiveStartKey lies.
Outcome<RowKey> start_row(const ReadOptions& options, const Table& table, const Personality& p) {
  if (options.index == nullptr) return check_key(options.start_key, table.spec.keys, p);
  // The table's part of the key alone is a key of the table.
  const Parameters given(options.start_key);
  std::string own = "{";
  const item::KeySchema& keys = table.spec.keys;
  append_member(own, keys.partition.name, given.raw(keys.partition.name).value_or("null"));
  if (keys.sort) append_member(own, keys.sort->name, given.raw(keys.sort->name).value_or("null"));
  const auto table_key = check_key(own + "}", keys, p);
  if (!table_key) return table_key;
  auto key = index_key(options.start_key, *table_key, *options.index, p);
  if (!key) return invalid("The provided starting key is invalid");
  return std::move(*key);
}

std::string page_answer(const Page& page, const ReadOptions& options, const Table& table,
                        const std::string& capacity) {
  std::string answer;
  answer.reserve(page.items.size() + 512);
  answer = fmt::format("{{\"Count\":{},\"ScannedCount\":{}", page.count, page.scanned);
  if (!options.count_only) {
    answer += ",\"Items\":[";
    answer += page.items;
    answer += "]";
  }
  if (page.last != nullptr)
    append_member(answer, "LastEvaluatedKey", key_text(*page.last, table.spec.keys, options.index));
  if (!capacity.empty()) append_member(answer, "ConsumedCapacity", capacity);
  answer += "}";
  return answer;
}

struct Segment {
  std::int64_t first_token = std::numeric_limits<std::int64_t>::min();
  std::optional<std::int64_t> end_token;  ///< the first token behind it
};

Outcome<Segment> read_segment(const Parameters& p) {
  const auto segment = p.integer("Segment");
  const auto total = p.integer("TotalSegments");
  if (!segment) return std::unexpected(segment.error());
  if (!total) return std::unexpected(total.error());
  if (segment->has_value() != total->has_value())
    return invalid("Segment and TotalSegments must be given together");
  if (!*segment) return Segment{};
  if (**total < 1 || **total > kMaxSegments)
    return invalid("TotalSegments must be non-negative and less or equal to 1000000");
  if (**segment < 0 || **segment >= **total)
    return invalid("Segment must be non-negative and less than TotalSegments");
  Segment range;
  range.first_token = segment_start(**segment, **total);
  if (**segment + 1 < **total) range.end_token = segment_start(**segment + 1, **total);
  return range;
}

template <class Rows>
Outcome<Page> scan_rows(const Rows& rows, const Segment& segment, const std::optional<RowKey>& start,
                        const ReadOptions& options) {
  auto begin = rows.lower_bound(RowKey{segment.first_token, {}, {}});
  const auto end = segment.end_token ? rows.lower_bound(RowKey{*segment.end_token, {}, {}}) : rows.end();
  if (start) {
    if (start->token < segment.first_token || (segment.end_token && start->token >= *segment.end_token)) {
      return invalid("The provided starting key is outside the range of the segment");
    }
    begin = rows.upper_bound(*start);
  }
  return collect(begin, end, options);
}

template <class Rows>
Page query_rows(const Rows& rows, const RowKey& partition, const item::KeySchema& keys,
                const std::optional<Condition>& sort, const std::optional<RowKey>& start, bool forward,
                ReadOptions options) {
  // The sort condition narrows what is evaluated; a filter would only narrow what is returned.
  std::map<RowKey, const Row*> matching;
  auto at = rows.lower_bound(partition);
  for (; at != rows.end() && at->first.token == partition.token && at->first.partition == partition.partition;
       ++at) {
    const Row* row = row_of(*at);
    if (row == nullptr) continue;
    if (sort) {
      const Parameters attributes(row->json);
      auto value = item::parse_value(attributes.raw(keys.sort->name).value_or(""));
      if (!value || !holds(*sort, item::Item{{keys.sort->name, std::move(*value)}})) continue;
    }
    matching.emplace_hint(matching.end(), at->first, row);
  }
  if (forward)
    return collect(start ? matching.upper_bound(*start) : matching.begin(), matching.end(), options);
  auto from = start ? std::make_reverse_iterator(matching.lower_bound(*start)) : matching.rbegin();
  return collect(from, matching.rend(), options);
}

/// Alternator shows CQL's tables under such names to Scan and Query (ScyllaDB's
/// test/alternator/test_system_tables.py).
constexpr std::string_view kVersionsTable = ".scylla.alternator.system.versions";

std::string versions_table(const Personality& personality) {
  return fmt::format(
      R"({{"Items":[{{"key":{{"S":"local"}},"version":{{"S":"{}"}}}}],"Count":1,"ScannedCount":1}})",
      personality.scylla == ScyllaVersion::v5_2 ? "5.2.0~rc3" : "6.2.3");
}

}  // namespace

Outcome<std::string> consumed_capacity(const Parameters& p, const Personality& personality,
                                       std::string_view table, double units) {
  const auto wanted = p.text("ReturnConsumedCapacity", "NONE");
  if (!wanted) return wanted;
  if (*wanted != "NONE" && *wanted != "TOTAL" && *wanted != "INDEXES") {
    return invalid(
        "Value at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: "
        "[INDEXES, TOTAL, NONE]");
  }
  if (*wanted == "NONE" || !personality.reports_capacity) return std::string();
  const std::string detail =
      *wanted == "INDEXES" ? fmt::format(R"(,"Table":{{"CapacityUnits":{:.1f}}})", units) : "";
  return fmt::format(R"({{"TableName":{},"CapacityUnits":{:.1f}{}}})", json_string(table), units, detail);
}

Outcome<std::string> Engine::get_item(const Parameters& p, const Request&) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = usable_table(*name);
  if (!table) return std::unexpected(table.error());
  const auto consistent = p.flag("ConsistentRead");
  if (!consistent) return std::unexpected(consistent.error());
  auto names = Names::read(p, settings_.personality);
  if (!names) return std::unexpected(names.error());
  const auto key = check_key(p.raw("Key").value_or("{}"), (*table)->spec.keys, settings_.personality);
  if (!key) return std::unexpected(key.error());
  const Row* row = (*table)->find(*key);
  std::string text = row == nullptr ? std::string() : row->json;
  if (p.has("ProjectionExpression")) {
    const auto paths = parse_projection(p.text("ProjectionExpression").value_or(""), *names);
    if (!paths) return std::unexpected(paths.error());
    if (row != nullptr)
      text = render_projected(project(parse_stored(row->json), *paths), (*table)->spec.keys,
                              settings_.personality);
  }
  if (const auto ok = names->check_all_used(); !ok) return std::unexpected(ok.error());
  const double units = read_units(row == nullptr ? 0 : row->size_bytes, *consistent);
  if (const auto ok = charge_read(**table, units, "GetItem"); !ok) return std::unexpected(ok.error());
  const auto capacity = consumed_capacity(p, settings_.personality, *name, units);
  if (!capacity) return capacity;
  std::string answer = "{";
  if (row != nullptr) append_member(answer, "Item", text);
  if (!capacity->empty()) append_member(answer, "ConsumedCapacity", *capacity);
  return answer + "}";
}

Outcome<std::string> Engine::scan(const Parameters& p, const Request&) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  if (settings_.personality.alternator && *name == kVersionsTable)
    return versions_table(settings_.personality);
  const auto table = usable_table(*name);
  if (!table) return std::unexpected(table.error());
  auto names = Names::read(p, settings_.personality);
  if (!names) return std::unexpected(names.error());
  const auto segment = read_segment(p);
  if (!segment) return std::unexpected(segment.error());
  const auto options = read_options(p, **table, *names, settings_.personality);
  if (!options) return std::unexpected(options.error());
  if (const auto ok = names->check_all_used(); !ok) return std::unexpected(ok.error());
  std::optional<RowKey> start;
  if (!options->start_key.empty()) {
    auto row = start_row(*options, **table, settings_.personality);
    if (!row) return std::unexpected(row.error());
    start = std::move(*row);
  }
  const auto page =
      options->index != nullptr
          ? scan_rows(index_rows(**table, *options->index, settings_.personality), *segment, start, *options)
          : scan_rows((*table)->rows(), *segment, start, *options);
  if (!page) return std::unexpected(page.error());
  const double units = read_units(page->bytes, options->consistent);
  if (const auto ok = charge_read(**table, units, "Scan"); !ok) return std::unexpected(ok.error());
  const auto capacity = consumed_capacity(p, settings_.personality, *name, units);
  if (!capacity) return capacity;
  return page_answer(*page, *options, **table, *capacity);
}

Outcome<std::string> Engine::query(const Parameters& p, const Request&) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = usable_table(*name);
  if (!table) return std::unexpected(table.error());
  auto names = Names::read(p, settings_.personality);
  if (!names) return std::unexpected(names.error());
  const auto options = read_options(p, **table, *names, settings_.personality);
  if (!options) return std::unexpected(options.error());
  const item::KeySchema& keys = options->index != nullptr ? options->index->keys : (*table)->spec.keys;
  const auto text = p.text("KeyConditionExpression");
  if (!text) return text;
  const auto condition =
      parse_key_condition(*text, *names, keys.partition.name, keys.sort ? keys.sort->name : "");
  if (!condition) return std::unexpected(condition.error());
  if (const auto ok = names->check_all_used(); !ok) return std::unexpected(ok.error());
  const auto partition = partition_row(condition->partition_value, keys.partition, settings_.personality);
  if (!partition) return std::unexpected(partition.error());
  std::optional<RowKey> start;
  if (!options->start_key.empty()) {
    auto row = start_row(*options, **table, settings_.personality);
    if (!row) return std::unexpected(row.error());
    start = std::move(*row);
  }
  const auto forward = p.flag("ScanIndexForward", true);
  if (!forward) return std::unexpected(forward.error());
  const Page page =
      options->index != nullptr
          ? query_rows(index_rows(**table, *options->index, settings_.personality), *partition, keys,
                       condition->sort, start, *forward, *options)
          : query_rows((*table)->rows(), *partition, keys, condition->sort, start, *forward, *options);
  const double units = read_units(page.bytes, options->consistent);
  if (const auto ok = charge_read(**table, units, "Query"); !ok) return std::unexpected(ok.error());
  const auto capacity = consumed_capacity(p, settings_.personality, *name, units);
  if (!capacity) return capacity;
  return page_answer(page, *options, **table, *capacity);
}

}  // namespace messina::sim
