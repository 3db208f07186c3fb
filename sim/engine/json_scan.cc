#include "sim/engine/json_scan.h"

#include <cstdint>
#include <cstring>

#include "base/json_text.h"

namespace messina::sim {
namespace {

constexpr int kDeepestWalk = 10'000;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// Skips values and reports where they end. Iterative, so that depth costs no stack.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  std::size_t position() const { return at_; }
  void seek(std::size_t at) { at_ = at; }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool at_end() const { return at_ >= text_.size(); }
  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool take(char c) {
    if (peek() != c || at_end()) return false;
    ++at_;
    return true;
  }

  /// The text between the quotes.
  std::optional<std::string_view> string() {
    if (!take('"')) return std::nullopt;
    const std::size_t begin = at_;
    while (at_ < text_.size()) {
      skip_plain();
      if (at_ == text_.size()) return std::nullopt;
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return text_.substr(begin, at_ - 1 - begin);
      }
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      if (c == '\\' && !escape()) return std::nullopt;
      if (c != '\\') ++at_;
    }
    return std::nullopt;
  }

  std::optional<ScanError> value(int max_depth) {
    std::string open;  // '{' and '[' of the levels around the current position
    for (;;) {
      skip_space();
      bool closed_empty = false;
      if (take('{')) {
        open.push_back('{');
        if (static_cast<int>(open.size()) > max_depth) return ScanError::too_deep;
        skip_space();
        if (!(closed_empty = take('}'))) {
          if (!name()) return ScanError::syntax;
          continue;
        }
      } else if (take('[')) {
        open.push_back('[');
        if (static_cast<int>(open.size()) > max_depth) return ScanError::too_deep;
        skip_space();
        if (!(closed_empty = take(']'))) continue;
      } else if (!scalar()) {
        return ScanError::syntax;
      }
      if (closed_empty) open.pop_back();
      // A value has ended: close what ends with it, or go on behind a comma.
      for (;;) {
        if (open.empty()) return std::nullopt;
        skip_space();
        if (take(',')) {
          skip_space();
          if (open.back() == '{' && !name()) return ScanError::syntax;
          break;
        }
        if (!take(open.back() == '{' ? '}' : ']')) return ScanError::syntax;
        open.pop_back();
      }
    }
  }

 private:
  /// Characters of a string that need no look, eight at a time: neither quote, backslash nor control.
  void skip_plain() {
    constexpr std::uint64_t kEach = 0x0101'0101'0101'0101, kHigh = 0x8080'8080'8080'8080;
    const auto has_zero = [](std::uint64_t x) { return (x - kEach) & ~x & kHigh; };
    for (; at_ + sizeof(std::uint64_t) <= text_.size(); at_ += sizeof(std::uint64_t)) {
      std::uint64_t eight = 0;
      std::memcpy(&eight, text_.data() + at_, sizeof(eight));
      const std::uint64_t control = (eight - kEach * 0x20) & ~eight & kHigh;
      if (has_zero(eight ^ (kEach * '"')) | has_zero(eight ^ (kEach * '\\')) | control) return;
    }
  }
  bool escape() {
    ++at_;
    if (at_end()) return false;
    const char c = text_[at_++];
    if (c == 'u') {
      for (int i = 0; i < 4; ++i, ++at_) {
        if (at_end() || !std::isxdigit(static_cast<unsigned char>(text_[at_]))) return false;
      }
      return true;
    }
    return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
  }
  bool name() {
    if (!string()) return false;
    skip_space();
    return take(':');
  }
  bool digits() {
    const std::size_t begin = at_;
    while (!at_end() && std::isdigit(static_cast<unsigned char>(peek()))) ++at_;
    return at_ > begin;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    return true;
  }
  bool scalar() {
    if (peek() == '"') return string().has_value();
    for (const std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return true;
      }
    }
    return number();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

void append_utf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (code >> 6)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xE0 | (code >> 12)));
    out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xF0 | (code >> 18)));
    out.push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
  }
}

std::uint32_t hex4(std::string_view text) {
  return static_cast<std::uint32_t>(std::stoul(std::string(text), nullptr, 16));
}

