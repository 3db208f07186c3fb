#include "jobs/verify_run.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace messina::jobs {

namespace {

/// Bytes of suspects and notes that may wait for a commit. With less room than this one begins at once.
constexpr std::int64_t kMaxWaitingBytes = 32 << 20;
constexpr std::int64_t kLittleRoom = kMaxWaitingBytes / 4;
/// Commits take about this part of the time at most, as long as no more than this is done again after a
/// crash: those of many keys a second write long.
constexpr int kCommitTimesApart = 50;
constexpr Duration kMostBetweenCommits = std::chrono::seconds(2);
/// Of a page before one was seen: DynamoDB's are of 1 MB at most, as it counts, and the other side's answers
/// about it are as large.
constexpr std::int64_t kFirstPageLease = 3 << 20;
/// How often a paused reader looks whether it may go on.
constexpr Duration kPausedNap = std::chrono::milliseconds(200);
/// A busy ledger is asked again after this.
constexpr Duration kBusyNap = std::chrono::milliseconds(50);
/// Of what a lookup's key should cost before anything is known: half a unit is the least, by twice as much
/// none is far off.
constexpr double kRcuPerKey = 1;
/// Answers from this size on keep both sides busy one at a time, and the memory of several would be much:
/// they may have 16 MB.
constexpr std::size_t kLargeAnswer = 2 << 20;

}  // namespace

VerifyRun::VerifyRun(VerifyContext job_context, VerifyOptions job_options)
    : context(std::move(job_context)),
      options(std::move(job_options)),
      home(*context.lanes->front().loop),
      random(context.random.fork()),
      memory(static_cast<std::int64_t>(options.memory_bytes)),
      page_lease(kFirstPageLease),
      answer_bytes{SIZE_MAX, SIZE_MAX},
      own_source_reads(home.now()),
      target_reads(home.now()),
      cap(home.now()),
      source_reads(context.source_reads != nullptr ? *context.source_reads : own_source_reads),
      source_throttles(context.source_throttles != nullptr ? *context.source_throttles
                                                           : own_source_throttles),
      room_(kMaxWaitingBytes) {
  if (options.read_rcu_per_s) cap.set_rate(home.now(), options.read_rcu_per_s);
}

void VerifyRun::fail_with(Error error) {
  {
    const std::lock_guard lock(mutex);
    if (!failure_) failure_ = std::move(error);
  }
  halt.request();
}

std::optional<Error> VerifyRun::failure() const {
  const std::lock_guard lock(mutex);
  return failure_;
}

// ------------------------------------------------------------------------------------------ commits

Task<void> VerifyRun::add(state::VerifyCommit::UnitStep step, std::span<const Uint128> keys,
                          std::vector<std::string> suspects) {
  std::size_t bytes = step.cursor.size();
  for (const std::string& key : suspects) bytes += key.size();
  AsyncSemaphore::Lease lease = co_await room_.acquire(static_cast<std::int64_t>(bytes));
  const std::lock_guard lock(mutex);
  waiting_.push_back(std::move(lease));
  state::VerifyCommit::UnitStep& of_unit = steps_[step.unit];
  of_unit.unit = step.unit;
  of_unit.cursor = std::move(step.cursor);
  of_unit.done = step.done;
  of_unit.delta += step.delta;
  const bool forward = units[step.unit].side == state::VerifySide::source;
  state::ReadKeys& of_side = forward ? pending_.source_keys : pending_.target_keys;
  of_side.hashes.insert(of_side.hashes.end(), keys.begin(), keys.end());
  if (of_side.hashes.size() > options.tuning.waiting_hashes) {
    if (!of_side.sums) of_side.sums.emplace(record.bucket_bits);
    of_side.sums->add(of_side.hashes);
    of_side.hashes.clear();
  }
  for (std::string& key : suspects) pending_.notes.push_back({.key = std::move(key)});
}

Task<void> VerifyRun::add(std::vector<state::KeyNote> notes) {
  std::size_t bytes = 0;
  for (const state::KeyNote& note : notes) bytes += note.key.size() + note.source.size() + note.target.size();
  AsyncSemaphore::Lease lease = co_await room_.acquire(static_cast<std::int64_t>(bytes));
  const std::lock_guard lock(mutex);
  waiting_.push_back(std::move(lease));
  std::ranges::move(notes, std::back_inserter(pending_.notes));
}

