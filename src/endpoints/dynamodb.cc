#include "endpoints/dynamodb.h"

#include <map>
#include <utility>

#include "aws/cloudwatch.h"
#include "base/log.h"
#include "endpoints/dynamodb_feed.h"
#include "endpoints/dynamodb_table.h"
#include "endpoints/scan_request.h"
#include "endpoints/table_json.h"

namespace messina::endpoints {
namespace {

/// Pages of ListTagsOfResource: a resource has at most 50 tags, so more pages are a server's mistake.
constexpr int kMaxTagPages = 100;
/// Vectors of views kept for the next pages.
constexpr std::size_t kMaxSpareViews = 64;

class TableCatalog final : public Catalog {
 public:
  explicit TableCatalog(std::shared_ptr<Table> table) : table_(std::move(table)) {}

  Task<Result<TableDescription>> describe(std::vector<std::string>* notes) override;
  Task<Result<std::string>> table_id() override;
  Task<Result<void>> create(const TableDescription& wanted) override;
  Task<Result<bool>> empty() override;
  Task<Result<void>> remove() override;
  Task<Result<void>> tag(std::map<std::string, std::string> tags) override;

 private:
  Task<Result<void>> read_ttl(TableDescription& description);
  Task<Result<void>> read_tags(TableDescription& description);
  /// True if the caller may go on without what failed.
  static bool dispensable(const Error& error, std::string_view what, std::vector<std::string>* notes);

  std::shared_ptr<Table> table_;
};

bool TableCatalog::dispensable(const Error& error, std::string_view what, std::vector<std::string>* notes) {
  const bool missing = error.kind == ErrorKind::denied || error.kind == ErrorKind::config;
  if (missing && notes) notes->push_back(fmt::format("{} unknown: {}", what, error.message));
  return missing;
}

Task<Result<TableDescription>> TableCatalog::describe(std::vector<std::string>* notes) {
  auto description = co_await table_->describe_table();
  if (!description) co_return description;
  const auto ttl = co_await read_ttl(*description);
  if (!ttl && !dispensable(ttl.error(), "TTL", notes)) co_return fail(ttl.error());
  const auto tags = co_await read_tags(*description);
  if (!tags && !dispensable(tags.error(), "tags", notes)) co_return fail(tags.error());
  co_return description;
}

Task<Result<std::string>> TableCatalog::table_id() {
  auto description = co_await table_->describe_table();
  if (!description) co_return fail(description.error());
  co_return std::move(description->id);
}

Task<Result<void>> TableCatalog::read_ttl(TableDescription& description) {
  auto body = table_request(table_->name);
  auto ttl = co_await table_->ask(aws::kDescribeTimeToLive, std::move(body), parse_time_to_live);
  if (!ttl) co_return fail(ttl.error());
  description.ttl_attribute = std::move(*ttl);
  co_return Result<void>();
}

Task<Result<void>> TableCatalog::read_tags(TableDescription& description) {
  if (description.arn.empty()) co_return Result<void>();
  std::string token;
  for (int page = 0; page < kMaxTagPages; ++page) {
    auto body = list_tags_request(description.arn, token);
    const auto parse = [&description](std::string_view text) { return parse_tags(text, description.tags); };
    auto next = co_await table_->ask(aws::kListTagsOfResource, std::move(body), parse);
    if (!next) co_return fail(next.error());
    token = std::move(*next);
    if (token.empty()) break;
  }
  co_return Result<void>();
}

Task<Result<void>> TableCatalog::create(const TableDescription& wanted) {
  const auto body = create_table_request(wanted);
  auto answer = co_await table_->client.call(aws::kCreateTable, body);
  if (!answer) co_return fail(answer.error());
  table_->loop.slabs().give_back(std::move(answer->body));
  co_return Result<void>();
}

Task<Result<void>> TableCatalog::remove() {
  const auto body = table_request(table_->name);
  auto answer = co_await table_->client.call(aws::kDeleteTable, body);
  if (!answer) co_return fail(answer.error());
  table_->loop.slabs().give_back(std::move(answer->body));
  co_return Result<void>();
}

Task<Result<void>> TableCatalog::tag(std::map<std::string, std::string> tags) {
  auto description = co_await table_->describe_table();
  if (!description) co_return fail(description.error());
  const auto body = tag_request(description->arn, tags);
  auto answer = co_await table_->client.call(aws::kTagResource, body);
  if (!answer) co_return fail(answer.error());
  table_->loop.slabs().give_back(std::move(answer->body));
  co_return Result<void>();
}

Task<Result<bool>> TableCatalog::empty() {
  ScanRequest request;
  request.table = table_->name.value;
  request.limit = 1;
  std::string last_key;
  // A page may be empty and yet not the last one (deleted items are passed over on ScyllaDB).
  for (;;) {
    request.start_key = last_key;
    auto body = scan_request(request);
    const auto parse = [this, &last_key](std::string_view text) -> Result<std::pair<bool, std::string>> {
      auto& spans = table_->spans;
      const auto split = table_->split_page(text, last_key);
      if (!split) return fail(split.error());
      return std::pair(!spans.items.empty(), std::string(spans.last_evaluated_key));
    };
    auto page = co_await table_->ask(aws::kScan, std::move(body), parse);
    if (!page) co_return fail(page.error());
    if (page->first) co_return false;
    if (page->second.empty()) co_return true;
    last_key = std::move(page->second);
  }
}

/// ListTables belongs to no table, but the connection and the signature are the same.
class TableListing final : public Listing {
 public:
  explicit TableListing(std::shared_ptr<Table> table) : table_(std::move(table)) {}

