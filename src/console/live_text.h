// What a live migration adds to the line, to `status` and to its end, in words; private to this room. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "console/line_parts.h"
#include "jobs/progress.h"
#include "jobs/tables_progress.h"

namespace messina::console {

/// Unread records that are trimmed sooner are spoken of; then a person must be told.
inline constexpr double kTrimSpokenOfS = 6 * 3600.0;
inline constexpr double kTrimUrgentS = 2 * 3600.0;

/// All history is copied, and what is left to do is to follow the changes; also while that is paused, or has
/// been stopped.
bool follows(const jobs::Progress& progress);

/// Gaps that nothing heals yet.
std::vector<std::string> open_gaps(const jobs::LiveProgress& live);

/// What is wrong, loudly: gaps, a full spool, records that are trimmed soon. Nothing, as a rule.
void add_live_alarms(const jobs::LiveProgress& live, std::vector<LinePart>& parts);
/// Changes, lag and keys that wait, beside a copy.
void add_live_speed(const jobs::LiveProgress& live, std::vector<LinePart>& parts);
/// The same of a job that follows, which tells whether it is in step as well.
void add_following(const jobs::LiveProgress& live, std::vector<LinePart>& parts);

/// Of the tables that run, those that are live: figures added up, the worst of the times, gaps of all by
/// their tables' names; and how many of the tables that follow are in step. nullopt: none is live.
struct LiveTables {
  jobs::LiveProgress together;
  std::uint64_t following = 0, in_step = 0;
};
std::optional<LiveTables> live_tables(const jobs::TablesProgress& progress);

/// What a person must be told of a migration that runs, gravest first.
struct LiveTrouble {
  ExitCode exit = ExitCode::stopped;
  std::string state;  ///< "needs a person", "at risk"
  std::string text;
};
std::optional<LiveTrouble> live_trouble(const jobs::LiveProgress& live);

/// "1 gap in what was captured: …", with the way out.
std::string gaps_text(const std::vector<std::string>& gaps, bool running);
/// What to do about gaps.
std::string heal_text(bool running);

/// The lines of `status` of a migration that runs.
std::string live_status_text(const jobs::LiveProgress& live);
/// Those of them that hold of one that does not, too: of gaps that nothing heals yet.
std::string gap_lines(const std::vector<std::string>& gaps, bool running);

}  // namespace messina::console
