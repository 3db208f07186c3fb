#include "aws/classify.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include <boost/json.hpp>

#include "base/log.h"

namespace messina::aws {
namespace {

namespace json = boost::json;

/// Longest pause that a server may ask for; beyond it the header is taken for a mistake.
constexpr std::int64_t kMaxRetryAfterMs = 300'000;

/// What a code means, before looking closer.
enum class Meaning : std::uint8_t {
  throttled,
  refused,
  not_found,
  in_use,  // exists or busy, by the operation and the text
  busy,
  denied,
  signature,  // denied, or expired if the clock is at fault
  expired_keys,
  unsupported,
  not_executed,  // try again, on writes too
  too_large,
  trimmed,
  stale,
  server_fault,  // unknown on writes
};

struct Code {
  std::string_view name;
  Meaning meaning;
};

constexpr std::array kCodes = std::to_array<Code>({
    // "Not executed": the throttle codes of the SDKs' retry rules.
    {"Throttling", Meaning::throttled},
    {"ThrottlingException", Meaning::throttled},
    {"ThrottledException", Meaning::throttled},
    {"RequestThrottledException", Meaning::throttled},
    {"RequestThrottled", Meaning::throttled},
    {"TooManyRequestsException", Meaning::throttled},
    {"ProvisionedThroughputExceededException", Meaning::throttled},
    {"RequestLimitExceeded", Meaning::throttled},
    {"LimitExceededException", Meaning::throttled},
    {"TransactionInProgressException", Meaning::throttled},
    {"SlowDown", Meaning::throttled},
    {"BandwidthLimitExceeded", Meaning::throttled},
    {"PriorRequestNotComplete", Meaning::throttled},
    {"EC2ThrottledException", Meaning::throttled},
    {"ReplicatedWriteConflictException", Meaning::not_executed},
    {"TransactionConflictException", Meaning::not_executed},
    // The request itself.
    {"ValidationException", Meaning::refused},
    {"ValidationError", Meaning::refused},
    {"SerializationException", Meaning::refused},
    {"ItemCollectionSizeLimitExceededException", Meaning::refused},
    {"ConditionalCheckFailedException", Meaning::refused},
    {"RequestEntityTooLarge", Meaning::too_large},
    {"RequestEntityTooLargeException", Meaning::too_large},
    {"PayloadTooLargeException", Meaning::too_large},
    // The table.
    {"ResourceNotFoundException", Meaning::not_found},
    {"TableNotFoundException", Meaning::not_found},
    {"ResourceInUseException", Meaning::in_use},
    {"TableAlreadyExistsException", Meaning::in_use},
    {"TableInUseException", Meaning::busy},
    // The stream.
    {"TrimmedDataAccessException", Meaning::trimmed},
    {"ExpiredIteratorException", Meaning::stale},
    // Who asks.
    {"AccessDeniedException", Meaning::denied},
    {"AccessDenied", Meaning::denied},
    {"UnauthorizedOperation", Meaning::denied},
    {"NotAuthorized", Meaning::denied},
    {"AuthFailure", Meaning::denied},
    {"OptInRequired", Meaning::denied},
    {"UnrecognizedClientException", Meaning::denied},
    {"InvalidClientTokenId", Meaning::denied},
    {"InvalidAccessKeyId", Meaning::denied},
    {"MissingAuthenticationToken", Meaning::denied},
    {"MissingAuthenticationTokenException", Meaning::denied},
    {"IncompleteSignature", Meaning::denied},
    {"IncompleteSignatureException", Meaning::denied},
    {"InvalidSignatureException", Meaning::signature},
    {"SignatureDoesNotMatch", Meaning::signature},
    {"RequestExpired", Meaning::signature},
    {"RequestTimeTooSkewed", Meaning::signature},
    {"ExpiredToken", Meaning::expired_keys},
    {"ExpiredTokenException", Meaning::expired_keys},
    // The server.
    {"UnknownOperationException", Meaning::unsupported},
    {"InternalServerError", Meaning::server_fault},
    {"InternalServerErrorException", Meaning::server_fault},
    {"InternalFailure", Meaning::server_fault},
    {"InternalError", Meaning::server_fault},
    {"ServiceUnavailable", Meaning::server_fault},
    {"ServiceUnavailableException", Meaning::server_fault},
    {"RequestTimeout", Meaning::server_fault},
    {"RequestTimeoutException", Meaning::server_fault},
});

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view part) { return contains(text, part); });
}

