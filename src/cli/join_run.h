// What a command does whose migration another process runs already: it asks that process to do its part as
// well, and follows it there.
#pragma once
#include <optional>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "jobs/roles.h"
#include "plan/plan.h"

namespace messina::cli {

/// For a command that could not open the state (`in_use` says why), and would do `roles` of the migration.
/// The exit status if another process has the state: of what came of it there, or needs_person with `in_use`
/// and why it cannot be asked. nullopt: nobody has it, `in_use` is about something else.
std::optional<ExitCode> join_holder(Session& session, const plan::CopyPlan& plan, const Flags& flags,
                                    const jobs::Roles& roles, const Error& in_use);

}  // namespace messina::cli
