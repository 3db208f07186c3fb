// What `messina check` sees of the machine it runs on.
#pragma once
#include "jobs/check_facts.h"
#include "plan/plan.h"

namespace messina::cli {

/// The state directory is looked at and not made. `target_nodes`: of the target's cluster; 1 if it has no
/// nodes. `tables`: that are open at once.
jobs::MachineFacts look_at_machine(const plan::CopyPlan& plan, std::size_t target_nodes,
                                   std::size_t tables = 1);

/// Lets this process open as many files as it may: each table of a live run has a database of its own.
void raise_open_files();

}  // namespace messina::cli
