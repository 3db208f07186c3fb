#include "console/numbers.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace messina::console {

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
    text.insert(static_cast<std::size_t>(at), 1, ',');
  return text;
}

std::string counted(std::uint64_t number, const char* thing) {
  return fmt::format("{} {}{}", grouped(number), thing, number == 1 ? "" : "s");
}

std::string bytes(double size) {
  static constexpr std::array<const char*, 6> kUnits{"B", "KB", "MB", "GB", "TB", "PB"};
  if (!std::isfinite(size) || size < 0) return "?";
  std::size_t unit = 0;
  // 999.5 of a unit would round to four digits.
  while (size >= 999.5 && unit + 1 < kUnits.size()) {
    size /= 1000;
    ++unit;
  }
  if (unit == 0 || size >= 9.95) return fmt::format("{:.0f} {}", size, kUnits[unit]);
  return fmt::format("{:.1f} {}", size, kUnits[unit]);
}

std::string rate(double per_second) {
  if (!std::isfinite(per_second) || per_second < 0) return "?";
  if (per_second > 0 && per_second < 9.95) return fmt::format("{:.1f}", per_second);
  return grouped(static_cast<std::uint64_t>(std::llround(std::min(per_second, 1e18))));
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::uint64_t>(std::llround(std::min(seconds, 1e15)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  if (whole < 86'400) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", grouped(whole / 86'400), whole % 86'400 / 3600);
}

std::string percent(double share) {
  if (!std::isfinite(share)) return "?";
  if (share >= 1) return "100.0%";
  return fmt::format("{:.1f}%", std::min(std::max(share, 0.0) * 100, 99.9));
}

}  // namespace messina::console
