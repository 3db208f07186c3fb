// Time to live, tags, and the small Describe calls.
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/json_text.h"
#include "sim/engine/engine.h"

namespace messina::sim {
namespace {

namespace json = boost::json;
constexpr std::string_view kTtlTag = "system:ttl_attribute";

}  // namespace

Outcome<std::string> Engine::update_ttl(const Parameters& p, const Request&) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = usable_table(*name);
  if (!table) return std::unexpected(table.error());
  const auto raw = p.raw("TimeToLiveSpecification");
  if (!raw) return invalid("TimeToLiveSpecification is mandatory");
  const Parameters specification(*raw);
  const auto attribute = specification.text("AttributeName");
  const auto enabled = specification.flag("Enabled");
  if (!attribute) return std::unexpected(attribute.error());
  if (!enabled) return std::unexpected(enabled.error());
  if (attribute->empty() || attribute->size() > 255)
    return invalid("AttributeName must be 1 to 255 characters long");
  std::string& current = (*table)->spec.ttl_attribute;
  if (*enabled && !current.empty()) return invalid("TTL is already enabled");
  if (!*enabled && current.empty()) return invalid("TTL is already disabled");
  if (!*enabled && current != *attribute) return invalid("TTL is enabled on a different AttributeName");
  current = *enabled ? *attribute : std::string();
  return json::serialize(json::object{
      {"TimeToLiveSpecification", json::object{{"AttributeName", *attribute}, {"Enabled", *enabled}}}});
}

Outcome<std::string> Engine::describe_ttl(const Parameters& p, const Request&) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = find_table(*name);
  if (!table) return std::unexpected(table.error());
  const std::string& attribute = (*table)->spec.ttl_attribute;
  json::object description{{"TimeToLiveStatus", attribute.empty() ? "DISABLED" : "ENABLED"}};
  if (!attribute.empty()) description["AttributeName"] = attribute;
  return json::serialize(json::object{{"TimeToLiveDescription", std::move(description)}});
}

Outcome<Table*> Engine::table_of_arn(const Parameters& p) {
  const auto arn = p.text("ResourceArn");
  if (!arn) return std::unexpected(arn.error());
  for (auto& [name, table] : tables_) {
    if (arn_of(table) == *arn) return &table;
  }
  if (settings_.personality.alternator)
    return refuse("AccessDeniedException", "Incorrect resource identifier");
  return refuse("ResourceNotFoundException",
                fmt::format("Requested resource not found: ResourceArn: {} not found", *arn));
}

Outcome<std::string> Engine::tag_resource(const Parameters& p, const Request&) {
  const auto table = table_of_arn(p);
  if (!table) return std::unexpected(table.error());
  std::map<std::string, std::string> tags = (*table)->spec.tags;
  const auto raw = p.raw("Tags");
  if (!raw || elements_of(*raw).empty()) return invalid("The number of tags must be at least 1");
  for (const std::string_view element : elements_of(*raw)) {
    const Parameters tag(element);
    const auto key = tag.text("Key");
    const auto value = tag.text("Value");
    if (!key) return std::unexpected(key.error());
    if (!value) return std::unexpected(value.error());
    tags[*key] = *value;
  }
  if (tags.size() > 50) return invalid("A table can have at most 50 tags");
  if (settings_.personality.alternator) {
    if (const auto ok = check_isolation_tag(tags); !ok) return std::unexpected(ok.error());
  }
  (*table)->spec.tags = std::move(tags);
  return std::string();
}

Outcome<std::string> Engine::untag_resource(const Parameters& p, const Request&) {
  const auto table = table_of_arn(p);
  if (!table) return std::unexpected(table.error());
  const auto keys = p.texts("TagKeys");
  if (!keys) return std::unexpected(keys.error());
  for (const std::string& key : *keys) (*table)->spec.tags.erase(key);
  return std::string();
}

Outcome<std::string> Engine::list_tags(const Parameters& p, const Request&) {
  const auto table = table_of_arn(p);
  if (!table) return std::unexpected(table.error());
  json::array tags;
  for (const auto& [key, value] : (*table)->spec.tags)
    tags.push_back(json::object{{"Key", key}, {"Value", value}});
  const std::string& ttl = (*table)->spec.ttl_attribute;
  if (settings_.personality.alternator && !ttl.empty())
    tags.push_back(json::object{{"Key", kTtlTag}, {"Value", ttl}});
  return json::serialize(json::object{{"Tags", std::move(tags)}});
}

Outcome<std::string> Engine::describe_limits(const Parameters&, const Request&) {
  // The defaults of a new account (Developer Guide, "Quotas").
  return std::string(
      R"({"AccountMaxReadCapacityUnits":80000,"AccountMaxWriteCapacityUnits":80000,"TableMaxReadCapacityUnits":40000,"TableMaxWriteCapacityUnits":40000})");
}

Outcome<std::string> Engine::describe_backups(const Parameters& p, const Request&) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = find_table(*name);
  if (!table) return std::unexpected(table.error());
  return fmt::format(
      R"({{"ContinuousBackupsDescription":{{"ContinuousBackupsStatus":"{}","PointInTimeRecoveryDescription":{{"PointInTimeRecoveryStatus":"{}"}}}}}})",
      settings_.personality.alternator ? "DISABLED" : "ENABLED",
      (*table)->spec.point_in_time_recovery ? "ENABLED" : "DISABLED");
}

Outcome<std::string> Engine::describe_endpoints(const Parameters&, const Request& request) {
  const Node& node = settings_.nodes.at(request.node);
  return fmt::format(R"({{"Endpoints":[{{"Address":"{}:{}","CachePeriodInMinutes":1440}}]}})", node.host,
                     node.port);
}

}  // namespace messina::sim
