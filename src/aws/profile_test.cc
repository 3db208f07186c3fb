#include "aws/profile.h"

#include <gtest/gtest.h>

#include "aws/credentials_test_support.h"
#include "aws/endpoint_resolve.h"

namespace messina::aws {
namespace {

TEST(Profiles, ReadsBothFilesAndTheCredentialsFileWins) {
  const auto profiles =
      profiles_of({}, {{kConfigFile,
                        "# comment\n[default]\nregion = eu-west-1 # here\n\n"
                        "[profile work]\nRegion=us-west-2\naws_access_key_id = FROMCONFIG\n"
                        "s3 =\n  max_concurrent_requests = 20\n"
                        "[sso-session x]\nsso_region = a\n"
                        "[services local]\ndynamodb =\r\n  endpoint_url = http://localhost:8000\r\n"},
                       {kCredentialsFile, "[work]\naws_access_key_id=FROMCREDENTIALS\n"}});
  EXPECT_EQ(profiles.get("default", "region"), "eu-west-1");
  EXPECT_EQ(profiles.get("work", "region"), "us-west-2");
  EXPECT_EQ(profiles.get("work", "s3.max_concurrent_requests"), "20");
  EXPECT_EQ(profiles.get("work", "aws_access_key_id"), "FROMCREDENTIALS");
  EXPECT_EQ(profiles.services.at("local").at("dynamodb.endpoint_url"), "http://localhost:8000");
  EXPECT_EQ(profiles.sso_sessions.at("x").at("sso_region"), "a");
  EXPECT_FALSE(profiles.find("x"));
}

TEST(Profiles, SaysFileAndLineButNotTheLine) {
  const auto loaded =
      load_profiles(environment_of({}), files_of({{kCredentialsFile, "[default]\nsecret-without-equals\n"}}));
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().kind, ErrorKind::config);
  EXPECT_EQ(loaded.error().message,
            "/home/ann/.aws/credentials, line 2: expected \"[section]\" or \"name = value\"");
}

TEST(Profiles, FilesAndProfileByEnvironment) {
  const Variables files = {{"/etc/c", "[profile a]\nregion=r1\n[profile b]\nregion=r2\n"},
                           {"/home/ann/k", "[a]\nx=y\n"}};
  const Variables variables = {
      {"AWS_CONFIG_FILE", "/etc/c"}, {"AWS_SHARED_CREDENTIALS_FILE", "~/k"}, {"AWS_PROFILE", "a"}};
  const auto profiles = profiles_of(variables, files);
  EXPECT_EQ(profiles.selected, "a");
  EXPECT_EQ(profiles.get("a", "x"), "y");
  EXPECT_EQ(profiles_of(variables, files, "b").selected, "b");
}

TEST(Region, FromTheFirstThatSaysOne) {
  const auto profiles = profiles_of({}, {{kConfigFile, "[default]\nregion = eu-north-1\n"}});
  EXPECT_EQ(resolve_region("us-east-2", environment_of({{"AWS_REGION", "x"}}), profiles), "us-east-2");
  EXPECT_EQ(resolve_region({}, environment_of({{"AWS_REGION", "a"}, {"AWS_DEFAULT_REGION", "b"}}), profiles),
            "a");
  EXPECT_EQ(resolve_region({}, environment_of({{"AWS_DEFAULT_REGION", "b"}}), profiles), "b");
  EXPECT_EQ(resolve_region({}, environment_of({}), profiles), "eu-north-1");
  EXPECT_EQ(resolve_region({}, environment_of({}), Profiles{}).error().kind, ErrorKind::config);
  EXPECT_EQ(resolve_region("evil.example.com/", environment_of({}), Profiles{}).error().kind,
            ErrorKind::config);
}

TEST(EndpointResolve, HostByPartition) {
  EXPECT_EQ(dynamodb_host("us-east-1"), "dynamodb.us-east-1.amazonaws.com");
  EXPECT_EQ(dynamodb_host("us-gov-west-1"), "dynamodb.us-gov-west-1.amazonaws.com");
  EXPECT_EQ(dynamodb_host("cn-north-1"), "dynamodb.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(dynamodb_host("us-iso-east-1"), "dynamodb.us-iso-east-1.c2s.ic.gov");
  EXPECT_EQ(dynamodb_host("us-isob-east-1"), "dynamodb.us-isob-east-1.sc2s.sgov.gov");
}

TEST(EndpointResolve, EachServiceHasItsOwnNames) {
  EXPECT_EQ(service_host(kStsService, "eu-west-1"), "sts.eu-west-1.amazonaws.com");
  EXPECT_EQ(service_host(kSsoService, "cn-north-1"), "portal.sso.cn-north-1.amazonaws.com.cn");
  const Variables variables = {{"AWS_ENDPOINT_URL_STS", "http://sts:1"},
                               {"AWS_ENDPOINT_URL_DYNAMODB", "http://db:1"}};
  const auto profiles = profiles_of(
      {}, {{kConfigFile, "[default]\nservices = s\n[services s]\nsso =\n  endpoint_url = http://sso:2\n"}});
  const auto host = [&](const Service& service) {
    return resolve_endpoint(service, {}, "us-east-1", environment_of(variables), profiles)->origin.host;
  };
  EXPECT_EQ(host(kStsService), "sts");
  EXPECT_EQ(host(kDynamoDbService), "db");
  EXPECT_EQ(host(kSsoService), "sso");
  EXPECT_EQ(host(kSsoOidcService), "oidc.us-east-1.amazonaws.com");
}

TEST(EndpointResolve, OverridesInOrder) {
  const auto profiles = profiles_of(
      {}, {{kConfigFile,
            "[default]\nservices = local\nendpoint_url = http://profile:1\n[services local]\ndynamodb =\n  "
            "endpoint_url = http://services:2\n"}});
  const Variables specific = {{"AWS_ENDPOINT_URL_DYNAMODB", "http://specific:3"},
                              {"AWS_ENDPOINT_URL", "http://all:4"}};
  const auto host = [&](const std::optional<std::string>& given, const Variables& variables,
                        const Profiles& p) {
    const auto resolved = resolve_dynamodb_endpoint(given, "us-east-1", environment_of(variables), p);
    return resolved ? resolved->origin.host : resolved.error().message;
  };
  EXPECT_EQ(host("https://given", specific, profiles), "given");
  EXPECT_EQ(host({}, specific, profiles), "specific");
  EXPECT_EQ(host({}, {{"AWS_ENDPOINT_URL", "http://all:4"}}, profiles), "all");
  EXPECT_EQ(host({}, {}, profiles), "services");
  auto without_services = profiles;
  without_services.services.clear();
  EXPECT_EQ(host({}, {}, without_services), "profile");
  EXPECT_EQ(host({}, {}, Profiles{}), "dynamodb.us-east-1.amazonaws.com");
  auto ignoring = specific;
  ignoring["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  EXPECT_EQ(host({}, ignoring, profiles), "dynamodb.us-east-1.amazonaws.com");
  EXPECT_EQ(host("http://given", ignoring, profiles), "given");
}

TEST(EndpointResolve, Urls) {
  EXPECT_EQ(parse_endpoint_url("http://localhost:8000/").value(), (net::Origin{"localhost", 8000, false}));
  EXPECT_EQ(parse_endpoint_url("https://vpce.example.com").value(),
            (net::Origin{"vpce.example.com", 443, true}));
  EXPECT_EQ(parse_endpoint_url("http://[::1]:8000").value(), (net::Origin{"::1", 8000, false}));
  for (const auto* bad : {"localhost:8000", "http://", "http://h:0", "http://h:70000", "http://h:8x",
                          "http://h/path", "http://[::1", "http://u:p@h"}) {
    const auto parsed = parse_endpoint_url(bad);
    ASSERT_FALSE(parsed.has_value()) << bad;
    EXPECT_EQ(parsed.error().kind, ErrorKind::config);
    EXPECT_EQ(parsed.error().message.find("u:p"), std::string::npos);
  }
}

TEST(CaBundle, EnvironmentBeforeProfile) {
  const auto profiles = profiles_of({}, {{kConfigFile, "[default]\nca_bundle = /a.pem\n"}});
  EXPECT_EQ(resolve_ca_bundle(environment_of({{"AWS_CA_BUNDLE", "/b.pem"}}), profiles), "/b.pem");
  EXPECT_EQ(resolve_ca_bundle(environment_of({}), profiles), "/a.pem");
  EXPECT_EQ(resolve_ca_bundle(environment_of({}), Profiles{}), "");
}

}  // namespace
}  // namespace messina::aws
