// Finds the raw items in an answer of BatchGetItem without parsing them.
//
// Source: Amazon DynamoDB API Reference, "BatchGetItem".
#pragma once
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace messina::item {

class JsonIndex;  // item/json_index.h

/// The views point into the bytes that were split, but for items that were expected.
struct LookupSpans {
  std::vector<std::string_view> items;             ///< raw JSON objects, in no order
  std::vector<std::string_view> unprocessed_keys;  ///< raw JSON objects, as they were asked for
  std::optional<double> consumed_capacity;         ///< CapacityUnits
};

/// Items that answers probably have.
class ExpectedItems {
 public:
  virtual ~ExpectedItems() = default;
  /// `rest` begins where an item of an answer does. An item, whole and well-formed, that is as long as the
  /// one there and equal to it; an empty view: none is known. Answers may be read more than once.
  virtual std::string_view next(std::string_view rest) = 0;
};

/// Splits answers about one table. What holds for item::PageSplitter holds here, too. An answer that does not
/// say which keys it left unprocessed is none: absence is believed only where it is said (PROTOCOL rule 6).
class LookupSplitter {
 public:
  LookupSplitter();
  ~LookupSplitter();

  /// `body` needs kSlabPadding readable bytes behind it. Where `expected` (may be nullptr) knows each item,
  /// none is looked into, and spans.items are the views that it gave. Errors: ErrorKind::corrupt.
  Result<void> split(std::string_view body, LookupSpans& spans, ExpectedItems* expected = nullptr);

 private:
  std::unique_ptr<JsonIndex> index_;
};

/// The same by a plain byte scanner, no padding needed.
Result<void> split_lookup_bytewise(std::string_view body, LookupSpans& spans);

}  // namespace messina::item
