// Durations, sizes and numbers as people write them.
#pragma once
#include <chrono>
#include <cstdint>
#include <limits>
#include <set>
#include <string_view>

#include "base/error.h"

namespace messina::plan {

/// "500ms", "30s", "1.5m", "2h", "1m30s"; 0 to 1,000 days. A bare number is refused: its unit would be a
/// guess.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "1048576", "256MB" (10^6), "256MiB" or "256M" (2^20); up to 2^60 bytes.
Result<std::uint64_t> parse_size(std::string_view text);

/// A whole number in [low, high].
Result<std::uint64_t> parse_whole(std::string_view text, std::uint64_t low, std::uint64_t high);

/// A finite number greater than 0.
Result<double> parse_rate(std::string_view text);

/// The same, or "unlimited", which is kUnlimited.
Result<double> parse_budget(std::string_view text);
inline constexpr double kUnlimited = std::numeric_limits<double>::infinity();

/// "30%" or "0.3": over 0, up to 1.
Result<double> parse_share(std::string_view text);

/// "3,7,10-12": segment numbers and ranges.
Result<std::set<std::uint32_t>> parse_segment_list(std::string_view text);

}  // namespace messina::plan
