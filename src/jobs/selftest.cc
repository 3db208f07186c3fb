#include "jobs/selftest.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "item/compare.h"
#include "item/item_json.h"
#include "item/key.h"
#include "jobs/retry.h"

namespace messina::jobs {

namespace {

using endpoints::Cursor;
using endpoints::Endpoint;
using endpoints::PlanHints;
using endpoints::TableDescription;
using endpoints::TableStatus;
using endpoints::Unit;
using endpoints::WriteOutcome;
using item::Type;
using State = SelftestCheck::State;

constexpr Duration kPoll = std::chrono::milliseconds(250);
/// Attempts at a write that the server puts off.
constexpr int kWriteAttempts = 10;
/// More than any server takes in one batch.
constexpr std::size_t kTooManyDynamoDb = 26, kTooManyAlternator = 101;

struct Verdict {
  State state = State::passed;
  std::string why = {};
};
Verdict failed(std::string why) { return {State::failed, std::move(why)}; }
Verdict failed(std::string_view what, const Error& error) {
  return failed(fmt::format("{}: {}", what, error.message));
}
Verdict skipped(std::string why) { return {State::skipped, std::move(why)}; }

struct Suite {
  SelftestContext& context;
  const SelftestOptions& options;
  TableDescription wanted;
  bool created = false;
  std::string id = {};                             ///< of the table that was made
  std::map<std::string, std::string> stored = {};  ///< what the table must hold, by the key's bytes

  Loop& loop() { return *context.loop; }
  Endpoint& table() { return *context.table; }
  std::string key_of(std::string_view item) const {
    const Result<item::Key> key = item::find_key(item, wanted.key);
    return key ? item::key_bytes(*key) : std::string();
  }
};

std::string make_item(int number, std::string_view rest = R"("x":{"S":"y"})") {
  return fmt::format(R"({{"p":{{"S":"p{}"}},"c":{{"N":"{}"}},{}}})", number % 7, number, rest);
}

std::string large_item(int number) {
  return make_item(number, R"("blob":{"S":")" + std::string(10'000, 'x') + "\"}");
}

Task<WriteOutcome> put_once(Suite* suite, const std::vector<std::string>* items) {
  const std::vector<std::string_view> records(items->begin(), items->end());
  const std::span<const std::string_view> all(records);
  WriteOutcome outcome = co_await suite->table().put->put(all);
  co_return outcome;
}

/// In batches as the endpoint cuts them; remembers what is stored.
Task<Result<void>> put_all(Suite* suite, const std::vector<std::string>* items) {
  std::vector<std::string> left = *items;
  pace::Backoff backoff;
  int attempts = 0;
  while (!left.empty()) {
    const std::size_t most = std::max<std::size_t>(suite->table().put->caps().max_items, 1);
    std::vector<std::string> batch(left.begin(),
                                   left.begin() + static_cast<std::ptrdiff_t>(std::min(most, left.size())));
    WriteOutcome outcome = co_await put_once(suite, &batch);
    std::vector<std::string> back;
    if (outcome.error && !outcome.error->retryable()) co_return fail(*outcome.error);
    if (outcome.error) {
      back = batch;
    } else {
      for (const std::uint32_t at : outcome.unprocessed) back.push_back(batch[at]);
    }
    for (const std::string& item : batch) suite->stored[suite->key_of(item)] = item;
    left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(batch.size()));
    if (back.empty()) {
      attempts = 0;
      continue;
    }
    left.insert(left.begin(), back.begin(), back.end());
    const Error put_off =
        outcome.error ? *outcome.error : Error{ErrorKind::throttled, "items were left unprocessed"};
    if (++attempts == kWriteAttempts) co_return fail(put_off);
    const Duration pause = backoff.next(put_off, suite->context.random);
    co_await suite->loop().sleep_for(pause, suite->context.stop);
    if (suite->context.stop->requested()) co_return fail(ErrorKind::stopped, "stopped");
  }
  co_return Result<void>();
}

Task<Result<endpoints::Page>> read_page(Suite* suite, Endpoint* table, const Unit* unit,
                                        const Cursor* cursor) {
  auto attempt = [table, unit, cursor] { return table->scan->read(*unit, *cursor); };
  Result<endpoints::Page> page = co_await with_retries<endpoints::Page>(
      suite->loop(), suite->context.stop, suite->context.random, std::move(attempt));
  co_return page;
}

