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
  append_parameter(body, "Version", "2011-06-15");
  append_parameter(body, "RoleArn", role_arn);
  append_parameter(body, "RoleSessionName", session_name);
  if (duration_s) append_parameter(body, "DurationSeconds", std::to_string(*duration_s));
  return body;
}

/// CloudTrail shows it.
std::string session_name(const std::string& given, WallTime now) {
  return given.empty() ? fmt::format("messina-{}", std::chrono::system_clock::to_time_t(now)) : given;
}

/// The answer's meaning, whichever of the two calls it was.
Result<Issued> judge_reply(const Operation& operation, const Reply& reply, std::string_view subject) {
  if (reply.status != 200) {
    const Refusal refusal = parse_sts_refusal(reply.body.reveal());
    Error error = classify_code(operation, reply.status, refusal.code, refusal.message, subject);
    // The identity provider did not answer STS in time (API Reference: "retry your request").
    if (refusal.code == "IDPCommunicationError") error.kind = ErrorKind::transient;
    return fail(std::move(error));
  }
  auto credentials = parse_sts_answer(reply.body.reveal());
  if (!credentials)
    return fail(credentials.error().kind,
                fmt::format("{}: {}: {}", subject, operation.name, credentials.error().message));
  return Issued{std::move(*credentials), reply.server_time};
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
  const Secret body = assume_role_body(role, session_name(role.session_name, loop.wall()));
  Signer signer;
  for (bool corrected = false;;) {
    net::Request request = post(body.reveal());
    request.headers.add("Host", host_header(access.origin));
    SigningRequest signing;
    signing.headers = &request.headers;
    signing.body_digest = sha256(request.body);
    signing.region = access.region;
    signing.service = "sts";
    signing.time = access.clocks->at(access.origin, loop.wall());
    request.headers.append(signer.sign(signing, base));
    Result<Reply> reply = co_await exchange(loop, access.origin, access.http, request);
    if (!reply) co_return fail(with_subject(std::move(reply.error()), kAssumeRole, subject));
    Result<Issued> issued = judge_reply(kAssumeRole, *reply, subject);
    if (issued || corrected) co_return issued;
    corrected = access.clocks->correct(access.origin, issued.error(), reply->headers, signing.time,
                                       loop.wall(), subject);
    if (!corrected) co_return issued;
  }
}

Task<Result<Issued>> assume_role_with_web_identity(net::EventLoop& loop, StsAccess access,
                                                   const WebIdentitySource& identity, std::string_view token,
                                                   std::string subject) {
  const Secret body = web_identity_body(identity, session_name(identity.session_name, loop.wall()), token);
  const net::Request request = post(body.reveal());
  Result<Reply> reply = co_await exchange(loop, access.origin, access.http, request);
  if (!reply) co_return fail(with_subject(std::move(reply.error()), kWebIdentity, subject));
  co_return judge_reply(kWebIdentity, *reply, subject);
}

}  // namespace messina::aws
