// What the tests of the splitters share.
#pragma once
#include <string_view>

#include "base/slab.h"

namespace messina::item {

/// The bytes of an answer as a splitter takes them, with padding behind them.
inline Slab slab(std::string_view body) {
  Slab out(body.size());
  out.append(body);
  return out;
}

}  // namespace messina::item
