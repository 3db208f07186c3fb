// DynamoDB's number: a decimal of up to 38 significant digits.
// Source: Developer Guide, "Data types – Number": ±1E-130 … ±9.9999999999999999999999999999999999999E+125 and zero.
#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace messina::item {

inline constexpr int kMaxNumberDigits = 38;
inline constexpr int kMinNumberExponent = -130;
inline constexpr int kMaxNumberExponent = 125;

/// A decimal number, held as sign, digits without leading or trailing zeros, and a decimal exponent. Two texts of the
/// same value give equal Numbers; the text as it was written is not kept (pass raw bytes on where it matters).
class Number {
 public:
  enum class Limits {
    dynamodb,  ///< 38 digits, magnitude within DynamoDB's range; anything else is refused
    lenient,   ///< ScyllaDB before 6 accepts more digits and exponents: any length up to 10,000 characters
  };
  Number() = default;
  /// The grammar is DynamoDB's: optional sign, digits with optional point, optional e/E exponent; no white space.
  static std::optional<Number> parse(std::string_view text, Limits limits = Limits::lenient);

  /// As DynamoDB renders it: plain decimal without exponent ("1000", "-0.5", "0").
  std::string to_string() const;
  /// What the number adds to an item's size: about 1 byte per 2 significant digits, plus 1 (plus 1 if negative).
  std::size_t size_bytes() const;
  bool is_zero() const { return digits_.empty(); }
  /// Within `Limits::dynamodb`.
  bool fits_dynamodb() const;

  std::strong_ordering operator<=>(const Number& other) const;
  bool operator==(const Number& other) const = default;
  Number operator+(const Number& other) const;
  Number operator-(const Number& other) const;

 private:
  bool negative_ = false;
  std::string digits_;        // '1'..'9' at both ends; empty is zero
  std::int32_t exponent_ = 0;  // value = 0.DIGITS × 10^exponent
};

}  // namespace messina::item
