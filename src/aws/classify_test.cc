#include "aws/classify.h"

#include <vector>

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/random.h"

namespace messina::aws {
namespace {

constexpr std::string_view kSubject = "table \"t\" (dynamodb, us-east-1)";
constexpr Operation kRead{"Scan", OperationKind::read};
constexpr Operation kWrite{"BatchWriteItem", OperationKind::write};
constexpr Operation kControl{"CreateTable", OperationKind::control};

std::string body_of(std::string_view code, std::string_view message = "why") {
  return fmt::format(R"({{"__type":"com.amazonaws.dynamodb.v20120810#{}","message":"{}"}})", code, message);
}

Error answer(const Operation& operation, int status, std::string_view body) {
  return classify_answer(operation, status, {}, body, kSubject);
}

struct Row {
  int status;
  std::string_view code;
  std::string_view message;
  ErrorKind read, write, control;
};

using enum ErrorKind;
const std::vector<Row> kRows = {
    {400, "Throttling", "", throttled, throttled, throttled},
    {400, "ThrottlingException", "", throttled, throttled, throttled},
    {400, "ThrottledException", "", throttled, throttled, throttled},
    {400, "RequestThrottledException", "", throttled, throttled, throttled},
    {400, "RequestThrottled", "", throttled, throttled, throttled},
    {400, "TooManyRequestsException", "", throttled, throttled, throttled},
    {400, "ProvisionedThroughputExceededException", "", throttled, throttled, throttled},
    {400, "RequestLimitExceeded", "", throttled, throttled, throttled},
    {400, "LimitExceededException", "", throttled, throttled, throttled},
    {400, "TransactionInProgressException", "", throttled, throttled, throttled},
    {400, "SlowDown", "", throttled, throttled, throttled},
    {400, "BandwidthLimitExceeded", "", throttled, throttled, throttled},
    {400, "PriorRequestNotComplete", "", throttled, throttled, throttled},
    {400, "EC2ThrottledException", "", throttled, throttled, throttled},
    {429, "", "", throttled, throttled, throttled},
    // A throttle code says "not executed", whatever the status.
    {503, "SlowDown", "", throttled, throttled, throttled},
    {503, "ThrottlingException", "", throttled, throttled, throttled},
    {500, "RequestLimitExceeded", "", throttled, throttled, throttled},
    {409, "ReplicatedWriteConflictException", "", transient, transient, transient},
    {409, "TransactionConflictException", "", transient, transient, transient},
    {400, "ValidationException", "", refused, refused, refused},
    {400, "SerializationException", "", refused, refused, refused},
    {400, "ConditionalCheckFailedException", "", refused, refused, refused},
    {400, "ItemCollectionSizeLimitExceededException", "", refused, refused, refused},
    {400, "ValidationException", "Item size has exceeded the maximum allowed size", too_large, too_large,
     too_large},
    {400, "ValidationException", "Too many items requested for the BatchWriteItem call", too_large, too_large,
     too_large},
    {413, "", "", too_large, too_large, too_large},
    {413, "RequestEntityTooLarge", "", too_large, too_large, too_large},
    {400, "ResourceNotFoundException", "", not_found, not_found, not_found},
    {400, "TableNotFoundException", "", not_found, not_found, not_found},
    {400, "ResourceInUseException", "Table already exists: t", busy, busy, exists},
    {400, "ResourceInUseException", "Cannot create preexisting table", busy, busy, exists},
    {400, "ResourceInUseException", "", busy, busy, exists},
    {400, "ResourceInUseException", "Table is being deleted: t", busy, busy, busy},
    {400, "TableInUseException", "", busy, busy, busy},
    {400, "AccessDeniedException", "", denied, denied, denied},
    {400, "UnrecognizedClientException", "", denied, denied, denied},
    {400, "MissingAuthenticationTokenException", "", denied, denied, denied},
    {400, "IncompleteSignatureException", "", denied, denied, denied},
    {403, "InvalidClientTokenId", "", denied, denied, denied},
    {400, "KMSAccessDeniedException", "", denied, denied, denied},
    {401, "", "", denied, denied, denied},
    {403, "", "", denied, denied, denied},
    {400, "InvalidSignatureException", "does not match the signature you provided", denied, denied, denied},
    {400, "InvalidSignatureException",
     "Signature expired: 20200101T000000Z is now earlier than 20261122T101710Z", expired, expired, expired},
    {400, "InvalidSignatureException", "Signature not yet current: 1 is still later than 2", expired, expired,
     expired},
    {400, "ExpiredTokenException", "", expired, expired, expired},
    {400, "UnknownOperationException", "", config, config, config},
    {400, "NobodyKnowsException", "", config, config, config},
    {404, "", "", config, config, config},
    {302, "", "", config, config, config},
    {500, "InternalServerError", "", transient, unknown_outcome, transient},
    {500, "InternalFailure", "", transient, unknown_outcome, transient},
    {503, "ServiceUnavailable", "", transient, unknown_outcome, transient},
    {500, "ValidationException", "", transient, unknown_outcome, transient},
    {500, "NobodyKnowsException", "", transient, unknown_outcome, transient},
    {400, "RequestTimeout", "", transient, unknown_outcome, transient},
    {408, "", "", transient, unknown_outcome, transient},
    {500, "", "", transient, unknown_outcome, transient},
    {502, "", "", transient, unknown_outcome, transient},
    {503, "", "", transient, unknown_outcome, transient},
    {504, "", "", transient, unknown_outcome, transient},
    // Recorded from ScyllaDB.
    {500, "InternalServerError",
     "Internal server error: std::runtime_error (Key size too large: 70002 > 65535)", refused, refused,
     refused},
    {500, "InternalServerError", "LWT is not yet supported with tablets", config, config, config},
    {400, "ValidationException", "Provided list of item keys contains duplicates", refused, refused, refused},
    {400, "ResourceInUseException", "Table hashrange already exists", busy, busy, exists},
};

TEST(Classify, EveryCodeForEveryKindOfOperation) {
  for (const auto& row : kRows) {
    const auto body =
        row.code.empty() ? std::string("<html>Bad gateway</html>") : body_of(row.code, row.message);
    EXPECT_EQ(answer(kRead, row.status, body).kind, row.read)
        << row.status << ' ' << row.code << ' ' << row.message;
    EXPECT_EQ(answer(kWrite, row.status, body).kind, row.write)
        << row.status << ' ' << row.code << ' ' << row.message;
    EXPECT_EQ(answer(kControl, row.status, body).kind, row.control) << row.status << ' ' << row.code;
    EXPECT_EQ(answer(kRead, row.status, body).code,
              row.code.empty() ? fmt::format("HTTP {}", row.status) : std::string(row.code));
  }
}

TEST(Classify, NamesSubjectOperationCauseAndWayOut) {
  EXPECT_EQ(answer(kRead, 400, body_of("ResourceNotFoundException", "Requested resource not found")).message,
            "table \"t\" (dynamodb, us-east-1): Scan was answered ResourceNotFoundException: Requested "
            "resource not found "
            "(check the table's name, the region and the account)");
  EXPECT_EQ(answer(kWrite, 502, "<html>").message,
            "table \"t\" (dynamodb, us-east-1): BatchWriteItem was answered HTTP 502");
}

TEST(Classify, CodesInAllTheirForms) {
  EXPECT_EQ(short_code("com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"),
            "ResourceNotFoundException");
  EXPECT_EQ(short_code("com.amazon.coral.validate#ValidationException"), "ValidationException");
  EXPECT_EQ(short_code("com.amazon.coral.service#AccessDeniedException:http://internal.amazon.com/x#y"),
            "AccessDeniedException");
  EXPECT_EQ(short_code("SlowDown"), "SlowDown");
  EXPECT_EQ(short_code(""), "");
  EXPECT_EQ(answer(kRead, 400, R"({"__type":"x#AccessDeniedException","Message":"No."})").message,
            "table \"t\" (dynamodb, us-east-1): Scan was answered AccessDeniedException: No. "
            "(check the credentials and their permissions)");
}

TEST(Classify, ThrottleScopes) {
  const auto scope = [](std::string_view reasons, std::string_view name = "ThrottlingReasons") {
    const auto body =
        fmt::format(R"({{"__type":"a#ProvisionedThroughputExceededException","{}":[{}]}})", name, reasons);
    return answer(kRead, 400, body).scope;
  };
  const std::string hot = R"({"reason":"TableReadKeyRangeThroughputExceeded","resource":"arn:x"})";
  const std::string provisioned = R"({"reason":"TableReadProvisionedThroughputExceeded","resource":"arn:x"})";
  const std::string on_demand = R"({"reason":"IndexWriteMaxOnDemandThroughputExceeded"})";
  const std::string account = R"({"reason":"TableWriteAccountLimitExceeded"})";
  EXPECT_EQ(scope(hot), ThrottleScope::key_range);
  EXPECT_EQ(scope(hot, "throttlingReasons"), ThrottleScope::key_range);
  EXPECT_EQ(scope(hot + "," + provisioned), ThrottleScope::table);
  EXPECT_EQ(scope(on_demand), ThrottleScope::table);
  EXPECT_EQ(scope(hot + "," + account), ThrottleScope::account);
  EXPECT_EQ(scope(""), ThrottleScope::table);
  EXPECT_EQ(scope("7"), ThrottleScope::table);
  EXPECT_EQ(answer(kRead, 500, body_of("InternalServerError")).scope, ThrottleScope::none);
}

TEST(Classify, RetryAfterInMilliseconds) {
  const auto pause = [](std::string_view text) {
    net::Headers headers;
    headers.set("x-amz-retry-after", std::string(text));
    return classify_answer(kRead, 503, headers, "", kSubject).retry_after;
  };
  EXPECT_EQ(pause("1500"), std::chrono::milliseconds(1500));
  for (const auto* bad : {"", "-1", "1.5", "99999999999", "Wed, 21 Oct 2026 07:28:00 GMT"})
    EXPECT_FALSE(pause(bad));
}

TEST(Classify, MessagesShowNoValues) {
  const auto shown = [](std::string_view text) { return clean_message(text); };
  EXPECT_EQ(shown("The parameter cannot be converted to a numeric value: \"abc\""),
            "The parameter cannot be converted to a numeric value");
  EXPECT_EQ(shown("Number too precise: 1111. Attempting to store"), "Number too precise");
  EXPECT_EQ(shown("PutItem: improperly formatted value '{\"S\":5}'"), "PutItem: improperly formatted value");
  EXPECT_EQ(shown("PutItem: unknown type Q for value {\"Q\":\"a\"}"), "PutItem: unknown type Q for value");
  EXPECT_EQ(
      shown("1 validation error detected: Value '{t=[x 's]}' at 'requestItems' failed to satisfy constraint: "
            "Member must have length less than or equal to 25"),
      "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: "
      "Member must have length less than or equal to 25");
  EXPECT_EQ(shown("JSON assert failed on condition 'IsObject()', at: 0x6a8c5ee 0x2e99f56"),
            "JSON assert failed on condition 'IsObject()'");
  EXPECT_EQ(shown("Parsing JSON failed: Invalid value. at 985586709"), "Parsing JSON failed: Invalid value.");
  EXPECT_EQ(shown("a\nb\x01"), "a b ");
  EXPECT_EQ(shown("schl\xC3\xBCssel"), "schl\xC3\xBCssel");
  EXPECT_EQ(shown("schl\xFCssel"), "schl?ssel");
  EXPECT_LE(shown(std::string(5000, 'x')).size(), kMaxMessage);
}

// Some servers repeat the whole value, however large.
TEST(Classify, LargeBodiesAreUnderstood) {
  const auto error =
      answer(kWrite, 400,
             body_of("ValidationException", "improperly formatted value '" + std::string(2'000'000, 'x')));
  EXPECT_EQ(error.kind, refused);
  EXPECT_TRUE(error.message.ends_with("improperly formatted value"));
}

TEST(Classify, BatchSizeRefusals) {
  EXPECT_TRUE(refuses_batch_size(answer(
      kWrite, 400, body_of("ValidationException", "Too many items requested for the BatchWriteItem call"))));
  EXPECT_TRUE(refuses_batch_size(
      answer(kWrite, 400,
             body_of("ValidationException",
                     "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy "
                     "constraint: Map value must satisfy constraint: [Member must have length less than or "
                     "equal to 25, Member must have length greater than or equal to 1]"))));
  EXPECT_TRUE(refuses_batch_size(
      answer(kWrite, 400,
             body_of("ValidationException",
                     "Invalid length of BatchWriteItem command, got 101 items, maximum is 100"))));
  EXPECT_FALSE(refuses_batch_size(answer(
      kWrite, 400, body_of("ValidationException", "Item size has exceeded the maximum allowed size"))));
}

TEST(Classify, Silence) {
  const auto kind = [](const Operation& operation, ErrorKind how, bool sent) {
    return classify_silence(operation, {{how, "cut"}, sent}, kSubject).kind;
  };
  EXPECT_EQ(kind(kRead, transient, true), transient);
  EXPECT_EQ(kind(kRead, corrupt, true), corrupt);
  EXPECT_EQ(kind(kWrite, transient, true), unknown_outcome);
  EXPECT_EQ(kind(kWrite, corrupt, true), unknown_outcome);
  EXPECT_EQ(kind(kWrite, transient, false), transient);
  EXPECT_EQ(kind(kWrite, config, false), config);
  EXPECT_EQ(kind(kControl, transient, true), transient);
  EXPECT_EQ(classify_damage(kRead, "wrong CRC", kSubject).kind, corrupt);
  EXPECT_EQ(classify_damage(kWrite, "wrong CRC", kSubject).kind, unknown_outcome);
}

TEST(Classify, SurvivesAnyBody) {
  const std::uint64_t seed = entropy_seed();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  Random random(seed);
  const std::vector<std::string> seeds = {body_of("ValidationException", "Value '{x}' at 'y'"),
                                          R"({"__type":7,"message":[],"ThrottlingReasons":[{"reason":1}]})",
                                          R"({"ThrottlingReasons":{}})",
                                          "[]",
                                          "",
                                          std::string(100, '['),
                                          "{\"message\":\"\xFF\xC3\"}"};
  for (int i = 0; i < 2000; ++i) {
    auto body = seeds[random.below(seeds.size())];
    for (std::uint64_t n = random.below(6); n > 0 && !body.empty(); --n) {
      const auto at = random.below(body.size());
      switch (random.below(3)) {
        case 0:
          body[at] = static_cast<char>(random.next());
          break;
        case 1:
          body.erase(at, random.below(8));
          break;
        default:
          body.insert(at, body.substr(random.below(body.size()), random.below(20)));
          break;
      }
    }
    fuzz_classify(body);
  }
}

}  // namespace
}  // namespace messina::aws