struct Scanned {
  std::map<std::string, std::string> items;  ///< by the key's bytes
  std::size_t pages = 0;
  bool repeated = false;
};

Task<Result<Scanned>> scan_all(Suite* suite, std::uint32_t segments) {
  PlanHints hints;
  hints.segments = segments;
  const Result<std::vector<Unit>> units = co_await suite->table().scan->plan(hints);
  if (!units) co_return fail(units.error());
  Scanned scanned;
  for (const Unit& unit : *units) {
    Cursor cursor;
    for (bool end = false; !end;) {
      const Result<endpoints::Page> page = co_await read_page(suite, &suite->table(), &unit, &cursor);
      if (!page) co_return fail(page.error());
      for (const std::string_view record : page->records)
        scanned.repeated |= !scanned.items.emplace(suite->key_of(record), record).second;
      ++scanned.pages;
      cursor = page->next;
      end = page->end;
    }
  }
  co_return scanned;
}

/// Whether the table holds what was put, and nothing else.
Task<Verdict> compare_all(Suite* suite, std::uint32_t segments, std::size_t least_pages) {
  const Result<Scanned> scanned = co_await scan_all(suite, segments);
  if (!scanned) co_return failed("Scan", scanned.error());
  if (scanned->repeated) co_return failed("an item came twice");
  if (scanned->items.size() != suite->stored.size()) {
    co_return failed(fmt::format("{} items were read in {} segments, {} were written", scanned->items.size(),
                                 segments, suite->stored.size()));
  }
  for (const auto& [key, original] : suite->stored) {
    const auto found = scanned->items.find(key);
    if (found == scanned->items.end()) co_return failed("an item is missing: " + original.substr(0, 60));
    const auto here = item::parse_item(original), there = item::parse_item(found->second);
    if (!here || !there || !item::equal(*here, *there)) {
      co_return failed(
          fmt::format("written {}, read {}", original.substr(0, 200), found->second.substr(0, 200)));
    }
  }
  if (scanned->pages < least_pages) {
    co_return failed(fmt::format("{} pages were expected at least, {} came", least_pages, scanned->pages));
  }
  co_return Verdict{};
}

// ---------------------------------------------------------------------------------------------- the checks

Task<Verdict> missing_table_is_not_found(Suite* suite) {
  const Result<TableDescription> described = co_await suite->table().catalog->describe(nullptr);
  if (described) co_return failed("the table is there before it was made");
  if (described.error().kind != ErrorKind::not_found) co_return failed("DescribeTable", described.error());
  const Unit unit{"segment 0/1", R"({"v":1,"segment":0,"total":1})"};
  const Cursor start;
  const Result<endpoints::Page> page = co_await suite->table().scan->read(unit, start);
  if (page || page.error().kind != ErrorKind::not_found) co_return failed("Scan does not say so");
  const std::vector<std::string> items = {make_item(1)};
  const WriteOutcome outcome = co_await put_once(suite, &items);
  if (!outcome.error || outcome.error->kind != ErrorKind::not_found)
    co_return failed("BatchWriteItem does not say so");
  co_return Verdict{};
}

Task<Verdict> table_is_made(Suite* suite) {
  const Result<void> made = co_await suite->table().catalog->create(suite->wanted);
  if (!made) co_return failed("CreateTable", made.error());
  suite->created = true;
  const MonoTime give_up = suite->loop().now() + suite->options.wait_for_table;
  for (;;) {
    const Result<TableDescription> now = co_await suite->table().catalog->describe(nullptr);
    if (now && now->status == TableStatus::active) {
      suite->id = now->id;
      co_return Verdict{};
    }
    const bool coming = now || now.error().kind == ErrorKind::not_found || now.error().retryable();
    if (!coming) co_return failed("DescribeTable", now.error());
    if (suite->loop().now() >= give_up) co_return failed("it does not become active");
    co_await suite->loop().sleep_for(kPoll, suite->context.stop);
    if (suite->context.stop->requested()) co_return failed("stopped");
  }
}

Task<Verdict> description_comes_back(Suite* suite) {
  const Result<TableDescription> actual = co_await suite->table().catalog->describe(nullptr);
  if (!actual) co_return failed("DescribeTable", actual.error());
  if (actual->name != suite->wanted.name) co_return failed("another name");
  if (actual->key != suite->wanted.key) co_return failed("another key schema");
  if (!actual->on_demand) co_return failed("it is not on demand");
  if (actual->arn.empty()) co_return failed("it has no ARN");
  if (actual->id.empty()) co_return failed("it has no id: a table made again could not be told from it");
  co_return Verdict{};
}

