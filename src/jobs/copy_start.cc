#include "jobs/copy_start.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "jobs/live_ledger.h"
#include "jobs/retry.h"
#include "jobs/schema.h"

namespace messina::jobs {

namespace {

using endpoints::TableDescription;

/// Units whose beginning is reserved at once, when tuning does not say: enough that beginning a unit never
/// waits for a commit, few enough that a crash makes few units wait.
constexpr std::uint64_t kMinReserved = 64, kMaxReserved = 4096;
/// A wait of "more than" a time ends this much later.
constexpr Duration kMore = std::chrono::milliseconds(1);
/// A wall clock is not set forward by more than this between two runs of a job.
constexpr Duration kMostClockStep = std::chrono::minutes(10);

Task<Result<TableDescription>> describe(Loop& loop, endpoints::Endpoint& side, Stop* stop, Random& random) {
  endpoints::Catalog* catalog = side.catalog.get();
  auto attempt = [catalog] { return catalog->describe(nullptr); };
  Result<TableDescription> description = co_await with_retries<TableDescription>(loop, stop, random, attempt);
  co_return description;
}

std::string quoted(const std::string& text) { return '"' + text + '"'; }

/// What of the begun job differs from what is to be run now; empty if nothing does.
std::string difference(const state::JobIdentity& begun, const state::JobIdentity& now) {
  const auto sides = {std::tuple(&begun.source, &now.source, "source"),
                      std::tuple(&begun.target, &now.target, "target")};
  for (const auto& [was, is, name] : sides) {
    if (*was != *is) return fmt::format("the begun copy's {} was {}, now it is {}", name, *was, *is);
  }
  const auto ids = {std::tuple(&begun.source_table_id, &now.source_table_id, &now.source),
                    std::tuple(&begun.target_table_id, &now.target_table_id, &now.target)};
  for (const auto& [was, is, name] : ids) {
    if (*was != *is) {
      return fmt::format("{} was deleted and made again since the copy began: its id was {} and is now {}",
                         *name, quoted(*was), quoted(*is));
    }
  }
  if (begun.plan_fingerprint != now.plan_fingerprint) {
    return "the copy was begun with other settings (renames, dropped attributes, segments or skipSegments)";
  }
  return {};
}

std::unexpected<Error> begun_otherwise(const std::string& differs) {
  return fail(ErrorKind::needs_person,
              differs + ". Copy from the start, over what the former run wrote, with --restart");
}

Task<Result<void>> check_target_is_empty(std::shared_ptr<CopyRun> run) {
  endpoints::Endpoint& target = run->context.lanes->front().target;
  Random random = run->context.random.fork();
  endpoints::Catalog* catalog = target.catalog.get();
  auto attempt = [catalog] { return catalog->empty(); };
  Result<bool> empty =
      co_await with_retries<bool>(*run->context.lanes->front().loop, &run->halt, random, attempt);
  if (!empty) co_return fail(empty.error());
  if (!*empty) {
    co_return fail(
        ErrorKind::needs_person,
        fmt::format("{} is not empty: items of the same key would be replaced. Use --into-existing to "
                    "write into it all the same, or choose another target",
                    target.display));
  }
  co_return Result<void>();
}

/// The units, in shuffled order: neighbours of a hot key range are not read one after another.
Task<Result<std::vector<state::UnitRecord>>> plan_units(std::shared_ptr<CopyRun> run) {
  Lane& lane = run->context.lanes->front();
  const CopyOptions& options = run->options;
  Random random = run->context.random.fork();
  endpoints::PlanHints hints;
  hints.segments = options.segments;
  hints.lanes = static_cast<std::uint32_t>(run->context.lanes->size()) * options.units_per_lane;
  endpoints::Scannable* scan = lane.source.scan.get();
  auto attempt = [scan, hints] { return scan->plan(hints); };
  Result<std::vector<endpoints::Unit>> planned =
      co_await with_retries<std::vector<endpoints::Unit>>(*lane.loop, &run->halt, random, attempt);
  if (!planned) co_return fail(planned.error());

  std::vector<state::UnitRecord> units;
  units.reserve(planned->size());
  for (std::size_t i = 0; i < planned->size(); ++i) {
    state::UnitRecord record;
    record.id = std::move((*planned)[i].id);
    record.spec = std::move((*planned)[i].spec);
    if (options.skip_segments.contains(static_cast<std::uint32_t>(i)))
      record.state = state::UnitState::skipped;
    units.push_back(std::move(record));
  }
  if (!options.skip_segments.empty() && *options.skip_segments.rbegin() >= units.size()) {
    co_return fail(
        ErrorKind::config,
        fmt::format("segment {} is to be skipped, but there are only {}: segments are counted from 0",
                    *options.skip_segments.rbegin(), units.size()));
  }
  for (std::size_t i = units.size(); i > 1; --i) std::swap(units[i - 1], units[random.below(i)]);
  co_return units;
}

std::uint64_t first_limit(const CopyRun& run, std::uint64_t from, std::uint64_t units) {
  return std::min(units, from + reserved_ahead(run, units));
}

/// PROTOCOL rule 15 for a copy by itself, before its units are there: the target may come to have keys that
/// the source lacks. What follows this copy some day must not claim otherwise.
Task<Result<void>> owe_backward_pass(std::shared_ptr<CopyRun> run, const PinnedTables& tables,
                                     const state::JobState* former, state::LiveRecord& live) {
  const bool of_others = run->options.into_existing || !run->options.skip_segments.empty() ||
                         live.backward == state::BackwardPass::owed;
  const bool over_former = former != nullptr && former->phase != state::JobPhase::planned;
  if (!of_others && !over_former) co_return Result<void>();
  const std::int64_t now = unix_ms(run->context.lanes->front().loop->wall());
  if (former == nullptr) {
    state::JobState planned;
    planned.identity = tables.identity;
    planned.created_unix_ms = now;
    const Result<void> begun = co_await run->context.store->begin(planned);
    if (!begun) co_return begun;
  }
  live.backward = of_others ? state::BackwardPass::owed : state::BackwardPass::due;
  live.backward_cursor.clear();
  state::Commit commit;
  commit.live = live;
  commit.heartbeat_unix_ms = now;
  const Result<void> committed = co_await run->context.store->commit(commit);
  co_return committed;
}

/// Those that the store kept when the job was begun.
Task<Result<void>> know_kept_rejects(std::shared_ptr<CopyRun> run, state::JobState& fresh) {
  const Result<std::optional<state::JobState>> begun = co_await run->context.store->load();
  if (!begun) co_return fail(begun.error());
  if (*begun) fresh.live_rejects = (*begun)->live_rejects;
  const Companion* companion = run->context.companion;
  if (companion == nullptr || companion->rejects == nullptr) co_return Result<void>();
  Result<std::vector<std::string>> keys = co_await run->context.store->live_reject_keys();
  if (!keys) co_return fail(keys.error());
  for (std::string& key : *keys) companion->rejects->add(std::move(key));
  co_return Result<void>();
}

/// Begins a job where none is, where only changes were captured until now, or over `former` (--restart).
Task<Result<OpenedJob>> begin_job(std::shared_ptr<CopyRun> run, const PinnedTables& tables,
                                  const UnitRun* only_unit, const state::JobState* former) {
  const Loop& loop = *run->context.lanes->front().loop;
  state::JobState fresh;
  if (only_unit != nullptr) {
    state::UnitRecord record;
    record.id = only_unit->unit.id;
    record.spec = only_unit->unit.spec;
    record.cursor = only_unit->cursor.bytes;
    fresh.units.push_back(std::move(record));
  } else {
    // A restart finds the items that the former run wrote, unless the table was made anew since.
    const bool of_former = former != nullptr && former->phase != state::JobPhase::planned &&
                           former->identity.target_table_id == tables.identity.target_table_id;
    if (!run->options.into_existing && !of_former) {
      const Result<void> empty = co_await check_target_is_empty(run);
      if (!empty) co_return fail(empty.error());
    }
    Result<std::vector<state::UnitRecord>> units = co_await plan_units(run);
    if (!units) co_return fail(units.error());
    fresh.units = std::move(*units);
  }
  const Companion* companion = run->context.companion;
  if (former != nullptr) fresh.live = former->live;
  if (companion == nullptr && only_unit == nullptr) {
    const Result<void> owed = co_await owe_backward_pass(run, tables, former, fresh.live);
    if (!owed) co_return fail(owed.error());
  }
  fresh.live.history_epoch = companion != nullptr ? companion->capture_epoch
                             : former != nullptr  ? former->live.capture_epoch
                                                  : 0;
  fresh.identity = tables.identity;
  fresh.phase = state::JobPhase::copying;
  fresh.source_ttl_attribute = tables.ttl_attribute;
  fresh.created_unix_ms = unix_ms(loop.wall());
  fresh.heartbeat_unix_ms = fresh.created_unix_ms;

  OpenedJob opened;
  opened.quiet_until = loop.now();
  if (former != nullptr) {
    // The former run's requests may be on the wire for any key: every unit counts as begun, for this process
    // and, if it crashes, for the next one.
    opened.former_limit = fresh.units.size();
    opened.former_heartbeat = opened.former_may_be_on_wire = former->heartbeat_unix_ms.has_value();
    opened.quiet_until = quiet_time(run->options, former->heartbeat_unix_ms, loop);
  }
  fresh.begun_limit = first_limit(*run, opened.former_limit, fresh.units.size());
  const Result<void> begun = co_await run->context.store->begin(fresh);
  if (!begun) co_return fail(begun.error());
  if (companion != nullptr && companion->rejects != nullptr) companion->rejects->clear();
  if (state::skips_units(fresh)) {
    const Result<void> kept = co_await know_kept_rejects(run, fresh);
    if (!kept) co_return fail(kept.error());
  }
  opened.state = std::make_shared<const state::JobState>(std::move(fresh));
  co_return opened;
}

/// Goes on with a begun job.
Task<Result<OpenedJob>> resume_job(std::shared_ptr<CopyRun> run, state::JobState former) {
  const Loop& loop = *run->context.lanes->front().loop;
  OpenedJob opened;
  opened.former_limit = former.begun_limit;
  opened.former_heartbeat = former.heartbeat_unix_ms.has_value();
  opened.former_may_be_on_wire =
      opened.former_heartbeat &&
      std::any_of(former.units.begin(),
                  former.units.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(
                                             former.begun_limit, former.units.size())),
                  [](const state::UnitRecord& unit) { return unit.state == state::UnitState::pending; });
  opened.quiet_until = quiet_time(run->options, former.heartbeat_unix_ms, loop);

