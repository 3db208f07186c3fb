// What only tests may turn: the pace of the copy's housekeeping, and the faults of the mutation tests.
#pragma once
#include <cstdint>

#include "jobs/copy.h"

namespace messina::jobs {

/// Rules that a mutation test removes, to see that the simulation then finds a wrong end. Production never
/// sets one.
struct CopyFaults {
  bool retry_unknown_at_once = false;         ///< without PROTOCOL rule 1
  bool record_before_acknowledged = false;    ///< without the page-by-page checkpoint
  bool reject_refused_batches_whole = false;  ///< without the search for the one item at fault
  bool no_predecessor_wait = false;           ///< without PROTOCOL rule 3
  bool begin_units_unreserved = false;        ///< without the durable begun_limit
  bool no_wait_after_clean_end = false;  ///< without rule 2's S between a page's two writes by two processes
  bool clean_end_forgets_predecessor =
      false;  ///< a clean end although a former process may have requests on the wire
  bool send_after_waiting_for_budget = false;  ///< without a second look at send_until
  bool no_page_is_stale = false;               ///< without PROTOCOL rule 12
  bool owner_unchecked = false;                ///< without PROTOCOL rule 20, once it runs
  bool pages_unmarked = false;                 ///< without PROTOCOL rule 11: the watermark knows no page
};

struct CopyTuning {
  CopyFaults faults;
  Duration commit_period = std::chrono::milliseconds(200);
  /// Units whose beginning is reserved ahead of use; 0: by the number of units.
  std::uint32_t reserve_units = 0;
};

/// The longest that a process may send to an unstamped target without a durable heartbeat. A job whose ledger
/// is slower than that stops sending until it has caught up.
inline constexpr Duration kHeartbeatBound = std::chrono::seconds(10);
/// How long a put() that was begun in time may still take to send its bytes: the endpoints' own timeouts are
/// shorter.
inline constexpr Duration kLongestSend = std::chrono::seconds(60);

/// copy() and copy_unit() are this with default tuning.
Task<Result<CopySummary>> run_copy(CopyContext& context, const CopyOptions& options, const CopyTuning& tuning,
                                   const UnitRun* only_unit);

}  // namespace messina::jobs
