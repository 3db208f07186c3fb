#include "cli/lanes.h"

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "aws/credentials.h"
#include "aws/endpoint_resolve.h"
#include "aws/server_clock.h"
#include "aws/service_endpoint.h"
#include "cli/side_credentials.h"
#include "endpoints/dynamodb.h"
#include "endpoints/inspect_dynamodb.h"
#include "jobs/retry.h"
#include "net/proxy.h"

namespace messina::cli {
namespace {

using endpoints::SharedPools;
using plan::EndpointSpec;
/// As of Sides. Credentials are renewed on the home loop, for all.
using Maker = std::function<endpoints::Endpoint(net::EventLoop&, const std::string& table, SharedPools&)>;

net::ClientOptions http_options(const EndpointSpec& spec) {
  net::ClientOptions http;
  http.tls.ca_file = spec.ca_file;
  http.tls.insecure = spec.insecure_tls;
  if (spec.max_connections) http.max_connections = *spec.max_connections;
  return http;
}

aws::NodePools::ProxyFor proxy_for() {
  return [](const net::Origin& origin) {
    return net::proxy_from_environment(origin, net::process_environment());
  };
}

Result<Maker> dynamodb_maker(const EndpointSpec& spec, const std::string& side, bool consistent_reads,
                             net::EventLoop& home, Stop* stop) {
  const net::Environment environment = net::process_environment();
  const auto profiles = aws::load_profiles(environment, aws::process_files(), spec.profile);
  if (!profiles) return fail(ErrorKind::config, fmt::format("the {}: {}", side, profiles.error().message));
  const auto endpoint =
      aws::resolve_dynamodb_endpoint(spec.endpoint_url, spec.region, environment, *profiles);
  if (!endpoint) return fail(ErrorKind::config, fmt::format("the {}: {}", side, endpoint.error().message));
  auto credentials = open_credentials(spec, side, *endpoint, *profiles, home, stop);
  if (!credentials) return fail(credentials.error());
  endpoints::DynamoDbOptions options;
  options.region = spec.region;
  options.origin = endpoint->origin;
  options.consistent_reads = consistent_reads;
  const auto cloudwatch =
      aws::resolve_cloudwatch_endpoint(spec.region, endpoint->is_aws, environment, *profiles);
  if (!cloudwatch)
    return fail(ErrorKind::config, fmt::format("the {}: {}", side, cloudwatch.error().message));
  options.cloudwatch = *cloudwatch;
  options.account_hint = std::move(credentials->account_hint);
  options.credentials = std::move(credentials->provider);
  options.clocks = std::make_shared<aws::ServerClocks>();
  options.http = http_options(spec);
  options.proxy_for = proxy_for();
  if (spec.max_batch_items) options.max_batch_items = *spec.max_batch_items;
  const auto beside = [&](aws::SideService service) {
    return aws::resolve_service_endpoint(service, *endpoint, spec.region, environment, *profiles);
  };
  auto streams = beside(aws::SideService::streams);
  if (!streams) return fail(ErrorKind::config, fmt::format("the {}: {}", side, streams.error().message));
  options.streams = std::move(*streams);
  const endpoints::SideServices services{beside(aws::SideService::streams), beside(aws::SideService::sts),
                                         beside(aws::SideService::kms)};
  return [options, services](net::EventLoop& loop, const std::string& table, SharedPools& pools) {
    endpoints::DynamoDbOptions of_table = options;
    of_table.table = table;
    endpoints::Endpoint made = endpoints::make_dynamodb(loop, of_table, &pools);
    made.inspect = endpoints::inspect_dynamodb(loop, of_table, services);
    return made;
  };
}

Result<Maker> alternator_maker(const EndpointSpec& spec, bool consistent_reads) {
  endpoints::AlternatorOptions options;
  options.contact = {spec.host, spec.port, spec.tls};
  options.datacenter = spec.datacenter;
  options.rack = spec.rack;
  // Only what was given for this side; the AWS chain's keys are nobody's business here, and tokens are never
  // sent.
  if (spec.access_key)
    options.credentials =
        std::make_shared<aws::StaticCredentials>(aws::Credentials{*spec.access_key, *spec.secret_key});
  options.clocks = std::make_shared<aws::ServerClocks>();
  options.gzip_requests = spec.gzip_requests;
  options.consistent_reads = consistent_reads;
  options.http = http_options(spec);
  options.proxy_for = proxy_for();
  if (spec.max_batch_items) options.max_batch_items = *spec.max_batch_items;
  const auto cluster = std::make_shared<endpoints::AlternatorCluster>(options);
  return [options, cluster](net::EventLoop& loop, const std::string& table, SharedPools& pools) {
    endpoints::AlternatorOptions of_table = options;
    of_table.table = table;
    endpoints::Endpoint made = endpoints::make_alternator(loop, of_table, cluster, &pools);
    made.inspect = endpoints::inspect_alternator(loop, of_table);
    return made;
  };
}

Result<Maker> maker(const EndpointSpec& spec, const std::string& side, bool consistent_reads,
                    net::EventLoop& home, Stop* stop) {
  return spec.kind == plan::EndpointKind::alternator
             ? alternator_maker(spec, consistent_reads)
             : dynamodb_maker(spec, side, consistent_reads, home, stop);
}

}  // namespace

std::size_t loop_count(std::uint32_t asked) {
  if (asked != 0) return asked;
  const std::size_t cores = std::max(1u, std::thread::hardware_concurrency());
  return std::min(cores, kMostLoops);
}

Result<std::unique_ptr<Sides>> Sides::open(const plan::CopyPlan& plan, std::size_t loops, Stop* stop) {
  auto sides = std::make_unique<Sides>();
  for (std::size_t i = 0; i < loops; ++i)
    sides->loops_.emplace_back().loop = std::make_unique<net::EventLoop>(fmt::format("loop-{}", i));
  net::EventLoop& home = *sides->loops_.front().loop;
  auto source = maker(plan.source, "source", !plan.eventually_consistent, home, stop);
  if (!source) return fail(source.error());
  auto target = maker(plan.target, "target", true, home, stop);
  if (!target) return fail(target.error());
  sides->source_ = *std::move(source);
  sides->target_ = *std::move(target);
  for (LoopOfSides& of : sides->loops_) {
    // Whoever asks first would make the connections; here that is certainly one thread.
    sides->source_(*of.loop, plan.source.table, of.source);
    sides->target_(*of.loop, plan.target.table, of.target);
  }
  return sides;
}

std::chrono::nanoseconds Sides::cpu_time() const {
  std::chrono::nanoseconds sum{};
  for (const LoopOfSides& of : loops_) sum += of.loop->cpu_time();
  return sum;
}

TableLanes Sides::table(const std::string& source, const std::string& target, std::size_t turn) {
  std::vector<jobs::Lane> lanes;
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    LoopOfSides& of = loops_[(i + turn) % loops_.size()];
    lanes.push_back(
        {of.loop.get(), source_(*of.loop, source, of.source), target_(*of.loop, target, of.target)});
  }
  return TableLanes(std::move(lanes));
}

