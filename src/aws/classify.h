// What a server's refusal, or its silence, means: the one place where answers of DynamoDB and Alternator
// become Errors.
//
// Sources: DynamoDB Developer Guide, "Error handling with DynamoDB"; botocore's retry rules; recordings of
// ScyllaDB 5.2 and 6.2 (tests/replay). The cardinal rule: a write whose answer does not say "not executed"
// has an unknown outcome.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/http.h"
#include "net/http_client.h"

namespace messina::aws {

/// What an operation does decides what its failure means.
enum class OperationKind : std::uint8_t {
  read,     ///< repeating it harms nobody
  write,    ///< of items
  control,  ///< of tables; its caller looks at the table afterwards
};

struct Operation {
  std::string_view name;  ///< "BatchWriteItem"
  OperationKind kind = OperationKind::read;
};

inline constexpr Operation kScan{"Scan", OperationKind::read};
inline constexpr Operation kBatchWriteItem{"BatchWriteItem", OperationKind::write};
inline constexpr Operation kDescribeTable{"DescribeTable", OperationKind::read};
inline constexpr Operation kDescribeTimeToLive{"DescribeTimeToLive", OperationKind::read};
inline constexpr Operation kListTagsOfResource{"ListTagsOfResource", OperationKind::read};
inline constexpr Operation kTagResource{"TagResource", OperationKind::control};
inline constexpr Operation kListTables{"ListTables", OperationKind::read};
inline constexpr Operation kCreateTable{"CreateTable", OperationKind::control};
inline constexpr Operation kDeleteTable{"DeleteTable", OperationKind::control};
inline constexpr Operation kUpdateTable{"UpdateTable", OperationKind::control};
inline constexpr Operation kBatchGetItem{"BatchGetItem", OperationKind::read};
inline constexpr Operation kDescribeStream{"DescribeStream", OperationKind::read};
inline constexpr Operation kGetShardIterator{"GetShardIterator", OperationKind::read};
inline constexpr Operation kGetRecords{"GetRecords", OperationKind::read};

/// An answer with a status other than 200. `subject` names the table and where it is; the message begins with
/// it. Takes any bytes as body; the message holds no values of items, which some servers echo.
Error classify_answer(const Operation& operation, int status, const net::Headers& headers,
                      std::string_view body, std::string_view subject);

/// The same for the services beside DynamoDB (STS, IAM Identity Center), whose bodies are read elsewhere.
Error classify_code(const Operation& operation, int status, std::string_view code, std::string_view message,
                    std::string_view subject);

/// An exchange without an answer.
Error classify_silence(const Operation& operation, const net::SendError& failure, std::string_view subject);

/// An answer of status 200 whose bytes cannot be trusted (wrong CRC, broken JSON): what was written nobody
/// knows.
Error classify_damage(const Operation& operation, std::string_view what, std::string_view subject);

/// True for a refusal of the number of requests in a batch, whatever the server calls it.
bool refuses_batch_size(const Error& error);

/// "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException:http://…" → "ResourceNotFoundException"
std::string_view short_code(std::string_view type);

/// The server's words, fit for a log: without the values of items that some servers echo, without source
/// addresses and control characters, at most kMaxMessage characters.
std::string clean_message(std::string_view text);
inline constexpr std::size_t kMaxMessage = 400;

/// For the fuzzers: classifies `body` under every kind of operation and many statuses; aborts when a promise
/// of this header is broken.
void fuzz_classify(std::string_view body);

}  // namespace messina::aws
