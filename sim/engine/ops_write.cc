// PutItem, UpdateItem, DeleteItem.
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "base/json_text.h"
#include "item/compare.h"
#include "item/item_json.h"
#include "sim/engine/engine.h"
#include "sim/engine/expression.h"

namespace messina::sim {
namespace {

constexpr double kWriteUnitBytes = 1024;  // Developer Guide, "Capacity unit consumption"

double write_units(std::size_t bytes) {
  return std::max(1.0, std::ceil(static_cast<double>(bytes) / kWriteUnitBytes));
}

Outcome<std::string> return_values(const Parameters& p, std::initializer_list<std::string_view> allowed) {
  auto wanted = p.text("ReturnValues", "NONE");
  if (!wanted) return wanted;
  for (const std::string_view choice : allowed) {
    if (*wanted == choice) return wanted;
  }
  return invalid("Return values set to invalid value: " + *wanted);
}

Outcome<void> check_metrics(const Parameters& p) {
  const auto metrics = p.text("ReturnItemCollectionMetrics", "NONE");
  if (!metrics) return std::unexpected(metrics.error());
  if (*metrics == "NONE") return {};
  return invalid("messina-sim does not know ReturnItemCollectionMetrics SIZE");
}

/// What of `item` the actions touch.
std::string touched(const item::Item& item, const std::vector<UpdateAction>& actions) {
  std::vector<Path> paths;
  for (const UpdateAction& action : actions) paths.push_back(action.path);
  return item::to_json(project(item, paths));
}

/// A write that changes nothing: sets in another order and numbers in another form are the same to DynamoDB.
bool is_same(const Row& row, const CheckedItem& item) {
  if (row.json == item.json) return true;
  return row.size_bytes == item.size_bytes && item::equal(parse_stored(row.json), parse_stored(item.json));
}

}  // namespace

Outcome<void> Engine::charge_write(Table& table, std::size_t bytes, std::string_view operation) {
  if (table.writes.take(write_units(bytes), now().mono)) {
    count_consumed(table, 0, write_units(bytes));
    return {};
  }
  ++table.throttled_writes;
  return throttled(operation, "ProvisionedThroughputExceeded", table.spec.name);
}

Outcome<void> Engine::charge_read(Table& table, double units, std::string_view operation) {
  if (table.reads.take(units, now().mono)) {
    count_consumed(table, units, 0);
    return {};
  }
  ++table.throttled_reads;
  return throttled(operation, "ProvisionedThroughputExceeded", table.spec.name);
}

void Engine::apply(Table& table, const RowKey& key, CheckedItem* item, std::optional<std::int64_t> stamp,
                   ChangeCause cause, std::string_view key_source) {
  if (!table.streams()) {
    if (!table.write(key, item, stamp)) ++lost_writes_;
    return;
  }
  const Row* old = table.find(key);
  const bool existed = old != nullptr;
  if (existed && item != nullptr && !settings_.personality.streams.logs_every_write && is_same(*old, *item)) {
    table.write(key, item, stamp);
    return;
  }
  Change change;
  change.cause = cause;
  change.existed = existed;
  change.stamp_us = stamp;
  change.key_source = key_source;
  change.new_bytes = item == nullptr ? 0 : item->size_bytes;
  Row before;
  if (table.write(key, item, stamp, &before)) {
    if (item != nullptr) change.new_image = table.find(key)->json;
  } else {
    // ScyllaDB logs it nevertheless, with what it found and what it would have written.
    ++lost_writes_;
    if (existed) before = *table.find(key);
    if (item != nullptr) change.new_image = item->json;
  }
  change.old_bytes = before.size_bytes;
  change.old_image = std::move(before.json);
  table.stream->append(key, std::move(change), now());
}

Outcome<void> Engine::check_poison(std::string_view raw_item, const Table& table, std::string_view operation,
                                   std::size_t node) {
  const auto has = [&](std::string_view attribute) {
    for (const Member& member : members_of(raw_item)) {
      if (member.name == attribute) return true;
    }
    return false;
  };
  if (const std::string* attribute = faults_.rejects(operation, table.spec.name, node, has)) {
    return invalid(fmt::format(
        "One or more parameter values were invalid: the attribute {} is not welcome here", *attribute));
  }
  return {};
}

Outcome<void> Engine::check_condition(const Parameters& p, const Row* row, Names& names) const {
  if (!p.has("ConditionExpression")) return {};
  const auto text = p.text("ConditionExpression");
  if (!text) return std::unexpected(text.error());
  const auto condition = parse_condition(*text, names);
  if (!condition) return std::unexpected(condition.error());
  if (holds(*condition, row == nullptr ? item::Item{} : parse_stored(row->json))) return {};
  const bool old_wording =
      settings_.personality.alternator && settings_.personality.scylla == ScyllaVersion::v5_2;
  ApiError error{400,
                 "ConditionalCheckFailedException",
                 old_wording ? "Failed condition." : "The conditional request failed",
                 {}};
  if (row != nullptr && p.text("ReturnValuesOnConditionCheckFailure").value_or("") == "ALL_OLD")
    error.extra = "\"Item\":" + row->json;
  return std::unexpected(std::move(error));
}

Outcome<std::string> Engine::put_item(const Parameters& p, const Request& request) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = usable_table(*name);
  if (!table) return std::unexpected(table.error());
  const auto wanted = return_values(p, {"NONE", "ALL_OLD"});
  if (!wanted) return wanted;
  if (const auto ok = check_metrics(p); !ok) return std::unexpected(ok.error());
  const auto raw = p.raw("Item");
  if (!raw) return invalid("Value null at 'item' failed to satisfy constraint: Member must not be null");
  auto names = Names::read(p, settings_.personality);
  if (!names) return std::unexpected(names.error());
  auto item = check_item(*raw, (*table)->spec.keys, settings_.personality, "PutItem");
  if (!item) return std::unexpected(item.error());
  if (const auto ok = check_index_keys(item->json, (*table)->spec, settings_.personality); !ok)
    return std::unexpected(ok.error());
  if (const auto ok = check_poison(*raw, **table, "PutItem", request.node); !ok)
    return std::unexpected(ok.error());
  const Row* old = (*table)->find(item->key);
  if (const auto ok = check_condition(p, old, *names); !ok) return std::unexpected(ok.error());
  if (const auto ok = names->check_all_used(); !ok) return std::unexpected(ok.error());
  const std::size_t charged = std::max(item->size_bytes, old == nullptr ? std::size_t{0} : old->size_bytes);
  if (const auto ok = charge_write(**table, charged, "PutItem"); !ok) return std::unexpected(ok.error());
  const auto capacity = consumed_capacity(p, settings_.personality, *name, write_units(charged));
  if (!capacity) return capacity;
  std::string answer = "{";
  if (*wanted == "ALL_OLD" && old != nullptr) append_member(answer, "Attributes", old->json);
  if (!capacity->empty()) append_member(answer, "ConsumedCapacity", *capacity);
  apply(**table, item->key, &*item,
        settings_.personality.last_write_wins ? std::optional(next_stamp(request.node)) : std::nullopt,
        ChangeCause::put, *raw);
  return answer + "}";
}

