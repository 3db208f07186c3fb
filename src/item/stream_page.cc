#include "item/stream_page.h"

#include <algorithm>
#include <cmath>

#include "item/answer_reader.h"

namespace messina::item {
namespace {

/// Seconds since 1970: what lies beyond is no time, and would not fit the integer.
constexpr double kTheYear10000 = 253'402'300'800;

bool is_sequence_number(std::string_view text) {
  return !text.empty() && text.size() <= kMaxSequenceDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Reads an answer of GetRecords.
template <class Cursor>
class StreamPageReader : public AnswerReader<Cursor> {
 public:
  StreamPageReader(Cursor& cursor, StreamPageSpans& spans) : AnswerReader<Cursor>(cursor), spans_(spans) {}

  static void clear(StreamPageSpans& spans) {
    spans.records.clear();
    spans.next_iterator = {};
  }

  bool read() {
    clear(spans_);
    if (!this->whole([this](std::string_view name) { return member(name); })) return false;
    return has_records_ || this->wrong("has no Records");
  }

 private:
  bool member(std::string_view name) {
    if (json_string_is(name, "Records")) return records();
    if (json_string_is(name, "NextShardIterator")) {
      return this->text(spans_.next_iterator, "has a NextShardIterator that is no text", 1);
    }
    return skip_value(this->cursor_, 1);
  }

  bool records() {
    if (has_records_) return this->wrong("has Records twice");
    has_records_ = true;
    return this->list("has Records that are no list", 1, [this] { return record(); });
  }

  bool record() {
    auto& cursor = this->cursor_;
    if (cursor.peek() != '{') return this->wrong_value("has a record that is no object", 2);
    StreamRecord& record = spans_.records.emplace_back();
    bool named = false;
    const bool whole = walk_object(cursor, [&](std::string_view name) {
      if (cursor.peek() == 'n') return skip_value(cursor, 3);
      if (json_string_is(name, "eventName")) {
        named = true;
        return event_name(record);
      }
      if (json_string_is(name, "dynamodb")) return change(record);
      if (json_string_is(name, "userIdentity")) return identity(record);
      return skip_value(cursor, 3);
    });
    if (!whole) return false;
    if (!named) return this->wrong("has a record without eventName");
    if (record.keys.empty()) return this->wrong("has a record without Keys");
    return !record.sequence_number.empty() || this->wrong("has a record without SequenceNumber");
  }

  bool event_name(StreamRecord& record) {
    std::string_view name;
    if (!this->text(name, "has an eventName that is no text", 3)) return false;
    record.removed = json_string_is(name, "REMOVE");
    return record.removed || json_string_is(name, "INSERT") || json_string_is(name, "MODIFY") ||
           this->wrong("has a record with an eventName that nobody knows");
  }

  bool change(StreamRecord& record) {
    auto& cursor = this->cursor_;
    if (cursor.peek() != '{') return this->wrong_value("has a record whose dynamodb is no object", 3);
    return walk_object(cursor, [&](std::string_view name) {
      if (cursor.peek() == 'n') return skip_value(cursor, 4);
      if (json_string_is(name, "Keys")) return this->object(record.keys, "has Keys that are no object", 4);
      if (json_string_is(name, "NewImage")) {
        return this->object(record.new_image, "has a NewImage that is no object", 4);
      }
      if (json_string_is(name, "OldImage")) {
        return this->object(record.old_image, "has an OldImage that is no object", 4);
      }
      if (json_string_is(name, "SequenceNumber")) return sequence_number(record);
      if (json_string_is(name, "ApproximateCreationDateTime")) return created(record);
      return skip_value(cursor, 4);
    });
  }

  bool sequence_number(StreamRecord& record) {
    if (!this->text(record.sequence_number, "has a SequenceNumber that is no text", 4)) return false;
    return is_sequence_number(record.sequence_number) ||
           this->wrong("has a SequenceNumber that is no number");
  }

  bool created(StreamRecord& record) {
    constexpr std::string_view kNoTime = "has an ApproximateCreationDateTime that is no time";
    std::optional<double> seconds;
    if (!this->number(seconds, kNoTime, 4)) return false;
    const double value = seconds.value_or(-1);
    if (!(value >= 0 && value < kTheYear10000)) return this->wrong(kNoTime);
    record.created_unix_s = static_cast<std::int64_t>(std::floor(value));
    return true;
  }

  // {"type":"Service","principalId":"dynamodb.amazonaws.com"}, in either case: the documentation shows both.
  bool identity(StreamRecord& record) {
    auto& cursor = this->cursor_;
    bool service = false, dynamodb = false;
    if (cursor.peek() != '{') return this->wrong_value("has a userIdentity that is no object", 3);
    const bool whole = walk_object(cursor, [&](std::string_view name) {
      const bool type = json_string_is(name, "type") || json_string_is(name, "Type");
      const bool principal = json_string_is(name, "principalId") || json_string_is(name, "PrincipalId");
      if (cursor.peek() != '"' || (!type && !principal)) return skip_value(cursor, 4);
      std::string_view value;
      if (!cursor.take_string(value)) return false;
      if (type) service = json_string_is(value, "Service");
      if (principal) dynamodb = json_string_is(value, "dynamodb.amazonaws.com");
      return true;
    });
    record.by_service = service && dynamodb;
    return whole;
  }

  StreamPageSpans& spans_;
  bool has_records_ = false;
};

}  // namespace

StreamPageSplitter::StreamPageSplitter() : index_(std::make_unique<JsonIndex>()) {}
StreamPageSplitter::~StreamPageSplitter() = default;

Result<void> StreamPageSplitter::split(std::string_view body, StreamPageSpans& spans) {
  return read_indexed<StreamPageReader>(*index_, body, spans);
}

Result<void> split_stream_page_bytewise(std::string_view body, StreamPageSpans& spans) {
  return read_bytewise<StreamPageReader>(body, spans);
}

}  // namespace messina::item
