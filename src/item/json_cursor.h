// JSON (RFC 8259) token by token, for the room's own use: one grammar (skip_value) over any cursor, and the
// cursor that works on plain bytes. Bytes of 0x80 and above pass unchecked inside strings, because ScyllaDB
// takes invalid UTF-8.
#pragma once
#include <string>
#include <string_view>

namespace messina::item {

/// Levels of objects and arrays. ScyllaDB refuses more than 78, DynamoDB's 32 levels of L and M make 65.
inline constexpr int kMaxJsonDepth = 600;

/// Passes over the true, false, null or number that begins at `at`; nullptr if there is none.
const char* skip_json_scalar(const char* at, const char* end);

/// Passes over the escape whose backslash is at `at`; nullptr if it is none. Surrogates need not come in
/// pairs.
const char* skip_json_escape(const char* at, const char* end);

/// Where the run of a string that stands for itself ends: at a quotation mark, a backslash, a control
/// character or `end`.
const char* skip_unescaped(const char* at, const char* end);

/// Appends what the inside of a JSON string stands for. The escapes must be well-formed
/// (ByteCursor::skip_string sees to that). A \u escape of half a surrogate pair becomes the three bytes that
/// UTF-8 would have for it if it were allowed; false if there was one.
bool unescape_json(std::string_view raw, std::string& out);

/// Whether the inside of a JSON string stands for `text`.
bool json_string_is(std::string_view raw, std::string_view text);

/// Walks over bytes. After a take has returned false, position() is where the text went wrong.
class ByteCursor {
 public:
  explicit ByteCursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  /// The first byte of the next token, '\0' at the end of the text.
  char peek() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
    return at_ == end_ ? '\0' : *at_;
  }
  /// Where the next token begins.
  const char* position() {
    peek();
    return at_;
  }
  /// Behind the token that was passed over last.
  const char* last_end() const { return at_; }
  bool at_end() { return position() == end_; }
  /// Passes over a token of one byte, if it is the next.
  bool take(char c) {
    if (at_end() || *at_ != c) return false;
    ++at_;
    return true;
  }
  /// Passes over a string. `inside` gets what stands between the quotes.
  bool take_string(std::string_view& inside);
  bool skip_string() {
    std::string_view unused;
    return take_string(unused);
  }
  /// Passes over true, false, null or a number. `text` gets it.
  bool take_scalar(std::string_view& text);
  /// What follows the last token.
  std::string_view rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }
  /// Passes over `bytes` of it, which are whole tokens.
  void skip(std::size_t bytes) { at_ += bytes; }

 private:
  const char* at_;
  const char* end_;
};

/// Passes over one value of any kind. `depth` counts the levels around it.
template <class Cursor>
bool skip_value(Cursor& cursor, int depth = 0) {
  std::string_view unused;
  switch (cursor.peek()) {
    case '"':
      return cursor.take_string(unused);
    case '{':
      if (depth == kMaxJsonDepth) return false;
      cursor.take('{');
      if (cursor.take('}')) return true;
      do {
        if (!cursor.skip_string() || !cursor.take(':') || !skip_value(cursor, depth + 1)) return false;
      } while (cursor.take(','));
      return cursor.take('}');
    case '[':
      if (depth == kMaxJsonDepth) return false;
      cursor.take('[');
      if (cursor.take(']')) return true;
      do {
        if (!skip_value(cursor, depth + 1)) return false;
      } while (cursor.take(','));
      return cursor.take(']');
    default:
      return cursor.take_scalar(unused);
  }
}

/// Passes over an object and calls `member(name)` for each of its members, `name` being the inside of the
/// JSON string. `member` must pass over the value; false from it ends the walk with false. Anything but an
/// object gives false.
template <class Cursor, class Member>
bool walk_object(Cursor& cursor, Member&& member) {
  if (!cursor.take('{')) return false;
  if (cursor.take('}')) return true;
  do {
    std::string_view name;
    if (!cursor.take_string(name) || !cursor.take(':') || !member(name)) return false;
  } while (cursor.take(','));
  return cursor.take('}');
}

}  // namespace messina::item
