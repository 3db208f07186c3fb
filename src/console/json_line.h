// Writes one JSON object on one line, keys in the order given.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace messina::console {

class JsonLine {
 public:
  /// Begins with "event" and "time" (ISO 8601, UTC, milliseconds), as all events do.
  JsonLine(std::string_view event, WallTime time);
  /// An object without them, to nest with raw().
  JsonLine() = default;

  /// Bytes that are not valid UTF-8 become U+FFFD, so that the line stays JSON.
  JsonLine& text(std::string_view key, std::string_view value);
  JsonLine& whole(std::string_view key, std::uint64_t value);
  JsonLine& number(std::string_view key, double value);  ///< null if it is not finite
  JsonLine& flag(std::string_view key, bool value);
  JsonLine& null(std::string_view key);
  JsonLine& optional(std::string_view key, const std::optional<std::uint64_t>& value);
  JsonLine& optional(std::string_view key, const std::optional<double>& value);
  JsonLine& optional(std::string_view key, const std::optional<std::string>& value);
  JsonLine& texts(std::string_view key, const std::vector<std::string>& values);
  /// `json` is a JSON value already.
  JsonLine& raw(std::string_view key, std::string_view json);

  /// A JSON string, as text() writes it.
  static std::string quoted(std::string_view value);

  /// The object, without the line's end.
  std::string str() const { return out_ + '}'; }

 private:
  std::string& begin(std::string_view key);
  std::string out_ = "{";
};

/// "2026-01-31T12:00:00.000Z".
std::string iso_time(WallTime time);

/// Bytes that are no part of valid UTF-8 replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

}  // namespace messina::console
