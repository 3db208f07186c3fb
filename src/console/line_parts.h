// One line of text made of fields, of which the less important ones go first when it is too long; private to
// this room.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace messina::console {

/// Those with the highest rank are left out first; rank 0 never.
struct LinePart {
  int rank;
  std::string text;
};

/// As of terminal_line().
std::string fitted_line(std::vector<LinePart> parts, std::size_t width);
std::string whole_line(const std::vector<LinePart>& parts);

}  // namespace messina::console