/// Resolves the escapes of a checked string. A lone surrogate becomes U+FFFD.
std::string unescape(std::string_view inner) {
  std::string out;
  out.reserve(inner.size());
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] != '\\') {
      out.push_back(inner[i]);
      continue;
    }
    const char c = inner[++i];
    switch (c) {
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u': {
        std::uint32_t code = hex4(inner.substr(i + 1, 4));
        i += 4;
        if (code >= 0xD800 && code < 0xDC00 && inner.substr(i + 1, 2) == "\\u") {
          const std::uint32_t low = hex4(inner.substr(i + 3, 4));
          if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            i += 6;
          }
        }
        append_utf8(out, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
        break;
      }
      default:
        out.push_back(c);
    }
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<ScanError> check_json(std::string_view text, const ScanRules& rules) {
  if (trim(text).empty()) return ScanError::empty;
  Walker walker(text);
  if (auto error = walker.value(rules.max_depth > 0 ? rules.max_depth : kDeepestWalk)) return error;
  walker.skip_space();
  if (!walker.at_end()) return ScanError::syntax;
  if (rules.require_utf8 && !is_utf8(text)) return ScanError::not_utf8;
  return std::nullopt;
}

std::vector<Member> members_of(std::string_view text) {
  std::vector<Member> members;
  Walker walker(text);
  walker.skip_space();
  if (!walker.take('{')) return members;
  walker.skip_space();
  if (walker.take('}')) return members;
  do {
    walker.skip_space();
    const auto name = walker.string();
    if (!name) return members;
    walker.skip_space();
    walker.take(':');
    walker.skip_space();
    const std::size_t begin = walker.position();
    walker.value(kDeepestWalk);
    members.push_back({unescape(*name), text.substr(begin, walker.position() - begin)});
    walker.skip_space();
  } while (walker.take(','));
  return members;
}

std::optional<std::string_view> member_of(std::string_view text, std::string_view name) {
  Walker walker(text);
  walker.skip_space();
  if (!walker.take('{')) return std::nullopt;
  do {
    walker.skip_space();
    const auto raw_name = walker.string();
    if (!raw_name) return std::nullopt;
    walker.skip_space();
    walker.take(':');
    walker.skip_space();
    const std::size_t begin = walker.position();
    walker.value(kDeepestWalk);
    const bool plain = raw_name->find('\\') == std::string_view::npos;
    if (plain ? *raw_name == name : unescape(*raw_name) == name)
      return text.substr(begin, walker.position() - begin);
    walker.skip_space();
  } while (walker.take(','));
  return std::nullopt;
}

std::vector<std::string_view> elements_of(std::string_view text) {
  std::vector<std::string_view> elements;
  Walker walker(text);
  walker.skip_space();
  if (!walker.take('[')) return elements;
  walker.skip_space();
  if (walker.take(']')) return elements;
  do {
    walker.skip_space();
    const std::size_t begin = walker.position();
    walker.value(kDeepestWalk);
    elements.push_back(text.substr(begin, walker.position() - begin));
    walker.skip_space();
  } while (walker.take(','));
  return elements;
}

std::optional<std::string> string_of(std::string_view text) {
  Walker walker(trim(text));
  const auto inner = walker.string();
  if (!inner || !walker.at_end()) return std::nullopt;
  return unescape(*inner);
}

void append_compact(std::string& out, std::string_view text) {
  Walker walker(text);
  for (;;) {
    walker.skip_space();
    if (walker.at_end()) return;
    if (walker.peek() == '"') {
      const auto inner = walker.string();
      if (!inner) return;
      append_json_string(out, unescape(*inner));
    } else {
      out.push_back(walker.peek());
      walker.seek(walker.position() + 1);
    }
  }
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      ++i;
      continue;
    }
    const int more = c >= 0xF0 && c <= 0xF4 ? 3 : c >= 0xE0 ? 2 : c >= 0xC2 ? 1 : 0;
    if (more == 0 || c > 0xF4 || i + static_cast<std::size_t>(more) >= text.size()) return false;
    const auto second = static_cast<unsigned char>(text[i + 1]);
    if ((c == 0xE0 && second < 0xA0) || (c == 0xED && second > 0x9F) || (c == 0xF0 && second < 0x90) ||
        (c == 0xF4 && second > 0x8F)) {
      return false;
    }
    for (int k = 1; k <= more; ++k) {
      if ((static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]) & 0xC0) != 0x80) return false;
    }
    i += static_cast<std::size_t>(more) + 1;
  }
  return true;
}

}  // namespace messina::sim
