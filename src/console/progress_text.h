// A progress snapshot as one line of text (pure).
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "jobs/progress.h"

namespace messina::console {

/// The line of a terminal of `width` columns; it has at most width - 1, since writing the last column wraps
/// on some terminals. Less important fields go first.
std::string terminal_line(const jobs::Progress& progress, std::size_t width);

/// The line for a log file, all fields.
std::string plain_line(const jobs::Progress& progress);

/// Columns that text takes: UTF-8 sequences count as one.
std::size_t columns(std::string_view text);

/// Text from a server, for a terminal: control characters become spaces, so that it cannot move the cursor.
std::string one_line(std::string_view text);

}  // namespace messina::console
