// Points in time as AWS's services write them. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace messina::aws {

/// "2026-11-22T14:58:40Z", with a fraction or an offset ("+00:00") too. nullopt for anything else.
std::optional<WallTime> parse_iso_time(std::string_view text);
/// "2026-11-22T14:58:40Z"
std::string iso_time(WallTime time);

/// "Sun, 22 Nov 2026 14:58:40 GMT" (RFC 9110, section 5.6.7; the preferred form only).
std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace messina::aws
