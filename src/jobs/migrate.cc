#include "jobs/migrate.h"

#include <memory>
#include <utility>

#include "jobs/migrate_run.h"
#include "jobs/progress_json.h"

namespace messina::jobs {

namespace {

/// How often the parts are looked at, and what they do is told.
constexpr Duration kTick = std::chrono::milliseconds(200);
/// How often a snapshot is kept for `status`.
constexpr Duration kKeepSnapshot = std::chrono::seconds(5);
/// How often the spool's size is held against its bound.
constexpr Duration kBoundSpool = std::chrono::seconds(5);
/// How often the spool is looked at where no applier does it.
constexpr Duration kLookAtSpool = std::chrono::seconds(1);
/// For deletes of what was absent: they wait for it. One DescribeTable.
constexpr Duration kLookAtSourceEvery = std::chrono::seconds(2);

using Shared = SharedMigration;

Task<void> keep_heartbeat(Shared m, Stop* over) {
  const Result<void> kept = co_await m->ledger->keep_heartbeat(*over);
  if (!kept) m->fail_with(kept.error());
}

/// For who asked to end in step (with the other tables, if there are some): also where only a person can
/// bring it there.
void end_if_in_step(Migration& m, const Look& look) {
  if (std::string why = needs_person(m); !why.empty()) {
    m.fail_with(Error{ErrorKind::needs_person, std::move(why)});
    return;
  }
  const AmongTables& among = m.context.among;
  const auto may_end = [&](bool ready) {
    return among.together == nullptr ? ready : among.together->report(among.index, ready) && ready;
  };
  const bool in_step = but_for_rejects(look.facts, look.against);
  const auto complete = complete_until(look.facts, look.against, look.at);
  if (!may_end(m.end_in_step.may_end(in_step, complete, m.loop.now()))) return;
  if (m.options.verify && (m.verifying || !m.verified_as_told)) return;
  m.ended_by_itself = true;
  m.halt.request();
}

/// What was asked for by hand since the last look.
void obey(const Shared& m) {
  if (m->apply) m->apply->pause(m->context.steering->settings().paused);
  std::optional<RoleWish> wish = m->context.steering->take_wish();
  if (!wish) return;
  Roles fresh = kNoRoles;
  for (const Role role : kAllRoles) {
    Part& part = m->part(role);
    // A copy that is done may be worth nothing any more: its begin finds out.
    const bool again = role == Role::copy && part.state == role_state::kDone;
    if (!has(wish->roles, role)) continue;
    part.wish = wish->number;
    if (part.begun() && !again) continue;
    part.stands(role_state::kBeginning);
    add(fresh, role);
  }
  wish->roles = fresh;
  m->at_work.spawn(m->loop.executor(), take_on(m, *wish));
}

/// Looks at everything a few times a second until all parts have ended.
Task<void> conduct(Shared m, Stop* over) {
  MonoTime next_snapshot{}, next_bound{}, next_spool{}, next_source{};
  MonoTime next_check = m->looked_at_start + m->options.look_at_tables_every;
  std::uint32_t looked = 0;
  std::uint64_t steered = 0;
  TaskGroup looks, sources, bounding, backward, marking, verifying;
  if (m->context.verify_desk != nullptr && m->context.verify_store != nullptr)
    m->context.verify_desk->serve();
  if (m->context.retries != nullptr) m->context.retries->serve();
  while (!over->requested()) {
    if (m->context.steering != nullptr && m->context.steering->version() != steered && !m->halt.requested()) {
      steered = m->context.steering->version();
      obey(m);
    }
    const MonoTime now = m->loop.now();
    if (!m->applying && now >= next_spool) {
      next_spool = now + kLookAtSpool;
      const Result<state::SpoolFigures> spool = co_await m->context.spool->figures();
      if (spool) m->spool_seen = *spool;
    }
    const Look look = co_await look_at(m);
    Progress progress = progress_of(*m, live_progress(*m, look));
    if (now >= next_snapshot) {
      next_snapshot = now + kKeepSnapshot;
      m->ledger->set_snapshot(progress_to_json(progress));
    }
    m->context.board->publish(std::move(progress));
    if (!m->halt.requested()) m->last_look = look;
    if (m->options.until_in_step && !m->halt.requested()) end_if_in_step(*m, look);
    if (look.facts.history_done && m->ledger->record().backward == state::BackwardPass::due &&
        m->part(Role::copy).begun() && backward.idle() && !m->halt.requested()) {
      backward.spawn(m->loop.executor(), pass_backward(m));
    }
    const bool bounded = m->options.spool_max_bytes > 0 && !m->options.faults.spool_unbounded;
    if (bounded && now >= next_bound && bounding.idle()) {
      next_bound = now + kBoundSpool;
      bounding.spawn(m->loop.executor(), bound_spool(m));
    }
    if (now >= next_check && looks.idle() && !m->halt.requested()) {
      next_check = now + m->options.look_at_tables_every;
      const LookAt at = ++looked % kSourceOnceIn == 0 ? LookAt::both : LookAt::target;
      looks.spawn(m->loop.executor(), check_tables_now(m, at, &next_check));
    }
    if (now >= next_source && sources.idle() && m->source_sight.take_wish()) {
      next_source = now + kLookAtSourceEvery;
      sources.spawn(m->loop.executor(), look_at_source(m));
    }
    if (m->context.retries != nullptr && marking.idle()) {
      if (const auto wish = m->context.retries->wanted())
        marking.spawn(m->loop.executor(), mark_rejects(m, *wish));
    }
    if (m->context.verify_desk != nullptr && verifying.idle() && !m->halt.requested()) {
      auto cancel = std::make_shared<Stop>();
      if (const auto wish = m->context.verify_desk->take(cancel))
        verifying.spawn(m->loop.executor(), verify_by_wish(m, *wish, cancel));
    }
    const bool told = m->options.verify_and_end || (m->options.verify && look.against.empty());
    if (told && !m->verified_as_told && verifying.idle() && !m->halt.requested()) {
      m->verified_as_told = true;
      verifying.spawn(m->loop.executor(), verify_as_told(m));
    }
    co_await m->loop.sleep_for(kTick, over);
  }
  co_await verifying.wait();
  co_await looks.wait();
  co_await sources.wait();
  co_await bounding.wait();
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
  preparing.job = job_name(options.roles);
  preparing.phase = "preparing";
  context.board->publish(preparing);

  const Result<void> prepared = co_await prepare(m);
  if (!prepared) co_return fail(prepared.error());
  for (const Role role : kAllRoles) {
    if (!has(options.roles, role)) continue;
    RoleWish at_start;
    const Result<void> begun = co_await begin_part(m, role, std::move(at_start));
    if (begun) continue;
    m->halt.request();
    co_await m->at_work.wait();
    co_return fail(m->failure.value_or(begun.error()));
  }
  Stop over;
  TaskGroup housekeeping;
  housekeeping.spawn(m->loop.executor(), keep_heartbeat(m, &over));
  housekeeping.spawn(m->loop.executor(), conduct(m, &over));
  housekeeping.spawn(m->loop.executor(), keep_read_pace(m, &over));
  co_await m->at_work.wait();
  over.request();
  co_await housekeeping.wait();

  // After a clean end the wait is S only, and another clean end is worth it.
  if (!m->companion.former_heartbeat_unix_ms) co_await m->loop.sleep_until(m->quiet_until, nullptr);
  // A process that only captured has nothing on the wire, but the one before it may have.
  const bool former_is_dead = !m->companion.former_heartbeat_unix_ms || m->loop.now() > m->quiet_until;
  const bool quiet = former_is_dead && m->companion.copy_is_quiet && (!m->apply || m->apply->wire_is_quiet());
  // What was on its way at the last look may have been refused since, or missed.
  m->last_look.facts.live_rejects = m->ledger->rejects().size();
  m->last_look.facts.gaps = m->ledger->record().gaps.size();
  if (m->last_look.facts.gaps > 0) m->ended_by_itself = false;
  m->last_look.against = not_in_step_because(m->last_look.facts, m->last_look.at, options.allowed_lag);
  if (const Result<state::SpoolFigures> left = co_await context.spool->figures()) m->spool_seen = *left;
  LiveProgress live = live_progress(*m, m->last_look);
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
  if (m->verify) summary.verified = m->verify->figures();
  co_return summary;
}

}  // namespace messina::jobs
