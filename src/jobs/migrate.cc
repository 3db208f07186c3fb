#include "jobs/migrate.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "jobs/authority.h"
#include "jobs/backward.h"
#include "jobs/copy_start.h"
#include "jobs/gap_text.h"
#include "jobs/in_step.h"
#include "jobs/live_ledger.h"
#include "jobs/progress_json.h"
#include "jobs/retry.h"
#include "jobs/side_pace.h"
#include "jobs/task_group.h"
#include "state/disk_forecast.h"

namespace messina::jobs {

namespace {

/// How often the parts are looked at, and what they do is told.
constexpr Duration kTick = std::chrono::milliseconds(200);
/// Within this the applier has looked at the spool anew, which it does once a second.
constexpr Duration kSeenAnew = std::chrono::seconds(2);
/// A spool that is smaller than this grows by its first files, which says nothing of the disk.
constexpr std::uint64_t kTellingSpoolBytes = 256u << 20;
/// How often a snapshot is kept for `status`.
constexpr Duration kKeepSnapshot = std::chrono::seconds(5);
/// How often the spool's size is held against its bound.
constexpr Duration kLookAtSpool = std::chrono::seconds(5);
/// How long the applier waits for the copy's begin before it looks whether everybody ends.
constexpr Duration kBeginsAtMost = std::chrono::seconds(60);

/// Everything of one running migration. Held by each coroutine of it.
struct Migration {
  Migration(MigrateContext& job_context, const MigrateOptions& job_options)
      : context(job_context),
        options(job_options),
        loop(*job_context.lanes->front().loop),
        random(job_context.random.fork()),
        companion(job_options.copy.clock_error, loop.now()) {}

  Lane& lane() const { return context.lanes->front(); }
  void fail_with(Error error) {
    if (!failure) failure = std::move(error);
    halt.request();
  }

  MigrateContext& context;
  const MigrateOptions& options;
  Loop& loop;
  Random random;
  Stop halt;  ///< a stop by the user, by an error, or because the target is in step
  std::optional<Error> failure;

  PinnedTables tables;
  state::JobState job;  ///< as it was found, or begun
  std::unique_ptr<LiveLedger> ledger;
  Companion companion;
  ProgressBoard copy_board;
  std::unique_ptr<Capture> capture;
  std::unique_ptr<Apply> apply;
  MonoTime quiet_until{};