Task<Verdict> indexes_come_back(Suite* suite) {
  const Result<TableDescription> actual = co_await suite->table().catalog->describe(nullptr);
  if (!actual) co_return failed("DescribeTable", actual.error());
  for (const endpoints::Index& original : suite->wanted.indexes) {
    const auto index = std::ranges::find(actual->indexes, original.name, &endpoints::Index::name);
    if (index == actual->indexes.end()) co_return failed("there is no index " + original.name);
    // ScyllaDB lists the table's own key among a global index's.
    const bool same = suite->options.alternator && index->global
                          ? index->key.partition == original.key.partition
                          : index->key == original.key;
    if (!same || index->global != original.global)
      co_return failed("another key schema or kind of index " + original.name);
  }
  co_return Verdict{};
}

Task<Verdict> tags_come_back(Suite* suite) {
  const Result<TableDescription> actual = co_await suite->table().catalog->describe(nullptr);
  if (!actual) co_return failed("DescribeTable", actual.error());
  for (const auto& [name, value] : suite->wanted.tags) {
    const auto tag = actual->tags.find(name);
    if (tag == actual->tags.end()) co_return failed("there is no tag " + name);
    if (tag->second != value) co_return failed("another value of the tag " + name);
  }
  co_return Verdict{};
}

Task<Verdict> making_it_twice_says_exists(Suite* suite) {
  const Result<void> twice = co_await suite->table().catalog->create(suite->wanted);
  if (twice) co_return failed("it was made twice");
  if (twice.error().kind != ErrorKind::exists) co_return failed("CreateTable", twice.error());
  co_return Verdict{};
}

Task<Verdict> empty_until_something_is_put(Suite* suite) {
  const Result<bool> before = co_await suite->table().catalog->empty();
  if (!before || !*before) co_return failed("a new table is not empty");
  const std::vector<std::string> items = {make_item(1)};
  const Result<void> put = co_await put_all(suite, &items);
  if (!put) co_return failed("BatchWriteItem", put.error());
  const Result<bool> after = co_await suite->table().catalog->empty();
  if (!after || *after) co_return failed("a table with an item is empty");
  co_return Verdict{};
}

Task<Verdict> all_types_come_back_equal(Suite* suite) {
  const std::vector<std::string> items = {
      make_item(1, R"("s":{"S":""},"b":{"B":"AAEC/w=="},"yes":{"BOOL":true},"nil":{"NULL":true})"),
      make_item(
          2,
          R"("n":{"N":"12345678901234567890123456789012345678"},"m":{"N":"-0.5"},"e":{"N":"1E-130"},"z":{"N":"0"})"),
      make_item(3, R"("ss":{"SS":["a","b"]},"ns":{"NS":["1","2.5"]},"bs":{"BS":["AA==","AQ=="]})"),
      make_item(4, R"("l":{"L":[{"S":"x"},{"L":[]},{"M":{}}]},"m":{"M":{"k":{"M":{"k":{"N":"1"}}}}})"),
      make_item(5, "\"\xC3\xA9\\u00e8\":{\"S\":\"\\ud83d\\ude80 \\\"quoted\\\" \xE2\x82\xAC\"}"),
      make_item(
          6,
          R"("Items":{"L":[{"S":"Count"}]},"LastEvaluatedKey":{"M":{"p":{"S":"no"}}},"UnprocessedItems":{"M":{}})"),
  };
  const Result<void> put = co_await put_all(suite, &items);
  if (!put) co_return failed("BatchWriteItem", put.error());
  Verdict verdict = co_await compare_all(suite, 1, 1);
  co_return verdict;
}

Task<Verdict> bad_items_are_refused(Suite* suite) {
  for (const char* bad : {R"("bad":{"SS":[]})", R"("bad":{"N":"seven"})", R"("bad":{"Q":"?"})"}) {
    const std::vector<std::string> items = {make_item(1), make_item(2, bad)};
    const WriteOutcome outcome = co_await put_once(suite, &items);
    if (!outcome.error) co_return failed(fmt::format("{} was taken", bad));
    if (outcome.error->kind != ErrorKind::refused) co_return failed(bad, *outcome.error);
    if (outcome.error->message.find("seven") != std::string::npos)
      co_return failed("the message shows an item's value");
  }
  const std::vector<std::string> good = {make_item(1), make_item(3)};
  const Result<void> put = co_await put_all(suite, &good);
  co_return put ? Verdict{} : failed("good items after bad ones", put.error());
}

