#include "sim/bench_mode.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/hash.h"
#include "base/json_text.h"

namespace messina::sim {
namespace {

constexpr std::size_t kPageBytes = 1u << 20;
/// Different pages in circulation; with one, a batch that spans small pages would repeat its keys.
constexpr std::size_t kPages = 16;
constexpr std::size_t kSmallestItem = 64;
constexpr std::uint64_t kLongestDelayMs = 3'600'000;

Result<std::uint64_t> number(std::string_view name, std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  return fail(ErrorKind::usage, fmt::format("--bench: {} must be a whole number", name));
}

/// How far apart answers are whose keys were asked for one behind the other, where they are shuffled.
constexpr std::size_t kShuffle = 37;

/// A key's text is `k` and so many digits.
constexpr std::size_t kKeyDigits = 15;

std::string render_item(std::uint64_t key, std::size_t size, bool key_last) {
  const std::string pk = fmt::format(R"("pk":{{"S":"k{:0{}}"}})", key, kKeyDigits);
  std::string v = R"("v":{"S":")";
  constexpr std::string_view kEnd = "\"}", kAround = "{,}";
  v.append(size - pk.size() - v.size() - kEnd.size() - kAround.size(), 'x');
  v += kEnd;
  return key_last ? fmt::format("{{{},{}}}", v, pk) : fmt::format("{{{},{}}}", pk, v);
}

}  // namespace

Result<BenchOptions> parse_bench(std::string_view text) {
  BenchOptions options;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const std::size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    if (name == "table") {
      options.table = value;
      continue;
    }
    constexpr std::array kNumbers{"items", "size", "page-ms", "write-ms", "shuffled", "key-last"};
    if (std::ranges::find(kNumbers, name) == kNumbers.end()) {
      return fail(ErrorKind::usage,
                  fmt::format("--bench: unknown setting \"{}\"; it takes {}", name, kBenchSettings));
    }
    const auto amount = number(name, value);
    if (!amount) return fail(amount.error());
    if (name == "items") options.items = *amount;
    if (name == "shuffled") options.shuffled = *amount != 0;
    if (name == "key-last") options.key_last = *amount != 0;
    if (name == "size") options.size_bytes = *amount;
    if (name == "page-ms") options.page_delay = std::chrono::milliseconds(std::min(*amount, kLongestDelayMs));
    if (name == "write-ms")
      options.write_delay = std::chrono::milliseconds(std::min(*amount, kLongestDelayMs));
  }
  if (options.items == 0) return fail(ErrorKind::usage, "--bench: items=N is needed, N being 1 or more");
  if (options.size_bytes < kSmallestItem || options.size_bytes > kPageBytes / 2) {
    return fail(ErrorKind::usage,
                fmt::format("--bench: size must be {} to {}", kSmallestItem, kPageBytes / 2));
  }
  return options;
}

BenchMode::BenchMode(BenchOptions options, const Personality& personality)
    : options_(std::move(options)),
      sends_crc_(personality.sends_crc),
      page_items_(kPageBytes / options_.size_bytes),
      stride_(options_.size_bytes + 1) {
  for (std::size_t page = 0; options_.serves_pages && page < kPages; ++page) {
    std::string& text = pages_.emplace_back();
    text.reserve(page_items_ * stride_);
    for (std::size_t i = 0; i < page_items_; ++i) {
      if (i > 0) text.push_back(',');
      text += render_item(page * page_items_ + i, options_.size_bytes, options_.key_last);
    }
  }
  swallowed_ = finish(std::make_shared<const std::string>(R"({"UnprocessedItems":{}})"));
  swallowed_.wait = options_.write_delay;
}

Answer BenchMode::finish(std::shared_ptr<const std::string> body) const {
  Answer answer;
  answer.headers.emplace_back("Content-Type", "application/x-amz-json-1.0");
  if (sends_crc_) answer.headers.emplace_back("x-amz-crc32", std::to_string(crc32(*body)));
  answer.body = std::move(body);
  return answer;
}

std::optional<BenchAnswer> BenchMode::answer(const Request& request) const {
  const std::string_view operation = request.operation();
  if (operation == "BatchWriteItem") return BenchAnswer{swallowed_};
  if (operation == "Scan" && options_.serves_pages) return scan(request);
  if (operation == "BatchGetItem" && options_.serves_pages) return look_up(request);
  return std::nullopt;
}

std::string_view BenchMode::item(std::uint64_t key) const {
  const std::string& page = pages_[key / page_items_ % kPages];
  return std::string_view(page).substr(key % page_items_ * stride_, options_.size_bytes);
}

