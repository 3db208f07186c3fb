// What `messina check` found, for people and as events.
#pragma once
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "jobs/estimate.h"
#include "jobs/findings.h"

namespace messina::console {

/// Of one table.
struct CheckReport {
  std::string source, target;  ///< canonical addresses
  std::string source_table, target_table;
  std::vector<jobs::Finding> findings;
  jobs::Estimate estimate;
  jobs::Made made;

  std::size_t count(jobs::Finding::Level level) const;
  ExitCode exit() const;
};

/// Of many tables of one source and one target.
struct PlanReport {
  std::string source, target;          ///< of the sides, without tables
  std::vector<jobs::Finding> for_all;  ///< what holds for the account, the endpoints and the machine
  std::vector<CheckReport> tables;     ///< with what holds for each alone; at least one
  jobs::Estimate estimate;             ///< of all together
  jobs::Made made;                     ///< by all copies

  std::size_t count(jobs::Finding::Level level) const;
  std::size_t stopped_tables() const;
  ExitCode exit() const;
};

/// All of it, many lines. Calls that were allowed share a line.
std::string check_text(const CheckReport& report);
/// The same: first what holds for all tables, then the notes and stops that each of them has in the same
/// words, then each table's other ones, then totals.
std::string check_text(const PlanReport& report);

/// `table`: the source's, of which it holds; empty: of all.
std::string finding_event(WallTime time, const jobs::Finding& finding, const std::string& table);
/// The summary of a table, after its findings.
std::string check_event(WallTime time, const CheckReport& report);
/// The summary of many, after theirs.
std::string check_tables_event(WallTime time, const PlanReport& report);

}  // namespace messina::console
