// CloudWatch: what a table consumes, of everybody who uses it.
//
// Protocol: AWS JSON 1.0, as DynamoDB's own, so one client speaks both: X-Amz-Target
// "GraniteServiceVersion20100801.GetMetricData", signed for the service "monitoring", times in seconds since
// 1970. (Source: Amazon CloudWatch API Reference, "Making API requests" and GetMetricData.) DynamoDB reports
// ConsumedReadCapacityUnits and ConsumedWriteCapacityUnits by the minute, one to two minutes late; the sum of
// a period over its seconds is the rate (Developer Guide, "DynamoDB metrics and dimensions").
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "aws/classify.h"
#include "base/clock.h"
#include "base/error.h"

namespace messina::aws {

inline constexpr Operation kGetMetricData{"GetMetricData", OperationKind::read};
inline constexpr std::string_view kCloudWatchApi = "GraniteServiceVersion20100801";
inline constexpr std::string_view kCloudWatchService = "monitoring";
/// DynamoDB's metrics have no shorter one.
inline constexpr std::chrono::seconds kMetricsPeriod{60};

struct MetricPoint {
  WallTime from{};  ///< begin of the period
  double sum = 0;   ///< units in the period
  bool operator==(const MetricPoint&) const = default;
};
/// By time, oldest first. Periods in which nothing was consumed may be absent.
struct ConsumedUnits {
  std::vector<MetricPoint> reads, writes;
};

/// Asks for both sums of each period in [from, to) of the table, its indexes left out.
std::string consumed_units_request(std::string_view table, WallTime from, WallTime to);
/// Errors: corrupt.
Result<ConsumedUnits> parse_consumed_units(std::string_view body);

}  // namespace messina::aws
