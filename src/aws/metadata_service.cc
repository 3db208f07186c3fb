#include "aws/metadata_service.h"

#include "aws/classify.h"
#include "aws/credential_answers.h"
#include "aws/credential_http.h"
#include "aws/node_set.h"
#include "base/log.h"

namespace messina::aws {
namespace {

/// What a status other than 200 means.
std::unexpected<Error> refused(const std::string& subject, const Reply& reply) {
  const Refusal refusal = parse_json_refusal(reply.body.reveal(), {});
  const bool passing = reply.status >= 500 || reply.status == 429;
  std::string message = fmt::format("{} was answered HTTP {}", subject, reply.status);
  for (const std::string& word : {refusal.code, refusal.message})
    if (!word.empty()) message += ": " + clean_message(word);
  return fail(passing ? ErrorKind::transient : ErrorKind::denied, std::move(message));
}

Result<Issued> issued(const std::string& subject, const Reply& reply) {
  auto credentials = parse_metadata_answer(reply.body.reveal());
  if (!credentials)
    return fail(credentials.error().kind, fmt::format("{}: {}", subject, credentials.error().message));
  return Issued{std::move(*credentials), reply.server_time};
}

std::string instance_name(const InstanceSource& instance) {
  return fmt::format("the EC2 metadata service at {}", host_header(instance.origin));
}

std::unexpected<Error> nothing_there(ErrorKind kind, const InstanceSource& instance, std::string_view why) {
  return fail(kind, fmt::format("{} {}", instance_name(instance), why), std::string(kNoMetadata));
}

/// While the service cannot get new credentials it gives out old ones, and AWS takes them longer (AWS SDKs
/// and Tools Reference Guide, "IMDS credential provider": static stability). They are asked for again soon.
void extend_outlived(Issued& issued, WallTime wall) {
  static constexpr std::chrono::minutes kExtension{10};
  const WallTime now = issued.server_time.value_or(wall);
  if (*issued.credentials.expires > now) return;
  log::warn("the EC2 metadata service gives out credentials past their end: using them");
  issued.credentials.expires = now + kExtension;
}

bool is_header_text(std::string_view text) {
  for (const char c : text)
    if (c <= ' ' || c > '~') return false;
  return !text.empty();
}

Task<Result<Secret>> session_token(net::EventLoop& loop, const InstanceSource& instance) {
  net::Request request;
  request.method = "PUT";
  request.target = "/latest/api/token";
  request.headers.add("x-aws-ec2-metadata-token-ttl-seconds", "21600");
  const net::ClientOptions options = nearby(kInstancePatience);
  Result<Reply> reply = co_await exchange(loop, instance.origin, options, request);
  if (!reply) co_return nothing_there(ErrorKind::transient, instance, "cannot be reached");
  if (reply->status == 403)
    co_return nothing_there(ErrorKind::denied, instance, "is switched off (HTTP 403)");
  if (reply->status >= 500)
    co_return nothing_there(ErrorKind::transient, instance,
                            fmt::format("was answering HTTP {}", reply->status));
  if (reply->status != 200 || !is_header_text(reply->body.reveal()))
    co_return nothing_there(ErrorKind::config, instance, "does not speak IMDSv2");
  co_return std::move(reply->body);
}

Task<Result<Reply>> get(net::EventLoop& loop, const InstanceSource& instance, std::string target,
                        const Secret& token) {
  net::Request request;
  request.method = "GET";
  request.target = std::move(target);
  request.headers.add("x-aws-ec2-metadata-token", std::string(token.reveal()));
  const net::ClientOptions options = nearby(kInstancePatience);
  co_return co_await exchange(loop, instance.origin, options, request);
}

}  // namespace

Task<Result<Issued>> ask_container(net::EventLoop& loop, const ContainerSource& container,
                                   std::string_view authorization) {
  const std::string subject = "the container's credentials service at " + host_header(container.origin);
  net::Request request;
  request.method = "GET";
  request.target = container.target;
  if (!authorization.empty()) request.headers.add("Authorization", std::string(authorization));
  const net::ClientOptions options = nearby(kContainerPatience);
  Result<Reply> reply = co_await exchange(loop, container.origin, options, request);
  if (!reply)
    co_return fail(reply.error().kind, fmt::format("{} does not answer: {}", subject, reply.error().message));
  if (reply->status != 200) co_return refused(subject, *reply);
  co_return issued(subject, *reply);
}

Task<Result<Issued>> ask_instance(net::EventLoop& loop, const InstanceSource& instance) {
  static constexpr std::string_view kRoles = "/latest/meta-data/iam/security-credentials/";
  Result<Secret> token = co_await session_token(loop, instance);
  if (!token) co_return fail(token.error());
  std::string target(kRoles);
  Result<Reply> roles = co_await get(loop, instance, target, *token);
  if (!roles) co_return nothing_there(ErrorKind::transient, instance, "cannot be reached");
  const std::string subject = instance_name(instance);
  if (roles->status == 404)
    co_return nothing_there(ErrorKind::config, instance, "knows no role of this instance");
  if (roles->status != 200) co_return refused(subject, *roles);
  const auto lines = roles->body.reveal();
  const std::string role(lines.substr(0, lines.find_first_of("\r\n")));
  if (!is_header_text(role))
    co_return nothing_there(ErrorKind::config, instance, "knows no role of this instance");
  target += role;
  Result<Reply> reply = co_await get(loop, instance, target, *token);
  if (!reply) co_return fail(reply.error().kind, fmt::format("{}: {}", subject, reply.error().message));
  if (reply->status != 200) co_return refused(subject, *reply);
  Result<Issued> answer = issued(subject, *reply);
  if (answer) extend_outlived(*answer, loop.wall());
  co_return answer;
}

}  // namespace messina::aws