std::optional<BenchAnswer> BenchMode::look_up(const Request& request) const {
  // Keys are found by their beginnings: to parse the request would cost more than to answer it.
  constexpr std::string_view kTables = R"("RequestItems":{")", kKey = R"("S":"k)";
  const std::string_view text = request.body;
  const std::size_t tables = text.find(kTables);
  if (tables == std::string_view::npos) return std::nullopt;
  const std::string_view from_table = text.substr(tables + kTables.size());
  const std::string_view table = from_table.substr(0, from_table.find('"'));
  auto body = std::make_shared<std::string>();
  body->reserve(100 * stride_ + 512);
  *body += fmt::format(R"({{"Responses":{{"{}":[)", table);
  std::vector<std::uint64_t> keys;
  for (std::size_t at = text.find(kKey); at != std::string_view::npos; at = text.find(kKey, at)) {
    at += kKey.size();
    const auto key = number("key", text.substr(at, kKeyDigits));
    if (!key) return std::nullopt;
    keys.push_back(*key);
  }
  const std::size_t step = options_.shuffled ? kShuffle : 1;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i > 0) *body += ',';
    // Each once, as long as their number and the step have no common divisor.
    const bool once = std::gcd(step, keys.size()) == 1;
    *body += item(keys[once ? i * step % keys.size() : i]);
  }
  *body += R"(]},"UnprocessedKeys":{})";
  if (sends_crc_)
    *body +=
        fmt::format(R"(,"ConsumedCapacity":[{{"TableName":"{}","CapacityUnits":{}.0}}])", table, keys.size());
  *body += "}";
  return BenchAnswer{finish(std::move(body)), static_cast<double>(keys.size())};
}

std::optional<BenchAnswer> BenchMode::scan(const Request& request) const {
  if (check_json(request.body, {})) return std::nullopt;
  const Parameters parameters(request.body);
  if (parameters.text("TableName").value_or("") != options_.table) return std::nullopt;
  const auto total =
      static_cast<std::uint64_t>(parameters.integer("TotalSegments").value_or(std::nullopt).value_or(1));
  const auto segment =
      static_cast<std::uint64_t>(parameters.integer("Segment").value_or(std::nullopt).value_or(0));
  const auto limit = static_cast<std::size_t>(
      parameters.integer("Limit").value_or(std::nullopt).value_or(static_cast<std::int64_t>(page_items_)));
  if (total == 0 || segment >= total || limit == 0) return std::nullopt;

  // The cursor is the number of items of the segment that were served: {"pk":{"S":"SEGMENT/POSITION"}}.
  std::uint64_t position = 0;
  if (const auto start = parameters.raw("ExclusiveStartKey"); start && start->starts_with('{')) {
    const std::string cursor = Parameters(Parameters(*start).raw("pk").value_or("{}")).text("S").value_or("");
    const std::size_t slash = cursor.find('/');
    if (slash == std::string::npos || cursor.substr(0, slash) != std::to_string(segment)) return std::nullopt;
    const auto parsed = number("cursor", std::string_view(cursor).substr(slash + 1));
    if (!parsed) return std::nullopt;
    position = *parsed;
  }
  const std::uint64_t in_segment = options_.items / total + (segment < options_.items % total ? 1 : 0);
  const std::uint64_t left = in_segment - std::min(position, in_segment);
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>({page_items_, limit, left}));
  const std::string& items = pages_[(position / page_items_ + segment) % kPages];

  auto body = std::make_shared<std::string>();
  body->reserve(count * stride_ + 512);
  *body += fmt::format("{{\"Count\":{0},\"ScannedCount\":{0},\"Items\":[", count);
  body->append(items, 0, count == 0 ? 0 : count * stride_ - 1);
  *body += "]";
  if (count < left)
    *body += fmt::format(R"(,"LastEvaluatedKey":{{"pk":{{"S":"{}/{}"}}}})", segment, position + count);
  const double units = std::max(1.0, std::ceil(static_cast<double>(count * options_.size_bytes) / 4096)) *
                       (parameters.flag("ConsistentRead").value_or(false) ? 1.0 : 0.5);
  if (sends_crc_ && parameters.text("ReturnConsumedCapacity", "NONE") != "NONE") {
    *body += fmt::format(R"(,"ConsumedCapacity":{{"TableName":{},"CapacityUnits":{:.1f}}})",
                         json_string(options_.table), units);
  }
  *body += "}";
  BenchAnswer answer{finish(std::move(body)), units};
  answer.answer.wait = options_.page_delay;
  return answer;
}

}  // namespace messina::sim
