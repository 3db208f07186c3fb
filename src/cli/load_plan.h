// From flags, a plan file and the environment to one checked plan.
#pragma once
#include <functional>
#include <string>
#include <variant>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "plan/draft.h"
#include "plan/plan.h"
#include "state/ledger.h"

namespace messina::cli {

plan::Environment process_environment();
/// Errors: config, naming the file and the system's reason.
Result<std::string> read_file(const std::string& path);

enum class Writes : bool { no, yes };

/// One table. Errors: usage, config. Says the plan file's notices. With Writes::yes the target may be AWS
/// only by leave.
Result<plan::CopyPlan> load_plan(Session& session, Flags& flags, Writes writes);

/// One table, or many of them: for the commands that do both.
Result<std::variant<plan::CopyPlan, plan::ManyTables>> load_plans(Session& session, Flags& flags,
                                                                  Writes writes);

/// A plan from JSON gets its secrets, from the flags or from where the JSON says, and what AWS's files have;
/// then it is checked as one from load_plan().
Result<void> complete_plan(plan::CopyPlan& plan, const Flags& flags);

/// Region and endpoint override of a DynamoDB side from the environment and AWS's files, where the spec has
/// none.
Result<void> resolve_aws(plan::EndpointSpec& spec, const std::string& side);

/// What identifies the migration in the state directory.
state::MigrationName migration_name(const plan::CopyPlan& plan);

}  // namespace messina::cli
