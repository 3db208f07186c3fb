#include "aws/sts.h"

#include "aws/classify.h"
#include "aws/credential_answers.h"
#include "aws/node_set.h"
#include "aws/sigv4.h"
#include "base/hash.h"
#include "base/log.h"

namespace messina::aws {
namespace {

constexpr Operation kAssumeRole{"AssumeRole", OperationKind::read};
constexpr Operation kCallerIdentity{"GetCallerIdentity", OperationKind::read};
constexpr std::string_view kVersion = "2011-06-15";
constexpr Operation kWebIdentity{"AssumeRoleWithWebIdentity", OperationKind::read};

void append_parameter(std::string& body, std::string_view name, std::string_view value) {
  if (!body.empty()) body += '&';
  body.append(name).append("=");
  append_percent_encoded(body, value);
}

std::string begin_body(const Operation& operation, const std::string& role_arn,
                       const std::string& session_name, std::optional<std::uint32_t> duration_s) {
  std::string body;
  append_parameter(body, "Action", operation.name);
  append_parameter(body, "Version", kVersion);
  append_parameter(body, "RoleArn", role_arn);
  append_parameter(body, "RoleSessionName", session_name);
  if (duration_s) append_parameter(body, "DurationSeconds", std::to_string(*duration_s));
  return body;
}

/// CloudTrail shows it.
std::string session_name(const std::string& given, WallTime now) {
  return given.empty() ? fmt::format("messina-{}", std::chrono::system_clock::to_time_t(now)) : given;
}

/// What an answer means, by the parser of its call.
template <class T>
Result<T> judge_reply(const Operation& operation, const Reply& reply, std::string_view subject,
                      Result<T> (*parse)(std::string_view xml)) {
  if (reply.status != 200) {
    const Refusal refusal = parse_sts_refusal(reply.body.reveal());
    Error error = classify_code(operation, reply.status, refusal.code, refusal.message, subject);
    // The identity provider did not answer STS in time (API Reference: "retry your request").
    if (refusal.code == "IDPCommunicationError") error.kind = ErrorKind::transient;
    return fail(std::move(error));
  }
  auto parsed = parse(reply.body.reveal());
  if (!parsed)
    return fail(parsed.error().kind,
                fmt::format("{}: {}: {}", subject, operation.name, parsed.error().message));
  return parsed;
}

net::Request post(std::string_view body) {
  net::Request request;
  request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  request.body = body;
  return request;
}

Error with_subject(Error error, const Operation& operation, std::string_view subject) {
  error.message = fmt::format("{}: {}: {}", subject, operation.name, error.message);
  return error;
}

/// One signed call; a second one where the first told that this machine's clock is wrong. `server_time` may
/// be null.
template <class T>
Task<Result<T>> ask_signed(net::EventLoop& loop, StsAccess access, Operation operation, Secret body,
                           const Credentials& signer_keys, std::string subject,
                           Result<T> (*parse)(std::string_view xml), std::optional<WallTime>* server_time) {
  Signer signer;
  for (bool corrected = false;;) {
    net::Request request = post(body.reveal());
    request.headers.add("Host", host_header(access.origin));
    SigningRequest signing;
    signing.headers = &request.headers;
    signing.body_digest = sha256(request.body.whole());
    signing.region = access.region;
    signing.service = "sts";
    signing.time = access.clocks->at(access.origin, loop.wall());
    request.headers.append(signer.sign(signing, signer_keys));
    Result<Reply> reply = co_await exchange(loop, access.origin, access.http, request);
    if (!reply) co_return fail(with_subject(std::move(reply.error()), operation, subject));
    if (server_time != nullptr) *server_time = reply->server_time;
    Result<T> answer = judge_reply(operation, *reply, subject, parse);
    if (answer || corrected) co_return answer;
    corrected = access.clocks->correct(access.origin, answer.error(), reply->headers, signing.time,
                                       loop.wall(), subject);
    if (!corrected) co_return answer;
  }
}

}  // namespace

Secret assume_role_body(const RoleSource& role, const std::string& name) {
  std::string body = begin_body(kAssumeRole, role.role_arn, name, role.duration_s);
  if (!role.external_id.empty()) append_parameter(body, "ExternalId", role.external_id);
  return Secret(std::move(body));
}

Secret web_identity_body(const WebIdentitySource& identity, const std::string& name, std::string_view token) {
  std::string body = begin_body(kWebIdentity, identity.role_arn, name, identity.duration_s);
  append_parameter(body, "WebIdentityToken", token);
  return Secret(std::move(body));
}

Task<Result<Issued>> assume_role(net::EventLoop& loop, StsAccess access, const RoleSource& role,
                                 const Credentials& base, std::string subject) {
  Secret body = assume_role_body(role, session_name(role.session_name, loop.wall()));
  std::optional<WallTime> server_time;
  auto credentials =
      co_await ask_signed<Credentials>(loop, std::move(access), kAssumeRole, std::move(body), base,
                                       std::move(subject), &parse_sts_answer, &server_time);
  if (!credentials) co_return fail(credentials.error());
  co_return Issued{std::move(*credentials), server_time};
}

Task<Result<CallerIdentity>> caller_identity(net::EventLoop& loop, StsAccess access,
                                             const Credentials& credentials, std::string subject) {
  Secret body(fmt::format("Action={}&Version={}", kCallerIdentity.name, kVersion));
  auto caller =
      co_await ask_signed<CallerIdentity>(loop, std::move(access), kCallerIdentity, std::move(body),
                                          credentials, std::move(subject), &parse_caller_identity, nullptr);
  co_return caller;
}

Task<Result<Issued>> assume_role_with_web_identity(net::EventLoop& loop, StsAccess access,
                                                   const WebIdentitySource& identity, std::string_view token,
                                                   std::string subject) {
  const Secret body = web_identity_body(identity, session_name(identity.session_name, loop.wall()), token);
  const net::Request request = post(body.reveal());
  Result<Reply> reply = co_await exchange(loop, access.origin, access.http, request);
  if (!reply) co_return fail(with_subject(std::move(reply.error()), kWebIdentity, subject));
  auto credentials = judge_reply(kWebIdentity, *reply, subject, &parse_sts_answer);
  if (!credentials) co_return fail(credentials.error());
  co_return Issued{std::move(*credentials), reply->server_time};
}

}  // namespace messina::aws
