// Writing one page: in batches, each until every record of it is acknowledged or known to be refused.
//
// A batch that was answered with "refused" is halved until the record at fault is alone; that one becomes a
// reject. An unknown outcome on an unstamped target keeps its batch in flight for more than D + S (PROTOCOL
// rule 1), while the page's other batches and other units go on.
//
// A batch that is refused because two of its items share a key loses the second of them to the rejects.
//
// Answers of 500 may be an item's fault: see jobs/blame.h.
#include <algorithm>
#include <numeric>
#include <span>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "jobs/blame.h"
#include "jobs/copy_run.h"
#include "pace/backoff.h"

namespace messina::jobs {

namespace {

using pace::SpeedHolder;

/// A wait of "more than" a time ends this much later.
constexpr Duration kMore = std::chrono::milliseconds(1);
/// How often a writer that the ledger holds back looks again.
constexpr Duration kLedgerPause = std::chrono::milliseconds(20);
/// How often a paused writer looks whether it may go on.
constexpr Duration kPausedNap = std::chrono::milliseconds(100);
/// "A page unfinished for longer than 60 s is dropped and read again" (PROTOCOL rule 12).
constexpr Duration kLongestPage = std::chrono::seconds(60);
/// DynamoDB charges writes by the KB of each item (Developer Guide, "Capacity unit consumption").
constexpr std::size_t kBytesPerWcu = 1024;

struct PageWrite {
  std::shared_ptr<CopyRun> run;
  std::shared_ptr<UnitWork> work;
  const endpoints::Page* page = nullptr;
  endpoints::WriteCaps caps;
  std::string renamed;                         ///< the transformed records, one behind the other
  std::vector<std::string_view> transformed;   ///< parts of it
  std::span<const std::string_view> outgoing;  ///< what is sent for each record
  std::vector<std::uint32_t> records;          ///< to be sent: indexes into `outgoing`
  std::size_t next = 0;                        ///< of `records`, the first that is in no batch yet
  TaskGroup writers;
  bool successor_waits = false;  ///< a writer without a batch waits for a permit
  PageOutcome outcome;
  bool abandoned = false;
  /// Later it is given up for a fresh one, so that one slow page does not hold the changes back.
  std::optional<MonoTime> stale_at;

  Loop& loop() { return *work->lane->loop; }
  bool stale() const { return stale_at && work->lane->loop->now() > *stale_at; }
  bool more() const { return next < records.size(); }
  void reject(std::uint32_t record, const Error& error) {
    state::Reject reject;
    reject.unit = work->unit.id;
    reject.reason = error.message;
    reject.code = error.code;
    reject.item = std::string(page->records[record]);
    // By it an applier settles it, also one that comes after this copy.
    const Result<item::Key> key = item::find_key(reject.item, run->source_key);
    if (key) reject.key = item::key_bytes(*key);
    reject.at_unix_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(loop().wall().time_since_epoch()).count();
    outcome.rejects.push_back(std::move(reject));
    outcome.rejected_records.push_back(record);
  }
};

struct Batch {
  std::vector<std::uint32_t> records;  ///< indexes into the page's
  Blame blame = {};

