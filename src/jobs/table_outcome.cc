#include "jobs/table_outcome.h"

#include <algorithm>

namespace messina::jobs {

std::string_view to_string(TableEnd end) {
  switch (end) {
    case TableEnd::not_begun:
      return "not begun";
    case TableEnd::done:
      return "done";
    case TableEnd::already_done:
      return "already done";
    case TableEnd::in_step:
      return "in step";
    case TableEnd::followed:
      return "followed";
    case TableEnd::made:
      return "made";
    case TableEnd::was_there:
      return "there already";
    case TableEnd::stopped:
      return "stopped";
    case TableEnd::failed:
      return "failed";
  }
  return "failed";
}

ExitCode TableOutcome::exit() const {
  if (error) return exit_of(*error, left);
  if (end == TableEnd::not_begun || end == TableEnd::stopped) return ExitCode::stopped;
  return live_rejects > 0 ? ExitCode::done_with_rejects : ExitCode::done;
}

void settle(std::vector<TableOutcome>& outcomes) {
  const auto has_place = [](const TableOutcome& outcome) {
    return outcome.left == Left::place || outcome.end == TableEnd::done ||
           outcome.end == TableEnd::already_done || outcome.end == TableEnd::in_step ||
           outcome.end == TableEnd::followed;
  };
  if (std::ranges::none_of(outcomes, has_place)) return;
  for (TableOutcome& outcome : outcomes) outcome.left = Left::place;
}

ExitCode worse(ExitCode a, ExitCode b) {
  static constexpr ExitCode kWorstFirst[] = {ExitCode::needs_person, ExitCode::wrong_usage, ExitCode::stopped,
                                             ExitCode::done_with_rejects, ExitCode::done};
  return *std::ranges::find_if(kWorstFirst, [&](ExitCode each) { return each == a || each == b; });
}

ExitCode worst(const std::vector<TableOutcome>& outcomes) {
  ExitCode exit = ExitCode::done;
  for (const TableOutcome& outcome : outcomes) exit = worse(exit, outcome.exit());
  return exit;
}

}  // namespace messina::jobs
