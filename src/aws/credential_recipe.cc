#include "aws/credential_recipe.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <boost/asio/ip/address.hpp>

#include "aws/endpoint_resolve.h"
#include "aws/sso_cache.h"
#include "base/log.h"

namespace messina::aws {
namespace {

/// Source: Amazon ECS Developer Guide, "Task IAM role".
constexpr std::string_view kEcsHost = "169.254.170.2";
/// Hosts that may be asked without TLS, beside loopback: ECS, EKS Pod Identity in both families.
constexpr std::array<std::string_view, 3> kPlainHosts = {kEcsHost, "169.254.170.23", "fd00:ec2::23"};
/// Source: Amazon EC2 User Guide, "Instance metadata".
constexpr std::string_view kMetadataHost = "169.254.169.254", kMetadataHostV6 = "fd00:ec2::254";

bool is_true(const std::optional<std::string>& text) {
  return text && (*text == "true" || *text == "True" || *text == "TRUE");
}

std::optional<Secret> secret(std::optional<std::string> text) {
  if (!text || text->empty()) return std::nullopt;
  return Secret(std::move(*text));
}

RecipePtr recipe(auto source, std::string told) {
  return std::make_shared<const Recipe>(Recipe{std::move(source), std::move(told)});
}

/// Null when neither half of the pair is there.
Result<RecipePtr> pair_of(const std::string& told, std::string_view key_name, std::string_view secret_name,
                          const std::optional<std::string>& access_key,
                          const std::optional<Secret>& secret_key,
                          const std::optional<Secret>& session_token) {
  const bool has_key = access_key && !access_key->empty();
  const bool has_secret = secret_key && !secret_key->empty();
  if (!has_key && !has_secret) return RecipePtr();
  if (!has_key || !has_secret)
    return fail(ErrorKind::config,
                fmt::format("{}: {} is set but {} is not", told, has_key ? key_name : secret_name,
                            has_key ? secret_name : key_name));
  return recipe(KeySource{{*access_key, *secret_key, session_token.value_or(Secret())}}, told);
}

class Resolver {
 public:
  Resolver(const ExplicitCredentials& given, const net::Environment& environment, const Profiles& profiles)
      : given_(given), environment_(environment), profiles_(profiles) {}

  Result<Resolution> run() {
    auto found = find();
    if (!found) return fail(found.error());
    out_.recipe = std::move(*found);
    if (out_.recipe && given_.role)
      out_.recipe = recipe(RoleSource{out_.recipe, given_.role->arn, given_.role->session_name,
                                      given_.role->external_id, std::nullopt},
                           out_.recipe->told);
    return std::move(out_);
  }

 private:
  using Found = Result<RecipePtr>;

  std::optional<std::string> variable(std::string_view name) const {
    auto value = environment_(name);
    if (value && value->empty()) return std::nullopt;
    return value;
  }
  std::optional<std::string> setting(const std::string& profile, std::string_view name) const {
    return profiles_.get(profile, name);
  }
  static std::string called(const std::string& profile) { return fmt::format("profile \"{}\"", profile); }
  static std::unexpected<Error> wrong(std::string message) {
    return fail(ErrorKind::config, std::move(message));
  }
  void tried(std::string clause) { out_.tried.push_back(std::move(clause)); }
  std::string in_neither_file() const {
    return fmt::format("is neither in {} nor in {}", profiles_.config_file, profiles_.credentials_file);
  }

  Found find() {
    auto found = pair_of("credentials", "the access key", "the secret key", given_.access_key,
                         given_.secret_key, given_.session_token);
    if (!found || *found) return found;
    tried("no access key was given");
    if (!given_.profile) {
      found = from_environment();
      if (!found || *found) return found;
      tried("AWS_ACCESS_KEY_ID is not set");
    }
    for (const auto step : {&Resolver::from_selected_profile, &Resolver::web_identity_of_environment,
                            &Resolver::from_container, &Resolver::from_instance}) {
      found = (this->*step)();
      if (!found || *found) return found;
    }
    return RecipePtr();
  }