Task<Verdict> refused(Suite* suite, std::vector<std::string> items, ErrorKind kind) {
  const WriteOutcome outcome = co_await put_once(suite, &items);
  if (!outcome.error) co_return failed("it was taken");
  if (outcome.error->kind != kind) {
    co_return failed(fmt::format("{} was expected: {}", to_string(kind), outcome.error->message));
  }
  co_return Verdict{};
}

Task<Verdict> key_of_wrong_type_is_refused(Suite* suite) {
  std::vector<std::string> items = {R"({"p":{"N":"1"},"c":{"N":"1"}})"};
  return refused(suite, std::move(items), ErrorKind::refused);
}

Task<Verdict> same_key_twice_is_refused(Suite* suite) {
  std::vector<std::string> items = {make_item(1), make_item(1)};
  return refused(suite, std::move(items), ErrorKind::refused);
}

Task<Verdict> item_over_400_kb_is_refused(Suite* suite) {
  if (suite->options.alternator) co_return skipped("Alternator takes larger items");
  std::vector<std::string> items = {
      make_item(1, R"("blob":{"S":")" + std::string(item::kMaxItemBytes + 1, 'x') + "\"}")};
  Verdict verdict = co_await refused(suite, std::move(items), ErrorKind::too_large);
  co_return verdict;
}

/// ScyllaDB before 2025.2 takes batches of any size.
Task<Verdict> large_batch_is_refused_or_taken(Suite* suite) {
  std::vector<std::string> items;
  const std::size_t count = suite->options.alternator ? kTooManyAlternator : kTooManyDynamoDb;
  for (std::size_t i = 0; i < count; ++i) items.push_back(make_item(static_cast<int>(i)));
  const WriteOutcome outcome = co_await put_once(suite, &items);
  if (!outcome.error && !suite->options.alternator) co_return failed("26 items were taken at once");
  if (outcome.error && outcome.error->kind != ErrorKind::too_large)
    co_return failed("BatchWriteItem", *outcome.error);
  const Result<void> put = co_await put_all(suite, &items);
  co_return put ? Verdict{} : failed("smaller batches", put.error());
}

Task<Verdict> segments_cover_the_table_once(Suite* suite) {
  std::vector<std::string> items;
  for (int i = 0; i < 300; ++i) items.push_back(large_item(i));
  const Result<void> put = co_await put_all(suite, &items);
  if (!put) co_return failed("BatchWriteItem", put.error());
  // 3 MB are more than two pages of 1 MB.
  Verdict verdict = co_await compare_all(suite, 1, 3);
  if (verdict.state != State::passed) co_return verdict;
  verdict = co_await compare_all(suite, 3, 3);
  co_return verdict;
}

Task<Verdict> another_client_goes_on_from_a_cursor(Suite* suite) {
  const Unit unit{"segment 0/1", R"({"v":1,"segment":0,"total":1})"};
  std::size_t read = 0;
  Cursor cursor;
  Endpoint* side = suite->context.table;
  for (bool end = false; !end;) {
    const Result<endpoints::Page> page = co_await read_page(suite, side, &unit, &cursor);
    if (!page) co_return failed("Scan", page.error());
    read += page->records.size();
    cursor = page->next;
    end = page->end;
    side = suite->context.again;
  }
  if (read != suite->stored.size())
    co_return failed(fmt::format("{} items were read, {} were written", read, suite->stored.size()));
  co_return Verdict{};
}

