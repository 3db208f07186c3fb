// How a stream's numbers, names and iterators are written, by DynamoDB and by Alternator.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace messina::sim {

/// Which service's way of writing.
enum class StreamStyle : std::uint8_t { dynamodb, alternator };

/// The place of a record in its stream. DynamoDB: `high` followed by the 20 digits of `low`, which gives 21
/// to 40 digits (API reference: "SequenceNumber", length constraints), so that numbers of two lengths meet.
/// Alternator: the 128-bit number made of a time-UUID's time (`high`, 100 ns since 1582) and its low half.
struct SequenceNumber {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const SequenceNumber&) const = default;
};

std::string to_text(SequenceNumber number, StreamStyle style);
/// nullopt for what to_text() never writes.
std::optional<SequenceNumber> parse_sequence_number(std::string_view text, StreamStyle style);

/// 100 ns since 1582-10-15, a time-UUID's time (RFC 4122).
std::uint64_t uuid_time(WallTime time);
std::uint64_t uuid_time(std::int64_t unix_us);
/// The time-UUID whose time and low half these are; a number of zeros gives the nil UUID, as recorded.
std::string uuid_text(SequenceNumber number);
std::optional<SequenceNumber> parse_uuid(std::string_view text);

/// Where reading goes on: at `number`, or behind it.
struct StreamPosition {
  SequenceNumber number;
  bool inclusive = true;
  bool operator==(const StreamPosition&) const = default;
};

struct ShardIterator {
  std::string stream;  ///< its ARN
  std::string shard;
  StreamPosition position;
  MonoTime issued{};  ///< DynamoDB only: Alternator's iterators do not age
};

/// Stands behind the stream's ARN in DynamoDB's iterators.
inline constexpr std::string_view kIteratorMark = "|1|";

std::string to_text(const ShardIterator& iterator, StreamStyle style);
std::optional<ShardIterator> parse_iterator(std::string_view text, StreamStyle style);

}  // namespace messina::sim
