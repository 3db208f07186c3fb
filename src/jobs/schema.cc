#include "jobs/schema.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "jobs/retry.h"

namespace messina::jobs {

namespace {

using endpoints::Index;
using endpoints::TableDescription;
using endpoints::TableStatus;
using Level = SchemaNote::Level;

constexpr std::string_view kIsolationTag = "system:write_isolation";
/// How often a table that is being made is looked at: an Alternator's is there at once, AWS takes some
/// seconds.
constexpr Duration kFirstPoll = std::chrono::milliseconds(50), kLastPoll = std::chrono::seconds(1);

/// Tags that belong to AWS, to ScyllaDB or to a migration, and cannot be carried over.
bool reserved_tag(std::string_view name) {
  return name.starts_with("aws:") || name.starts_with("system:") || name.starts_with("messina:");
}

/// `"id" (S), "year" (N)`
std::string key_text(const item::KeySchema& key) {
  std::string text = fmt::format("\"{}\" ({})", key.partition.name, item::to_string(key.partition.type));
  if (key.sort) text += fmt::format(", \"{}\" ({})", key.sort->name, item::to_string(key.sort->type));
  return text;
}

std::string projection_text(const Index& index) {
  std::string text = index.projection;
  if (index.projection == "INCLUDE") text += fmt::format(" ({})", fmt::join(index.projected, ", "));
  return text;
}

bool same_projection(Index a, Index b) {
  std::ranges::sort(a.projected);
  std::ranges::sort(b.projected);
  return a.projection == b.projection && (a.projection != "INCLUDE" || a.projected == b.projected);
}

std::string_view index_word(const Index& index) { return index.global ? "index" : "local index"; }

/// ScyllaDB keeps a global index as a view whose key ends with the table's own, and DescribeTable shows that:
/// an index made with the key `g` is described as `g, p` (recorded from 6.2; 5.2 shows `g`).
bool same_index_key(const Index& wanted, const Index& found, const TableDescription& table,
                    const SchemaOptions& options) {
  if (found.key == wanted.key) return true;
  if (!options.target_is_alternator || !wanted.global || wanted.key.sort || !found.key.sort) return false;
  const bool of_table = *found.key.sort == table.key.partition || found.key.sort == table.key.sort;
  return of_table && found.key.partition == wanted.key.partition;
}

void compare_index(const Index& wanted, const TableDescription& actual, const SchemaOptions& options,
                   std::vector<SchemaNote>& notes) {
  const auto note = [&](std::string text) { notes.push_back({Level::note, std::move(text)}); };
  const std::string name = fmt::format("{} \"{}\"", index_word(wanted), wanted.name);
  const auto found = std::ranges::find(actual.indexes, wanted.name, &Index::name);
  if (found == actual.indexes.end()) {
    note(wanted.global
             ? name + " is missing on the target: queries by it will fail until it is added there"
             : name +
                   " is missing on the target, and a local index cannot be added to a table later: make the "
                   "target's table anew if queries need it");
    return;
  }
  if (found->global != wanted.global) {
    note(fmt::format("{} is a {} on the target", name, index_word(*found)));
  }
  if (!same_index_key(wanted, *found, actual, options)) {
    note(fmt::format("{} has the key {} on the target instead of {}", name, key_text(found->key),
                     key_text(wanted.key)));
  }
  // An Alternator echoes the projection it was asked for, and projects everything all the same.
  if (options.target_is_alternator) {
    if (wanted.projection != "ALL") {
      note(fmt::format("{}: projection {} becomes ALL", name, projection_text(wanted)));
    }
  } else if (!same_projection(*found, wanted)) {
    note(fmt::format("{}: projection {} is {} on the target", name, projection_text(wanted),
                     projection_text(*found)));
  }
}

/// What of the source is not carried at all.
void note_what_stays_behind(const TableDescription& source, std::vector<SchemaNote>& notes) {
  const auto note = [&](std::string text) { notes.push_back({Level::note, std::move(text)}); };
  if (source.ttl_attribute) {
    note(fmt::format(
        "TTL by attribute \"{}\" is recorded, not enabled: the source alone expires items until the "
        "cutover; enable it on the target then",
        *source.ttl_attribute));
  }
  if (source.stream_view_type) {
    note(fmt::format(
        "the source's stream ({}) is not carried over: enable one on the target if something reads it",
        *source.stream_view_type));
  }
}

/// ScyllaDB does not normalise numbers in keys, but renders them normalised (recorded: puts under 1000, 1E+3
/// and 1000.0 make three items, and Scan shows the key 1000 three times).
void note_number_keys(const item::KeySchema& key, std::vector<SchemaNote>& notes) {
  const auto look_at = [&](const item::KeyAttribute& attribute) {
    if (attribute.type != item::Type::N) return;
    notes.push_back(
        {Level::note,
         fmt::format(
             "key attribute \"{}\" is a number: ScyllaDB keeps items written under 1000 and "
             "1E+3 apart but shows both as 1000; of such items only one arrives, and following a table "
             "takes a change of 1E+3 for a deletion",
             attribute.name)});
  };
  look_at(key.partition);
  if (key.sort) look_at(*key.sort);
}

Task<Result<TableDescription>> describe(Loop& loop, endpoints::Catalog* catalog, Stop* stop,
                                        std::vector<std::string>* said) {
  Random random(static_cast<std::uint64_t>(loop.now().time_since_epoch().count()));
  auto attempt = [catalog, said] {
    if (said != nullptr) said->clear();
    return catalog->describe(said);
  };
  Result<TableDescription> found = co_await with_retries<TableDescription>(loop, stop, random, attempt);
  co_return found;
}

Task<Result<void>> create_table(Loop& loop, endpoints::Catalog* catalog, const TableDescription& wanted,
                                Stop* stop) {
  Random random(static_cast<std::uint64_t>(loop.now().time_since_epoch().count()));
  const TableDescription* table = &wanted;
  auto attempt = [catalog, table] { return catalog->create(*table); };
  Result<void> made = co_await with_retries<void>(loop, stop, random, attempt);
  // Made by an attempt whose answer was lost, or by somebody else: the comparison will tell.
  if (!made && made.error().kind == ErrorKind::exists) co_return Result<void>();
  co_return made;
}

/// Waits out CREATING. A table that was just asked for may not be visible yet.
Task<Result<TableDescription>> wait_until_active(Loop& loop, endpoints::Endpoint& target,
                                                 const SchemaOptions& options, Stop* stop) {
  const MonoTime give_up = loop.now() + options.wait_for_active;
  Duration pause = kFirstPoll;
  for (;;) {
    Result<TableDescription> found = co_await describe(loop, target.catalog.get(), stop, nullptr);
    const bool coming =
        found ? found->status == TableStatus::creating : found.error().kind == ErrorKind::not_found;
    if (!coming) co_return found;
    if (loop.now() >= give_up) {
      co_return fail(
          ErrorKind::busy,
          fmt::format("{} is still being created after {} s: wait until it is active and run it again",
                      target.display,
                      std::chrono::duration_cast<std::chrono::seconds>(options.wait_for_active).count()));
    }
    co_await loop.sleep_for(pause, stop);
    pause = std::min(2 * pause, kLastPoll);
    if (stop != nullptr && stop->requested()) {
      co_return fail(ErrorKind::stopped,
                     "stopped while the target's table was being created: run it again to go on");
    }
  }
}

}  // namespace

TableDescription wanted_table(const TableDescription& source, const endpoints::TableName& name,
                              const SchemaOptions& options) {
  TableDescription wanted;
  wanted.name = name;
  wanted.key = item::transform_schema(source.key, options.transform);
  wanted.on_demand = source.on_demand;
  wanted.read_capacity = source.read_capacity;
  wanted.write_capacity = source.write_capacity;
  for (Index index : source.indexes) {
    index.key = item::transform_schema(index.key, options.transform);
    std::vector<std::string> projected;
    for (const std::string& attribute : index.projected) {
      if (options.transform.drops.contains(attribute)) continue;
      const auto renamed = options.transform.renames.find(attribute);
      projected.push_back(renamed == options.transform.renames.end() ? attribute : renamed->second);
    }
    index.projected = std::move(projected);
    wanted.indexes.push_back(std::move(index));
  }
  for (const auto& [key, value] : source.tags) {
    if (!reserved_tag(key)) wanted.tags.emplace(key, value);
  }
  if (options.target_is_alternator) {
    // Copied items are plain puts: without LWT they cost a fraction (facts: write isolation).
    std::string isolation = "only_rmw_uses_lwt";
    const auto chosen_at_source = source.tags.find(std::string(kIsolationTag));
    if (chosen_at_source != source.tags.end()) isolation = chosen_at_source->second;
    if (options.write_isolation) isolation = *options.write_isolation;
    wanted.tags.emplace(kIsolationTag, std::move(isolation));
  }
  return wanted;
}

std::vector<SchemaNote> compare_tables(const TableDescription& wanted, const TableDescription& actual,
                                       const SchemaOptions& options) {
  std::vector<SchemaNote> notes;
  const auto note = [&](std::string text) { notes.push_back({Level::note, std::move(text)}); };
  if (actual.key != wanted.key) {
    notes.push_back(
        {Level::stop, fmt::format("the target's key is {}, it should be {}: choose another target, or "
                                  "rename the source's attributes to fit",
                                  key_text(actual.key), key_text(wanted.key))});
  }
  for (const Index& index : wanted.indexes) compare_index(index, actual, options, notes);
  if (options.target_is_alternator) {
    if (!wanted.on_demand) {
      note(fmt::format("provisioned capacity ({} read, {} write units) has no meaning on the target",
                       wanted.read_capacity, wanted.write_capacity));
    }
  } else if (wanted.on_demand != actual.on_demand) {
    note(fmt::format("billing mode: {} on the source, {} on the target",
                     wanted.on_demand ? "on-demand" : "provisioned",
                     actual.on_demand ? "on-demand" : "provisioned"));
  } else if (!wanted.on_demand && (wanted.read_capacity != actual.read_capacity ||
                                   wanted.write_capacity != actual.write_capacity)) {
    note(fmt::format(
        "provisioned capacity: {} read and {} write units on the source, {} and {} on the target",
        wanted.read_capacity, wanted.write_capacity, actual.read_capacity, actual.write_capacity));
  }
  for (const auto& [key, value] : wanted.tags) {
    const auto found = actual.tags.find(key);
    if (found == actual.tags.end()) {
      note(fmt::format("tag \"{}\" is missing on the target", key));
    } else if (found->second != value) {
      note(fmt::format("tag \"{}\" is \"{}\" on the target instead of \"{}\"", key, found->second, value));
    }
  }
  if (actual.ttl_attribute) {
    note(fmt::format(
        "TTL by attribute \"{}\" is enabled on the target: it expires items by itself; disable it until "
        "the cutover",
        *actual.ttl_attribute));
  }
  return notes;
}

Result<void> check_status(const TableDescription& table, const std::string& display, std::string_view side) {
  switch (table.status) {
    case TableStatus::active:
    case TableStatus::updating:
      return {};
    case TableStatus::creating:
      return fail(ErrorKind::busy, fmt::format("{} is being created: wait until it is active", display));
    case TableStatus::deleting:
      return fail(ErrorKind::needs_person,
                  fmt::format("{} is being deleted: wait for it to go, or choose another {}", display, side));
    case TableStatus::archived:
      return fail(
          ErrorKind::needs_person,
          fmt::format("{} is archived, because its key in AWS KMS was out of reach for over a week: restore "
                      "it from its backup, or choose another {}",
                      display, side));
    case TableStatus::inaccessible_key:
      return fail(
          ErrorKind::needs_person,
          fmt::format("{} cannot reach its encryption key in AWS KMS: enable the key or restore access to it",
                      display));
    case TableStatus::other:
      break;
  }
  return fail(ErrorKind::needs_person,
              fmt::format("{} is in state {}: wait until it is active, or choose another {}", display,
                          table.status_text, side));
}

Task<Result<SchemaReport>> prepare_schema(Loop& loop, endpoints::Endpoint& source,
                                          endpoints::Endpoint& target, const SchemaOptions& options,
                                          Stop* stop) {
  SchemaReport report;
  std::vector<std::string> said;
  Result<TableDescription> from = co_await describe(loop, source.catalog.get(), stop, &said);
  if (!from) co_return fail(from.error());
  const Result<void> readable = check_status(*from, source.display, "source");
  if (!readable) co_return fail(readable.error());
  report.source = std::move(*from);
  for (std::string& text : said) report.notes.push_back({Level::note, std::move(text)});
  note_what_stays_behind(report.source, report.notes);
  if (options.source_is_alternator) note_number_keys(report.source.key, report.notes);
  const TableDescription wanted = wanted_table(report.source, target.table, options);

  Result<TableDescription> to = co_await describe(loop, target.catalog.get(), stop, nullptr);
  if (!to && to.error().kind != ErrorKind::not_found) co_return fail(to.error());
  if (!to && !options.create) {
    report.notes.push_back({Level::note, target.display + " does not exist: `messina schema` creates it"});
    co_return report;
  }
  if (!to) {
    if (stop != nullptr && stop->requested()) {
      co_return fail(ErrorKind::stopped,
                     "stopped before the target's table was created: run it again to go on");
    }
    TableDescription to_make = wanted;
    if (options.own_tags) {
      Task<Result<std::map<std::string, std::string>>> asking = options.own_tags();
      Result<std::map<std::string, std::string>> tags = co_await std::move(asking);
      if (!tags) co_return fail(tags.error());
      for (auto& [key, value] : *tags) to_make.tags.insert_or_assign(key, std::move(value));
    }
    const Result<void> made = co_await create_table(loop, target.catalog.get(), to_make, stop);
    if (!made) co_return fail(made.error());
    report.created = true;
  }
  if (!to || to->status == TableStatus::creating) {
    to = co_await wait_until_active(loop, target, options, stop);
    if (!to) co_return fail(to.error());
  }
  const Result<void> writable = check_status(*to, target.display, "target");
  if (!writable) co_return fail(writable.error());
  report.target = std::move(*to);
  std::vector<SchemaNote> differing = compare_tables(wanted, *report.target, options);
  for (SchemaNote& note : differing) {
    if (note.level == Level::stop) {
      co_return fail(ErrorKind::needs_person, fmt::format("{}: {}", target.display, note.text));
    }
    report.notes.push_back(std::move(note));
  }
  co_return report;
}

}  // namespace messina::jobs
