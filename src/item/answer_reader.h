// What the readers of servers' answers share: an answer is walked once, over an index or bytewise, and the
// first thing that is wrong with it is said. Internal to the room.
#pragma once
#include <charconv>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "item/json_cursor.h"
#include "item/json_index.h"

namespace messina::item {

/// The base of a reader over either cursor. A reader has `bool read()`, which fills its spans, and a static
/// function clear(spans). `depth` counts the levels around a value.
template <class Cursor>
class AnswerReader {
 public:
  explicit AnswerReader(Cursor& cursor) : cursor_(cursor) {}
  /// Why read() gave false; empty if the text is no JSON.
  std::string_view problem() const { return problem_; }

 protected:
  bool wrong(std::string_view why) {
    problem_ = why;
    return false;
  }
  /// For a value of the wrong kind; one that is no JSON either was rather cut.
  bool wrong_value(std::string_view why, int depth) { return skip_value(cursor_, depth) && wrong(why); }

  bool object(std::string_view& span, std::string_view otherwise, int depth) {
    if (cursor_.peek() != '{') return wrong_value(otherwise, depth);
    const char* const first = cursor_.position();
    if (!skip_value(cursor_, depth)) return false;
    span = {first, static_cast<std::size_t>(cursor_.last_end() - first)};
    return true;
  }
  bool text(std::string_view& inside, std::string_view otherwise, int depth) {
    if (cursor_.peek() != '"') return wrong_value(otherwise, depth);
    return cursor_.take_string(inside);
  }
  template <class T>
  bool number(std::optional<T>& out, std::string_view otherwise, int depth) {
    std::string_view text;
    if (!cursor_.take_scalar(text)) return wrong_value(otherwise, depth);
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return wrong(otherwise);
    out = value;
    return true;
  }
  /// Calls `element()`, which must pass over it, for each element of a list.
  template <class Element>
  bool list(std::string_view otherwise, int depth, Element&& element) {
    if (!cursor_.take('[')) return wrong_value(otherwise, depth);
    if (cursor_.take(']')) return true;
    do {
      if (!element()) return false;
    } while (cursor_.take(','));
    return cursor_.take(']');
  }
  /// Adds the raw objects of a list to `spans`.
  template <class Spans>
  bool objects(Spans& spans, std::string_view no_list, std::string_view no_object, int depth) {
    return list(no_list, depth, [&] { return object(spans.emplace_back(), no_object, depth + 1); });
  }
  /// The whole answer: an object with nothing behind it, whose members `member(name)` passes over. null
  /// counts as absent.
  template <class Member>
  bool whole(Member&& member) {
    const bool read = walk_object(cursor_, [&](std::string_view name) {
      return cursor_.peek() == 'n' ? skip_value(cursor_, 1) : member(name);
    });
    return read && cursor_.at_end();
  }

  Cursor& cursor_;

 private:
  std::string_view problem_;
};

/// Reads `body` bytewise. Errors: corrupt.
template <template <class> class Reader, class Spans>
Result<void> read_bytewise(std::string_view body, Spans& spans) {
  ByteCursor cursor(body);
  Reader<ByteCursor> reader(cursor, spans);
  if (reader.read()) return {};
  Reader<ByteCursor>::clear(spans);
  if (!reader.problem().empty()) {
    return fail(ErrorKind::corrupt, fmt::format("the answer {}", reader.problem()));
  }
  return fail(ErrorKind::corrupt, fmt::format("the answer is not JSON, or was cut: byte {} of {}",
                                              cursor.position() - body.data(), body.size()));
}

/// The same over an index, if there can be one. The fast way only ever says yes: in any doubt the slow one
/// decides, and words the error.
template <template <class> class Reader, class Spans>
Result<void> read_indexed(JsonIndex& index, std::string_view body, Spans& spans) {
  if (auto cursor = index.index(body)) {
    if (Reader<IndexCursor>(*cursor, spans).read()) return {};
  }
  return read_bytewise<Reader>(body, spans);
}

}  // namespace messina::item
