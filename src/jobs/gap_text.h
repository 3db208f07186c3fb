// A gap in what was captured, as a sentence for people (pure).
#pragma once
#include <string>

#include "state/live_record.h"

namespace messina::jobs {

/// "shard shardId-1 was not read for as long as its records are kept: changes between
/// 2026-01-31T12:00:00Z and 2026-02-01T13:00:00Z were missed". A cause that a later version knows is named
/// as it is. What to do is not part of it: that is the same for all, and said once.
std::string gap_text(const state::GapRecord& gap);

}  // namespace messina::jobs
