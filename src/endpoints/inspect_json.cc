#include "endpoints/inspect_json.h"

#include <ctime>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/log.h"
#include "endpoints/table_json.h"

namespace messina::endpoints {
namespace {

namespace json = boost::json;

/// The object at `name` of an answer, or the answer itself for an empty name.
Result<json::object> object_of(std::string_view body, std::string_view name) {
  boost::system::error_code failure;
  auto parsed = json::parse({body.data(), body.size()}, failure);
  if (failure || !parsed.is_object()) return fail(ErrorKind::corrupt, "it is no JSON object");
  if (name.empty()) return std::move(parsed.get_object());
  auto* inner = parsed.get_object().if_contains(name);
  if (!inner || !inner->is_object()) return fail(ErrorKind::corrupt, fmt::format("it has no \"{}\"", name));
  return std::move(inner->get_object());
}

std::string text_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

const json::object& object_in(const json::object& from, std::string_view name) {
  static const json::object kNone;
  const auto* value = from.if_contains(name);
  return value && value->is_object() ? value->get_object() : kNone;
}

const json::array& array_in(const json::object& from, std::string_view name) {
  static const json::array kNone;
  const auto* value = from.if_contains(name);
  return value && value->is_array() ? value->get_array() : kNone;
}

std::uint64_t count_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (!value || !value->is_number()) return 0;
  boost::system::error_code failure;
  const auto count = value->to_number<std::uint64_t>(failure);
  return failure ? 0 : count;
}

/// The texts called `name` in the objects of a list.
std::vector<std::string> texts_of(const json::array& list, std::string_view name) {
  std::vector<std::string> texts;
  for (const auto& element : list) {
    if (element.is_object()) texts.push_back(text_in(element.get_object(), name));
  }
  return texts;
}

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

Result<std::string> parse_iterator(std::string_view body) {
  const auto found = object_of(body, "");
  if (!found) return fail(found.error());
  auto iterator = text_in(*found, "ShardIterator");
  if (iterator.empty()) return fail(ErrorKind::corrupt, "it has no \"ShardIterator\"");
  return iterator;
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

std::string shard_iterator_request(const StreamSeen& from) {
  return fmt::format(R"({{"StreamArn":{},"ShardId":{},"ShardIteratorType":"TRIM_HORIZON"}})",
                     json_string(from.arn), json_string(from.first_shard));
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  std::tm parts{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

}  // namespace messina::endpoints
