#include "plan/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "plan/text.h"

namespace messina::plan {
namespace {

struct Measured {
  double value = 0;
  std::string_view unit;
  std::size_t length = 0;  ///< characters read
};

/// A number without sign or exponent, and the letters behind it.
std::optional<Measured> read_measured(std::string_view text) {
  Measured measured;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), measured.value, std::chars_format::fixed);
  if (error != std::errc() || text.front() == '-' || !std::isfinite(measured.value)) return std::nullopt;
  std::size_t at = static_cast<std::size_t>(end - text.data());
  while (at < text.size() && text[at] == ' ') ++at;
  const std::size_t unit_at = at;
  while (at < text.size() && ((text[at] >= 'a' && text[at] <= 'z') || (text[at] >= 'A' && text[at] <= 'Z')))
    ++at;
  measured.unit = text.substr(unit_at, at - unit_at);
  measured.length = at;
  return measured;
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 5> kUnits{
      {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}}};
  static constexpr double kMaxMs = 1000.0 * 86400e3;
  const auto refuse = [&] {
    return fail(
        ErrorKind::usage,
        fmt::format("{} is not a duration: write a number and ms, s, m, h or d, as in 30s", shown(text)));
  };
  if (text.empty()) return refuse();
  double total_ms = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const auto measured = read_measured(rest);
    if (!measured) return refuse();
    double factor = 0;
    for (const auto& [name, milliseconds] : kUnits)
      if (measured->unit == name) factor = milliseconds;
    if (factor == 0) return refuse();
    total_ms += measured->value * factor;
    rest.remove_prefix(measured->length);
  }
  if (total_ms > kMaxMs)
    return fail(ErrorKind::usage, fmt::format("{} is too long: at most 1000d", shown(text)));
  return std::chrono::milliseconds(std::llround(total_ms));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 14> kUnits{{{"", 1},
                                                                               {"B", 1},
                                                                               {"KB", 1e3},
                                                                               {"kB", 1e3},
                                                                               {"MB", 1e6},
                                                                               {"GB", 1e9},
                                                                               {"TB", 1e12},
                                                                               {"K", 1024.0},
                                                                               {"KiB", 1024.0},
                                                                               {"M", 1048576.0},
                                                                               {"MiB", 1048576.0},
                                                                               {"G", 1073741824.0},
                                                                               {"GiB", 1073741824.0},
                                                                               {"TiB", 1099511627776.0}}};
  if (!text.empty()) {
    const auto measured = read_measured(text);
    if (measured && measured->length == text.size())
      for (const auto& [name, factor] : kUnits)
        if (measured->unit == name && measured->value * factor <= 0x1p60)
          return static_cast<std::uint64_t>(measured->value * factor);
  }
  return fail(ErrorKind::usage,
              fmt::format("{} is not a size: write a number and KB, MB, GB, KiB, MiB or GiB, as in 256MiB",
                          shown(text)));
}

Result<std::uint64_t> parse_whole(std::string_view text, std::uint64_t low, std::uint64_t high) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high)
    return fail(ErrorKind::usage,
                fmt::format("{} is not a whole number from {} to {}", shown(text), low, high));
  return value;
}

Result<double> parse_rate(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value <= 0)
    return fail(ErrorKind::usage, fmt::format("{} is not a number greater than 0", shown(text)));
  return value;
}

Result<double> parse_budget(std::string_view text) {
  if (text == "unlimited") return kUnlimited;
  const Result<double> rate = parse_rate(text);
  if (!rate) return fail(ErrorKind::usage, rate.error().message + ", nor \"unlimited\"");
  return rate;
}

Result<double> parse_share(std::string_view text) {
  const bool percent = text.ends_with('%');
  const Result<double> number = parse_rate(percent ? text.substr(0, text.size() - 1) : text);
  const double share = number ? *number / (percent ? 100 : 1) : 0;
  if (share > 0 && share <= 1) return share;
  return fail(ErrorKind::usage,
              fmt::format("{} is not a share: write it as 30% or 0.3, over 0 and at most 100%", shown(text)));
}

Result<std::set<std::uint32_t>> parse_segment_list(std::string_view text) {
  static constexpr std::uint64_t kLastSegment = 999'999;
  std::set<std::uint32_t> segments;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    const std::size_t dash = part.find('-');
    const auto first = parse_whole(part.substr(0, dash), 0, kLastSegment);
    const auto last =
        dash == std::string_view::npos ? first : parse_whole(part.substr(dash + 1), 0, kLastSegment);
    if (!first || !last || *last < *first)
      return fail(ErrorKind::usage,
                  fmt::format("{} is not a list of segments: write numbers and ranges, as in 3,7,10-12",
                              shown(text)));
    for (std::uint64_t segment = *first; segment <= *last; ++segment)
      segments.insert(static_cast<std::uint32_t>(segment));
  }
  if (segments.empty()) return fail(ErrorKind::usage, "the list of segments is empty");
  return segments;
}

}  // namespace messina::plan
