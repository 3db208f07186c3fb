#include "endpoints/inspect_json.h"

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/log.h"
#include "endpoints/json_members.h"
#include "endpoints/table_json.h"

namespace messina::endpoints {
namespace {

/// A value of a key attribute's type that says whose it is.
std::string absent_value(item::Type type, std::string_view salt) {
  if (type == item::Type::N) {
    // Digits of the salt, beyond what counters reach.
    std::string digits = "9";
    for (const char c : salt.substr(0, 12)) digits += fmt::format("{:03}", static_cast<unsigned char>(c));
    return fmt::format(R"({{"N":"-{}"}})", digits.substr(0, 37));
  }
  if (type == item::Type::B) return R"({"B":"bWVzc2luYSBjaGVjaw=="})";
  return fmt::format(R"({{"S":{}}})", json_string(fmt::format("messina check {}", salt)));
}

}  // namespace

Result<TableSeen> parse_table_seen(std::string_view body) {
  auto description = parse_describe_table(body);
  if (!description) return fail(description.error());
  const auto table = object_of(body, "Table");
  if (!table) return fail(table.error());
  TableSeen seen{std::move(*description), {}};
  auto& details = seen.details;
  details.encryption_key_arn = text_in(object_in(*table, "SSEDescription"), "KMSMasterKeyArn");
  const auto* protection = table->if_contains("DeletionProtectionEnabled");
  details.deletion_protection = protection && *protection == true;
  details.table_class = text_in(object_in(*table, "TableClassSummary"), "TableClass");
  if (details.table_class == "STANDARD") details.table_class.clear();
  details.replica_regions = texts_of(array_in(*table, "Replicas"), "RegionName");
  details.stream_arn = text_in(*table, "LatestStreamArn");
  return seen;
}

Result<bool> parse_recovery(std::string_view body) {
  const auto found = object_of(body, "ContinuousBackupsDescription");
  if (!found) return fail(found.error());
  return text_in(object_in(*found, "PointInTimeRecoveryDescription"), "PointInTimeRecoveryStatus") ==
         "ENABLED";
}

Result<std::vector<std::string>> parse_kinesis(std::string_view body) {
  const auto found = object_of(body, "");
  if (!found) return fail(found.error());
  std::vector<std::string> arns;
  for (const auto& element : array_in(*found, "KinesisDataStreamDestinations")) {
    if (!element.is_object()) continue;
    const auto status = text_in(element.get_object(), "DestinationStatus");
    if (status == "DISABLED" || status == "DISABLING" || status == "ENABLE_FAILED") continue;
    arns.push_back(text_in(element.get_object(), "StreamArn"));
  }
  return arns;
}

Result<Quotas> parse_quotas(std::string_view body) {
  const auto found = object_of(body, "");
  if (!found) return fail(found.error());
  return Quotas{
      count_in(*found, "AccountMaxReadCapacityUnits"), count_in(*found, "AccountMaxWriteCapacityUnits"),
      count_in(*found, "TableMaxReadCapacityUnits"), count_in(*found, "TableMaxWriteCapacityUnits")};
}

Result<std::vector<std::string>> parse_streams(std::string_view body) {
  const auto found = object_of(body, "");
  if (!found) return fail(found.error());
  return texts_of(array_in(*found, "Streams"), "StreamArn");
}

Result<StreamSeen> parse_stream(std::string_view body) {
  const auto found = object_of(body, "StreamDescription");
  if (!found) return fail(found.error());
  StreamSeen seen{
      text_in(*found, "StreamArn"), text_in(*found, "StreamStatus"), text_in(*found, "StreamViewType"), {}};
  auto shards = texts_of(array_in(*found, "Shards"), "ShardId");
  if (!shards.empty()) seen.first_shard = std::move(shards.front());
  return seen;
}

Result<std::size_t> parse_records(std::string_view body) {
  const auto found = object_of(body, "");
  if (!found) return fail(found.error());
  return array_in(*found, "Records").size();
}

Result<KeySeen> parse_key_seen(std::string_view body) {
  const auto found = object_of(body, "KeyMetadata");
  if (!found) return fail(found.error());
  return KeySeen{text_in(*found, "KeyState"), text_in(*found, "KeyManager")};
}

Result<std::string> parse_versions(std::string_view body) {
  const auto found = object_of(body, "");
  if (!found) return fail(found.error());
  for (const auto& item : array_in(*found, "Items")) {
    if (!item.is_object()) continue;
    auto version = text_in(object_in(item.get_object(), "version"), "S");
    if (!version.empty()) return version;
  }
  return fail(ErrorKind::corrupt, "it names no version");
}

std::string absent_key_request(const TableName& table, const item::KeySchema& key, std::string_view salt) {
  std::string values = json_string(key.partition.name) + ':' + absent_value(key.partition.type, salt);
  if (key.sort) values += ',' + json_string(key.sort->name) + ':' + absent_value(key.sort->type, salt);
  return fmt::format(R"({{"RequestItems":{{{}:{{"Keys":[{{{}}}]}}}}}})", json_string(table.value), values);
}

std::string refused_write_request(const TableName& table, const item::KeySchema& key) {
  // Longer than either name of the key, so that it is neither.
  std::string name = "messina-check";
  while (name == key.partition.name || (key.sort && name == key.sort->name)) name += '-';
  return fmt::format(R"({{"RequestItems":{{{}:[{{"DeleteRequest":{{"Key":{{{}:{{"S":"none"}}}}}}}}]}}}})",
                     json_string(table.value), json_string(name));
}

std::string refused_create_request(const TableName& table) {
  return fmt::format(R"({{"TableName":{},"KeySchema":[{{"AttributeName":"messina-check","KeyType":"HASH"}}],)"
                     R"("AttributeDefinitions":[{{"AttributeName":"messina-other","AttributeType":"S"}}],)"
                     R"("BillingMode":"PAY_PER_REQUEST","Tags":[{{"Key":"messina-check","Value":"none"}}]}})",
                     json_string(table.value));
}

}  // namespace messina::endpoints
