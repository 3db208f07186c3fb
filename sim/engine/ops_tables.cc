// Calls about tables.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/json_text.h"
#include "sim/engine/engine.h"

namespace messina::sim {
namespace {

namespace json = boost::json;

std::string new_uuid(Random& random) {
  const std::uint64_t a = random.next();
  const std::uint64_t b = random.next();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xfff,
                     0x8000 | ((b >> 48) & 0x3fff), b & 0xffffffffffff);
}

json::object object_of(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  return error || !value.is_object() ? json::object() : std::move(value.get_object());
}

std::string text_at(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

std::string Engine::arn_of(std::string_view table) const {
  if (settings_.personality.alternator)
    return fmt::format("arn:scylla:alternator:alternator_{0}:scylla:table/{0}", table);
  return fmt::format("arn:aws:dynamodb:{}:000000000000:table/{}", settings_.region, table);
}

Outcome<Table*> Engine::find_table(std::string_view name) {
  const auto found = tables_.find(name);
  if (found != tables_.end()) return &found->second;
  return refuse("ResourceNotFoundException",
                fmt::format("Requested resource not found: Table: {} not found", name));
}

Outcome<Table*> Engine::usable_table(std::string_view name) {
  auto table = find_table(name);
  if (!table) return table;
  const std::string_view status = (*table)->status(now().mono);
  if (status == "ACTIVE" || status == "UPDATING") return table;
  if (status == "INACCESSIBLE_ENCRYPTION_CREDENTIALS") {
    return invalid("The customer-managed KMS key of the table is inaccessible: " + std::string(name));
  }
  if (status == "CREATING" || status == "DELETING")
    return refuse("ResourceNotFoundException", "Requested resource not found");
  return refuse("ResourceInUseException",
                fmt::format("Table is not in an ACTIVE state: {} is {}", name, status));
}

void Engine::set_throughput(Table& table) {
  const MonoTime present = now().mono;
  const bool limited = !settings_.personality.alternator && !settings_.unlimited;
  const TableSpec& spec = table.spec;
  const auto bucket = [&](std::int64_t provisioned, std::int64_t most, std::int64_t warm) {
    const std::int64_t units = !spec.on_demand ? provisioned : most > 0 ? most : warm;
    return limited && units > 0 ? TokenBucket(static_cast<double>(units), settings_.burst_seconds, present)
                                : TokenBucket();
  };
  table.reads = bucket(spec.read_units, spec.most_reads, spec.warm_reads);
  table.writes = bucket(spec.write_units, spec.most_writes, spec.warm_writes);
}

Outcome<std::string> Engine::create_table(const Parameters&, const Request& request) {
  auto spec = parse_create_table(request.body, settings_.personality);
  if (!spec) return std::unexpected(spec.error());
  if (tables_.contains(spec->name)) {
    return refuse("ResourceInUseException", settings_.personality.alternator
                                                ? fmt::format("Table {} already exists", spec->name)
                                                : fmt::format("Table already exists: {}", spec->name));
  }
  Table& table = tables_[spec->name];
  table.spec = std::move(*spec);
  table.id = new_uuid(random_);
  table.created = now().wall;
  table.active_at = now().mono + settings_.create_delay;
  if (const auto view = StreamView::parse(table.spec.stream_view)) enable_stream(table, *view);
  set_throughput(table);
  return json::serialize(json::object{{"TableDescription", describe_created(table)}});
}

Outcome<std::string> Engine::describe_table(const Parameters& p, const Request&) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = find_table(*name);
  if (!table) return std::unexpected(table.error());
  return json::serialize(json::object{{"Table", describe(**table)}});
}

Outcome<std::string> Engine::delete_table(const Parameters& p, const Request&) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto found = find_table(*name);
  if (!found) return std::unexpected(found.error());
  Table& table = **found;
  if (table.spec.deletion_protection) {
    return invalid(
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion "
        "protection first.");
  }
  const std::string_view status = table.status(now().mono);
  if (status == "CREATING" || status == "UPDATING" || status == "DELETING") {
    return refuse("ResourceInUseException",
                  fmt::format("Attempt to change a resource which is still in use: Table is being {}: {}",
                              status == "DELETING" ? "deleted" : "created or updated", *name));
  }
  disable_stream(table);
  table.gone_at = now().mono + settings_.delete_delay;
  json::object description = describe(table);
  if (settings_.personality.alternator) {
    // Recorded: 5.2 names nothing else, 6.2 leaves out the schema.
    const bool brief = settings_.personality.scylla == ScyllaVersion::v5_2;
    json::object full = std::move(description);
    description = {{"TableName", *name}, {"TableStatus", "DELETING"}};
    for (const char* member : {"TableArn", "TableId", "BillingModeSummary", "ProvisionedThroughput"}) {
      if (!brief) description[member] = full[member];
    }
  }
  if (settings_.delete_delay == Duration{}) tables_.erase(*name);
  return json::serialize(json::object{{"TableDescription", std::move(description)}});
}

