#include "sim/engine/faults.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

namespace messina::sim {
namespace {

constexpr std::array kNames = {
    std::pair{FaultKind::throttle_table, std::string_view("throttle_table")},
    std::pair{FaultKind::throttle_key_range, std::string_view("throttle_key_range")},
    std::pair{FaultKind::throttle_account, std::string_view("throttle_account")},
    std::pair{FaultKind::unprocessed, std::string_view("unprocessed")},
    std::pair{FaultKind::latency, std::string_view("latency")},
    std::pair{FaultKind::slow_start, std::string_view("slow_start")},
    std::pair{FaultKind::error_before, std::string_view("error_before")},
    std::pair{FaultKind::error_after, std::string_view("error_after")},
    std::pair{FaultKind::partial, std::string_view("partial")},
    std::pair{FaultKind::cut_before, std::string_view("cut_before")},
    std::pair{FaultKind::cut_after, std::string_view("cut_after")},
    std::pair{FaultKind::cut_late, std::string_view("cut_late")},
    std::pair{FaultKind::stall, std::string_view("stall")},
    std::pair{FaultKind::wrong_crc, std::string_view("wrong_crc")},
    std::pair{FaultKind::truncated, std::string_view("truncated")},
    std::pair{FaultKind::not_json, std::string_view("not_json")},
    std::pair{FaultKind::expired_credentials, std::string_view("expired_credentials")},
    std::pair{FaultKind::access_denied, std::string_view("access_denied")},
    std::pair{FaultKind::stop, std::string_view("stop")},
    std::pair{FaultKind::throttle_stream_limit, std::string_view("throttle_stream_limit")},
    std::pair{FaultKind::throttle_stream_rate, std::string_view("throttle_stream_rate")},
    std::pair{FaultKind::throttle_stream_capacity, std::string_view("throttle_stream_capacity")},
    std::pair{FaultKind::expire_iterator, std::string_view("expire_iterator")},
    std::pair{FaultKind::empty_page, std::string_view("empty_page")},
    std::pair{FaultKind::reject_items, std::string_view("reject_items")},
};

/// Kinds that only some calls can show.
bool suits(FaultKind kind, std::string_view operation) {
  switch (kind) {
    case FaultKind::unprocessed:
      return operation.starts_with("Batch");
    case FaultKind::partial:
      return operation == "BatchWriteItem";
    case FaultKind::throttle_stream_limit:
    case FaultKind::throttle_stream_rate:
    case FaultKind::throttle_stream_capacity:
      return operation == "GetRecords" || operation == "GetShardIterator" || operation == "DescribeStream" ||
             operation == "ListStreams";
    case FaultKind::expire_iterator:
    case FaultKind::empty_page:
      return operation == "GetRecords";
    default:
      return true;
  }
}

Result<std::uint64_t> whole(const boost::json::value& value, std::string_view name) {
  if (value.is_int64() && value.get_int64() >= 0) return static_cast<std::uint64_t>(value.get_int64());
  return fail(ErrorKind::usage, fmt::format("fault: \"{}\" must be a whole number, 0 or more", name));
}

Result<std::string> text(const boost::json::value& value, std::string_view name) {
  if (value.is_string()) return std::string(value.get_string());
  return fail(ErrorKind::usage, fmt::format("fault: \"{}\" must be a string", name));
}

Result<void> set(FaultRule& rule, std::string_view name, const boost::json::value& value) {
  if (name == "kind" || name == "operation" || name == "table" || name == "attribute") {
    auto given = text(value, name);
    if (!given) return fail(given.error());
    if (name == "operation") rule.operation = *given;
    if (name == "table") rule.table = *given;
    if (name == "attribute") rule.attribute = *given;
    if (name != "kind") return {};
    const auto found =
        std::ranges::find(kNames, std::string_view(*given), &std::pair<FaultKind, std::string_view>::second);
    if (found == kNames.end())
      return fail(ErrorKind::usage, fmt::format("fault: there is no kind \"{}\"", *given));
    rule.kind = found->first;
    return {};
  }
  if (name == "probability") {
    if (!value.is_number())
      return fail(ErrorKind::usage, "fault: \"probability\" must be a number from 0 to 1");
    rule.probability = value.to_number<double>();
    if (rule.probability >= 0 && rule.probability <= 1) return {};
    return fail(ErrorKind::usage, "fault: \"probability\" must be a number from 0 to 1");
  }
  const bool known = name == "node" || name == "count" || name == "skip" || name == "ms";
  if (!known) return fail(ErrorKind::usage, fmt::format("fault: unknown member \"{}\"", name));
  const auto number = whole(value, name);
  if (!number) return fail(number.error());
  if (name == "node") rule.node = static_cast<std::size_t>(*number);
  if (name == "count") rule.count = *number;
  if (name == "skip") rule.skip = *number;
  if (name == "ms") rule.delay = std::chrono::milliseconds(*number);
  return {};
}

}  // namespace

std::string_view to_string(FaultKind kind) {
  return std::ranges::find(kNames, kind, &std::pair<FaultKind, std::string_view>::first)->second;
}

Result<FaultRule> Faults::parse(const boost::json::object& json) {
  if (!json.contains("kind")) return fail(ErrorKind::usage, "fault: \"kind\" is missing");
  FaultRule rule;
  for (const auto& [name, value] : json) {
    if (auto ok = set(rule, std::string_view(name.data(), name.size()), value); !ok) return fail(ok.error());
  }
  return rule;
}

std::uint64_t Faults::add(FaultRule rule) {
  rule.id = next_id_++;
  rule.random = Random(seed_ * 1'000'003 + rule.id);
  rules_.push_back(std::move(rule));
  return rules_.back().id;
}

bool Faults::matches(const FaultRule& rule, std::string_view operation,
                     const std::vector<std::string>& tables, std::size_t node) {
  return suits(rule.kind, operation) && (rule.operation.empty() || rule.operation == operation) &&
         (rule.table.empty() || std::ranges::find(tables, rule.table) != tables.end()) &&
         (!rule.node || *rule.node == node);
}

bool Faults::draw(FaultRule& rule) {
  ++rule.matched;
  if (rule.matched <= rule.skip || (rule.count && rule.fired >= *rule.count)) return false;
  if (!rule.random.chance(rule.probability)) return false;
  ++rule.fired;
  count(rule.kind);
  return true;
}

FaultDecision Faults::decide(std::string_view operation, const std::vector<std::string>& tables,
                             std::size_t node) {
  FaultDecision decision;
  for (FaultRule& rule : rules_) {
    if (rule.kind == FaultKind::reject_items || !matches(rule, operation, tables, node)) continue;
    const bool spoils =
        rule.kind != FaultKind::latency && rule.kind != FaultKind::slow_start && rule.kind != FaultKind::stop;
    if (spoils && decision.kind) continue;
    if (!draw(rule)) continue;
    switch (rule.kind) {
      case FaultKind::latency:
        decision.answer_delay += rule.delay;
        break;
      case FaultKind::slow_start:
        decision.start_delay += rule.delay;
        break;
      case FaultKind::stop:
        decision.stop_for = rule.delay;
        break;
      default:
        decision.kind = rule.kind;
        decision.kind_delay = rule.delay;
    }
  }
  return decision;
}

void Faults::reset() {
  rules_.clear();
  fired_.clear();
  next_id_ = 1;
}

}  // namespace messina::sim
