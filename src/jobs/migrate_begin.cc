// How the parts of a migration begin, at its start and while it runs.
#include <memory>
#include <utility>

#include "base/error.h"
#include "jobs/authority.h"
#include "jobs/migrate_run.h"

namespace messina::jobs {

namespace {

/// The ledger's job, which is begun without units if there is none.
Task<Result<void>> open_ledger(SharedMigration m) {
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
Task<Result<void>> take_authority(SharedMigration m) {
  const Result<state::Authority> ours =
      choose_authority(m->tables.authority, m->job.live.authority, m->options.copy.take_over,
                       m->tables.identity.target, m->random);
  if (!ours) co_return fail(ours.error());
  m->companion.authority = *ours;
  if (m->job.live.authority != *ours) {
    const auto record = [authority = *ours,
                         from_another =
                             m->tables.authority && *m->tables.authority != *ours](state::LiveRecord& live) {
      live.authority = authority;
      live.awaits_former_owner = from_another;
    };
    const Result<void> recorded = co_await m->ledger->update(record);
    if (!recorded) co_return fail(recorded.error());
  }
  if (m->tables.authority != *ours) {
    const Result<void> claimed =
        co_await claim_target(m->loop, m->lane().target, &m->halt, m->random, *ours, m->tables.authority);
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
Task<Result<void>> check_spool(SharedMigration m) {
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
Task<Result<void>> begin_healing(SharedMigration m) {
  const auto begin = [](state::LiveRecord& live) {
    live.stream.clear();  // whatever becomes of this process: the next capture begins a new epoch
    if (live.backward != state::BackwardPass::owed) live.backward = state::BackwardPass::due;
    live.backward_cursor.clear();
    live.gaps_healing = live.gaps.size();
  };
  const Result<void> begun = co_await m->ledger->update(begin);
  co_return begun;
}

bool begins_healing(const Migration& m) {
  const state::LiveRecord& record = m.ledger->record();
  const bool under_way = record.gap() && record.gaps_healing == record.gaps.size();
  return m.options.heal && !under_way && (record.gap() || !m.options.heal_known_gaps_alone);
}

/// Whether history is to be copied from its start, by this run: also where what was copied was read before
/// the present capture epoch, so that changes may be missing in it. After a gap a person must ask for it.
bool copies_anew(const Migration& m) {
  const state::LiveRecord& record = m.ledger->record();
  const bool of_another_epoch = record.capture_epoch != m.job.live.history_epoch;
  const bool unhealed = record.gaps.size() > record.gaps_healing;
  return m.job.phase == state::JobPhase::planned || m.restart_owed || m.heal_owed ||
         (of_another_epoch && !unhealed);
}

/// Rule 13: once it returns, history may be read. What is missing of the wish is as at the process's start.
Task<Result<void>> begin_capture(SharedMigration m, RoleWish wish) {
  const Capture::Context context{.loop = &m->loop,
                                 .source = &m->lane().source,
                                 .spool = m->context.spool,
                                 .ledger = m->ledger.get(),
                                 .stop = &m->halt,
                                 .key = m->tables.source_key,
                                 .random = m->random.fork()};
  CaptureOptions options = m->options.capture;
  options.new_epoch = options.new_epoch || m->heal_owed;
  if (wish.enable_stream) options.enable = wish.enable_stream;
  if (wish.number != 0) options.carry_expired = !wish.skip_expired;
  m->capture = std::make_unique<Capture>(context, options);
  const Result<void> begun = co_await m->capture->begin();
  if (!begun) {
    m->capture.reset();
    co_return fail(begun.error());
  }
  m->at_work.spawn(m->loop.executor(), follow_stream(m));
  co_return Result<void>();
}

/// Leave to delete what only the target has.
Task<Result<void>> allow_deleting(SharedMigration m) {
  if (!m->options.delete_extra || m->ledger->record().backward != state::BackwardPass::owed)
    co_return Result<void>();
  const auto allow = [](state::LiveRecord& live) { live.backward = state::BackwardPass::due; };
  const Result<void> allowed = co_await m->ledger->update(allow);
  co_return allowed;
}

/// Whoever copies from the start forgets what was refused: history brings it again. Of segments that are left
/// out it does not; refused changes stay rejects then, and marks have their keys tried again.
Task<Result<void>> mark_what_history_leaves_out(SharedMigration m) {
  if (m->options.copy.skip_segments.empty() || m->ledger->rejects().empty()) co_return Result<void>();
  const Result<std::uint64_t> marked =
      co_await reread_rejects(m->loop, *m->context.store, *m->context.spool, m->tables.source_key, &m->halt);
  if (!marked) co_return fail(marked.error());
  co_return Result<void>();
}

/// The capture runs, if it is this process's: what is read of history from now on is read under its epoch.
Task<Result<void>> begin_history(SharedMigration m) {
  const bool by_this_process = m->copied.units > 0;
  m->copies_anew = copies_anew(*m);
  m->restart_owed = m->heal_owed = false;
  m->companion.capture_epoch = m->ledger->record().capture_epoch;
  m->history_done = m->job.phase == state::JobPhase::done && !m->copies_anew;
  m->history_epoch = m->copies_anew ? m->companion.capture_epoch : m->job.live.history_epoch;
  if (m->history_done && by_this_process) {
    m->part(Role::copy).stands(role_state::kDone);
    co_return Result<void>();
  }
  if (m->copies_anew) {
    const bool of_others = m->into_existing || !m->options.copy.skip_segments.empty();
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
    if (!begun) co_return fail(begun.error());
    const Result<void> marked = co_await mark_what_history_leaves_out(m);
    if (!marked) co_return fail(marked.error());
  }
  const Result<void> allowed = co_await allow_deleting(m);
  if (!allowed) co_return fail(allowed.error());
  m->at_work.spawn(m->loop.executor(), copy_history(m));
  co_return Result<void>();
}

/// Rule 10: before anything is put, the ledger knows of a commit that the spool did not have when this
/// process opened it. Whatever is found later of the time before is an older spool.
Task<Result<void>> tell_spools_apart(SharedMigration m) {
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

void begin_apply(SharedMigration m) {
  const Apply::Context context{.lanes = m->context.lanes,
                               .spool = m->context.spool,
                               .ledger = m->ledger.get(),
                               .owner = &m->companion.owner,
                               .source = &m->source_sight,
                               .watermark = &m->companion.watermark,
                               .reads = &m->companion.reads,
                               .source_throttles = &m->companion.source_throttles,
                               .shared = m->context.shared,
                               .stop = &m->halt,
                               .source_key = m->tables.source_key,
                               .quiet_until = m->quiet_until,
                               .random = m->random.fork()};
  m->apply = std::make_unique<Apply>(context, m->options.apply);
  if (m->context.steering != nullptr) m->apply->pause(m->context.steering->settings().paused);
  m->at_work.spawn(m->loop.executor(), apply_changes(m));
}

}  // namespace

void Part::failed(const Error& error) {
  state = role_state::kFailed;
  why = error.message;
  exit_code = static_cast<std::uint64_t>(messina::exit_code(error.kind));
}

Task<Result<void>> prepare(SharedMigration m) {
  m->looked_at_start = m->loop.now();
  Result<PinnedTables> tables =
      co_await pin_tables(m->lane(), &m->halt, m->random, m->options.copy.plan_fingerprint);
  if (!tables) co_return fail(tables.error());
  m->tables = std::move(*tables);
  const Result<void> opened = co_await open_ledger(m);
  if (!opened) co_return fail(opened.error());
  m->companion.former_heartbeat_unix_ms = m->job.heartbeat_unix_ms;
  m->quiet_until = quiet_time(m->options.copy, m->job.heartbeat_unix_ms, m->loop);
  m->history_done = m->job.phase == state::JobPhase::done;
  m->history_epoch = m->job.live.history_epoch;

  m->ledger = std::make_unique<LiveLedger>(m->loop, *m->context.store, *m->context.spool, m->job.live);
  const Result<void> loaded = co_await m->ledger->load_rejects();
  if (!loaded) co_return fail(loaded.error());
  m->companion.rejects = &m->ledger->rejects();
  // Before any other commit, since each tells the ledger of the spool as it is.
  const Result<void> spool = co_await check_spool(m);
  if (!spool) co_return fail(spool.error());
  const Result<void> taken = co_await take_authority(m);
  if (!taken) co_return fail(taken.error());
  if (!m->options.copy_tuning.faults.owner_unchecked) {
    if (!m->options.faults.owner_seen_for_ever) m->companion.owner.seen(m->looked_at_start);
    m->source_sight.seen(m->looked_at_start);
  }
  m->heal_owed = begins_healing(*m);
  if (m->heal_owed) {
    const Result<void> healing = co_await begin_healing(m);
    if (!healing) co_return fail(healing.error());
  }
  const Result<void> allowed = co_await allow_deleting(m);
  if (!allowed) co_return allowed;
  const Result<void> apart = co_await tell_spools_apart(m);
  co_return apart;
}

Task<Result<void>> begin_part(SharedMigration m, Role role, RoleWish wish) {
  m->part(role).stands(role_state::kBeginning);
  m->into_existing = m->into_existing || wish.into_existing;
  if (role == Role::capture) {
    Result<void> begun = co_await begin_capture(m, wish);
    co_return begun;
  }
  if (role == Role::copy) {
    Result<void> begun = co_await begin_history(m);
    co_return begun;
  }
  begin_apply(m);
  co_return Result<void>();
}

Task<void> take_on(SharedMigration m, RoleWish wish) {
  std::optional<Error> in_the_way;
  for (const Role role : kAllRoles) {
    if (!has(wish.roles, role)) continue;
    if (m->halt.requested()) co_return;
    if (in_the_way) {
      m->part(role).failed(*in_the_way);
      continue;
    }
    const Result<void> begun = co_await begin_part(m, role, wish);
    if (begun) continue;
    if (m->halt.requested()) {
      m->part(role) = Part();
      co_return;
    }
    in_the_way = begun.error();
    m->part(role).failed(begun.error());
  }
}

}  // namespace messina::jobs
