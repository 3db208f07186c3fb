// The tables of a live run.
#include <algorithm>

#include <fmt/format.h>

#include "cli/load_plan.h"
#include "cli/many_runs.h"
#include "cli/many_tables.h"
#include "cli/migrate_job.h"
#include "cli/migrations.h"
#include "console/events.h"
#include "jobs/authority.h"
#include "jobs/gap_text.h"
#include "state/disk_spool.h"
#include "state/verify_ledger_store.h"

namespace messina::cli {

using jobs::TableEnd;
using jobs::TableOutcome;

namespace {

/// What all tables together may hold of changes that are read, and of entries that are applied; each has no
/// more than it would have alone, and never so little that one large item fills it.
constexpr std::uint64_t kCaptureMemory = 64u << 20, kApplyMemory = 128u << 20, kLeastMemory = 2u << 20;
/// DescribeStream may be called 10 times a second in an account and region (developer guide, "Service,
/// account, and table quotas"); half of that is for others. A claim of being in step needs a listing of the
/// last 30 s.
constexpr std::chrono::milliseconds kBetweenListings{200};
constexpr std::chrono::seconds kListAtLeastEvery{20};
/// A look whose a target is takes one of an account's 10 ListTagsOfResource a second, and counts for 30 s.
constexpr std::chrono::milliseconds kBetweenLooks{120};
constexpr std::chrono::seconds kLookAtLeastEvery{24};

std::uint64_t share(std::uint64_t all, std::uint64_t alone, std::size_t tables) {
  return std::min(alone, std::max<std::uint64_t>(kLeastMemory, all / tables));
}

/// `writes`: that all tables together may have on the wire. Changes are written by each with its part of
/// them.
void be_one_of_many(jobs::MigrateOptions& options, std::size_t tables, std::int64_t writes) {
  options.capture.memory_bytes = share(kCaptureMemory, options.capture.memory_bytes, tables);
  options.apply.memory_bytes = share(kApplyMemory, options.apply.memory_bytes, tables);
  const auto part =
      static_cast<std::uint32_t>(std::max<std::int64_t>(1, writes / static_cast<std::int64_t>(tables)));
  options.apply.write_concurrency = std::min(options.apply.write_concurrency, part);
  const auto turn = std::chrono::ceil<std::chrono::seconds>(kBetweenListings * tables);
  options.capture.list_every = std::min(kListAtLeastEvery, std::max(options.capture.list_every, turn));
  const auto look = std::chrono::ceil<std::chrono::seconds>(kBetweenLooks * tables);
  options.look_at_tables_every = std::clamp<Duration>(look, jobs::kLookAtOwnerEvery, kLookAtLeastEvery);
  options.heal_known_gaps_alone = true;
}

/// While somebody prepares, there is room for so many fewer.
class Preparing {
 public:
  explicit Preparing(std::counting_semaphore<>& room) : room_(room) { room_.acquire(); }
  ~Preparing() { room_.release(); }
  Preparing(const Preparing&) = delete;
  Preparing& operator=(const Preparing&) = delete;

 private:
  std::counting_semaphore<>& room_;
};

TableOutcome outcome_of(const jobs::MigrateSummary& summary, bool until_in_step) {
  TableOutcome outcome;
  outcome.counts = summary.copy.counts;
  outcome.live_rejects = summary.live_rejects;
  outcome.elapsed_s = static_cast<double>(summary.copy.elapsed.count()) / 1000;
  outcome.changes = summary.live.events;
  if (summary.ended_by_itself)
    outcome.end = TableEnd::in_step;
  else
    outcome.end =
        cli::exit_of(summary, until_in_step) == ExitCode::stopped ? TableEnd::stopped : TableEnd::followed;
  if (!summary.live.gaps.empty()) {
    outcome.end = TableEnd::failed;
    outcome.error =
        Error{ErrorKind::needs_person,
              fmt::format("changes were missed: {}. Run it with --heal, which copies history again",
                          summary.live.gaps.back())};
  }
  return outcome;
}

}  // namespace

LiveRun::LiveRun(const LiveFlags& live_flags, const jobs::Roles& live_roles, const plan::LivePlan& plan,
                 std::size_t tables_in_all, std::size_t at_once)
    : flags(live_flags),
      roles(live_roles),
      tables(tables_in_all),
      spool_memory(std::make_shared<state::SpoolMemory>()),
      retries(tables_in_all),
      verify_desks(tables_in_all),
      joinables(tables_in_all, console::Joinable{.skips_expired = plan.skip_expired}),
      turns(at_once),
      together(tables_in_all),
      preparing(static_cast<std::ptrdiff_t>(at_once + kPreparedAhead)) {}

void ManyRuns::go_live(const LiveFlags& flags, const jobs::Roles& roles) {
  live_ = std::make_unique<LiveRun>(flags, roles, plans_.front().live, plans_.size(), parallel_);
}

TableOutcome ManyRuns::migrate_table(std::size_t index) { return in_state(index, &ManyRuns::migrate_in); }

TableOutcome ManyRuns::migrate_in(std::size_t index, OpenedState& opened) {
  const plan::CopyPlan& plan = plans_[index];
  auto begun = begin(index, opened, "migrate");
  if (!begun) return failed(begun.error());

  Random random(entropy_seed());
  state::SpoolOptions spool_options;
  spool_options.memory = live_->spool_memory;
  auto spool_files = state::Spool::open(opened.folder / "spool", spool_options, session_.clock(), random);
  if (!spool_files) return failed(spool_files.error());
  TableLanes lanes = sides_.table(plan.source.table, plan.target.table, index);
  Loop& loop = *lanes.first().loop;
  state::LedgerStore store(std::move(opened.ledger), session_.clock());
  state::DiskSpool spool(std::move(*spool_files), session_.clock());
  state::VerifyLedgerStore verify_store(opened.folder);
  jobs::MigrateOptions options = migrate_options(plan, live_->flags, loops_, live_->roles);
  be_one_of_many(options, live_->tables, budgets_.writes.capacity());
  {
    const Preparing room(live_->preparing);
    if (session_.stop().requested()) return failed({ErrorKind::stopped, "stopped before its turn came"});
    const auto prepared =
        net::run_on(loop, prepare_copy(&loop, &lanes.first(), &plan, &store, &session_.stop(),
                                       live_->roles.capture ? &options.capture : nullptr));
    if (!prepared) return failed(prepared.error());
    if (prepared->report) say_schema(*prepared->report);
    options.copy.reserved = prepared->reserved;
  }
  jobs::MigrateContext context;
  context.lanes = &lanes.lanes();
  context.store = &store;
  context.spool = &spool;
  context.board = begun->board;
  context.stop = &session_.stop();
  context.steering = &runs_.steering(index);
  context.retries = &live_->retries[index];
  context.verify_store = &verify_store;
  context.verify_desk = &live_->verify_desks[index];
  context.shared = &budgets_;
  context.among = {index, &live_->turns, &live_->together};
  context.random = random.fork();
  const auto summary = net::run_on(loop, jobs::migrate(context, options));
  if (!summary) return failed(summary.error());
  const bool until_in_step = live_->flags.until_in_step;
  if (session_.json()) {
    const console::MigrateOutcome said = cli::outcome_of(plan, *summary, until_in_step);
    session_.display().result(console::migrate_summary_event(session_.clock().wall(), said) + "\n");
  }
  return outcome_of(*summary, until_in_step);
}

}  // namespace messina::cli
