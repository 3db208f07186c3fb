#include "aws/node_set.h"

#include <functional>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace messina::aws {
namespace {

using namespace std::chrono_literals;
using Outcome = NodeSet::Outcome;

constexpr MonoTime kStart{1000s};

NodeSetOptions options(bool discover = true) {
  NodeSetOptions result;
  result.contact = {"contact", 8000, false};
  result.discover = discover;
  result.display = "alternator contact:8000";
  return result;
}

/// A set that knows `hosts`, all of which have answered a probe.
void give_nodes(NodeSet& set, const std::vector<std::string>& hosts, MonoTime now = kStart) {
  const auto chores = set.take_chores(now);
  EXPECT_TRUE(chores.refresh);
  set.refreshed(hosts, "/localnodes", now);
  for (const auto& node : set.take_chores(now).probes) set.probed(node, true, "", now);
}

std::string pick_and_finish(NodeSet& set, Outcome outcome = Outcome::answered, MonoTime now = kStart) {
  const auto node = set.pick();
  set.done(node, outcome, now);
  return node->origin().host;
}

TEST(NodeSet, WithoutDiscoveryThereIsOnlyTheContactPoint) {
  NodeSet set(options(false));
  EXPECT_FALSE(set.take_chores(kStart).refresh);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(pick_and_finish(set, Outcome::unreachable), "contact");
}

TEST(NodeSet, UsesAllNodesInTurn) {
  NodeSet set(options());
  give_nodes(set, {"a", "b", "c"});
  std::map<std::string, int> used;
  for (int i = 0; i < 30; ++i) ++used[pick_and_finish(set)];
  EXPECT_THAT(used,
              testing::UnorderedElementsAre(std::pair("a", 10), std::pair("b", 10), std::pair("c", 10)));
}

TEST(NodeSet, PrefersNodesWithLessInFlight) {
  NodeSet set(options());
  give_nodes(set, {"a", "b"});
  const auto first = set.pick();
  const auto second = set.pick();
  EXPECT_NE(first, second);
  set.done(second, Outcome::answered, kStart);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(pick_and_finish(set), second->origin().host);
  set.done(first, Outcome::abandoned, kStart);
}

/// Keeps `in_flight` requests going over nodes that answer after their own time; returns how many each
/// answered.
std::map<std::string, int> keep_busy(NodeSet& set, int in_flight, MonoTime from, Duration time,
                                     const std::function<Duration(const std::string&)>& latency,
                                     const std::function<Outcome(const std::string&)>& outcome) {
  std::multimap<MonoTime, std::pair<NodeSet::NodePtr, MonoTime>> answers;
  std::map<std::string, int> answered;
  const auto send = [&](MonoTime now) {
    auto node = set.pick();
    answers.emplace(now + latency(node->origin().host), std::pair(node, now));
  };
  for (int i = 0; i < in_flight; ++i) send(from);
  while (answers.begin()->first < from + time) {
    const auto answer = answers.extract(answers.begin());
    const auto& [node, sent] = answer.mapped();
    set.done(node, outcome(node->origin().host), answer.key(), answer.key() - sent);
    ++answered[node->origin().host];
    send(answer.key());
  }
  for (const auto& [at, rest] : answers) set.done(rest.first, Outcome::abandoned, at);
  return answered;
}

TEST(NodeSet, ASlowNodeGetsLessAndIsBackWhenItHasRecovered) {
  NodeSet set(options());
  give_nodes(set, {"a", "b", "c"});
  const auto well = [](const std::string&) { return Outcome::answered; };
  const auto slow = keep_busy(
      set, 48, kStart, 60s, [](const std::string& host) { return host == "c" ? 1000ms : 20ms; }, well);
  // With an equal share of what is in flight a and b would answer 48,000 each.
  EXPECT_GT(slow.at("a"), 60'000);
  EXPECT_NEAR(slow.at("a"), slow.at("b"), slow.at("a") / 50);
  EXPECT_LT(slow.at("c"), 500);
  EXPECT_GT(slow.at("c"), 0);
  const auto later = keep_busy(set, 48, kStart + 60s, 60s, [](const std::string&) { return 20ms; }, well);
  EXPECT_GT(later.at("c"), later.at("a") * 9 / 10);
}

TEST(NodeSet, ARefusingNodeGetsLessAlthoughItAnswersFast) {
  NodeSet set(options());
  give_nodes(set, {"a", "b", "c"});
  const auto answered = keep_busy(
      set, 48, kStart, 60s, [](const std::string& host) { return host == "c" ? 5ms : 20ms; },
      [](const std::string& host) { return host == "c" ? Outcome::refused : Outcome::answered; });
  EXPECT_LT(answered.at("c"), answered.at("a") / 2);
  EXPECT_GT(answered.at("a"), 55'000);
}

TEST(NodeSet, NodesAreUsedOnlyOnceProbed) {
  NodeSet set(options());
  EXPECT_TRUE(set.take_chores(kStart).refresh_first);
  set.refreshed({"a", "b"}, "/localnodes", kStart);
  EXPECT_EQ(pick_and_finish(set), "contact");
  const auto probes = set.take_chores(kStart).probes;
  ASSERT_EQ(probes.size(), 2u);
  EXPECT_TRUE(set.take_chores(kStart).probes.empty()) << "each probe is handed out once";
  set.probed(probes[0], true, "", kStart);
  set.probed(probes[1], false, "connection refused", kStart);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pick_and_finish(set), "a");
}

TEST(NodeSet, AddressesOutOfReachLeaveTheContactPoint) {
  NodeSet set(options());
  set.take_chores(kStart);
  set.refreshed({"10.9.9.1", "10.9.9.2"}, "/localnodes", kStart);
  for (const auto& node : set.take_chores(kStart).probes) set.probed(node, false, "timeout", kStart);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pick_and_finish(set), "contact");
  EXPECT_TRUE(set.take_chores(kStart + 9s).probes.empty());
  EXPECT_EQ(set.take_chores(kStart + 10s).probes.size(), 2u);
}

TEST(NodeSet, LeavesOutASickNodeAndProbesIt) {
  NodeSet set(options());
  give_nodes(set, {"a", "b"});
  const auto bad = set.pick();
  set.done(bad, Outcome::unreachable, kStart);
  for (int i = 0; i < 6; ++i) EXPECT_NE(pick_and_finish(set), bad->origin().host);
  EXPECT_TRUE(set.take_chores(kStart + 9s).probes.empty());
  auto probes = set.take_chores(kStart + 10s).probes;
  ASSERT_EQ(probes.size(), 1u);
  set.probed(probes[0], false, "still", kStart + 10s);
  EXPECT_TRUE(set.take_chores(kStart + 19s).probes.empty());
  probes = set.take_chores(kStart + 20s).probes;
  ASSERT_EQ(probes.size(), 1u);
  set.probed(probes[0], true, "", kStart + 20s);
  std::map<std::string, int> used;
  for (int i = 0; i < 10; ++i) ++used[pick_and_finish(set)];
  EXPECT_EQ(used.size(), 2u);
}

TEST(NodeSet, FiveFailuresInARowMakeANodeSick) {
  NodeSet set(options());
  give_nodes(set, {"a", "b"});
  const auto fail_a = [&](int times) {
    for (int failed = 0; failed < times;) {
      const auto node = set.pick();
      const bool is_a = node->origin().host == "a";
      set.done(node, is_a ? Outcome::failed : Outcome::answered, kStart);
      failed += is_a ? 1 : 0;
    }
  };
  const auto a_is_used = [&] {
    for (int i = 0; i < 2; ++i) {
      if (pick_and_finish(set) == "a") return true;
    }
    return false;
  };
  fail_a(4);
  EXPECT_TRUE(a_is_used()) << "four, then an answer: the count begins anew";
  fail_a(4);
  EXPECT_TRUE(a_is_used());
  fail_a(5);
  EXPECT_FALSE(a_is_used());
}

TEST(NodeSet, WhenAllAreSickThoseThatAnsweredOnceAreTried) {
  NodeSet set(options());
  give_nodes(set, {"a", "b"});
  for (int i = 0; i < 2; ++i) {
    const auto node = set.pick();
    set.done(node, Outcome::unreachable, kStart);
  }
  std::map<std::string, int> used;
  for (int i = 0; i < 4; ++i) ++used[pick_and_finish(set, Outcome::unreachable)];
  EXPECT_THAT(used, testing::UnorderedElementsAre(std::pair("a", 2), std::pair("b", 2)));
}

TEST(NodeSet, RefreshesEverySecondAndOneCallerAtATime) {
  NodeSet set(options());
  EXPECT_TRUE(set.take_chores(kStart).refresh);
  EXPECT_FALSE(set.take_chores(kStart).refresh);
  set.refreshed({"contact"}, "/localnodes", kStart);
  EXPECT_FALSE(set.take_chores(kStart + 999ms).refresh);
  const auto second = set.take_chores(kStart + 1s);
  EXPECT_TRUE(second.refresh);
  EXPECT_FALSE(second.refresh_first);
  set.refreshed({"contact"}, "/localnodes", kStart + 1s);
  EXPECT_TRUE(set.take_chores(kStart + 61s).refresh_first) << "idle for a minute: the list is old";
}

TEST(NodeSet, AFailedRefreshKeepsTheNodes) {
  NodeSet set(options());
  give_nodes(set, {"a"});
  EXPECT_TRUE(set.take_chores(kStart + 1s).refresh);
  set.refresh_failed(false, "cut", kStart + 1s);
  EXPECT_EQ(pick_and_finish(set), "a");
  EXPECT_FALSE(set.take_chores(kStart + 1500ms).refresh);
  EXPECT_TRUE(set.take_chores(kStart + 2s).refresh);
}

TEST(NodeSet, AServerWithoutTheListIsAskedOnceAMinute) {
  NodeSet set(options());
  EXPECT_TRUE(set.take_chores(kStart).refresh);
  set.refresh_failed(true, "HTTP 404", kStart);
  EXPECT_FALSE(set.take_chores(kStart + 59s).refresh);
  EXPECT_EQ(pick_and_finish(set), "contact");
  EXPECT_TRUE(set.take_chores(kStart + 60s).refresh);
}

TEST(NodeSet, NodesThatLeaveAreForgotten) {
  NodeSet set(options());
  give_nodes(set, {"a", "b"});
  const auto before = set.generation();
  const auto held = set.pick();
  EXPECT_TRUE(set.take_chores(kStart + 1s).refresh);
  set.refreshed({"b"}, "/localnodes", kStart + 1s);
  EXPECT_NE(set.generation(), before);
  set.done(held, Outcome::answered, kStart);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pick_and_finish(set), "b");
  EXPECT_THAT(set.origins(),
              testing::ElementsAre(net::Origin{"contact", 8000, false}, net::Origin{"b", 8000, false}));
}

