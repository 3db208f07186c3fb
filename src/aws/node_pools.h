// One loop's connections to the nodes of a NodeSet, and the chores that keep the set up to date.
#pragma once
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aws/node_set.h"
#include "base/async.h"
#include "net/http_client.h"

namespace messina::aws {

/// Not thread-safe: one per loop. Chores run beside requests and keep this object alive until they end.
class NodePools : public std::enable_shared_from_this<NodePools> {
 public:
  /// Which proxy an origin is reached through; may be empty.
  using ProxyFor = std::function<std::optional<std::string>(const net::Origin&)>;
  static std::shared_ptr<NodePools> make(net::EventLoop& loop, std::shared_ptr<NodeSet> nodes,
                                         net::ClientOptions options, ProxyFor proxy_for);

  /// A node for one request. Ends as `abandoned` unless done() is called.
  class Use {
   public:
    Use(std::shared_ptr<NodeSet> nodes, std::shared_ptr<net::HttpClient> client);
    Use(Use&&) noexcept = default;
    Use& operator=(Use&&) = delete;
    ~Use();
    net::HttpClient& client() { return *client_; }
    const net::Origin& origin() const { return node_->origin(); }
    void done(NodeSet::Outcome outcome, MonoTime now, Duration latency = {});

   private:
    friend class NodePools;
    std::shared_ptr<NodeSet> nodes_;
    NodeSet::NodePtr node_;
    std::shared_ptr<net::HttpClient> client_;
  };
  bool tls() const { return nodes_->options().contact.tls; }

  /// Picks a node, and sees to the chores that are due. Nothing if the cluster's nodes have to be looked for
  /// first: then use_after_refresh().
  std::optional<Use> use();
  /// An error if the look itself could not connect, and there is no other node: the request would only wait
  /// for the same once more.
  Task<std::expected<Use, net::SendError>> use_after_refresh();

 private:
  NodePools(net::EventLoop& loop, std::shared_ptr<NodeSet> nodes, net::ClientOptions options,
            ProxyFor proxy_for);

  std::shared_ptr<net::HttpClient> client(const net::Origin& origin);
  Use pick();
  void drop_old_pools();
  // Coroutines of their own; `self` keeps the pools alive.
  struct Unreachable {
    net::Origin at;
    net::SendError error;
  };
  static Task<std::optional<Unreachable>> look_for_nodes(std::shared_ptr<NodePools> self);
  static Task<void> refresh(std::shared_ptr<NodePools> self);
  static Task<void> probe(std::shared_ptr<NodePools> self, NodeSet::NodePtr node);

  net::EventLoop& loop_;
  std::shared_ptr<NodeSet> nodes_;
  net::ClientOptions options_;
  ProxyFor proxy_for_;
  std::vector<std::pair<net::Origin, std::shared_ptr<net::HttpClient>>> clients_;
  std::uint64_t generation_ = 0;
};

/// How an exchange went, as far as the node's health is concerned.
NodeSet::Outcome health_of(const std::expected<net::Response, net::SendError>& exchange);

}  // namespace messina::aws