  Found from_environment() {
    return pair_of("the environment", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                   variable("AWS_ACCESS_KEY_ID"), secret(variable("AWS_SECRET_ACCESS_KEY")),
                   secret(variable("AWS_SESSION_TOKEN")));
  }

  // ------------------------------------------------------------------------------------------ profiles

  Found from_selected_profile() {
    const std::string& name = profiles_.selected;
    if (!profiles_.find(name)) {
      if (profiles_.selected_by_name) return wrong(fmt::format("{} {}", called(name), in_neither_file()));
      tried(fmt::format("{} {}", called(name), in_neither_file()));
      return RecipePtr();
    }
    std::vector<std::string> path{name};
    auto found = from_profile(path);
    if (found && !*found) tried(fmt::format("{} has no credentials", called(name)));
    return found;
  }

  /// The last of `path`; those before it are the profiles that led here.
  Found from_profile(std::vector<std::string>& path) {
    const std::string name = path.back();
    // What a role is assumed with may carry a role_arn of its own beside its keys: then the keys count.
    if (path.size() > 1) {
      auto keys = keys_of(name);
      if (!keys || *keys) return keys;
    }
    if (setting(name, "role_arn"))
      return setting(name, "web_identity_token_file") ? web_identity_of(name) : role_of(path);
    if (setting(name, "web_identity_token_file"))
      return wrong(fmt::format("{} has web_identity_token_file but no role_arn", called(name)));
    for (const std::string_view key : {"sso_session", "sso_start_url", "sso_account_id"})
      if (setting(name, key)) return sso_of(name);
    if (setting(name, "login_session"))
      return wrong(fmt::format("{} gets its credentials by \"login_session\", which messina does not do: {}",
                               called(name), export_first(name)));
    auto keys = keys_of(name);
    if (!keys || *keys) return keys;
    if (auto command = setting(name, "credential_process"))
      return recipe(ProcessSource{std::move(*command)}, called(name));
    return RecipePtr();
  }

  static std::string export_first(const std::string& profile) {
    return fmt::format("run `eval \"$(aws configure export-credentials --profile {} --format env)\"` first",
                       profile);
  }

  Found keys_of(const std::string& name) {
    return pair_of(called(name), "aws_access_key_id", "aws_secret_access_key",
                   setting(name, "aws_access_key_id"), secret(setting(name, "aws_secret_access_key")),
                   secret(setting(name, "aws_session_token")));
  }

  Result<std::optional<std::uint32_t>> duration_of(const std::string& name) {
    const auto text = setting(name, "duration_seconds");
    if (!text) return std::optional<std::uint32_t>();
    std::uint32_t seconds = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
    if (error != std::errc() || end != text->data() + text->size() || seconds < kLeastRoleSeconds ||
        seconds > kMostRoleSeconds)
      return wrong(fmt::format("{}: duration_seconds must be a number from {} to {}", called(name),
                               kLeastRoleSeconds, kMostRoleSeconds));
    return std::optional(seconds);
  }

  Found web_identity_of(const std::string& name) {
    auto duration = duration_of(name);
    if (!duration) return fail(duration.error());
    return recipe(WebIdentitySource{*setting(name, "role_arn"), *setting(name, "web_identity_token_file"),
                                    setting(name, "role_session_name").value_or(""), *duration},
                  called(name));
  }