Outcome<std::string> Engine::delete_item(const Parameters& p, const Request& request) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = usable_table(*name);
  if (!table) return std::unexpected(table.error());
  const auto wanted = return_values(p, {"NONE", "ALL_OLD"});
  if (!wanted) return wanted;
  if (const auto ok = check_metrics(p); !ok) return std::unexpected(ok.error());
  auto names = Names::read(p, settings_.personality);
  if (!names) return std::unexpected(names.error());
  const auto key = check_key(p.raw("Key").value_or("{}"), (*table)->spec.keys, settings_.personality);
  if (!key) return std::unexpected(key.error());
  const Row* old = (*table)->find(*key);
  if (const auto ok = check_condition(p, old, *names); !ok) return std::unexpected(ok.error());
  if (const auto ok = names->check_all_used(); !ok) return std::unexpected(ok.error());
  const std::size_t charged = old == nullptr ? 0 : old->size_bytes;
  if (const auto ok = charge_write(**table, charged, "DeleteItem"); !ok) return std::unexpected(ok.error());
  const auto capacity = consumed_capacity(p, settings_.personality, *name, write_units(charged));
  if (!capacity) return capacity;
  std::string answer = "{";
  if (*wanted == "ALL_OLD" && old != nullptr) append_member(answer, "Attributes", old->json);
  if (!capacity->empty()) append_member(answer, "ConsumedCapacity", *capacity);
  apply(**table, *key, nullptr,
        settings_.personality.last_write_wins ? std::optional(next_stamp(request.node)) : std::nullopt,
        ChangeCause::remove, p.raw("Key").value_or("{}"));
  return answer + "}";
}

