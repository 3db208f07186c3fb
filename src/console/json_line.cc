#include "console/json_line.h"

#include <cmath>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/json_text.h"
#include "base/log.h"

namespace messina::console {

std::string iso_time(WallTime time) {
  const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(milliseconds);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(seconds.count())),
                     (milliseconds - seconds).count());
}

std::string valid_utf8(std::string_view text) { return log::valid_utf8(text); }

JsonLine::JsonLine(std::string_view event, WallTime time) {
  text("event", event);
  text("time", iso_time(time));
}

std::string& JsonLine::begin(std::string_view key) {
  if (out_.size() > 1) out_.push_back(',');
  append_json_string(out_, key);
  out_.push_back(':');
  return out_;
}

std::string JsonLine::quoted(std::string_view value) {
  std::string out;
  append_json_string(out, valid_utf8(value));
  return out;
}

JsonLine& JsonLine::text(std::string_view key, std::string_view value) {
  append_json_string(begin(key), valid_utf8(value));
  return *this;
}

JsonLine& JsonLine::whole(std::string_view key, std::uint64_t value) {
  begin(key) += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::number(std::string_view key, double value) {
  begin(key) += std::isfinite(value) ? fmt::format("{}", value) : "null";
  return *this;
}

JsonLine& JsonLine::flag(std::string_view key, bool value) {
  begin(key) += value ? "true" : "false";
  return *this;
}

JsonLine& JsonLine::null(std::string_view key) {
  begin(key) += "null";
  return *this;
}

JsonLine& JsonLine::optional(std::string_view key, const std::optional<std::uint64_t>& value) {
  return value ? whole(key, *value) : null(key);
}

JsonLine& JsonLine::optional(std::string_view key, const std::optional<double>& value) {
  return value ? number(key, *value) : null(key);
}

JsonLine& JsonLine::optional(std::string_view key, const std::optional<std::string>& value) {
  return value ? text(key, *value) : null(key);
}

JsonLine& JsonLine::texts(std::string_view key, const std::vector<std::string>& values) {
  std::string& out = begin(key);
  char separator = '[';
  for (const std::string& value : values) {
    out += separator;
    append_json_string(out, valid_utf8(value));
    separator = ',';
  }
  if (values.empty()) out += '[';
  out += ']';
  return *this;
}

JsonLine& JsonLine::raw(std::string_view key, std::string_view json) {
  begin(key) += json;
  return *this;
}

}  // namespace messina::console
