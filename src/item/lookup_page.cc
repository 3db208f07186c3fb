#include "item/lookup_page.h"

#include <concepts>
#include <utility>

#include "item/answer_reader.h"

namespace messina::item {
namespace {

// Reads an answer of BatchGetItem.
template <class Cursor>
class LookupReader : public AnswerReader<Cursor> {
 public:
  LookupReader(Cursor& cursor, LookupSpans& spans, ExpectedItems* expected = nullptr)
      : AnswerReader<Cursor>(cursor), spans_(spans), expected_(expected) {}

  static void clear(LookupSpans& spans) {
    spans.items.clear();
    spans.unprocessed_keys.clear();
    spans.consumed_capacity.reset();
  }

  bool read() {
    clear(spans_);
    if (!this->whole([this](std::string_view name) { return member(name); })) return false;
    if (!has_responses_) return this->wrong("has no Responses");
    return has_unprocessed_ || this->wrong("has no UnprocessedKeys");
  }

 private:
  bool member(std::string_view name) {
    if (json_string_is(name, "Responses")) return responses();
    if (json_string_is(name, "UnprocessedKeys")) return unprocessed();
    if (json_string_is(name, "ConsumedCapacity")) return consumed_capacity();
    return skip_value(this->cursor_, 1);
  }

  // One table was asked about; a second member would be another's items.
  bool responses() {
    if (has_responses_) return this->wrong("has Responses twice");
    has_responses_ = true;
    if (this->cursor_.peek() != '{') return this->wrong_value("has Responses that are no object", 1);
    bool first = true;
    return walk_object(this->cursor_, [&](std::string_view) {
      if (!std::exchange(first, false)) return this->wrong("has Responses of more than one table");
      if constexpr (std::same_as<Cursor, ByteCursor>)
        if (expected_ != nullptr) return expected_items();
      return this->objects(spans_.items, "has Responses that are no list", "has an item that is no object",
                           2);
    });
  }

  bool expected_items() {
    return this->list("has Responses that are no list", 2, [this] {
      this->cursor_.peek();
      const std::string_view item = expected_->next(this->cursor_.rest());
      this->cursor_.skip(item.size());
      spans_.items.push_back(item);
      return !item.empty();
    });
  }

  bool unprocessed() {
    if (has_unprocessed_) return this->wrong("has UnprocessedKeys twice");
    has_unprocessed_ = true;
    if (this->cursor_.peek() != '{') return this->wrong_value("has UnprocessedKeys that are no object", 1);
    bool first = true;
    return walk_object(this->cursor_, [&](std::string_view) {
      if (!std::exchange(first, false)) return this->wrong("has UnprocessedKeys of more than one table");
      return keys();
    });
  }

  // {"Keys":[…],"ConsistentRead":true}
  bool keys() {
    bool has_keys = false;
    if (this->cursor_.peek() != '{') return this->wrong_value("has UnprocessedKeys without Keys", 2);
    const bool whole = walk_object(this->cursor_, [&](std::string_view name) {
      if (!json_string_is(name, "Keys")) return skip_value(this->cursor_, 3);
      has_keys = true;
      return this->objects(spans_.unprocessed_keys, "has Keys that are no list",
                           "has a key that is no object", 3);
    });
    return whole && (has_keys || this->wrong("has UnprocessedKeys without Keys"));
  }

  // [{"TableName":…,"CapacityUnits":…}]
  bool consumed_capacity() {
    auto& cursor = this->cursor_;
    return this->list("has a ConsumedCapacity that is no list", 1, [&] {
      if (cursor.peek() != '{') return this->wrong_value("has a ConsumedCapacity that is no object", 2);
      return walk_object(cursor, [&](std::string_view name) {
        if (!json_string_is(name, "CapacityUnits") || cursor.peek() == 'n') return skip_value(cursor, 3);
        return this->number(spans_.consumed_capacity, "has CapacityUnits that are no number", 3);
      });
    });
  }

  LookupSpans& spans_;
  ExpectedItems* const expected_;
  bool has_responses_ = false, has_unprocessed_ = false;
};

}  // namespace

LookupSplitter::LookupSplitter() : index_(std::make_unique<JsonIndex>()) {}
LookupSplitter::~LookupSplitter() = default;

Result<void> LookupSplitter::split(std::string_view body, LookupSpans& spans, ExpectedItems* expected) {
  if (expected != nullptr) {
    ByteCursor cursor(body);
    if (LookupReader(cursor, spans, expected).read()) return {};
  }
  return read_indexed<LookupReader>(*index_, body, spans);
}

Result<void> split_lookup_bytewise(std::string_view body, LookupSpans& spans) {
  return read_bytewise<LookupReader>(body, spans);
}

}  // namespace messina::item
