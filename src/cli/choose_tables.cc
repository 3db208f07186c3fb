#include "cli/choose_tables.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include "cli/load_plan.h"
#include "jobs/retry.h"
#include "jobs/task_group.h"
#include "plan/tables.h"

namespace messina::cli {
namespace {

/// Descriptions that are asked for at once: a few, since AWS throttles its control plane by the account.
constexpr std::size_t kQuestionsAtOnce = 8;
/// Pages of ListTables (100 names each): an account has at most 10,000 tables a region (quota), so more than
/// this is a server's mistake.
constexpr int kMostPages = 10'000;

/// As first_contact(): a few attempts, since a run that begins should say at once that nobody answers.
Task<Result<endpoints::Listing::Names>> one_page(Loop* loop, endpoints::Endpoint* source,
                                                 const std::string* after, Stop* stop) {
  Random random(entropy_seed());
  endpoints::Listing* listing = source->listing.get();
  auto attempt = [listing, after] { return listing->list(*after); };
  Result<endpoints::Listing::Names> names =
      co_await jobs::with_retries<endpoints::Listing::Names>(*loop, stop, random, attempt, jobs::kAskAndEnd);
  co_return names;
}

Task<Result<std::vector<std::string>>> list_tables(Loop* loop, endpoints::Endpoint* source, Stop* stop) {
  std::vector<std::string> all;
  std::string after;
  for (int page = 0; page < kMostPages; ++page) {
    Result<endpoints::Listing::Names> names = co_await one_page(loop, source, &after, stop);
    if (!names) {
      Error error = names.error();
      if (error.kind == ErrorKind::denied)
        error.message +=
            " (patterns of tables need dynamodb:ListTables: allow it, or name the tables in full)";
      co_return fail(std::move(error));
    }
    for (std::string& name : names->names) all.push_back(std::move(name));
    if (names->next.empty() || names->next == after) break;
    if (stop->requested()) co_return fail(ErrorKind::stopped, "stopped before anything was done");
    after = std::move(names->next);
  }
  co_return all;
}

using Sizes = std::vector<std::optional<std::uint64_t>>;

struct Asking {
  std::vector<TableLanes> lanes;  // the tables' endpoints
  std::size_t next = 0;
  Sizes sizes;
  std::vector<std::optional<Error>> errors;
};

Task<void> ask_sizes(std::shared_ptr<Asking> asking, Stop* stop) {
  while (asking->next < asking->lanes.size() && !stop->requested()) {
    const std::size_t i = asking->next++;
    jobs::Lane& lane = asking->lanes[i].first();
    const Result<endpoints::TableDescription> table = co_await first_contact(*lane.loop, lane.source, stop);
    if (table)
      asking->sizes[i] = table->size_bytes;
    else
      asking->errors[i] = table.error();
  }
}

Task<void> ask_all_sizes(Loop* loop, std::shared_ptr<Asking> asking, Stop* stop) {
  jobs::TaskGroup group;
  for (std::size_t i = 0; i < kQuestionsAtOnce; ++i) group.spawn(loop->executor(), ask_sizes(asking, stop));
  co_await group.wait();
}

/// A table that cannot be described will say so when its turn comes; if none can, there is no need to try.
Result<Sizes> sizes_of(Session& session, const std::vector<plan::ChosenTable>& chosen, Sides& sides) {
  auto asking = std::make_shared<Asking>();
  for (const plan::ChosenTable& table : chosen)
    asking->lanes.push_back(sides.table(table.source, table.target));
  asking->sizes.resize(chosen.size());
  asking->errors.resize(chosen.size());
  net::run_on(sides.first_loop(), ask_all_sizes(&sides.first_loop(), asking, &session.stop()));
  if (session.stop().requested()) return fail(ErrorKind::stopped, "stopped before anything was done");
  const auto& first = asking->errors.front();
  const bool nobody_answers =
      first && first->retryable() &&
      std::ranges::all_of(asking->errors, [](const auto& error) { return error.has_value(); });
  if (nobody_answers) return fail(*first);
  return asking->sizes;
}

}  // namespace

Result<std::vector<plan::ChosenTable>> chosen_tables(Session& session, const plan::ManyTables& many,
                                                     Sides& sides) {
  std::vector<std::string> all;
  if (many.choice.has_patterns()) {
    TableLanes whole = sides.table("", "");
    auto listed = net::run_on(sides.first_loop(),
                              list_tables(&sides.first_loop(), &whole.first().source, &session.stop()));
    if (!listed) return fail(listed.error());
    all = *std::move(listed);
  }
  return plan::choose_tables(many.choice, all);
}

Result<TablesToRun> choose(Session& session, const plan::ManyTables& many, Sides& sides) {
  const auto chosen = chosen_tables(session, many, sides);
  if (!chosen) return fail(chosen.error());
  for (const plan::ChosenTable& table : *chosen)
    if (auto checked = plan::check_addresses(plan::plan_for(many.common, many.choice, table)); !checked)
      return fail(checked.error());
  Sizes sizes(chosen->size());
  if (many.choice.order == plan::TableOrder::size && chosen->size() > 1) {
    auto asked = sizes_of(session, *chosen, sides);
    if (!asked) return fail(asked.error());
    sizes = *std::move(asked);
  }
  const std::vector<double> weights = jobs::table_weights(sizes);
  TablesToRun run;
  for (const std::size_t i : plan::order_tables(*chosen, many.choice.order, sizes)) {
    const plan::ChosenTable& table = (*chosen)[i];
    run.plans.push_back(plan::plan_for(many.common, many.choice, table));
    const state::MigrationName name = migration_name(run.plans.back());
    run.tables.push_back({table.source, table.target, weights[i], name.source, name.target});
  }
  return run;
}

}  // namespace messina::cli