  state::Commit commit;
  commit.phase = state::JobPhase::copying;
  commit.heartbeat_unix_ms = unix_ms(loop.wall());
  if (!run->tuning.faults.begin_units_unreserved) {
    commit.begun_limit = first_limit(*run, former.begun_limit, former.units.size());
  }
  const Result<void> committed = co_await run->context.store->commit(commit);
  if (!committed) co_return fail(committed.error());
  state::apply(former, commit);
  opened.state = std::make_shared<const state::JobState>(std::move(former));
  co_return opened;
}

}  // namespace

Task<Result<void>> take_target(std::shared_ptr<CopyRun> run, const PinnedTables& tables, OpenedJob& opened) {
  Loop& loop = *run->context.lanes->front().loop;
  state::Commit commit;
  commit.live = opened.state->live;
  if (commit.live->authority != run->authority) {
    commit.live->authority = run->authority;
    commit.live->awaits_former_owner = tables.authority && *tables.authority != run->authority;
    commit.heartbeat_unix_ms = unix_ms(loop.wall());
    const Result<void> committed = co_await run->context.store->commit(commit);
    if (!committed) co_return fail(committed.error());
  }
  if (tables.authority != run->authority) {
    Random random = run->context.random.fork();
    endpoints::Endpoint& target = run->context.lanes->front().target;
    const Result<void> claimed =
        co_await claim_target(loop, target, &run->halt, random, run->authority, tables.authority);
    if (!claimed) co_return claimed;
  }
  if (!commit.live->awaits_former_owner) co_return Result<void>();
  const Result<void> waited = co_await outwait_former_owner(loop, *run->context.board, &run->halt);
  if (!waited) co_return waited;
  commit.live->awaits_former_owner = false;
  commit.heartbeat_unix_ms = unix_ms(loop.wall());
  opened.former_limit = opened.state->units.size();
  opened.former_heartbeat = opened.former_may_be_on_wire = true;
  opened.quiet_until = quiet_time(run->options, commit.heartbeat_unix_ms, loop);
  const Result<void> committed = co_await run->context.store->commit(commit);
  co_return committed;
}

