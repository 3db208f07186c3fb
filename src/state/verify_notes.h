// What a verification's notes mean, to its file as to its model; private to this room.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "state/verify_store.h"

namespace messina::state {

/// Whether a note of `verdict` takes the place of its key's former one. It does not where a key is suspected
/// again: nothing new is known of it.
inline bool replaces(std::optional<Verdict> former, Verdict verdict) {
  return verdict != Verdict::suspect || former != Verdict::suspect;
}

/// Takes along what a note of `verdict` in place of the former one changes.
inline void count(NoteCounts& counts, std::optional<Verdict> former, Verdict verdict) {
  if (former) --counts[static_cast<std::size_t>(*former)];
  if (verdict != Verdict::equal) ++counts[static_cast<std::size_t>(verdict)];
}

inline bool wants(const NoteFilter& filter, Verdict verdict) {
  return filter.verdicts.empty() || std::ranges::find(filter.verdicts, verdict) != filter.verdicts.end();
}

inline std::size_t limit_of(const NoteFilter& filter) {
  constexpr std::size_t kMaxLimit = 100'000;
  return std::clamp<std::size_t>(filter.limit, 1, kMaxLimit);
}

/// Notes as they are grouped.
class NoteGroups {
 public:
  /// Those of one group come in the order of their keys.
  void add(Verdict verdict, std::string cause, std::string key) {
    NoteGroup& group = groups_[{verdict, cause}];
    if (group.keys++ > 0) return;
    group.verdict = verdict;
    group.cause = std::move(cause);
    group.first_key = std::move(key);
  }
  /// Most keys first; of as many, by verdict and cause.
  std::vector<NoteGroup> in_order() const {
    std::vector<NoteGroup> all;
    for (const auto& [of, group] : groups_) all.push_back(group);
    std::ranges::sort(all, [](const NoteGroup& one, const NoteGroup& other) {
      if (one.keys != other.keys) return one.keys > other.keys;
      return std::tie(one.verdict, one.cause) < std::tie(other.verdict, other.cause);
    });
    return all;
  }

 private:
  std::map<std::pair<Verdict, std::string>, NoteGroup> groups_;
};

}  // namespace messina::state
