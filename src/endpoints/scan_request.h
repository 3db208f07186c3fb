// Scan's requests, units and cursors: pure text.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "endpoints/endpoint.h"

namespace messina::endpoints {

/// One segment of a parallel Scan.
struct Segment {
  std::uint32_t index = 0;
  std::uint32_t total = 1;  ///< 1..kMaxSegments
  bool operator==(const Segment&) const = default;
};
/// Source: Amazon DynamoDB API Reference, Scan, TotalSegments.
inline constexpr std::uint32_t kMaxSegments = 1'000'000;

/// How many segments a table of `size_bytes` (absent or 0: unknown) is read in: about one per 2 GB, and at
/// least 4 for each lane, so that the slow ones even out; tables of a few MB make do with one per lane.
std::uint32_t segment_count(std::optional<std::uint64_t> size_bytes, const PlanHints& hints);

/// "segment 3/16" with spec {"v":1,"segment":3,"total":16}
Unit segment_unit(Segment segment);
/// Errors: config, for a spec of another version or endpoint.
Result<Segment> parse_segment(const Unit& unit);

/// {"v":1,"key":LastEvaluatedKey as the server wrote it}
Cursor cursor_after(std::string_view last_evaluated_key);
/// The key in a cursor, empty for the start. Errors: config.
Result<std::string_view> key_in(const Cursor& cursor);

struct ScanRequest {
  std::string_view table;
  Segment segment;
  std::string_view start_key;  ///< raw JSON; empty: from the start
  bool report_capacity = false;
  std::optional<std::uint32_t> limit = {};
  bool consistent = true;
  std::string_view index = {};                   ///< an index of the table; empty: the table itself
  std::span<const std::string> attributes = {};  ///< records are to have these alone; empty: all
};
std::string scan_request(const ScanRequest& request);

/// RCU of a read of that many bytes, where the server does not say (Developer Guide, "Read
/// consistency").
double estimated_rcu(std::size_t bytes, bool consistent = true);

}  // namespace messina::endpoints
