// Numbers for people. For programs there are the JSON events.
#pragma once
#include <cstdint>
#include <string>

namespace messina::console {

/// 1234567 → "1,234,567".
std::string grouped(std::uint64_t number);
/// "1 item", "1,234 items".
std::string counted(std::uint64_t number, const char* thing);
/// Decimal units, two or three digits: "512 B", "1.2 GB", "37 MB".
std::string bytes(double size);
/// "45,210", "3.2" below ten.
std::string rate(double per_second);
/// "0.4 s", "12 s", "3 min 20 s", "2 h 05 min", "3 d 4 h". Negative and non-finite: "?".
std::string duration(double seconds);
/// 0.4234 → "42.3%". Never "100.0%" before 1, nor below "0.0%".
std::string percent(double share);

}  // namespace messina::console
