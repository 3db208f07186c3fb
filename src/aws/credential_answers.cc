#include "aws/credential_answers.h"

#include <boost/json.hpp>
#include <pugixml.hpp>

#include "aws/classify.h"
#include "aws/times.h"
#include "base/log.h"

namespace messina::aws {
namespace {

namespace json = boost::json;

std::optional<json::object> object_of(std::string_view text) {
  boost::system::error_code failure;
  auto parsed = json::parse({text.data(), text.size()}, failure);
  if (failure || !parsed.is_object()) return std::nullopt;
  return std::move(parsed.get_object());
}

std::string text_of(const json::object& object, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    const auto* value = object.if_contains(name);
    if (value && value->is_string()) return std::string(value->get_string());
  }
  return {};
}

/// The fields that all have. `needs_token`: temporary credentials, which are useless without one.
Result<Credentials> check(Credentials found, bool needs_token, ErrorKind kind) {
  const auto lacks = [&](std::string_view what) {
    return fail(kind, fmt::format("the answer has no {}", what));
  };
  if (found.access_key.empty()) return lacks("access key");
  if (found.secret_key.empty()) return lacks("secret key");
  if (needs_token && found.session_token.empty()) return lacks("session token");
  if (needs_token && !found.expires) return lacks("time of expiry that can be read");
  // They go into headers.
  for (const std::string_view text : {std::string_view(found.access_key), found.session_token.reveal()})
    for (const char c : text)
      if (c <= ' ' || c > '~') return fail(kind, "the answer's keys hold characters that keys cannot hold");
  return found;
}

/// What STS's answer holds: <…Response><…Result>.
pugi::xml_node result_of(const pugi::xml_document& document) {
  return document.document_element().find_child(
      [](const pugi::xml_node& node) { return std::string_view(node.name()).ends_with("Result"); });
}

}  // namespace

Result<Credentials> parse_metadata_answer(std::string_view text) {
  const auto object = object_of(text);
  if (!object) return fail(ErrorKind::corrupt, "the answer is not JSON");
  const std::string code = text_of(*object, {"Code"});
  if (!code.empty() && code != "Success")
    return fail(ErrorKind::denied, fmt::format("the answer's code is {}", clean_message(code)));
  return check({text_of(*object, {"AccessKeyId"}), Secret(text_of(*object, {"SecretAccessKey"})),
                Secret(text_of(*object, {"Token"})), parse_iso_time(text_of(*object, {"Expiration"}))},
               true, ErrorKind::corrupt);
}

Result<Credentials> parse_process_output(std::string_view text) {
  const auto object = object_of(text);
  if (!object) return fail(ErrorKind::config, "it printed no JSON object");
  const auto* version = object->if_contains("Version");
  if (version == nullptr || *version != json::value(1))
    return fail(ErrorKind::config, "its \"Version\" is not 1");
  Credentials found{text_of(*object, {"AccessKeyId"}), Secret(text_of(*object, {"SecretAccessKey"})),
                    Secret(text_of(*object, {"SessionToken"}))};
  if (const std::string expires = text_of(*object, {"Expiration"}); !expires.empty()) {
    found.expires = parse_iso_time(expires);
    if (!found.expires)
      return fail(ErrorKind::config, "its \"Expiration\" is no time like 2026-01-31T23:59:59Z");
  }
  return check(std::move(found), false, ErrorKind::config);
}

Result<Credentials> parse_sso_answer(std::string_view text) {
  const auto object = object_of(text);
  const auto* inner = object ? object->if_contains("roleCredentials") : nullptr;
  if (inner == nullptr || !inner->is_object())
    return fail(ErrorKind::corrupt, "the answer holds no credentials");
  const auto& fields = inner->get_object();
  Credentials found{text_of(fields, {"accessKeyId"}), Secret(text_of(fields, {"secretAccessKey"})),
                    Secret(text_of(fields, {"sessionToken"}))};
  // Milliseconds that fit a WallTime of nanoseconds.
  static constexpr std::int64_t kMostMs = 9'000'000'000'000;
  const auto* ms = fields.if_contains("expiration");
  if (ms && ms->is_int64() && ms->get_int64() > 0 && ms->get_int64() < kMostMs)
    found.expires = WallTime(std::chrono::milliseconds(ms->get_int64()));
  return check(std::move(found), true, ErrorKind::corrupt);
}

Result<Credentials> parse_sts_answer(std::string_view xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return fail(ErrorKind::corrupt, "the answer is not XML");
  // <AssumeRoleResponse><AssumeRoleResult><Credentials>…
  const auto fields = result_of(document).child("Credentials");
  const auto field = [&](const char* name) { return std::string(fields.child(name).text().get()); };
  return check({field("AccessKeyId"), Secret(field("SecretAccessKey")), Secret(field("SessionToken")),
                parse_iso_time(field("Expiration"))},
               true, ErrorKind::corrupt);
}

Result<CallerIdentity> parse_caller_identity(std::string_view xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return fail(ErrorKind::corrupt, "the answer is not XML");
  const auto fields = result_of(document);
  CallerIdentity caller{fields.child("Account").text().get(), fields.child("Arn").text().get()};
  if (caller.account.empty() || caller.arn.empty())
    return fail(ErrorKind::corrupt, "the answer names no account");
  return caller;
}

Refusal parse_sts_refusal(std::string_view xml) {
  pugi::xml_document document;
  if (!document.load_buffer(xml.data(), xml.size())) return {};
  // <ErrorResponse><Error><Code>…; some gateways leave the outer element out.
  const auto root = document.document_element();
  const auto error = std::string_view(root.name()) == "Error" ? root : root.child("Error");
  return {error.child("Code").text().get(), error.child("Message").text().get()};
}

Refusal parse_json_refusal(std::string_view text, std::string_view error_type) {
  Refusal refusal{std::string(short_code(error_type)), {}};
  const auto object = object_of(text);
  if (!object) return refusal;
  if (refusal.code.empty()) refusal.code = short_code(text_of(*object, {"__type", "code", "Code", "error"}));
  refusal.message = text_of(*object, {"message", "Message", "error_description"});
  return refusal;
}

}  // namespace messina::aws
