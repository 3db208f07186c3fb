#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/service_client.h"
#include "aws/service_endpoint.h"
#include "base/log.h"

namespace messina::aws {
namespace {

using testing::HasSubstr;

net::Environment environment(std::map<std::string, std::string> variables) {
  return [variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(std::string(name));
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

std::string resolved(SideService service, const ResolvedEndpoint& dynamodb,
                     std::map<std::string, std::string> variables = {}, const Profiles& profiles = {}) {
  const auto origin =
      resolve_service_endpoint(service, dynamodb, "us-east-1", environment(std::move(variables)), profiles);
  if (!origin) return origin.error().message;
  return fmt::format("{}{}:{}", origin->tls ? "https://" : "", origin->host, origin->port);
}

const ResolvedEndpoint kAws{{"dynamodb.us-east-1.amazonaws.com", 443, true}, true, "region"};

TEST(ServiceEndpoint, IsTheRegionsOwn) {
  EXPECT_EQ(resolved(SideService::streams, kAws), "https://streams.dynamodb.us-east-1.amazonaws.com:443");
  EXPECT_EQ(resolved(SideService::sts, kAws), "https://sts.us-east-1.amazonaws.com:443");
  EXPECT_EQ(side_service_host(SideService::kms, "cn-north-1"), "kms.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(signing_name(SideService::streams), "dynamodb");
  EXPECT_EQ(signing_name(SideService::kms), "kms");
}

TEST(ServiceEndpoint, IsWhereASimulatorIs) {
  const ResolvedEndpoint local{{"localhost", 8000, false}, false, "the endpoint given"};
  EXPECT_EQ(resolved(SideService::streams, local), "localhost:8000");
  // An interface endpoint of a VPC serves DynamoDB alone.
  const ResolvedEndpoint vpc{{"vpce-1.dynamodb.us-east-1.vpce.amazonaws.com", 443, true}, false, "given"};
  EXPECT_EQ(resolved(SideService::sts, vpc), "https://sts.us-east-1.amazonaws.com:443");
}

TEST(ServiceEndpoint, FollowsTheOverrides) {
  EXPECT_EQ(
      resolved(SideService::streams, kAws,
               {{"AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://s:1"}, {"AWS_ENDPOINT_URL", "http://all:2"}}),
      "s:1");
  EXPECT_EQ(resolved(SideService::kms, kAws, {{"AWS_ENDPOINT_URL", "http://all:2"}}), "all:2");
  EXPECT_EQ(resolved(SideService::kms, kAws,
                     {{"AWS_ENDPOINT_URL", "http://all:2"}, {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}}),
            "https://kms.us-east-1.amazonaws.com:443");
  EXPECT_THAT(resolved(SideService::sts, kAws, {{"AWS_ENDPOINT_URL_STS", "nonsense"}}),
              HasSubstr("AWS_ENDPOINT_URL_STS"));
  Profiles profiles;
  profiles.profiles["default"]["services"] = "mine";
  profiles.services["mine"]["sts.endpoint_url"] = "http://mine:3";
  EXPECT_EQ(resolved(SideService::sts, kAws, {}, profiles), "mine:3");
}

}  // namespace
}  // namespace messina::aws
