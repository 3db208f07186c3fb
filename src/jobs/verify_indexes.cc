// The target's indexes, held against its items (verify.h). Nothing is read of the source: its items are
// compared by the passes, and what an index holds follows from the items.
#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "item/key_digest.h"
#include "item/transform.h"
#include "jobs/index_entries.h"
#include "jobs/verify_run.h"

namespace messina::jobs {

namespace {

using Shared = std::shared_ptr<VerifyRun>;

/// An index is written some time after the item: between the item's reading and the index's, and between two
/// rounds, which must agree.
constexpr Duration kIndexLag = std::chrono::seconds(5);
constexpr int kMostRounds = 6;
/// Entries of buckets that differ which are in memory at once, and how often so many are read; those beyond
/// count as unsettled.
constexpr std::uint64_t kListedAtOnce = 1u << 18;
constexpr int kMostListings = 8;
constexpr std::size_t kMostSuspects = 100'000;

/// What looks at a page's records. Each worker has its own, on its own thread.
using LookAtPage = std::function<Result<void>(std::span<const std::string_view>)>;
using MakeLook = std::function<LookAtPage()>;

struct Reading {
  Shared run;
  endpoints::Projection projection;
  MakeLook make_look;

  std::mutex mutex;
  std::deque<endpoints::Unit> units;
  std::optional<Error> failure;
  double rcu = 0;

  std::optional<endpoints::Unit> take_unit() {
    const std::lock_guard lock(mutex);
    if (units.empty() || failure) return std::nullopt;
    endpoints::Unit unit = std::move(units.front());
    units.pop_front();
    return unit;
  }
  void fail_with(Error error) {
    const std::lock_guard lock(mutex);
    if (!failure) failure = std::move(error);
  }
  /// True if a page more is of use.
  bool add_cost(double cost_rcu) {
    const std::lock_guard lock(mutex);
    rcu += cost_rcu;
    return !failure;
  }
};

Task<void> read_some(std::shared_ptr<Reading> reading, Lane* lane, Random random) {
  const LookAtPage look = reading->make_look();
  const Shared& run = reading->run;
  while (const std::optional<endpoints::Unit> unit = reading->take_unit()) {
    endpoints::Cursor cursor;
    for (bool end = false; !end;) {
      const AsyncSemaphore::Lease lease = co_await run->memory.acquire(run->page_lease);
      ReadOnce once = [&] { return lane->target.scan->read_projected(*unit, cursor, reading->projection); };
      Result<endpoints::Page> page =
          co_await read_page(run, lane->loop, Side::target, &random, std::move(once));
      const Result<void> looked = page ? look(page->records) : Result<void>(fail(page.error()));
      if (!looked) {
        reading->fail_with(looked.error());
        co_return;
      }
      end = !reading->add_cost(page->cost_rcu) || page->end;
      cursor = std::move(page->next);
      lane->target.scan->recycle(std::move(*page));
    }
  }
}

/// Reads the target, or one of its indexes, once from end to end over all lanes.
Task<Result<void>> scan(Shared run, endpoints::Projection projection, MakeLook make_look) {
  Result<std::vector<endpoints::Unit>> units = co_await plan_side(run, Side::target);
  if (!units) co_return fail(units.error());
  const auto reading = std::make_shared<Reading>();
  reading->run = run;
  reading->projection = std::move(projection);
  reading->make_look = std::move(make_look);
  reading->units.assign(units->begin(), units->end());
  TaskGroup workers;
  for (Lane& lane : *run->context.lanes) {
    for (std::uint32_t i = 0; i < run->options.units_per_lane; ++i)
      workers.spawn(lane.loop->executor(), read_some(reading, &lane, run->random.fork()));
  }
  co_await workers.wait();
  run->record.judging_target_rcu += reading->rcu;
  run->note_record();
  if (reading->failure) co_return fail(*reading->failure);
  co_return Result<void>();
}

/// One of the target's indexes.
struct Index {
  item::KeySchema table;
  endpoints::Index index;
  KeyedHash::Key secret{};
  int bucket_bits = 0;

