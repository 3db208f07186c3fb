// Small helpers to write JSON text into a growing buffer, for messages built on the data path.
// (Control-plane JSON uses Boost.JSON; items are never re-serialised on the fast path.)
#pragma once
#include <string>
#include <string_view>

namespace messina {

/// Appends `text` as a JSON string, quotes included. Bytes that are not valid UTF-8 are passed through
/// unchanged.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

}  // namespace messina
