// The tokens of a JSON text, found at the speed of memory by simdjson's first stage: what the splitters of
// pages walk over.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "item/json_cursor.h"

namespace messina::item {

/// The largest answer that is indexed. Beyond it the index (4 bytes for each byte of the answer) would weigh
/// more than the time is worth: pages of 1 MB of items stay below this but for rare ones, which go bytewise.
inline constexpr std::size_t kMaxIndexedPageBytes = 4 * 1024 * 1024;

/// Walks over the tokens of an indexed text (every bracket, colon and comma, and the first byte of every
/// string and scalar), with ByteCursor's interface. The index has checked UTF-8, escapes, that strings end,
/// and that they hold no control characters; the grammar is for the walker (skip_value). We walk the index
/// ourselves, and do not use simdjson's On-Demand objects, because their raw_json() counts brackets only: it
/// would pass `{"a":]` on as an item.
class IndexCursor {
 public:
  IndexCursor(std::string_view text, const std::uint32_t* tokens, std::uint32_t count)
      : text_(text.data()), end_(text.data() + text.size()), token_(tokens), last_(tokens + count) {}

  char peek() const { return at_end() ? '\0' : *position(); }
  const char* position() const { return at_end() ? end_ : text_ + *token_; }
  /// Behind the bracket that was passed over last.
  const char* last_end() const { return text_ + token_[-1] + 1; }
  bool at_end() const { return token_ == last_; }
  bool take(char c) {
    if (at_end() || text_[*token_] != c) return false;
    ++token_;
    return true;
  }
  bool skip_string() { return take('"'); }
  bool take_string(std::string_view& inside) {
    const char* const first = position() + 1;
    if (!skip_string()) return false;
    const char* quote = position() - 1;  // nothing but white space lies between a string and the next token
    while (*quote != '"') --quote;
    inside = {first, static_cast<std::size_t>(quote - first)};
    return true;
  }
  bool take_scalar(std::string_view& text) {
    const char* const first = position();
    const char* const after = skip_json_scalar(first, end_);
    if (after == nullptr) return false;
    ++token_;
    // What clings to the scalar has no place in the index.
    if (!std::all_of(after, position(),
                     [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; })) {
      return false;
    }
    text = {first, static_cast<std::size_t>(after - first)};
    return true;
  }

 private:
  const char* text_;
  const char* end_;
  const std::uint32_t* token_;
  const std::uint32_t* last_;
};

/// Holds the index's memory between calls: keep one per event loop. Not thread-safe.
class JsonIndex {
 public:
  JsonIndex();
  ~JsonIndex();

  /// A cursor over `body`, which needs kSlabPadding readable bytes behind it. It is valid until the next
  /// call. nullopt if the text is too long, no UTF-8, or otherwise in doubt: then a ByteCursor decides.
  std::optional<IndexCursor> index(std::string_view body);

 private:
  struct Stage;
  std::unique_ptr<Stage> stage_;
};

}  // namespace messina::item
