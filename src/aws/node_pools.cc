#include "aws/node_pools.h"

#include <algorithm>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/address.hpp>

#include "base/log.h"

namespace messina::aws {

NodeSet::Outcome health_of(const std::expected<net::Response, net::SendError>& exchange) {
  using enum NodeSet::Outcome;
  if (exchange) return exchange->status >= 500 ? failed : answered;
  return exchange.error().may_have_been_sent ? failed : unreachable;
}

NodePools::Use::Use(std::shared_ptr<NodeSet> nodes, std::shared_ptr<net::HttpClient> client)
    : nodes_(std::move(nodes)), client_(std::move(client)) {}

NodePools::Use::~Use() {
  if (node_) nodes_->done(node_, NodeSet::Outcome::abandoned, {});
}

void NodePools::Use::done(NodeSet::Outcome outcome, MonoTime now, Duration latency) {
  nodes_->done(node_, outcome, now, latency);
  node_.reset();
}

NodePools::NodePools(net::EventLoop& loop, std::shared_ptr<NodeSet> nodes, net::ClientOptions options,
                     ProxyFor proxy_for)
    : loop_(loop), nodes_(std::move(nodes)), options_(std::move(options)), proxy_for_(std::move(proxy_for)) {
  // Nodes are named by address, but their certificates are made out for the name that people use.
  const auto& host = nodes_->options().contact.host;
  boost::system::error_code no_address;
  asio::ip::make_address(host, no_address);
  if (no_address && options_.tls.server_name.empty()) options_.tls.server_name = host;
}

std::shared_ptr<NodePools> NodePools::make(net::EventLoop& loop, std::shared_ptr<NodeSet> nodes,
                                           net::ClientOptions options, ProxyFor proxy_for) {
  return std::shared_ptr<NodePools>(
      new NodePools(loop, std::move(nodes), std::move(options), std::move(proxy_for)));
}

std::shared_ptr<net::HttpClient> NodePools::client(const net::Origin& origin) {
  for (const auto& [known, pool] : clients_) {
    if (known == origin) return pool;
  }
  auto options = options_;
  if (proxy_for_) options.proxy = proxy_for_(origin);
  auto pool = std::make_shared<net::HttpClient>(loop_, origin, std::move(options));
  clients_.emplace_back(origin, pool);
  return pool;
}

NodePools::Use NodePools::pick() {
  auto node = nodes_->pick();
  Use use(nodes_, nullptr);
  use.node_ = std::move(node);
  use.client_ = client(use.node_->origin());
  return use;
}

void NodePools::drop_old_pools() {
  const auto generation = nodes_->generation();
  if (generation == generation_) return;
  generation_ = generation;
  const auto wanted = nodes_->origins();
  std::erase_if(clients_,
                [&](const auto& entry) { return std::ranges::find(wanted, entry.first) == wanted.end(); });
}

std::optional<NodePools::Use> NodePools::use() {
  const auto chores = nodes_->take_chores(loop_.now());
  for (const auto& node : chores.probes) {
    asio::co_spawn(loop_.executor(), probe(shared_from_this(), node), asio::detached);
  }
  if (chores.refresh_first) return std::nullopt;
  if (chores.refresh) asio::co_spawn(loop_.executor(), refresh(shared_from_this()), asio::detached);
  drop_old_pools();
  return pick();
}

Task<std::expected<NodePools::Use, net::SendError>> NodePools::use_after_refresh() {
  auto self = shared_from_this();
  const auto unreachable = co_await look_for_nodes(std::move(self));
  drop_old_pools();
  auto next = pick();
  if (unreachable && unreachable->at == next.origin()) co_return std::unexpected(unreachable->error);
  co_return next;
}

Task<void> NodePools::refresh(std::shared_ptr<NodePools> self) { co_await look_for_nodes(std::move(self)); }

Task<std::optional<NodePools::Unreachable>> NodePools::look_for_nodes(std::shared_ptr<NodePools> self) {
  bool unsupported = false;
  std::string why = "it names none";
  const auto paths = self->nodes_->discovery_paths();
  for (const auto& path : paths) {
    auto use = self->pick();
    const net::Origin origin = use.origin();
    net::Request request;
    request.method = "GET";
    request.target = path;
    request.headers.set("Host", host_header(origin));
    const auto answer = co_await use.client().send(request);
    use.done(health_of(answer), self->loop_.now());
    if (!answer) {
      self->nodes_->refresh_failed(false, answer.error().error.message, self->loop_.now());
      std::optional<Unreachable> unreachable;
      if (!answer.error().may_have_been_sent) unreachable = Unreachable{origin, answer.error()};
      co_return unreachable;
    }
    const auto hosts = answer->status == 200 ? parse_localnodes(answer->body.view()) : std::nullopt;
    if (hosts && !hosts->empty()) {
      self->nodes_->refreshed(*hosts, path, self->loop_.now());
      co_return std::nullopt;
    }
    // An overloaded node may know the list later; an answer of another kind will not change.
    unsupported = answer->status < 500;
    if (!hosts) why = fmt::format("/localnodes was answered HTTP {}", answer->status);
  }
  self->nodes_->refresh_failed(unsupported, why, self->loop_.now());
  co_return std::nullopt;
}

Task<void> NodePools::probe(std::shared_ptr<NodePools> self, NodeSet::NodePtr node) {
  const auto pool = self->client(node->origin());
  net::Request request;
  request.method = "GET";
  request.headers.set("Host", host_header(node->origin()));
  const auto answer = co_await pool->send(request);
  // "healthy: HOST" is what Alternator says; something else may live at that address on this side of a NAT.
  const bool well = answer && answer->status == 200 && answer->body.view().starts_with("healthy");
  const auto why = answer ? fmt::format("GET / was answered HTTP {}, not as by Alternator", answer->status)
                          : answer.error().error.message;
  self->nodes_->probed(node, well, why, self->loop_.now());
}

}  // namespace messina::aws
