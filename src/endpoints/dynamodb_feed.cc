#include "endpoints/dynamodb_feed.h"

#include "aws/times.h"
#include "endpoints/stream_json.h"
#include "endpoints/table_json.h"
#include "item/json_cursor.h"

namespace messina::endpoints {
namespace {

/// A stream's shards fill a few pages of a hundred; a server that has more to say for ever is broken.
constexpr int kMaxDescriptionPages = 10'000;

class StreamFeed final : public Feed {
 public:
  StreamFeed(net::EventLoop& loop, FeedParts parts) : loop_(loop), parts_(std::move(parts)) {}

  FeedLimits limits() const override { return parts_.limits; }
  Task<Result<std::optional<StreamArn>>> find() override;
  Task<Result<StreamDescription>> describe(StreamArn arn) override;
  Task<Result<void>> enable(StreamView view) override;
  Task<Result<std::string>> iterator(StreamArn arn, ShardId shard, ShardStart start) override;
  Task<Result<FeedPage>> next(std::string iterator) override;
  void recycle(FeedPage page) override;

 private:
  /// One call whose answer is text for `parse`.
  template <class Parse>
  auto ask(aws::DynamoDbClient& client, aws::Operation operation, std::string body, Parse parse,
           WallTime* answered_at = nullptr) -> Task<decltype(parse(std::string_view()))>;
  WallTime server_time(const net::Headers& headers) const;

  net::EventLoop& loop_;
  FeedParts parts_;
  item::StreamPageSplitter splitter_;
  item::StreamPageSpans spans_;
  std::vector<std::vector<item::StreamRecord>> spare_records_;
};

/// Vectors of records kept for the next pages.
constexpr std::size_t kMaxSpareRecords = 64;

template <class Parse>
auto StreamFeed::ask(aws::DynamoDbClient& client, aws::Operation operation, std::string body, Parse parse,
                     WallTime* answered_at) -> Task<decltype(parse(std::string_view()))> {
  auto answer = co_await client.call(operation, body);
  if (!answer) co_return fail(answer.error());
  if (answered_at != nullptr) *answered_at = server_time(answer->headers);
  auto result = parse(answer->body.view());
  loop_.slabs().give_back(std::move(answer->body));
  if (!result) co_return fail(aws::classify_damage(operation, result.error().message, client.display()));
  co_return result;
}

WallTime StreamFeed::server_time(const net::Headers& headers) const {
  const auto date = headers.find("Date");
  const auto told = date ? aws::parse_http_date(*date) : std::nullopt;
  return told.value_or(loop_.wall());
}

Task<Result<std::optional<StreamArn>>> StreamFeed::find() {
  auto body = table_request(parts_.table);
  auto arn = co_await ask(*parts_.tables, aws::kDescribeTable, std::move(body), parse_latest_stream);
  co_return arn;
}

Task<Result<StreamDescription>> StreamFeed::describe(StreamArn arn) {
  StreamDescription stream;
  stream.arn = arn;
  stream.asked_at = loop_.now();
  std::optional<ShardId> after;
  for (int page = 0; page < kMaxDescriptionPages; ++page) {
    auto body = describe_stream_request(arn, after);
    const auto parse = [&stream](std::string_view text) { return parse_describe_stream(text, stream); };
    WallTime* const when = page == 0 ? &stream.answered_at : nullptr;
    auto next = co_await ask(*parts_.streams, aws::kDescribeStream, std::move(body), parse, when);
    if (!next) co_return fail(next.error());
    if (!*next) co_return stream;
    // Asked for the same page again, the server would give it again.
    if (after && **next == *after) break;
    after = std::move(*next);
  }
  co_return fail(
      aws::classify_damage(aws::kDescribeStream, "its pages have no end", parts_.streams->display()));
}

Task<Result<void>> StreamFeed::enable(StreamView view) {
  auto body = enable_stream_request(parts_.table, view);
  const auto parse = [](std::string_view) { return Result<void>(); };
  auto done = co_await ask(*parts_.tables, aws::kUpdateTable, std::move(body), parse);
  co_return done;
}

Task<Result<std::string>> StreamFeed::iterator(StreamArn arn, ShardId shard, ShardStart start) {
  auto body = shard_iterator_request(arn, shard, start);
  auto found = co_await ask(*parts_.streams, aws::kGetShardIterator, std::move(body), parse_iterator);
  co_return found;
}

Task<Result<FeedPage>> StreamFeed::next(std::string iterator) {
  const auto body = records_request(iterator);
  auto answer = co_await parts_.streams->call(aws::kGetRecords, body);
  if (!answer) co_return fail(answer.error());
  if (!spare_records_.empty()) {
    spans_.records = std::move(spare_records_.back());
    spare_records_.pop_back();
  }
  FeedPage page;
  const auto split = splitter_.split(answer->body.view(), spans_);
  if (split && !item::unescape_json(spans_.next_iterator, page.next_iterator)) {
    spans_.records.clear();
    loop_.slabs().give_back(std::move(answer->body));
    co_return fail(
        aws::classify_damage(aws::kGetRecords, "its iterator is no text", parts_.streams->display()));
  }
  if (!split) {
    loop_.slabs().give_back(std::move(answer->body));
    co_return fail(aws::classify_damage(aws::kGetRecords, split.error().message, parts_.streams->display()));
  }
  page.sent_at = answer->sent_at;
  page.answered_at = server_time(answer->headers);
  page.records = std::move(spans_.records);
  spans_.records.clear();
  page.bytes = std::move(answer->body);
  co_return page;
}

void StreamFeed::recycle(FeedPage page) {
  loop_.slabs().give_back(std::move(page.bytes));
  if (spare_records_.size() >= kMaxSpareRecords) return;
  page.records.clear();
  spare_records_.push_back(std::move(page.records));
}

}  // namespace

std::unique_ptr<Feed> make_feed(net::EventLoop& loop, FeedParts parts) {
  return std::make_unique<StreamFeed>(loop, std::move(parts));
}

}  // namespace messina::endpoints
