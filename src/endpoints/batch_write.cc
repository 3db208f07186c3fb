#include "endpoints/batch_write.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include <boost/json.hpp>

#include "base/json_text.h"

namespace messina::endpoints {
namespace {

namespace json = boost::json;

constexpr std::string_view kItemHead = R"({"PutRequest":{"Item":)";
constexpr std::string_view kBetweenItems = R"(}},{"PutRequest":{"Item":)";
constexpr std::string_view kItemTail = "}}";
constexpr std::string_view kKeyHead = R"({"DeleteRequest":{"Key":)";
/// ScyllaDB's answer, byte for byte (recorded), and that of servers that put a space behind the colon.
constexpr std::string_view kAllWritten[] = {R"({"UnprocessedItems":{}})", R"({"UnprocessedItems": {}})"};
/// Levels of JSON in an answer that repeats items of DynamoDB's 32 levels, with room to spare.
constexpr std::size_t kMaxJsonDepth = 1024;

std::unexpected<Error> corrupt(std::string what) { return fail(ErrorKind::corrupt, std::move(what)); }

/// The member `inner` of the object that is the member `outer`; null if there is none.
const json::value* member(const json::value* from, std::string_view outer, std::string_view inner) {
  for (const auto name : {outer, inner}) {
    from = from != nullptr && from->is_object() ? from->get_object().if_contains(name) : nullptr;
  }
  return from;
}

double capacity_in(const json::object& answer) {
  double sum = 0;
  const auto* capacities = answer.if_contains("ConsumedCapacity");
  if (!capacities || !capacities->is_array()) return sum;
  for (const auto& entry : capacities->get_array()) {
    const auto* units = entry.is_object() ? entry.get_object().if_contains("CapacityUnits") : nullptr;
    if (units && units->is_number()) sum += units->to_number<double>();
  }
  return sum;
}

}  // namespace

BatchWriteBody::BatchWriteBody(std::string_view table, bool report_capacity)
    : head_("{\"RequestItems\":{" + json_string(table) + ":["),
      tail_(report_capacity ? R"(]},"ReturnConsumedCapacity":"TOTAL"})" : "]}}") {}

std::size_t BatchWriteBody::size(std::span<const std::string_view> records) const {
  std::size_t size = head_.size() + tail_.size();
  if (records.empty()) return size;
  size += kItemHead.size() + kItemTail.size() + (records.size() - 1) * kBetweenItems.size();
  for (const auto record : records) size += record.size();
  return size;
}

void BatchWriteBody::build(std::span<const std::string_view> records, Slab& out) const {
  out.clear();
  out.resize(size(records));
  char* at = out.data();
  const auto put = [&at](std::string_view text) { at = std::copy(text.begin(), text.end(), at); };
  put(head_);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i == 0) {
      put(kItemHead);
    } else {
      // Of a size known when compiling: no call.
      std::memcpy(at, kBetweenItems.data(), kBetweenItems.size());
      at += kBetweenItems.size();
    }
    put(records[i]);
  }
  if (!records.empty()) put(kItemTail);
  put(tail_);
}

void BatchWriteBody::pieces(std::span<const std::string_view> records,
                            std::vector<std::string_view>& out) const {
  out.clear();
  out.reserve(2 * records.size() + 3);
  out.push_back(head_);
  for (const auto record : records) {
    out.push_back(out.size() == 1 ? kItemHead : kBetweenItems);
    out.push_back(record);
  }
  if (!records.empty()) out.push_back(kItemTail);
  out.push_back(tail_);
}

std::size_t BatchWriteBody::size(std::span<const WriteRequest> requests) const {
  std::size_t size = head_.size() + tail_.size();
  for (const auto& request : requests) {
    size += 1 + (request.remove ? kKeyHead : kItemHead).size() + request.raw.size() + kItemTail.size();
  }
  return size;
}

void BatchWriteBody::build(std::span<const WriteRequest> requests, Slab& out) const {
  out.clear();
  out.append(head_);
  bool first = true;
  for (const auto& request : requests) {
    if (!std::exchange(first, false)) out.append(",");
    out.append(request.remove ? kKeyHead : kItemHead);
    out.append(request.raw);
    out.append(kItemTail);
  }
  out.append(tail_);
}

bool says_all_written(std::string_view body) {
  return std::ranges::find(kAllWritten, body) != std::end(kAllWritten);
}

Result<BatchWriteAnswer> parse_batch_write(std::string_view body, std::string_view table) {
  json::parse_options options;
  options.allow_invalid_utf8 = true;
  options.max_depth = kMaxJsonDepth;
  boost::system::error_code failure;
  const auto parsed = json::parse({body.data(), body.size()}, failure, {}, options);
  if (failure || !parsed.is_object()) return corrupt("it is no JSON object");
  const auto* unprocessed = parsed.get_object().if_contains("UnprocessedItems");
  if (!unprocessed || !unprocessed->is_object()) return corrupt("it does not say what was left unprocessed");

  BatchWriteAnswer answer;
  answer.wcu = capacity_in(parsed.get_object());
  for (const auto& [name, requests] : unprocessed->get_object()) {
    if (std::string_view(name) != table || !requests.is_array()) return corrupt("it names another table");
    for (const auto& request : requests.get_array()) {
      const auto* what = member(&request, "PutRequest", "Item");
      if (what == nullptr) what = member(&request, "DeleteRequest", "Key");
      if (what == nullptr || !what->is_object()) return corrupt("an unprocessed request is no write");
      answer.unprocessed.push_back(json::serialize(*what));
    }
  }
  return answer;
}

Result<std::vector<std::uint32_t>> match_by_key(const std::vector<std::string>& unprocessed,
                                                std::span<const std::string_view> records,
                                                const item::KeySchema& key) {
  // Keys of one value that are written differently cannot be told apart: then all of them count as
  // unprocessed.
  std::unordered_multimap<std::string, std::uint32_t> by_key;
  for (std::uint32_t i = 0; i < records.size(); ++i) {
    const auto found = item::find_key(records[i], key);
    if (!found) return corrupt("a written record has no key");
    by_key.emplace(item::key_bytes(*found), i);
  }
  std::vector<std::uint32_t> indexes;
  for (const auto& text : unprocessed) {
    const auto found = item::find_key(text, key);
    if (!found) return corrupt("an unprocessed item has no key");
    const auto [first, last] = by_key.equal_range(item::key_bytes(*found));
    if (first == last) return corrupt("an unprocessed item is none of those that were sent");
    for (auto record = first; record != last; ++record) indexes.push_back(record->second);
  }
  std::ranges::sort(indexes);
  const auto repeated = std::ranges::unique(indexes);
  indexes.erase(repeated.begin(), repeated.end());
  return indexes;
}

}  // namespace messina::endpoints
