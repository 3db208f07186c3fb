// Finds the records in an answer of GetRecords (DynamoDB Streams) without parsing their images.
//
// Sources: Amazon DynamoDB Streams API Reference, "GetRecords", "Record", "StreamRecord", "Identity";
// recordings of ScyllaDB 5.2 and 6.2, whose records can carry eventName twice.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace messina::item {

class JsonIndex;  // item/json_index.h

/// One change of one key. The views point into the bytes that were split; images and keys are raw JSON
/// objects in DynamoDB's form.
struct StreamRecord {
  std::string_view keys;       ///< the key attributes; never empty
  std::string_view new_image;  ///< the item as it is now; empty where the view type or the event has none
  std::string_view old_image;  ///< as it was before; empty likewise
  std::string_view sequence_number;  ///< decimal, at most kMaxSequenceDigits digits
  bool removed = false;              ///< the event is REMOVE
  bool by_service = false;           ///< TTL has deleted it: userIdentity is DynamoDB's own
  /// Rounded down to the second on DynamoDB; absent where the server does not say.
  std::optional<std::int64_t> created_unix_s;
};

/// "The sequence number is a string of 21 to 40 digits" (StreamRecord). ScyllaDB's are the decimal form of a
/// time UUID and can be shorter, as may be those of simple servers (moto: from 1); so only the upper bound is
/// enforced.
inline constexpr std::size_t kMaxSequenceDigits = 40;

struct StreamPageSpans {
  std::vector<StreamRecord> records;  ///< in the shard's order
  std::string_view next_iterator;     ///< inside of the JSON string; empty: the shard is read to its end
};

/// Splits pages of a stream. Holds the index's memory between calls: keep one per event loop. Not
/// thread-safe. What a success guarantees is what item::PageSplitter guarantees, and that each record has
/// keys, a sequence number and a known event name. Of a member that stands twice the last one counts.
class StreamPageSplitter {
 public:
  StreamPageSplitter();
  ~StreamPageSplitter();

  /// `body` needs kSlabPadding readable bytes behind it. Fills `spans` (reusing its memory; empty after an
  /// error). Errors: ErrorKind::corrupt when the text is no such answer.
  Result<void> split(std::string_view body, StreamPageSpans& spans);

 private:
  std::unique_ptr<JsonIndex> index_;
};

/// The same by a plain byte scanner, no padding needed; and what the fuzzers compare StreamPageSplitter with.
Result<void> split_stream_page_bytewise(std::string_view body, StreamPageSpans& spans);

}  // namespace messina::item
