#include "sim/engine/stream_text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <vector>

#include <fmt/format.h>

#include "base/hash.h"

namespace messina::sim {
namespace {

__extension__ using Uint128 = unsigned __int128;

constexpr std::size_t kLowDigits = 20;        // of 2^64 - 1
constexpr std::size_t kMaxScyllaDigits = 39;  // of 2^128 - 1
/// From 1582-10-15 to 1970-01-01, in 100 ns (RFC 4122, section 4.1.4).
constexpr std::uint64_t kUuidEpoch = 0x01B2'1DD2'1381'4000;
constexpr std::size_t kUuidText = 36;

template <class Number>
std::optional<Number> parse_whole(std::string_view text, int base = 10) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool all_digits(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<SequenceNumber> parse_scylla_number(std::string_view text) {
  if (text.empty() || text.size() > kMaxScyllaDigits || !all_digits(text)) return std::nullopt;
  Uint128 number = 0;
  for (const char c : text) {
    const Uint128 next = number * 10 + static_cast<unsigned>(c - '0');
    if (next / 10 != number) return std::nullopt;
    number = next;
  }
  return SequenceNumber{static_cast<std::uint64_t>(number >> 64), static_cast<std::uint64_t>(number)};
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

std::string to_text(SequenceNumber number, StreamStyle style) {
  if (style == StreamStyle::dynamodb) return fmt::format("{}{:020}", number.high, number.low);
  Uint128 rest = (static_cast<Uint128>(number.high) << 64) | number.low;
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
    rest /= 10;
  } while (rest != 0);
  std::ranges::reverse(digits);
  return digits;
}

std::optional<SequenceNumber> parse_sequence_number(std::string_view text, StreamStyle style) {
  if (style == StreamStyle::alternator) return parse_scylla_number(text);
  if (text.size() <= kLowDigits || text.size() > 2 * kLowDigits || !all_digits(text)) return std::nullopt;
  const auto high = parse_whole<std::uint64_t>(text.substr(0, text.size() - kLowDigits));
  const auto low = parse_whole<std::uint64_t>(text.substr(text.size() - kLowDigits));
  if (!high || !low) return std::nullopt;
  return SequenceNumber{*high, *low};
}

std::uint64_t uuid_time(std::int64_t unix_us) {
  return static_cast<std::uint64_t>(unix_us) * 10 + kUuidEpoch;
}

std::uint64_t uuid_time(WallTime time) {
  return uuid_time(std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
}

std::string uuid_text(SequenceNumber number) {
  if (number == SequenceNumber{}) return "00000000-0000-0000-0000-000000000000";
  const std::uint64_t time = number.high;
  return fmt::format("{:08x}-{:04x}-1{:03x}-{:04x}-{:012x}", time & 0xffff'ffff, (time >> 32) & 0xffff,
                     (time >> 48) & 0xfff, number.low >> 48, number.low & 0xffff'ffff'ffff);
}

std::optional<SequenceNumber> parse_uuid(std::string_view text) {
  if (text.size() != kUuidText) return std::nullopt;
  const auto parts = split(text, '-');
  if (parts.size() != 5) return std::nullopt;
  constexpr std::size_t kLengths[] = {8, 4, 4, 4, 12};
  std::uint64_t values[5] = {};
  for (std::size_t i = 0; i < 5; ++i) {
    const auto value = parse_whole<std::uint64_t>(parts[i], 16);
    if (parts[i].size() != kLengths[i] || !value) return std::nullopt;
    values[i] = *value;
  }
  return SequenceNumber{((values[2] & 0xfff) << 48) | (values[1] << 32) | values[0],
                        (values[3] << 48) | values[4]};
}

std::string to_text(const ShardIterator& iterator, StreamStyle style) {
  const StreamPosition& position = iterator.position;
  if (style == StreamStyle::alternator) {
    // Recorded: the capital letter means "from there on", the small one "behind it"; the stream by its UUID.
    return fmt::format("{}{}:{}:{}", position.inclusive ? 'I' : 'i', iterator.stream.substr(1),
                       uuid_text(position.number), iterator.shard);
  }
  const std::string inside =
      fmt::format("{}|{}|{}|{}|{}", iterator.shard, position.number.high, position.number.low,
                  position.inclusive ? 1 : 0, iterator.issued.time_since_epoch().count());
  return fmt::format("{}{}{}", iterator.stream, kIteratorMark, base64_encode(inside));
}

std::optional<ShardIterator> parse_iterator(std::string_view text, StreamStyle style) {
  ShardIterator iterator;
  if (style == StreamStyle::alternator) {
    // I<36>:<36>:<shard>
    constexpr std::size_t kHead = 1 + kUuidText + 1 + kUuidText + 1;
    if (text.size() <= kHead || (text[0] != 'I' && text[0] != 'i')) return std::nullopt;
    if (text[1 + kUuidText] != ':' || text[kHead - 1] != ':') return std::nullopt;
    const auto number = parse_uuid(text.substr(2 + kUuidText, kUuidText));
    if (!number || !parse_uuid(text.substr(1, kUuidText))) return std::nullopt;
    iterator.stream = "S" + std::string(text.substr(1, kUuidText));
    iterator.shard = text.substr(kHead);
    iterator.position = {*number, text[0] == 'I'};
    return iterator;
  }
  const std::size_t mark = text.find(kIteratorMark);
  if (mark == std::string_view::npos) return std::nullopt;
  const auto inside = base64_decode(text.substr(mark + kIteratorMark.size()));
  if (!inside) return std::nullopt;
  const auto parts = split(*inside, '|');
  if (parts.size() != 5) return std::nullopt;
  const auto high = parse_whole<std::uint64_t>(parts[1]);
  const auto low = parse_whole<std::uint64_t>(parts[2]);
  const auto issued = parse_whole<Duration::rep>(parts[4]);
  if (!high || !low || !issued) return std::nullopt;
  iterator.stream = text.substr(0, mark);
  iterator.shard = parts[0];
  iterator.position = {{*high, *low}, parts[3] == "1"};
  iterator.issued = MonoTime(Duration(*issued));
  return iterator;
}

}  // namespace messina::sim
