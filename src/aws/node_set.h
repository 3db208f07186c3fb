// Which nodes of an Alternator cluster there are, and which of them a request goes to.
//
// Source: ScyllaDB's Alternator documentation, "Load balancing": GET /localnodes names the live nodes of a
// datacenter (or rack) without scheme or port; GET / is a node's health.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/http_client.h"

namespace messina::aws {

struct NodeSetOptions {
  net::Origin contact;           ///< scheme and port are those of all nodes
  bool discover = false;         ///< false: the contact point is all there is (DynamoDB)
  std::string datacenter, rack;  ///< wanted nodes; rack needs datacenter; empty: those near the contact point
  std::string display;           ///< for messages: "alternator 10.0.0.1:8000"
  Duration active_refresh = std::chrono::seconds(1);
  /// A list older than this is renewed before the next request instead of beside it.
  Duration idle_refresh = std::chrono::seconds(60);
  Duration probe_interval = std::chrono::seconds(10);
  /// Answers of 5xx or cut exchanges in a row that make a node sick. A failed connect does so at once.
  int failures_until_sick = 5;
};

/// The nodes, shared by all loops; pure state under a mutex, with the time handed in. NodePools does the I/O.
///
/// All healthy nodes are used in turn, those with the fewest requests in flight first. A node that refuses,
/// or that is more than twice as slow as the fastest, is given a smaller share of what is in flight. A node
/// that /localnodes names is used once it has answered a probe: until then, and when none can be reached
/// (addresses behind a NAT), requests go to the contact point.
class NodeSet {
 public:
  class Node {
   public:
    explicit Node(net::Origin origin) : origin_(std::move(origin)) {}
    const net::Origin& origin() const { return origin_; }

   private:
    friend class NodeSet;
    enum class State : std::uint8_t { untried, healthy, sick };
    const net::Origin origin_;
    // Guarded by NodeSet::mutex_.
    State state_ = State::untried;
    bool proven_ = false;  // has answered once
    bool probing_ = false;
    int failures_ = 0;
    int in_flight_ = 0;
    double patience_ = 1;   // halved by a refusal, won back by answers
    double latency_s_ = 0;  // of the last answers; 0: none yet
    MonoTime next_probe_{};
  };
  using NodePtr = std::shared_ptr<Node>;

  explicit NodeSet(NodeSetOptions options);
  NodeSet(const NodeSet&) = delete;
  NodeSet& operator=(const NodeSet&) = delete;

  enum class Outcome : std::uint8_t {
    answered,     ///< anything below 500
    refused,      ///< answered that there were too many requests
    failed,       ///< 5xx, or cut off without an answer
    unreachable,  ///< no connection
    abandoned,    ///< nobody waited for the end
  };
  /// The node for the next request; counts it as in flight until done().
  NodePtr pick();
  /// `latency`: from sending to the answer; zero where there was none.
  void done(const NodePtr& node, Outcome outcome, MonoTime now, Duration latency = {});

  /// What the caller is to do beside its request. Each thing is handed to one caller only.
  struct Chores {
    bool refresh = false;         ///< ask for the nodes; end with refreshed() or refresh_failed()
    bool refresh_first = false;   ///< and do so before the request
    std::vector<NodePtr> probes;  ///< end each with probed()
  };
  Chores take_chores(MonoTime now);

  /// Paths to ask, in order, until one gives nodes: rack, datacenter, cluster.
  std::vector<std::string> discovery_paths() const;
  /// `path`: the one that gave `hosts` (not empty).
  void refreshed(const std::vector<std::string>& hosts, std::string_view path, MonoTime now);
  /// `unsupported`: the server answers, but has no such list.
  void refresh_failed(bool unsupported, std::string_view why, MonoTime now);
  void probed(const NodePtr& node, bool well, std::string_view why, MonoTime now);

  /// Origins that requests may still go to; for dropping pools of nodes that left. Changes with generation().
  std::vector<net::Origin> origins() const;
  std::uint64_t generation() const { return generation_; }
  const NodeSetOptions& options() const { return options_; }

 private:
  void left_out(Node& node, std::string_view why, MonoTime now);
  void back(Node& node);
  double share(const Node& node, double fastest_s) const;
  void say_if_unreachable(std::string_view why);

  const NodeSetOptions options_;
  mutable std::mutex mutex_;
  NodePtr contact_;
  std::vector<NodePtr> nodes_;  // named by the cluster; contact_ too if it is named
  std::size_t turn_ = 0;
  std::atomic<std::uint64_t> generation_ = 0;
  bool refreshing_ = false;
  std::optional<MonoTime> refreshed_at_;
  std::optional<MonoTime> not_before_;
  bool said_no_discovery_ = false, said_unreachable_ = false, said_fallback_ = false;
};

/// The answer of /localnodes: host names or addresses; nullopt if it is no such list.
std::optional<std::vector<std::string>> parse_localnodes(std::string_view body);

/// "host:port", with brackets where needed and without the scheme's default port: the Host header.
std::string host_header(const net::Origin& origin);

}  // namespace messina::aws