struct ErrorBody {
  std::string code;
  std::string message;
  std::vector<std::string> reasons;
};

std::string text_of(const json::object& object, std::initializer_list<std::string_view> names) {
  for (const auto name : names) {
    const auto* value = object.if_contains(name);
    if (value && value->is_string()) return std::string(value->get_string());
  }
  return {};
}

ErrorBody parse_body(std::string_view body) {
  ErrorBody result;
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  boost::system::error_code failure;
  const auto parsed = json::parse({body.data(), body.size()}, failure, {}, options);
  if (failure || !parsed.is_object()) return result;
  const auto& object = parsed.get_object();
  result.code = short_code(text_of(object, {"__type", "code", "Code"}));
  result.message = text_of(object, {"message", "Message"});
  for (const std::string_view name : {"ThrottlingReasons", "throttlingReasons"}) {
    const auto* reasons = object.if_contains(name);
    if (!reasons || !reasons->is_array()) continue;
    for (const auto& reason : reasons->get_array()) {
      if (reason.is_object()) result.reasons.push_back(text_of(reason.get_object(), {"reason"}));
    }
  }
  return result;
}

/// A key range is slow alone only if nothing wider is named.
ThrottleScope scope_of(const ErrorBody& body) {
  bool key_range = false, wider = false;
  for (const auto& reason : body.reasons) {
    if (contains(reason, "AccountLimitExceeded")) return ThrottleScope::account;
    (contains(reason, "KeyRangeThroughputExceeded") ? key_range : wider) = true;
  }
  return key_range && !wider ? ThrottleScope::key_range : ThrottleScope::table;
}

std::optional<std::chrono::milliseconds> retry_after(const net::Headers& headers) {
  const auto value = headers.find("x-amz-retry-after");
  std::int64_t ms = 0;
  if (!value) return std::nullopt;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), ms);
  if (error != std::errc() || end != value->data() + value->size() || ms < 0 || ms > kMaxRetryAfterMs)
    return std::nullopt;
  return std::chrono::milliseconds(ms);
}

/// Texts of a 500 that mean: these bytes will never do (ScyllaDB keeps keys with 16-bit lengths).
bool blames_the_data(std::string_view message) { return contains(message, "Key size too large"); }

bool blames_the_size(std::string_view message) {
  return contains_any(
      message, {"Item size", "item size", "Too many items", "Member must have length less than or equal to",
                "BatchWriteItem command, got", "larger than the limit", "too large"});
}

bool blames_the_clock(std::string_view message) {
  return contains_any(message, {"Signature expired", "Signature not yet current", "is now earlier than",
                                "is still later than"});
}

/// The meaning of an answer without a known code, by its status.
std::optional<Meaning> meaning_of_status(int status) {
  switch (status) {
    case 401:
    case 403:
      return Meaning::denied;
    case 408:
      return Meaning::server_fault;
    case 413:
      return Meaning::too_large;
    case 429:
      return Meaning::throttled;
    default:
      break;
  }
  if (status >= 500 && status <= 599) return Meaning::server_fault;
  return std::nullopt;
}

std::optional<Meaning> meaning_of(int status, std::string_view code) {
  const auto known = std::ranges::find(kCodes, code, &Code::name);
  if (known == kCodes.end()) return code.starts_with("KMS") ? Meaning::denied : meaning_of_status(status);
  // A 5xx says "I failed", whatever its code, unless the code says that nothing was executed.
  if (status >= 500 && known->meaning != Meaning::throttled && known->meaning != Meaning::not_executed) {
    return Meaning::server_fault;
  }
  return known->meaning;
}