/// Only a table that was made here, and is still that one.
Task<Verdict> table_is_gone(Suite* suite) {
  if (!suite->created) co_return skipped("none was made");
  endpoints::Catalog& catalog = *suite->table().catalog;
  const MonoTime give_up = suite->loop().now() + suite->options.wait_for_table;
  const std::string left = fmt::format("delete table \"{}\" by hand", suite->wanted.name.value);
  bool asked = false;
  std::string trouble = "it is still there";
  for (;;) {
    const Result<TableDescription> now = co_await catalog.describe(nullptr);
    if (!now && now.error().kind == ErrorKind::not_found) co_return Verdict{};
    if (now && !suite->id.empty() && now->id != suite->id)
      co_return failed("another table has its name now; it was left alone");
    if (now && !asked && now->status != TableStatus::creating) {
      const Result<void> removed = co_await catalog.remove();
      asked = removed.has_value();
      if (!removed) trouble = removed.error().message;
      if (!removed && !removed.error().retryable()) break;
    }
    if (suite->loop().now() >= give_up) break;
    // Not ended by a stop: what was made is taken away.
    co_await suite->loop().sleep_for(kPoll, nullptr);
  }
  co_return failed(trouble + ": " + left);
}

struct Check {
  std::string_view name;
  Task<Verdict> (*run)(Suite*);
};

constexpr Check kBefore[] = {
    {"a table that is not there is not found", missing_table_is_not_found},
    {"a table is made and becomes active", table_is_made},
};
constexpr Check kChecks[] = {
    {"its name, key, billing and id come back", description_comes_back},
    {"its indexes come back", indexes_come_back},
    {"its tags come back", tags_come_back},
    {"making it twice says that it exists", making_it_twice_says_exists},
    {"it is empty until something is put", empty_until_something_is_put},
    {"items of all types come back equal", all_types_come_back_equal},
    {"a bad item is refused, and good ones can still be put", bad_items_are_refused},
    {"a key of the wrong type is refused", key_of_wrong_type_is_refused},
    {"the same key twice in a batch is refused", same_key_twice_is_refused},
    {"an item over 400 KB is refused", item_over_400_kb_is_refused},
    {"a batch that is too large is refused, smaller ones pass", large_batch_is_refused_or_taken},
    {"segments and pages cover the table exactly once", segments_cover_the_table_once},
    {"another client goes on from a cursor", another_client_goes_on_from_a_cursor},
};
constexpr Check kLast = {"the table is deleted again", table_is_gone};

TableDescription wanted_table(const Endpoint& table, bool alternator) {
  TableDescription wanted;
  wanted.name = table.table;
  wanted.key = {{"p", Type::S}, item::KeyAttribute{"c", Type::N}};
  // No item has these attributes: a value of another type would be refused.
  const item::KeySchema global{{"index_g", Type::S}, std::nullopt};
  const item::KeySchema local{{"p", Type::S}, item::KeyAttribute{"index_l", Type::N}};
  wanted.indexes = {endpoints::Index{"by_g", global, true, "ALL", {}, 0, 0},
                    endpoints::Index{"by_l", local, false, "ALL", {}, 0, 0}};
  wanted.tags = {{"messina", "selftest"}, {"stage", "t\xC3\xA9st"}};
  if (alternator) wanted.tags["system:write_isolation"] = "only_rmw_uses_lwt";
  return wanted;
}

}  // namespace

std::string_view to_string(SelftestCheck::State state) {
  switch (state) {
    case State::passed:
      return "passed";
    case State::failed:
      return "failed";
    case State::skipped:
      return "skipped";
  }
  return "?";
}

std::string selftest_table_name(Random& random) {
  return fmt::format("messina_selftest_{:012x}", random.next() >> 16);
}

Task<std::vector<SelftestCheck>> selftest(SelftestContext& context, const SelftestOptions& options,
                                          const std::function<void(const SelftestCheck&)>& said) {
  Suite suite{context, options, wanted_table(*context.table, options.alternator)};
  std::vector<SelftestCheck> results;
  const auto tell = [&](const Check& check, Verdict verdict) {
    results.push_back({verdict.state, std::string(check.name), std::move(verdict.why)});
    said(results.back());
  };
  bool going = true;
  for (const Check& check : kBefore) {
    if (!going) {
      tell(check, skipped("the one before failed"));
      continue;
    }
    Verdict verdict = co_await check.run(&suite);
    going = verdict.state == State::passed;
    tell(check, std::move(verdict));
  }
  for (const Check& check : kChecks) {
    const bool stopped = context.stop->requested();
    if (!going || stopped) {
      tell(check, skipped(stopped ? "stopped" : "there is no table"));
      continue;
    }
    Verdict verdict = co_await check.run(&suite);
    tell(check, std::move(verdict));
  }
  Verdict gone = co_await kLast.run(&suite);
  tell(kLast, std::move(gone));
  co_return results;
}

}  // namespace messina::jobs
