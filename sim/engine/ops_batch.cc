// BatchWriteItem and BatchGetItem.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/json_text.h"
#include "item/item_json.h"
#include "sim/engine/engine.h"
#include "sim/engine/expression.h"

namespace messina::sim {
namespace {

/// BatchGetItem answers at most 16 MB (API reference).
constexpr std::size_t kMaxAnswerBytes = 16u << 20;

/// {"table":[request,…],…} of requests that were not processed.
class Leftovers {
 public:
  void add(const std::string& table, std::string_view request) {
    std::string& list = tables_[table];
    list += list.empty() ? "" : ",";
    list += request;
  }
  std::string json() const {
    std::string out = "{";
    for (const auto& [table, list] : tables_) append_member(out, table, "[" + list + "]");
    return out + "}";
  }

 private:
  std::map<std::string, std::string> tables_;
};

Outcome<std::string> capacity_list(const Parameters& p, const Personality& personality,
                                   const std::map<std::string, double>& units) {
  std::string list;
  for (const auto& [table, sum] : units) {
    const auto one = consumed_capacity(p, personality, table, sum);
    if (!one) return one;
    if (one->empty()) return std::string();
    list += (list.empty() ? "" : ",") + *one;
  }
  return list.empty() ? list : "[" + list + "]";
}

}  // namespace

struct Engine::BatchWrite {
  Table* table;
  RowKey key;
  std::optional<CheckedItem> item;  ///< absent: a delete
  std::string_view raw;             ///< {"PutRequest":…}
  std::string_view raw_item;        ///< the item, or the key of a delete
};

Outcome<std::vector<Engine::BatchWrite>> Engine::read_batch(const Parameters& p, const Request& request) {
  const Personality& personality = settings_.personality;
  const auto items = p.raw("RequestItems");
  if (!items || !items->starts_with('{')) return invalid("RequestItems must be a map");
  std::vector<BatchWrite> batch;
  std::set<std::pair<const Table*, RowKey>> keys;
  const std::vector<Member> tables = members_of(*items);
  std::size_t count = 0;
  for (const Member& member : tables) count += elements_of(member.value).size();
  if (!personality.alternator && count == 0) {
    return invalid("The batch write request list for a table cannot be null or empty");
  }
  if (personality.max_batch_write != 0 && count > personality.max_batch_write) {
    return invalid(
        personality.alternator
            ? fmt::format("Invalid length of BatchWriteItem command, got {} items, maximum is {} (from "
                          "configuration variable alternator_max_items_in_batch_write)",
                          count, personality.max_batch_write)
            : "Too many items requested for the BatchWriteItem call");
  }
  for (const auto& [table_name, requests] : tables) {
    const auto table = usable_table(table_name);
    if (!table) return std::unexpected(table.error());
    for (const std::string_view raw : elements_of(requests)) {
      const std::vector<Member> kind = members_of(raw);
      if (kind.size() != 1)
        return invalid("Supplied WriteRequest must contain exactly one of PutRequest and DeleteRequest");
      const Parameters body(kind.front().value);
      BatchWrite write{*table, {}, std::nullopt, raw, {}};
      if (kind.front().name == "PutRequest" && body.has("Item")) {
        auto item = check_item(*body.raw("Item"), (*table)->spec.keys, personality, "BatchWriteItem");
        if (!item) return std::unexpected(item.error());
        if (const auto ok = check_index_keys(item->json, (*table)->spec, personality); !ok)
          return std::unexpected(ok.error());
        if (const auto ok = check_poison(*body.raw("Item"), **table, "BatchWriteItem", request.node); !ok) {
          return std::unexpected(ok.error());
        }
        write.key = item->key;
        write.raw_item = *body.raw("Item");
        write.item = std::move(*item);
      } else if (kind.front().name == "DeleteRequest" && body.has("Key")) {
        auto key = check_key(*body.raw("Key"), (*table)->spec.keys, personality);
        if (!key) return std::unexpected(key.error());
        write.key = std::move(*key);
        write.raw_item = *body.raw("Key");
      } else {
        return invalid("Unknown kind of write request: " + kind.front().name);
      }
      if (!keys.emplace(*table, write.key).second)
        return invalid("Provided list of item keys contains duplicates");
      batch.push_back(std::move(write));
    }
  }
  return batch;
}

Outcome<std::string> Engine::batch_write(const Parameters& p, const Request& request) {
  if (p.text("ReturnItemCollectionMetrics", "NONE") != "NONE") {
    return invalid("messina-sim does not know ReturnItemCollectionMetrics SIZE");
  }
  auto batch = read_batch(p, request);
  if (!batch) return std::unexpected(batch.error());
  const bool unprocessed_fault = current_fault_ == FaultKind::unprocessed;
  const bool fails =
      current_fault_ == FaultKind::partial || (unprocessed_fault && !settings_.personality.unprocessed_items);
  std::size_t processed_at_most = batch->size();
  if (fails || unprocessed_fault) processed_at_most = batch->size() / 2;

  const auto stamp =
      settings_.personality.last_write_wins ? std::optional(next_stamp(request.node)) : std::nullopt;
  Leftovers leftovers;
  std::map<std::string, double> units;
  std::size_t processed = 0;
  for (BatchWrite& write : *batch) {
    const std::string& table = write.table->spec.name;
    const Row* old = write.table->find(write.key);
    const std::size_t bytes =
        std::max(write.item ? write.item->size_bytes : 0, old == nullptr ? std::size_t{0} : old->size_bytes);
    const bool room = processed < processed_at_most;
    if (!room || !charge_write(*write.table, bytes, "BatchWriteItem")) {
      std::string compact;
      append_compact(compact, write.raw);
      leftovers.add(table, compact);
      continue;
    }
    apply(*write.table, write.key, write.item ? &*write.item : nullptr, stamp,
          write.item ? ChangeCause::put : ChangeCause::remove, write.raw_item);
    units[table] += std::max(1.0, std::ceil(static_cast<double>(bytes) / 1024));
    ++processed;
  }
  if (fails)
    return refuse("InternalServerError", "Internal server error: write timed out on part of the batch", 500);
  if (processed == 0 && !batch->empty()) {
    return throttled("BatchWriteItem", "ProvisionedThroughputExceeded", batch->front().table->spec.name);
  }
  std::string answer = "{";
  append_member(answer, "UnprocessedItems", leftovers.json());
  const auto capacity = capacity_list(p, settings_.personality, units);
  if (!capacity) return capacity;
  if (!capacity->empty()) append_member(answer, "ConsumedCapacity", *capacity);
  return answer + "}";
}

/// What a BatchGetItem asks of one table.
struct Engine::BatchGet {
  Table* table;
  Parameters parameters;
  double unit;  ///< of a read of up to 4 KB
  std::optional<std::vector<Path>> projection;
  std::vector<std::pair<RowKey, std::string_view>> keys;  ///< and their text
};

Outcome<Engine::BatchGet> Engine::read_batch_get(const Member& member) {
  const auto table = usable_table(member.name);
  if (!table) return std::unexpected(table.error());
  BatchGet part{*table, Parameters(member.value), 0.5, std::nullopt, {}};
  for (const Member& parameter : part.parameters.all()) {
    static const std::set<std::string_view> kKnown = {"Keys", "ConsistentRead", "ProjectionExpression",
                                                      "ExpressionAttributeNames"};
    if (!kKnown.contains(parameter.name))
      return invalid("messina-sim does not know the parameter " + parameter.name);
  }
  if (part.parameters.flag("ConsistentRead").value_or(false)) part.unit = 1.0;
  auto names = Names::read(part.parameters, settings_.personality);
  if (!names) return std::unexpected(names.error());
  if (part.parameters.has("ProjectionExpression")) {
    auto paths = parse_projection(part.parameters.text("ProjectionExpression").value_or(""), *names);
    if (!paths) return std::unexpected(paths.error());
    part.projection = std::move(*paths);
  }
  if (const auto ok = names->check_all_used(); !ok) return std::unexpected(ok.error());
  std::set<RowKey> seen;
  for (const std::string_view raw_key : elements_of(part.parameters.raw("Keys").value_or("[]"))) {
    auto key = check_key(raw_key, (*table)->spec.keys, settings_.personality);
    if (!key) return std::unexpected(key.error());
    if (!seen.insert(*key).second) return invalid("Provided list of item keys contains duplicates");
    part.keys.emplace_back(std::move(*key), raw_key);
  }
  return part;
}

Outcome<std::string> Engine::batch_get(const Parameters& p, const Request&) {
  const Personality& personality = settings_.personality;
  const auto items = p.raw("RequestItems");
  if (!items || !items->starts_with('{')) return invalid("RequestItems must be a map");
  const std::vector<Member> members = members_of(*items);
  std::vector<BatchGet> parts;
  std::size_t count = 0;
  for (const Member& member : members) {
    auto part = read_batch_get(member);
    if (!part) return std::unexpected(part.error());
    count += part->keys.size();
    parts.push_back(std::move(*part));
  }
  if (!personality.alternator && count == 0)
    return invalid("The list of keys in RequestItems for BatchGetItem is required");
  if (personality.max_batch_get != 0 && count > personality.max_batch_get) {
    return invalid("Too many items requested for the BatchGetItem call");
  }
  const std::size_t read_at_most = current_fault_ == FaultKind::unprocessed ? count / 2 : count;
  std::size_t read = 0;
  std::size_t bytes = 0;
  std::string responses = "{";
  std::string unprocessed = "{";
  std::map<std::string, double> units;
  for (const BatchGet& part : parts) {
    const std::string& name = part.table->spec.name;
    std::string found;
    std::string left;
    for (const auto& [key, raw_key] : part.keys) {
      const Row* row = part.table->find(key);
      const std::size_t size = row == nullptr ? 0 : row->size_bytes;
      const double cost = std::max(1.0, std::ceil(static_cast<double>(size) / 4096)) * part.unit;
      const bool room = read < read_at_most && bytes + size <= kMaxAnswerBytes;
      if (!room || !charge_read(*part.table, cost, "BatchGetItem")) {
        left += left.empty() ? "" : ",";
        append_compact(left, raw_key);
        continue;
      }
      ++read;
      bytes += size;
      units[name] += cost;
      if (row == nullptr) continue;
      found += found.empty() ? "" : ",";
      found += part.projection ? render_projected(project(parse_stored(row->json), *part.projection),
                                                  part.table->spec.keys, personality)
                               : row->json;
    }
    if (!found.empty() || left.empty()) append_member(responses, name, "[" + found + "]");
    if (left.empty()) continue;
    std::string rest = "{";
    append_member(rest, "Keys", "[" + left + "]");
    for (const Member& member : part.parameters.all()) {
      if (member.name != "Keys") append_member(rest, member.name, member.value);
    }
    append_member(unprocessed, name, rest + "}");
  }
  if (read == 0 && count != 0)
    return throttled("BatchGetItem", "ProvisionedThroughputExceeded", members.front().name);
  const auto capacity = capacity_list(p, personality, units);
  if (!capacity) return capacity;
  std::string answer = "{";
  append_member(answer, "Responses", responses + "}");
  append_member(answer, "UnprocessedKeys", unprocessed + "}");
  if (!capacity->empty()) append_member(answer, "ConsumedCapacity", *capacity);
  return answer + "}";
}

}  // namespace messina::sim
