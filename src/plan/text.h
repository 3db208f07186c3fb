// Text that came from a person: is it valid, how is it shown, what did they mean.
#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace messina::plan {

/// Offset of the first byte that is no part of valid UTF-8 (RFC 3629: no surrogates, no overlong forms).
std::optional<std::size_t> invalid_utf8_at(std::string_view text);

/// `text` in double quotes, with control characters, quotes and bytes that are no UTF-8 shown as \xNN, so
/// that a message stays on its line and shows what is wrong. Cut after 80 bytes.
std::string shown(std::string_view text);

/// Number of single-character insertions, deletions, replacements and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known word that `word` was probably meant to be; nullopt when none is near (a third of its length).
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> known);

/// `, did you mean "segments"?` or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

}  // namespace messina::plan
