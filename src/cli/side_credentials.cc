#include "cli/side_credentials.h"

#include <optional>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <fmt/format.h>

#include "aws/credential_fetch.h"
#include "aws/credential_recipe.h"
#include "aws/metadata_service.h"
#include "aws/renewing_credentials.h"
#include "base/random.h"
#include "net/proxy.h"
#include "plan/draft.h"

namespace messina::cli {
namespace {

aws::ExplicitCredentials given_by(const plan::EndpointSpec& spec) {
  aws::ExplicitCredentials given;
  given.access_key = spec.access_key;
  given.secret_key = spec.secret_key;
  given.session_token = spec.session_token;
  given.profile = spec.profile;
  if (spec.role_arn)
    given.role = aws::GivenRole{*spec.role_arn, spec.role_session_name.value_or(""),
                                spec.role_external_id.value_or("")};
  return given;
}

std::unexpected<Error> about_side(const std::string& side, Error error) {
  error.message = fmt::format("the {}: {}", side, error.message);
  return fail(std::move(error));
}

std::unexpected<Error> nothing_found(const std::string& side, const std::vector<std::string>& tried,
                                     std::string_view why_needed) {
  return fail(ErrorKind::config,
              fmt::format("the {0} {1} and there are no credentials ({2}): set AWS_ACCESS_KEY_ID and "
                          "AWS_SECRET_ACCESS_KEY, or give --{0}-profile NAME",
                          side, why_needed, fmt::join(tried, "; ")));
}

std::string hint_of(const aws::Recipe& recipe) {
  if (const auto* keys = std::get_if<aws::KeySource>(&recipe.source)) return keys->keys.access_key;
  if (const auto* role = std::get_if<aws::RoleSource>(&recipe.source)) return role->role_arn;
  if (const auto* identity = std::get_if<aws::WebIdentitySource>(&recipe.source)) return identity->role_arn;
  if (const auto* sso = std::get_if<aws::SsoSource>(&recipe.source))
    return fmt::format("{} {}", sso->account_id, sso->role_name);
  return recipe.told;
}

aws::RenewingCredentials::Fetch fetch_of(net::EventLoop& home, const plan::EndpointSpec& spec,
                                         const aws::Profiles& profiles, bool on_aws, aws::RecipePtr recipe) {
  const net::Environment environment = net::process_environment();
  aws::FetchSettings settings;
  settings.region = spec.region;
  settings.environment = environment;
  settings.profiles = profiles;
  settings.read_file = aws::process_files();
  // A CA given for a stand-in of DynamoDB is nobody else's; one given for AWS is that of a proxy on the way
  // there.
  settings.tls.ca_file = on_aws ? spec.ca_file : aws::resolve_ca_bundle(environment, profiles);
  settings.proxy_for = [environment](const net::Origin& origin) {
    return net::proxy_from_environment(origin, environment);
  };
  const auto fetcher = std::make_shared<aws::CredentialFetcher>(home, std::move(settings));
  return [fetcher, recipe] { return fetcher->fetch(recipe); };
}

using First = Result<std::shared_ptr<const aws::Credentials>>;

/// The fetch of the first credentials, which goes on by itself when nobody waits for it any more.
struct FirstFetch {
  std::shared_ptr<aws::CredentialsProvider> provider;
  Stop over;  ///< asked for when it has ended, or the run is to stop
  std::optional<First> got;
};

/// A job that starts says at once what is wrong, but forgives a hiccup.
Task<void> fetch_first(Loop* home, std::shared_ptr<FirstFetch> fetch) {
  static constexpr int kAttempts = 3;
  static constexpr auto kPause = std::chrono::milliseconds(500);
  for (int attempt = 1;; ++attempt) {
    First got = co_await fetch->provider->get();
    const bool worth_it = !got && got.error().retryable() && got.error().code != aws::kNoMetadata;
    if (!worth_it || attempt == kAttempts) {
      fetch->got = std::move(got);
      fetch->over.request();
      co_return;
    }
    const Duration pause = kPause * attempt;
    co_await home->sleep_for(pause, &fetch->over);
    if (fetch->over.requested()) co_return;
  }
}

/// A process or a sign-in service may take minutes, and nothing is lost by going away meanwhile.
Task<First> first_ones(Loop* home, std::shared_ptr<aws::CredentialsProvider> provider, Stop* stop) {
  // Every source has deadlines of its own; this only wakes the wait now and then.
  static constexpr auto kLook = std::chrono::seconds(10);
  const auto fetch = std::make_shared<FirstFetch>();
  fetch->provider = std::move(provider);
  Stop::Registration stopping;
  if (stop != nullptr) stopping = stop->on_request([fetch] { fetch->over.request(); });
  asio::co_spawn(home->executor(), fetch_first(home, fetch), asio::detached);
  while (!fetch->over.requested()) co_await home->sleep_for(kLook, &fetch->over);
  if (!fetch->got) co_return fail(ErrorKind::stopped, "stopped before anything was done");
  co_return std::move(*fetch->got);
}

}  // namespace

Result<SideCredentials> open_credentials(const plan::EndpointSpec& spec, const std::string& side,
                                         const aws::ResolvedEndpoint& endpoint, const aws::Profiles& profiles,
                                         net::EventLoop& home, Stop* stop) {
  auto resolved = aws::resolve_credentials(given_by(spec), net::process_environment(), profiles);
  if (!resolved) return about_side(side, std::move(resolved.error()));
  const bool on_aws = endpoint.is_aws || plan::is_real_aws(spec);
  const bool needed = on_aws || spec.role_arn;
  const std::string_view why_needed = on_aws ? "is on AWS" : "is to assume a role";
  const aws::RecipePtr recipe = resolved->recipe;
  if (!recipe) {
    if (needed) return nothing_found(side, resolved->tried, why_needed);
    return SideCredentials();
  }
  if (const auto* keys = std::get_if<aws::KeySource>(&recipe->source))
    return SideCredentials{std::make_shared<aws::StaticCredentials>(keys->keys), hint_of(*recipe)};

  auto fetch = fetch_of(home, spec, profiles, on_aws, recipe);
  auto provider =
      aws::RenewingCredentials::make(home, recipe->told, std::move(fetch), Random(entropy_seed()));
  auto first = net::run_on(home, first_ones(&home, provider, stop));
  if (!first) {
    if (first.error().kind == ErrorKind::stopped) return fail(first.error());
    const bool nobody_there = resolved->last_resort && first.error().code == aws::kNoMetadata;
    if (!nobody_there) return about_side(side, std::move(first.error()));
    resolved->tried.push_back(first.error().message);
    if (needed) return nothing_found(side, resolved->tried, why_needed);
    return SideCredentials();
  }
  return SideCredentials{std::move(provider), hint_of(*recipe)};
}

}  // namespace messina::cli
