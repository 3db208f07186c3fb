#include "sim/engine/auth.h"

#include <gtest/gtest.h>
#include <libdeflate.h>

#include "sim/engine/engine_test_support.h"
#include "sim/engine/json_scan.h"
#include "sim/engine/token.h"

namespace messina::sim::test {
namespace {

using namespace std::chrono_literals;

// AWS's published test suite of Signature Version 4, "get-vanilla" and "get-vanilla-query-order-key-case".
TEST(Auth, AgreesWithThePublishedVectors) {
  Request request;
  request.method = "GET";
  request.headers = {{"Host", "example.amazonaws.com"}, {"X-Amz-Date", "20150830T123600Z"}};
  constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  constexpr std::string_view kScope = "20150830/us-east-1/service/aws4_request";
  EXPECT_EQ(expected_signature(request, kSecret, "20150830T123600Z", kScope, "host;x-amz-date"),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  request.path = "/?Param2=value2&Param1=value1";
  EXPECT_EQ(expected_signature(request, kSecret, "20150830T123600Z", kScope, "host;x-amz-date"),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

struct Signed {
  std::string key = "AKID";
  std::string secret = "secret";
  std::string region = "us-east-1";
  std::string service = "dynamodb";
  std::string token = {};
  std::string names = "host;x-amz-date;x-amz-target";
};

Request sign(const Signed& how, const std::string& date, std::string_view body) {
  Request request;
  request.headers = {
      {"Host", "localhost"}, {"X-Amz-Date", date}, {"X-Amz-Target", "DynamoDB_20120810.ListTables"}};
  request.body = body;
  std::string names = how.names;
  if (!how.token.empty()) {
    request.headers.emplace_back("X-Amz-Security-Token", how.token);
    names = "host;x-amz-date;x-amz-security-token;x-amz-target";
  }
  const std::string scope = date.substr(0, 8) + "/" + how.region + "/" + how.service + "/aws4_request";
  request.headers.emplace_back(
      "Authorization", "AWS4-HMAC-SHA256 Credential=" + how.key + "/" + scope + ",SignedHeaders=" + names +
                           ",Signature=" + expected_signature(request, how.secret, date, scope, names));
  return request;
}

class AuthTest : public testing::Test {
 protected:
  // The client's clock stands at 2027-01-15T08:00:00Z.
  static constexpr const char* kNow = "20270115T080000Z";
  static EngineSettings settings(Personality personality, std::string token = {}) {
    EngineSettings settings = Client::with(std::move(personality));
    settings.auth = {"AKID", Secret("secret"), std::move(token), "us-east-1"};
    return settings;
  }
};

TEST_F(AuthTest, DynamoDbChecksKeyScopeDateAndToken) {
  Client client(settings(dynamodb()));
  const auto error = [&](const Signed& how, const char* date = kNow) {
    return Client::error_of(client.engine().handle(sign(how, date, "{}")));
  };
  EXPECT_EQ(error({}), "");
  EXPECT_EQ(error({.secret = "wrong"}), "InvalidSignatureException");
  EXPECT_EQ(error({.key = "OTHER"}), "UnrecognizedClientException");
  EXPECT_EQ(error({.region = "eu-west-1"}), "InvalidSignatureException");
  EXPECT_EQ(error({.service = "s3"}), "InvalidSignatureException");
  EXPECT_EQ(error({.token = "unasked"}), "UnrecognizedClientException");
  EXPECT_EQ(error({.names = "host;x-amz-date"}), "InvalidSignatureException");
  EXPECT_EQ(error({}, "20270115T074459Z"), "InvalidSignatureException");
  EXPECT_EQ(error({}, "20270115T074501Z"), "");
  EXPECT_EQ(error({}, "20270115T081501Z"), "InvalidSignatureException");
  EXPECT_EQ(client.error("ListTables", "{}"), "MissingAuthenticationTokenException");
  Request changed = sign({}, kNow, "{}");
  changed.body = "{ }";
  EXPECT_EQ(Client::error_of(client.engine().handle(changed)), "InvalidSignatureException");
  EXPECT_EQ(client.control("GET", "/_sim/stats").at("refused_signatures"), 10);
}

TEST_F(AuthTest, DynamoDbWantsItsSessionToken) {
  Client client(settings(dynamodb(), "token"));
  EXPECT_EQ(Client::error_of(client.engine().handle(sign({.token = "token"}, kNow, "{}"))), "");
  EXPECT_EQ(Client::error_of(client.engine().handle(sign({}, kNow, "{}"))), "UnrecognizedClientException");
}

TEST_F(AuthTest, CredentialsCanBeReplacedAndTheOldOnesAreExpired) {
  Client client(settings(dynamodb(), "token"));
  const auto error = [&](const Signed& how) {
    return Client::error_of(client.engine().handle(sign(how, kNow, "{}")));
  };
  client.control("POST", "/_sim/credentials",
                 R"({"access_key":"NEW","secret_key":"s2","session_token":"t2"})");
  EXPECT_EQ(error({.token = "token"}), "ExpiredTokenException");
  EXPECT_EQ(error({.key = "NEW", .secret = "s2", .token = "t2"}), "");
  EXPECT_EQ(error({.key = "NEW", .secret = "s2", .token = "token"}), "UnrecognizedClientException");
  client.control("POST", "/_sim/credentials", R"({"access_key":"AKID","secret_key":"secret"})");
  EXPECT_EQ(error({}), "") << "they may come back";
}

TEST_F(AuthTest, AlternatorIgnoresTokensButCountsThem) {
  Client client(settings(alternator(ScyllaVersion::v6_2)));
  EXPECT_EQ(Client::error_of(client.engine().handle(sign({.region = "mars", .token = "stray"}, kNow, "{}"))),
            "");
  EXPECT_EQ(client.control("GET", "/_sim/stats").at("session_tokens_seen"), 1);
}

TEST_F(AuthTest, CompressedBodiesAreSignedAsSent) {
  EngineSettings with_gzip = settings(alternator(ScyllaVersion::v6_2));
  with_gzip.personality.accepts_gzip = true;
  Client client(with_gzip);
  const std::string plain = R"({"Limit":5})";
  std::string packed(200, '\0');
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(6);
  packed.resize(
      libdeflate_gzip_compress(compressor, plain.data(), plain.size(), packed.data(), packed.size()));
  libdeflate_free_compressor(compressor);
  Request request = sign({}, kNow, packed);
  request.headers.emplace_back("Content-Encoding", "gzip");
  EXPECT_EQ(Client::error_of(client.engine().handle(request)), "");
  request = sign({}, kNow, plain);
  request.body = packed;
  request.headers.emplace_back("Content-Encoding", "gzip");
  EXPECT_EQ(Client::error_of(client.engine().handle(request)), "UnrecognizedClientException");
  packed.resize(packed.size() / 2);
  request = sign({}, kNow, packed);
  request.headers.emplace_back("Content-Encoding", "gzip");
  EXPECT_EQ(Client::error_of(client.engine().handle(request)), "ValidationException");
}

TEST(Token, IsScyllasMurmur3) {
  // Values of the Python driver's tests (tests/unit/test_metadata.py).
  EXPECT_EQ(token_of(""), 0);
  EXPECT_EQ(token_of("123"), -7468325962851647638);
  std::string bytes;
  for (int i = 0; i < 10; ++i) bytes.append("\x00\xff\x10\xfa\x99", 5);
  EXPECT_EQ(token_of(bytes), 5837342703291459765);
  EXPECT_EQ(token_of(std::string(8, '\xfe')), -8927430733708461935);
  EXPECT_EQ(token_of(std::string(8, '\x10')), 1446172840243228796);
}

TEST(Token, DecimalsKeepTheirScale) {
  EXPECT_EQ(decimal_bytes("1000"), std::string("\0\0\0\0\x03\xe8", 6));
  EXPECT_EQ(decimal_bytes("1E+3"), std::string("\xff\xff\xff\xfd\x01", 5));
  EXPECT_EQ(decimal_bytes("1e3"), decimal_bytes("1E+3"));
  EXPECT_EQ(decimal_bytes("1000.0"), std::string("\0\0\0\x01\x27\x10", 6));
  EXPECT_EQ(decimal_bytes("-1"), std::string("\0\0\0\0\xff", 5));
  EXPECT_EQ(decimal_bytes("-128"), std::string("\0\0\0\0\x80", 5));
  EXPECT_EQ(decimal_bytes("-129"), std::string("\0\0\0\0\xff\x7f", 6));
  EXPECT_EQ(decimal_bytes("128"), std::string("\0\0\0\0\0\x80", 6));
}

TEST(JsonScan, AcceptsJsonAndNothingElse) {
  for (const char* good :
       {"{}", "[]", " [1, -0.5e+3, true, null] ", R"({"a":{"b":["\u00e9\n"]}})", "\"x\"", "[[],{}]"}) {
    EXPECT_EQ(check_json(good, {}), std::nullopt) << good;
  }
  for (const char* bad : {"{", "{]", "[1,]", "{\"a\"}", "{\"a\":1,}", "01", "1.", "\"\\x\"", "\"\n\"", "tru",
                          "[1] 2", "{\"a\":1 \"b\":2}"}) {
    EXPECT_EQ(check_json(bad, {}), ScanError::syntax) << bad;
  }
  EXPECT_EQ(check_json(" ", {}), ScanError::empty);
  EXPECT_EQ(check_json("[[[1]]]", {.max_depth = 2}), ScanError::too_deep);
  EXPECT_EQ(check_json("\"\xff\"", {.require_utf8 = true}), ScanError::not_utf8);
  EXPECT_EQ(check_json("\"\xff\"", {}), std::nullopt);
}

TEST(JsonScan, ResolvesEscapes) {
  const auto members = members_of(R"({ "\u0061" : "\ud83d\ude00\t" , "b":[ 1 , {"c" : 2} ] })");
  ASSERT_EQ(members.size(), 2u);
  EXPECT_EQ(members[0].name, "a");
  EXPECT_EQ(string_of(members[0].value), "\xf0\x9f\x98\x80\t");
  std::string compact;
  append_compact(compact, members[1].value);
  EXPECT_EQ(compact, R"([1,{"c":2}])");
  EXPECT_EQ(elements_of(members[1].value).size(), 2u);
}

}  // namespace
}  // namespace messina::sim::test
