// What stands around a table: backups, Kinesis, resource policies, keys, callers; and who may ask.
#include <algorithm>
#include <array>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "base/json_text.h"
#include "sim/engine/engine.h"
#include "sim/engine/policy.h"

namespace messina::sim {
namespace {

namespace json = boost::json;

/// Calls that read or write items: those that need the table's key.
bool touches_items(std::string_view operation) {
  static constexpr std::array<std::string_view, 8> kItemCalls = {
      "Scan", "Query", "GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchGetItem", "BatchWriteItem"};
  return std::ranges::find(kItemCalls, operation) != kItemCalls.end();
}

std::string xml_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

// ------------------------------------------------------------------------------------------------ leave

std::vector<Access> Engine::accesses_of(const Request& request) const {
  const std::string operation(request.operation());
  const std::string_view service = service_of(request);
  // AWS answers GetCallerIdentity to everybody whose signature is right.
  if (service == "sts") return {};
  if (service == "monitoring") return {{"cloudwatch:" + operation, "*"}};
  if (check_json(request.body, {})) return {};  // refused for that
  const Parameters parameters(request.body);
  const auto text = [&](std::string_view name) { return parameters.text(name).value_or(""); };
  if (service == "kms") return {{"kms:" + operation, text("KeyId")}};
  const std::string action = "dynamodb:" + operation;
  if (operation == "ListStreams")
    return {{action, parameters.has("TableName") ? arn_of(text("TableName")) + "/stream/*" : "*"}};
  if (parameters.has("StreamArn") && request.target_prefix().starts_with("DynamoDBStreams"))
    return {{action, text("StreamArn")}};
  // An iterator names its stream, so that GetRecords needs leave for that one.
  if (operation == "GetRecords") {
    const std::string iterator = text("ShardIterator");
    return {{action, iterator.substr(0, iterator.find(kIteratorMark))}};
  }
  if (parameters.has("ResourceArn")) return {{action, text("ResourceArn")}};
  const std::vector<std::string> tables = tables_of(request);
  if (tables.empty()) return {{action, "*"}};
  std::vector<Access> needed;
  for (const std::string& name : tables) {
    std::string arn = arn_of(name);
    if (parameters.has("IndexName")) arn += "/index/" + text("IndexName");
    needed.push_back({action, arn});
    if (operation == "CreateTable" && parameters.has("Tags")) needed.push_back({"dynamodb:TagResource", arn});
    const auto table = tables_.find(name);
    if (table != tables_.end() && !table->second.spec.kms_key_arn.empty() && touches_items(operation)) {
      needed.push_back({"kms:Decrypt",
                        table->second.spec.kms_key_arn,
                        {{"kms:viaservice", fmt::format("dynamodb.{}.amazonaws.com", settings_.region)}}});
    }
  }
  return needed;
}

std::optional<ApiError> Engine::check_policy(const Request& request) const {
  if (!settings_.policy || settings_.personality.alternator) return std::nullopt;
  if (!request.header("authorization"))
    return ApiError{
        400, "MissingAuthenticationTokenException", "Request is missing Authentication Token", {}};
  for (const Access& access : accesses_of(request)) {
    if (settings_.policy->allows(access)) continue;
    ApiError error = not_allowed(access);
    if (access.action.starts_with("kms:") && service_of(request) != "kms")
      error.message = "KMS key access denied error: " + error.message;
    return error;
  }
  return std::nullopt;
}

// ------------------------------------------------------------------------------- beside the table

Outcome<std::string> Engine::update_backups(const Parameters& p, const Request& request) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = find_table(*name);
  if (!table) return std::unexpected(table.error());
  const auto raw = p.raw("PointInTimeRecoverySpecification");
  if (!raw) return invalid("PointInTimeRecoverySpecification is mandatory");
  const auto enabled = Parameters(*raw).flag("PointInTimeRecoveryEnabled");
  if (!enabled) return std::unexpected(enabled.error());
  (*table)->spec.point_in_time_recovery = *enabled;
  return describe_backups(p, request);
}

Outcome<std::string> Engine::enable_kinesis(const Parameters& p, const Request&) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = usable_table(*name);
  if (!table) return std::unexpected(table.error());
  const auto stream = p.text("StreamArn");
  if (!stream) return std::unexpected(stream.error());
  (*table)->spec.kinesis_stream_arn = *stream;
  return json::serialize(
      json::object{{"TableName", *name}, {"StreamArn", *stream}, {"DestinationStatus", "ENABLING"}});
}