  Found role_of(std::vector<std::string>& path) {
    const std::string name = path.back();
    const auto source_profile = setting(name, "source_profile");
    const auto credential_source = setting(name, "credential_source");
    if (source_profile && credential_source)
      return wrong(
          fmt::format("{} has both source_profile and credential_source: leave one out", called(name)));
    if (!source_profile && !credential_source)
      return wrong(
          fmt::format("{} has a role_arn and nothing to assume it with: add source_profile, "
                      "credential_source or web_identity_token_file",
                      called(name)));
    if (setting(name, "mfa_serial"))
      return wrong(
          fmt::format("{} asks for an MFA code (mfa_serial), and nobody is there to type one when the "
                      "credentials are renewed: {}, or name a profile without mfa_serial",
                      called(name), export_first(name)));
    auto duration = duration_of(name);
    if (!duration) return fail(duration.error());
    auto base =
        source_profile ? source_of(path, *source_profile) : by_credential_source(name, *credential_source);
    if (!base) return base;
    return recipe(RoleSource{std::move(*base), *setting(name, "role_arn"),
                             setting(name, "role_session_name").value_or(""),
                             setting(name, "external_id").value_or(""), *duration},
                  called(name));
  }

  Found source_of(std::vector<std::string>& path, const std::string& source) {
    const std::string name = path.back();
    if (!profiles_.find(source))
      return wrong(fmt::format("{} names the source_profile \"{}\", which {}", called(name), source,
                               in_neither_file()));
    const bool met_before = std::ranges::find(path, source) != path.end();
    if (met_before && source == name) {
      // Keys and the role that they assume, in one profile.
      auto keys = keys_of(name);
      if (!keys || *keys) return keys;
    }
    path.push_back(source);
    if (met_before)
      return wrong(fmt::format("profiles name each other as source_profile in a circle ({}): break it",
                               fmt::join(path, " -> ")));
    auto found = from_profile(path);
    if (found && !*found)
      return wrong(
          fmt::format("{} names the source_profile \"{}\", which has no credentials", called(name), source));
    return found;
  }

  Found by_credential_source(const std::string& name, const std::string& source) {
    Found found = RecipePtr();
    std::string_view missing;
    if (source == "Environment") {
      found = from_environment();
      missing = "AWS_ACCESS_KEY_ID is not set";
    } else if (source == "EcsContainer") {
      found = from_container();
      missing = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set";
    } else if (source == "Ec2InstanceMetadata") {
      found = from_instance();
      out_.last_resort = false;  // it was named
      missing = "AWS_EC2_METADATA_DISABLED is true";
    } else {
      return wrong(fmt::format(
          "{}: credential_source must be Environment, EcsContainer or Ec2InstanceMetadata", called(name)));
    }
    if (found && !*found)
      return wrong(fmt::format("{} takes its credentials from {} (credential_source), and {}", called(name),
                               source, missing));
    return found;
  }

  Found sso_of(const std::string& name) {
    SsoSource sso;
    sso.profile = name;
    std::string cache_key;
    std::optional<std::string> region;
    std::string_view region_key = "sso_region";
    if (const auto session = setting(name, "sso_session")) {
      const auto section = profiles_.sso_sessions.find(*session);
      if (section == profiles_.sso_sessions.end())
        return wrong(fmt::format("{} names the sso_session \"{}\", which is not in {}", called(name),
                                 *session, profiles_.config_file));
      sso.renewable = true;
      cache_key = *session;
      region_key = "sso_region of its sso-session";
      if (const auto found = section->second.find("sso_region"); found != section->second.end())
        region = found->second;
    } else {
      cache_key = setting(name, "sso_start_url").value_or("");
      if (cache_key.empty())
        return wrong(fmt::format("{} lacks sso_start_url, or sso_session", called(name)));
      region = setting(name, "sso_region");
    }
    struct Needed {
      std::string_view key;
      std::optional<std::string> value;
      std::string& to;
    };
    for (Needed needed : {Needed{region_key, region, sso.region},
                          Needed{"sso_account_id", setting(name, "sso_account_id"), sso.account_id},
                          Needed{"sso_role_name", setting(name, "sso_role_name"), sso.role_name}}) {
      if (!needed.value || needed.value->empty())
        return wrong(
            fmt::format("{} lacks {}: run `aws configure sso --profile {}`", called(name), needed.key, name));
      needed.to = *needed.value;
    }
    sso.token_file = sso_token_file(variable("HOME").value_or(""), cache_key);
    return recipe(std::move(sso), called(name));
  }