void VerifyRun::note_record() {
  const std::lock_guard lock(mutex);
  shown.record = record;
  record_changed_ = true;
}

bool VerifyRun::notes_wait() const {
  const std::lock_guard lock(mutex);
  return !pending_.notes.empty();
}

bool VerifyRun::take_pending(state::VerifyCommit& commit) {
  const std::lock_guard lock(mutex);
  commit = std::exchange(pending_, {});
  for (auto& [unit, step] : steps_) commit.steps.push_back(std::move(step));
  steps_.clear();
  if (std::exchange(record_changed_, false)) commit.record = to_json(shown.record);
  return !commit.steps.empty() || !commit.notes.empty() || !commit.source_keys.empty() ||
         !commit.target_keys.empty() || commit.record;
}

Task<bool> VerifyRun::commit_pending() {
  const AsyncSemaphore::Lease one = co_await committing_.acquire(1);
  state::VerifyCommit commit;
  std::vector<AsyncSemaphore::Lease> leases;
  {
    const std::lock_guard lock(mutex);
    leases = std::exchange(waiting_, {});
  }
  // Where one is lost, none may follow: a cursor would pass by what was found before it.
  if (failure()) co_return false;
  if (!take_pending(commit)) co_return true;
  const Result<state::NoteCounts> committed = co_await commit_until_taken(commit);
  if (!committed) {
    fail_with(committed.error());
    co_return false;
  }
  show([&](VerifyFigures& figures) {
    figures.notes = *committed;
    for (const state::VerifyCommit::UnitStep& step : commit.steps) {
      const bool forward = units[step.unit].side == state::VerifySide::source;
      (forward ? figures.forward : figures.backward) += step.delta;
      if (step.done) ++figures.units_done;
    }
    const state::Counts counts{.read_items = figures.forward.items + figures.backward.items};
    figures.items_per_s = rates_.add(home.now(), counts).items_per_s;
  });
  co_return true;
}

Task<Result<void>> VerifyRun::begin_phase(VerifyPhase phase, std::vector<state::VerifyUnit> new_units) {
  // No other commit may tell of the phase without its units, or of the former one after it.
  const AsyncSemaphore::Lease one = co_await committing_.acquire(1);
  if (const std::optional<Error> failed = failure()) co_return fail(*failed);
  record.phase = phase;
  state::VerifyCommit commit;
  commit.new_units = std::move(new_units);
  commit.record = to_json(record);
  const Result<state::NoteCounts> committed = co_await commit_until_taken(commit);
  if (!committed) co_return fail(committed.error());
  units.insert(units.end(), commit.new_units.begin(), commit.new_units.end());
  show([this](VerifyFigures& figures) { figures.record = record; });
  co_return Result<void>();
}

Task<Result<state::NoteCounts>> VerifyRun::commit_until_taken(const state::VerifyCommit& commit) {
  for (;;) {
    Result<state::NoteCounts> committed = co_await context.store->commit(commit);
    if (committed || committed.error().kind != ErrorKind::busy) co_return committed;
    // What is not kept is compared again.
    if (halt.requested()) co_return fail(ErrorKind::stopped, "stopped before all that was compared was kept");
    co_await home.sleep_for(kBusyNap, nullptr);
  }
}

Task<void> VerifyRun::commit_by_and_by(Stop* over) {
  const std::shared_ptr<VerifyRun> self = shared_from_this();
  bool well = true;
  MonoTime next = home.now() + options.tuning.commit_period;
  while (well && !over->requested()) {
    co_await home.sleep_for(options.tuning.commit_period, over);
    const MonoTime began = home.now();
    const bool room = room_.free() > kLittleRoom;
    if (began < next && room && !over->requested()) continue;
    well = co_await commit_pending();
    next = home.now() + std::min((home.now() - began) * kCommitTimesApart, kMostBetweenCommits);
  }
  // Nobody waits for room in vain.
  if (!well) room_.set_capacity(INT64_MAX / 2);
}

Task<bool> VerifyRun::flush() {
  const bool well = co_await commit_pending();
  co_return well;
}

// -------------------------------------------------------------------------------------------- units

