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
#include "jobs/verify.h"
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
  bool verify = false;
};

/// What `verify`, `diff` and `repair` are to do.
struct VerifyFlags {
  jobs::VerifyScope scope;
  std::string keys_file;
  bool cancel = false;
  bool as_it_is = false;  ///< although changes wait that nobody applies
  std::optional<std::string> report_file;
  // diff
  std::optional<std::string> key;
  std::optional<state::Verdict> only;
  std::optional<std::uint64_t> most;
  bool groups = false, redact = false;
  // repair
  jobs::RepairOptions repair;
  bool dry_run = false;
};

/// Everything that the flags of a command can say.
struct Flags {
  OutputFlags output;
  plan::Draft draft;
  std::string source, target;  ///< addresses; empty: not given
  std::string plan_file;
  LiveFlags live;
  VerifyFlags verify;
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
/// Of these, what is read alone.
void add_read_pace_flags(CLI::App& command, Flags& flags);
/// Of whoever writes to the target; part of add_copy_flags().
void add_writer_flags(CLI::App& command, Flags& flags);
/// Memory and event loops; part of add_copy_flags().
void add_size_flags(CLI::App& command, Flags& flags);
/// How changes are captured; ...
void add_live_flags(CLI::App& command, Flags& flags);
/// ... and what a whole migration has beside.
void add_migrate_flags(CLI::App& command, Flags& flags);
/// What is compared, ...
void add_verify_flags(CLI::App& command, Flags& flags);
/// ... what is shown of what was found, ...
void add_diff_flags(CLI::App& command, Flags& flags);
/// ... and how it is put right.
void add_repair_flags(CLI::App& command, Flags& flags);
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