ErrorKind unknown_if_write(const Operation& operation, ErrorKind otherwise) {
  return operation.kind == OperationKind::write ? ErrorKind::unknown_outcome : otherwise;
}

struct Verdict {
  ErrorKind kind;
  std::string_view advice = {};
};

Verdict judge(const Operation& operation, std::optional<Meaning> meaning, std::string_view message) {
  if (!meaning) return {ErrorKind::config};
  switch (*meaning) {
    case Meaning::throttled:
      return {ErrorKind::throttled};
    case Meaning::not_executed:
      return {ErrorKind::transient};
    case Meaning::refused:
      return {blames_the_size(message) ? ErrorKind::too_large : ErrorKind::refused};
    case Meaning::too_large:
      return {ErrorKind::too_large};
    case Meaning::not_found:
      return {ErrorKind::not_found, "check the table's name, the region and the account"};
    case Meaning::in_use: {
      // Of CreateTable; dynalite says nothing more.
      const bool exists = message.empty() || contains(message, "exist");
      return {operation.kind == OperationKind::control && exists ? ErrorKind::exists : ErrorKind::busy};
    }
    case Meaning::busy:
      return {ErrorKind::busy};
    case Meaning::denied:
      return {ErrorKind::denied, "check the credentials and their permissions"};
    case Meaning::signature:
      if (blames_the_clock(message))
        return {ErrorKind::expired, "this machine's clock and the server's differ: set it right"};
      return {ErrorKind::denied, "check the secret key and the region"};
    case Meaning::expired_keys:
      return {ErrorKind::expired, "get new credentials, then run it again"};
    case Meaning::unsupported:
      return {ErrorKind::config, "the server does not know this operation"};
    case Meaning::trimmed:
      return {ErrorKind::trimmed};
    case Meaning::stale:
      return {ErrorKind::stale};
    case Meaning::server_fault:
      if (blames_the_data(message)) return {ErrorKind::refused};
      // ScyllaDB 6: the keyspace is on tablets and the table's write isolation wants lightweight
      // transactions.
      if (contains(message, "LWT is not yet supported with tablets")) {
        return {ErrorKind::config, "choose system:write_isolation=forbid_rmw, or a keyspace without tablets"};
      }
      return {unknown_if_write(operation, ErrorKind::transient)};
  }
  return {ErrorKind::internal};
}

void cut_after(std::string& text, std::string_view mark) {
  if (const auto at = text.find(mark); at != std::string::npos) text.resize(at + mark.size());
}

void cut_before(std::string& text, std::string_view mark) {
  if (const auto at = text.find(mark); at != std::string::npos) text.resize(at);
}

/// True if the text is well-formed enough to be shown as it is.
bool is_utf8(std::string_view text) {
  std::size_t following = 0;
  for (const unsigned char c : text) {
    if (following > 0) {
      if ((c & 0xC0) != 0x80) return false;
      --following;
    } else if (c >= 0x80) {
      if (c >= 0xC2 && c <= 0xDF)
        following = 1;
      else if ((c & 0xF0) == 0xE0)
        following = 2;
      else if (c >= 0xF0 && c <= 0xF4)
        following = 3;
      else
        return false;
    }
  }
  return following == 0;
}

}  // namespace

std::string_view short_code(std::string_view type) {
  // "…#Code:http://…": the URI after the colon may hold a '#' of its own.
  type = type.substr(0, type.find(':'));
  const auto hash = type.rfind('#');
  return hash == std::string_view::npos ? type : type.substr(hash + 1);
}

