// What became of one of many tables.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "state/job_store.h"

namespace messina::jobs {

enum class TableEnd : std::uint8_t {
  not_begun,     ///< the run was stopped before its turn
  done,          ///< by this run
  already_done,  ///< by a former one
  in_step,       ///< `migrate --until in-step`
  followed,      ///< `migrate`: history was copied, and changes followed until it was stopped
  made,          ///< `schema`: the target's table
  was_there,     ///< `schema`: and nothing had to be done
  stopped,
  failed,
};
std::string_view to_string(TableEnd end);

struct TableOutcome {
  std::string source, target;  ///< tables' names
  TableEnd end = TableEnd::not_begun;
  state::Counts counts;
  std::uint64_t live_rejects = 0;
  double elapsed_s = 0;
  std::optional<Error> error;  ///< when it failed or was stopped
  Left left = Left::nothing;   ///< by the error
  std::uint64_t changes = 0;   ///< `migrate`: captured by this run

  ExitCode exit() const;
};

/// Once all have ended: where one of them has a place to go on from, the run is begun, and an address that
/// does not answer is an outage to all of them (base's exit_of()).
void settle(std::vector<TableOutcome>& outcomes);

/// The worse of two: needs_person, wrong_usage, stopped, done_with_rejects, done. What a person has to see to
/// goes before what the next run cures by itself.
ExitCode worse(ExitCode a, ExitCode b);
/// The worst of all; done when there are none.
ExitCode worst(const std::vector<TableOutcome>& outcomes);

}  // namespace messina::jobs
