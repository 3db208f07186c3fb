// What the parts of a migration do, each in a coroutine of its own.
#include <fmt/format.h>

#include "jobs/authority.h"
#include "jobs/backward.h"
#include "jobs/migrate_run.h"

namespace messina::jobs {

namespace {

/// How long the applier waits for the copy's begin before it looks whether everybody ends.
constexpr Duration kBeginsAtMost = std::chrono::seconds(60);
/// How often a table asks whether its turn has come, and how often the rate of reads is set.
constexpr Duration kAskEvery = std::chrono::milliseconds(200);

/// History that was not begun yet will bring all changes up to then, and must find the target as it was.
/// Where it begins anew, its rejects go with it: those of changes may come only after that.
bool awaits_history(const Migration& m) {
  const bool to_come = m.job.phase == state::JobPhase::planned && !m.into_existing;
  return (m.copies_anew || to_come) && !m.companion.history_begun.requested();
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
Task<void> wait_for_turn(SharedMigration m, CopyTurn* turn) {
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
    co_await m->loop.sleep_for(kAskEvery, &m->halt);
  }
  turn->turns = among.turns;
}

}  // namespace

Task<void> follow_stream(SharedMigration m) {
  m->part(Role::capture).stands(role_state::kRunning);
  m->capturing = true;
  const Result<void> followed = co_await m->capture->follow();
  m->capturing = false;
  if (!followed) m->fail_with(followed.error());
}

Task<void> copy_history(SharedMigration m) {
  Part& part = m->part(Role::copy);
  part.stands(role_state::kRunning);
  CopyTurn turn;
  co_await wait_for_turn(m, &turn);
  if (m->halt.requested()) co_return;
  // One that was asked for later and cannot begin leaves the others alone.
  const bool joined = part.wish != 0;
  const Stop::Registration on_failure = m->companion.copy_failed.on_request([m, joined] {
    if (!joined || m->companion.history_begun.requested()) m->halt.request();
  });
  CopyContext context;
  context.lanes = m->context.lanes;
  context.store = m->context.store;
  context.board = &m->copy_board;
  context.stop = &m->halt;
  context.steering = m->context.steering;
  context.shared = m->context.shared;
  context.companion = &m->companion;
  context.random = m->random.fork();
  CopyOptions options = m->options.copy;
  options.into_existing = m->into_existing;
  options.restart = m->copies_anew && m->job.phase != state::JobPhase::planned;
  const Result<CopySummary> copied = co_await run_copy(context, options, m->options.copy_tuning, nullptr);
  if (copied) {
    m->copied = *copied;
    m->history_done = true;
    m->job.phase = state::JobPhase::done;
    m->job.live.history_epoch = m->history_epoch;
    part.stands(role_state::kDone);
    co_return;
  }
  if (copied.error().kind == ErrorKind::stopped) co_return;
  if (part.wish == 0 || m->companion.history_begun.requested()) {
    m->fail_with(copied.error());
    co_return;
  }
  // Nothing of it was begun, and it was not among what this process was started for.
  m->copies_anew = false;
  part.failed(copied.error());
}

Task<void> apply_changes(SharedMigration m) {
  Part& part = m->part(Role::apply);
  Stop* const begun = &m->companion.history_begun;
  while (awaits_history(*m) && !m->halt.requested()) {
    part.stands(role_state::kWaiting);
    part.why = "history has not begun, which brings what changed until then";
    co_await m->loop.sleep_for(kBeginsAtMost, begun);
  }
  if (part.state == role_state::kWaiting && m->halt.requested()) {
    m->apply.reset();  // nothing of it is on the wire
    co_return;
  }
  part.stands(role_state::kRunning);
  m->applying = true;
  const Result<void> applied = co_await m->apply->run();
  m->applying = false;
  if (!applied) m->fail_with(applied.error());
}

Task<void> pass_backward(SharedMigration m) {
  BackwardContext context{.lane = &m->lane(),
                          .spool = m->context.spool,
                          .ledger = m->ledger.get(),
                          .stop = &m->halt,
                          .source_key = m->tables.source_key,
                          .target_key = m->tables.target_key,
                          .reads = &m->companion.reads,
                          .shared = m->context.shared,
                          .source_throttles = &m->companion.source_throttles,
                          .steering = m->context.steering,
                          .random = m->random.fork(),
                          .looks = !m->options.faults.no_backward_pass};
  const Result<void> looked = co_await look_backward(std::move(context));
  if (!looked && looked.error().kind != ErrorKind::stopped) m->fail_with(looked.error());
}

/// Rule 20. What goes wrong beside that, the reads and writes meet, too.
Task<void> check_tables_now(SharedMigration m, LookAt look, MonoTime* next) {
  if (m->options.copy_tuning.faults.owner_unchecked) co_return;
  const MonoTime asked = m->loop.now();
  const Result<bool> same =
      co_await check_tables(m->lane(), m->tables.identity, m->companion.authority, look);
  Sight unused;
  Sight& sight = m->options.faults.owner_seen_for_ever ? unused : m->companion.owner;
  const std::optional<Error> unseen = note_look(same, asked, m->tables.identity.target, sight);
  m->owner_unseen = unseen ? unseen->message : std::string();
  if (!unseen) co_return;
  *next = m->loop.now() + kLookAgain;
  if (unseen->kind != ErrorKind::needs_person) co_return;
  m->fail_with(*unseen);
  m->companion.target_lost.request();
}

/// What was absent at the source before this look was so in the same table.
Task<void> look_at_source(SharedMigration m) {
  const MonoTime asked = m->loop.now();
  const Result<std::string> id = co_await m->lane().source.catalog->table_id();
  if (!id) co_return;
  if (*id == m->tables.identity.source_table_id) {
    m->source_sight.seen(asked);
    co_return;
  }
  state::JobIdentity now = m->tables.identity;
  now.source_table_id = *id;
  m->fail_with(check_identity(m->tables.identity, now).error());
}

/// A person wants the rejects' keys read again. An error is told, and meets whoever works with what is
/// broken.
Task<void> mark_rejects(SharedMigration m, std::uint64_t wish) {
  const Result<std::uint64_t> keys =
      co_await reread_rejects(m->loop, *m->context.store, *m->context.spool, m->tables.source_key, &m->halt);
  m->context.retries->fulfilled(wish, keys);
}

Task<void> bound_spool(SharedMigration m) {
  const Result<state::Reduced> reduced = co_await m->context.spool->reduce_to(m->options.spool_max_bytes);
  if (reduced) m->reduced += reduced->keys;
  if (!reduced && reduced.error().kind != ErrorKind::busy) m->fail_with(reduced.error());
}

Task<void> keep_read_pace(SharedMigration m, Stop* over) {
  while (!over->requested()) {
    if (!m->copying()) {
      if (!m->read_pace) {
        m->read_pace.emplace(m->loop, m->lane().source, SidePace::Of::reads, m->options.copy.read,
                             m->tables.source_reads);
        co_await m->read_pace->begin();
      }
      if (m->context.steering != nullptr)
        m->read_pace->set_by_hand(m->context.steering->settings().read_rcu_per_s);
      const auto& decided =
          m->read_pace->decide(m->companion.reads.total(), m->companion.source_throttles.load());
      m->companion.reads.set_rate(m->loop.now(), decided.units_per_s);
      m->read_pace->look();
    }
    co_await m->loop.sleep_for(kAskEvery, over);
  }
  if (m->read_pace) co_await m->read_pace->end();
}

}  // namespace messina::jobs
