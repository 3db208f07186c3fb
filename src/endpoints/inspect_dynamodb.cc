#include "endpoints/inspect_dynamodb.h"

#include <boost/asio/ip/address.hpp>

#include "aws/node_set.h"
#include "aws/sts.h"
#include "aws/times.h"
#include "base/json_text.h"
#include "base/log.h"
#include "endpoints/inspect_json.h"
#include "endpoints/stream_json.h"
#include "endpoints/table_json.h"

namespace messina::endpoints {
namespace {

using aws::Operation;
using aws::OperationKind;

constexpr std::string_view kDynamoDbTarget = "DynamoDB_20120810";
constexpr std::string_view kStreamsTarget = "DynamoDBStreams_20120810";
constexpr std::string_view kKeyTarget = "TrentService";
/// ScyllaDB's own name for CQL's table system.versions (ScyllaDB: Alternator-specific APIs, "Accessing system
/// tables").
constexpr std::string_view kVersionsTable = ".scylla.alternator.system.versions";
/// More nodes than these are not asked one by one.
constexpr std::size_t kMaxNodesAsked = 100;
/// Nodes are near each other: one that takes longer is not well, and the next one waits for it.
constexpr std::chrono::milliseconds kNodeTimeout{2'000};

struct Options {
  std::string display;
  TableName table;
  bool alternator = false;
  std::string region;
  net::Origin origin;
  std::string node_path;  ///< of /localnodes, with the filters
  SideServices services;
  std::shared_ptr<aws::CredentialsProvider> credentials;
  std::shared_ptr<aws::ServerClocks> clocks;  ///< never null
  net::ClientOptions http;
  aws::NodePools::ProxyFor proxy_for;
};

class TableInspect final : public Inspect {
 public:
  TableInspect(net::EventLoop& loop, Options options) : loop_(loop), options_(std::move(options)) {}

  bool with_credentials() const override { return options_.credentials != nullptr; }
  Task<Result<ServerSeen>> server() override;
  Task<Result<std::vector<NodeSeen>>> nodes() override;
  Task<Result<std::string>> version() override;
  Task<Result<TableSeen>> describe() override;
  Task<Result<std::optional<std::string>>> time_to_live() override;
  Task<Result<std::map<std::string, std::string>>> tags(std::string arn) override;
  Task<Result<bool>> point_in_time_recovery() override;
  Task<Result<std::vector<std::string>>> kinesis_destinations() override;
  Task<Result<bool>> resource_policy(std::string arn) override;
  Task<Result<Quotas>> quotas() override;
  Task<Result<bool>> scan_one() override;
  Task<Result<void>> get_absent(item::KeySchema key) override;
  Task<Result<void>> refused_write(item::KeySchema key) override;
  Task<Result<void>> refused_create() override;
  Task<Result<std::vector<std::string>>> streams() override;
  Task<Result<StreamSeen>> stream(std::string arn) override;
  Task<Result<std::string>> shard_iterator(StreamSeen from) override;
  Task<Result<std::size_t>> records(std::string iterator) override;
  Task<Result<Caller>> caller() override;
  Task<Result<KeySeen>> encryption_key(std::string key_arn) override;

 private:
  using Clients = std::unique_ptr<aws::ServiceClient>;

  /// The client of one service, made when it is first needed: a connection pool with TLS is not cheap.
  aws::ServiceClient& client(Clients& slot, const net::Origin& origin, std::string_view signing_name,
                             std::string display);
  aws::ServiceClient& tables() { return client(tables_, options_.origin, "dynamodb", options_.display); }
  /// One call of the Streams endpoint.
  template <class Parse>
  auto ask_streams(std::string_view operation, std::string body, Parse parse)
      -> Task<decltype(parse(std::string_view()))>;
  /// `http`: with the timeouts for it.
  Task<Result<ServerSeen>> look_at(net::Origin origin, net::ClientOptions http);
  /// One call about the table whose answer is text for `parse`.
  template <class Parse>
  auto ask(aws::ServiceClient& service, std::string_view target, std::string_view operation, std::string body,
           Parse parse) -> Task<decltype(parse(std::string_view()))>;
  /// One call that must be refused for what it says.
  Task<Result<void>> be_refused(Operation operation, std::string body);

  net::EventLoop& loop_;
  const Options options_;
  Clients tables_, streams_, kms_;
};

aws::ServiceClient& TableInspect::client(Clients& slot, const net::Origin& origin,
                                         std::string_view signing_name, std::string display) {
  if (slot) return *slot;
  aws::ServiceClientOptions options;
  options.display = std::move(display);
  options.region = options_.region;
  options.signing_name = signing_name;
  options.origin = origin;
  options.http = options_.http;
  if (options_.proxy_for) options.http.proxy = options_.proxy_for(origin);
  options.credentials = options_.credentials;
  options.clocks = options_.clocks;
  options.send_session_token = !options_.alternator;
  slot = std::make_unique<aws::ServiceClient>(loop_, std::move(options));
  return *slot;
}

template <class Parse>
auto TableInspect::ask(aws::ServiceClient& service, std::string_view target, std::string_view operation,
                       std::string body, Parse parse) -> Task<decltype(parse(std::string_view()))> {
  const Operation call{operation, OperationKind::read};
  std::string prefix(target);
  auto answer = co_await service.json(call, std::move(prefix), std::move(body));
  if (!answer) co_return fail(answer.error());
  auto result = parse(*answer);
  if (!result) co_return fail(aws::classify_damage(call, result.error().message, options_.display));
  co_return result;
}

template <class Parse>
auto TableInspect::ask_streams(std::string_view operation, std::string body, Parse parse)
    -> Task<decltype(parse(std::string_view()))> {
  const auto& where = options_.services.streams;
  if (!where) co_return fail(where.error());
  auto& service = client(streams_, *where, "dynamodb", fmt::format("the streams of {}", options_.display));
  auto answer = co_await ask(service, kStreamsTarget, operation, std::move(body), parse);
  co_return answer;
}

// ---------------------------------------------------------------------------------------------- servers

Task<Result<ServerSeen>> TableInspect::look_at(net::Origin origin, net::ClientOptions http) {
  const std::string host = aws::host_header(origin);
  aws::ServiceClientOptions options;
  options.display = host;
  options.http = std::move(http);
  if (options_.proxy_for) options.http.proxy = options_.proxy_for(origin);
  options.origin = std::move(origin);
  aws::ServiceClient service(loop_, std::move(options));
  const auto sent = loop_.now();
  std::string path = "/";
  auto response = co_await service.page(std::move(path));
  if (!response) co_return fail(response.error());
  const auto wall = loop_.wall();
  const auto took = loop_.now() - sent;
  ServerSeen seen;
  seen.host = host;
  seen.healthy = response->status == 200 && response->body.view().starts_with("healthy");
  if (const auto software = response->headers.find("server")) seen.software = log::valid_utf8(*software);
  seen.round_trip = std::chrono::duration_cast<std::chrono::milliseconds>(took);
  const auto date = response->headers.find("date");
  if (const auto time = date ? aws::parse_http_date(*date) : std::nullopt) {
    const auto middle = wall - std::chrono::duration_cast<WallTime::duration>(took / 2);
    seen.clock_ahead = std::chrono::duration_cast<std::chrono::milliseconds>(*time + kDateError - middle);
  }
  loop_.slabs().give_back(std::move(response->body));
  co_return seen;
}

Task<Result<ServerSeen>> TableInspect::server() {
  net::Origin origin = options_.origin;
  net::ClientOptions http = options_.http;
  auto seen = co_await look_at(std::move(origin), std::move(http));
  co_return seen;
}

Task<Result<std::vector<NodeSeen>>> TableInspect::nodes() {
  std::vector<NodeSeen> nodes;
  if (!options_.alternator) co_return nodes;
  std::string path = options_.node_path;
  auto response = co_await tables().page(std::move(path));
  if (!response) co_return fail(response.error());
  const auto hosts = response->status == 200 ? aws::parse_localnodes(response->body.view()) : std::nullopt;
  const int status = response->status;
  loop_.slabs().give_back(std::move(response->body));
  if (!hosts) {
    co_return fail(ErrorKind::config,
                   fmt::format("{}: /localnodes was answered HTTP {}, and with no list of nodes",
                               options_.display, status));
  }
  for (const auto& host : *hosts) {
    if (nodes.size() == kMaxNodesAsked) break;
    net::Origin origin{host, options_.origin.port, options_.origin.tls};
    const std::string name = aws::host_header(origin);
    net::ClientOptions http = options_.http;
    http.connect_timeout = kNodeTimeout;
    http.answer_timeout = kNodeTimeout;
    auto seen = co_await look_at(std::move(origin), std::move(http));
    nodes.push_back({name, std::move(seen)});
  }
  co_return nodes;
}

Task<Result<std::string>> TableInspect::version() {
  if (!options_.alternator) co_return std::string();
  auto body = fmt::format(R"({{"TableName":"{}","Limit":1}})", kVersionsTable);
  auto version = co_await ask(tables(), kDynamoDbTarget, "Scan", std::move(body), parse_versions);
  co_return version;
}

// ------------------------------------------------------------------------------------------- the table

Task<Result<TableSeen>> TableInspect::describe() {
  auto body = table_request(options_.table);
  auto seen = co_await ask(tables(), kDynamoDbTarget, "DescribeTable", std::move(body), parse_table_seen);
  co_return seen;
}

Task<Result<std::optional<std::string>>> TableInspect::time_to_live() {
  auto body = table_request(options_.table);
  auto ttl =
      co_await ask(tables(), kDynamoDbTarget, "DescribeTimeToLive", std::move(body), parse_time_to_live);
  co_return ttl;
}

Task<Result<std::map<std::string, std::string>>> TableInspect::tags(std::string arn) {
  using Tags = std::map<std::string, std::string>;
  auto body = list_tags_request(arn, "");
  const auto parse = [](std::string_view text) -> Result<Tags> {
    Tags tags;
    const auto next = parse_tags(text, tags);
    if (!next) return fail(next.error());
    return tags;
  };
  auto tags = co_await ask(tables(), kDynamoDbTarget, "ListTagsOfResource", std::move(body), parse);
  co_return tags;
}

Task<Result<bool>> TableInspect::point_in_time_recovery() {
  auto body = table_request(options_.table);
  auto on =
      co_await ask(tables(), kDynamoDbTarget, "DescribeContinuousBackups", std::move(body), parse_recovery);
  co_return on;
}

Task<Result<std::vector<std::string>>> TableInspect::kinesis_destinations() {
  auto body = table_request(options_.table);
  auto arns = co_await ask(tables(), kDynamoDbTarget, "DescribeKinesisStreamingDestination", std::move(body),
                           parse_kinesis);
  co_return arns;
}

Task<Result<bool>> TableInspect::resource_policy(std::string arn) {
  auto body = list_tags_request(arn, "");
  const auto parse = [](std::string_view) -> Result<bool> { return true; };
  auto there = co_await ask(tables(), kDynamoDbTarget, "GetResourcePolicy", std::move(body), parse);
  if (!there && there.error().code == "PolicyNotFoundException") co_return false;
  co_return there;
}

Task<Result<Quotas>> TableInspect::quotas() {
  std::string body = "{}";
  auto quotas = co_await ask(tables(), kDynamoDbTarget, "DescribeLimits", std::move(body), parse_quotas);
  co_return quotas;
}

Task<Result<bool>> TableInspect::scan_one() {
  auto body = fmt::format(R"({{"TableName":"{}","Limit":1,"ConsistentRead":true}})", options_.table.value);
  const auto parse = [](std::string_view text) -> Result<bool> {
    // Not read further: an item's contents are nobody's business here.
    return text.find("\"Items\":[{") != std::string_view::npos;
  };
  auto found = co_await ask(tables(), kDynamoDbTarget, "Scan", std::move(body), parse);
  co_return found;
}

Task<Result<void>> TableInspect::get_absent(item::KeySchema key) {
  const auto salt = std::to_string(loop_.wall().time_since_epoch().count());
  auto body = absent_key_request(options_.table, key, salt);
  const auto parse = [](std::string_view) -> Result<bool> { return true; };
  auto answered = co_await ask(tables(), kDynamoDbTarget, "BatchGetItem", std::move(body), parse);
  if (!answered) co_return fail(answered.error());
  co_return Result<void>();
}

// Whether one may write cannot be asked, and a write that is undone again is still a write. So a request is
// sent that no server can carry out: it deletes by an attribute that is not the table's key. It is doubly
// harmless: there is no such item either.
//
// Why the answer tells: to say that the key is not of the table's schema, DynamoDB has to look the table up,
// which it does for callers only that its policies let in; the others get AccessDeniedException first. What
// it cannot tell: conditions of a policy on the values of keys or on attributes (dynamodb:LeadingKeys,
// dynamodb:Attributes), leave to use the table's encryption key, since nothing is encrypted, and throughput.
// ScyllaDB checks the key before it asks for the role's leave to modify the table: there the answer tells
// that the signature is right and the table is there.
Task<Result<void>> TableInspect::refused_write(item::KeySchema key) {
  static constexpr Operation kWrite{"BatchWriteItem", OperationKind::control};
  auto body = refused_write_request(options_.table, key);
  auto refused = co_await be_refused(kWrite, std::move(body));
  co_return refused;
}

// The same for a table that is not there yet: its key has no type, so that no server can make it. It has
// tags, because a caller that may make a table may yet not tag it.
Task<Result<void>> TableInspect::refused_create() {
  static constexpr Operation kCreate{"CreateTable", OperationKind::control};
  auto body = refused_create_request(options_.table);
  auto refused = co_await be_refused(kCreate, std::move(body));
  co_return refused;
}

Task<Result<void>> TableInspect::be_refused(Operation operation, std::string body) {
  std::string target(kDynamoDbTarget);
  auto answer = co_await tables().json(operation, std::move(target), std::move(body));
  if (answer) {
    co_return fail(ErrorKind::internal,
                   fmt::format("{}: {} was to be refused, and was not", options_.display, operation.name));
  }
  if (answer.error().kind == ErrorKind::refused) co_return Result<void>();
  co_return fail(answer.error());
}

// --------------------------------------------------------------------------------------------- streams

Task<Result<std::vector<std::string>>> TableInspect::streams() {
  auto body = table_request(options_.table);
  auto arns = co_await ask_streams("ListStreams", std::move(body), parse_streams);
  co_return arns;
}

Task<Result<StreamSeen>> TableInspect::stream(std::string arn) {
  auto body = fmt::format(R"({{"StreamArn":{},"Limit":1}})", json_string(arn));
  auto seen = co_await ask_streams("DescribeStream", std::move(body), parse_stream);
  co_return seen;
}

Task<Result<std::string>> TableInspect::shard_iterator(StreamSeen from) {
  auto body = shard_iterator_request({from.arn}, {from.first_shard}, {});
  auto iterator = co_await ask_streams("GetShardIterator", std::move(body), parse_iterator);
  co_return iterator;
}

Task<Result<std::size_t>> TableInspect::records(std::string iterator) {
  auto body = fmt::format(R"({{"ShardIterator":{},"Limit":1}})", json_string(iterator));
  auto count = co_await ask_streams("GetRecords", std::move(body), parse_records);
  co_return count;
}

// -------------------------------------------------------------------------------------- other services

Task<Result<Caller>> TableInspect::caller() {
  const auto& where = options_.services.sts;
  if (!where) co_return fail(where.error());
  if (!options_.credentials) co_return fail(ErrorKind::config, "STS: there are no credentials to ask about");
  const auto credentials = co_await options_.credentials->get();
  if (!credentials) co_return fail(credentials.error());
  aws::StsAccess access{*where, options_.region, options_.http, options_.clocks.get()};
  if (options_.proxy_for) access.http.proxy = options_.proxy_for(*where);
  std::string subject = "STS at " + aws::host_header(*where);
  auto caller = co_await aws::caller_identity(loop_, std::move(access), **credentials, std::move(subject));
  co_return caller;
}

Task<Result<KeySeen>> TableInspect::encryption_key(std::string key_arn) {
  const auto& where = options_.services.kms;
  if (!where) co_return fail(where.error());
  auto& service = client(kms_, *where, "kms", "KMS at " + aws::host_header(*where));
  auto body = fmt::format(R"({{"KeyId":{}}})", json_string(key_arn));
  auto seen = co_await ask(service, kKeyTarget, "DescribeKey", std::move(body), parse_key_seen);
  co_return seen;
}

}  // namespace

std::unique_ptr<Inspect> inspect_dynamodb(net::EventLoop& loop, const DynamoDbOptions& options,
                                          const SideServices& services) {
  Options of_table;
  of_table.display = fmt::format("table \"{}\" (dynamodb, {})", options.table, options.region);
  of_table.table.value = options.table;
  of_table.region = options.region;
  of_table.origin = options.origin;
  of_table.services = services;
  of_table.credentials = options.credentials;
  of_table.clocks = options.clocks ? options.clocks : std::make_shared<aws::ServerClocks>();
  of_table.http = options.http;
  of_table.proxy_for = options.proxy_for;
  return std::make_unique<TableInspect>(loop, std::move(of_table));
}

std::unique_ptr<Inspect> inspect_alternator(net::EventLoop& loop, const AlternatorOptions& options) {
  Options of_table;
  of_table.display =
      fmt::format("table \"{}\" (alternator, {})", options.table, aws::host_header(options.contact));
  of_table.table.value = options.table;
  of_table.alternator = true;
  of_table.region = options.region;
  of_table.origin = options.contact;
  of_table.node_path = "/localnodes";
  if (!options.datacenter.empty()) {
    of_table.node_path += "?dc=" + options.datacenter;
    if (!options.rack.empty()) of_table.node_path += "&rack=" + options.rack;
  }
  of_table.services.streams = options.contact;
  of_table.credentials = options.credentials;
  of_table.clocks = options.clocks ? options.clocks : std::make_shared<aws::ServerClocks>();
  of_table.http = options.http;
  // Nodes are named by address, but their certificates are made out for the name that people use.
  boost::system::error_code no_address;
  asio::ip::make_address(options.contact.host, no_address);
  if (no_address) of_table.http.tls.server_name = options.contact.host;
  of_table.proxy_for = options.proxy_for;
  return std::make_unique<TableInspect>(loop, std::move(of_table));
}

}  // namespace messina::endpoints
