#include "aws/credential_recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/credentials_test_support.h"

namespace messina::aws {
namespace {

const Variables kKeys = {
    {"AWS_ACCESS_KEY_ID", "ENV"}, {"AWS_SECRET_ACCESS_KEY", "e"}, {"AWS_SESSION_TOKEN", "et"}};

Result<Resolution> resolve(const Variables& variables, const Variables& files,
                           const ExplicitCredentials& given = {}) {
  return resolve_credentials(given, environment_of(variables), profiles_of(variables, files, given.profile));
}

/// With one config file and AWS_PROFILE=p.
Result<Resolution> of_profile(const std::string& config, Variables variables = {}) {
  variables["AWS_PROFILE"] = "p";
  return resolve(variables, {{kConfigFile, config}});
}

template <class Source>
Source expect(const Result<Resolution>& resolution) {
  if (!resolution) {
    ADD_FAILURE() << resolution.error().message;
    return {};
  }
  if (!resolution->recipe || !std::holds_alternative<Source>(resolution->recipe->source)) {
    ADD_FAILURE() << "another source";
    return {};
  }
  return std::get<Source>(resolution->recipe->source);
}

std::string key_of(const Result<Resolution>& resolution) {
  return expect<KeySource>(resolution).keys.access_key;
}

std::string error_of(const Result<Resolution>& resolution) {
  EXPECT_FALSE(resolution.has_value());
  if (resolution) return "no error";
  EXPECT_EQ(resolution.error().kind, ErrorKind::config);
  return resolution.error().message;
}

TEST(CredentialRecipe, TakesTheSourcesInOrder) {
  const Variables files = {
      {kCredentialsFile,
       "[default]\naws_access_key_id=DEFAULT\naws_secret_access_key=d\n"
       "[work]\naws_access_key_id=WORK\naws_secret_access_key=w\naws_session_token=t\n"}};
  const Variables machine = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"},
                             {"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"},
                             {"AWS_ROLE_ARN", "arn:r"}};
  Variables all = kKeys;
  all.insert(machine.begin(), machine.end());
  ExplicitCredentials given;
  EXPECT_EQ(key_of(resolve(machine, files)), "DEFAULT");
  EXPECT_EQ(key_of(resolve(all, files)), "ENV");
  EXPECT_EQ(expect<KeySource>(resolve(all, files)).keys.session_token.reveal(), "et");
  Variables with_profile = machine;
  with_profile["AWS_PROFILE"] = "work";
  EXPECT_EQ(expect<KeySource>(resolve(with_profile, files)).keys.session_token.reveal(), "t");
  given.profile = "work";
  EXPECT_EQ(key_of(resolve(all, files, given)), "WORK") << "a profile by flag goes before the environment";
  given.access_key = "GIVEN";
  given.secret_key = Secret("g");
  EXPECT_EQ(key_of(resolve(all, files, given)), "GIVEN");
  EXPECT_EQ(expect<WebIdentitySource>(resolve(machine, {})).token_file, "/t");
  EXPECT_EQ(
      expect<ContainerSource>(resolve({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"}}, {})).target,
      "/v2/x");
  EXPECT_EQ(expect<InstanceSource>(resolve({}, {})).origin, (net::Origin{"169.254.169.254", 80, false}));
  EXPECT_TRUE(resolve({}, {})->last_resort);
  EXPECT_FALSE(resolve(machine, {})->last_resort);
}

TEST(CredentialRecipe, ListsWhatWasTried) {
  const auto none = resolve({{"AWS_EC2_METADATA_DISABLED", "true"}}, {});
  ASSERT_TRUE(none.has_value());
  EXPECT_EQ(none->recipe, nullptr);
  EXPECT_THAT(none->tried,
              testing::ElementsAre("no access key was given", "AWS_ACCESS_KEY_ID is not set",
                                   "profile \"default\" is neither in /home/ann/.aws/config nor in "
                                   "/home/ann/.aws/credentials",
                                   "AWS_WEB_IDENTITY_TOKEN_FILE is not set",
                                   "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set",
                                   "AWS_EC2_METADATA_DISABLED is true"));
  const auto empty_profile = of_profile("[profile p]\nregion = eu-west-1\n");
  ASSERT_TRUE(empty_profile.has_value());
  EXPECT_EQ(empty_profile->tried.at(2), "profile \"p\" has no credentials");
}

TEST(CredentialRecipe, HalfAPairIsAnError) {
  EXPECT_EQ(error_of(resolve({{"AWS_ACCESS_KEY_ID", "AKIA"}}, {})),
            "the environment: AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not");
  EXPECT_EQ(error_of(of_profile("[profile p]\naws_secret_access_key = x\n")),
            "profile \"p\": aws_secret_access_key is set but aws_access_key_id is not");
}

TEST(CredentialRecipe, AProfileAskedForMustExist) {
  EXPECT_EQ(error_of(resolve({{"AWS_PROFILE", "gone"}}, {})),
            "profile \"gone\" is neither in /home/ann/.aws/config nor in /home/ann/.aws/credentials");
}

TEST(CredentialRecipe, RoleWithSourceProfile) {
  const auto role = expect<RoleSource>(of_profile(
      "[profile p]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\nrole_session_name = s\n"
      "external_id = e\nduration_seconds = 900\n"
      "[profile base]\naws_access_key_id = B\naws_secret_access_key = b\n"));
  EXPECT_EQ(role.role_arn, "arn:aws:iam::1:role/r");
  EXPECT_EQ(role.session_name, "s");
  EXPECT_EQ(role.external_id, "e");
  EXPECT_EQ(role.duration_s, 900u);
  ASSERT_NE(role.base, nullptr);
  EXPECT_EQ(role.base->told, "profile \"base\"");
  EXPECT_EQ(std::get<KeySource>(role.base->source).keys.access_key, "B");
}

TEST(CredentialRecipe, AChainOfRoles) {
  const auto outer =
      expect<RoleSource>(of_profile("[profile p]\nrole_arn = arn:outer\nsource_profile = middle\n"
                                    "[profile middle]\nrole_arn = arn:inner\nsource_profile = base\n"
                                    "[profile base]\ncredential_process = /bin/print\n"));
  ASSERT_NE(outer.base, nullptr);
  const auto& inner = std::get<RoleSource>(outer.base->source);
  EXPECT_EQ(inner.role_arn, "arn:inner");
  EXPECT_EQ(std::get<ProcessSource>(inner.base->source).command, "/bin/print");
}

TEST(CredentialRecipe, KeysGoBeforeTheRoleOfASourceProfile) {
  const auto role =
      expect<RoleSource>(of_profile("[profile p]\nrole_arn = arn:p\nsource_profile = p\naws_access_key_id = "
                                    "P\naws_secret_access_key = s\n"));
  EXPECT_EQ(std::get<KeySource>(role.base->source).keys.access_key, "P");
  const auto other =
      expect<RoleSource>(of_profile("[profile p]\nrole_arn = arn:p\nsource_profile = q\n"
                                    "[profile q]\nrole_arn = arn:q\nsource_profile = p\naws_access_key_id = "
                                    "Q\naws_secret_access_key = s\n"));
  EXPECT_EQ(std::get<KeySource>(other.base->source).keys.access_key, "Q");
}

TEST(CredentialRecipe, CirclesAreFound) {
  EXPECT_EQ(error_of(of_profile("[profile p]\nrole_arn = arn:p\nsource_profile = q\n"
                                "[profile q]\nrole_arn = arn:q\nsource_profile = r\n"
                                "[profile r]\nrole_arn = arn:r\nsource_profile = q\n")),
            "profiles name each other as source_profile in a circle (p -> q -> r -> q): break it");
  EXPECT_EQ(error_of(of_profile("[profile p]\nrole_arn = arn:p\nsource_profile = p\n")),
            "profiles name each other as source_profile in a circle (p -> p): break it");
}

TEST(CredentialRecipe, CredentialSources) {
  const std::string head = "[profile p]\nrole_arn = arn:p\ncredential_source = ";
  ExplicitCredentials by_flag;
  by_flag.profile = "p";
  const auto environment =
      expect<RoleSource>(resolve(kKeys, {{kConfigFile, head + "Environment\n"}}, by_flag));
  EXPECT_EQ(std::get<KeySource>(environment.base->source).keys.access_key, "ENV");
  const auto container =
      of_profile(head + "EcsContainer\n", {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"}});
  EXPECT_EQ(std::get<ContainerSource>(expect<RoleSource>(container).base->source).target, "/x");
  const auto instance = of_profile(head + "Ec2InstanceMetadata\n");
  EXPECT_TRUE(std::holds_alternative<InstanceSource>(expect<RoleSource>(instance).base->source));
  EXPECT_FALSE(instance->last_resort) << "it was asked for by name";
  EXPECT_EQ(error_of(of_profile(head + "Environment\n")),
            "profile \"p\" takes its credentials from Environment (credential_source), and AWS_ACCESS_KEY_ID "
            "is not set");
  EXPECT_EQ(error_of(of_profile(head + "Elsewhere\n")),
            "profile \"p\": credential_source must be Environment, EcsContainer or Ec2InstanceMetadata");
}

TEST(CredentialRecipe, SaysWhatARoleLacks) {
  EXPECT_EQ(
      error_of(of_profile("[profile p]\nrole_arn = arn:p\n")),
      "profile \"p\" has a role_arn and nothing to assume it with: add source_profile, credential_source or "
      "web_identity_token_file");
  EXPECT_EQ(error_of(of_profile(
                "[profile p]\nrole_arn = arn:p\nsource_profile = q\ncredential_source = Environment\n")),
            "profile \"p\" has both source_profile and credential_source: leave one out");
  EXPECT_EQ(error_of(of_profile("[profile p]\nrole_arn = arn:p\nsource_profile = q\n")),
            "profile \"p\" names the source_profile \"q\", which is neither in /home/ann/.aws/config nor in "
            "/home/ann/.aws/credentials");
  EXPECT_EQ(
      error_of(of_profile("[profile p]\nrole_arn = arn:p\nsource_profile = q\n[profile q]\nregion = r\n")),
      "profile \"p\" names the source_profile \"q\", which has no credentials");
  EXPECT_EQ(
      error_of(of_profile("[profile p]\nrole_arn = arn:p\nsource_profile = q\nmfa_serial = arn:mfa\n")),
      "profile \"p\" asks for an MFA code (mfa_serial), and nobody is there to type one when the credentials "
      "are "
      "renewed: run `eval \"$(aws configure export-credentials --profile p --format env)\"` first, or name a "
      "profile without mfa_serial");
  EXPECT_EQ(
      error_of(of_profile("[profile p]\nrole_arn = arn:p\nsource_profile = q\nduration_seconds = 60\n")),
      "profile \"p\": duration_seconds must be a number from 900 to 43200");
  EXPECT_EQ(
      error_of(of_profile("[profile p]\nlogin_session = x\n")),
      "profile \"p\" gets its credentials by \"login_session\", which messina does not do: run `eval \"$(aws "
      "configure export-credentials --profile p --format env)\"` first");
}

TEST(CredentialRecipe, WebIdentity) {
  const auto profile = expect<WebIdentitySource>(
      of_profile("[profile p]\nrole_arn = arn:p\nweb_identity_token_file = /t\nrole_session_name = s\n"));
  EXPECT_EQ(profile.role_arn, "arn:p");
  EXPECT_EQ(profile.token_file, "/t");
  EXPECT_EQ(profile.session_name, "s");
  EXPECT_EQ(error_of(of_profile("[profile p]\nweb_identity_token_file = /t\n")),
            "profile \"p\" has web_identity_token_file but no role_arn");
  const auto environment = expect<WebIdentitySource>(resolve(
      {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}, {"AWS_ROLE_ARN", "arn:e"}, {"AWS_ROLE_SESSION_NAME", "pod"}},
      {}));
  EXPECT_EQ(environment.session_name, "pod");
  EXPECT_EQ(error_of(resolve({{"AWS_WEB_IDENTITY_TOKEN_FILE", "/t"}}, {})),
            "the environment: AWS_WEB_IDENTITY_TOKEN_FILE is set but AWS_ROLE_ARN is not");
}

TEST(CredentialRecipe, IdentityCenterInBothForms) {
  const auto session = expect<SsoSource>(of_profile(
      "[profile p]\nsso_session = my-sso\nsso_account_id = 123\nsso_role_name = Reader\n"
      "[sso-session my-sso]\nsso_region = eu-west-1\nsso_start_url = https://d.awsapps.com/start\n"));
  EXPECT_EQ(session.region, "eu-west-1");
  EXPECT_EQ(session.account_id, "123");
  EXPECT_EQ(session.role_name, "Reader");
  EXPECT_TRUE(session.renewable);
  // printf my-sso | sha1sum
  EXPECT_EQ(session.token_file, "/home/ann/.aws/sso/cache/0ad374308c5a4e22f723adf10145eafad7c4031c.json");
  const auto legacy = expect<SsoSource>(of_profile(
      "[profile p]\nsso_start_url = https://d.awsapps.com/start\nsso_region = eu-west-1\n"
      "sso_account_id = 123\nsso_role_name = Reader\naws_access_key_id = NO\naws_secret_access_key = n\n"));
  EXPECT_FALSE(legacy.renewable);
  EXPECT_EQ(
      error_of(of_profile("[profile p]\nsso_session = gone\nsso_account_id = 123\nsso_role_name = r\n")),
      "profile \"p\" names the sso_session \"gone\", which is not in /home/ann/.aws/config");
  EXPECT_EQ(error_of(of_profile(
                "[profile p]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\n")),
            "profile \"p\" lacks sso_region of its sso-session: run `aws configure sso --profile p`");
  EXPECT_EQ(error_of(of_profile("[profile p]\nsso_start_url = u\nsso_region = r\nsso_account_id = 1\n")),
            "profile \"p\" lacks sso_role_name: run `aws configure sso --profile p`");
}

TEST(CredentialRecipe, AProcessComesAfterKeys) {
  EXPECT_EQ(
      expect<ProcessSource>(of_profile("[profile p]\ncredential_process = /opt/p --flag \"a b\"\n")).command,
      "/opt/p --flag \"a b\"");
  EXPECT_EQ(key_of(of_profile(
                "[profile p]\ncredential_process = /x\naws_access_key_id = K\naws_secret_access_key = s\n")),
            "K");
}

TEST(CredentialRecipe, AContainersAddressMustBeNear) {
  const auto ask = [](const std::string& uri) {
    return resolve({{"AWS_CONTAINER_CREDENTIALS_FULL_URI", uri}}, {});
  };
  EXPECT_EQ(expect<ContainerSource>(ask("http://169.254.170.23/v1/credentials")).target, "/v1/credentials");
  EXPECT_EQ(expect<ContainerSource>(ask("https://credentials.example.com:8443/a?b=c")).origin,
            (net::Origin{"credentials.example.com", 8443, true}));
  for (const auto* near :
       {"http://localhost:1/", "http://127.0.0.9:1/x", "http://[::1]:1/x", "http://[fd00:ec2::23]/x"})
    EXPECT_TRUE(ask(near).has_value()) << near;
  for (const auto* far : {"http://example.com/x", "http://10.0.0.1/x", "http://169.254.1.1/x"})
    EXPECT_FALSE(ask(far).has_value()) << far;
  EXPECT_EQ(
      error_of(ask("http://example.com/x")),
      "AWS_CONTAINER_CREDENTIALS_FULL_URI names example.com, which may not be asked without TLS: only https, "
      "loopback and the addresses of ECS and EKS are allowed");
  EXPECT_EQ(error_of(resolve({{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "x"}}, {})),
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with \"/\"");
}

TEST(CredentialRecipe, TheMetadataServiceMayBeElsewhere) {
  EXPECT_EQ(
      expect<InstanceSource>(resolve({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338"}}, {}))
          .origin,
      (net::Origin{"127.0.0.1", 1338, false}));
  EXPECT_EQ(
      expect<InstanceSource>(resolve({{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6"}}, {})).origin.host,
      "fd00:ec2::254");
}

TEST(CredentialRecipe, AGivenRoleIsAssumedWithWhateverIsFound) {
  ExplicitCredentials given;
  given.role = GivenRole{"arn:given", "s", "e"};
  const auto role = expect<RoleSource>(resolve(kKeys, {}, given));
  EXPECT_EQ(role.role_arn, "arn:given");
  EXPECT_EQ(role.external_id, "e");
  EXPECT_EQ(std::get<KeySource>(role.base->source).keys.access_key, "ENV");
  EXPECT_TRUE(resolve({}, {}, given)->last_resort);
}

}  // namespace
}  // namespace messina::aws
