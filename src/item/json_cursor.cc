#include "item/json_cursor.h"

#include <bit>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace messina::item {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Each byte of a word.
constexpr std::uint64_t each(std::uint8_t byte) { return byte * 0x0101010101010101ULL; }

std::uint32_t hex4(const char* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value * 16 + static_cast<std::uint32_t>(hex_value(at[i]));
  return value;
}

void append_utf8(std::string& out, std::uint32_t code_point) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  const auto put_tail = [&](int shift) { put(0x80 | ((code_point >> shift) & 0x3F)); };
  if (code_point < 0x80) return put(code_point);
  if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put_tail(6);
  } else {
    put(0xF0 | (code_point >> 18));
    put_tail(12);
    put_tail(6);
  }
  put_tail(0);
}

bool is_high_surrogate(std::uint32_t c) { return c >= 0xD800 && c < 0xDC00; }
bool is_low_surrogate(std::uint32_t c) { return c >= 0xDC00 && c < 0xE000; }

const char* skip_digits(const char* at, const char* end) {
  const char* const first = at;
  while (at != end && is_digit(*at)) ++at;
  return at == first ? nullptr : at;
}

const char* skip_json_number(const char* at, const char* end) {
  if (at != end && *at == '-') ++at;
  if (at == end) return nullptr;
  at = *at == '0' ? at + 1 : skip_digits(at, end);
  if (at == nullptr) return nullptr;
  if (at != end && *at == '.') {
    at = skip_digits(at + 1, end);
    if (at == nullptr) return nullptr;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    at = skip_digits(at, end);
  }
  return at;
}

}  // namespace

const char* skip_unescaped(const char* at, const char* end) {
#ifdef __SSE2__
  const __m128i quotes = _mm_set1_epi8('"'), backslashes = _mm_set1_epi8('\\'),
                controls = _mm_set1_epi8(0x1f);
  for (; end - at >= 16; at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(block, controls), controls);
    const __m128i stops = _mm_or_si128(
        control, _mm_or_si128(_mm_cmpeq_epi8(block, quotes), _mm_cmpeq_epi8(block, backslashes)));
    const auto which = static_cast<std::uint32_t>(_mm_movemask_epi8(stops));
    if (which != 0) return at + std::countr_zero(which);
  }
#endif
  // Eight bytes at once. Of the flags only the lowest can be trusted: a borrow may raise those above it.
  static_assert(std::endian::native == std::endian::little);
  const auto below = [](std::uint64_t word, std::uint8_t limit) {
    return (word - each(limit)) & ~word & each(0x80);
  };
  for (std::uint64_t word; end - at >= 8; at += 8) {
    std::memcpy(&word, at, sizeof word);
    const std::uint64_t stops = below(word ^ each('"'), 1) | below(word ^ each('\\'), 1) | below(word, 0x20);
    if (stops != 0) return at + std::countr_zero(stops) / 8;
  }
  while (at != end && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20) ++at;
  return at;
}

const char* skip_json_scalar(const char* at, const char* end) {
  const std::string_view rest(at, static_cast<std::size_t>(end - at));
  for (const std::string_view literal : {"true", "false", "null"}) {
    if (rest.starts_with(literal)) return at + literal.size();
  }
  return skip_json_number(at, end);
}

const char* skip_json_escape(const char* at, const char* end) {
  if (++at == end) return nullptr;
  if (*at != 'u') return std::string_view("\"\\/bfnrt").contains(*at) ? at + 1 : nullptr;
  if (end - at < 5) return nullptr;
  for (int i = 1; i <= 4; ++i) {
    if (hex_value(at[i]) < 0) return nullptr;
  }
  return at + 5;
}

bool unescape_json(std::string_view raw, std::string& out) {
  bool whole_pairs = true;
  std::size_t at = 0;
  while (true) {
    const std::size_t backslash = raw.find('\\', at);
    if (backslash == std::string_view::npos) {
      out.append(raw.substr(at));
      return whole_pairs;
    }
    out.append(raw.substr(at, backslash - at));
    const char kind = raw[backslash + 1];
    at = backslash + 2;
    switch (kind) {
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u': {
        std::uint32_t code_point = hex4(raw.data() + at);
        at += 4;
        if (is_high_surrogate(code_point) && raw.substr(at).starts_with("\\u")) {
          const std::uint32_t low = hex4(raw.data() + at + 2);
          if (is_low_surrogate(low)) {
            code_point = 0x10000 + ((code_point - 0xD800) << 10) + (low - 0xDC00);
            at += 6;
          }
        }
        if (is_high_surrogate(code_point) || is_low_surrogate(code_point)) whole_pairs = false;
        append_utf8(out, code_point);
        break;
      }
      default:
        out.push_back(kind);
    }
  }
}

bool json_string_is(std::string_view raw, std::string_view text) {
  if (raw.size() <= text.size()) return raw == text && !raw.contains('\\');  // an escape only ever shrinks
  if (!raw.contains('\\')) return false;
  std::string name;
  unescape_json(raw, name);
  return name == text;
}

bool ByteCursor::take_string(std::string_view& inside) {
  if (!take('"')) return false;
  const char* const first = at_;
  for (;;) {
    at_ = skip_unescaped(at_, end_);
    if (at_ == end_) return false;
    if (*at_ == '"') {
      inside = {first, static_cast<std::size_t>(at_ - first)};
      ++at_;
      return true;
    }
    const char* const after = *at_ == '\\' ? skip_json_escape(at_, end_) : nullptr;
    if (after == nullptr) return false;
    at_ = after;
  }
}

bool ByteCursor::take_scalar(std::string_view& text) {
  const char* const first = position();
  const char* const after = skip_json_scalar(first, end_);
  if (after == nullptr) return false;
  text = {first, static_cast<std::size_t>(after - first)};
  at_ = after;
  return true;
}

}  // namespace messina::item
