#include "aws/sso.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include "aws/classify.h"
#include "aws/credential_answers.h"
#include "base/log.h"

namespace messina::aws {
namespace {

constexpr Operation kGetRoleCredentials{"GetRoleCredentials", OperationKind::read};
constexpr Operation kCreateToken{"CreateToken", OperationKind::read};
/// Source: the AWS SDKs' SSO token provider.
constexpr std::chrono::minutes kRenewBefore{5};

std::unexpected<Error> log_in_again(const SsoSource& sso, std::string_view subject, std::string_view why) {
  return fail(ErrorKind::expired,
              fmt::format("{}: {}: run `aws sso login --profile {}`, then the same command again", subject,
                          why, sso.profile));
}

/// Whole or not at all, and for the owner's eyes only. 0, or an errno.
int replace_file(const std::string& path, std::string_view content) {
  const std::string fresh = fmt::format("{}.{}", path, getpid());
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return errno;
  int error = 0;
  while (!content.empty() && error == 0) {
    const auto written = write(file, content.data(), content.size());
    if (written < 0)
      error = errno;
    else
      content.remove_prefix(static_cast<std::size_t>(written));
  }
  if (close(file) != 0 && error == 0) error = errno;
  if (error == 0 && rename(fresh.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) unlink(fresh.c_str());
  return error;
}

Error portal_error(const Operation& operation, const Reply& reply, std::string_view subject) {
  const auto type = reply.headers.find("x-amzn-ErrorType");
  const Refusal refusal = parse_json_refusal(reply.body.reveal(), type.value_or(""));
  return classify_code(operation, reply.status, refusal.code, refusal.message, subject);
}

/// The token with which CreateToken answered.
Task<Result<SsoToken>> renew(net::EventLoop& loop, const SsoAccess& access, const SsoToken& token,
                             const std::string& subject) {
  const Secret body = renewal_request(token);
  net::Request request;
  request.target = "/token";
  request.headers.add("Content-Type", "application/json");
  request.body = body.reveal();
  Result<Reply> reply = co_await exchange(loop, access.oidc, access.oidc_http, request);
  if (!reply)
    co_return fail(reply.error().kind, fmt::format("{}: CreateToken: {}", subject, reply.error().message));
  if (reply->status != 200) co_return fail(portal_error(kCreateToken, *reply, subject));
  co_return renewed(token, reply->body.reveal(), loop.wall());
}

/// The login's token, renewed if it is time.
Task<Result<SsoToken>> login_token(net::EventLoop& loop, const SsoAccess& access, const SsoSource& sso,
                                   const std::string& subject) {
  const auto text = access.read_file(sso.token_file);
  if (!text) co_return log_in_again(sso, subject, "nobody is logged in to IAM Identity Center");
  Result<SsoToken> token = parse_sso_token(*text);
  if (!token)
    co_return log_in_again(sso, subject,
                           fmt::format("{} is no token ({})", sso.token_file, token.error().message));
  const bool dead = token->expires <= loop.wall();
  const bool ends_soon = token->expires <= loop.wall() + kRenewBefore;
  if (ends_soon && sso.renewable && can_renew(*token, loop.wall())) {
    Result<SsoToken> fresh = co_await renew(loop, access, *token, subject);
    if (fresh) {
      if (const int error = replace_file(sso.token_file, fresh->document); error != 0)
        log::warn("{}: the renewed login cannot be written to {}: {}", subject, sso.token_file,
                  std::strerror(error));
      co_return fresh;
    }
    if (dead && fresh.error().retryable()) co_return fresh;
  }
  if (dead) co_return log_in_again(sso, subject, "the login to IAM Identity Center has expired");
  co_return token;
}

}  // namespace

Task<Result<Issued>> ask_identity_center(net::EventLoop& loop, SsoAccess access, const SsoSource& sso,
                                         std::string subject) {
  Result<SsoToken> token = co_await login_token(loop, access, sso, subject);
  if (!token) co_return fail(token.error());
  net::Request request;
  request.method = "GET";
  request.target = "/federation/credentials?role_name=";
  append_percent_encoded(request.target, sso.role_name);
  request.target += "&account_id=";
  append_percent_encoded(request.target, sso.account_id);
  request.headers.add("x-amz-sso_bearer_token", std::string(token->access_token.reveal()));
  Result<Reply> reply = co_await exchange(loop, access.portal, access.portal_http, request);
  if (!reply)
    co_return fail(reply.error().kind,
                   fmt::format("{}: GetRoleCredentials: {}", subject, reply.error().message));
  if (reply->status == 401)
    co_return log_in_again(sso, subject, "the login to IAM Identity Center has expired");
  if (reply->status != 200) co_return fail(portal_error(kGetRoleCredentials, *reply, subject));
  auto credentials = parse_sso_answer(reply->body.reveal());
  if (!credentials)
    co_return fail(credentials.error().kind,
                   fmt::format("{}: GetRoleCredentials: {}", subject, credentials.error().message));
  co_return Issued{std::move(*credentials), reply->server_time};
}

}  // namespace messina::aws
