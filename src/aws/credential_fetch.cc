#include "aws/credential_fetch.h"

#include "aws/credential_answers.h"
#include "aws/credential_process.h"
#include "aws/metadata_service.h"
#include "aws/sso.h"
#include "aws/sts.h"
#include "base/log.h"

namespace messina::aws {
namespace {

/// STS and IAM Identity Center: a person waits for the first answer, and a job for the next.
constexpr std::chrono::seconds kServicePatience{10};

Error told_by(const Recipe& recipe, Error error) {
  error.message = fmt::format("{}: {}", recipe.told, error.message);
  return error;
}

std::string_view without_line_end(std::string_view text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

}  // namespace

CredentialFetcher::CredentialFetcher(net::EventLoop& loop, FetchSettings settings)
    : loop_(loop), settings_(std::move(settings)) {}

Result<net::Origin> CredentialFetcher::origin_of(const Service& service, const std::string& region) const {
  auto endpoint = resolve_endpoint(service, {}, region, settings_.environment, settings_.profiles);
  if (!endpoint) return fail(endpoint.error());
  return std::move(endpoint->origin);
}

net::ClientOptions CredentialFetcher::http_for(const net::Origin& origin) const {
  net::ClientOptions options;
  options.tls = settings_.tls;
  options.answer_timeout = kServicePatience;
  if (settings_.proxy_for) options.proxy = settings_.proxy_for(origin);
  return options;
}

Task<Result<Issued>> CredentialFetcher::fetch(RecipePtr recipe) {
  const auto self = shared_from_this();  // until the answer is there
  const Recipe& what = *recipe;
  if (const auto* keys = std::get_if<KeySource>(&what.source)) co_return Issued{keys->keys};
  if (const auto* role = std::get_if<RoleSource>(&what.source)) co_return co_await from(what, *role);
  if (const auto* identity = std::get_if<WebIdentitySource>(&what.source))
    co_return co_await from(what, *identity);
  if (const auto* sso = std::get_if<SsoSource>(&what.source)) co_return co_await from(what, *sso);
  if (const auto* process = std::get_if<ProcessSource>(&what.source)) co_return co_await from(what, *process);
  if (const auto* container = std::get_if<ContainerSource>(&what.source))
    co_return co_await from(what, *container);
  co_return co_await ask_instance(loop_, std::get<InstanceSource>(what.source));
}

Task<Result<Issued>> CredentialFetcher::from(const Recipe& recipe, const RoleSource& role) {
  Result<Issued> base = co_await fetch(role.base);
  if (!base) co_return base;
  auto origin = origin_of(kStsService, settings_.region);
  if (!origin) co_return fail(told_by(recipe, origin.error()));
  StsAccess access{*origin, settings_.region, http_for(*origin), &clocks_};
  std::string subject = fmt::format("{}: role {}", recipe.told, role.role_arn);
  co_return co_await assume_role(loop_, std::move(access), role, base->credentials, std::move(subject));
}

Task<Result<Issued>> CredentialFetcher::from(const Recipe& recipe, const WebIdentitySource& identity) {
  const auto text = settings_.read_file(identity.token_file);
  if (!text)
    co_return fail(ErrorKind::config, fmt::format("{}: the web identity token's file {} cannot be read",
                                                  recipe.told, identity.token_file));
  const Secret token{std::string(without_line_end(*text))};
  if (token.empty())
    co_return fail(ErrorKind::config, fmt::format("{}: the web identity token's file {} is empty",
                                                  recipe.told, identity.token_file));
  auto origin = origin_of(kStsService, settings_.region);
  if (!origin) co_return fail(told_by(recipe, origin.error()));
  StsAccess access{*origin, settings_.region, http_for(*origin), &clocks_};
  std::string subject = fmt::format("{}: role {}", recipe.told, identity.role_arn);
  co_return co_await assume_role_with_web_identity(loop_, std::move(access), identity, token.reveal(),
                                                   std::move(subject));
}

Task<Result<Issued>> CredentialFetcher::from(const Recipe& recipe, const SsoSource& sso) {
  auto portal = origin_of(kSsoService, sso.region);
  if (!portal) co_return fail(told_by(recipe, portal.error()));
  auto oidc = origin_of(kSsoOidcService, sso.region);
  if (!oidc) co_return fail(told_by(recipe, oidc.error()));
  SsoAccess access{*portal, *oidc, http_for(*portal), http_for(*oidc), settings_.read_file};
  std::string subject = recipe.told;
  co_return co_await ask_identity_center(loop_, std::move(access), sso, std::move(subject));
}

Task<Result<Issued>> CredentialFetcher::from(const Recipe& recipe, const ProcessSource& process) {
  Result<Secret> printed = co_await run_credential_process(loop_, process.command, kProcessPatience);
  auto credentials = printed ? parse_process_output(printed->reveal()) : fail(printed.error());
  if (!credentials)
    co_return fail(credentials.error().kind, fmt::format("{}: its credential_process gave no credentials: {}",
                                                         recipe.told, credentials.error().message));
  co_return Issued{std::move(*credentials)};
}

Task<Result<Issued>> CredentialFetcher::from(const Recipe& recipe, const ContainerSource& container) {
  Secret authorization = container.token;
  if (!container.token_file.empty()) {
    const auto text = settings_.read_file(container.token_file);
    if (!text)
      co_return fail(ErrorKind::config,
                     fmt::format("{}: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names {}, which "
                                 "cannot be read",
                                 recipe.told, container.token_file));
    authorization = Secret(std::string(without_line_end(*text)));
  }
  if (authorization.reveal().find_first_of("\r\n") != std::string_view::npos)
    co_return fail(ErrorKind::config,
                   fmt::format("{}: the container's authorization token holds a line break", recipe.told));
  const std::string_view token = authorization.reveal();
  co_return co_await ask_container(loop_, container, token);
}

}  // namespace messina::aws
