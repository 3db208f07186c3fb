#include "item/page.h"

#include <algorithm>
#include <bit>
#include <charconv>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/slab.h"
#include "item/json_cursor.h"

namespace messina::item {
namespace {

static_assert(kSlabPadding >= simdjson::SIMDJSON_PADDING);

// Walks over the tokens that simdjson's first stage has found (every bracket, colon and comma, and the first
// byte of every string and scalar). That stage has checked UTF-8, that strings end, and that they hold no
// control characters; escapes are checked by escapes_are_valid(). We walk the index ourselves, and do not use
// simdjson's On-Demand objects, because their raw_json() counts brackets only: it would pass `{"a":]` on as
// an item.
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

bool escapes_are_valid(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (std::size_t at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at)) {
    const char* const after = skip_json_escape(text.data() + at, end);
    if (after == nullptr) return false;
    at = static_cast<std::size_t>(after - text.data());
  }
  return true;
}

void clear(PageSpans& spans) {
  spans.items.clear();
  spans.last_evaluated_key = {};
  spans.consumed_capacity.reset();
  spans.count.reset();
}

// Reads an answer of Scan or Query, over either cursor.
template <class Cursor>
class PageReader {
 public:
  PageReader(Cursor& cursor, PageSpans& spans) : cursor_(cursor), spans_(spans) {}

  bool read() {
    clear(spans_);
    const bool whole = walk_object(cursor_, [this](std::string_view name) { return member(name); });
    if (!whole || !cursor_.at_end()) return false;
    return has_items_ || spans_.count || wrong("has neither Items nor Count");
  }

  /// Why read() gave false; empty if the text is no JSON.
  std::string_view problem() const { return problem_; }

 private:
  bool wrong(std::string_view why) {
    problem_ = why;
    return false;
  }

  // For a value of the wrong kind; one that is no JSON either was rather cut.
  bool wrong_value(std::string_view why) { return skip_value(cursor_, 2) && wrong(why); }

  bool member(std::string_view name) {
    if (cursor_.peek() == 'n') return skip_value(cursor_, 1);
    if (json_string_is(name, "Items")) return items();
    if (json_string_is(name, "LastEvaluatedKey")) return last_evaluated_key();
    if (json_string_is(name, "Count")) return count();
    if (json_string_is(name, "ConsumedCapacity")) return consumed_capacity();
    return skip_value(cursor_, 1);
  }

  bool object(std::string_view& span, int depth) {
    const char* const first = cursor_.position();
    if (!skip_value(cursor_, depth)) return false;
    span = {first, static_cast<std::size_t>(cursor_.last_end() - first)};
    return true;
  }

  template <class T>
  bool number(std::optional<T>& out, std::string_view otherwise) {
    std::string_view text;
    if (!cursor_.take_scalar(text)) return wrong_value(otherwise);
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return wrong(otherwise);
    out = value;
    return true;
  }

  bool items() {
    if (has_items_) return wrong("has Items twice");
    has_items_ = true;
    if (!cursor_.take('[')) return wrong_value("has Items that are no list");
    if (cursor_.take(']')) return true;
    do {
      if (cursor_.peek() != '{') return wrong_value("has an item that is no object");
      if (!object(spans_.items.emplace_back(), 2)) return false;
    } while (cursor_.take(','));
    return cursor_.take(']');
  }

  bool last_evaluated_key() {
    if (!spans_.last_evaluated_key.empty()) return wrong("has LastEvaluatedKey twice");
    if (cursor_.peek() != '{') return wrong_value("has a LastEvaluatedKey that is no object");
    return object(spans_.last_evaluated_key, 1);
  }

  bool count() {
    if (spans_.count) return wrong("has Count twice");
    return number(spans_.count, "has a Count that is no count");
  }

  bool consumed_capacity() {
    if (cursor_.peek() != '{') return wrong_value("has a ConsumedCapacity that is no object");
    return walk_object(cursor_, [this](std::string_view name) {
      if (!json_string_is(name, "CapacityUnits") || cursor_.peek() == 'n') return skip_value(cursor_, 2);
      return number(spans_.consumed_capacity, "has CapacityUnits that are no number");
    });
  }

  Cursor& cursor_;
  PageSpans& spans_;
  bool has_items_ = false;
  std::string_view problem_;
};

}  // namespace

struct PageSplitter::Index {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
  std::size_t capacity = 0;

  // Grows in powers of two, so that pages of about the same size do not each grow it a little.
  bool reserve(std::size_t bytes) {
    if (stage && bytes <= capacity) return true;
    const std::size_t wanted = std::bit_ceil(std::max<std::size_t>(bytes, 64 * 1024));
    stage.reset();  // first, so that the old and the new index are never held together
    capacity = 0;
    const auto& implementation = simdjson::get_active_implementation();  // the best for this machine
    if (implementation->create_dom_parser_implementation(wanted, 1, stage) != simdjson::SUCCESS) return false;
    capacity = wanted;
    return true;
  }

  bool split(std::string_view body, PageSpans& spans) {
    if (!reserve(body.size())) return false;
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(body.data());
    if (stage->stage1(bytes, body.size(), simdjson::stage1_mode::regular) != simdjson::SUCCESS) return false;
    if (!escapes_are_valid(body)) return false;
    IndexCursor cursor(body, stage->structural_indexes.get(), stage->n_structural_indexes);
    return PageReader(cursor, spans).read();
  }
};

PageSplitter::PageSplitter() : index_(std::make_unique<Index>()) {}
PageSplitter::~PageSplitter() = default;
PageSplitter::PageSplitter(PageSplitter&&) noexcept = default;
PageSplitter& PageSplitter::operator=(PageSplitter&&) noexcept = default;

Result<void> PageSplitter::split(std::string_view body, PageSpans& spans) {
  // The fast way only ever says yes: in any doubt the slow one decides, and words the error.
  if (body.size() <= kMaxIndexedPageBytes && index_->split(body, spans)) return {};
  return split_page_bytewise(body, spans);
}

Result<void> split_page_bytewise(std::string_view body, PageSpans& spans) {
  ByteCursor cursor(body);
  PageReader reader(cursor, spans);
  if (reader.read()) return {};
  clear(spans);
  if (!reader.problem().empty())
    return fail(ErrorKind::corrupt, fmt::format("the answer {}", reader.problem()));
  return fail(ErrorKind::corrupt, fmt::format("the answer is not JSON, or was cut: byte {} of {}",
                                              cursor.position() - body.data(), body.size()));
}

}  // namespace messina::item
