// The calls that the simulator knows, and their parameters.
#pragma once
#include <string_view>
#include <vector>

#include "sim/engine/engine.h"

namespace messina::sim {

/// The X-Amz-Target prefixes of the services.
inline constexpr std::string_view kDynamoDb = "DynamoDB_20120810";
inline constexpr std::string_view kStreams = "DynamoDBStreams_20120810";
inline constexpr std::string_view kKeyManagement = "TrentService";
inline constexpr std::string_view kCloudWatch = "GraniteServiceVersion20100801";

struct Engine::OperationInfo {
  Operation run;
  std::vector<std::string_view> parameters;
  std::string_view service = kDynamoDb;
  bool on_alternator = true;  ///< which takes any prefix
};

}  // namespace messina::sim