  bool alone() const { return records.size() == 1; }
};

/// A permit to send now; an empty lease if nothing may be sent any more. A halted job still sends what it has
/// not tried yet, so as to end at a page boundary, but it waits for nothing any more.
Task<Permits::Permit> permission(PageWrite& page, bool tried_before) {
  CopyRun& run = *page.run;
  Loop& loop = page.loop();
  for (;;) {
    const bool halted = run.halt.requested();
    if (run.failed() || (halted && tried_before) || page.stale()) break;
    const MonoTime now = loop.now();
    const bool ledger_late = !page.caps.stamped && now > run.may_send_until();
    if ((ledger_late || page.work->paused_until > now) && halted) break;
    if (run.paused && !halted) {
      co_await loop.sleep_for(kPausedNap, &run.halt);
      continue;
    }
    if (ledger_late) {
      co_await loop.sleep_for(kLedgerPause, &run.halt);
      continue;
    }
    if (page.work->paused_until > now) {
      const Waits::Guard waiting(run.waits, SpeedHolder::hot_partition);
      co_await loop.sleep_until(page.work->paused_until, &run.halt);
      continue;
    }
    const Waits::Guard waiting(run.waits, SpeedHolder::target_latency);
    Permits::Permit permit = co_await run.permits.acquire(1);
    // The wait for it may have been long.
    if (run.failed() || page.stale() || (run.paused && !run.halt.requested())) continue;
    if (page.caps.stamped || loop.now() <= run.may_send_until()) co_return permit;
  }
  co_return Permits::Permit();
}

/// Whether a permit in hand may be used for another batch at once; else it goes back and permission() waits.
bool may_go_on(const PageWrite& page) {
  const CopyRun& run = *page.run;
  const MonoTime now = page.work->lane->loop->now();
  const bool paused = run.paused && !run.halt.requested();
  return !run.failed() && !paused && !page.stale() && page.work->paused_until <= now &&
         (page.caps.stamped || now <= run.may_send_until());
}

Task<void> write_batches(std::shared_ptr<PageWrite> page, Batch batch, Permits::Permit permit);

void halve(const std::shared_ptr<PageWrite>& page, const Batch& batch) {
  const auto middle = batch.records.begin() + static_cast<std::ptrdiff_t>(batch.records.size() / 2);
  for (int half = 0; half < 2; ++half) {
    Batch part;
    part.records.assign(half == 0 ? batch.records.begin() : middle, half == 0 ? middle : batch.records.end());
    part.blame = batch.blame.of_part(part.alone());
    page->writers.spawn(page->loop().executor(), write_batches(page, std::move(part), Permits::Permit()));
  }
}

/// The answer to a batch that holds a key twice; both servers word it so.
bool names_duplicates(const Error& error) {
  return error.message.find("contains duplicates") != std::string::npos;
}

/// Keeps the first of the items that share a key and rejects the others; false if no two do. ScyllaDB keeps
/// the number keys 1000 and 1E+3 apart and shows both as 1000 (recorded): halved until each is alone, the
/// target would take them all, and keep one.
bool reject_twins(PageWrite& page, Batch& batch, Error error) {
  error.message +=
      " (another item of the source is read with the same key, and was written: this one would replace it)";
  std::unordered_set<std::string> keys;
  std::vector<std::uint32_t> first;
  for (const std::uint32_t record : batch.records) {
    const Result<item::Key> key = item::find_key(page.outgoing[record], page.run->target_key);
    if (key && !keys.insert(item::key_bytes(*key)).second) {
      page.reject(record, error);
    } else {
      first.push_back(record);
    }
  }
  const bool found = first.size() < batch.records.size();
  batch.records = std::move(first);
  return found;
}

Task<void> pause_after(PageWrite& page, const Error& error, Duration pause) {
  CopyRun& run = *page.run;
  UnitWork& work = *page.work;
  ++run.retries;
  run.note_trouble(error, page.loop().now());
  SpeedHolder holder = SpeedHolder::target_latency;
  if (error.kind == ErrorKind::throttled) {
    ++run.throttles;
    holder = SpeedHolder::target_throttling;
    if (error.scope == ThrottleScope::key_range) {
      holder = SpeedHolder::hot_partition;
      run.hot_unit = static_cast<std::int64_t>(work.index);
      work.paused_until = std::max(work.paused_until, page.loop().now() + pause);
    } else {
      ++run.target_throttles;
      run.write_limit.refused(page.loop().now());
    }
  }
  const Waits::Guard waiting(run.waits, holder);
  co_await page.loop().sleep_for(pause, &run.halt);
}

/// PROTOCOL rule 1. False if the job was halted meanwhile: then the outcome stays unknown.
Task<bool> wait_out(PageWrite& page, pace::Backoff& backoff, const Error& error) {
  CopyRun& run = *page.run;
  ++run.retries;
  run.note_trouble(error, page.loop().now());
  if (page.caps.stamped) {
    const Duration pause = backoff.next(error, page.work->random);
    co_await page.loop().sleep_for(pause, &run.halt);
    co_return true;
  }
  if (run.tuning.faults.retry_unknown_at_once) co_return true;
  const MonoTime until = page.loop().now() + run.options.dead_after + run.options.clock_error + kMore;
  ++run.unknown_outcomes;
  {
    const Waits::Guard waiting(run.waits, SpeedHolder::target_latency);
    co_await page.loop().sleep_until(until, &run.halt);
  }
  --run.unknown_outcomes;
  if (page.loop().now() >= until) co_return true;
  run.left_unknown = true;
  co_return false;
}

/// True if the batch is to be sent again (as it is now), false if it is settled, handed on, or given up.
Task<bool> after_failure(std::shared_ptr<PageWrite> page, Batch& batch, pace::Backoff& backoff, Error error) {
  CopyRun& run = *page->run;
  switch (error.kind) {
    case ErrorKind::throttled:
    case ErrorKind::transient:
    case ErrorKind::busy: {
      const Duration pause = backoff.next(error, page->work->random);
      co_await pause_after(*page, error, pause);
      co_return true;
    }
    case ErrorKind::refused:
      if (names_duplicates(error) && reject_twins(*page, batch, error)) co_return true;
      break;
    case ErrorKind::too_large:
      break;
    case ErrorKind::unknown_outcome:
    case ErrorKind::corrupt: {
      Error told = error;
      if (answered_failure(error)) {
        batch.blame.answered_500(error.message, run.acknowledged);
        if (batch.alone() && batch.blame.suspicious()) {
          told.message += fmt::format(" ({} times in a row, to an item of {} sent alone)",
                                      batch.blame.failures(), page->work->unit.id);
        }
      } else {
        batch.blame.not_answered();
      }
      const bool over = co_await wait_out(*page, backoff, told);
      if (!over) {
        page->abandoned = true;
        co_return false;
      }
      if (!batch.blame.proven(batch.alone(), run.acknowledged, run.unsettled_batches)) co_return true;
      break;
    }
    default:
      page->abandoned = true;
      co_await end_by(page->run, *page->work->lane, std::move(error));
      co_return false;
  }
  if (batch.alone() || run.tuning.faults.reject_refused_batches_whole) {
    for (const std::uint32_t record : batch.records) page->reject(record, error);
  } else {
    halve(page, batch);
  }
  co_return false;
}

/// Every writer has a batch in hand, which counts as unsettled.
class Unsettled {
 public:
  explicit Unsettled(CopyRun& run) : run_(run) { ++run_.unsettled_batches; }
  Unsettled(const Unsettled&) = delete;
  Unsettled& operator=(const Unsettled&) = delete;
  ~Unsettled() { --run_.unsettled_batches; }

