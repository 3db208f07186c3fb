#include "aws/times.h"

#include <charconv>

#include <fmt/chrono.h>
#include <time.h>

namespace messina::aws {
namespace {

/// Years that a time_t and a WallTime hold, and that make sense.
bool is_sane(const std::tm& tm) { return tm.tm_year >= 70 && tm.tm_year < 300; }

WallTime from_utc(std::tm tm) { return std::chrono::system_clock::from_time_t(timegm(&tm)); }

/// "+01:30", "-0700"; nullopt if it is none.
std::optional<std::chrono::minutes> parse_offset(std::string_view text) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int sign = text[0] == '-' ? -1 : 1;
  std::string digits(text.substr(1));
  if (digits.size() == 5 && digits[2] == ':') digits.erase(2, 1);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.size() != 4 || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return std::chrono::minutes(sign * (number / 100 * 60 + number % 100));
}

}  // namespace

std::optional<WallTime> parse_iso_time(std::string_view text) {
  const std::string copy(text);
  std::tm tm{};
  const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &tm);
  if (rest == nullptr || !is_sane(tm)) return std::nullopt;
  if (*rest == '.') {
    // Fractions of a second are of no matter here.
    do ++rest;
    while (*rest >= '0' && *rest <= '9');
  }
  if (std::string_view(rest) == "Z") return from_utc(tm);
  const auto offset = parse_offset(rest);
  if (!offset) return std::nullopt;
  return from_utc(tm) - *offset;
}

std::string iso_time(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  const std::string copy(text);
  std::tm tm{};
  const char* rest = strptime(copy.c_str(), "%a, %d %b %Y %H:%M:%S", &tm);
  if (rest == nullptr || std::string_view(rest) != " GMT" || !is_sane(tm)) return std::nullopt;
  return from_utc(tm);
}

}  // namespace messina::aws
