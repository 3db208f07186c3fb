// TableDescription, as each service words it.
#include <fmt/format.h>

#include "sim/engine/engine.h"

namespace messina::sim {
namespace {

namespace json = boost::json;

std::int64_t seconds(WallTime time) { return std::chrono::system_clock::to_time_t(time); }

json::array key_schema(const item::KeySchema& keys) {
  json::array schema{json::object{{"AttributeName", keys.partition.name}, {"KeyType", "HASH"}}};
  if (keys.sort) schema.push_back(json::object{{"AttributeName", keys.sort->name}, {"KeyType", "RANGE"}});
  return schema;
}

}  // namespace

json::object Engine::describe(const Table& table) const {
  return settings_.personality.alternator ? describe_alternator(table) : describe_dynamodb(table);
}

json::object Engine::describe_created(const Table& table) const {
  if (!settings_.personality.alternator) return describe_dynamodb(table);
  // Alternator echoes the request and adds what it knows.
  json::object answer = table.spec.request;
  answer["CreationDateTime"] = seconds(table.created);
  answer["TableStatus"] = "ACTIVE";
  answer["TableId"] = table.id;
  if (table.stream) {
    answer["LatestStreamArn"] = table.stream->identity().arn;
    answer["LatestStreamLabel"] = table.stream->identity().label;
  }
  return answer;
}

json::object Engine::describe_dynamodb(const Table& table) const {
  const TableSpec& spec = table.spec;
  const std::string arn = arn_of(table);
  const std::string_view status = table.status(now().mono);
  json::object answer{
      {"AttributeDefinitions", spec.attribute_definitions},
      {"TableName", spec.name},
      {"KeySchema", key_schema(spec.keys)},
      {"TableStatus", status},
      {"CreationDateTime", seconds(table.created)},
      {"ProvisionedThroughput", json::object{{"NumberOfDecreasesToday", 0},
                                             {"ReadCapacityUnits", spec.on_demand ? 0 : spec.read_units},
                                             {"WriteCapacityUnits", spec.on_demand ? 0 : spec.write_units}}},
      {"TableSizeBytes", table.live_bytes()},
      {"ItemCount", table.live_rows()},
      {"TableArn", arn},
      {"TableId", table.id},
      {"DeletionProtectionEnabled", spec.deletion_protection}};
  if (spec.on_demand) {
    answer["BillingModeSummary"] = json::object{
        {"BillingMode", "PAY_PER_REQUEST"}, {"LastUpdateToPayPerRequestDateTime", seconds(table.created)}};
  }
  const auto warm = [&](std::int64_t given, std::int64_t provisioned, std::int64_t fresh) {
    return given > 0 ? given : spec.on_demand ? fresh : provisioned;
  };
  answer["WarmThroughput"] =
      json::object{{"ReadUnitsPerSecond", warm(spec.warm_reads, spec.read_units, kWarmReads)},
                   {"WriteUnitsPerSecond", warm(spec.warm_writes, spec.write_units, kWarmWrites)},
                   {"Status", "ACTIVE"}};
  if (spec.most_reads > 0 || spec.most_writes > 0) {
    answer["OnDemandThroughput"] =
        json::object{{"MaxReadRequestUnits", spec.most_reads > 0 ? spec.most_reads : -1},
                     {"MaxWriteRequestUnits", spec.most_writes > 0 ? spec.most_writes : -1}};
  }
  if (!spec.table_class.empty()) answer["TableClassSummary"] = json::object{{"TableClass", spec.table_class}};
  if (!spec.kms_key_arn.empty()) {
    answer["SSEDescription"] =
        json::object{{"Status", "ENABLED"}, {"SSEType", "KMS"}, {"KMSMasterKeyArn", spec.kms_key_arn}};
  }
  for (const Index& index : spec.indexes) {
    json::object description = index.description;
    description["IndexArn"] = fmt::format("{}/index/{}", arn, index.name);
    description["IndexSizeBytes"] = table.live_bytes();
    description["ItemCount"] = table.live_rows();
    if (index.global) {
      description["IndexStatus"] = status == "DELETING" || status == "CREATING" ? status : "ACTIVE";
      if (!description.contains("ProvisionedThroughput")) {
        description["ProvisionedThroughput"] =
            json::object{{"NumberOfDecreasesToday", 0}, {"ReadCapacityUnits", 0}, {"WriteCapacityUnits", 0}};
      }
    }
    json::value& list = answer[index.global ? "GlobalSecondaryIndexes" : "LocalSecondaryIndexes"];
    if (!list.is_array()) list.emplace_array();
    list.get_array().push_back(std::move(description));
  }
  if (table.streams()) {
    answer["StreamSpecification"] =
        json::object{{"StreamEnabled", true}, {"StreamViewType", table.stream->identity().view.name}};
  }
  // Also of a stream that was disabled, as long as it may be read.
  if (table.stream && !table.stream->gone(now().mono)) {
    answer["LatestStreamLabel"] = table.stream->identity().label;
    answer["LatestStreamArn"] = table.stream->identity().arn;
  }
  if (table.forced_status == "ARCHIVED") {
    answer["ArchivalSummary"] = json::object{{"ArchivalDateTime", seconds(table.created)},
                                             {"ArchivalReason", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"}};
  }
  return answer;
}

json::object Engine::describe_alternator(const Table& table) const {
  const TableSpec& spec = table.spec;
  // Recorded: whatever was asked for, the answer is on demand; creation is "now" in 5.2 and 6.2; projections
  // are ALL; the index's key is completed by the table's.
  json::object answer{
      {"TableName", spec.name},
      {"CreationDateTime", seconds(now().wall)},
      {"TableStatus", table.status(now().mono)},
      {"TableArn", arn_of(table)},
      {"TableId", table.id},
      {"BillingModeSummary", json::object{{"BillingMode", "PAY_PER_REQUEST"},
                                          {"LastUpdateToPayPerRequestDateTime", seconds(now().wall)}}},
      {"ProvisionedThroughput",
       json::object{{"ReadCapacityUnits", 0}, {"WriteCapacityUnits", 0}, {"NumberOfDecreasesToday", 0}}},
      {"KeySchema", key_schema(spec.keys)}};
  for (const Index& index : spec.indexes) {
    item::KeySchema keys = index.keys;
    if (!keys.sort) {
      // A GSI without a range key gets the first attribute of the table's key that it lacks.
      keys.sort = keys.partition.name != spec.keys.partition.name ? std::optional(spec.keys.partition)
                                                                  : spec.keys.sort;
    }
    json::value& list = answer[index.global ? "GlobalSecondaryIndexes" : "LocalSecondaryIndexes"];
    if (!list.is_array()) list.emplace_array();
    list.get_array().push_back(
        json::object{{"IndexName", index.name},
                     {"IndexArn", fmt::format("{}/index/{}", arn_of(table), index.name)},
                     {"KeySchema", key_schema(keys)},
                     {"Projection", json::object{{"ProjectionType", "ALL"}}}});
  }
  json::array definitions;
  for (const json::value& definition : spec.attribute_definitions) {
    const std::string_view name = definition.at("AttributeName").as_string();
    const auto uses = [&](const item::KeySchema& keys) {
      return keys.partition.name == name || (keys.sort && keys.sort->name == name);
    };
    bool used = uses(spec.keys);
    for (const Index& index : spec.indexes) used = used || uses(index.keys);
    if (used) definitions.push_back(definition);
  }
  answer["AttributeDefinitions"] = std::move(definitions);
  if (table.stream) {
    answer["LatestStreamArn"] = table.stream->identity().arn;
    answer["LatestStreamLabel"] = table.stream->identity().label;
    answer["StreamSpecification"] =
        json::object{{"StreamEnabled", true}, {"StreamViewType", table.stream->identity().view.name}};
  }
  return answer;
}

}  // namespace messina::sim