TEST(NodeSet, AsksForRackThenDatacenterThenCluster) {
  auto wanted = options();
  EXPECT_THAT(NodeSet(wanted).discovery_paths(), testing::ElementsAre("/localnodes"));
  wanted.datacenter = "dc 1";
  EXPECT_THAT(NodeSet(wanted).discovery_paths(),
              testing::ElementsAre("/localnodes?dc=dc%201", "/localnodes"));
  wanted.rack = "r&1";
  EXPECT_THAT(
      NodeSet(wanted).discovery_paths(),
      testing::ElementsAre("/localnodes?dc=dc%201&rack=r%261", "/localnodes?dc=dc%201", "/localnodes"));
}

TEST(LocalNodes, OnlyAListOfHostsWillDo) {
  EXPECT_THAT(parse_localnodes(R"(["127.0.0.1","::1","node-1.x"])").value(),
              testing::ElementsAre("127.0.0.1", "::1", "node-1.x"));
  EXPECT_TRUE(parse_localnodes("[]").value().empty());
  for (const auto* bad : {"", "{}", "healthy", "[1]", R"([""])", R"(["a/b"])", R"(["a\r\nX: y"])"}) {
    EXPECT_FALSE(parse_localnodes(bad)) << bad;
  }
}

TEST(HostHeader, LeavesOutTheDefaultPort) {
  EXPECT_EQ(host_header({"h", 443, true}), "h");
  EXPECT_EQ(host_header({"h", 80, false}), "h");
  EXPECT_EQ(host_header({"h", 80, true}), "h:80");
  EXPECT_EQ(host_header({"::1", 8000, false}), "[::1]:8000");
}

}  // namespace
}  // namespace messina::aws
