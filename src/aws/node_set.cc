#include "aws/node_set.h"

#include <algorithm>

#include <boost/json.hpp>

#include "base/log.h"

namespace messina::aws {
namespace {

/// A cluster has fewer nodes; more is no answer of /localnodes.
constexpr std::size_t kMaxNodes = 10'000;
/// How soon a server that knows no /localnodes is asked again: it may be upgraded under way.
constexpr Duration kUnsupportedRetry = std::chrono::minutes(1);

/// A node is slow from this multiple of the fastest one's latency on; racks and zones differ by less.
constexpr double kSlowTimes = 2;
constexpr double kLeastShare = 0.05;
constexpr double kLatencyWeight = 1.0 / 16;
constexpr double kWonBack = 1.02;
constexpr std::size_t kEqualTurn = 32;

std::string query_value(std::string_view text) {
  std::string out;
  for (const unsigned char c : text) {
    const bool plain = std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return out;
}

}  // namespace

std::string host_header(const net::Origin& origin) {
  auto host = origin.host.find(':') == std::string::npos ? origin.host : '[' + origin.host + ']';
  const std::uint16_t default_port = origin.tls ? 443 : 80;
  return origin.port == default_port ? host : fmt::format("{}:{}", host, origin.port);
}

std::optional<std::vector<std::string>> parse_localnodes(std::string_view body) {
  boost::system::error_code failure;
  const auto parsed = boost::json::parse({body.data(), body.size()}, failure);
  if (failure || !parsed.is_array() || parsed.get_array().size() > kMaxNodes) return std::nullopt;
  std::vector<std::string> hosts;
  for (const auto& entry : parsed.get_array()) {
    if (!entry.is_string()) return std::nullopt;
    const std::string host(entry.get_string());
    const auto fits = [](unsigned char c) {
      return std::isalnum(c) || c == '.' || c == ':' || c == '-' || c == '_';
    };
    if (host.empty() || !std::ranges::all_of(host, fits)) return std::nullopt;
    hosts.push_back(host);
  }
  return hosts;
}

NodeSet::NodeSet(NodeSetOptions options)
    : options_(std::move(options)), contact_(std::make_shared<Node>(options_.contact)) {
  contact_->state_ = Node::State::healthy;
}

NodeSet::NodePtr NodeSet::pick() {
  const std::lock_guard lock(mutex_);
  const auto least_busy = [&](auto&& usable) {
    NodePtr best;
    double fastest_s = 0, lowest = 0;
    for (const auto& node : nodes_) {
      if (usable(*node) && node->latency_s_ > 0 && (fastest_s == 0 || node->latency_s_ < fastest_s))
        fastest_s = node->latency_s_;
    }
    // Now and then one that has nothing to do is as good as the others, so that a recovery is found out.
    const bool equal = turn_ % kEqualTurn == 0;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const auto& node = nodes_[(turn_ + i) % nodes_.size()];
      if (!usable(*node)) continue;
      const double load =
          (node->in_flight_ + 1) / (equal && node->in_flight_ == 0 ? 1 : share(*node, fastest_s));
      if (best && load >= lowest) continue;
      best = node;
      lowest = load;
    }
    return best;
  };
  auto node = least_busy([](const Node& n) { return n.state_ == Node::State::healthy; });
  // All sick: those that answered once are the likeliest to do so again.
  if (!node) node = least_busy([](const Node& n) { return n.proven_; });
  if (!node) node = contact_;
  ++turn_;
  ++node->in_flight_;
  return node;
}

/// Of what is in flight, against 1 of a node that is well.
double NodeSet::share(const Node& node, double fastest_s) const {
  const double slow = node.latency_s_ > 0 ? std::min(1.0, kSlowTimes * fastest_s / node.latency_s_) : 1;
  return std::max(kLeastShare, node.patience_ * slow);
}

void NodeSet::done(const NodePtr& node, Outcome outcome, MonoTime now, Duration latency) {
  const std::lock_guard lock(mutex_);
  --node->in_flight_;
  // A refusal comes fast and says nothing of how long work takes.
  if (latency > Duration::zero() && outcome != Outcome::refused) {
    const double seconds = std::chrono::duration<double>(latency).count();
    node->latency_s_ += (seconds - node->latency_s_) * (node->latency_s_ > 0 ? kLatencyWeight : 1);
  }
  switch (outcome) {
    case Outcome::refused:
      node->patience_ = std::max(kLeastShare, node->patience_ / 2);
      node->failures_ = 0;
      back(*node);
      break;
    case Outcome::answered:
      node->patience_ = std::min(1.0, node->patience_ * kWonBack);
      node->failures_ = 0;
      back(*node);
      break;
    case Outcome::failed:
      if (++node->failures_ >= options_.failures_until_sick) {
        left_out(*node, fmt::format("{} failures in a row", node->failures_), now);
      }
      break;
    case Outcome::unreachable:
      left_out(*node, "it cannot be reached", now);
      break;
    case Outcome::abandoned:
      break;
  }
}

void NodeSet::left_out(Node& node, std::string_view why, MonoTime now) {
  const bool news = node.state_ == Node::State::healthy && nodes_.size() > 1;
  node.state_ = Node::State::sick;
  node.next_probe_ = now + options_.probe_interval;
  if (news) {
    log::warn("{}: node {} is left out for now: {}", options_.display, host_header(node.origin_), why);
  }
}

void NodeSet::back(Node& node) {
  if (node.state_ == Node::State::sick && node.proven_ && nodes_.size() > 1) {
    log::info("{}: node {} is back", options_.display, host_header(node.origin_));
  }
  node.state_ = Node::State::healthy;
  node.proven_ = true;
}

NodeSet::Chores NodeSet::take_chores(MonoTime now) {
  Chores chores;
  if (!options_.discover) return chores;
  const std::lock_guard lock(mutex_);
  const bool stale = !refreshed_at_ || now - *refreshed_at_ >= options_.idle_refresh;
  const bool due = stale || now - *refreshed_at_ >= options_.active_refresh;
  if (due && !refreshing_ && (!not_before_ || now >= *not_before_)) {
    refreshing_ = true;
    chores.refresh = true;
    chores.refresh_first = stale;
  }
  for (const auto& node : nodes_) {
    const bool wanted = node->state_ == Node::State::untried ||
                        (node->state_ == Node::State::sick && now >= node->next_probe_);
    if (!wanted || node->probing_) continue;
    node->probing_ = true;
    chores.probes.push_back(node);
  }
  return chores;
}

std::vector<std::string> NodeSet::discovery_paths() const {
  std::vector<std::string> paths;
  if (!options_.datacenter.empty()) {
    const auto by_datacenter = "/localnodes?dc=" + query_value(options_.datacenter);
    if (!options_.rack.empty()) paths.push_back(by_datacenter + "&rack=" + query_value(options_.rack));
    paths.push_back(by_datacenter);
  }
  paths.emplace_back("/localnodes");
  return paths;
}

void NodeSet::refreshed(const std::vector<std::string>& hosts, std::string_view path, MonoTime now) {
  const std::lock_guard lock(mutex_);
  refreshing_ = false;
  refreshed_at_ = now;
  if (!options_.datacenter.empty() && path != discovery_paths().front() && !said_fallback_) {
    said_fallback_ = true;
    log::warn("{}: no node in datacenter \"{}\"{}: using the nodes of {}", options_.display,
              options_.datacenter, options_.rack.empty() ? "" : fmt::format(", rack \"{}\"", options_.rack),
              path);
  }
  std::vector<NodePtr> named;
  for (const auto& host : hosts) {
    const auto same = [&](const NodePtr& node) { return node->origin_.host == host; };
    if (std::ranges::any_of(named, same)) continue;
    const auto known = std::ranges::find_if(nodes_, same);
    if (known != nodes_.end()) {
      named.push_back(*known);
    } else if (same(contact_)) {
      named.push_back(contact_);
    } else {
      auto origin = options_.contact;
      origin.host = host;
      named.push_back(std::make_shared<Node>(std::move(origin)));
    }
  }
  if (named == nodes_) return;
  nodes_ = std::move(named);
  ++generation_;
}

void NodeSet::refresh_failed(bool unsupported, std::string_view why, MonoTime now) {
  const std::lock_guard lock(mutex_);
  refreshing_ = false;
  not_before_ = now + (unsupported ? kUnsupportedRetry : options_.active_refresh);
  if (!unsupported || said_no_discovery_ || !nodes_.empty()) return;
  said_no_discovery_ = true;
  log::warn("{}: cannot learn the cluster's nodes ({}): all requests go to {}", options_.display, why,
            host_header(options_.contact));
}

void NodeSet::probed(const NodePtr& node, bool well, std::string_view why, MonoTime now) {
  const std::lock_guard lock(mutex_);
  node->probing_ = false;
  node->failures_ = 0;
  if (well) {
    back(*node);
    return;
  }
  left_out(*node, why, now);
  say_if_unreachable(why);
}

void NodeSet::say_if_unreachable(std::string_view why) {
  const auto never = [](const NodePtr& n) { return n->state_ == Node::State::sick && !n->proven_; };
  if (said_unreachable_ || !std::ranges::all_of(nodes_, never)) return;
  said_unreachable_ = true;
  log::warn(
      "{}: none of the {} addresses that /localnodes names can be reached from here ({}: {}): all requests "
      "go "
      "through {}, which may be slower",
      options_.display, nodes_.size(), host_header(nodes_.front()->origin_), why,
      host_header(options_.contact));
}

std::vector<net::Origin> NodeSet::origins() const {
  const std::lock_guard lock(mutex_);
  std::vector<net::Origin> origins = {contact_->origin_};
  for (const auto& node : nodes_) {
    if (node != contact_) origins.push_back(node->origin_);
  }
  return origins;
}

}  // namespace messina::aws
