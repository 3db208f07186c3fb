// Reading CreateTable.
#include <algorithm>
#include <set>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <fmt/format.h>

#include "sim/engine/table.h"

namespace messina::sim {
namespace {

namespace json = boost::json;

std::string text_at(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

const json::array* array_at(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr ? value->if_array() : nullptr;
}

Outcome<item::KeyAttribute> key_attribute(const std::string& name, const json::array& definitions) {
  for (const json::value& definition : definitions) {
    if (!definition.is_object() || text_at(definition.get_object(), "AttributeName") != name) continue;
    const std::string type = text_at(definition.get_object(), "AttributeType");
    if (type == "S") return item::KeyAttribute{name, item::Type::S};
    if (type == "N") return item::KeyAttribute{name, item::Type::N};
    if (type == "B") return item::KeyAttribute{name, item::Type::B};
    return invalid(fmt::format("Member must satisfy enum value set: [B, N, S]: AttributeType of {}", name));
  }
  return invalid(
      fmt::format("One or more parameter values were invalid: Some index key attributes are not defined in "
                  "AttributeDefinitions. Keys: [{}]",
                  name));
}

Outcome<item::KeySchema> key_schema(const json::object& object, const json::array& definitions) {
  const json::array* schema = array_at(object, "KeySchema");
  if (schema == nullptr || schema->empty() || schema->size() > 2) {
    return invalid("KeySchema must have one HASH and at most one RANGE key");
  }
  item::KeySchema keys;
  for (std::size_t i = 0; i < schema->size(); ++i) {
    if (!(*schema)[i].is_object()) return invalid("KeySchema must be a list of objects");
    const json::object& element = (*schema)[i].get_object();
    if (text_at(element, "KeyType") != (i == 0 ? "HASH" : "RANGE")) {
      return invalid("Invalid KeySchema: The first KeySchemaElement must be HASH, the second RANGE");
    }
    auto attribute = key_attribute(text_at(element, "AttributeName"), definitions);
    if (!attribute) return std::unexpected(attribute.error());
    if (i == 0) {
      keys.partition = std::move(*attribute);
    } else {
      keys.sort = std::move(*attribute);
    }
  }
  if (keys.sort && keys.sort->name == keys.partition.name) {
    return invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name");
  }
  return keys;
}

Outcome<void> read_indexes(TableSpec& spec, std::string_view member, bool global) {
  const json::array* indexes = array_at(spec.request, member);
  if (indexes == nullptr) return {};
  for (const json::value& element : *indexes) {
    if (!element.is_object()) return invalid(fmt::format("{} must be a list of objects", member));
    auto index = parse_index(element.get_object(), spec.attribute_definitions, global);
    if (!index) return std::unexpected(index.error());
    if (!global && index->keys.partition != spec.keys.partition) {
      return invalid("Index KeySchema of a local index must begin with the table's HASH key");
    }
    if (std::ranges::any_of(spec.indexes, [&](const Index& other) { return other.name == index->name; })) {
      return invalid("Duplicate index name: " + index->name);
    }
    spec.indexes.push_back(std::move(*index));
  }
  return {};
}

Outcome<void> check_unused_definitions(const TableSpec& spec, const Personality& personality) {
  if (personality.alternator && personality.scylla == ScyllaVersion::v5_2) return {};
  std::set<std::string> used;
  const auto use = [&](const item::KeySchema& keys) {
    used.insert(keys.partition.name);
    if (keys.sort) used.insert(keys.sort->name);
  };
  use(spec.keys);
  for (const Index& index : spec.indexes) use(index.keys);
  for (const json::value& definition : spec.attribute_definitions) {
    const std::string name = definition.is_object() ? text_at(definition.get_object(), "AttributeName") : "";
    if (used.contains(name)) continue;
    return invalid(
        personality.alternator
            ? fmt::format("AttributeDefinitions defines spurious attributes not used by any KeySchema: {}",
                          name)
            : "One or more parameter values were invalid: Number of attributes in KeySchema does not "
              "exactly match number of attributes defined in AttributeDefinitions");
  }
  return {};
}

Outcome<void> read_billing(TableSpec& spec, const Personality& personality) {
  const std::string mode = text_at(spec.request, "BillingMode");
  if (!mode.empty() && mode != "PAY_PER_REQUEST" && mode != "PROVISIONED")
    return invalid("Unknown BillingMode " + mode);
  spec.on_demand = mode == "PAY_PER_REQUEST";
  const json::value* throughput = spec.request.if_contains("ProvisionedThroughput");
  if (throughput != nullptr && throughput->is_object()) {
    const auto units = [&](std::string_view name) -> std::int64_t {
      const json::value* value = throughput->get_object().if_contains(name);
      return value != nullptr && value->is_int64() ? value->get_int64() : 0;
    };
    spec.read_units = units("ReadCapacityUnits");
    spec.write_units = units("WriteCapacityUnits");
  }
  if (personality.alternator) return {};
  read_on_demand(spec, spec.request);
  if (spec.on_demand && throughput != nullptr) {
    return invalid(
        "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be "
        "specified when BillingMode is PAY_PER_REQUEST");
  }
  if (!spec.on_demand && (spec.read_units < 1 || spec.write_units < 1)) {
    return invalid(
        "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be "
        "specified when BillingMode is PROVISIONED");
  }
  return {};
}

Outcome<void> read_features(TableSpec& spec, const Personality& personality) {
  if (const json::array* tags = array_at(spec.request, "Tags")) {
    for (const json::value& tag : *tags) {
      if (!tag.is_object()) return invalid("Tags must be a list of objects");
      spec.tags[text_at(tag.get_object(), "Key")] = text_at(tag.get_object(), "Value");
    }
  }
  if (personality.alternator) {
    if (const auto ok = check_isolation_tag(spec.tags); !ok) return ok;
    const json::value* sse = spec.request.if_contains("SSESpecification");
    const json::value* enabled =
        sse != nullptr && sse->is_object() ? sse->get_object().if_contains("Enabled") : nullptr;
    if (enabled != nullptr && *enabled == true) {
      return invalid("SSESpecification: configuring encryption-at-rest is not yet supported.");
    }
  } else if (const json::value* sse = spec.request.if_contains("SSESpecification");
             sse != nullptr && sse->is_object()) {
    spec.kms_key_arn = text_at(sse->get_object(), "KMSMasterKeyId");
  }
  const json::value* stream = spec.request.if_contains("StreamSpecification");
  if (stream != nullptr && stream->is_object()) {
    const json::value* enabled = stream->get_object().if_contains("StreamEnabled");
    if (enabled != nullptr && *enabled == true) {
      spec.stream_view = text_at(stream->get_object(), "StreamViewType");
      if (!StreamView::parse(spec.stream_view)) return invalid(bad_stream_view(spec.stream_view));
    }
  }
  spec.table_class = text_at(spec.request, "TableClass");
  const json::value* protection = spec.request.if_contains("DeletionProtectionEnabled");
  spec.deletion_protection = !personality.alternator && protection != nullptr && *protection == true;
  return {};
}

}  // namespace

std::string bad_stream_view(std::string_view view) {
  if (view.empty()) {
    return "One or more parameter values were invalid: StreamViewType must be specified when StreamEnabled "
           "is "
           "true";
  }
  return fmt::format(
      "1 validation error detected: Value '{}' at 'streamSpecification.streamViewType' failed to satisfy "
      "constraint: Member must satisfy enum value set: [NEW_AND_OLD_IMAGES, OLD_IMAGE, KEYS_ONLY, NEW_IMAGE]",
      view);
}

Outcome<void> check_index_keys(std::string_view text, const TableSpec& spec, const Personality& personality,
                               const std::set<std::string, std::less<>>* changed) {
  if (spec.indexes.empty()) return {};
  const item::Item item = parse_stored(text);
  const auto check = [&](const item::KeyAttribute& key, const Index& index) -> Outcome<void> {
    const auto found = item.find(key.name);
    if (found == item.end() || item::type_of(found->second) == key.type) return {};
    if (changed != nullptr && !changed->contains(key.name)) return {};
    const auto expected = item::to_string(key.type), actual = item::to_string(item::type_of(found->second));
    // ScyllaDB keeps what an index needs in a column of its own, and says of it what it says of a key.
    if (personality.alternator)
      return invalid(fmt::format("Type mismatch: expected type {} for key column {}, got type {}", expected,
                                 key.name, actual));
    return invalid(
        fmt::format("One or more parameter values were invalid: Type mismatch for Index Key {} Expected: {} "
                    "Actual: {} IndexName: {}",
                    key.name, expected, actual, index.name));
  };
  for (const Index& index : spec.indexes) {
    if (auto ok = check(index.keys.partition, index); !ok) return ok;
    if (!index.keys.sort) continue;
    if (auto ok = check(*index.keys.sort, index); !ok) return ok;
  }
  return {};
}

void read_on_demand(TableSpec& spec, const json::object& request) {
  const auto read = [&](std::string_view block, std::string_view name, std::int64_t& to) {
    const json::value* object = request.if_contains(block);
    if (object == nullptr || !object->is_object()) return;
    const json::value* value = object->get_object().if_contains(name);
    // -1 ends a maximum.
    if (value != nullptr && value->is_int64()) to = std::max<std::int64_t>(0, value->get_int64());
  };
  read("OnDemandThroughput", "MaxReadRequestUnits", spec.most_reads);
  read("OnDemandThroughput", "MaxWriteRequestUnits", spec.most_writes);
  read("WarmThroughput", "ReadUnitsPerSecond", spec.warm_reads);
  read("WarmThroughput", "WriteUnitsPerSecond", spec.warm_writes);
}

Outcome<Index> parse_index(const json::object& object, const json::array& definitions, bool global) {
  Index index;
  index.name = text_at(object, "IndexName");
  index.global = global;
  index.description = object;
  if (index.name.size() < 3 || index.name.size() > 255) {
    return invalid("IndexName must be at least 3 characters long and at most 255 characters long");
  }
  auto keys = key_schema(object, definitions);
  if (!keys) return std::unexpected(keys.error());
  index.keys = std::move(*keys);
  return index;
}

Outcome<void> check_table_name(std::string_view name, const Personality& personality) {
  const std::size_t longest = personality.alternator ? 222 : 255;
  if (name.size() < 3 || name.size() > longest) {
    return invalid(
        fmt::format("TableName must be at least 3 characters long and at most {} characters long", longest));
  }
  const bool fine = std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.';
  });
  if (!fine) return invalid("TableName must satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
  return {};
}

Outcome<void> check_isolation_tag(const std::map<std::string, std::string>& tags) {
  const auto found = tags.find("system:write_isolation");
  if (found == tags.end()) return {};
  static const std::set<std::string_view> kAllowed = {
      "a", "always", "always_use_lwt", "f", "forbid", "forbid_rmw", "o", "only_rmw_uses_lwt",
      "u", "unsafe", "unsafe_rmw"};
  if (kAllowed.contains(found->second)) return {};
  return invalid(fmt::format("Incorrect write isolation tag {}. Allowed values: {}", found->second,
                             fmt::join(kAllowed, ", ")));
}

Outcome<TableSpec> parse_create_table(std::string_view body, const Personality& personality) {
  TableSpec spec;
  boost::system::error_code error;
  json::value parsed = json::parse(json::string_view(body.data(), body.size()), error);
  if (error || !parsed.is_object()) return invalid("CreateTable needs a JSON object");
  spec.request = std::move(parsed.get_object());
  spec.name = text_at(spec.request, "TableName");
  if (const auto ok = check_table_name(spec.name, personality); !ok) return std::unexpected(ok.error());
  if (const json::array* definitions = array_at(spec.request, "AttributeDefinitions")) {
    spec.attribute_definitions = *definitions;
  }
  auto keys = key_schema(spec.request, spec.attribute_definitions);
  if (!keys) return std::unexpected(keys.error());
  spec.keys = std::move(*keys);
  for (const auto& ok :
       {read_indexes(spec, "GlobalSecondaryIndexes", true),
        read_indexes(spec, "LocalSecondaryIndexes", false), check_unused_definitions(spec, personality),
        read_billing(spec, personality), read_features(spec, personality)}) {
    if (!ok) return std::unexpected(ok.error());
  }
  return spec;
}

}  // namespace messina::sim
