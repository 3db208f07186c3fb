#include "console/cell_text.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#include "console/json_line.h"
#include "console/progress_text.h"

namespace messina::console {
namespace {

constexpr std::string_view kEllipsis = "…";

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

/// Where the UTF-8 sequence at `at` ends.
std::size_t next_of(std::string_view text, std::size_t at) {
  do {
    ++at;
  } while (at < text.size() && continues(text[at]));
  return at;
}

/// Of one valid UTF-8 sequence.
std::uint32_t code_point(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence.front());
  if (sequence.size() == 1) return first;
  std::uint32_t point = first & (0x7Fu >> sequence.size());
  for (const char byte : sequence.substr(1)) point = point << 6 | (static_cast<unsigned char>(byte) & 0x3Fu);
  return point;
}

/// Control characters, and Unicode's invisible and direction-changing ones. Some scripts need a few of these:
/// better an escape too many.
bool deceives(std::uint32_t point) {
  const auto within = [point](std::uint32_t first, std::uint32_t last) {
    return point >= first && point <= last;
  };
  return point < 0x20 || within(0x7F, 0x9F) || point == 0xAD || point == 0x61C || within(0x200B, 0x200F) ||
         within(0x2028, 0x202E) || within(0x2060, 0x206F) || point == 0xFEFF;
}

/// Where the column begins; the text's end if there is none.
std::size_t offset_of(std::string_view text, std::size_t column) {
  std::size_t at = 0;
  for (; column > 0 && at < text.size(); --column) at = next_of(text, at);
  return at;
}

}  // namespace

std::string printable(std::string_view text) {
  const std::string valid = valid_utf8(text);
  std::string out;
  out.reserve(valid.size());
  for (std::size_t at = 0; at < valid.size();) {
    const std::size_t next = next_of(valid, at);
    const std::string_view sequence = std::string_view(valid).substr(at, next - at);
    if (const std::uint32_t point = code_point(sequence); deceives(point))
      out += fmt::format("\\u{:04x}", point);
    else
      out += sequence;
    at = next;
  }
  return out;
}

std::string clipped(std::string_view text, std::size_t width, std::size_t from) {
  const std::size_t total = columns(text);
  from = std::min(from, total > 0 ? total - 1 : 0);
  const bool before = from > 0, behind = total - from > width;
  if (!before && !behind) return std::string(text);
  const std::size_t first = offset_of(text, from + (before ? 1 : 0));
  const std::size_t last = offset_of(text, std::min(total, from + width) - (behind ? 1 : 0));
  std::string out;
  if (before) out += kEllipsis;
  out += text.substr(first, last - first);
  if (behind) out += kEllipsis;
  return out;
}

std::string padded(std::string text, std::size_t width) {
  const std::size_t used = columns(text);
  if (used < width) text.append(width - used, ' ');
  return text;
}

std::size_t columns_alike(std::string_view one, std::string_view other) {
  const auto differ = std::ranges::mismatch(one, other);
  auto bytes = static_cast<std::size_t>(differ.in1 - one.begin());
  // Sequences may begin alike and differ behind that.
  while (bytes > 0 &&
         ((bytes < one.size() && continues(one[bytes])) || (bytes < other.size() && continues(other[bytes]))))
    --bytes;
  return columns(one.substr(0, bytes));
}

}  // namespace messina::console
