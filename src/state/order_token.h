// Sequence numbers of a stream: what orders the changes of one key.
#pragma once
#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace messina::state {

/// A sequence number as DynamoDB Streams gives them: 21 to 40 decimal digits (API reference, StreamRecord,
/// "SequenceNumber"), leading zeros allowed, comparable as numbers within one order domain (one stream ARN)
/// and meaningless across two. Their length differs within a stream, so text does not order them. A value
/// without allocations; the default is 0.
class OrderToken {
 public:
  static constexpr std::size_t kMaxDigits = 40;

  constexpr OrderToken() = default;

  /// nullopt unless `text` is 1 to 40 decimal digits. Fewer than DynamoDB's 21 are taken, since nothing here
  /// depends on them.
  static constexpr std::optional<OrderToken> parse(std::string_view text) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.empty() || text.size() > kMaxDigits || !std::ranges::all_of(text, is_digit)) return std::nullopt;
    while (text.starts_with('0')) text.remove_prefix(1);
    OrderToken token;
    token.size_ = static_cast<std::uint8_t>(text.size());
    std::ranges::copy(text, token.digits_.begin());
    return token;
  }

  /// Without leading zeros; empty for 0. parse() takes it back, 0 apart.
  constexpr std::string_view digits() const { return {digits_.data(), size_}; }

  friend constexpr bool operator==(const OrderToken& a, const OrderToken& b) {
    return a.digits() == b.digits();
  }
  friend constexpr std::strong_ordering operator<=>(const OrderToken& a, const OrderToken& b) {
    if (a.size_ != b.size_) return a.size_ <=> b.size_;
    return a.digits() <=> b.digits();
  }

 private:
  std::array<char, kMaxDigits> digits_{};
  std::uint8_t size_ = 0;
};

}  // namespace messina::state
