#include "item/page.h"

#include "item/answer_reader.h"

namespace messina::item {
namespace {

// Reads an answer of Scan or Query.
template <class Cursor>
class PageReader : public AnswerReader<Cursor> {
 public:
  PageReader(Cursor& cursor, PageSpans& spans) : AnswerReader<Cursor>(cursor), spans_(spans) {}

  static void clear(PageSpans& spans) {
    spans.items.clear();
    spans.last_evaluated_key = {};
    spans.consumed_capacity.reset();
    spans.count.reset();
  }

  bool read() {
    clear(spans_);
    if (!this->whole([this](std::string_view name) { return member(name); })) return false;
    return has_items_ || spans_.count || this->wrong("has neither Items nor Count");
  }

 private:
  bool member(std::string_view name) {
    if (json_string_is(name, "Items")) return items();
    if (json_string_is(name, "LastEvaluatedKey")) return last_evaluated_key();
    if (json_string_is(name, "Count")) return count();
    if (json_string_is(name, "ConsumedCapacity")) return consumed_capacity();
    return skip_value(this->cursor_, 1);
  }

  bool items() {
    if (has_items_) return this->wrong("has Items twice");
    has_items_ = true;
    return this->objects(spans_.items, "has Items that are no list", "has an item that is no object", 1);
  }

  bool last_evaluated_key() {
    if (!spans_.last_evaluated_key.empty()) return this->wrong("has LastEvaluatedKey twice");
    return this->object(spans_.last_evaluated_key, "has a LastEvaluatedKey that is no object", 1);
  }

  bool count() {
    if (spans_.count) return this->wrong("has Count twice");
    return this->number(spans_.count, "has a Count that is no count", 1);
  }

  bool consumed_capacity() {
    auto& cursor = this->cursor_;
    if (cursor.peek() != '{') return this->wrong_value("has a ConsumedCapacity that is no object", 1);
    return walk_object(cursor, [&](std::string_view name) {
      if (!json_string_is(name, "CapacityUnits") || cursor.peek() == 'n') return skip_value(cursor, 2);
      return this->number(spans_.consumed_capacity, "has CapacityUnits that are no number", 2);
    });
  }

  PageSpans& spans_;
  bool has_items_ = false;
};

}  // namespace

PageSplitter::PageSplitter() : index_(std::make_unique<JsonIndex>()) {}
PageSplitter::~PageSplitter() = default;
PageSplitter::PageSplitter(PageSplitter&&) noexcept = default;
PageSplitter& PageSplitter::operator=(PageSplitter&&) noexcept = default;

Result<void> PageSplitter::split(std::string_view body, PageSpans& spans) {
  return read_indexed<PageReader>(*index_, body, spans);
}

Result<void> split_page_bytewise(std::string_view body, PageSpans& spans) {
  return read_bytewise<PageReader>(body, spans);
}

}  // namespace messina::item