// Connections and chores live on the loop, so they must die there too.

Task<void> Sides::drop_pools(LoopOfSides* of) {
  of->source.reset();
  of->target.reset();
  co_return;
}

Sides::~Sides() {
  for (LoopOfSides& of : loops_) net::run_on(*of.loop, drop_pools(&of));
  // They hold the credentials, which are renewed on a loop.
  source_ = nullptr;
  target_ = nullptr;
}

namespace {

Task<void> drop_endpoints(jobs::Lane* lane) {
  lane->source = {};
  lane->target = {};
  co_return;
}

}  // namespace

TableLanes::~TableLanes() {
  for (jobs::Lane& lane : lanes_) net::run_on(*lane.loop, drop_endpoints(&lane));
}

Result<std::unique_ptr<Lanes>> Lanes::open(const plan::CopyPlan& plan, std::size_t loops, Stop* stop) {
  auto sides = Sides::open(plan, loops, stop);
  if (!sides) return fail(sides.error());
  TableLanes table = (*sides)->table(plan.source.table, plan.target.table);
  return std::make_unique<Lanes>(*std::move(sides), std::move(table));
}

Task<Result<endpoints::TableDescription>> first_contact(Loop& loop, endpoints::Endpoint& side, Stop* stop) {
  Random random(entropy_seed());
  endpoints::Catalog* catalog = side.catalog.get();
  auto attempt = [catalog] { return catalog->describe(); };
  Result<endpoints::TableDescription> description =
      co_await jobs::with_retries<endpoints::TableDescription>(loop, stop, random, attempt, jobs::kAskAndEnd);
  if (description || description.error().kind != ErrorKind::transient) co_return description;
  Error error = description.error();
  // Where the network's own message has no advice yet.
  if (error.message.find("check ") == std::string::npos)
    error.message += ": check the address, that a server listens there, and whether it speaks TLS";
  co_return fail(std::move(error));
}

Task<Result<endpoints::TableDescription>> check_contact(Loop& loop, jobs::Lane& lane,
                                                        const item::TransformRules& rules, Stop* stop) {
  Result<endpoints::TableDescription> here = co_await first_contact(loop, lane.source, stop);
  if (!here) co_return here;
  if (const auto checked = item::check_rules(rules, here->key); !checked) co_return fail(checked.error());
  const Result<endpoints::TableDescription> there = co_await first_contact(loop, lane.target, stop);
  if (!there) {
    if (there.error().kind == ErrorKind::not_found) co_return here;
    co_return fail(there.error());
  }
  if (!here->id.empty() && here->id == there->id)
    co_return fail(ErrorKind::usage,
                   fmt::format("source and target are the same table under two addresses (its id is {}): "
                               "choose another target",
                               here->id));
  co_return here;
}

}  // namespace messina::cli
