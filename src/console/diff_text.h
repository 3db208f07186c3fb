// What a verification found, for `messina diff`: lines, items side by side, JSON events (pure).
//
// With a redaction, no key and no value is shown; keys are told apart by the first digits of an HMAC of their
// text. Names of attributes stay.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/hash.h"
#include "jobs/verify_record.h"
#include "state/verify_store.h"

namespace messina::console {

/// "differs    {"id":{"S":"a"}}  `updated_at` older on target", with its end.
std::string diff_line(const state::KeyNote& note, HmacKey* redaction = nullptr);

/// A line a group and an example of it; at most kMostGroupsListed.
std::string diff_groups_text(const std::vector<state::NoteGroup>& groups, HmacKey* redaction = nullptr);

/// One item as both sides have it, a row an attribute, in so many columns (40 at least): `~` differs, `-` is
/// missing on the target, `+` is only there. Inside of an attribute that differs, what is equal is counted.
std::string diff_item_text(const state::KeyNote& note, std::size_t columns);

std::string diff_event(WallTime time, const state::KeyNote& note, HmacKey* redaction = nullptr);

/// A key whose entry in one of the target's indexes is missing, or whose entry should not be there.
struct IndexDifference {
  std::string index;
  bool missing = false;
  std::string key;
};
/// Those that are kept of each index: at most jobs::IndexFindings::kMostExamples of either kind.
std::vector<IndexDifference> index_differences(const jobs::VerifyRecord& record);
std::string index_difference_line(const IndexDifference& difference, HmacKey* redaction = nullptr);
std::string index_difference_event(WallTime time, const IndexDifference& difference,
                                   HmacKey* redaction = nullptr);

}  // namespace messina::console
