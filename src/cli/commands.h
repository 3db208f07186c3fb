// The commands. Each says its own errors and returns the exit status.
#pragma once
#include "base/error.h"
#include "cli/flags.h"
#include "cli/session.h"

namespace messina::cli {

ExitCode run_copy(Session& session, Flags& flags);
ExitCode run_migrate(Session& session, Flags& flags);
ExitCode run_capture(Session& session, Flags& flags);
ExitCode run_apply(Session& session, Flags& flags);
ExitCode run_verify(Session& session, Flags& flags);
ExitCode run_diff(Session& session, Flags& flags);
ExitCode run_repair(Session& session, Flags& flags);
ExitCode run_copy_unit(Session& session, Flags& flags);
ExitCode run_schema(Session& session, Flags& flags);
ExitCode run_status(Session& session, Flags& flags);
ExitCode run_pause(Session& session, Flags& flags);
ExitCode run_resume(Session& session, Flags& flags);
ExitCode run_set(Session& session, Flags& flags);
ExitCode run_rejects_list(Session& session, Flags& flags);
ExitCode run_rejects_export(Session& session, Flags& flags);
ExitCode run_rejects_retry(Session& session, Flags& flags);
ExitCode run_check(Session& session, Flags& flags);
ExitCode run_policy(Session& session, Flags& flags);
ExitCode run_selftest(Session& session, Flags& flags);
ExitCode run_version(Session& session);

}  // namespace messina::cli