  // -------------------------------------------------------------------------------- the machine's own

  Found web_identity_of_environment() {
    const auto file = variable("AWS_WEB_IDENTITY_TOKEN_FILE");
    if (!file) {
      tried("AWS_WEB_IDENTITY_TOKEN_FILE is not set");
      return RecipePtr();
    }
    const auto arn = variable("AWS_ROLE_ARN");
    if (!arn) return wrong("the environment: AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not");
    return recipe(
        WebIdentitySource{*arn, *file, variable("AWS_ROLE_SESSION_NAME").value_or(""), std::nullopt},
        "the environment");
  }

  Found from_container() {
    const auto relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const auto full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (!relative && !full) {
      tried("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set");
      return RecipePtr();
    }
    ContainerSource container;
    if (relative) {
      if (!relative->starts_with('/'))
        return wrong("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with \"/\"");
      container.origin = {std::string(kEcsHost), 80, false};
      container.target = *relative;
    } else if (auto split = split_full_uri(*full, container); !split) {
      return fail(split.error());
    }
    const auto clean = [](std::string_view text) {
      return text.find_first_of(" \r\n") == std::string_view::npos;
    };
    if (!clean(container.target))
      return wrong("the container's credentials address holds a space or line break");
    container.token_file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").value_or("");
    container.token = Secret(variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or(""));
    return recipe(std::move(container), "the container");
  }

  Result<void> split_full_uri(const std::string& uri, ContainerSource& to) {
    static constexpr std::string_view kName = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    const auto scheme = uri.find("://");
    const auto path = scheme == std::string::npos ? scheme : uri.find_first_of("/?", scheme + 3);
    auto origin = parse_endpoint_url(std::string_view(uri).substr(0, path));
    if (!origin) return wrong(fmt::format("{}: {}", kName, origin.error().message));
    to.origin = std::move(*origin);
    to.target = path == std::string::npos ? "/" : uri.substr(path);
    if (to.target.starts_with('?')) to.target.insert(0, 1, '/');
    if (to.origin.tls || to.origin.host == "localhost" ||
        std::ranges::find(kPlainHosts, to.origin.host) != kPlainHosts.end())
      return {};
    boost::system::error_code no_address;
    const auto address = asio::ip::make_address(to.origin.host, no_address);
    if (!no_address && address.is_loopback()) return {};
    return wrong(
        fmt::format("{} names {}, which may not be asked without TLS: only https, loopback and the "
                    "addresses of ECS and EKS are allowed",
                    kName, to.origin.host));
  }

  Found from_instance() {
    if (is_true(variable("AWS_EC2_METADATA_DISABLED"))) {
      tried("AWS_EC2_METADATA_DISABLED is true");
      return RecipePtr();
    }
    const auto either = [&](std::string_view name, std::string_view key) {
      const auto value = variable(name);
      return value ? value : setting(profiles_.selected, key);
    };
    InstanceSource instance;
    instance.origin = {std::string(kMetadataHost), 80, false};
    if (const auto url = either("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")) {
      auto origin = parse_endpoint_url(*url);
      if (!origin) return wrong("AWS_EC2_METADATA_SERVICE_ENDPOINT: " + origin.error().message);
      instance.origin = std::move(*origin);
    } else if (const auto mode =
                   either("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
               mode && (*mode == "IPv6" || *mode == "ipv6")) {
      instance.origin.host = kMetadataHostV6;
    }
    out_.last_resort = true;
    return recipe(std::move(instance), "this machine");
  }

  const ExplicitCredentials& given_;
  const net::Environment& environment_;
  const Profiles& profiles_;
  Resolution out_;
};

}  // namespace

Result<Resolution> resolve_credentials(const ExplicitCredentials& given, const net::Environment& environment,
                                       const Profiles& profiles) {
  return Resolver(given, environment, profiles).run();
}

}  // namespace messina::aws