  std::shared_ptr<IndexEntries> entries() const {
    return std::make_shared<IndexEntries>(table, index.key, secret);
  }
  endpoints::Projection of_items() const { return {"", attributes_of(table, index.key)}; }
  endpoints::Projection of_entries() const { return {index.name, attributes_of(table, index.key)}; }
};
using SharedIndex = std::shared_ptr<const Index>;

/// Calls `see` for each entry of a page that is in the index, or is to be.
template <class See>
Result<void> for_each_entry(IndexEntries& entries, std::span<const std::string_view> records, See see) {
  for (const std::string_view raw : records) {
    const Result<IndexEntries::Entry> entry = entries.read(raw);
    if (!entry) return fail(entry.error());
    if (entry->hash) see(*entry);
  }
  return {};
}

struct Sums {
  explicit Sums(int bucket_bits) : digest(bucket_bits) {}
  std::mutex mutex;
  item::KeyDigest digest;
};

Task<Result<void>> add_up(Shared run, SharedIndex index, endpoints::Projection projection, Sums* sums) {
  MakeLook adds = [index, sums] {
    return [entries = index->entries(), sums](std::span<const std::string_view> records) -> Result<void> {
      std::vector<Uint128> hashes;
      Result<void> read = for_each_entry(
          *entries, records, [&](const IndexEntries::Entry& entry) { hashes.push_back(*entry.hash); });
      const std::lock_guard lock(sums->mutex);
      sums->digest.add(hashes);
      return read;
    };
  };
  Result<void> done = co_await scan(run, std::move(projection), std::move(adds));
  co_return done;
}

// ------------------------------------------------------------------------------------ buckets that differ

/// Keys by item::key_bytes(), and how the target writes them.
using Keys = std::map<std::string, std::string, std::less<>>;

/// Entries of some buckets.
struct Listing {
  std::vector<bool> buckets;
  std::mutex mutex;
  struct Held {
    std::string key_bytes, key;
  };
  std::map<Uint128, Held> held;  ///< by the index, and not yet found among the items
  Keys suspects;
};

Task<Result<void>> list(Shared run, SharedIndex index, endpoints::Projection projection, Listing* listing) {
  const bool of_index = !projection.index.empty();
  MakeLook lists = [index, listing, of_index] {
    return [entries = index->entries(), index, listing, of_index](std::span<const std::string_view> records) {
      return for_each_entry(*entries, records, [&](const IndexEntries::Entry& entry) {
        if (!listing->buckets[item::bucket_of(*entry.hash, index->bucket_bits)]) return;
        const std::lock_guard lock(listing->mutex);
        if (of_index)
          listing->held[*entry.hash] = {std::string(entry.key_bytes), std::string(entry.key)};
        else if (listing->held.erase(*entry.hash) == 0)
          listing->suspects.emplace(entry.key_bytes, entry.key);
      });
    };
  };
  Result<void> done = co_await scan(run, std::move(projection), std::move(lists));
  co_return done;
}

/// Keys whose entry the items and the index disagree on. What is too much to be listed is added to `left`.
Task<Result<Keys>> find_suspects(Shared run, SharedIndex index, const Sums* items, const Sums* entries,
                                 std::uint64_t* left) {
  const auto of_items = items->digest.buckets(), of_index = entries->digest.buckets();
  Keys suspects;
  std::size_t next = 0;
  for (int listings = 0; next < of_items.size(); ++listings) {
    Listing listing;
    listing.buckets.resize(of_items.size());
    std::uint64_t listed = 0;
    for (; next < of_items.size() && listed < kListedAtOnce; ++next) {
      if (of_items[next] == of_index[next]) continue;
      listing.buckets[next] = true;
      listed += std::max(of_items[next].keys, of_index[next].keys);
    }
    if (listed == 0) continue;
    if (listings >= kMostListings || suspects.size() >= kMostSuspects) {
      *left += listed;
      continue;
    }
    Result<void> done = co_await list(run, index, index->of_entries(), &listing);
    if (done) done = co_await list(run, index, index->of_items(), &listing);
    if (!done) co_return fail(done.error());
    suspects.merge(listing.suspects);
    for (auto& [hash, held] : listing.held) suspects.emplace(std::move(held.key_bytes), std::move(held.key));
  }
  co_return suspects;
}

// ------------------------------------------------------------------------------------ judging

struct Suspect {
  std::string key;
  IndexPlace place;
  std::optional<IndexPlace> last;  ///< what the round before saw, if it was settled
};
using Suspects = std::map<std::string, Suspect, std::less<>>;

Task<Result<void>> read_items(Shared run, SharedIndex index, Suspects* suspects,
                              std::optional<Uint128> IndexPlace::* into) {
  std::vector<std::string_view> keys;
  for (auto& [bytes, suspect] : *suspects) {
    (suspect.place.*into).reset();
    keys.push_back(suspect.key);
  }
  const std::shared_ptr<IndexEntries> entries = index->entries();
  TakeItems take = [&](std::span<const std::string_view> items) {
    return for_each_entry(*entries, items, [&](const IndexEntries::Entry& entry) {
      const auto found = suspects->find(entry.key_bytes);
      if (found != suspects->end()) found->second.place.*into = entry.hash;
    });
  };
  Lane* const lane = &run->context.lanes->front();
  const Result<double> rcu = co_await look_up(run, lane, Side::target, &run->random, keys, std::move(take));
  if (!rcu) co_return fail(rcu.error());
  run->record.judging_target_rcu += *rcu;
  co_return Result<void>();
}

Task<Result<void>> read_entries(Shared run, SharedIndex index, Suspects* suspects) {
  for (auto& [bytes, suspect] : *suspects) suspect.place.held.clear();
  const auto mutex = std::make_shared<std::mutex>();
  MakeLook looks = [index, suspects, mutex] {
    return [entries = index->entries(), suspects, mutex](std::span<const std::string_view> records) {
      return for_each_entry(*entries, records, [&](const IndexEntries::Entry& entry) {
        const auto found = suspects->find(entry.key_bytes);
        if (found == suspects->end()) return;
        const std::lock_guard lock(*mutex);
        std::vector<Uint128>& held = found->second.place.held;
        // An index that is written to may show an entry on two pages.
        if (std::ranges::find(held, *entry.hash) == held.end()) held.push_back(*entry.hash);
      });
    };
  };
  Result<void> done = co_await scan(run, index->of_entries(), std::move(looks));
  for (auto& [bytes, suspect] : *suspects) std::ranges::sort(suspect.place.held);
  co_return done;
}

void note_difference(const Suspect& suspect, IndexFindings& findings) {
  const auto add = [&](std::vector<std::string>& keys) {
    if (keys.size() < IndexFindings::kMostExamples) keys.push_back(suspect.key);
  };
  if (suspect.place.lacks()) {
    ++findings.missing;
    add(findings.missing_keys);
  }
  if (const std::size_t extra = suspect.place.extra(); extra > 0) {
    findings.extra += extra;
    add(findings.extra_keys);
  }
}

/// Those that are judged leave `suspects`.
Task<Result<void>> judge_round(Shared run, SharedIndex index, Suspects* suspects, IndexFindings* findings) {
  Result<void> read = co_await read_items(run, index, suspects, &IndexPlace::wanted);
  if (!read) co_return read;
  co_await run->home.sleep_for(kIndexLag, &run->halt);
  read = co_await read_entries(run, index, suspects);
  if (!read) co_return read;
  read = co_await read_items(run, index, suspects, &IndexPlace::after);
  if (!read) co_return read;
  for (auto each = suspects->begin(); each != suspects->end();) {
    Suspect& suspect = each->second;
    const IndexPlace& place = suspect.place;
    const bool well = place.settled() && !place.lacks() && place.extra() == 0;
    const bool again = place.settled() && suspect.last == place;
    if (!well && again) note_difference(suspect, *findings);
    if (well || again) {
      each = suspects->erase(each);
      continue;
    }
    suspect.last.reset();
    if (place.settled()) suspect.last = place;
    ++each;
  }
  co_return Result<void>();
}

Task<Result<IndexFindings>> verify_index(Shared run, SharedIndex index) {
  IndexFindings findings{.name = index->index.name};
  Sums items(index->bucket_bits), entries(index->bucket_bits);
  Result<void> done = co_await add_up(run, index, index->of_items(), &items);
  if (done) done = co_await add_up(run, index, index->of_entries(), &entries);
  if (!done) co_return fail(done.error());
  findings.entries = entries.digest.keys();
  Result<Keys> keys = co_await find_suspects(run, index, &items, &entries, &findings.unsettled);
  if (!keys) co_return fail(keys.error());
  Suspects suspects;
  for (const auto& [bytes, key] : *keys)
    suspects.emplace(bytes, Suspect{.key = key, .place = {}, .last = {}});
  for (int rounds = 0; !suspects.empty() && rounds < kMostRounds; ++rounds) {
    done = co_await judge_round(run, index, &suspects, &findings);
    if (!done) co_return fail(done.error());
    if (run->halt.requested()) co_return fail(ErrorKind::stopped, "stopped while indexes were judged");
  }
  findings.unsettled += suspects.size();
  co_return findings;
}

Task<Result<endpoints::TableDescription>> describe(Shared run, Side side) {
  Lane& lane = run->context.lanes->front();
  endpoints::Catalog* const catalog =
      side == Side::source ? lane.source.catalog.get() : lane.target.catalog.get();
  auto attempt = [catalog] { return catalog->describe(nullptr); };
  Result<endpoints::TableDescription> description =
      co_await with_retries<endpoints::TableDescription>(run->home, &run->halt, run->random, attempt);
  co_return description;
}

/// Whether the target's index is what the source's becomes. ScyllaDB may show the table's own key behind an
/// index's.
bool same_key(const item::KeySchema& target, const item::KeySchema& wanted, const item::KeySchema& table) {
  if (target.partition != wanted.partition) return false;
  if (wanted.sort || !target.sort) return target.sort == wanted.sort;
  return *target.sort == table.partition || target.sort == table.sort;
}

bool has_index(const VerifyRun& run, const std::vector<endpoints::Index>& indexes,
               const endpoints::Index& of_source) {
  const auto found = std::ranges::find(indexes, of_source.name, &endpoints::Index::name);
  const item::KeySchema wanted = item::transform_schema(of_source.key, run.options.transform);
  return found != indexes.end() && same_key(found->key, wanted, run.sides.target_key);
}

std::string text_of(const endpoints::Index& index) {
  std::string text = index.name + " (" + index.key.partition.name;
  if (index.key.sort) text += ", " + index.key.sort->name;
  return text + ")";
}

/// By the keys that were counted: the source's own count is hours old.
int bucket_bits(const VerifyRecord& record) {
  const std::uint64_t keys = std::max(record.source_keys, record.target_keys);
  return keys > 0 ? item::bucket_bits_for(keys) : record.bucket_bits;
}

}  // namespace

Task<Result<void>> verify_indexes(Shared run) {
  const Result<endpoints::TableDescription> source = co_await describe(run, Side::source);
  if (!source) co_return fail(source.error());
  const Result<endpoints::TableDescription> target = co_await describe(run, Side::target);
  if (!target) co_return fail(target.error());
  std::vector<IndexFindings>& findings = run->record.indexes;
  const auto done_before = [&](const std::string& name) {
    return std::ranges::find(findings, name, &IndexFindings::name) != findings.end();
  };
  std::erase_if(findings, [](const IndexFindings& each) { return each.absent; });
  for (const endpoints::Index& index : source->indexes) {
    if (!has_index(*run, target->indexes, index))
      findings.push_back({.name = text_of(index), .absent = true});
  }
  for (const endpoints::Index& index : target->indexes) {
    if (done_before(index.name)) continue;
    const auto shared = std::make_shared<const Index>(
        Index{run->sides.target_key, index, run->record.secret, bucket_bits(run->record)});
    Result<IndexFindings> found = co_await verify_index(run, shared);
    if (!found) co_return fail(found.error());
    findings.push_back(std::move(*found));
    run->note_record();
    const bool flushed = co_await run->flush();
    if (!flushed) co_return fail(ErrorKind::stopped, "stopped before what was found was kept");
  }
  run->note_record();
  co_return Result<void>();
}

}  // namespace messina::jobs
