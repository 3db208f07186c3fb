// A plan as JSON, without its secrets: for the ledger, for other processes, for "one unit from its JSON
// alone".
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "plan/draft.h"
#include "plan/plan.h"

namespace messina::plan {

/// Version of the JSON; a newer one is refused.
inline constexpr int kPlanJsonFormat = 1;

/// One line. Never holds secret_key or session_token, only the names of the variable or file that has them.
std::string to_json(const CopyPlan& plan);

/// The inverse. Secrets stay empty; make_side() reads them from where the spec says. ErrorKind::usage for
/// what is no such JSON.
Result<CopyPlan> plan_from_json(std::string_view json);

/// SHA-256, in hexadecimal, of what changes the written result or the units: renames, drops, segments,
/// skipped segments.
std::string fingerprint(const CopyPlan& plan);

}  // namespace messina::plan
