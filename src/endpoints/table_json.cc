#include "endpoints/table_json.h"

#include <vector>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/log.h"

namespace messina::endpoints {
namespace {

namespace json = boost::json;

Result<json::object> parse_object(std::string_view body) {
  boost::system::error_code failure;
  auto parsed = json::parse({body.data(), body.size()}, failure);
  if (failure || !parsed.is_object()) return fail(ErrorKind::corrupt, "it is no JSON object");
  return std::move(parsed.get_object());
}

const json::object* object_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value ? value->if_object() : nullptr;
}

const json::array& array_in(const json::object& from, std::string_view name) {
  static const json::array kNone;
  const auto* value = from.if_contains(name);
  return value && value->is_array() ? value->get_array() : kNone;
}

std::string text_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<std::uint64_t> count_in(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  if (!value || !value->is_number()) return std::nullopt;
  boost::system::error_code failure;
  const auto count = value->to_number<std::uint64_t>(failure);
  return failure ? std::nullopt : std::optional(count);
}

std::optional<std::uint64_t> positive_in(const json::object& from, std::string_view name) {
  const auto count = count_in(from, name);
  return count.value_or(0) > 0 ? count : std::nullopt;
}

using AttributeTypes = std::map<std::string, item::Type>;

AttributeTypes attribute_types(const json::object& table) {
  AttributeTypes types;
  for (const auto& entry : array_in(table, "AttributeDefinitions")) {
    if (!entry.is_object()) continue;
    const auto type = text_in(entry.get_object(), "AttributeType");
    const auto name = text_in(entry.get_object(), "AttributeName");
    if (type == "S") types[name] = item::Type::S;
    if (type == "N") types[name] = item::Type::N;
    if (type == "B") types[name] = item::Type::B;
  }
  return types;
}

Result<item::KeySchema> parse_key(const json::object& holder, const AttributeTypes& types) {
  item::KeySchema key;
  for (const auto& entry : array_in(holder, "KeySchema")) {
    if (!entry.is_object()) continue;
    const auto name = text_in(entry.get_object(), "AttributeName");
    const auto type = types.find(name);
    if (type == types.end()) {
      return fail(ErrorKind::corrupt, fmt::format("the key attribute \"{}\" has no definition", name));
    }
    const item::KeyAttribute attribute{name, type->second};
    if (text_in(entry.get_object(), "KeyType") == "HASH") {
      key.partition = attribute;
    } else if (!key.sort) {
      // ScyllaDB describes an index's key with the table's own behind it: the first is the index's.
      key.sort = attribute;
    }
  }
  if (key.partition.name.empty()) return fail(ErrorKind::corrupt, "it names no partition key");
  return key;
}

Result<void> parse_indexes(const json::object& table, bool global, const AttributeTypes& types,
                           std::vector<Index>& indexes) {
  for (const auto& entry : array_in(table, global ? "GlobalSecondaryIndexes" : "LocalSecondaryIndexes")) {
    if (!entry.is_object()) continue;
    const auto& source = entry.get_object();
    Index index;
    index.global = global;
    index.name = text_in(source, "IndexName");
    auto key = parse_key(source, types);
    if (!key)
      return fail(ErrorKind::corrupt, fmt::format("index \"{}\": {}", index.name, key.error().message));
    index.key = std::move(*key);
    if (const auto* projection = object_in(source, "Projection")) {
      if (auto type = text_in(*projection, "ProjectionType"); !type.empty())
        index.projection = std::move(type);
      for (const auto& attribute : array_in(*projection, "NonKeyAttributes")) {
        if (attribute.is_string()) index.projected.emplace_back(attribute.get_string());
      }
    }
    if (const auto* throughput = object_in(source, "ProvisionedThroughput")) {
      index.read_capacity = count_in(*throughput, "ReadCapacityUnits").value_or(0);
      index.write_capacity = count_in(*throughput, "WriteCapacityUnits").value_or(0);
    }
    indexes.push_back(std::move(index));
  }
  return {};
}

void append_key_schema(std::string& out, const item::KeySchema& key) {
  out += "\"KeySchema\":[{\"AttributeName\":";
  append_json_string(out, key.partition.name);
  out += ",\"KeyType\":\"HASH\"}";
  if (key.sort) {
    out += ",{\"AttributeName\":";
    append_json_string(out, key.sort->name);
    out += ",\"KeyType\":\"RANGE\"}";
  }
  out += ']';
}

/// In the order of first use; DynamoDB and ScyllaDB 6 refuse definitions that no key uses.
void append_attribute_definitions(std::string& out, const TableDescription& table) {
  std::vector<const item::KeyAttribute*> used;
  const auto use = [&](const item::KeySchema& key) {
    const auto add = [&](const item::KeyAttribute& attribute) {
      for (const auto* known : used) {
        if (known->name == attribute.name) return;
      }
      used.push_back(&attribute);
    };
    add(key.partition);
    if (key.sort) add(*key.sort);
  };
  use(table.key);
  for (const auto& index : table.indexes) use(index.key);
  out += "\"AttributeDefinitions\":[";
  for (const auto* attribute : used) {
    if (attribute != used.front()) out += ',';
    out += "{\"AttributeName\":";
    append_json_string(out, attribute->name);
    out += fmt::format(",\"AttributeType\":\"{}\"}}", item::to_string(attribute->type));
  }
  out += ']';
}

std::string throughput(std::uint64_t read, std::uint64_t write) {
  return fmt::format("\"ProvisionedThroughput\":{{\"ReadCapacityUnits\":{},\"WriteCapacityUnits\":{}}}", read,
                     write);
}

void append_index(std::string& out, const Index& index, const TableDescription& table) {
  out += "{\"IndexName\":";
  append_json_string(out, index.name);
  out += ',';
  append_key_schema(out, index.key);
  out += ",\"Projection\":{\"ProjectionType\":";
  append_json_string(out, index.projection);
  if (!index.projected.empty()) {
    out += ",\"NonKeyAttributes\":[";
    for (std::size_t i = 0; i < index.projected.size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, index.projected[i]);
    }
    out += ']';
  }
  out += '}';
  if (index.global && !table.on_demand) {
    out += ',' + throughput(index.read_capacity > 0 ? index.read_capacity : table.read_capacity,
                            index.write_capacity > 0 ? index.write_capacity : table.write_capacity);
  }
  out += '}';
}

