// Who may write to the target (PROTOCOL rule 20): the target carries, as tags, the owner and the epoch that
// the ledger has.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "base/async.h"
#include "base/error.h"
#include "base/random.h"
#include "endpoints/endpoint.h"
#include "jobs/progress_board.h"
#include "state/live_record.h"

namespace messina::jobs {

/// Tags of the target. They stay when a migration ends, until it is retired.
inline constexpr const char* kOwnerTag = "messina:owner";
inline constexpr const char* kEpochTag = "messina:epoch";

/// A fresh owner, of epoch 1.
state::Authority new_authority(Random& random);

/// What a target carries; nullopt: nobody's.
std::optional<state::Authority> authority_on(const endpoints::TableDescription& target);

/// Under which authority a migration writes: the `recorded` one of its ledger, or a new one where there is
/// none. needs_person if the target carries another, unless `take_over`: then one that follows it.
Result<state::Authority> choose_authority(const std::optional<state::Authority>& on_target,
                                          const state::Authority& recorded, bool take_over,
                                          const std::string& display, Random& random);

/// How often whoever writes looks whether the target is still its own, and who finds that it is not stops at
/// once. A look is one ListTagsOfResource a table; an account has 10 of these a second (Amazon DynamoDB API
/// Reference, ListTagsOfResource), so that 16 tables at once take a sixth of them.
inline constexpr Duration kLookAtOwnerEvery = std::chrono::seconds(10);
/// Whoever has not seen for so long that the target is its own writes nothing until it does: looks may fail
/// while writes go well.
inline constexpr Duration kOwnerSeenLasts = std::chrono::seconds(30);
/// After so long the former owner of a target that was taken over has stopped, even if nobody stopped it, and
/// what it had begun to send is sent: what it saw last counts no more, and the longest that sending may take
/// (copy_internal.h) is over.
inline constexpr Duration kFormerOwnerLeaves = kOwnerSeenLasts + std::chrono::seconds(60);

/// Waits that long, and shows it. Then the former owner counts as a process that has just ended uncleanly:
/// what it sent last may land D later (PROTOCOL rule 3). Error: stopped.
Task<Result<void>> outwait_former_owner(Loop& loop, ProgressBoard& board, Stop* stop);

/// needs_person if the target carries another owner or epoch than `ours`; `display` names it.
Result<void> check_authority(const std::optional<state::Authority>& on_target, const state::Authority& ours,
                             const std::string& display);

/// The tags that say so.
std::map<std::string, std::string> tags_of(const state::Authority& authority);

/// Puts ours on the target, which carried `before`, and looks until it is to be seen there. Errors:
/// needs_person (another one was put there at the same time), denied, stopped, and what the target answers
/// for good.
Task<Result<void>> claim_target(Loop& loop, endpoints::Endpoint& target, Stop* stop, Random& random,
                                const state::Authority& ours, const std::optional<state::Authority>& before);

}  // namespace messina::jobs
