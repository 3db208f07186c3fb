// What the fuzz targets share. A target defines LLVMFuzzerTestOneInput and calls require() for each property.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace messina::fuzz {

/// Ends the process (which is how libFuzzer learns of a find) unless the property holds.
inline void require(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property broken: %s\n", property);
  std::abort();
}

inline std::string_view input(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace messina::fuzz
