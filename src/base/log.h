// The logger: the only global of the program. Never give it secrets, keys of items or item contents.
#pragma once
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

namespace messina::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

/// Sends the log to stderr, in plain text or one JSON object a line. Called once by each main.
void init(spdlog::level::level_enum level, bool json);

}  // namespace messina::log
