#include "jobs/verify.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "jobs/verify_run.h"

namespace messina::jobs {

namespace {

using state::Verdict;
using state::VerifySide;
using Shared = std::shared_ptr<VerifyRun>;

/// How often the rates of reads are set.
constexpr Duration kPaceEvery = std::chrono::milliseconds(200);
/// How often a board gets the figures.
constexpr Duration kPublishEvery = std::chrono::milliseconds(200);
/// How often keys that were written to are judged once the pass is done.
constexpr Duration kStayEvery = std::chrono::seconds(2);
/// How often, then, what could not be judged is looked at again.
constexpr Duration kTryAgainEvery = std::chrono::seconds(15);
/// Of a table whose size nobody tells: buckets are few bytes, and a key more or less in one is of no matter.
constexpr std::uint64_t kExpectedKeys = 10'000'000;

/// Whether a former verification can be gone on with. One that is done can be by who stays.
bool same(const VerifyRecord& former, const VerifyRecord& fresh, bool stays) {
  return (stays || former.phase != VerifyPhase::done) && former.identity == fresh.identity &&
         former.scope == fresh.scope && former.live == fresh.live;
}

/// Of what decides about what the target is to have.
std::string fingerprint(const item::TransformRules& rules) {
  std::string text;
  for (const auto& [from, to] : rules.renames) text += fmt::format("{} > {}\n", from, to);
  for (const std::string& name : rules.drops) text += fmt::format("- {}\n", name);
  return text.empty() ? text : to_hex(sha256(text)).substr(0, 16);
}

KeyedHash::Key secret(Random& random) {
  KeyedHash::Key key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(random.next() >> 32);
  return key;
}

Task<Result<std::vector<state::VerifyUnit>>> plan_units(Shared run, VerifySide side) {
  const Result<std::vector<endpoints::Unit>> units =
      co_await plan_side(run, side == VerifySide::source ? Side::source : Side::target);
  if (!units) co_return fail(units.error());
  const std::optional<VerifyScope::Segment>& segment = run->options.scope.segment;
  std::vector<state::VerifyUnit> planned;
  for (std::size_t i = 0; i < units->size(); ++i) {
    if (segment && i != segment->index) continue;
    planned.push_back({.id = (*units)[i].id, .spec = (*units)[i].spec, .side = side});
  }
  co_return planned;
}

/// Begins the verification: from here on each key that is put into the spool is known.
Task<Result<void>> begin_anew(Shared run) {
  for (const std::string& key : run->options.keys) {
    const auto good = item::find_key(key, run->sides.source_key);
    if (!good)
      co_return fail(ErrorKind::config, fmt::format("{} is no key of {}: {}", key,
                                                    run->record.identity.source, good.error().message));
  }
  if (run->live()) {
    Result<void> kept = co_await run->context.live->spool->keep_touches();
    if (!kept) co_return kept;
  }
  VerifyRecord& record = run->record;
  record.secret = secret(run->random);
  record.bucket_bits = item::bucket_bits_for(record.expected_items.value_or(kExpectedKeys));
  record.began_unix_ms = unix_ms(run->home.wall());
  record.phase = run->options.scope.keys_alone ? VerifyPhase::judging : VerifyPhase::forward;
  state::VerifyState fresh;
  if (!run->options.scope.keys_alone) {
    auto units = co_await plan_units(run, VerifySide::source);
    if (!units) co_return fail(units.error());
    fresh.units = std::move(*units);
  }
  fresh.record = to_json(record);
  fresh.source = fresh.target = item::KeyDigest(record.bucket_bits);
  const Result<void> begun = co_await run->context.store->begin(fresh);
  if (!begun) co_return begun;
  run->units = std::move(fresh.units);
  run->show([&](VerifyFigures& figures) { figures.record = record; });
  std::vector<state::KeyNote> notes;
  for (const std::string& key : run->options.keys) notes.push_back({.key = key});
  co_await run->add(std::move(notes));
  const bool flushed = co_await run->flush();
  if (!flushed) co_return fail(*run->failure());
  co_return Result<void>();
}

/// Whether the former verification is gone on with: then its record is the run's.
Task<Result<bool>> goes_on_with(Shared run, const std::optional<state::VerifyState>& former) {
  const bool repairs = run->options.repair.has_value();
  if (repairs && !former)
    co_return fail(ErrorKind::config,
                   "nothing was verified yet: `messina verify` finds what is to be repaired");
  if (!former || run->options.restart) co_return false;
  const Result<VerifyRecord> was = verify_record(former->record);
  if (!was && repairs) co_return fail(was.error());
  if (!was) co_return false;
  if (repairs) {
    const Result<void> same_tables = check_identity(was->identity, run->record.identity);
    if (!same_tables) co_return fail(same_tables.error());
    if (was->phase != VerifyPhase::done)
      co_return fail(ErrorKind::config,
                     "the verification is not at its end: `messina verify` goes on with it; repair what it "
                     "found then");
  } else if (!same(*was, run->record, run->options.stays)) {
    co_return false;
  }
  if (run->live() && !repairs) {
    const Result<bool> kept = co_await run->context.live->spool->keeps_touches();
    if (!kept || !*kept) co_return kept;
  }
  run->record = *was;
  co_return true;
}

std::string text_of(const item::KeySchema& key) {
  const auto one = [](const item::KeyAttribute& attribute) {
    return fmt::format("{} ({})", attribute.name, item::to_string(attribute.type));
  };
  return key.sort ? fmt::format("{}, {}", one(key.partition), one(*key.sort)) : one(key.partition);
}

/// The target's items must have keys that the source's could have become.
Result<void> check_keys(const PinnedTables& tables, const item::TransformRules& rules) {
  if (auto good = item::check_rules(rules, tables.source_key); !good) return good;
  const item::KeySchema wanted = item::transform_schema(tables.source_key, rules);
  if (wanted == tables.target_key) return {};
  return fail(
      ErrorKind::config,
      fmt::format("{} has the key {}, and what the source's items become has {}: give the --rename that "
                  "the items were moved with, or another target",
                  tables.identity.target, text_of(tables.target_key), text_of(wanted)));
}

Task<Result<void>> open(Shared run) {
  Lane& lane = run->context.lanes->front();
  Result<PinnedTables> tables =
      co_await pin_tables(lane, &run->halt, run->random, fingerprint(run->options.transform));
  if (!tables) co_return fail(tables.error());
  if (const Result<void> keys = check_keys(*tables, run->options.transform); !keys) co_return keys;
  run->sides = {tables->source_key, tables->target_key, run->options.transform};
  run->ttl_attribute = tables->ttl_attribute;
  VerifyRecord& record = run->record;
  record.identity = tables->identity;
  record.scope = run->options.scope;
  record.live = run->live();
  record.expected_items = tables->expected_items;

  Result<std::optional<state::VerifyState>> loaded = co_await run->context.store->load();
  if (!loaded) co_return fail(loaded.error());
  const Result<bool> goes_on = co_await goes_on_with(run, *loaded);
  if (!goes_on) co_return fail(goes_on.error());
  if (!*goes_on) {
    Result<void> begun = co_await begin_anew(run);
    co_return begun;
  }
  const Result<VerifyFigures> former = figures_of(**loaded);
  if (!former) co_return fail(former.error());
  run->show([&](VerifyFigures& figures) { figures = *former; });
  run->units = std::move((*loaded)->units);
  co_return Result<void>();
}

/// All units of a side, over all lanes.
Task<Result<void>> read_side(Shared run, VerifySide side) {
  run->hand_out(side);
  TaskGroup workers;
  for (Lane& lane : *run->context.lanes) {
    for (std::uint32_t i = 0; i < run->options.units_per_lane; ++i)
      workers.spawn(lane.loop->executor(), read_units(run, &lane, run->random.fork(), side));
  }
  co_await workers.wait();
  const bool flushed = co_await run->flush();
  if (const std::optional<Error> failure = run->failure()) co_return fail(*failure);
  if (!flushed || run->halt.requested())
    co_return fail(ErrorKind::stopped, "stopped before all was compared");
  co_return Result<void>();
}

/// Units of a side that is to be read from now on, with the phase that does so: one commit.
Task<Result<void>> begin_phase(Shared run, VerifyPhase phase, std::optional<VerifySide> side) {
  std::vector<state::VerifyUnit> new_units;
  if (side) {
    auto units = co_await plan_units(run, *side);
    if (!units) co_return fail(units.error());
    new_units = std::move(*units);
  }
  Result<void> begun = co_await run->begin_phase(phase, std::move(new_units));
  co_return begun;
}

VerifyPhase after_forward(const VerifyScope& scope) {
  if (!scope.looks_backward()) return VerifyPhase::judging;
  return scope.exhaustive ? VerifyPhase::buckets : VerifyPhase::backward;
}

std::optional<VerifySide> side_of(VerifyPhase phase) {
  if (phase == VerifyPhase::backward) return VerifySide::target;
  if (phase == VerifyPhase::buckets) return VerifySide::bucket;
  return std::nullopt;
}

/// Which buckets are to be listed; notes what the digests say.
Task<Result<DigestFindings>> find_buckets(Shared run) {
  Result<DigestFindings> findings = co_await compare_digests(run);
  if (!findings) co_return findings;
  run->record.source_keys = findings->source_keys;
  run->record.target_keys = findings->target_keys;
  run->record.source_digest = findings->source_sum;
  run->record.target_digest = findings->target_sum;
  run->record.buckets_differing = findings->differing;
  run->record.buckets_listed = findings->to_list;
  co_return findings;
}

Task<Result<void>> pass_backward(Shared run) {
  if (run->record.phase == VerifyPhase::backward) {
    Result<void> read = co_await read_side(run, VerifySide::target);
    if (!read) co_return read;
    const Result<DigestFindings> findings = co_await find_buckets(run);
    if (!findings) co_return fail(findings.error());
    run->listed = findings->buckets;
    const VerifyPhase next = findings->to_list > 0 ? VerifyPhase::buckets : VerifyPhase::judging;
    Result<void> begun = co_await begin_phase(run, next, side_of(next));
    if (!begun) co_return begun;
  } else if (run->record.phase == VerifyPhase::buckets && !run->options.scope.exhaustive) {
    const Result<DigestFindings> findings = co_await find_buckets(run);
    if (!findings) co_return fail(findings.error());
    run->listed = findings->buckets;
  }
  if (run->record.phase != VerifyPhase::buckets) co_return Result<void>();
  Result<void> read = co_await read_side(run, VerifySide::bucket);
  if (!read) co_return read;
  read = co_await begin_phase(run, VerifyPhase::judging, std::nullopt);
  co_return read;
}

Task<Result<void>> pass(Shared run) {
  Result<void> done;
  if (run->options.repair) {
    done = co_await mark_differences(run);
    co_return done;
  }
  if (run->record.phase == VerifyPhase::forward) {
    done = co_await read_side(run, VerifySide::source);
    if (!done) co_return done;
    const VerifyPhase next = after_forward(run->options.scope);
    done = co_await begin_phase(run, next, side_of(next));
    if (!done) co_return done;
  }
  done = co_await pass_backward(run);
  if (!done) co_return done;
  if (run->options.scope.indexes) {
    if (run->record.phase != VerifyPhase::indexes) {
      done = co_await begin_phase(run, VerifyPhase::indexes, std::nullopt);
      if (!done) co_return done;
    }
    done = co_await verify_indexes(run);
    if (!done) co_return done;
  }
  // Last of all, since each key is to be judged that was written until the end.
  if (run->live() && !run->options.scope.keys_alone && !run->options.faults.touched_not_judged) {
    done = co_await look_at_all_touched(run);
    if (!done) co_return done;
  }
  co_return Result<void>();
}

/// All suspects are judged: says what stands against the claim, and ends the pass.
Task<Result<void>> finish(Shared run) {
  VerifyRecord& record = run->record;
  if (!run->options.repair) record.ended_unix_ms = unix_ms(run->home.wall());
  record.phase = VerifyPhase::done;
  if (run->live()) record.against = run->context.live->against();
  run->note_record();
  const bool flushed = co_await run->flush();
  if (!flushed) co_return fail(*run->failure());
  if (run->live() && !run->options.stays) {
    const Result<void> dropped = co_await run->context.live->spool->drop_touches();
    if (!dropped) co_return fail(dropped.error());
  }
  co_return Result<void>();
}

/// What could not be judged, or was refused, may have come to rest, or have been taken, by now.
Task<Result<void>> try_again(Shared run) {
  state::NoteFilter filter;
  filter.verdicts = {Verdict::unsettled, Verdict::rejected};
  for (;;) {
    const Result<std::vector<state::KeyNote>> some = co_await run->context.store->notes(filter);
    if (!some) co_return fail(some.error());
    if (some->empty()) co_return Result<void>();
    filter.after_key = some->back().key;
    std::vector<state::KeyNote> suspects;
    for (const state::KeyNote& note : *some) suspects.push_back({.key = note.key});
    co_await run->add(std::move(suspects));
  }
}

/// Judges what changes, for as long as it runs.
Task<void> stay(Shared run) {
  run->show([](VerifyFigures& figures) { figures.staying = true; });
  MonoTime again_at = run->home.now() + kTryAgainEvery;
  while (!run->halt.requested()) {
    co_await run->home.sleep_for(kStayEvery, &run->halt);
    if (run->halt.requested()) break;
    Result<void> well = co_await look_at_touched(run);
    if (well && run->home.now() >= again_at) {
      well = co_await try_again(run);
      again_at = run->home.now() + kTryAgainEvery;
    }
    if (!well) {
      if (well.error().kind != ErrorKind::stopped) run->fail_with(well.error());
      break;
    }
    run->record.against = run->context.live->against();
    run->note_record();
  }
}

/// Sets the rates of what it reads of either side, where nobody else does.
Task<void> keep_pace(Shared run, Stop* over) {
  Lane& lane = run->context.lanes->front();
  std::optional<SidePace> source, target;
  for (const Side side : {Side::source, Side::target}) {
    if (side == Side::source && run->context.source_reads != nullptr) continue;
    endpoints::Endpoint& endpoint = side == Side::source ? lane.source : lane.target;
    endpoints::Capacity* const capacity = endpoint.capacity.get();
    if (capacity == nullptr) continue;
    const Result<endpoints::TableCapacity> bears = co_await capacity->describe();
    const pace::TableUnits reads = bears ? bears->reads : pace::TableUnits();
    std::optional<SidePace>& pace = side == Side::source ? source : target;
    pace.emplace(run->home, endpoint, SidePace::Of::reads, run->options.read, reads);
    co_await pace->begin();
  }
  while (!over->requested()) {
    const MonoTime now = run->home.now();
    const auto decide = [&](std::optional<SidePace>& pace, ReadBudget& budget, std::uint64_t throttles) {
      if (!pace) return;
      budget.set_rate(now, pace->decide(budget.total(), throttles).units_per_s);
      pace->look();
    };
    decide(source, run->own_source_reads, run->own_source_throttles);
    decide(target, run->target_reads, run->target_throttles);
    co_await run->home.sleep_for(kPaceEvery, over);
  }
  if (source) co_await source->end();
  if (target) co_await target->end();
}

/// For who verifies and does nothing else.
Task<void> publish(Shared run, const Verify* verify, Stop* over) {
  while (run->context.board != nullptr && !over->requested()) {
    const VerifyFigures figures = verify->figures();
    Progress progress;
    progress.job = "verify";
    progress.table = run->context.lanes->front().source.table.value;
    progress.phase = run->paused() ? "paused" : "verifying";
    progress.paused = run->paused();
    progress.retries = figures.retries;
    progress.throttles = figures.throttles;
    progress.verify = progress_of(figures, true);
    run->context.board->publish(std::move(progress));
    co_await run->home.sleep_for(kPublishEvery, over);
  }
}

/// The pass and, if it was asked for, what comes after it.
Task<Result<void>> work(Shared run) {
  TaskGroup judging;
  judging.spawn(run->home.executor(), judge_suspects(run, &run->passed));
  Result<void> done = co_await pass(run);
  if (!done && done.error().kind != ErrorKind::stopped) run->fail_with(done.error());
  if (!done) run->halt.request();
  run->passed.request();
  co_await judging.wait();
  if (const std::optional<Error> failure = run->failure()) co_return fail(*failure);
  if (run->halt.requested()) co_return fail(ErrorKind::stopped, "stopped before everything was verified");
  done = co_await finish(run);
  if (!done || !run->options.stays) co_return done;

  Stop& over = run->staying_over;
  const Stop::Registration on_halt = run->halt.on_request([&over] { over.request(); });
  TaskGroup staying;
  staying.spawn(run->home.executor(), judge_suspects(run, &over));
  co_await stay(run);
  co_await staying.wait();
  if (const std::optional<Error> failure = run->failure()) co_return fail(*failure);
  co_return Result<void>();
}

}  // namespace

std::uint64_t VerifyFigures::differences() const {
  return notes_of(Verdict::missing) + notes_of(Verdict::extra) + notes_of(Verdict::differs);
}

Result<VerifyFigures> figures_of(const state::VerifyState& state) {
  auto record = verify_record(state.record);
  if (!record) return fail(record.error());
  VerifyFigures figures;
  figures.record = std::move(*record);
  figures.notes = state.notes;
  for (const state::VerifyUnit& unit : state.units)
    (unit.side == VerifySide::source ? figures.forward : figures.backward) += unit.counts;
  return figures;
}

/// Of the whole scope.
std::optional<std::uint64_t> expected_items(const VerifyRecord& record) {
  if (!record.expected_items || record.scope.keys_alone) return std::nullopt;
  auto items = static_cast<double>(*record.expected_items);
  if (record.scope.sample) items *= *record.scope.sample;
  if (record.scope.segment) items /= record.scope.segment->total;
  return static_cast<std::uint64_t>(items);
}

VerifyProgress progress_of(const VerifyFigures& figures, bool running) {
  const VerifyRecord& record = figures.record;
  return {.running = running,
          .staying = figures.staying,
          .phase = std::string(to_string(record.phase)),
          .items = figures.forward.items,
          .target_keys = figures.backward.items,
          .expected_items = expected_items(record),
          .items_per_s = figures.items_per_s,
          .source_rcu = figures.source_rcu(),
          .target_rcu = figures.target_rcu(),
          .units = figures.units,
          .units_done = figures.units_done,
          .missing = figures.notes_of(Verdict::missing),
          .extra = figures.notes_of(Verdict::extra),
          .differs = figures.notes_of(Verdict::differs),
          .unsettled = figures.notes_of(Verdict::unsettled),
          .rejected = figures.notes_of(Verdict::rejected),
          .suspects = figures.notes_of(Verdict::suspect),
          .judged = record.keys_judged,
          .touched_judged = record.touched_judged,
          .waits_for = figures.waits_for,
          .not_verified = not_verified_because(figures),
          .began_unix_ms = record.began_unix_ms,
          .ended_unix_ms = record.ended_unix_ms};
}

std::vector<std::string> against_indexes(const VerifyRecord& record) {
  std::vector<std::string> reasons;
  const auto entries = [](std::uint64_t count) {
    return fmt::format("{} {}", count, count == 1 ? "entry" : "entries");
  };
  for (const IndexFindings& index : record.indexes) {
    if (index.absent) reasons.push_back(fmt::format("the target has no index \"{}\"", index.name));
    if (index.missing > 0)
      reasons.push_back(fmt::format("index \"{}\" lacks {}", index.name, entries(index.missing)));
    if (index.extra > 0)
      reasons.push_back(fmt::format("index \"{}\" has {} too many", index.name, entries(index.extra)));
    if (index.unsettled > 0)
      reasons.push_back(
          fmt::format("{} of index \"{}\" could not be judged", entries(index.unsettled), index.name));
  }
  return reasons;
}

std::vector<std::string> not_verified_because(const VerifyFigures& figures) {
  std::vector<std::string> reasons;
  const auto add = [&](std::uint64_t keys, std::string_view one, std::string_view many) {
    if (keys == 1) reasons.emplace_back(one);
    if (keys > 1) reasons.push_back(fmt::format("{} {}", keys, many));
  };
  if (figures.record.phase != VerifyPhase::done) reasons.emplace_back("the pass is not done");
  add(figures.differences(), "a key differs", "keys differ");
  add(figures.notes_of(Verdict::unsettled), "a key could not be judged", "keys could not be judged");
  add(figures.notes_of(Verdict::rejected), "an item was refused by the target",
      "items were refused by the target");
  add(figures.notes_of(Verdict::suspect), "a key is being judged", "keys are being judged");
  const VerifyScope& scope = figures.record.scope;
  if (scope.sample)
    reasons.push_back(fmt::format("only a sample of {:g} % was compared", *scope.sample * 100));
  if (scope.segment)
    reasons.push_back(
        fmt::format("only segment {}/{} was compared", scope.segment->index, scope.segment->total));
  if (scope.keys_alone) reasons.emplace_back("only keys that were named were compared");
  if (figures.record.live && figures.record.repaired_unix_ms > 0)
    reasons.emplace_back("what was written between the pass and the repair was not judged: verify again");
  std::ranges::copy(against_indexes(figures.record), std::back_inserter(reasons));
  if (scope.indexes && figures.record.repaired_unix_ms > 0)
    reasons.emplace_back("indexes were not compared since the repair: verify again");
  std::ranges::copy(figures.record.against, std::back_inserter(reasons));
  return reasons;
}

Verify::Verify(VerifyContext context, VerifyOptions options)
    : run_(std::make_shared<VerifyRun>(std::move(context), std::move(options))) {}
Verify::~Verify() = default;

Task<Result<VerifyFigures>> Verify::run() {
  const Shared run = run_;
  Stop::Registration on_stop;
  if (run->context.stop != nullptr) on_stop = run->context.stop->on_request([run] { run->halt.request(); });
  const Result<void> opened = co_await open(run);
  if (!opened) co_return fail(opened.error());
  Stop& over = run->housekeeping_over;
  TaskGroup housekeeping;
  housekeeping.spawn(run->home.executor(), run->commit_by_and_by(&over));
  housekeeping.spawn(run->home.executor(), keep_pace(run, &over));
  housekeeping.spawn(run->home.executor(), publish(run, this, &over));
  Result<void> done;
  const bool more = run->record.phase != VerifyPhase::done || run->options.repair || run->options.stays;
  if (more) done = co_await work(run);
  over.request();
  co_await housekeeping.wait();
  co_await run->flush();
  if (!done) co_return fail(done.error());
  co_return figures();
}

VerifyFigures Verify::figures() const {
  VerifyFigures figures;
  {
    const std::lock_guard lock(run_->mutex);
    figures = run_->shown;
  }
  figures.retries = run_->retries;
  figures.throttles = run_->throttles;
  if (figures.waits_for.empty()) figures.waits_for = run_->trouble.recent(run_->home.now(), {});
  return figures;
}

}  // namespace messina::jobs
