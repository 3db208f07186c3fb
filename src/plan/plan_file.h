// Plan files: messina's own YAML and the files of ScyllaDB Migrator, read by one table of keys.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "plan/draft.h"

namespace messina::plan {

/// The version of the format; a file without `version` is read the same way (ScyllaDB Migrator's have none).
inline constexpr int kPlanVersion = 1;

/// Reads a plan. `${NAME}` in a value is replaced from `environment` (`$${` stands for `${`). Errors are
/// ErrorKind::usage and begin with "FILE:LINE: "; they never show values that may be secrets.
Result<Draft> parse_plan_file(std::string_view yaml, const std::string& file_name,
                              const Environment& environment);

}  // namespace messina::plan
