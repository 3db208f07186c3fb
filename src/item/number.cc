#include "item/number.h"

#include <algorithm>

namespace messina::item {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The sum of two non-negative integers in decimal, of equal length.
std::string add_integers(const std::string& a, const std::string& b) {
  std::string sum(a.size() + 1, '0');
  int carry = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    const int digit = (a[i] - '0') + (b[i] - '0') + carry;
    sum[i + 1] = static_cast<char>('0' + digit % 10);
    carry = digit / 10;
  }
  sum[0] = static_cast<char>('0' + carry);
  return sum;
}

// a - b for integers of equal length with a >= b.
std::string subtract_integers(const std::string& a, const std::string& b) {
  std::string difference(a.size(), '0');
  int borrow = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    int digit = (a[i] - '0') - (b[i] - '0') - borrow;
    borrow = digit < 0 ? 1 : 0;
    if (digit < 0) digit += 10;
    difference[i] = static_cast<char>('0' + digit);
  }
  return difference;
}

// Parses "[+-]digits" up to the end of `text`. Exponents too large to matter are cut to ±1,000,000, which
// every limit refuses, so that nothing overflows.
std::optional<std::int64_t> parse_exponent(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) value = std::min<std::int64_t>(value * 10 + (c - '0'), 1'000'000);
  return negative ? -value : value;
}

}  // namespace

std::optional<Number> Number::parse(std::string_view text, Limits limits) {
  if (text.size() > kMaxNumberText) return std::nullopt;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);

  std::string digits;
  std::int64_t exponent = 0;
  bool any_digit = false, point = false;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !point) {
      point = true;
    } else if (is_digit(c)) {
      any_digit = true;
      digits.push_back(c);
      if (!point) ++exponent;
    } else {
      break;
    }
  }
  if (!any_digit) return std::nullopt;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
    const auto scale = parse_exponent(text.substr(at + 1));
    if (!scale) return std::nullopt;
    exponent += *scale;
  }
  Number number = normalised(negative, std::move(digits), exponent);
  if (limits == Limits::dynamodb ? !number.fits_dynamodb() : number.rendered_size() > kMaxNumberText) {
    return std::nullopt;
  }
  return number;
}

Number Number::normalised(bool negative, std::string digits, std::int64_t exponent) {
  const std::size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return {};
  digits.erase(digits.find_last_not_of('0') + 1);
  digits.erase(0, first);
  Number number;
  number.negative_ = negative;
  number.digits_ = std::move(digits);
  number.exponent_ = static_cast<std::int32_t>(exponent - static_cast<std::int64_t>(first));
  return number;
}

std::size_t Number::rendered_size() const {
  if (is_zero()) return 1;
  const std::int64_t count = static_cast<std::int64_t>(digits_.size());
  std::int64_t size = negative_ ? 1 : 0;
  if (exponent_ <= 0) {
    size += 2 - exponent_ + count;
  } else {
    size += std::max<std::int64_t>(exponent_, count + (exponent_ < count ? 1 : 0));
  }
  return static_cast<std::size_t>(size);
}

std::string Number::to_string() const {
  if (is_zero()) return "0";
  std::string out;
  out.reserve(rendered_size());
  if (negative_) out.push_back('-');
  if (exponent_ <= 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-exponent_), '0');
    return out += digits_;
  }
  const auto integer_digits = static_cast<std::size_t>(exponent_);
  out.append(digits_, 0, integer_digits);
  if (integer_digits < digits_.size()) {
    out.push_back('.');
    out.append(digits_, integer_digits);
  } else {
    out.append(integer_digits - digits_.size(), '0');
  }
  return out;
}

std::size_t Number::size_bytes() const { return (digits_.size() + 1) / 2 + 1 + (negative_ ? 1 : 0); }

Number::Misfit Number::misfit() const {
  if (is_zero()) return Misfit::none;
  if (digits_.size() > static_cast<std::size_t>(kMaxNumberDigits)) return Misfit::digits;
  const int leading = exponent_ - 1;  // the exponent in scientific notation
  if (leading > kMaxNumberExponent) return Misfit::overflow;
  if (leading < kMinNumberExponent) return Misfit::underflow;
  return Misfit::none;
}

std::strong_ordering Number::compare_magnitude(const Number& other) const {
  if (is_zero() || other.is_zero()) return !is_zero() <=> !other.is_zero();
  if (exponent_ != other.exponent_) return exponent_ <=> other.exponent_;
  return digits_ <=> other.digits_;
}

std::strong_ordering Number::operator<=>(const Number& other) const {
  if (negative_ != other.negative_) return other.negative_ <=> negative_;
  return negative_ ? other.compare_magnitude(*this) : compare_magnitude(other);
}

Number Number::operator+(const Number& other) const {
  if (is_zero()) return other;
  if (other.is_zero()) return *this;
  // Both as integers of equal length, in units of the smaller last place.
  const auto last_place = [](const Number& n) {
    return n.exponent_ - static_cast<std::int64_t>(n.digits_.size());
  };
  const std::int64_t unit = std::min(last_place(*this), last_place(other));
  const std::int64_t top = std::max(exponent_, other.exponent_);
  const auto integer = [&](const Number& n) {
    std::string text(static_cast<std::size_t>(top - n.exponent_), '0');
    text += n.digits_;
    text.append(static_cast<std::size_t>(last_place(n) - unit), '0');
    return text;
  };
  const std::string a = integer(*this), b = integer(other);
  if (negative_ == other.negative_) return normalised(negative_, add_integers(a, b), top + 1);
  if (a >= b) return normalised(negative_, subtract_integers(a, b), top);
  return normalised(other.negative_, subtract_integers(b, a), top);
}

Number Number::operator-(const Number& other) const {
  Number negated = other;
  if (!negated.is_zero()) negated.negative_ = !negated.negative_;
  return *this + negated;
}

}  // namespace messina::item