Outcome<std::string> Engine::list_tables(const Parameters& p, const Request&) {
  const auto limit = p.integer("Limit");
  if (!limit) return std::unexpected(limit.error());
  if (*limit && (**limit < 1 || **limit > 100))
    return invalid("Limit must be greater than 0 and no greater than 100");
  const auto start = p.text("ExclusiveStartTableName");
  if (!start) return std::unexpected(start.error());
  const auto most = static_cast<std::size_t>(limit->value_or(100));
  json::array names;
  json::object answer;
  for (auto it = tables_.upper_bound(*start); it != tables_.end(); ++it) {
    if (names.size() == most) {
      answer["LastEvaluatedTableName"] = names.back();
      break;
    }
    names.emplace_back(it->first);
  }
  answer["TableNames"] = std::move(names);
  return json::serialize(answer);
}

Outcome<void> Engine::update_indexes(Table& table, const Parameters& p, const Request& request) {
  const json::object body = object_of(request.body);
  if (!p.has("GlobalSecondaryIndexUpdates")) return {};
  if (settings_.personality.alternator) return invalid("GlobalSecondaryIndexUpdates not supported");
  json::array definitions = table.spec.attribute_definitions;
  if (const json::value* more = body.if_contains("AttributeDefinitions");
      more != nullptr && more->is_array()) {
    for (const json::value& definition : more->get_array()) definitions.push_back(definition);
  }
  const json::value* updates = body.if_contains("GlobalSecondaryIndexUpdates");
  if (updates == nullptr || !updates->is_array())
    return invalid("GlobalSecondaryIndexUpdates must be a list");
  for (const json::value& update : updates->get_array()) {
    const json::value* create = update.is_object() ? update.get_object().if_contains("Create") : nullptr;
    const json::value* gone = update.is_object() ? update.get_object().if_contains("Delete") : nullptr;
    if (create != nullptr && create->is_object()) {
      auto index = parse_index(create->get_object(), definitions, true);
      if (!index) return std::unexpected(index.error());
      table.spec.indexes.push_back(std::move(*index));
    } else if (gone != nullptr && gone->is_object()) {
      const std::string name = text_at(gone->get_object(), "IndexName");
      if (std::erase_if(table.spec.indexes,
                        [&](const Index& index) { return index.global && index.name == name; }) == 0) {
        return refuse("ResourceNotFoundException", "Requested resource not found: Index: " + name);
      }
    } else {
      return invalid("messina-sim knows Create and Delete of GlobalSecondaryIndexUpdates only");
    }
  }
  table.spec.attribute_definitions = std::move(definitions);
  return {};
}

Outcome<std::string> Engine::update_table(const Parameters& p, const Request& request) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto found = find_table(*name);
  if (!found) return std::unexpected(found.error());
  Table& table = **found;
  if (table.status(now().mono) != "ACTIVE") {
    return refuse("ResourceInUseException",
                  fmt::format("Attempt to change a resource which is still in use: {}", *name));
  }
  if (const auto ok = update_stream(table, p); !ok) return std::unexpected(ok.error());
  if (const auto ok = update_indexes(table, p, request); !ok) return std::unexpected(ok.error());
  const json::object body = object_of(request.body);
  if (p.has("BillingMode")) table.spec.on_demand = text_at(body, "BillingMode") == "PAY_PER_REQUEST";
  if (const auto raw = p.raw("ProvisionedThroughput")) {
    const Parameters units(*raw);
    table.spec.read_units =
        units.integer("ReadCapacityUnits").value_or(std::nullopt).value_or(table.spec.read_units);
    table.spec.write_units =
        units.integer("WriteCapacityUnits").value_or(std::nullopt).value_or(table.spec.write_units);
  }
  if (table.spec.on_demand) table.spec.read_units = table.spec.write_units = 0;
  read_on_demand(table.spec, body);
  const bool new_units = p.has("BillingMode") || p.has("ProvisionedThroughput") ||
                         p.has("OnDemandThroughput") || p.has("WarmThroughput");
  if (new_units) set_throughput(table);
  if (p.has("TableClass")) table.spec.table_class = text_at(body, "TableClass");
  if (p.has("DeletionProtectionEnabled"))
    table.spec.deletion_protection = p.flag("DeletionProtectionEnabled").value_or(false);
  if (settings_.personality.alternator) {
    json::object answer = body;
    answer["CreationDateTime"] = std::chrono::system_clock::to_time_t(table.created);
    answer["TableStatus"] = "ACTIVE";
    answer["TableId"] = table.id;
    if (table.stream) {
      answer["LatestStreamArn"] = table.stream->identity().arn;
      answer["LatestStreamLabel"] = table.stream->identity().label;
    }
    return json::serialize(json::object{{"TableDescription", std::move(answer)}});
  }
  table.active_at = now().mono + settings_.create_delay;
  if (p.has("StreamSpecification") && table.stream) table.stream->settle_at(table.active_at);
  table.updating = true;
  return json::serialize(json::object{{"TableDescription", describe(table)}});
}

}  // namespace messina::sim
