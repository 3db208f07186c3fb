// The recording with authorisation enforced. It left the signatures out, so each request is signed anew, as
// its name says.
#include <iostream>

#include <gtest/gtest.h>

#include "sim/engine/engine.h"
#include "tests/replay/recording.h"

namespace messina::replay {
namespace {

constexpr const char* kRole = "alternator";
constexpr const char* kSecret = "the role's salted hash";

struct Signing {
  std::string role = kRole;
  std::string secret = kSecret;
  std::string region = "us-east-1";
  std::string service = "dynamodb";
};

/// How the exchange of that name was signed.
Signing signing_of(const std::string& name) {
  Signing signing;
  if (name == "wrong secret") signing.secret = "another";
  if (name == "unknown role") signing.role = "nobody";
  if (name == "other region") signing.region = "mars-1";
  if (name == "other service") signing.service = "s3";
  return signing;
}

void sign(sim::Request& request, const Exchange& exchange, const std::string& date) {
  const Signing signing = signing_of(exchange.name);
  const std::string scope =
      date.substr(0, 8) + "/" + signing.region + "/" + signing.service + "/aws4_request";
  constexpr std::string_view kSigned = "host;x-amz-date;x-amz-target";
  sim::Request as_signed = request;
  if (exchange.name == "body changed") as_signed.body = "{}";
  if (exchange.name == "header changed") {
    for (auto& [name, value] : as_signed.headers) {
      if (name == "X-Amz-Target") value = "DynamoDB_20120810.ListTables";
    }
  }
  const std::string signature = sim::expected_signature(as_signed, signing.secret, date, scope, kSigned);
  request.headers.emplace_back("Authorization", "AWS4-HMAC-SHA256 Credential=" + signing.role + "/" + scope +
                                                    ", SignedHeaders=" + std::string(kSigned) +
                                                    ", Signature=" + signature);
}

TEST(AuthReplay, RefusesAsTheRealServerDid) {
  std::string why;
  const auto folder = recordings_folder(why);
  if (!folder) {
    std::cerr << why << "\n";
    GTEST_SKIP() << why;
  }
  const auto exchanges = read_recording(*folder + "/scylla-5.2/alternator-auth.jsonl");
  ASSERT_EQ(exchanges.size(), 12u);
  ManualClock clock;
  clock.set_wall(WallTime(std::chrono::seconds(1'795'343'530)));  // 2026-11-22T10:32:10Z
  sim::EngineSettings settings;
  settings.personality = sim::alternator(sim::ScyllaVersion::v5_2);
  settings.auth = {kRole, Secret(kSecret), {}, {}};
  sim::Engine engine(settings, clock);
  for (const Exchange& exchange : exchanges) {
    SCOPED_TRACE(exchange.name);
    sim::Request request;
    request.headers.emplace_back("Host", "127.0.0.1:28000");
    for (const auto& [name, value] : exchange.headers) {
      if (name != "Authorization") request.headers.emplace_back(name, value);
    }
    request.body = exchange.body;
    const auto date = exchange.headers.find("X-Amz-Date");
    if (exchange.name == "garbage authorization") {
      request.headers.emplace_back("Authorization", "Bearer x");
    } else if (date != exchange.headers.end()) {
      sign(request, exchange, date->second);
    }
    const sim::Answer answer = engine.handle(request);
    EXPECT_EQ(answer.status, exchange.status) << *answer.body;
    if (exchange.status == 200) {
      EXPECT_EQ(comparable(*answer.body), comparable(exchange.answer));
    } else {
      EXPECT_EQ(*answer.body, exchange.answer);
    }
  }
}

}  // namespace
}  // namespace messina::replay
