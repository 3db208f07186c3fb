// What a running migration tells of itself.
#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "jobs/gap_text.h"
#include "jobs/migrate_run.h"

namespace messina::jobs {

namespace {

/// A spool that is smaller than this grows by its first files, which says nothing of the disk.
constexpr std::uint64_t kTellingSpoolBytes = 256u << 20;

/// A server's Date is cut to seconds.
constexpr std::chrono::seconds kServerTellsSeconds{1};

std::optional<std::chrono::milliseconds> age_of_oldest(const Migration& m, const state::SpoolFigures& spool) {
  const std::optional<std::int64_t> oldest = spool.oldest_change_unix_ms;
  if (!oldest) return std::nullopt;
  if (*oldest <= 0) return std::chrono::milliseconds::max();
  // What waits was timed by the source: by our clock it might seem young.
  const WallTime now = m.capture ? m.capture->server_now() + kServerTellsSeconds : m.loop.wall();
  return std::chrono::milliseconds(unix_ms(now) - *oldest);
}

StepFacts facts_of(const Migration& m) {
  const state::LiveRecord& record = m.ledger->record();
  StepFacts facts;
  facts.history_done = m.history_done && m.history_epoch == record.capture_epoch && record.capture_epoch > 0;
  facts.backward_owed =
      record.backward == state::BackwardPass::owed || record.backward == state::BackwardPass::due;
  facts.gaps = record.gaps.size();
  facts.live_rejects = m.ledger->rejects().size();
  if (m.loop.now() > m.companion.owner.counts_until(kOwnerSeenLasts)) facts.owner_unseen = m.owner_unseen;
  facts.capturing = m.capturing;
  facts.applying = m.applying;
  if (m.capture) {
    const CaptureClaim claim = m.capture->claim();
    facts.listed_at = claim.listed_at;
    facts.polled_at = claim.polled_at;
    facts.closed_drained = claim.closed_drained;
    facts.whole_until = claim.whole_until;
    facts.behind = claim.behind;
    if (m.options.faults.claims_unpolled)
      facts.listed_at = facts.polled_at = facts.whole_until = m.loop.now();
  }
  if (m.apply) {
    const ApplyFigures figures = m.apply->figures();
    facts.unknown_outcomes = figures.unknown_outcomes;
    facts.oldest_entry = age_of_oldest(m, figures.spool);
  }
  return facts;
}

void add_spool(Migration& m, const state::SpoolFigures& spool, LiveProgress& live) {
  live.spool_keys_at_most = spool.keys_at_most;
  live.spool_bytes = spool.disk_bytes;
  live.disk_free_bytes = spool.disk_free_bytes;
  m.growth.sample(m.loop.now(), spool.disk_bytes);
  const auto hours = state::disk_hours_left(spool.disk_free_bytes, 0, m.growth.bytes_per_s());
  if (hours && spool.disk_bytes >= kTellingSpoolBytes) live.disk_full_in_s = *hours * 3600;
  const auto oldest = age_of_oldest(m, spool);
  if (oldest && *oldest != std::chrono::milliseconds::max())
    live.oldest_change_s = std::max(0.0, std::chrono::duration<double>(*oldest).count());
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

}  // namespace

std::string needs_person(const Migration& m) {
  const state::LiveRecord& record = m.ledger->record();
  if (record.gaps.size() > record.gaps_healing)
    return fmt::format("changes of {} were missed: {}. Run it with --heal, which copies history again",
                       m.tables.identity.source, gap_text(record.gaps.back()));
  if (record.backward == state::BackwardPass::owed)
    return fmt::format(
        "{} was not empty at the start, or segments were left out: whether it has keys "
        "that the source lacks is not known. --delete-extra looks for them and deletes "
        "them; without it, migrate without --until in-step",
        m.tables.identity.target);
  return "";
}

/// The applier's figures of the spool may be older than what was put into it by the polls that a claim rests
/// on: where nothing else stands against it, the spool is looked at again.
Task<Look> look_at(SharedMigration m) {
  Look look;
  look.facts = facts_of(*m);
  look.at = m->loop.now();
  look.against = not_in_step_because(look.facts, m->loop.now(), m->options.allowed_lag);
  if (!but_for_rejects(look.facts, look.against)) co_return look;
  const Result<state::SpoolFigures> spool = co_await m->context.spool->figures();
  if (!spool) {
    look.against.push_back(fmt::format("the spool does not tell what waits: {}", spool.error().message));
    co_return look;
  }
  look.facts.oldest_entry = age_of_oldest(*m, *spool);
  look.at = m->loop.now();
  look.against = not_in_step_because(look.facts, m->loop.now(), m->options.allowed_lag);
  co_return look;
}

LiveProgress live_progress(Migration& m, const Look& look) {
  LiveProgress live;
  for (const Role role : kAllRoles) {
    const Part& part = m.part(role);
    if (part.state.empty()) continue;
    live.roles.push_back({.role = std::string(to_string(role)),
                          .state = std::string(part.state),
                          .why = part.why,
                          .exit_code = part.exit_code,
                          .wish = part.wish});
  }
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
    if (const auto polled = look.facts.polled_at)
      live.last_polled_s = std::chrono::duration<double>(m.loop.now() - *polled).count();
    live.spool_full = figures.spool_full;
  }
  std::optional<ApplyFigures> applier;
  if (m.apply) applier = m.apply->figures();
  add_spool(m, applier && applier->running ? applier->spool : m.spool_seen, live);
  if (applier) {
    live.applied = applier->written;
    live.removed = applier->removed;
    live.reread = applier->reread;
    live.applied_per_s = applier->keys_per_s;
    live.lag_s = applier->lag_s;
  }
  live.spool_reduced = m.reduced;
  live.spool_reduced_rcu = static_cast<double>(m.reduced) * rcu_of_a_read(m.tables);
  for (const state::GapRecord& gap : m.ledger->record().gaps) live.gaps.push_back(gap_text(gap));
  live.gaps_healing = m.ledger->record().gaps_healing;
  live.in_step = look.against.empty();
  live.not_in_step = look.against;
  if (const auto until = complete_until(look.facts, look.against, look.at); until)
    live.complete_until_unix_ms =
        unix_ms(m.loop.wall() - std::chrono::duration_cast<WallTime::duration>(m.loop.now() - *until));
  live.needs_person = needs_person(m);
  return live;
}

Progress progress_of(Migration& m, LiveProgress live) {
  Progress progress = m.copy_board.snapshot();
  Roles roles = kNoRoles;
  for (const Role role : kAllRoles)
    if (m.part(role).begun()) add(roles, role);
  progress.job = job_name(roles);
  progress.table = m.lane().source.table.value;
  if (!m.copying()) {
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
  const auto add = [&progress](const auto& figures) {
    progress.retries += figures.retries;
    progress.throttles += figures.throttles;
    if (!figures.trouble.empty() && progress.holder_detail.empty()) progress.holder_detail = figures.trouble;
  };
  if (m.apply) {
    const ApplyFigures figures = m.apply->figures();
    progress.unknown_outcomes += figures.unknown_outcomes;
    add(figures);
  }
  if (m.capture) add(m.capture->figures());
  progress.live = std::move(live);
  if (m.verify) progress.verify = jobs::progress_of(m.verify->figures(), m.verifying);
  return progress;
}

}  // namespace messina::jobs