Outcome<std::string> Engine::update_item(const Parameters& p, const Request& request) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = usable_table(*name);
  if (!table) return std::unexpected(table.error());
  const item::KeySchema& keys = (*table)->spec.keys;
  const auto wanted = return_values(p, {"NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"});
  if (!wanted) return wanted;
  if (const auto ok = check_metrics(p); !ok) return std::unexpected(ok.error());
  auto names = Names::read(p, settings_.personality);
  if (!names) return std::unexpected(names.error());
  const std::string_view raw_key = p.raw("Key").value_or("{}");
  const auto key = check_key(raw_key, keys, settings_.personality);
  if (!key) return std::unexpected(key.error());
  std::vector<UpdateAction> actions;
  if (p.has("UpdateExpression")) {
    const auto text = p.text("UpdateExpression");
    if (!text) return text;
    auto parsed = parse_update(*text, *names);
    if (!parsed) return std::unexpected(parsed.error());
    actions = std::move(*parsed);
  }
  for (const UpdateAction& action : actions) {
    const std::string& attribute = std::get<std::string>(action.path.front());
    if (attribute == keys.partition.name || (keys.sort && attribute == keys.sort->name)) {
      return invalid(
          fmt::format("One or more parameter values were invalid: Cannot update attribute {}. This attribute "
                      "is part of the key",
                      attribute));
    }
  }
  const Row* old = (*table)->find(*key);
  if (const auto ok = check_condition(p, old, *names); !ok) return std::unexpected(ok.error());
  if (const auto ok = names->check_all_used(); !ok) return std::unexpected(ok.error());
  const std::string old_json = old == nullptr ? std::string() : old->json;
  const item::Item before = old == nullptr ? parse_stored(raw_key) : parse_stored(old_json);
  const auto after = apply_update(actions, before);
  if (!after) return std::unexpected(after.error());
  auto item = check_changed(*after, old_json, raw_key, keys, settings_.personality);
  if (!item) return std::unexpected(item.error());
  std::set<std::string, std::less<>> changed;
  for (const UpdateAction& action : actions) changed.insert(std::get<std::string>(action.path.front()));
  if (const auto ok = check_index_keys(item->json, (*table)->spec, settings_.personality, &changed); !ok)
    return std::unexpected(ok.error());
  if (const auto ok = check_poison(item->json, **table, "UpdateItem", request.node); !ok)
    return std::unexpected(ok.error());
  const std::size_t charged = std::max(item->size_bytes, old == nullptr ? std::size_t{0} : old->size_bytes);
  if (const auto ok = charge_write(**table, charged, "UpdateItem"); !ok) return std::unexpected(ok.error());
  const auto capacity = consumed_capacity(p, settings_.personality, *name, write_units(charged));
  if (!capacity) return capacity;
  std::string answer = "{";
  if (*wanted == "ALL_NEW") append_member(answer, "Attributes", item->json);
  if (*wanted == "UPDATED_NEW") append_member(answer, "Attributes", touched(*after, actions));
  if (*wanted == "ALL_OLD" && old != nullptr) append_member(answer, "Attributes", old_json);
  if (*wanted == "UPDATED_OLD" && old != nullptr)
    append_member(answer, "Attributes", touched(before, actions));
  if (!capacity->empty()) append_member(answer, "ConsumedCapacity", *capacity);
  apply(**table, item->key, &*item,
        settings_.personality.last_write_wins ? std::optional(next_stamp(request.node)) : std::nullopt,
        ChangeCause::update, raw_key);
  return answer + "}";
}

}  // namespace messina::sim
