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

/// The views point into the bytes that were split.
struct LookupSpans {
  std::vector<std::string_view> items;             ///< raw JSON objects, in no order
  std::vector<std::string_view> unprocessed_keys;  ///< raw JSON objects, as they were asked for
  std::optional<double> consumed_capacity;         ///< CapacityUnits
};

/// Splits answers about one table. What holds for item::PageSplitter holds here, too. An answer that does not
/// say which keys it left unprocessed is none: absence is believed only where it is said (PROTOCOL rule 6).
class LookupSplitter {
 public:
  LookupSplitter();
  ~LookupSplitter();

  /// `body` needs kSlabPadding readable bytes behind it. Errors: ErrorKind::corrupt.
  Result<void> split(std::string_view body, LookupSpans& spans);

 private:
  std::unique_ptr<JsonIndex> index_;
};

/// The same by a plain byte scanner, no padding needed.
Result<void> split_lookup_bytewise(std::string_view body, LookupSpans& spans);

}  // namespace messina::item
