// How a verification stands, and how it ended, for people and as a JSON event (pure).
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "jobs/progress.h"
#include "jobs/verify.h"
#include "state/verify_store.h"

namespace messina::console {

struct VerifyOutcome {
  std::string source, target;  ///< canonical addresses
  jobs::VerifyFigures figures;
  std::vector<state::NoteGroup> groups;  ///< as the store gives them: most keys first
  std::string state_flag = {};           ///< as of Outcome
  ExitCode exit = ExitCode::done;
  std::chrono::milliseconds elapsed{};  ///< of this run
  bool finished = true;                 ///< false: the figures are of what was done so far
};

/// Groups that a summary tells, and those that an event and a page tell.
inline constexpr std::size_t kMostGroupsSaid = 20, kMostGroupsListed = 1000;

/// What a verification is going to read of a source of about so many items and bytes, as DescribeTable tells
/// them; nullopt: that cannot be said.
std::optional<std::string> verify_cost_text(std::optional<std::uint64_t> items,
                                            std::optional<std::uint64_t> size_bytes,
                                            const jobs::VerifyScope& scope);

/// Several lines, each with its end.
std::string verify_summary_text(const VerifyOutcome& outcome);
/// Without keys of items: there is nothing in it to redact.
std::string verify_summary_event(WallTime time, const VerifyOutcome& outcome);

/// The line of a terminal, of less than 120 columns. Less important fields go first.
std::string verify_progress_text(const jobs::VerifyFigures& figures);
/// Of another process. `expected_items` are those of the whole scope.
std::string verify_progress_text(const jobs::VerifyProgress& progress);

// What the summary, `diff` and the page have in common.

/// "verified: A and B are equal", "3 differences between A and B", "not verified: …".
std::string verdict_text(const VerifyOutcome& outcome);
/// What its scope left out, in words; empty: nothing.
std::vector<std::string> left_out(const jobs::VerifyScope& scope);
/// "digests equal in 16,384 buckets", "3 of 16,384 buckets differed, 1 listed". Of complete digests.
std::string digests_text(const jobs::VerifyRecord& record);
/// What its keys have in common: "`updated_at` older on target", "unsettled: …".
std::string group_text(const state::NoteGroup& group);
/// The first of them, at most `most`.
std::span<const state::NoteGroup> first_groups(const std::vector<state::NoteGroup>& groups, std::size_t most);
/// "and 3 more groups of 7 items", of those beyond `most`; empty: there are none.
std::string more_groups_text(const std::vector<state::NoteGroup>& groups, std::size_t most);
/// ISO 8601, UTC; nullopt of 0.
std::optional<std::string> time_text(std::int64_t unix_ms);

}  // namespace messina::console
