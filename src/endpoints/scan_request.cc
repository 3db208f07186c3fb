#include "endpoints/scan_request.h"

#include <algorithm>
#include <cmath>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/log.h"

namespace messina::endpoints {
namespace {

constexpr std::uint64_t kBytesPerSegment = 2ull << 30;
/// Below this a table is a handful of pages, and more segments only cost requests.
constexpr std::uint64_t kSmallTableBytes = 4ull << 20;
constexpr std::uint64_t kSegmentsPerLane = 4;
constexpr double kBytesPerRcu = 4096;

constexpr std::string_view kCursorHead = R"({"v":1,"key":)";

std::optional<std::uint32_t> member(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (!value || !value->is_int64()) return std::nullopt;
  const auto number = value->get_int64();
  return number >= 0 && number <= kMaxSegments ? std::optional(static_cast<std::uint32_t>(number))
                                               : std::nullopt;
}

}  // namespace

std::uint32_t segment_count(std::optional<std::uint64_t> size_bytes, const PlanHints& hints) {
  if (hints.segments) return std::clamp(*hints.segments, 1u, kMaxSegments);
  const std::uint64_t lanes = std::max(hints.lanes, 1u);
  const std::uint64_t size = size_bytes.value_or(0);
  const bool small = size > 0 && size <= kSmallTableBytes;
  const auto count =
      small ? lanes : std::max((size + kBytesPerSegment - 1) / kBytesPerSegment, kSegmentsPerLane * lanes);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, kMaxSegments));
}

Unit segment_unit(Segment segment) {
  return {fmt::format("segment {}/{}", segment.index, segment.total),
          fmt::format(R"({{"v":1,"segment":{},"total":{}}})", segment.index, segment.total)};
}

Result<Segment> parse_segment(const Unit& unit) {
  boost::system::error_code failure;
  const auto parsed = boost::json::parse(unit.spec, failure);
  if (!failure && parsed.is_object()) {
    const auto& object = parsed.get_object();
    const auto version = member(object, "v"), index = member(object, "segment"),
               total = member(object, "total");
    if (version == 1u && index && total && *index < *total) return Segment{*index, *total};
  }
  return fail(ErrorKind::config,
              fmt::format("the unit \"{}\" is no segment of a Scan that this version knows", unit.id));
}

Cursor cursor_after(std::string_view last_evaluated_key) {
  Cursor cursor;
  cursor.bytes.reserve(kCursorHead.size() + last_evaluated_key.size() + 1);
  cursor.bytes.append(kCursorHead).append(last_evaluated_key).append("}");
  return cursor;
}

Result<std::string_view> key_in(const Cursor& cursor) {
  std::string_view text = cursor.bytes;
  if (text.empty()) return text;
  if (!text.starts_with(kCursorHead) || !text.ends_with("}}")) {
    return fail(
        ErrorKind::config,
        "the place where the Scan stopped was written by another version: use that one, or --restart");
  }
  text.remove_prefix(kCursorHead.size());
  text.remove_suffix(1);
  return text;
}

std::string scan_request(const ScanRequest& request) {
  std::string out;
  out.reserve(256 + request.table.size() + request.start_key.size());
  out += "{\"TableName\":";
  append_json_string(out, request.table);
  out += request.consistent ? ",\"ConsistentRead\":true" : ",\"ConsistentRead\":false";
  if (request.report_capacity) out += ",\"ReturnConsumedCapacity\":\"TOTAL\"";
  if (request.limit) out += fmt::format(",\"Limit\":{}", *request.limit);
  if (request.segment.total > 1) {
    out += fmt::format(",\"Segment\":{},\"TotalSegments\":{}", request.segment.index, request.segment.total);
  }
  if (!request.index.empty()) {
    out += ",\"IndexName\":";
    append_json_string(out, request.index);
  }
  if (!request.attributes.empty()) {
    // By placeholders, since names may be reserved words.
    std::string names;
    out += R"(,"ProjectionExpression":")";
    for (std::size_t i = 0; i < request.attributes.size(); ++i) {
      if (i > 0) out += ',', names += ',';
      out += fmt::format("#{}", i);
      names += fmt::format(R"("#{}":)", i);
      append_json_string(names, request.attributes[i]);
    }
    out += R"(","ExpressionAttributeNames":{)" + names + '}';
  }
  if (!request.start_key.empty()) out.append(",\"ExclusiveStartKey\":").append(request.start_key);
  out += '}';
  return out;
}

double estimated_rcu(std::size_t bytes, bool consistent) {
  return std::ceil(static_cast<double>(bytes) / kBytesPerRcu) * (consistent ? 1 : 0.5);
}

}  // namespace messina::endpoints
