#include "cli/named_migrations.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "cli/load_plan.h"
#include "cli/migrations.h"
#include "plan/draft.h"
#include "plan/text.h"
#include "plan/uri.h"
#include "state/ledger.h"

namespace messina::cli {
namespace {

bool same_place(plan::EndpointSpec a, plan::EndpointSpec b) {
  a.table.clear();
  b.table.clear();
  return plan::canonical_uri(a) == plan::canonical_uri(b);
}

/// Source tables of the migrations between the same two places.
Result<std::vector<std::string>> source_tables(const plan::CopyPlan& common) {
  const auto folders = state::list_migrations(common.state_dir);
  if (!folders) return fail(folders.error());
  std::set<std::string> names;
  for (const auto& folder : *folders) {
    const auto plan = remembered_plan(folder);
    if (plan && same_place(plan->source, common.source) && same_place(plan->target, common.target))
      names.insert(plan->source.table);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

std::unexpected<Error> none_known(const plan::CopyPlan& common, std::string_view what) {
  const state::MigrationName places = migration_name(common);
  return fail(
      ErrorKind::not_found,
      fmt::format("the state directory {} knows {} from {} to {}: `messina status` lists those it knows",
                  plan::shown(common.state_dir), what, places.source, places.target));
}

Result<NamedMigrations> tables_of(const plan::ManyTables& many) {
  const auto names = source_tables(many.common);
  if (!names) return fail(names.error());
  for (const plan::TableEntry& entry : many.choice.entries) {
    const auto matches = [&entry](const std::string& name) { return plan::matches(entry.table, name); };
    if (plan::is_pattern(entry.table) && std::ranges::none_of(*names, matches))
      return none_known(many.common, fmt::format("no table that matches {}", plan::shown(entry.table)));
  }
  const auto chosen = plan::choose_tables(many.choice, *names);
  if (!chosen) return fail(chosen.error());
  NamedMigrations named;
  named.choice = many.choice;
  for (const plan::ChosenTable& table : *chosen) {
    const state::MigrationName name = migration_name(plan::plan_for(many.common, many.choice, table));
    const std::filesystem::path folder =
        std::filesystem::path(many.common.state_dir) / state::migration_folder(name);
    std::error_code ignored;
    if (std::filesystem::exists(folder / "ledger.db", ignored)) {
      named.folders.push_back(folder);
    } else if (!plan::is_pattern(many.choice.entries[table.entry].table)) {
      console::MigrationStatus& other = named.not_begun.emplace_back();
      other.source = name.source;
      other.target = name.target;
    }
  }
  if (named.folders.empty() && named.not_begun.empty())
    return none_known(many.common, "none of these tables");
  return named;
}

}  // namespace

bool names_migrations(const Flags& flags) {
  return !flags.source.empty() || !flags.plan_file.empty() || !flags.migration.empty() ||
         flags.draft.tables.has_value();
}

Result<NamedMigrations> find_migrations(Session& session, Flags& flags) {
  NamedMigrations named;
  if (!flags.migration.empty() && (!flags.source.empty() || !flags.plan_file.empty() || flags.draft.tables))
    return fail(ErrorKind::usage, "--migration and addresses name the same thing: leave one out");
  if (!flags.migration.empty() || !names_migrations(flags)) {
    auto folder = find_migration(session, flags);
    if (!folder) return fail(folder.error());
    named.folders.push_back(*std::move(folder));
    return named;
  }
  const auto loaded = load_plans(session, flags, Writes::no);
  if (!loaded) return fail(loaded.error());
  if (const auto* many = std::get_if<plan::ManyTables>(&*loaded)) return tables_of(*many);
  auto folder = folder_of(std::get<plan::CopyPlan>(*loaded));
  if (!folder) return fail(folder.error());
  named.folders.push_back(*std::move(folder));
  return named;
}

Result<std::vector<std::filesystem::path>> only_running(const std::string& state_dir) {
  const auto folders = state::list_migrations(state_dir);
  if (!folders) return folders;
  std::vector<std::filesystem::path> running;
  std::set<std::pair<std::string, std::int64_t>> processes;
  for (const auto& folder : *folders) {
    const auto holder = state::MigrationLock::holder(folder);
    if (!holder) continue;
    running.push_back(folder);
    processes.emplace(holder->host, holder->pid);
  }
  if (processes.empty())
    return fail(ErrorKind::not_found,
                fmt::format("no job runs in the state directory {}: start one, or name another --state",
                            plan::shown(state_dir)));
  if (processes.size() > 1)
    return fail(
        ErrorKind::usage,
        fmt::format("{} jobs run in the state directory {}: name one by SOURCE TARGET, --tables, --plan "
                    "or --migration NAME (`messina status` lists them)",
                    processes.size(), plan::shown(state_dir)));
  return running;
}

}  // namespace messina::cli
