// Text of others (keys, values, names of attributes) in lines and columns; private to this room. Pure.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace messina::console {

/// What would move a terminal's cursor, turn the direction of a line or not be seen at all stands as an
/// escape
/// (\u001b), and bytes that are not valid UTF-8 as U+FFFD.
std::string printable(std::string_view text);

/// `width` columns of it at most, from column `from` on, with an ellipsis wherever something is left out.
/// Columns are counted as columns() does; `width` is 3 or more.
std::string clipped(std::string_view text, std::size_t width, std::size_t from = 0);

/// With spaces behind it up to that width.
std::string padded(std::string text, std::size_t width);

/// How many columns two texts begin with alike.
std::size_t columns_alike(std::string_view one, std::string_view other);

}  // namespace messina::console