void append_indexes(std::string& out, const TableDescription& table, bool global) {
  bool first = true;
  for (const auto& index : table.indexes) {
    if (index.global != global) continue;
    out += !first ? "," : global ? ",\"GlobalSecondaryIndexes\":[" : ",\"LocalSecondaryIndexes\":[";
    append_index(out, index, table);
    first = false;
  }
  if (!first) out += ']';
}

}  // namespace

TableStatus table_status(std::string_view text) {
  if (text == "ACTIVE") return TableStatus::active;
  if (text == "CREATING") return TableStatus::creating;
  if (text == "UPDATING") return TableStatus::updating;
  if (text == "DELETING") return TableStatus::deleting;
  if (text == "ARCHIVING" || text == "ARCHIVED") return TableStatus::archived;
  if (text == "INACCESSIBLE_ENCRYPTION_CREDENTIALS") return TableStatus::inaccessible_key;
  return TableStatus::other;
}

Result<TableDescription> parse_describe_table(std::string_view body) {
  const auto parsed = parse_object(body);
  if (!parsed) return fail(parsed.error());
  const auto* table = object_in(*parsed, "Table");
  if (!table) return fail(ErrorKind::corrupt, "it has no \"Table\"");
  TableDescription description;
  description.name.value = text_in(*table, "TableName");
  description.id = text_in(*table, "TableId");
  description.arn = text_in(*table, "TableArn");
  description.status_text = text_in(*table, "TableStatus");
  description.status = table_status(description.status_text);
  const auto types = attribute_types(*table);
  auto key = parse_key(*table, types);
  if (!key) return fail(key.error());
  description.key = std::move(*key);
  for (const bool global : {true, false}) {
    if (auto done = parse_indexes(*table, global, types, description.indexes); !done)
      return fail(done.error());
  }
  if (const auto* provisioned = object_in(*table, "ProvisionedThroughput")) {
    description.read_capacity = count_in(*provisioned, "ReadCapacityUnits").value_or(0);
    description.write_capacity = count_in(*provisioned, "WriteCapacityUnits").value_or(0);
  }
  // −1: no maximum.
  if (const auto* on_demand = object_in(*table, "OnDemandThroughput")) {
    description.most_reads = positive_in(*on_demand, "MaxReadRequestUnits");
    description.most_writes = positive_in(*on_demand, "MaxWriteRequestUnits");
  }
  if (const auto* warm = object_in(*table, "WarmThroughput")) {
    description.warm_reads = positive_in(*warm, "ReadUnitsPerSecond");
    description.warm_writes = positive_in(*warm, "WriteUnitsPerSecond");
  }
  // A provisioned table that never was anything else has no BillingModeSummary.
  const auto* billing = object_in(*table, "BillingModeSummary");
  description.on_demand =
      billing ? text_in(*billing, "BillingMode") == "PAY_PER_REQUEST" : description.read_capacity == 0;
  description.item_count = count_in(*table, "ItemCount");
  description.size_bytes = count_in(*table, "TableSizeBytes");
  if (const auto* stream = object_in(*table, "StreamSpecification")) {
    const auto* enabled = stream->if_contains("StreamEnabled");
    if (enabled && enabled->is_bool() && enabled->get_bool()) {
      description.stream_view_type = text_in(*stream, "StreamViewType");
    }
  }
  return description;
}

