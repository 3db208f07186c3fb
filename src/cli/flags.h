// The flags that commands share, written into a plan::Draft.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/session.h"
#include "plan/draft.h"
#include "plan/iam_policy.h"

namespace messina::cli {

/// Thrown out of CLI11's callbacks; run() turns it into an answer.
struct FlagError {
  Error error;
};

/// What `migrate` is to do this time; how changes are followed stands in the draft.
struct LiveFlags {
  bool until_in_step = false;
  bool heal = false, delete_extra = false;
};

/// Everything that the flags of a command can say.
struct Flags {
  OutputFlags output;
  plan::Draft draft;
  std::string source, target;  ///< addresses; empty: not given
  std::string plan_file;
  LiveFlags live;
  bool print_units = false;
  bool print_table = false;
  bool all_rejects = false;
  std::string unit_file = "-";
  std::string migration;  ///< folder's name
  // check
  std::string prices_file;
  std::optional<std::uint64_t> throughput_bytes_per_s;
  // policy
  std::optional<std::set<plan::PolicyJob>> policy_jobs;
  std::optional<std::string> account, bucket;
  std::vector<std::string> key_arns;
  bool check = false;
  std::optional<std::chrono::milliseconds> stalled_after;
  std::optional<std::string> listen;  ///< ADDRESS:PORT
  bool listen_anyone = false;
  std::vector<std::string> set_words;  ///< of `messina set`
};

void add_output_flags(CLI::App& command, Flags& flags);
/// SOURCE, TARGET and --plan.
void add_sides(CLI::App& command, Flags& flags);
/// --source-… and --target-….
void add_side_flags(CLI::App& command, Flags& flags);
void add_target_flags(CLI::App& command, Flags& flags);
/// Credentials only: what a unit's JSON does not hold.
void add_state_flag(CLI::App& command, Flags& flags);
void add_copy_flags(CLI::App& command, Flags& flags);
/// What may be used of a table's capacity; part of add_copy_flags().
void add_pace_flags(CLI::App& command, Flags& flags);
/// How changes are captured; ...
void add_live_flags(CLI::App& command, Flags& flags);
/// ... and what a whole migration has beside.
void add_migrate_flags(CLI::App& command, Flags& flags);
void add_schema_flags(CLI::App& command, Flags& flags);
void add_rename_flags(CLI::App& command, Flags& flags);
void add_check_flags(CLI::App& command, Flags& flags);
void add_policy_flags(CLI::App& command, Flags& flags);
/// --tables and what belongs to it: which tables they are, ...
void add_table_choice_flags(CLI::App& command, Flags& flags);
/// ... and how a run goes through them.
void add_tables_flags(CLI::App& command, Flags& flags);
void add_migration_flag(CLI::App& command, Flags& flags);
/// --listen and what goes with it.
void add_listen_flags(CLI::App& command, Flags& flags);
void add_stalled_flag(CLI::App& command, Flags& flags);

/// The long names of all flags of a command, "--" included; for "did you mean".
std::vector<std::string> flag_names(const CLI::App& command);

}  // namespace messina::cli
