#include "aws/credential_answers.h"

#include <gtest/gtest.h>

#include "aws/credential_freshness.h"
#include "aws/sso_cache.h"
#include "aws/times.h"

namespace messina::aws {
namespace {

WallTime at(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

TEST(Times, AsServicesWriteThem) {
  EXPECT_EQ(parse_iso_time("2026-11-22T14:58:40Z"), at(1'795'359'520));
  EXPECT_EQ(parse_iso_time("2026-11-22T14:58:40.123Z"), at(1'795'359'520));
  EXPECT_EQ(parse_iso_time("2026-11-22T15:58:40+01:00"), at(1'795'359'520));
  EXPECT_EQ(parse_iso_time("2026-11-22T09:28:40-0530"), at(1'795'359'520));
  EXPECT_EQ(iso_time(at(1'795'359'520)), "2026-11-22T14:58:40Z");
  EXPECT_EQ(parse_http_date("Sun, 22 Nov 2026 14:58:40 GMT"), at(1'795'359'520));
  for (const auto* bad : {"", "2026-11-22", "2026-11-22T14:58:40", "2026-11-22T14:58:40X",
                          "2026-11-22T14:58:40+1:0", "99999-11-22T14:58:40Z", "1066-11-22T14:58:40Z"})
    EXPECT_FALSE(parse_iso_time(bad).has_value()) << bad;
  for (const auto* bad :
       {"", "Sunday, 22-Nov-26 14:58:40 GMT", "Sun, 22 Nov 2026 14:58:40", "Sun, 22 Nov 2026 14:58:40 CET"})
    EXPECT_FALSE(parse_http_date(bad).has_value()) << bad;
}

TEST(CredentialAnswers, Metadata) {
  const auto found = parse_metadata_answer(
      R"({"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIA","SecretAccessKey":"s/+","Token":"t==",)"
      R"("Expiration":"2026-11-22T14:58:40Z"})");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->access_key, "ASIA");
  EXPECT_EQ(found->secret_key.reveal(), "s/+");
  EXPECT_EQ(found->session_token.reveal(), "t==");
  EXPECT_EQ(found->expires, at(1'795'359'520));
  const auto failed = parse_metadata_answer(R"({"Code":"AssumeRoleUnauthorizedAccess"})");
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().kind, ErrorKind::denied);
  EXPECT_EQ(failed.error().message, "the answer's code is AssumeRoleUnauthorizedAccess");
}

TEST(CredentialAnswers, NoMessageRepeatsWhatCame) {
  for (
      const auto* answer :
      {"planted", R"({"AccessKeyId":"planted"})", R"({"AccessKeyId":"A","SecretAccessKey":"planted"})",
       R"({"AccessKeyId":"A","SecretAccessKey":"planted","Token":"planted"})",
       R"({"AccessKeyId":"A\nplanted","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-22T14:58:40Z"})",
       R"({"Version":2,"AccessKeyId":"planted"})", R"({"Version":1,"SecretAccessKey":"planted"})",
       R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"planted"})",
       R"({"roleCredentials":{"secretAccessKey":"planted"}})",
       "<a><AssumeRoleResult>planted</AssumeRoleResult></a>",
       "<a><AssumeRoleResult><Credentials><AccessKeyId>planted</AccessKeyId></Credentials></"
       "AssumeRoleResult></a>"}) {
    for (const auto& parsed : {parse_metadata_answer(answer), parse_process_output(answer),
                               parse_sso_answer(answer), parse_sts_answer(answer)}) {
      ASSERT_FALSE(parsed.has_value()) << answer;
      EXPECT_EQ(parsed.error().message.find("planted"), std::string::npos) << parsed.error().message;
    }
  }
}

TEST(CredentialAnswers, Process) {
  const auto lasting = parse_process_output(R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"s"})");
  ASSERT_TRUE(lasting.has_value());
  EXPECT_TRUE(lasting->session_token.empty());
  EXPECT_FALSE(lasting->expires.has_value());
  const auto temporary = parse_process_output(
      R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","SessionToken":"t","Expiration":"2026-11-22T14:58:40+00:00"})");
  EXPECT_EQ(temporary.value().expires, at(1'795'359'520));
  EXPECT_EQ(parse_process_output(R"({"AccessKeyId":"A"})").error().message, "its \"Version\" is not 1");
}

TEST(CredentialAnswers, IdentityCenter) {
  const auto found = parse_sso_answer(
      R"({"roleCredentials":{"accessKeyId":"A","secretAccessKey":"s","sessionToken":"t","expiration":1795359520000}})");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->expires, at(1'795'359'520));
}

TEST(CredentialAnswers, Sts) {
  const auto found =
      parse_sts_answer(R"(<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
    <AssumeRoleResult><AssumedRoleUser><Arn>a</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIA</AccessKeyId>
    <SecretAccessKey>s&amp;/</SecretAccessKey><SessionToken>t+=</SessionToken>
    <Expiration>2026-11-22T14:58:40Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>)");
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_EQ(found->access_key, "ASIA");
  EXPECT_EQ(found->secret_key.reveal(), "s&/");
  EXPECT_EQ(found->expires, at(1'795'359'520));
  const auto refusal = parse_sts_refusal(
      "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></"
      "ErrorResponse>");
  EXPECT_EQ(refusal.code, "AccessDenied");
  EXPECT_EQ(refusal.message, "no");
  EXPECT_EQ(parse_sts_refusal("<html>").code, "");
}

TEST(CredentialAnswers, JsonRefusals) {
  EXPECT_EQ(parse_json_refusal(R"({"message":"m"})", "UnauthorizedException:http://x").code,
            "UnauthorizedException");
  EXPECT_EQ(parse_json_refusal(R"({"error":"invalid_grant","error_description":"d"})", "").message, "d");
  EXPECT_EQ(parse_json_refusal("nonsense", "").code, "");
}

TEST(SsoCache, TokensAreReadAndRenewed) {
  const auto token = parse_sso_token(
      R"({"accessToken":"old","expiresAt":"2026-11-22T14:58:40Z","refreshToken":"r","clientId":"c","clientSecret":"cs",)"
      R"("registrationExpiresAt":"2027-01-01T00:00:00Z","region":"eu-west-1"})");
  ASSERT_TRUE(token.has_value()) << token.error().message;
  EXPECT_EQ(token->expires, at(1'795'359'520));
  EXPECT_TRUE(can_renew(*token, at(1'795'359'520)));
  EXPECT_FALSE(can_renew(*token, at(1'900'000'000))) << "the client's registration has ended";
  EXPECT_EQ(renewal_request(*token).reveal(),
            R"({"clientId":"c","clientSecret":"cs","grantType":"refresh_token","refreshToken":"r"})");
  const auto fresh =
      renewed(*token, R"({"accessToken":"new","expiresIn":3600,"refreshToken":"r2"})", at(1'795'359'520));
  ASSERT_TRUE(fresh.has_value());
  const auto again = parse_sso_token(fresh->document);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->access_token.reveal(), "new");
  EXPECT_EQ(again->refresh_token.reveal(), "r2");
  EXPECT_EQ(again->expires, at(1'795'363'120));
  EXPECT_NE(fresh->document.find(R"("region":"eu-west-1")"), std::string::npos) << "other fields are kept";
  EXPECT_FALSE(parse_sso_token("{}").has_value());
  EXPECT_FALSE(
      can_renew(parse_sso_token(R"({"accessToken":"a","expiresAt":"2026-11-22T14:58:40Z"})").value(), at(0)));
}

TEST(Freshness, AnHourIsRenewedInItsLastQuarter) {
  using std::chrono::minutes;
  const MonoTime now{std::chrono::hours(100)};
  const auto hour = freshness_of(now, minutes(60));
  EXPECT_EQ(hour.renew_from, now + minutes(45));
  EXPECT_EQ(hour.renew_by, now + minutes(50));
  EXPECT_EQ(hour.dead, now + minutes(60));
  const auto long_lived = freshness_of(now, minutes(720));
  EXPECT_EQ(long_lived.renew_from, now + minutes(705));
  EXPECT_EQ(long_lived.renew_by, now + minutes(710));
  const auto short_lived = freshness_of(now, minutes(12));
  EXPECT_EQ(short_lived.renew_from, now + minutes(9));
  EXPECT_EQ(short_lived.renew_by, now + minutes(10));
  EXPECT_EQ(age_of(short_lived, now), Age::fresh);
  EXPECT_EQ(age_of(short_lived, now + minutes(9)), Age::aging);
  EXPECT_EQ(age_of(short_lived, now + minutes(10)), Age::due);
  EXPECT_EQ(age_of(short_lived, now + minutes(12)), Age::dead);
  EXPECT_EQ(age_of(freshness_of(now, {}), now + std::chrono::hours(100'000)), Age::fresh);
}

}  // namespace
}  // namespace messina::aws
