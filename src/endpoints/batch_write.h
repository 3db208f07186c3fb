// BatchWriteItem's body and answer: pure bytes.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/slab.h"
#include "endpoints/endpoint.h"
#include "item/key.h"

namespace messina::endpoints {

/// Builds the bodies of one table's writes: each one contiguous buffer into which the raw items are copied,
/// or pieces between which the items stay where they lie.
class BatchWriteBody {
 public:
  BatchWriteBody(std::string_view table, bool report_capacity);

  std::size_t size(std::span<const std::string_view> records) const;
  /// Replaces what `out` holds; does not allocate if its capacity is size().
  void build(std::span<const std::string_view> records, Slab& out) const;

  /// Replaces `out` by pieces of size(records) bytes in all: views of the records and of this object.
  void pieces(std::span<const std::string_view> records, std::vector<std::string_view>& out) const;

  std::size_t size(std::span<const WriteRequest> requests) const;
  void build(std::span<const WriteRequest> requests, Slab& out) const;

 private:
  std::string head_;
  std::string tail_;
};

/// What an answer says beside "all written".
struct BatchWriteAnswer {
  std::vector<std::string> unprocessed;  ///< raw items of puts, raw keys of deletes
  double wcu = 0;
};

/// True for the common answer, without parsing it: nothing unprocessed, no capacity told.
bool says_all_written(std::string_view body);

/// Errors: corrupt.
Result<BatchWriteAnswer> parse_batch_write(std::string_view body, std::string_view table);

/// The indexes of the records (items, or keys alone) whose keys the unprocessed ones have. Errors: corrupt,
/// when one has no such record.
Result<std::vector<std::uint32_t>> match_by_key(const std::vector<std::string>& unprocessed,
                                                std::span<const std::string_view> records,
                                                const item::KeySchema& key);

}  // namespace messina::endpoints
