#include "console/diff_text.h"

#include <algorithm>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"
#include "console/cell_text.h"
#include "console/json_line.h"
#include "console/numbers.h"
#include "console/progress_text.h"
#include "console/verify_text.h"
#include "item/compare.h"
#include "item/difference.h"
#include "item/item_json.h"
#include "jobs/difference_text.h"

namespace messina::console {
namespace {

using item::Difference;
using item::Value;
using state::KeyNote;
using state::Verdict;

constexpr std::size_t kHashDigits = 16;
constexpr std::size_t kLeastColumns = 40;
constexpr std::size_t kGap = 2;  ///< columns between two cells, and those of a row's mark

std::string key_hash(const std::string& key, HmacKey& redaction) {
  return to_hex(redaction.digest(key)).substr(0, kHashDigits);
}

std::string key_text(const std::string& key, HmacKey* redaction) {
  return redaction != nullptr ? "key " + key_hash(key, *redaction) : printable(key);
}

/// Whether the items that the verdict is about are there.
bool items_kept(const KeyNote& note) {
  switch (note.verdict) {
    case Verdict::missing:
      return !note.source.empty();
    case Verdict::extra:
      return !note.target.empty();
    case Verdict::differs:
      return !note.source.empty() && !note.target.empty();
    case Verdict::equal:
    case Verdict::suspect:
    case Verdict::unsettled:
    case Verdict::rejected:
      return false;
  }
  return false;
}

const char* why_no_items(Verdict verdict) {
  if (verdict == Verdict::suspect) return "it is still to be judged";
  if (!state::is_difference(verdict)) return "no items are kept of such a key";
  return "the items were not kept: too much differed; to see them, verify this key alone";
}

struct Row {
  char mark;
  std::string path, source, target;
};

std::string value_text(const Value* value) {
  std::string text;
  if (value != nullptr) item::append_value(text, *value);
  return printable(text);
}

/// Walks both sides down to where they differ. Nesting is bounded by the parser (item::kMaxParsedNesting).
class Rows {
 public:
  void add_items(const item::Item& source, const item::Item& target) {
    for (const std::string& name : names_of(source, target)) {
      const Value *const one = find(source, name), *const other = find(target, name);
      const std::string path = item::member_path("", name);
      if (one != nullptr && other != nullptr && item::equal(*one, *other))
        add(' ', path, one, other);
      else
        add_different(path, one, other);
    }
  }
  std::vector<Row> take() { return std::move(rows_); }

 private:
  static std::set<std::string> names_of(const item::Map& source, const item::Map& target) {
    std::set<std::string> names;
    for (const item::Map* const map : {&source, &target})
      for (const auto& [name, value] : *map) names.insert(name);
    return names;
  }
  static const Value* find(const item::Map& map, const std::string& name) {
    const auto found = map.find(name);
    return found == map.end() ? nullptr : &found->second;
  }
  static const Value* find(const item::List& list, std::size_t index) {
    return index < list.size() ? &list[index] : nullptr;
  }

  void add(char mark, const std::string& path, const Value* source, const Value* target) {
    rows_.push_back({mark, printable(path), value_text(source), value_text(target)});
  }

  /// Null: that side has none.
  void add_different(const std::string& path, const Value* source, const Value* target) {
    if (target == nullptr) return add('-', path, source, target);
    if (source == nullptr) return add('+', path, source, target);
    const auto *const map = std::get_if<item::Map>(&source->data), *const other_map =
                                                                       std::get_if<item::Map>(&target->data);
    const auto *const list = std::get_if<item::List>(&source->data), *const other_list =
                                                                         std::get_if<item::List>(
                                                                             &target->data);
    std::uint64_t equal = 0;
    if (map != nullptr && other_map != nullptr) {
      for (const std::string& name : names_of(*map, *other_map))
        equal += add_member(item::member_path(path, name), find(*map, name), find(*other_map, name));
    } else if (list != nullptr && other_list != nullptr) {
      for (std::size_t i = 0; i < std::max(list->size(), other_list->size()); ++i)
        equal += add_member(item::member_path(path, i), find(*list, i), find(*other_list, i));
    } else {
      add('~', path, source, target);
    }
    const std::string text = fmt::format("({} equal)", grouped(equal));
    if (equal > 0) rows_.push_back({' ', printable(path), text, text});
  }

  /// 1: it is equal, and has no row.
  std::uint64_t add_member(const std::string& path, const Value* source, const Value* target) {
    if (source != nullptr && target != nullptr && item::equal(*source, *target)) return 1;
    add_different(path, source, target);
    return 0;
  }

