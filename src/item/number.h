// DynamoDB's number: a decimal of up to 38 significant digits.
// Source: Developer Guide, "Data types – Number": ±1E-130 … ±9.9999999999999999999999999999999999999E+125 and
// zero.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace messina::item {

inline constexpr int kMaxNumberDigits = 38;
inline constexpr int kMinNumberExponent = -130;
inline constexpr int kMaxNumberExponent = 125;
/// The longest number read at all, as written and as rendered: a bound of ours, so that "1E999999999" is no
/// bomb.
inline constexpr std::size_t kMaxNumberText = 10'000;

/// A decimal number, held as sign, digits without leading or trailing zeros, and a decimal exponent. Two
/// texts of the same value give equal Numbers; the text as it was written is not kept (pass raw bytes on
/// where it matters).
class Number {
 public:
  enum class Limits {
    dynamodb,  ///< 38 digits, magnitude within DynamoDB's range; anything else is refused
    lenient,   ///< ScyllaDB before 6 accepts more digits and exponents: any number of up to kMaxNumberText
               ///< characters
  };
  /// Why a number is none of DynamoDB's.
  enum class Misfit {
    none,
    digits,     ///< more than 38 significant digits
    overflow,   ///< magnitude of 1E+126 or more
    underflow,  ///< magnitude below 1E-130, but not zero
  };

  Number() = default;
  /// The grammar is DynamoDB's: optional sign, digits with optional point ("5", "5.", ".5"), optional e/E
  /// exponent; no white space.
  static std::optional<Number> parse(std::string_view text, Limits limits = Limits::lenient);

  /// As DynamoDB renders it: plain decimal without exponent ("1000", "-0.5", "0"). parse() gives the number
  /// back, unless arithmetic has made it longer than kMaxNumberText.
  std::string to_string() const;
  /// What the number adds to an item's size: about 1 byte per 2 significant digits, plus 1 (plus 1 if
  /// negative).
  std::size_t size_bytes() const;
  bool is_zero() const { return digits_.empty(); }
  bool negative() const { return negative_; }
  /// Significant digits as '0'..'9', none of them zero at either end; empty for zero.
  std::string_view digits() const { return digits_; }
  /// The value is 0.DIGITS × 10^exponent(); 0 for zero.
  int exponent() const { return exponent_; }
  /// Within `Limits::dynamodb`.
  bool fits_dynamodb() const { return misfit() == Misfit::none; }
  Misfit misfit() const;

  std::strong_ordering operator<=>(const Number& other) const;
  bool operator==(const Number& other) const = default;
  /// Exact: the result may have more digits than DynamoDB takes (see misfit()).
  Number operator+(const Number& other) const;
  Number operator-(const Number& other) const;

 private:
  static Number normalised(bool negative, std::string digits, std::int64_t exponent);
  std::size_t rendered_size() const;
  std::strong_ordering compare_magnitude(const Number& other) const;

  bool negative_ = false;
  std::string digits_;         // no '0' at either end; empty is zero
  std::int32_t exponent_ = 0;  // value = 0.DIGITS × 10^exponent
};

}  // namespace messina::item
