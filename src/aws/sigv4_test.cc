#include "aws/sigv4.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "aws/sigv4_vectors.h"

namespace messina::aws {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kSuiteTime = std::chrono::sys_days(std::chrono::year(2015) / 8 / 30) + 12h + 36min;

std::string signature_of(const net::Headers& headers) {
  const std::string authorization(headers.find("Authorization").value_or(""));
  const auto at = authorization.find("Signature=");
  return at == std::string::npos ? "" : authorization.substr(at + 10);
}

class SigV4Vectors : public testing::TestWithParam<vectors::Vector> {};

TEST_P(SigV4Vectors, SignsAsAwsPublished) {
  const auto& vector = GetParam();
  net::Headers headers;
  for (const auto& [name, value] : vector.headers) headers.add(name, value);
  SigningRequest request;
  request.method = vector.method;
  request.target = vector.target;
  request.headers = &headers;
  request.body_digest = sha256(vector.body);
  request.region = "us-east-1";
  request.service = "service";
  request.time = kSuiteTime;
  request.content_digest_header = vector.content_digest_header;
  Credentials credentials{"AKIDEXAMPLE", Secret(std::string(vectors::kSecretKey))};
  credentials.session_token = Secret(std::string(vector.token));

  Signer signer;
  const auto added = signer.sign(request, credentials);
  std::string signed_headers;
  EXPECT_EQ(signature_of(added), vector.signature) << canonical_request(request, added, signed_headers);
  EXPECT_EQ(added.find("x-amz-date"), "20150830T123600Z");
  EXPECT_EQ(added.find("x-amz-security-token").has_value(), !vector.token.empty());
}

INSTANTIATE_TEST_SUITE_P(Suite, SigV4Vectors, testing::ValuesIn(vectors::kVectors), [](const auto& each) {
  std::string name(each.param.name);
  std::ranges::replace(name, '-', '_');
  return name;
});

// The example of AWS's documentation, "Deriving the signing key".
TEST(SigV4, DerivesTheDocumentedSigningKey) {
  const Secret secret{std::string(vectors::kSecretKey)};
  EXPECT_EQ(to_hex(derive_signing_key(secret, "20150830", "us-east-1", "iam")),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
  EXPECT_EQ(to_hex(derive_signing_key(secret, "20120215", "us-east-1", "iam")),
            "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
}

TEST(SigV4, ReusesTheKeyOnlyWithinDayRegionAndSecret) {
  net::Headers headers;
  headers.add("Host", "example.amazonaws.com");
  SigningRequest request;
  request.headers = &headers;
  request.body_digest = sha256("");
  request.region = "us-east-1";
  request.service = "service";
  request.time = kSuiteTime;
  const Credentials first{"AKIDEXAMPLE", Secret(std::string(vectors::kSecretKey))};
  const Credentials second{"AKIDEXAMPLE", Secret("another")};
  SigningRequest next_day = request;
  next_day.time += 24h;
  SigningRequest other_region = request;
  other_region.region = "eu-west-1";

  Signer shared;
  const auto fresh = [](const SigningRequest& what, const Credentials& who) {
    Signer signer;
    return signature_of(signer.sign(what, who));
  };
  for (const auto* what : {&request, &next_day, &other_region, &request}) {
    for (const auto* who : {&first, &first, &second}) {
      EXPECT_EQ(signature_of(shared.sign(*what, *who)), fresh(*what, *who));
    }
  }
  EXPECT_NE(fresh(request, first), fresh(next_day, first));
  EXPECT_NE(fresh(request, first), fresh(other_region, first));
  EXPECT_NE(fresh(request, first), fresh(request, second));
}

}  // namespace
}  // namespace messina::aws
