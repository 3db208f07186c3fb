// The logger: the only global of the program. Never give it secrets, keys of items or item contents.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

namespace messina::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

/// Sends the log to stderr, in plain text ("12:00:00 info: …") or one JSON object a line
/// ({"event":"log","time":…,"level":…,"message":…}). Called once by each main.
void init(spdlog::level::level_enum level, bool json);

/// Takes whole lines, the line's end included, instead of stderr; empty: stderr again. A console that redraws
/// a line uses it to keep the two apart. Called under the log's lock, from any thread; must not log.
/// Thread-safe.
void set_writer(std::function<void(std::string_view line)> writer);

/// Bytes that are no part of valid UTF-8 replaced by U+FFFD, as JSON needs it.
std::string valid_utf8(std::string_view text);

}  // namespace messina::log