  Task<Result<Names>> list(const std::string& after) override {
    auto body = list_tables_request(after);
    auto names = co_await table_->ask(aws::kListTables, std::move(body), parse_list_tables);
    co_return names;
  }

 private:
  std::shared_ptr<Table> table_;
};

class TableScan final : public Scannable {
 public:
  explicit TableScan(std::shared_ptr<Table> table) : table_(std::move(table)) {}

  Task<Result<std::vector<Unit>>> plan(const PlanHints& hints) override;
  Task<Result<Page>> read(const Unit& unit, const Cursor& cursor) override {
    return read_some(unit, cursor, 0);
  }
  Task<Result<Page>> read_some(const Unit& unit, const Cursor& cursor, std::uint32_t most_items) override {
    return read_page(unit, cursor, most_items, nullptr);
  }
  Task<Result<Page>> read_keys(const Unit& unit, const Cursor& cursor) override;
  Task<Result<Page>> read_projected(const Unit& unit, const Cursor& cursor,
                                    const Projection& projection) override {
    return read_page(unit, cursor, 0, &projection);
  }
  double consistency() const override { return table_->consistent_reads ? 1 : 0.5; }
  void recycle(Page page) override;

 private:
  /// `projection` null: whole items of the table.
  Task<Result<Page>> read_page(const Unit& unit, const Cursor& cursor, std::uint32_t most_items,
                               const Projection* projection);

  std::shared_ptr<Table> table_;
  Projection keys_;  ///< of the table; empty until they are asked for
  std::vector<std::vector<std::string_view>> spare_views_;
};

Task<Result<std::vector<Unit>>> TableScan::plan(const PlanHints& hints) {
  std::optional<std::uint64_t> size;
  if (!hints.segments) {
    const auto description = co_await table_->describe_table();
    if (!description) co_return fail(description.error());
    size = description->size_bytes;
  }
  const auto total = segment_count(size, hints);
  std::vector<Unit> units;
  units.reserve(total);
  for (std::uint32_t i = 0; i < total; ++i) units.push_back(segment_unit({i, total}));
  co_return units;
}

Task<Result<Page>> TableScan::read_keys(const Unit& unit, const Cursor& cursor) {
  if (keys_.attributes.empty()) {
    if (!table_->key) {
      const auto description = co_await table_->describe_table();
      if (!description) co_return fail(description.error());
    }
    keys_.attributes = {table_->key->partition.name};
    if (table_->key->sort) keys_.attributes.push_back(table_->key->sort->name);
  }
  Result<Page> page = co_await read_page(unit, cursor, 0, &keys_);
  co_return page;
}

Task<Result<Page>> TableScan::read_page(const Unit& unit, const Cursor& cursor, std::uint32_t most_items,
                                        const Projection* projection) {
  const auto segment = parse_segment(unit);
  if (!segment) co_return fail(segment.error());
  const auto start_key = key_in(cursor);
  if (!start_key) co_return fail(start_key.error());
  ScanRequest request;
  request.table = table_->name.value;
  request.segment = *segment;
  request.start_key = *start_key;
  request.report_capacity = !table_->alternator;
  request.consistent = table_->consistent_reads;
  if (most_items > 0) request.limit = most_items;
  if (projection != nullptr) {
    request.index = projection->index;
    request.attributes = projection->attributes;
    if (!projection->index.empty()) request.consistent = false;
  }
  const auto body = scan_request(request);

  auto answer = co_await table_->client.call(aws::kScan, body);
  if (!answer) co_return fail(answer.error());
  auto& spans = table_->spans;
  if (!spare_views_.empty()) {
    spans.items = std::move(spare_views_.back());
    spare_views_.pop_back();
  }
  const auto split = table_->split_page(answer->body.view(), *start_key);
  if (!split) {
    spans.items.clear();
    table_->loop.slabs().give_back(std::move(answer->body));
    co_return fail(aws::classify_damage(aws::kScan, split.error().message, table_->client.display()));
  }
  Page page;
  page.sent_at = answer->sent_at;
  page.end = spans.last_evaluated_key.empty();
  if (!page.end) page.next = cursor_after(spans.last_evaluated_key);
  page.cost_rcu = spans.consumed_capacity.value_or(estimated_rcu(answer->body.size(), request.consistent));
  page.records = std::move(spans.items);
  spans.items.clear();
  page.bytes = std::move(answer->body);
  co_return page;
}

void TableScan::recycle(Page page) {
  table_->loop.slabs().give_back(std::move(page.bytes));
  if (spare_views_.size() >= kMaxSpareViews) return;
  page.records.clear();
  spare_views_.push_back(std::move(page.records));
}

class DynamoDbCapacity final : public Capacity {
 public:
  /// `cloudwatch` may be null.
  DynamoDbCapacity(std::shared_ptr<Table> table, std::unique_ptr<aws::DynamoDbClient> cloudwatch)
      : table_(std::move(table)), cloudwatch_(std::move(cloudwatch)) {}