 private:
  CopyRun& run_;
};

/// What is sent for the batch: a stretch of the page's records as a rule, else gathered in `gathered`.
std::span<const std::string_view> records_of(const PageWrite& page, const Batch& batch,
                                             std::vector<std::string_view>& gathered) {
  const std::vector<std::uint32_t>& records = batch.records;
  const auto gap = std::ranges::adjacent_find(records, [](auto one, auto next) { return next != one + 1; });
  if (gap == records.end() && !records.empty()) return page.outgoing.subspan(records.front(), records.size());
  gathered.clear();
  for (const std::uint32_t record : records) gathered.push_back(page.outgoing[record]);
  return gathered;
}

/// Makes `batch` the longest run of the page's next records that one write may hold; at least one.
void take_next(PageWrite& page, Batch& batch) {
  batch.blame = {};
  const std::span<const std::uint32_t> rest = std::span(page.records).subspan(page.next);
  const std::size_t most = std::min(std::max<std::size_t>(page.caps.max_items, 1), rest.size());
  std::size_t count = 0;
  for (std::size_t bytes = 0; count < most; ++count) {
    bytes += page.outgoing[rest[count]].size();
    if (page.caps.max_bytes != 0 && bytes > page.caps.max_bytes && count > 0) break;
  }
  batch.records.assign(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(count));
  page.next += count;
}

/// Where writes have a budget: charges the batch, after waiting for its turn. A halted job, which ends at a
/// page boundary, waits for nothing.
Task<void> take_write_budget(PageWrite& page, std::span<const std::string_view> records,
                             WriteBudget::Request& request) {
  CopyRun& run = *page.run;
  for (const std::string_view record : records)
    request.units += static_cast<double>((record.size() + kBytesPerWcu - 1) / kBytesPerWcu);
  for (;;) {
    const std::optional<Duration> nap =
        run.write_budget.ask(page.loop().now(), request, run.halt.requested());
    if (!nap) co_return;
    const Waits::Guard waiting(run.waits, SpeedHolder::write_budget);
    co_await page.loop().sleep_for(*nap, &run.halt);
  }
}

/// Starts more writers of the page, as long as it has batches and there are permits that nobody waits for.
void add_writers(const std::shared_ptr<PageWrite>& page) {
  while (page->more() && may_go_on(*page)) {
    Permits::Permit permit;
    if (!page->run->permits.try_acquire(1, permit)) return;
    Batch batch;
    take_next(*page, batch);
    page->writers.spawn(page->loop().executor(), write_batches(page, std::move(batch), std::move(permit)));
  }
}

/// Waits for a permit, then writes what is left of the page.
Task<void> write_rest(std::shared_ptr<PageWrite> page) {
  page->successor_waits = true;
  Permits::Permit permit = co_await permission(*page, false);
  page->successor_waits = false;
  if (!page->more()) co_return;
  if (permit.amount() == 0) {
    page->abandoned = true;
    co_return;
  }
  Batch batch;
  take_next(*page, batch);
  add_writers(page);
  co_await write_batches(page, std::move(batch), std::move(permit));
}

/// Batch after batch with one permit, for as long as all goes well. Before it waits for anything it gives the
/// permit back, and leaves the page's other batches to a successor.
Task<void> write_batches(std::shared_ptr<PageWrite> page, Batch batch, Permits::Permit permit) {
  CopyRun& run = *page->run;
  const Unsettled unsettled(run);
  endpoints::Writable& target = *page->work->lane->target.put;
  pace::Backoff backoff;
  std::vector<std::string_view> gathered;
  bool tried = true;  // a batch that comes without a permit is a part of one that was tried
  for (;;) {
    if (permit.amount() == 0) permit = co_await permission(*page, tried);
    if (permit.amount() == 0) {
      page->abandoned = true;
      co_return;
    }
    const std::span<const std::string_view> to_put = records_of(*page, batch, gathered);
    WriteBudget::Request units;
    if (run.write_budget.limited()) {
      co_await take_write_budget(*page, to_put, units);
      // The wait may have been long.
      if (!run.tuning.faults.send_after_waiting_for_budget && !may_go_on(*page)) {
        run.write_budget.answered(page->loop().now(), units, 0);
        permit.release();
        continue;
      }
    }
    tried = true;
    endpoints::WriteOutcome outcome;
    {
      const Waits::Guard waiting(run.waits, SpeedHolder::target_latency);
      outcome = co_await target.put(to_put);
    }
    page->outcome.wcu += outcome.cost_wcu;
    if (units.charge > 0) {
      const bool told =
          outcome.cost_wcu > 0 || (outcome.error && outcome.error->kind == ErrorKind::throttled);
      run.write_budget.answered(page->loop().now(), units,
                                told ? std::optional(outcome.cost_wcu) : std::nullopt);
    }
    if (!outcome.error) run.write_limit.answered(outcome.latency);
    if (!outcome.error) page->outcome.written += batch.records.size() - outcome.unprocessed.size();
    if (!outcome.error && outcome.unprocessed.empty()) {
      ++run.acknowledged;
      if (!page->more()) co_return;
      take_next(*page, batch);
      backoff.reset();
      if (may_go_on(*page) && !run.write_limit.one_too_many()) {
        add_writers(page);
      } else {
        permit.release();
        tried = false;
      }
      continue;
    }
    permit.release();
    if (page->more() && !page->successor_waits) {
      page->writers.spawn(page->loop().executor(), write_rest(page));
    }
    if (outcome.error) {
      Error error = std::move(*outcome.error);
      const bool again = co_await after_failure(page, batch, backoff, std::move(error));
      if (!again) co_return;
      continue;
    }
    if (outcome.unprocessed.size() < batch.records.size()) backoff.reset();
    std::vector<std::uint32_t> left;
    for (const std::uint32_t at : outcome.unprocessed) left.push_back(batch.records[at]);
    batch.records = std::move(left);
    const Error unprocessed{ErrorKind::throttled, "the target left items of a batch unprocessed"};
    const Duration pause = backoff.next(unprocessed, page->work->random);
    co_await pause_after(*page, unprocessed, pause);
  }
}

/// Renames and drops. Records that cannot be transformed are rejected; the others are to be sent.
void transform_page(PageWrite& page) {
  const std::vector<std::string_view>& records = page.page->records;
  const item::TransformRules& rules = page.run->options.transform;
  if (rules.empty()) {
    page.outgoing = records;
    page.records.resize(records.size());
    std::iota(page.records.begin(), page.records.end(), 0u);
    return;
  }
  page.records.reserve(records.size());
  std::vector<std::size_t> ends(records.size(), 0);
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    const std::size_t before = page.renamed.size();
    const Result<void> done = item::transform_item(records[i], rules, page.renamed);
    if (done) {
      page.records.push_back(i);
    } else {
      page.renamed.resize(before);
      page.reject(i, done.error());
    }
    ends[i] = page.renamed.size();
  }
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    page.transformed.push_back(std::string_view(page.renamed).substr(begin, end - begin));
    begin = end;
  }
  page.outgoing = page.transformed;
}

}  // namespace

Task<PageOutcome> write_page(std::shared_ptr<CopyRun> run, std::shared_ptr<UnitWork> work,
                             const endpoints::Page& received) {
  auto page = std::make_shared<PageWrite>();
  page->run = run;
  page->work = work;
  page->page = &received;
  page->caps = work->lane->target.put->caps();
  if (run->context.companion != nullptr && !run->tuning.faults.no_page_is_stale)
    page->stale_at = received.sent_at + kLongestPage;
  transform_page(*page);
  if (page->more()) co_await write_rest(page);
  co_await page->writers.wait();
  page->outcome.settled = !page->abandoned;
  page->outcome.stale = page->abandoned && page->stale() && !run->halt.requested();
  co_return std::move(page->outcome);
}

}  // namespace messina::jobs