Result<std::optional<std::string>> parse_time_to_live(std::string_view body) {
  const auto parsed = parse_object(body);
  if (!parsed) return fail(parsed.error());
  const auto* description = object_in(*parsed, "TimeToLiveDescription");
  if (!description) return fail(ErrorKind::corrupt, "it has no \"TimeToLiveDescription\"");
  const auto status = text_in(*description, "TimeToLiveStatus");
  if (status != "ENABLED" && status != "ENABLING") return std::optional<std::string>();
  return std::optional(text_in(*description, "AttributeName"));
}

Result<std::string> parse_tags(std::string_view body, std::map<std::string, std::string>& tags) {
  const auto parsed = parse_object(body);
  if (!parsed) return fail(parsed.error());
  for (const auto& tag : array_in(*parsed, "Tags")) {
    if (!tag.is_object()) continue;
    tags[text_in(tag.get_object(), "Key")] = text_in(tag.get_object(), "Value");
  }
  return text_in(*parsed, "NextToken");
}

namespace {

/// ,"Tags":[{"Key":"k","Value":"v"}]
void append_tags(std::string& out, const std::map<std::string, std::string>& tags) {
  out += ",\"Tags\":[";
  bool first = true;
  for (const auto& [name, value] : tags) {
    out += first ? "{\"Key\":" : ",{\"Key\":";
    append_json_string(out, name);
    out += ",\"Value\":";
    append_json_string(out, value);
    out += '}';
    first = false;
  }
  out += ']';
}

}  // namespace

std::string create_table_request(const TableDescription& wanted) {
  std::string out = "{\"TableName\":";
  append_json_string(out, wanted.name.value);
  out += ',';
  append_attribute_definitions(out, wanted);
  out += ',';
  append_key_schema(out, wanted.key);
  append_indexes(out, wanted, true);
  append_indexes(out, wanted, false);
  out += wanted.on_demand ? ",\"BillingMode\":\"PAY_PER_REQUEST\"" : ",\"BillingMode\":\"PROVISIONED\",";
  if (!wanted.on_demand) out += throughput(wanted.read_capacity, wanted.write_capacity);
  if (!wanted.tags.empty()) append_tags(out, wanted.tags);
  out += '}';
  return out;
}

std::string tag_request(std::string_view arn, const std::map<std::string, std::string>& tags) {
  std::string out = "{\"ResourceArn\":" + json_string(arn);
  append_tags(out, tags);
  return out + '}';
}

std::string list_tables_request(std::string_view after) {
  return after.empty() ? "{}" : fmt::format("{{\"ExclusiveStartTableName\":{}}}", json_string(after));
}

Result<Listing::Names> parse_list_tables(std::string_view body) {
  const auto answer = parse_object(body);
  if (!answer) return fail(answer.error());
  const auto* names = answer->if_contains("TableNames");
  if (!names || !names->is_array()) return fail(ErrorKind::corrupt, "it lacks TableNames");
  Listing::Names page;
  for (const auto& name : names->get_array()) {
    if (!name.is_string()) return fail(ErrorKind::corrupt, "TableNames holds what is no text");
    page.names.emplace_back(name.get_string());
  }
  page.next = text_in(*answer, "LastEvaluatedTableName");
  return page;
}

std::string table_request(const TableName& table) {
  return "{\"TableName\":" + json_string(table.value) + '}';
}

std::string list_tags_request(std::string_view arn, std::string_view next_token) {
  std::string out = "{\"ResourceArn\":" + json_string(arn);
  if (!next_token.empty()) out += ",\"NextToken\":" + json_string(next_token);
  return out + '}';
}

}  // namespace messina::endpoints
