// Differences as they are kept and as people read them. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "item/difference.h"
#include "state/verify_store.h"

namespace messina::jobs {

/// Places of one item that are told.
inline constexpr std::size_t kMostPlaces = 20;

/// [{"path":"a.b[2]","kind":"value","target":"less"}]; kind: missing, extra, type, value.
std::string to_json(const std::vector<item::Difference>& places);
/// corrupt if the text is none.
Result<std::vector<item::Difference>> places_of(std::string_view json);

/// What differences of many items have in common, in words: "`updated_at` older on target", "`a`, `b`
/// differ", "4 attributes differ". Positions in lists do not count: `lines[].price`.
std::string cause_of(state::Verdict verdict, const std::vector<item::Difference>& places);

}  // namespace messina::jobs
