// The calls that the simulator knows, and their parameters.
#pragma once
#include <string_view>
#include <vector>

#include "sim/engine/engine.h"

namespace messina::sim {

struct Engine::OperationInfo {
  Operation run;
  std::vector<std::string_view> parameters;
};

}  // namespace messina::sim