void VerifyRun::hand_out(state::VerifySide side) {
  std::uint64_t of_side = 0, done = 0;
  const std::lock_guard lock(mutex);
  to_do_.clear();
  for (std::size_t i = 0; i < units.size(); ++i) {
    if (units[i].side != side) continue;
    ++of_side;
    if (units[i].done)
      ++done;
    else
      to_do_.push_back(i);
  }
  shown.units = of_side;
  shown.units_done = done;
}

std::optional<std::size_t> VerifyRun::take_unit() {
  const std::lock_guard lock(mutex);
  if (to_do_.empty()) return std::nullopt;
  const std::size_t unit = to_do_.front();
  to_do_.pop_front();
  return unit;
}

// -------------------------------------------------------------------------------------------- reads

std::optional<Duration> VerifyCharge::ask(MonoTime now, std::optional<double> units) {
  const auto ask_one = [&](ReadCharge& charge) {
    return units ? charge.ask_units(now, *units) : charge.ask(now);
  };
  if (capped_ && !passed_cap_) {
    if (const auto nap = ask_one(cap_)) return nap;
    passed_cap_ = true;
  }
  return ask_one(side_);
}

void VerifyCharge::answered(MonoTime now, bool of_keys, std::size_t items, double units) {
  const auto tell = [&](ReadCharge& charge) {
    if (of_keys)
      charge.answered_units(now, units);
    else
      charge.answered(now, items, units);
  };
  if (capped_) tell(cap_);
  tell(side_);
}

void VerifyCharge::give_up(MonoTime now) {
  if (capped_) cap_.give_up(now);
  side_.give_up(now);
  passed_cap_ = false;
}

Task<bool> may_read(std::shared_ptr<VerifyRun> run, Loop* loop, VerifyCharge* charge,
                    std::optional<double> units) {
  while (!run->halt.requested()) {
    Duration nap = kPausedNap;
    if (!run->paused()) {
      const std::optional<Duration> turn = charge->ask(loop->now(), units);
      if (!turn) co_return true;
      nap = *turn;
    }
    co_await loop->sleep_for(nap, &run->halt);
  }
  charge->give_up(loop->now());
  co_return false;
}

Task<bool> after_failure(std::shared_ptr<VerifyRun> run, Loop* loop, Side side, Retry* retry, Random* random,
                         Error error) {
  Duration pause{};
  if (!retry->again(error, *random, pause)) {
    run->fail_with(std::move(error));
    co_return false;
  }
  ++run->retries;
  if (error.kind == ErrorKind::throttled) {
    ++run->throttles;
    if (error.scope != ThrottleScope::key_range)
      ++(side == Side::source ? run->source_throttles : run->target_throttles);
  }
  run->trouble.note(error, loop->now());
  co_await loop->sleep_for(pause, &run->halt);
  co_return !run->halt.requested();
}

Task<Result<std::vector<endpoints::Unit>>> plan_side(std::shared_ptr<VerifyRun> run, Side side) {
  Lane& lane = run->context.lanes->front();
  endpoints::Scannable* const scan = side == Side::source ? lane.source.scan.get() : lane.target.scan.get();
  const std::optional<VerifyScope::Segment>& segment = run->options.scope.segment;
  endpoints::PlanHints hints;
  hints.segments = segment ? segment->total : run->options.segments;
  hints.lanes = static_cast<std::uint32_t>(run->context.lanes->size() * run->options.units_per_lane);
  auto attempt = [scan, &hints] { return scan->plan(hints); };
  Result<std::vector<endpoints::Unit>> units =
      co_await with_retries<std::vector<endpoints::Unit>>(run->home, &run->halt, run->random, attempt);
  co_return units;
}

Task<Result<endpoints::Page>> read_page(std::shared_ptr<VerifyRun> run, Loop* loop, Side side, Random* random,
                                        ReadOnce read) {
  Retry retry;
  while (!run->halt.requested()) {
    VerifyCharge charge(*run, side);
    const bool granted = co_await may_read(run, loop, &charge, std::nullopt);
    if (!granted) break;
    Result<endpoints::Page> page = co_await read();
    charge.answered(loop->now(), false, page ? page->records.size() : 0, page ? page->cost_rcu : 0);
    if (page) co_return page;
    const bool again = co_await after_failure(run, loop, side, &retry, random, page.error());
    if (!again) break;
  }
  co_return fail(ErrorKind::stopped, "stopped while a page was read");
}