std::string clean_message(std::string_view message) {
  std::string text(message);
  // DynamoDB and ScyllaDB repeat the offending value after these words.
  for (const auto* mark : {"cannot be converted to a numeric value", "Number too precise", "Number overflow",
                           "Number underflow", "improperly formatted value", "for value"}) {
    cut_after(text, mark);
  }
  // "1 validation error detected: Value '{…}' at 'requestItems' failed to satisfy constraint: …"
  if (const auto value = text.find("Value '"); value != std::string::npos) {
    const auto end = text.rfind("' at '");
    if (end != std::string::npos && end > value) {
      text.replace(value, end + 1 - value, "Value");
    } else {
      cut_after(text, "Value");
    }
  }
  // ScyllaDB 6 gives addresses of its code.
  cut_before(text, ", at: 0x");
  if (text.starts_with("Parsing JSON failed")) cut_before(text, " at ");
  const bool utf8 = is_utf8(text);
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = ' ';
    if (byte >= 0x80 && !utf8) c = '?';
  }
  if (text.size() > kMaxMessage) {
    std::size_t end = kMaxMessage - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    text += "...";
  }
  return text;
}

Error classify_code(const Operation& operation, int status, std::string_view code, std::string_view message,
                    std::string_view subject) {
  const auto meaning = meaning_of(status, code);
  const auto verdict = judge(operation, meaning, message);
  Error error;
  error.kind = verdict.kind;
  error.code = code.empty() ? fmt::format("HTTP {}", status) : clean_message(code);
  error.message = fmt::format("{}: {} was answered {}", subject, operation.name, error.code);
  if (!message.empty()) error.message += ": " + clean_message(message);
  if (!verdict.advice.empty()) error.message += fmt::format(" ({})", verdict.advice);
  return error;
}

Error classify_answer(const Operation& operation, int status, const net::Headers& headers,
                      std::string_view body, std::string_view subject) {
  const auto parsed = parse_body(body);
  auto error = classify_code(operation, status, parsed.code, parsed.message, subject);
  if (parsed.code.empty() && !meaning_of(status, parsed.code))
    error.message += " (is this the address of a DynamoDB-compatible server?)";
  if (error.kind == ErrorKind::throttled) error.scope = scope_of(parsed);
  error.retry_after = retry_after(headers);
  return error;
}

Error classify_silence(const Operation& operation, const net::SendError& failure, std::string_view subject) {
  Error error = failure.error;
  if (failure.may_have_been_sent &&
      (error.kind == ErrorKind::transient || error.kind == ErrorKind::corrupt)) {
    error.kind = unknown_if_write(operation, error.kind);
  }
  error.message = fmt::format("{}: {}: {}", subject, operation.name, error.message);
  return error;
}

Error classify_damage(const Operation& operation, std::string_view what, std::string_view subject) {
  return {unknown_if_write(operation, ErrorKind::corrupt),
          fmt::format("{}: the answer of {} cannot be used: {}", subject, operation.name, what)};
}

bool refuses_batch_size(const Error& error) {
  return error.kind == ErrorKind::too_large &&
         contains_any(error.message, {"Too many items", "Member must have length less than or equal to",
                                      "BatchWriteItem command, got"});
}

void fuzz_classify(std::string_view body) {
  const net::Headers headers;
  for (const auto kind : {OperationKind::read, OperationKind::write, OperationKind::control}) {
    const Operation operation{"Fuzz", kind};
    for (const int status : {200, 302, 400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504, 599}) {
      const auto error = classify_answer(operation, status, headers, body, "table \"t\"");
      const bool too_long = error.message.size() > 4 * kMaxMessage;
      const bool unreadable = std::ranges::any_of(error.message, [](unsigned char c) { return c < 0x20; });
      const bool wrongly_unknown = error.kind == ErrorKind::unknown_outcome && kind != OperationKind::write;
      // A failed write is "transient" only if a code says that it was not executed.
      const bool wrongly_transient = status >= 500 && kind == OperationKind::write &&
                                     error.kind == ErrorKind::transient && error.code.starts_with("HTTP");
      if (too_long || unreadable || wrongly_unknown || wrongly_transient || error.kind == ErrorKind::internal)
        std::abort();
    }
  }
}

}  // namespace messina::aws
