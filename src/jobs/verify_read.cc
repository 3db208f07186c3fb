// Pages of either side: the source's are compared, the target's keys are added up, or looked up in the source
// where a bucket of them differs.
#include <utility>

#include <fmt/format.h>

#include "jobs/verify_run.h"

namespace messina::jobs {

namespace {

using state::VerifySide;

/// What a page takes beside its bytes: what the other side answers about it, and keys.
constexpr std::int64_t kTimesPage = 3;

/// One worker: a unit after the other, its pages read one ahead.
struct Worker {
  Worker(std::shared_ptr<VerifyRun> of, Lane* on, VerifySide reads)
      : run(std::move(of)),
        lane(on),
        side(reads),
        comparison(run->sides, KeySample(run->options.scope), run->record.secret),
        batches(kLookupsAtOnce, PageComparison::Batch(comparison)),
        target_keys(run->sides.target_key, run->sides.source_key),
        source_keys(run->sides.source_key),
        sample(run->options.scope),
        hash(run->record.secret) {}

  endpoints::Scannable& scan() const {
    return side == VerifySide::source ? *lane->source.scan : *lane->target.scan;
  }
  Side scanned() const { return side == VerifySide::source ? Side::source : Side::target; }

  const std::shared_ptr<VerifyRun> run;
  Lane* const lane;
  const VerifySide side;
  PageComparison comparison;
  std::vector<PageComparison::Batch> batches;  ///< one for each lookup at work
  /// Of the target's items, by the source's names; and of the source's.
  const item::KeyReader target_keys, source_keys;
  KeySample sample;
  KeyedHash hash;
  std::vector<Uint128> hashes;  ///< of the page's keys on the target, where its digest is made
  Random random{0};
  endpoints::Unit unit;
};

struct Ahead {
  TaskGroup reading;
  std::optional<endpoints::Page> page;
  AsyncSemaphore::Lease lease;
};

Task<void> read(std::shared_ptr<Worker> worker, std::shared_ptr<Ahead> ahead, endpoints::Cursor cursor) {
  const std::shared_ptr<VerifyRun>& run = worker->run;
  ahead->lease = co_await run->memory.acquire(run->page_lease);
  ReadOnce once = [&worker, &cursor] {
    const bool keys = worker->side != VerifySide::source;
    return keys ? worker->scan().read_keys(worker->unit, cursor) : worker->scan().read(worker->unit, cursor);
  };
  Result<endpoints::Page> page =
      co_await read_page(run, worker->lane->loop, worker->scanned(), &worker->random, std::move(once));
  if (!page) co_return;
  const auto bytes = static_cast<std::int64_t>(page->bytes.size()) * kTimesPage;
  ahead->lease.adjust(bytes);
  run->page_lease = std::max(run->page_lease.load() - run->page_lease.load() / 64, bytes);
  ahead->page = std::move(*page);
}

std::shared_ptr<Ahead> read_ahead(const std::shared_ptr<Worker>& worker, endpoints::Cursor cursor) {
  auto ahead = std::make_shared<Ahead>();
  ahead->reading.spawn(worker->lane->loop->executor(), read(worker, ahead, std::move(cursor)));
  return ahead;
}

/// What came of a page.
struct PageFindings {
  std::vector<std::string> suspects;
  state::VerifyCounts counts;
};

Task<Result<double>> look_up_batch_of_page(std::shared_ptr<Worker> worker, PageComparison::Batch* batch) {
  TakeItems take = [batch](std::span<const std::string_view> items) { return batch->answered(items); };
  Result<double> rcu = co_await look_up_batch(worker->run, worker->lane, Side::target, &worker->random,
                                              batch->keys(), std::move(take), batch);
  co_return rcu;
}

Task<Result<void>> compare(std::shared_ptr<Worker> worker, const endpoints::Page* page,
                           PageFindings* findings) {
  PageComparison& comparison = worker->comparison;
  Result<void> begun = comparison.begin(page->records);
  if (!begun) co_return begun;
  LookUpSome look_up_some = [worker](std::size_t slot, std::size_t first, std::size_t end) {
    PageComparison::Batch& batch = worker->batches[slot];
    batch.begin(first, end);
    return look_up_batch_of_page(worker, &batch);
  };
  const Result<double> rcu = co_await look_up_in_batches(worker->run, worker->lane, Side::target,
                                                         comparison.size(), std::move(look_up_some));
  if (!rcu) co_return fail(rcu.error());
  Result<std::vector<std::string>> suspects = comparison.suspects();
  if (!suspects) co_return fail(suspects.error());
  findings->suspects = std::move(*suspects);
  findings->counts.items = comparison.size();
  findings->counts.target_rcu = *rcu;
  co_return Result<void>();
}

std::unexpected<Error> no_key(std::string_view side, const Error& error) {
  return fail(ErrorKind::corrupt, fmt::format("an item of the {} has no key: {}", side, error.message));
}

Result<void> add_up(Worker& worker, const endpoints::Page& page, PageFindings& findings) {
  std::string bytes;
  worker.hashes.clear();
  for (const std::string_view raw : page.records) {
    bytes.clear();
    const Result<void> key = worker.target_keys.append(raw, nullptr, &bytes);
    if (!key) return no_key("target", key.error());
    if (!worker.sample.has(bytes)) continue;
    worker.hashes.push_back(worker.hash(bytes));
  }
  findings.counts.items = worker.hashes.size();
  return {};
}

/// Keys of the page that are in a listed bucket: by their bytes, what they are called at the source.
Result<std::map<std::string, std::string>> listed_keys(Worker& worker, const endpoints::Page& page) {
  const VerifyRun& run = *worker.run;
  std::map<std::string, std::string> keys;
  for (const std::string_view raw : page.records) {
    std::string text, bytes;
    const Result<void> key = worker.target_keys.append(raw, &text, &bytes);
    if (!key) return no_key("target", key.error());
    if (!worker.sample.has(bytes)) continue;
    const std::uint32_t bucket = item::bucket_of(worker.hash(bytes), run.record.bucket_bits);
    if (run.listed.empty() || run.listed[bucket]) keys.emplace(std::move(bytes), std::move(text));
  }
  return keys;
}

Task<Result<void>> list(std::shared_ptr<Worker> worker, const endpoints::Page* page, PageFindings* findings) {
  auto listed = listed_keys(*worker, *page);
  if (!listed) co_return fail(listed.error());
  findings->counts.items = listed->size();
  std::vector<std::string_view> keys;
  for (const auto& [bytes, text] : *listed) keys.push_back(text);
  std::set<std::string> present;
  TakeItems take = [&present, &worker](std::span<const std::string_view> items) -> Result<void> {
    for (const std::string_view item : items) {
      std::string bytes;
      const Result<void> key = worker->source_keys.append(item, nullptr, &bytes);
      if (!key) return no_key("source", key.error());
      present.insert(std::move(bytes));
    }
    return {};
  };
  const Result<double> rcu =
      co_await look_up(worker->run, worker->lane, Side::source, &worker->random, keys, std::move(take));
  if (!rcu) co_return fail(rcu.error());
  findings->counts.source_rcu = *rcu;
  for (auto& [bytes, text] : *listed)
    if (!present.contains(bytes)) findings->suspects.push_back(std::move(text));
  co_return Result<void>();
}

Task<Result<PageFindings>> look_at(std::shared_ptr<Worker> worker, const endpoints::Page* page) {
  PageFindings findings;
  Result<void> looked;
  if (worker->side == VerifySide::source)
    looked = co_await compare(worker, page, &findings);
  else if (worker->side == VerifySide::bucket)
    looked = co_await list(worker, page, &findings);
  else
    looked = add_up(*worker, *page, findings);
  if (!looked) co_return fail(looked.error());
  findings.counts.pages = 1;
  findings.counts.bytes = page->bytes.size();
  (worker->side == VerifySide::source ? findings.counts.source_rcu : findings.counts.target_rcu) +=
      page->cost_rcu;
  co_return findings;
}

Task<void> read_unit(std::shared_ptr<Worker> worker, std::size_t index) {
  const std::shared_ptr<VerifyRun>& run = worker->run;
  worker->unit = {.id = run->units[index].id, .spec = run->units[index].spec};
  std::shared_ptr<Ahead> ahead = read_ahead(worker, endpoints::Cursor{run->units[index].cursor});
  while (ahead) {
    co_await ahead->reading.wait();
    if (!ahead->page) co_return;
    const std::shared_ptr<Ahead> here = std::exchange(ahead, nullptr);
    const endpoints::Page* const page = &*here->page;
    if (!page->end && !run->halt.requested()) ahead = read_ahead(worker, page->next);
    Result<PageFindings> findings = co_await look_at(worker, page);
    if (!findings) {
      if (findings.error().kind != ErrorKind::stopped) run->fail_with(findings.error());
      break;
    }
    state::VerifyCommit::UnitStep step{.unit = index,
                                       .cursor = page->end ? std::string() : page->next.bytes,
                                       .done = page->end,
                                       .delta = findings->counts};
    worker->scan().recycle(std::move(*here->page));
    const std::vector<Uint128>& keys =
        worker->side == VerifySide::source ? worker->comparison.hashes() : worker->hashes;
    co_await run->add(std::move(step), keys, std::move(findings->suspects));
  }
  if (ahead) co_await ahead->reading.wait();
}

}  // namespace

Task<void> read_units(std::shared_ptr<VerifyRun> run, Lane* lane, Random random, VerifySide side) {
  const auto worker = std::make_shared<Worker>(run, lane, side);
  worker->random = random;
  while (!run->halt.requested()) {
    const std::optional<std::size_t> unit = run->take_unit();
    if (!unit) co_return;
    co_await read_unit(worker, *unit);
  }
}

}  // namespace messina::jobs