Outcome<std::string> Engine::describe_kinesis(const Parameters& p, const Request&) {
  const auto name = p.text("TableName");
  if (!name) return std::unexpected(name.error());
  const auto table = find_table(*name);
  if (!table) return std::unexpected(table.error());
  json::array destinations;
  if (const std::string& stream = (*table)->spec.kinesis_stream_arn; !stream.empty())
    destinations.push_back(json::object{{"StreamArn", stream}, {"DestinationStatus", "ACTIVE"}});
  return json::serialize(
      json::object{{"TableName", *name}, {"KinesisDataStreamDestinations", std::move(destinations)}});
}

Outcome<std::string> Engine::put_resource_policy(const Parameters& p, const Request&) {
  const auto table = table_of_arn(p);
  if (!table) return std::unexpected(table.error());
  const auto policy = p.text("Policy");
  if (!policy) return std::unexpected(policy.error());
  (*table)->spec.resource_policy = *policy;
  return std::string(R"({"RevisionId":"1"})");
}

Outcome<std::string> Engine::get_resource_policy(const Parameters& p, const Request&) {
  const auto table = table_of_arn(p);
  if (!table) return std::unexpected(table.error());
  const std::string& policy = (*table)->spec.resource_policy;
  if (policy.empty()) {
    return refuse("PolicyNotFoundException", fmt::format("Resource-based policy not found for the provided "
                                                         "ResourceArn: Table: {}",
                                                         (*table)->spec.name));
  }
  return json::serialize(json::object{{"Policy", policy}, {"RevisionId", "1"}});
}

// ------------------------------------------------------------------------------------- other services

Outcome<std::string> Engine::describe_key(const Parameters& p, const Request&) {
  const auto id = p.text("KeyId");
  if (!id) return std::unexpected(id.error());
  const bool known =
      std::ranges::any_of(tables_, [&](const auto& entry) { return entry.second.spec.kms_key_arn == *id; });
  if (!known) return refuse("NotFoundException", fmt::format("Key '{}' does not exist", *id));
  return json::serialize(json::object{
      {"KeyMetadata",
       json::object{{"Arn", *id}, {"Enabled", true}, {"KeyState", "Enabled"}, {"KeyManager", "CUSTOMER"}}}});
}

Answer Engine::security_token_service(const Request& request) const {
  if (request.body.find("Action=GetCallerIdentity") == std::string_view::npos)
    return security_token_refusal("InvalidAction", "messina-sim knows GetCallerIdentity only");
  Answer answer;
  answer.headers.emplace_back("Content-Type", "text/xml");
  answer.headers.emplace_back("Date", http_date(now().wall));
  answer.body = std::make_shared<const std::string>(
      R"(<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>)"
      R"(<Arn>arn:aws:iam::000000000000:user/sim</Arn><UserId>AIDASIM</UserId><Account>000000000000</Account>)"
      R"(</GetCallerIdentityResult></GetCallerIdentityResponse>)");
  return answer;
}

Answer Engine::security_token_refusal(std::string_view type, std::string_view message) const {
  // Source: AWS Security Token Service API Reference, "Common Errors".
  std::string_view code = type;
  if (type == "InvalidSignatureException") code = "SignatureDoesNotMatch";
  if (type == "UnrecognizedClientException") code = "InvalidClientTokenId";
  Answer answer;
  answer.status = code == "InvalidAction" ? 400 : 403;
  answer.headers.emplace_back("Content-Type", "text/xml");
  answer.headers.emplace_back("Date", http_date(now().wall));
  answer.body = std::make_shared<const std::string>(fmt::format(
      "<ErrorResponse><Error><Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error></ErrorResponse>",
      code, xml_escaped(message)));
  return answer;
}

}  // namespace messina::sim
