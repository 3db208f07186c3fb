// Faults on demand: rules that fire by operation, table, node, probability and count, seeded and counted.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"

namespace messina::sim {

enum class FaultKind : std::uint8_t {
  throttle_table,      ///< ProvisionedThroughputExceededException, the table's limit
  throttle_key_range,  ///< the same for a hot partition
  throttle_account,    ///< the same for the account's limit; on Alternator all three are RequestLimitExceeded
  unprocessed,  ///< a batch leaves half of its requests unprocessed; on Alternator BatchWriteItem fails
                ///< instead, applied in part, since it never leaves any unprocessed. Matches batch calls only
  latency,      ///< the answer comes `ms` later
  slow_start,   ///< the request is executed, and answered, `ms` later
  error_before,         ///< 500 InternalServerError without effect
  error_after,          ///< 500 InternalServerError, but the request was executed
  partial,              ///< 500, and the first half of a BatchWriteItem was executed. Matches that call only
  cut_before,           ///< the connection is cut, nothing was executed
  cut_after,            ///< executed, then cut
  cut_late,             ///< cut at once; the request is executed `ms` later, with the stamp of that moment
  stall,                ///< no answer for `ms`, then a cut; not executed
  wrong_crc,            ///< a wrong x-amz-crc32 (DynamoDB only)
  truncated,            ///< the connection is cut in the middle of the body
  not_json,             ///< 200 with a body that is no JSON
  expired_credentials,  ///< ExpiredTokenException
  access_denied,        ///< AccessDeniedException
  stop,                 ///< this request and all that follow on every node wait until `ms` after it came
  throttle_stream_limit,     ///< a call of the Streams API answers LimitExceededException,
  throttle_stream_rate,      ///< … ThrottlingException,
  throttle_stream_capacity,  ///< … ProvisionedThroughputExceededException; on Alternator RequestLimitExceeded
  expire_iterator,           ///< GetRecords answers ExpiredIteratorException (DynamoDB only)
  empty_page,                ///< GetRecords answers no records, though there may be some
  reject_items,              ///< puts of items that have the attribute `attribute` answer ValidationException
};

std::string_view to_string(FaultKind kind);

struct FaultRule {
  FaultKind kind = FaultKind::error_before;
  std::string operation;            ///< "PutItem"; empty: all
  std::string table;                ///< empty: all
  std::optional<std::size_t> node;  ///< absent: all
  double probability = 1.0;
  std::optional<std::uint64_t> count;     ///< fires at most that often; absent: any number
  std::uint64_t skip = 0;                 ///< lets that many matching requests pass first
  std::chrono::milliseconds delay{1000};  ///< "ms"
  std::string attribute = "poison";       ///< reject_items only

  // State.
  std::uint64_t id = 0;
  std::uint64_t matched = 0;
  std::uint64_t fired = 0;
  Random random{0};  ///< of its own: one rule's draws do not shift another's
};

/// What the rules decided for one request.
struct FaultDecision {
  std::optional<FaultKind> kind;  ///< what replaces or spoils the answer
  std::chrono::milliseconds kind_delay{};
  Duration answer_delay{};  ///< latency
  Duration start_delay{};   ///< slow_start
  std::optional<Duration> stop_for;
};

class Faults {
 public:
  explicit Faults(std::uint64_t seed) : seed_(seed) {}

  /// Reads a rule:
  /// {"kind":"error_after","operation":"PutItem","table":"t","node":0,"probability":0.5,"count":3,
  /// "skip":1,"ms":200,"attribute":"poison"}; all but kind optional. Unknown members are refused.
  static Result<FaultRule> parse(const boost::json::object& json);
  std::uint64_t add(FaultRule rule);
  /// Forgets the rules; the counters stay.
  void clear() { rules_.clear(); }

  /// Draws for a request. Of the rules that spoil an answer only the first that fires counts.
  FaultDecision decide(std::string_view operation, const std::vector<std::string>& tables, std::size_t node);
  /// The attribute by which a reject_items rule refuses a put into that table; counts a firing when `has`
  /// says so.
  template <class Has>
  const std::string* rejects(std::string_view operation, std::string_view table, std::size_t node, Has has) {
    for (FaultRule& rule : rules_) {
      if (rule.kind != FaultKind::reject_items || !matches(rule, operation, {std::string(table)}, node))
        continue;
      if (has(rule.attribute) && draw(rule)) return &rule.attribute;
    }
    return nullptr;
  }

  const std::vector<FaultRule>& rules() const { return rules_; }
  /// How often each kind has fired since the start or reset().
  const std::map<FaultKind, std::uint64_t>& fired() const { return fired_; }
  void count(FaultKind kind) { ++fired_[kind]; }
  void reset();

 private:
  static bool matches(const FaultRule& rule, std::string_view operation,
                      const std::vector<std::string>& tables, std::size_t node);
  bool draw(FaultRule& rule);

  std::uint64_t seed_;
  std::uint64_t next_id_ = 1;
  std::vector<FaultRule> rules_;
  std::map<FaultKind, std::uint64_t> fired_;
};

}  // namespace messina::sim