Result<void> check_identity(const state::JobIdentity& begun, const state::JobIdentity& now) {
  const std::string differs = difference(begun, now);
  if (differs.empty()) return {};
  return begun_otherwise(differs);
}

std::int64_t unix_ms(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::uint64_t reserved_ahead(const CopyRun& run, std::uint64_t units) {
  if (run.tuning.reserve_units != 0) return run.tuning.reserve_units;
  const std::uint64_t workers = run.context.lanes->size() * run.options.units_per_lane;
  return std::max(2 * workers, std::clamp(units / 8, kMinReserved, kMaxReserved));
}

MonoTime quiet_time(const CopyOptions& options, std::optional<std::int64_t> former_heartbeat_unix_ms,
                    const Clock& clock) {
  const MonoTime now = clock.now();
  // Even a clean end may have left pages of which some batches were acknowledged. They are written anew with
  // a newer state, perhaps by a node whose clock is S behind (PROTOCOL rule 2).
  if (!former_heartbeat_unix_ms) return now + options.clock_error + kMore;
  // The former process was dead when this one got the lock, so its requests are dead D after that; D + S
  // later, a write has the newest stamp on every node.
  //
  // The begun units' pages are not only written after this wait but also read after it (UnitQueue hands them
  // out then). For the order of writes it would do to read at once: whatever this process reads is at least
  // as new as what the former one read. But a page read early would take its memory for D + S, be that much
  // older on the target, and hold the watermark back all the while (PROTOCOL rules 11 and 12).
  const Duration longest = options.dead_after + options.clock_error + kMore;
  // It cannot have sent anything later than this after its last heartbeat:
  const Duration last_sent = kHeartbeatBound + kLongestSend;
  const Duration age = std::chrono::milliseconds(unix_ms(clock.wall()) - *former_heartbeat_unix_ms);
  // The age is told by a wall clock that may have been set meanwhile, as it often is when a machine comes up
  // again: it may spare the whole wait when it is beyond such a step, and never shortens it by a part.
  return now + (age > longest + last_sent + kMostClockStep ? Duration::zero() : longest);
}

Task<Result<PinnedTables>> pin_tables(Lane& lane, Stop* stop, Random& random,
                                      const std::string& fingerprint) {
  Result<TableDescription> source = co_await describe(*lane.loop, lane.source, stop, random);
  if (!source) co_return fail(source.error());
  const Result<void> readable = check_status(*source, lane.source.display, "source");
  if (!readable) co_return fail(readable.error());
  Result<TableDescription> target = co_await describe(*lane.loop, lane.target, stop, random);
  if (!target) co_return fail(target.error());
  const Result<void> writable = check_status(*target, lane.target.display, "target");
  if (!writable) co_return fail(writable.error());

  PinnedTables tables;
  tables.identity = {.source = lane.source.display,
                     .target = lane.target.display,
                     .source_table_id = source->id,
                     .target_table_id = target->id,
                     .plan_fingerprint = fingerprint};
  tables.source_key = source->key;
  tables.target_key = target->key;
  tables.authority = authority_on(*target);
  tables.expected_items = source->item_count;
  tables.expected_bytes = source->size_bytes;
  tables.ttl_attribute = source->ttl_attribute;
  tables.source_reads = endpoints::capacity_of(*source).reads;
  tables.target_writes = endpoints::capacity_of(*target).writes;
  co_return tables;
}

Task<Result<OpenedJob>> open_job(std::shared_ptr<CopyRun> run, const PinnedTables& tables,
                                 const UnitRun* only_unit) {
  Result<std::optional<state::JobState>> loaded = co_await run->context.store->load();
  if (!loaded) co_return fail(loaded.error());
  std::optional<state::JobState>& former = *loaded;
  // Those beside this copy have beaten already; what counts is what the process found.
  if (former && run->context.companion != nullptr)
    former->heartbeat_unix_ms = run->context.companion->former_heartbeat_unix_ms;
  if (run->authority.owner.empty() && only_unit == nullptr) {
    Random random = run->context.random.fork();
    const state::Authority& recorded = former ? former->live.authority : run->options.reserved;
    const Result<state::Authority> ours =
        choose_authority(tables.authority, recorded, run->options.take_over, tables.identity.target, random);
    if (!ours) co_return fail(ours.error());
    run->authority = *ours;
  }
  if (!former || run->options.restart) {
    Result<OpenedJob> begun = co_await begin_job(run, tables, only_unit, former ? &*former : nullptr);
    co_return begun;
  }
  const Result<void> same = check_identity(former->identity, tables.identity);
  if (!same) co_return fail(same.error());
  const bool planned = former->phase == state::JobPhase::planned;
  if (only_unit != nullptr && !planned &&
      (former->units.size() != 1 || former->units[0].id != only_unit->unit.id)) {
    co_return begun_otherwise(
        fmt::format("the state holds another job than that of unit {} alone", quoted(only_unit->unit.id)));
  }
  if (planned) {
    Result<OpenedJob> begun = co_await begin_job(run, tables, only_unit, &*former);
    co_return begun;
  }
  if (former->phase == state::JobPhase::done) {
    OpenedJob done;
    done.state = std::make_shared<const state::JobState>(std::move(*former));
    co_return done;
  }
  Result<OpenedJob> resumed = co_await resume_job(run, std::move(*former));
  co_return resumed;
}

Task<Result<bool>> check_tables(Lane& lane, const state::JobIdentity& pinned, const state::Authority& ours,
                                LookAt look) {
  state::JobIdentity now = pinned;
  if (look == LookAt::both) {
    Result<TableDescription> source = co_await lane.source.catalog->describe(nullptr);
    if (!source) co_return fail(source.error());
    now.source_table_id = source->id;
  }
  Result<TableDescription> target = co_await lane.target.catalog->describe(nullptr);
  if (!target) co_return fail(target.error());
  now.target_table_id = target->id;
  const std::optional<state::Authority> there = authority_on(*target);
  if (!ours.owner.empty()) {
    const Result<void> still_ours = check_authority(there, ours, lane.target.display);
    if (!still_ours) co_return fail(still_ours.error());
  }
  const std::string differs = difference(pinned, now);
  if (differs.empty()) co_return ours.owner.empty() || there.has_value();
  co_return fail(ErrorKind::needs_person,
                 differs + ". What was copied may be of either: look at it, then start over with --restart");
}

std::optional<Error> note_look(const Result<bool>& look, MonoTime asked, const std::string& target,
                               Sight& sight) {
  if (!look) return look.error();
  if (*look) {
    sight.seen(asked);
    return std::nullopt;
  }
  return Error{
      ErrorKind::transient,
      fmt::format("{} shows neither of the tags {} and {}, by which two migrations are kept from writing "
                  "to it: nothing is written until it does. Is ListTagsOfResource allowed? Where the "
                  "tags were removed, start messina again",
                  target, kOwnerTag, kEpochTag)};
}

Task<void> end_by(std::shared_ptr<CopyRun> run, Lane& lane, Error error) {
  if (error.kind == ErrorKind::not_found) {
    const Result<bool> same = co_await check_tables(lane, run->pinned, run->authority, LookAt::both);
    if (!same && same.error().kind == ErrorKind::needs_person) error = same.error();
  }
  run->fail_with(std::move(error));
}

}  // namespace messina::jobs