namespace {

endpoints::Lookup* lookup_of(Lane* lane, Side side) {
  return side == Side::source ? lane->source.get.get() : lane->target.get.get();
}

/// Lookups of some keys that go on at once.
struct Lookups {
  std::shared_ptr<VerifyRun> run;
  std::size_t keys = 0, next_key = 0;
  double rcu = 0;
  std::optional<Error> failure = {};
};

Task<void> look_up_batches(std::shared_ptr<Lookups> all, std::size_t slot, std::size_t keys_at_once,
                           const LookUpSome* look_up_some) {
  while (all->next_key < all->keys && !all->failure) {
    const std::size_t first = all->next_key;
    all->next_key = std::min(all->keys, first + keys_at_once);
    const Result<double> rcu = co_await (*look_up_some)(slot, first, all->next_key);
    if (rcu) {
      all->rcu += *rcu;
      continue;
    }
    if (!all->failure) all->failure = rcu.error();
    if (rcu.error().kind != ErrorKind::stopped) all->run->fail_with(rcu.error());
  }
}

}  // namespace

Task<Result<double>> look_up_in_batches(std::shared_ptr<VerifyRun> run, Lane* lane, Side side,
                                        std::size_t keys, LookUpSome look_up_some) {
  const std::size_t keys_at_once = lookup_of(lane, side)->max_keys();
  const bool large = run->answer_bytes[static_cast<std::size_t>(side)] > kLargeAnswer;
  const std::size_t batches_at_once = large ? 1 : kLookupsAtOnce;
  const auto all = std::make_shared<Lookups>(Lookups{.run = run, .keys = keys});
  TaskGroup beside;
  for (std::size_t slot = 1; slot < batches_at_once && slot * keys_at_once < keys; ++slot)
    beside.spawn(lane->loop->executor(), look_up_batches(all, slot, keys_at_once, &look_up_some));
  co_await look_up_batches(all, 0, keys_at_once, &look_up_some);
  co_await beside.wait();
  if (all->failure) co_return fail(*all->failure);
  co_return all->rcu;
}

Task<Result<double>> look_up(std::shared_ptr<VerifyRun> run, Lane* lane, Side side, Random* random,
                             std::span<const std::string_view> keys, TakeItems take) {
  LookUpSome look_up_some = [&](std::size_t, std::size_t first, std::size_t end) {
    return look_up_batch(run, lane, side, random, keys.subspan(first, end - first), take);
  };
  Result<double> rcu = co_await look_up_in_batches(run, lane, side, keys.size(), std::move(look_up_some));
  co_return rcu;
}

Task<Result<double>> look_up_batch(std::shared_ptr<VerifyRun> run, Lane* lane, Side side, Random* random,
                                   std::span<const std::string_view> keys, TakeItems take,
                                   item::ExpectedItems* expected) {
  endpoints::Lookup* const lookup = lookup_of(lane, side);
  Loop* const loop = lane->loop;
  std::vector<std::string> unprocessed;
  std::vector<std::string_view> some;  // those of `unprocessed`
  double rcu = 0;
  Retry retry;
  while (!keys.empty()) {
    VerifyCharge charge(*run, side);
    const bool granted = co_await may_read(run, loop, &charge, kRcuPerKey * static_cast<double>(keys.size()));
    if (!granted) co_return fail(ErrorKind::stopped, "stopped while keys were looked up");
    Result<endpoints::LookupPage> page = co_await lookup->get(keys, expected);
    charge.answered(loop->now(), true, 0, page ? page->cost_rcu : 0);
    Error error{ErrorKind::throttled, "keys of a lookup were left unprocessed"};
    if (page) {
      rcu += page->cost_rcu;
      run->answer_bytes[static_cast<std::size_t>(side)] = page->bytes.size();
      unprocessed.assign(page->unprocessed_keys.begin(), page->unprocessed_keys.end());
      const Result<void> taken = take(page->items);
      lookup->recycle(std::move(*page));
      if (!taken) co_return fail(taken.error());
      if (unprocessed.size() < keys.size()) retry = Retry();
      some.assign(unprocessed.begin(), unprocessed.end());
      keys = some;
      if (keys.empty()) break;
    } else {
      error = page.error();
    }
    const bool goes_on = co_await after_failure(run, loop, side, &retry, random, error);
    if (!goes_on) co_return fail(ErrorKind::stopped, "stopped while keys were looked up");
  }
  co_return rcu;
}

}  // namespace messina::jobs