  std::vector<Row> rows_;
};

std::vector<Row> rows_of_items(const KeyNote& note) {
  const auto parsed = [](const std::string& raw) {
    return raw.empty() ? Result<item::Item>(item::Item()) : item::parse_item(raw);
  };
  const Result<item::Item> source = parsed(note.source), target = parsed(note.target);
  if (!source || !target) return {{'~', "(no item)", printable(note.source), printable(note.target)}};
  Rows rows;
  rows.add_items(*source, *target);
  return rows.take();
}

char mark_of(Difference::Kind kind) {
  switch (kind) {
    case Difference::Kind::missing:
      return '-';
    case Difference::Kind::extra:
      return '+';
    case Difference::Kind::type:
    case Difference::Kind::value:
      break;
  }
  return '~';
}

std::size_t widest(const std::vector<Row>& rows, std::string Row::* cell) {
  std::size_t most = 0;
  for (const Row& row : rows) most = std::max(most, columns(row.*cell));
  return most;
}

/// Shares `room` between two cells of which one may need less than its half.
std::pair<std::size_t, std::size_t> widths(std::size_t one, std::size_t other, std::size_t room) {
  if (one + other <= room) return {one, other};
  const std::size_t half = room / 2;
  if (one <= half) return {one, room - one};
  if (other <= half) return {room - other, other};
  return {half, half};
}

/// From which column on two cells are shown, so that the place where they differ is to be seen.
std::size_t first_column(const Row& row, std::size_t source_width, std::size_t target_width) {
  if (columns(row.source) <= source_width && columns(row.target) <= target_width) return 0;
  const std::size_t width = std::min(source_width, target_width);
  const std::size_t alike = row.mark == '~' ? columns_alike(row.source, row.target) : 0;
  return alike < width - width / 4 ? 0 : alike - width / 3;
}

std::string table_of(std::vector<Row> rows, std::size_t room) {
  rows.insert(rows.begin(), {' ', "attribute", "source", "target"});
  const std::size_t path_width = std::min(widest(rows, &Row::path), room / 3);
  const auto [source_width, target_width] =
      widths(widest(rows, &Row::source), widest(rows, &Row::target), room - path_width - 3 * kGap);
  std::string text;
  for (const Row& row : rows) {
    const std::size_t from = first_column(row, source_width, target_width);
    const std::size_t path = columns(row.path);
    // The end of a path says more than its beginning.
    std::string line = fmt::format(
        "{} {}  {}  {}", row.mark,
        padded(clipped(row.path, path_width, path > path_width ? path - path_width : 0), path_width),
        padded(clipped(row.source, source_width, from), source_width),
        clipped(row.target, target_width, from));
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

/// A JSON value that was read from a server, within a line.
std::string value_in_line(const std::string& json) {
  if (json.empty()) return "null";
  std::string line = valid_utf8(json);
  // Inside of strings JSON has neither.
  std::ranges::replace(line, '\n', ' ');
  std::ranges::replace(line, '\r', ' ');
  return line;
}

}  // namespace

std::string diff_line(const KeyNote& note, HmacKey* redaction) {
  const std::string cause = note.cause.empty() ? "" : "  " + printable(note.cause);
  return fmt::format("{:<9}  {}{}\n", state::to_string(note.verdict), key_text(note.key, redaction), cause);
}

std::string diff_groups_text(const std::vector<state::NoteGroup>& groups, HmacKey* redaction) {
  const std::span<const state::NoteGroup> told = first_groups(groups, kMostGroupsListed);
  std::size_t width = 0;
  for (const state::NoteGroup& group : told) width = std::max(width, counted(group.keys, "item").size());
  std::string text;
  for (const state::NoteGroup& group : told)
    text += fmt::format("{:>{}}: {}, such as {}\n", counted(group.keys, "item"), width, group_text(group),
                        key_text(group.first_key, redaction));
  if (const std::string more = more_groups_text(groups, kMostGroupsListed); !more.empty())
    text += more + "\n";
  return text;
}

std::string diff_item_text(const KeyNote& note, std::size_t columns) {
  std::string text = diff_line(note);
  if (const auto judged = time_text(note.judged_unix_ms)) text += fmt::format("judged {}\n", *judged);
  if (items_kept(note)) return text + table_of(rows_of_items(note), std::max(columns, kLeastColumns));
  text += fmt::format("{}\n", why_no_items(note.verdict));
  const auto places = jobs::places_of(note.places.empty() ? "[]" : note.places);
  if (!places) return text;
  for (const Difference& place : *places)
    text += fmt::format("{} {}\n", mark_of(place.kind),
                        place.path.empty() ? "the item as a whole" : printable(place.path));
  return text;
}

std::string diff_event(WallTime time, const KeyNote& note, HmacKey* redaction) {
  const bool redacted = redaction != nullptr;
  return JsonLine("difference", time)
      .raw("key", redacted ? "null" : value_in_line(note.key))
      .optional("key_hash", redacted ? std::optional(key_hash(note.key, *redaction)) : std::nullopt)
      .text("verdict", state::to_string(note.verdict))
      .text("cause", note.cause)
      .raw("places", note.places.empty() ? "[]" : note.places)
      .optional("judged_at", time_text(note.judged_unix_ms))
      .raw("source", redacted ? "null" : value_in_line(note.source))
      .raw("target", redacted ? "null" : value_in_line(note.target))
      .str();
}

std::vector<IndexDifference> index_differences(const jobs::VerifyRecord& record) {
  std::vector<IndexDifference> differences;
  for (const jobs::IndexFindings& index : record.indexes) {
    for (const std::string& key : index.missing_keys) differences.push_back({index.name, true, key});
    for (const std::string& key : index.extra_keys) differences.push_back({index.name, false, key});
  }
  return differences;
}

std::string index_difference_line(const IndexDifference& difference, HmacKey* redaction) {
  return fmt::format("index {}: {}  {}\n", printable(difference.index),
                     difference.missing ? "lacks" : "too many", key_text(difference.key, redaction));
}

std::string index_difference_event(WallTime time, const IndexDifference& difference, HmacKey* redaction) {
  const bool redacted = redaction != nullptr;
  return JsonLine("index_difference", time)
      .text("index", difference.index)
      .text("what", difference.missing ? "missing" : "extra")
      .raw("key", redacted ? "null" : value_in_line(difference.key))
      .optional("key_hash", redacted ? std::optional(key_hash(difference.key, *redaction)) : std::nullopt)
      .str();
}

}  // namespace messina::console