  CopySummary copied;
  bool copies_anew = false;  ///< history, from its start
  bool history_done = false;
  std::uint64_t history_epoch = 0;  ///< of the units, once they are begun
  bool capturing = false, applying = false;
  std::optional<std::pair<MonoTime, WallTime>> in_step_since;
  bool ended_by_itself = false;  ///< in step, or only rejects stood against it
  StepFacts last_facts;          ///< as of the last look while all was at work
  MonoTime last_facts_at{};
  state::DiskGrowth growth;
  std::uint64_t reduced = 0;  ///< images, to marks
  /// Sets the rate of what is read again while no history is copied, whose own governor does it else.
  std::optional<SidePace> read_pace;
};

using Shared = std::shared_ptr<Migration>;

// ------------------------------------------------------------------------------------------ beginning

/// The ledger's job, which is begun without units if there is none.
Task<Result<void>> open_ledger(Shared m) {
  Result<std::optional<state::JobState>> loaded = co_await m->context.store->load();
  if (!loaded) co_return fail(loaded.error());
  if (*loaded) {
    m->job = std::move(**loaded);
    if (m->options.copy.restart) co_return Result<void>();
    co_return check_identity(m->job.identity, m->tables.identity);
  }
  m->job.identity = m->tables.identity;
  m->job.source_ttl_attribute = m->tables.ttl_attribute;
  m->job.created_unix_ms = unix_ms(m->loop.wall());
  m->job.live.authority = m->options.copy.reserved;
  const Result<void> begun = co_await m->context.store->begin(m->job);
  co_return begun;
}

/// Rule 20, the ledger first: what the target carries is known to somebody.
Task<Result<void>> take_authority(Shared m) {
  const Result<state::Authority> ours =
      choose_authority(m->tables.authority, m->job.live.authority, m->options.copy.take_over,
                       m->tables.identity.target, m->random);
  if (!ours) co_return fail(ours.error());
  m->companion.authority = *ours;
  if (m->job.live.authority != *ours) {
    const auto record = [authority = *ours,
                         from_another = m->tables.authority && *m->tables.authority != *ours](state::LiveRecord& live) {
      live.authority = authority;
      live.awaits_former_owner = from_another;
    };
    const Result<void> recorded = co_await m->ledger->update(record);
    if (!recorded) co_return fail(recorded.error());
  }
  if (m->tables.authority != *ours) {
    const Result<void> claimed = co_await claim_target(m->loop, m->lane().target, &m->halt, m->random, *ours);
    if (!claimed) co_return claimed;
  }
  const bool waits = m->ledger->record().awaits_former_owner && !m->options.faults.former_owner_not_outwaited;
  if (!waits) co_return Result<void>();
  const Result<void> waited = co_await outwait_former_owner(m->loop, *m->context.board, &m->halt);
  if (!waited) co_return waited;
  m->companion.former_heartbeat_unix_ms = unix_ms(m->loop.wall());
  m->quiet_until = quiet_time(m->options.copy, m->companion.former_heartbeat_unix_ms, m->loop);
  const auto record = [](state::LiveRecord& live) { live.awaits_former_owner = false; };
  const Result<void> recorded = co_await m->ledger->update(record);
  co_return recorded;
}

/// Rule 10: a spool that is missing, or older than the ledger knows it, has lost changes.
Task<Result<void>> check_spool(Shared m) {
  const state::SpoolMatch match = state::match(m->job.spool, m->context.spool->stamp());
  const bool fine = m->options.faults.any_spool_will_do || match == state::SpoolMatch::same ||
                    match == state::SpoolMatch::first;
  if (fine || m->job.live.capture_epoch == 0) co_return Result<void>();
  state::GapRecord gap;
  gap.cause = match == state::SpoolMatch::missing ? "spool_missing" : "spool_older";
  gap.detail = "the spool beside the ledger";
  gap.since_unix_ms = m->job.heartbeat_unix_ms.value_or(m->job.live.capture_began_unix_ms);
  gap.noticed_unix_ms = unix_ms(m->loop.wall());
  std::vector<state::GapRecord> gaps;
  gaps.push_back(std::move(gap));
  const Result<void> declared = co_await m->ledger->declare_gaps(std::move(gaps));
  co_return declared;
}

/// Rule 15: a new capture epoch, under which history is copied again.
Task<Result<void>> begin_healing(Shared m) {
  const auto begin = [](state::LiveRecord& live) {
    live.stream.clear();  // whatever becomes of this process: the next capture begins a new epoch
    if (live.backward != state::BackwardPass::owed) live.backward = state::BackwardPass::due;
    live.backward_cursor.clear();
    live.gaps_healing = live.gaps.size();
  };
  const Result<void> begun = co_await m->ledger->update(begin);
  co_return begun;
}

/// Whether history is to be copied from its start, by this run: also where what was copied was read before
/// the present capture epoch, so that changes may be missing in it. After a gap a person must ask for it.
bool copies_anew(const Migration& m) {
  const state::LiveRecord& record = m.ledger->record();
  const bool of_another_epoch = record.capture_epoch != m.job.live.history_epoch;
  const bool unhealed = record.gaps.size() > record.gaps_healing;
  return m.job.phase == state::JobPhase::planned || m.options.copy.restart || m.options.heal ||
         (of_another_epoch && !unhealed);
}

/// The capture runs: what is read of history from now on is read under its epoch.
Task<Result<void>> begin_history(Shared m) {
  m->copies_anew = copies_anew(*m);
  m->companion.capture_epoch = m->ledger->record().capture_epoch;
  m->history_done = m->job.phase == state::JobPhase::done && !m->copies_anew;
  m->history_epoch = m->copies_anew ? m->companion.capture_epoch : m->job.live.history_epoch;
  if (!m->copies_anew) co_return Result<void>();
  const CopyOptions& copy = m->options.copy;
  const bool of_others = copy.into_existing || !copy.skip_segments.empty();
  // What was deleted since the former copy is still there.
  const bool over_former = m->job.phase != state::JobPhase::planned;
  const auto begin = [of_others, over_former](state::LiveRecord& live) {
    if (!of_others && !over_former) return;
    // What was somebody else's is so whatever is asked for now.
    const bool owed = of_others || live.backward == state::BackwardPass::owed;
    live.backward = owed ? state::BackwardPass::owed : state::BackwardPass::due;
    live.backward_cursor.clear();
  };
  const Result<void> begun = co_await m->ledger->update(begin);
  co_return begun;
}

/// Rule 10: before anything is put, the ledger knows of a commit that the spool did not have when this
/// process opened it. Whatever is found later of the time before is an older spool.
Task<Result<void>> tell_spools_apart(Shared m) {
  const state::SpoolBatch nothing;
  const Result<state::PutAnswer> counted = co_await m->context.spool->put(nothing);
  // Where there is no room, whatever is put first when there is some counts.
  const bool later =
      !counted && (state::is_spool_full(counted.error()) || counted.error().kind == ErrorKind::busy);
  if (!counted && !later) co_return fail(counted.error());
  const auto nothing_else = [](state::LiveRecord&) {};
  const Result<void> told = co_await m->ledger->update(nothing_else);
  co_return told;
}

Task<Result<void>> prepare(Shared m) {
  Result<PinnedTables> tables =
      co_await pin_tables(m->lane(), &m->halt, m->random, m->options.copy.plan_fingerprint);
  if (!tables) co_return fail(tables.error());
  m->tables = std::move(*tables);
  const Result<void> opened = co_await open_ledger(m);
  if (!opened) co_return fail(opened.error());
  m->companion.former_heartbeat_unix_ms = m->job.heartbeat_unix_ms;
  m->quiet_until = quiet_time(m->options.copy, m->job.heartbeat_unix_ms, m->loop);

  m->ledger = std::make_unique<LiveLedger>(m->loop, *m->context.store, *m->context.spool, m->job.live);
  const Result<void> loaded = co_await m->ledger->load_rejects();
  if (!loaded) co_return fail(loaded.error());
  m->companion.rejects = &m->ledger->rejects();
  const Result<void> taken = co_await take_authority(m);
  if (!taken) co_return fail(taken.error());
  const Result<void> spool = co_await check_spool(m);
  if (!spool) co_return fail(spool.error());
  if (m->options.heal) {
    const Result<void> healing = co_await begin_healing(m);
    if (!healing) co_return fail(healing.error());
  }

  if (m->options.roles.capture) {
    const Capture::Context capture{.loop = &m->loop,
                                   .source = &m->lane().source,
                                   .spool = m->context.spool,
                                   .ledger = m->ledger.get(),
                                   .stop = &m->halt,
                                   .key = m->tables.source_key,
                                   .random = m->random.fork()};
    CaptureOptions options = m->options.capture;
    options.new_epoch = options.new_epoch || m->options.heal;
    m->capture = std::make_unique<Capture>(capture, options);
    const Result<void> begun = co_await m->capture->begin();
    if (!begun) co_return fail(begun.error());
  }
  if (m->options.roles.copy) {
    const Result<void> begun = co_await begin_history(m);
    if (!begun) co_return fail(begun.error());
  } else {
    m->history_done = m->job.phase == state::JobPhase::done;
    m->history_epoch = m->job.live.history_epoch;
  }
  if (m->options.delete_extra && m->ledger->record().backward == state::BackwardPass::owed) {
    const auto allow = [](state::LiveRecord& live) { live.backward = state::BackwardPass::due; };
    const Result<void> allowed = co_await m->ledger->update(allow);
    if (!allowed) co_return fail(allowed.error());
  }
  const Result<void> apart = co_await tell_spools_apart(m);
  co_return apart;
}

// ------------------------------------------------------------------------------------------ its parts

Task<void> keep_heartbeat(Shared m, Stop* over) {
  const Result<void> kept = co_await m->ledger->keep_heartbeat(*over);
  if (!kept) m->fail_with(kept.error());
}

Task<void> follow_stream(Shared m) {
  m->capturing = true;
  const Result<void> followed = co_await m->capture->follow();
  m->capturing = false;
  if (!followed) m->fail_with(followed.error());
}

/// The right to copy, of a table among many. Ends when it dies.
struct CopyTurn {
  CopyTurns* turns = nullptr;
  CopyTurn() = default;
  CopyTurn(CopyTurn&&) = delete;
  ~CopyTurn() {
    if (turns != nullptr) turns->give_back();
  }
};

/// Changes are captured meanwhile, which is why many tables need not be copied within a day.
Task<void> wait_for_turn(Shared m, CopyTurn* turn) {
  const AmongTables& among = m->context.among;
  if (among.turns == nullptr || m->history_done) co_return;
  Progress queued = m->copy_board.snapshot();
  queued.phase = "queued";
  m->copy_board.publish(queued);
  while (!among.turns->ask(among.index)) {
    if (m->halt.requested()) {
      among.turns->leave(among.index);
      co_return;
    }
    co_await m->loop.sleep_for(kTick, &m->halt);
  }
  turn->turns = among.turns;
}

Task<void> copy_history(Shared m) {
  CopyTurn turn;
  co_await wait_for_turn(m, &turn);
  if (m->halt.requested()) co_return;
  CopyContext context;
  context.lanes = m->context.lanes;
  context.store = m->context.store;
  context.board = &m->copy_board;
  context.stop = &m->halt;
  context.steering = m->context.steering;
  context.shared = m->context.shared;
  context.companion = &m->companion;
  const Stop::Registration on_failure = m->companion.copy_failed.on_request([m] { m->halt.request(); });
  context.random = m->random.fork();
  CopyOptions options = m->options.copy;
  options.restart = m->copies_anew && m->job.phase != state::JobPhase::planned;
  const Result<CopySummary> copied = co_await run_copy(context, options, m->options.copy_tuning, nullptr);
  if (copied) {
    m->copied = *copied;
    m->history_done = true;
  } else if (copied.error().kind != ErrorKind::stopped) {
    m->fail_with(copied.error());
  }
}

/// Where history begins anew, its rejects go with it: those of changes may come only after that.
Task<void> apply_changes(Shared m) {
  Stop* const begun = &m->companion.history_begun;
  while (m->copies_anew && !begun->requested() && !m->halt.requested())
    co_await m->loop.sleep_for(kBeginsAtMost, begun);
  m->applying = true;
  const Result<void> applied = co_await m->apply->run();
  m->applying = false;
  if (!applied) m->fail_with(applied.error());
}

/// Once history is copied; an error ends the migration, a stop does not.
Task<void> pass_backward(Shared m) {
  BackwardContext context{.lane = &m->lane(),
                          .spool = m->context.spool,
                          .ledger = m->ledger.get(),
                          .stop = &m->halt,
                          .key = m->tables.source_key,
                          .random = m->random.fork(),
                          .looks = !m->options.faults.no_backward_pass};
  const Result<void> looked = co_await look_backward(std::move(context));
  if (!looked && looked.error().kind != ErrorKind::stopped) m->fail_with(looked.error());
}

/// Rule 20. What goes wrong beside that, the reads and writes meet, too.
Task<void> check_tables_now(Shared m, Look look, MonoTime* next) {
  if (m->options.copy_tuning.faults.owner_unchecked) co_return;
  const Result<void> same =
      co_await check_tables(m->lane(), m->tables.identity, m->companion.authority, look);
  if (same) co_return;
  *next = m->loop.now() + kLookAgain;
  if (same.error().kind != ErrorKind::needs_person) co_return;
  m->fail_with(same.error());
  m->companion.target_lost.request();
}

/// A person wants the rejects' keys read again. An error is told, and meets whoever works with what is
/// broken.
Task<void> mark_rejects(Shared m, std::uint64_t wish) {
  const Result<std::uint64_t> keys =
      co_await reread_rejects(m->loop, *m->context.store, *m->context.spool, m->tables.source_key, &m->halt);
  m->context.retries->fulfilled(wish, keys);
}

Task<void> bound_spool(Shared m) {
  const Result<state::Reduced> reduced = co_await m->context.spool->reduce_to(m->options.spool_max_bytes);
  if (reduced) m->reduced += reduced->keys;
  if (!reduced && reduced.error().kind != ErrorKind::busy) m->fail_with(reduced.error());
}

bool copies(const Migration& m) { return m.options.roles.copy && !m.history_done; }

Task<void> keep_read_pace(Shared m, Stop* over) {
  while (copies(*m) && !over->requested()) co_await m->loop.sleep_for(kTick, over);
  if (over->requested()) co_return;
  m->read_pace.emplace(m->loop, m->lane().source, SidePace::Of::reads, m->options.copy.read,
                       m->tables.source_reads);
  co_await m->read_pace->begin();
  while (!over->requested()) {
    if (m->context.steering != nullptr)
      m->read_pace->set_by_hand(m->context.steering->settings().read_rcu_per_s);
    const auto& decided =
        m->read_pace->decide(m->companion.reads.total(), m->companion.source_throttles.load());
    m->companion.reads.set_rate(m->loop.now(), decided.units_per_s);
    m->read_pace->look();
    co_await m->loop.sleep_for(kTick, over);
  }
  co_await m->read_pace->end();
}

// ------------------------------------------------------------------------------------------ its state

std::optional<std::chrono::milliseconds> age_of_oldest(const Migration& m, const state::SpoolFigures& spool) {
  const std::optional<std::int64_t> oldest = spool.oldest_change_unix_ms;
  if (!oldest) return std::nullopt;
  if (*oldest <= 0) return std::chrono::milliseconds::max();
  return std::chrono::milliseconds(unix_ms(m.loop.wall()) - *oldest);
}

StepFacts facts_of(Migration& m) {
  const state::LiveRecord& record = m.ledger->record();
  StepFacts facts;
  facts.history_done = m.history_done && m.history_epoch == record.capture_epoch && record.capture_epoch > 0;
  facts.backward_owed =
      record.backward == state::BackwardPass::owed || record.backward == state::BackwardPass::due;
  facts.gaps = record.gaps.size();
  facts.live_rejects = m.ledger->rejects().size();
  facts.capturing = m.capturing;
  facts.applying = m.applying;
  if (m.capture) {
    const CaptureClaim claim = m.capture->claim();
    facts.listed_at = claim.listed_at;
    facts.polled_at = claim.polled_at;
    facts.closed_drained = claim.closed_drained;
    facts.behind = claim.behind;
    if (m.options.faults.claims_unpolled) facts.listed_at = facts.polled_at = m.loop.now();
  }
  if (m.apply) {
    const ApplyFigures figures = m.apply->figures();
    facts.unknown_outcomes = figures.unknown_outcomes;
    facts.oldest_entry = age_of_oldest(m, figures.spool);
  }
  return facts;
}

/// What a consistent read of one key costs: a unit for each 4 KB that is begun (Amazon DynamoDB Developer
/// Guide, "Capacity unit consumption for read operations"), by the table's mean item.
double rcu_of_a_read(const PinnedTables& tables) {
  constexpr double kUnitBytes = 4096;
  const auto items = static_cast<double>(tables.expected_items.value_or(0));
  if (items <= 0) return 1;
  return std::max(1.0,
                  std::ceil(static_cast<double>(tables.expected_bytes.value_or(0)) / items / kUnitBytes));
}

LiveProgress live_progress(Migration& m, const std::vector<std::string>& against) {
  LiveProgress live;
  live.capturing = m.capturing;
  live.applying = m.applying;
  if (m.capture) {
    const CaptureFigures figures = m.capture->figures();
    live.stream_view = figures.view;
    live.events = figures.events;
    live.events_per_s = figures.events_per_s;
    live.shards_reading = figures.shards_reading;
    live.shards_waiting = figures.shards_waiting;
    live.shards_drained = figures.shards_drained;
    if (figures.until_trimmed)
      live.until_trimmed_s = std::chrono::duration<double>(*figures.until_trimmed).count();
    if (const auto polled = m.capture->claim().polled_at)
      live.last_polled_s = std::chrono::duration<double>(m.loop.now() - *polled).count();
    live.spool_full = figures.spool_full;
  }
  if (m.apply) {
    const ApplyFigures figures = m.apply->figures();
    live.spool_keys_at_most = figures.spool.keys_at_most;
    live.spool_bytes = figures.spool.disk_bytes;
    live.disk_free_bytes = figures.spool.disk_free_bytes;
    m.growth.sample(m.loop.now(), figures.spool.disk_bytes);
    const auto hours = state::disk_hours_left(figures.spool.disk_free_bytes, 0, m.growth.bytes_per_s());
    if (hours && figures.spool.disk_bytes >= kTellingSpoolBytes) live.disk_full_in_s = *hours * 3600;
    const auto oldest = age_of_oldest(m, figures.spool);
    if (oldest && *oldest != std::chrono::milliseconds::max())
      live.oldest_change_s = std::max(0.0, std::chrono::duration<double>(*oldest).count());
    live.applied = figures.written;
    live.removed = figures.removed;
    live.reread = figures.reread;
    live.applied_per_s = figures.keys_per_s;
    live.lag_s = figures.lag_s;
  }
  live.spool_reduced = m.reduced;
  live.spool_reduced_rcu = static_cast<double>(m.reduced) * rcu_of_a_read(m.tables);
  for (const state::GapRecord& gap : m.ledger->record().gaps) live.gaps.push_back(gap_text(gap));
  live.gaps_healing = m.ledger->record().gaps_healing;
  live.in_step = against.empty();
  live.not_in_step = against;
  return live;
}

Progress progress_of(Migration& m, LiveProgress live) {
  Progress progress = m.copy_board.snapshot();
  progress.job = "migrate";
  progress.table = m.lane().source.table.value;
  if (!copies(m)) {
    progress.phase = progress.paused ? "paused" : "following";
    // What the copy had last is over.
    progress.items_per_s = progress.bytes_per_s = progress.rcu_per_s = progress.idle_s = 0;
    progress.eta_s.reset();
    progress.holder = "nothing";
    progress.holder_detail.clear();
    if (m.read_pace) {
      progress.read_budget_rcu_per_s = m.read_pace->decision().units_per_s;
      progress.read_budget_why = m.read_pace->decision().why;
      progress.application_rcu_per_s = m.read_pace->application();
    }
  }
  if (m.apply) {
    const ApplyFigures figures = m.apply->figures();
    progress.unknown_outcomes += figures.unknown_outcomes;
    progress.retries += figures.retries;
    progress.throttles += figures.throttles;
    if (!figures.trouble.empty() && progress.holder_detail.empty()) progress.holder_detail = figures.trouble;
  }
  if (m.capture) {
    const CaptureFigures figures = m.capture->figures();
    progress.retries += figures.retries;
    progress.throttles += figures.throttles;
    if (!figures.trouble.empty() && progress.holder_detail.empty()) progress.holder_detail = figures.trouble;
  }
  progress.live = std::move(live);
  return progress;
}

bool but_for_rejects(const StepFacts& facts, const std::vector<std::string>& against) {
  return against.empty() || (against.size() == 1 && facts.live_rejects > 0);
}

/// What stands against a claim. The applier's figures of the spool may be older than what was put into it by
/// the polls that the claim rests on: where nothing else stands against it, the spool is looked at again.
Task<std::vector<std::string>> look_what_is_against(Shared m, StepFacts& facts) {
  std::vector<std::string> against = not_in_step_because(facts, m->loop.now(), m->options.allowed_lag);
  if (!but_for_rejects(facts, against)) co_return against;
  const Result<state::SpoolFigures> spool = co_await m->context.spool->figures();
  if (!spool) {
    against.push_back(fmt::format("the spool does not tell what waits: {}", spool.error().message));
    co_return against;
  }
  facts.oldest_entry = age_of_oldest(*m, *spool);
  co_return not_in_step_because(facts, m->loop.now(), m->options.allowed_lag);
}

/// For who asked to end in step: also where only a person can bring it there.
void end_if_in_step(Migration& m, const StepFacts& facts, const std::vector<std::string>& against) {
  const state::LiveRecord& record = m.ledger->record();
  if (record.gaps.size() > record.gaps_healing) {
    m.fail_with(
        Error{ErrorKind::needs_person,
              fmt::format("changes of {} were missed: {}. Run it with --heal, which copies history again",
                          m.tables.identity.source, gap_text(record.gaps.back()))});
    return;
  }
  if (record.backward == state::BackwardPass::owed) {
    m.fail_with(
        Error{ErrorKind::needs_person,
              fmt::format("{} was not empty at the start, or segments were left out: whether it has keys "
                          "that the source lacks is not known. --delete-extra looks for them and deletes "
                          "them; without it, migrate without --until in-step",
                          m.tables.identity.target)});
    return;
  }
  const AmongTables& among = m.context.among;
  const auto may_end = [&](bool ready) {
    return among.together == nullptr ? ready : among.together->report(among.index, ready) && ready;
  };
  if (!but_for_rejects(facts, against)) {
    m.in_step_since.reset();
    may_end(false);
    return;
  }
  // In step it may be with changes of some seconds that wait. Whoever ends here wants all there that had
  // happened until it was in step: each shard polled since, and nothing waits that is as old as that.
  const MonoTime now = m.loop.now();
  if (!m.in_step_since) m.in_step_since = {now, m.loop.wall()};
  const auto& [since, since_wall] = *m.in_step_since;
  const bool polled = facts.polled_at && *facts.polled_at > since;
  const bool applied = !facts.oldest_entry || m.loop.wall() - *facts.oldest_entry > since_wall;
  if (!may_end(now - since >= kSeenAnew && polled && applied)) return;
  m.ended_by_itself = true;
  m.halt.request();
}

/// Looks at everything a few times a second until all parts have ended.
Task<void> conduct(Shared m, Stop* over) {
  MonoTime next_snapshot{}, next_spool{}, next_check = m->loop.now() + kCheckTablesEvery;
  std::uint32_t look = 0;
  std::uint64_t steered = 0;
  TaskGroup looks, reducing, backward, marking;
  if (m->context.retries != nullptr) m->context.retries->serve();
  while (!over->requested()) {
    if (m->context.steering != nullptr && m->context.steering->version() != steered) {
      steered = m->context.steering->version();
      if (m->apply) m->apply->pause(m->context.steering->settings().paused);
    }
    StepFacts facts = facts_of(*m);
    const std::vector<std::string> against = co_await look_what_is_against(m, facts);
    Progress progress = progress_of(*m, live_progress(*m, against));
    const MonoTime now = m->loop.now();
    if (now >= next_snapshot) {
      next_snapshot = now + kKeepSnapshot;
      m->ledger->set_snapshot(progress_to_json(progress));
    }
    m->context.board->publish(std::move(progress));
    if (!m->halt.requested()) {
      m->last_facts = facts;
      m->last_facts_at = m->loop.now();
    }
    if (m->options.until_in_step && !m->halt.requested()) end_if_in_step(*m, facts, against);
    if (facts.history_done && m->ledger->record().backward == state::BackwardPass::due &&
        m->options.roles.copy && backward.idle() && !m->halt.requested()) {
      backward.spawn(m->loop.executor(), pass_backward(m));
    }
    const bool bounded = m->options.spool_max_bytes > 0 && !m->options.faults.spool_unbounded;
    if (bounded && now >= next_spool && reducing.idle()) {
      next_spool = now + kLookAtSpool;
      reducing.spawn(m->loop.executor(), bound_spool(m));
    }
    if (now >= next_check && looks.idle() && !m->halt.requested()) {
      next_check = now + kCheckTablesEvery;
      const Look at = ++look % kSourceOnceIn == 0 ? Look::both : Look::target;
      looks.spawn(m->loop.executor(), check_tables_now(m, at, &next_check));
    }
    if (m->context.retries != nullptr && marking.idle()) {
      if (const auto wish = m->context.retries->wanted())
        marking.spawn(m->loop.executor(), mark_rejects(m, *wish));
    }
    co_await m->loop.sleep_for(kTick, over);
  }
  co_await looks.wait();
  co_await reducing.wait();
  co_await backward.wait();
  co_await marking.wait();
}

}  // namespace

Task<Result<MigrateSummary>> migrate(MigrateContext& context, const MigrateOptions& options) {
  auto m = std::make_shared<Migration>(context, options);
  Stop::Registration on_stop;
  if (context.stop != nullptr) on_stop = context.stop->on_request([m] { m->halt.request(); });
  const Stop::Registration on_halt =
      m->halt.on_request([begun = &m->companion.history_begun] { begun->request(); });
  Progress preparing = context.board->snapshot();
  preparing.job = "migrate";
  preparing.phase = "preparing";
  context.board->publish(preparing);

  const Result<void> prepared = co_await prepare(m);
  if (!prepared) co_return fail(prepared.error());

  if (options.roles.apply) {
    const Apply::Context apply{.lanes = context.lanes,
                               .spool = context.spool,
                               .ledger = m->ledger.get(),
                               .watermark = &m->companion.watermark,
                               .reads = &m->companion.reads,
                               .source_throttles = &m->companion.source_throttles,
                               .shared = context.shared,
                               .stop = &m->halt,
                               .source_key = m->tables.source_key,
                               .quiet_until = m->quiet_until,
                               .random = m->random.fork()};
    m->apply = std::make_unique<Apply>(apply, options.apply);
  }
  Stop over;
  TaskGroup parts, housekeeping;
  housekeeping.spawn(m->loop.executor(), keep_heartbeat(m, &over));
  housekeeping.spawn(m->loop.executor(), conduct(m, &over));
  housekeeping.spawn(m->loop.executor(), keep_read_pace(m, &over));
  if (options.roles.capture) parts.spawn(m->loop.executor(), follow_stream(m));
  if (options.roles.copy) parts.spawn(m->loop.executor(), copy_history(m));
  if (options.roles.apply) parts.spawn(m->loop.executor(), apply_changes(m));
  co_await parts.wait();
  over.request();
  co_await housekeeping.wait();

  // After a clean end the wait is S only, and another clean end is worth it.
  if (!m->companion.former_heartbeat_unix_ms) co_await m->loop.sleep_until(m->quiet_until, nullptr);
  const bool quiet = m->companion.copy_is_quiet && (!m->apply || m->apply->wire_is_quiet());
  // What was on its way at the last look may have been refused since, or missed.
  m->last_facts.live_rejects = m->ledger->rejects().size();
  m->last_facts.gaps = m->ledger->record().gaps.size();
  const std::vector<std::string> against =
      not_in_step_because(m->last_facts, m->last_facts_at, options.allowed_lag);
  LiveProgress live = live_progress(*m, against);
  Progress last = progress_of(*m, live);
  last.phase = m->ended_by_itself && !m->failure ? "done" : "stopped";
  m->ledger->set_snapshot(progress_to_json(last));
  context.board->publish(last);
  if (quiet) {
    const Result<void> ended = co_await m->ledger->end_cleanly();
    if (!ended && !m->failure) m->failure = ended.error();
  }
  if (const std::optional<Error>& failure = m->failure) co_return fail(*failure);
  const Result<std::optional<state::JobState>> job = co_await context.store->load();
  MigrateSummary summary;
  summary.copy = m->copied;
  if (job && *job) {
    summary.copy.counts = {};
    for (const state::UnitRecord& unit : (*job)->units) summary.copy.counts += unit.counts;
  }
  summary.live = std::move(live);
  summary.history_done = m->history_done;
  summary.live_rejects = m->ledger->rejects().size();
  summary.ended_by_itself = m->ended_by_itself;
  co_return summary;
}

}  // namespace messina::jobs
