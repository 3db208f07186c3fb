#include "bench/bodies.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "base/json_text.h"
#include "item/page.h"

namespace messina::bench {
namespace {

constexpr std::size_t kEnds = 4096;  // how far from either end of a page its frame is looked for

/// The value behind `"name":` in `text`, from the first character after white space on; empty if there is
/// none.
std::string_view member(std::string_view text, std::string_view quoted_name) {
  const auto at = text.rfind(quoted_name);
  if (at == std::string_view::npos) return {};
  auto rest = text.substr(at + quoted_name.size());
  const auto begin = rest.find_first_not_of(" \t\r\n:");
  return begin == std::string_view::npos ? std::string_view{} : rest.substr(begin);
}

/// The JSON object at the start of `text`.
std::string_view balanced_object(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{') {
      ++depth;
    } else if (c == '}' && --depth == 0) {
      return text.substr(0, i + 1);
    }
  }
  return {};
}

}  // namespace

PageTemplate::PageTemplate(std::string body) : body_(std::move(body)) {
  item::PageSpans spans;
  if (const auto split = item::split_page_bytewise(body_, spans); !split) {
    throw std::runtime_error("no Scan answer: " + split.error().message);
  }
  if (spans.items.empty()) throw std::runtime_error("the first page holds no items");
  items_ = std::move(spans.items);
}

std::string PageTemplate::batch_body(std::string_view table, std::size_t first, std::size_t count) const {
  std::string body = "{\"RequestItems\":{" + json_string(table) + ":[";
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) body += ',';
    body += "{\"PutRequest\":{\"Item\":";
    body += items_[(first + i) % items_.size()];
    body += "}}";
  }
  return body += "]}}";
}

std::string PageTemplate::lookup_body(std::string_view table, std::size_t first, std::size_t count) const {
  std::string body = "{\"RequestItems\":{" + json_string(table) + ":{\"ConsistentRead\":true,\"Keys\":[";
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view item = items_[(first + i) % items_.size()];
    if (i > 0) body += ',';
    body.append("{\"pk\":").append(balanced_object(member(item, "\"pk\""))).append("}");
  }
  return body += "]}},\"ReturnConsumedCapacity\":\"TOTAL\"}";
}

std::vector<std::size_t> batch_sizes(std::size_t items, std::size_t batch) {
  std::vector<std::size_t> sizes(items / batch, batch);
  if (items % batch != 0) sizes.push_back(items % batch);
  return sizes;
}

std::string scan_body(std::string_view table, std::uint32_t segment, std::uint32_t segments,
                      std::string_view start_key) {
  std::string body = "{\"TableName\":" + json_string(table) +
                     ",\"ConsistentRead\":true,\"ReturnConsumedCapacity\":\"TOTAL\"";
  if (segments > 1) {
    body += ",\"Segment\":" + std::to_string(segment) + ",\"TotalSegments\":" + std::to_string(segments);
  }
  if (!start_key.empty()) body.append(",\"ExclusiveStartKey\":").append(start_key);
  return body += '}';
}

PageTail page_tail(std::string_view body) {
  // The frame stands behind the items as DynamoDB and messina-sim write it, before them on some servers.
  const auto items_end = body.rfind(']');
  const auto tail = body.substr(std::max(items_end == body.npos ? 0 : items_end,
                                         body.size() > kEnds ? body.size() - kEnds : std::size_t{0}));
  const auto head = body.substr(0, std::min(body.find("\"Items\""), kEnds));
  PageTail found;
  auto count = member(tail, "\"Count\"");
  if (count.empty()) count = member(head, "\"Count\"");
  if (std::from_chars(count.data(), count.data() + count.size(), found.count).ec != std::errc{}) {
    throw std::runtime_error("a page without Count at either end");
  }
  auto key = member(tail, "\"LastEvaluatedKey\"");
  if (key.empty()) key = member(head, "\"LastEvaluatedKey\"");
  found.last_evaluated_key = balanced_object(key);
  return found;
}

}  // namespace messina::bench