  Task<Result<TableCapacity>> describe() override {
    const auto description = co_await table_->describe_table();
    if (!description) co_return fail(description.error());
    co_return capacity_of(*description);
  }
  Task<Result<std::vector<Consumption>>> consumed(WallTime from, WallTime to) override;

 private:
  std::shared_ptr<Table> table_;
  std::unique_ptr<aws::DynamoDbClient> cloudwatch_;
};

Task<Result<std::vector<Consumption>>> DynamoDbCapacity::consumed(WallTime from, WallTime to) {
  if (!cloudwatch_) {
    co_return fail(ErrorKind::config,
                   fmt::format("{}: there is no CloudWatch beside this DynamoDB", table_->client.display()));
  }
  const auto body = aws::consumed_units_request(table_->name.value, from, to);
  auto answer = co_await cloudwatch_->call(aws::kGetMetricData, body);
  if (!answer) co_return fail(answer.error());
  const auto parsed = aws::parse_consumed_units(answer->body.view());
  table_->loop.slabs().give_back(std::move(answer->body));
  if (!parsed)
    co_return fail(aws::classify_damage(aws::kGetMetricData, parsed.error().message, cloudwatch_->display()));
  std::map<WallTime, Consumption> periods;
  for (const bool reads : {true, false}) {
    for (const aws::MetricPoint& point : reads ? parsed->reads : parsed->writes) {
      Consumption& period = periods[point.from];
      period.from = point.from;
      period.period = aws::kMetricsPeriod;
      (reads ? period.reads : period.writes) = point.sum;
    }
  }
  std::vector<Consumption> consumed;
  for (const auto& [time, period] : periods) consumed.push_back(period);
  co_return consumed;
}

/// The connections to a service of one address.
std::shared_ptr<aws::NodePools> pools_of(net::EventLoop& loop, const DynamoDbOptions& options,
                                         const net::Origin& origin, std::string_view service) {
  aws::NodeSetOptions set;
  set.contact = origin;
  set.display = fmt::format("{} {}", service, aws::host_header(origin));
  return aws::NodePools::make(loop, std::make_shared<aws::NodeSet>(std::move(set)), options.http,
                              options.proxy_for);
}

/// CloudWatch is asked once a minute.
std::unique_ptr<aws::DynamoDbClient> make_cloudwatch(net::EventLoop& loop, const DynamoDbOptions& options) {
  if (!options.cloudwatch) return nullptr;
  auto pools = pools_of(loop, options, *options.cloudwatch, "cloudwatch");
  aws::DynamoDbClientOptions client;
  client.display = fmt::format("table \"{}\" (cloudwatch, {})", options.table, options.region);
  client.region = options.region;
  client.service = aws::kCloudWatchService;
  client.api = aws::kCloudWatchApi;
  client.credentials = options.credentials;
  return std::make_unique<aws::DynamoDbClient>(loop, std::move(pools), std::move(client));
}

/// The feed of a table whose streams are asked through `pools` as its own calls are through `table_pools`.
std::unique_ptr<Feed> feed_of(net::EventLoop& loop, const TableName& table,
                              const std::shared_ptr<aws::NodePools>& table_pools,
                              const std::shared_ptr<aws::NodePools>& pools,
                              const aws::DynamoDbClientOptions& options, const FeedLimits& limits) {
  aws::DynamoDbClientOptions streams = options;
  streams.display = "the stream of " + options.display;
  streams.api = kStreamsApi;
  streams.gzip_requests = false;
  FeedParts parts;
  parts.table = table;
  parts.tables = std::make_unique<aws::DynamoDbClient>(loop, table_pools, options);
  parts.streams = std::make_unique<aws::DynamoDbClient>(loop, pools, std::move(streams));
  parts.limits = limits;
  return make_feed(loop, std::move(parts));
}

/// `table "orders" (dynamodb, us-east-1)`; without a table the whole of it.
std::string named(const std::string& table, std::string_view kind, std::string_view where) {
  return table.empty() ? fmt::format("{}, {}", kind, where)
                       : fmt::format("table \"{}\" ({}, {})", table, kind, where);
}

Endpoint assemble(std::shared_ptr<Table> table, std::string authority) {
  Endpoint endpoint;
  endpoint.display = table->client.display();
  endpoint.authority = std::move(authority);
  endpoint.table = table->name;
  endpoint.catalog = std::make_unique<TableCatalog>(table);
  endpoint.listing = std::make_unique<TableListing>(table);
  endpoint.scan = std::make_unique<TableScan>(table);
  endpoint.put = make_writable(table);
  endpoint.get = make_lookup(std::move(table));
  return endpoint;
}

}  // namespace

AlternatorCluster::AlternatorCluster(const AlternatorOptions& options)
    : max_batch_items(std::make_shared<std::atomic<std::size_t>>(options.max_batch_items)) {
  aws::NodeSetOptions set;
  set.contact = options.contact;
  set.discover = options.discover_nodes;
  set.datacenter = options.datacenter;
  set.rack = options.rack;
  set.display = "alternator " + aws::host_header(options.contact);
  nodes = std::make_shared<aws::NodeSet>(std::move(set));
}

Endpoint make_dynamodb(net::EventLoop& loop, const DynamoDbOptions& options, SharedPools* shared) {
  SharedPools own;
  SharedPools& pools = shared != nullptr ? *shared : own;
  if (!pools) pools = pools_of(loop, options, options.origin, "dynamodb");
  aws::DynamoDbClientOptions client;
  client.display = named(options.table, "dynamodb", options.region);
  client.region = options.region;
  client.credentials = options.credentials;
  client.clocks = options.clocks;
  auto table = std::make_shared<Table>(loop, pools, client, TableName{options.table},
                                       std::make_shared<std::atomic<std::size_t>>(options.max_batch_items));
  table->consistent_reads = options.consistent_reads;
  Endpoint endpoint =
      assemble(table, fmt::format("dynamodb {} {}", aws::host_header(options.origin), options.account_hint));
  endpoint.capacity = std::make_unique<DynamoDbCapacity>(table, make_cloudwatch(loop, options));
  if (options.streams) {
    // On AWS the streams have an address, and so connections, of their own.
    const bool same = *options.streams == options.origin;
    const auto streams = same ? pools : pools_of(loop, options, *options.streams, "streams");
    endpoint.feed = feed_of(loop, table->name, pools, streams, client, FeedLimits());
  }
  return endpoint;
}

Endpoint make_alternator(net::EventLoop& loop, const AlternatorOptions& options,
                         const std::shared_ptr<AlternatorCluster>& cluster, SharedPools* shared) {
  SharedPools own;
  SharedPools& pools = shared != nullptr ? *shared : own;
  if (!pools) pools = aws::NodePools::make(loop, cluster->nodes, options.http, options.proxy_for);
  const auto address = aws::host_header(options.contact);
  aws::DynamoDbClientOptions client;
  client.display = named(options.table, "alternator", address);
  client.region = options.region;
  client.credentials = options.credentials;
  client.clocks = options.clocks;
  client.alternator = true;
  client.gzip_requests = options.gzip_requests;
  auto table =
      std::make_shared<Table>(loop, pools, client, TableName{options.table}, cluster->max_batch_items);
  table->consistent_reads = options.consistent_reads;
  Endpoint endpoint = assemble(table, "alternator " + address);
  FeedLimits limits;
  limits.lateness = kAlternatorLateness;
  limits.images_in_order = false;
  endpoint.feed = feed_of(loop, table->name, pools, pools, client, limits);
  return endpoint;
}

}  // namespace messina::endpoints
