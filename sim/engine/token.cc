#include "sim/engine/token.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <vector>

namespace messina::sim {
namespace {

std::uint64_t mix(std::uint64_t k) {
  k ^= k >> 33;
  k *= 0xff51afd7ed558ccdULL;
  k ^= k >> 33;
  k *= 0xc4ceb9fe1a85ec53ULL;
  return k ^ (k >> 33);
}

std::uint64_t load(std::string_view bytes, std::size_t at) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return word;
}

/// A tail byte, sign-extended as Cassandra's Java does.
std::uint64_t tail(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(static_cast<signed char>(bytes[at])));
}

}  // namespace

std::int64_t token_of(std::string_view key) {
  constexpr std::uint64_t c1 = 0x87c37b91114253d5ULL;
  constexpr std::uint64_t c2 = 0x4cf5ad432745937fULL;
  std::uint64_t h1 = 0;
  std::uint64_t h2 = 0;
  const std::size_t blocks = key.size() / 16;
  for (std::size_t i = 0; i < blocks; ++i) {
    h1 ^= std::rotl(load(key, i * 16) * c1, 31) * c2;
    h1 = (std::rotl(h1, 27) + h2) * 5 + 0x52dce729;
    h2 ^= std::rotl(load(key, i * 16 + 8) * c2, 33) * c1;
    h2 = (std::rotl(h2, 31) + h1) * 5 + 0x38495ab5;
  }
  const std::size_t rest = key.size() % 16;
  std::uint64_t k1 = 0;
  std::uint64_t k2 = 0;
  for (std::size_t i = rest; i > 8; --i) k2 ^= tail(key, blocks * 16 + i - 1) << (8 * (i - 9));
  for (std::size_t i = std::min<std::size_t>(rest, 8); i > 0; --i)
    k1 ^= tail(key, blocks * 16 + i - 1) << (8 * (i - 1));
  h2 ^= std::rotl(k2 * c2, 33) * c1;
  h1 ^= std::rotl(k1 * c1, 31) * c2;

  h1 ^= key.size();
  h2 ^= key.size();
  h1 += h2;
  h2 += h1;
  h1 = mix(h1);
  h2 = mix(h2);
  h1 += h2;
  const auto token = static_cast<std::int64_t>(h1);
  return token == std::numeric_limits<std::int64_t>::min() ? std::numeric_limits<std::int64_t>::max() : token;
}

std::string decimal_bytes(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::int32_t exponent = 0;
  if (const std::size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    std::string_view digits = text.substr(e + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    text = text.substr(0, e);
  }
  std::int32_t scale = -exponent;
  std::vector<std::uint8_t> magnitude{0};  // little-endian base 256
  bool after_point = false;
  for (const char c : text) {
    if (c == '.') {
      after_point = true;
      continue;
    }
    if (after_point) ++scale;
    unsigned carry = static_cast<unsigned>(c - '0');
    for (std::uint8_t& byte : magnitude) {
      carry += byte * 10u;
      byte = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    if (carry != 0) magnitude.push_back(static_cast<std::uint8_t>(carry));
  }
  while (magnitude.size() > 1 && magnitude.back() == 0) magnitude.pop_back();
  if ((magnitude.back() & 0x80) != 0) magnitude.push_back(0);
  if (negative) {
    unsigned carry = 1;
    for (std::uint8_t& byte : magnitude) {
      carry += static_cast<std::uint8_t>(~byte);
      byte = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    // The shortest form: drop a sign byte that the next byte's sign already says.
    while (magnitude.size() > 1 && magnitude.back() == 0xFF &&
           (magnitude[magnitude.size() - 2] & 0x80) != 0) {
      magnitude.pop_back();
    }
  }
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(static_cast<std::uint32_t>(scale) >> shift));
  out.append(magnitude.rbegin(), magnitude.rend());
  return out;
}

std::int64_t segment_start(std::int64_t segment, std::int64_t total) {
  const std::uint64_t width = std::numeric_limits<std::uint64_t>::max() / static_cast<std::uint64_t>(total);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::min()) +
                                   width * static_cast<std::uint64_t>(segment));
}

}  // namespace messina::sim
