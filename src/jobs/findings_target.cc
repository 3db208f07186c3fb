// What was seen of the target.
#include <algorithm>

#include <fmt/format.h>

#include "jobs/findings.h"

namespace messina::jobs {
namespace {

using Level = Finding::Level;

constexpr std::string_view kIsolationTag = "system:write_isolation";
/// ScyllaDB 2025.2: alternator_max_items_in_batch_write; 2026.1: compressed requests.
constexpr int kBatchLimitMajor = 2025, kBatchLimitMinor = 2;
constexpr int kGzipMajor = 2026, kGzipMinor = 1;

void judge_server(FindingWriter& out, const SideFacts& side) {
  if (!side.server) return;
  if (!*side.server) {
    out.call("server", "", &side.server->error(), Level::stop, "");
    return;
  }
  const endpoints::ServerSeen& server = **side.server;
  if (side.alternator && !server.healthy) {
    out.note("server", fmt::format("{} answers, and not as an Alternator does", server.host),
             "give an Alternator's own port; a balancer in between should pass GET / on");
  } else {
    out.ok("server", fmt::format("{} answers{}", server.host,
                                 server.software.empty() ? "" : fmt::format(" ({})", server.software)));
  }
}

void judge_nodes(FindingWriter& out, const SideFacts& side) {
  if (!side.nodes) return;
  if (!*side.nodes) {
    out.note("nodes", fmt::format("the cluster's nodes are unknown: {}", side.nodes->error().message),
             "all requests go to the address given: let /localnodes pass, or give a node's own address");
    return;
  }
  const auto& nodes = **side.nodes;
  if (nodes.empty()) {
    out.stop("nodes", "no node is in the datacenter and rack that were asked for",
             "check --target-datacenter and --target-rack");
    return;
  }
  std::vector<std::string> sick;
  for (const endpoints::NodeSeen& node : nodes) {
    if (!node.server || !node.server->healthy)
      sick.push_back(
          fmt::format("{} ({})", node.host, node.server ? "not healthy" : node.server.error().message));
  }
  if (sick.empty()) {
    out.ok("nodes",
           fmt::format("{}: healthy", nodes.size() == 1 ? std::string("its only node")
                                                        : fmt::format("all of its {} nodes", nodes.size())));
  } else {
    out.note("nodes",
             fmt::format("{} of its {} nodes cannot be used from here: {}", sick.size(), nodes.size(),
                         fmt::join(sick, "; ")),
             "bring them up, or let this machine reach them at these addresses: the others take the load "
             "meanwhile");
  }
}

void judge_version(FindingWriter& out, const CheckFacts& facts) {
  const SideFacts& side = facts.target;
  if (!side.version) return;
  if (!*side.version) {
    out.note("version", fmt::format("ScyllaDB's version is unknown: {}", side.version->error().message),
             "let the role read system.versions, or know that batches of 100 and compression are tried "
             "without it");
    return;
  }
  const std::string& version = **side.version;
  const bool limits = version_at_least(version, kBatchLimitMajor, kBatchLimitMinor);
  out.ok("version", fmt::format("ScyllaDB {}: {}", version,
                                limits ? "batches of 100 by default" : "batches of any number of items"));
  if (facts.gzip_requests && !version_at_least(version, kGzipMajor, kGzipMinor)) {
    out.note("gzip",
             fmt::format("--target-gzip was given, and ScyllaDB {} does not understand compressed requests",
                         version),
             fmt::format("leave it out, or use ScyllaDB {}.{} or later", kGzipMajor, kGzipMinor));
  }
}

void judge_isolation(FindingWriter& out, const endpoints::TableDescription& table) {
  const auto tag = table.tags.find(std::string(kIsolationTag));
  if (tag == table.tags.end()) {
    out.note(
        "isolation", "its write isolation is the cluster's default, which is not told",
        fmt::format("tag it {}=only_rmw_uses_lwt, unless alternator_write_isolation says so", kIsolationTag));
    return;
  }
  const bool always = tag->second == "a" || tag->second == "always" || tag->second == "always_use_lwt";
  if (!always) {
    out.ok("isolation", fmt::format("its write isolation is {}", tag->second));
    return;
  }
  const bool tablets =
      table.tags.contains("system:initial_tablets") || table.tags.contains("experimental:initial_tablets");
  if (tablets) {
    out.stop("isolation",
             fmt::format("its write isolation is {}, and it lives on tablets: versions without "
                         "transactions on tablets refuse every write",
                         tag->second),
             "tag it system:write_isolation=only_rmw_uses_lwt, or forbid_rmw");
  } else {
    out.note("isolation",
             fmt::format("its write isolation is {}: each copied item costs a lightweight transaction",
                         tag->second),
             "tag it system:write_isolation=only_rmw_uses_lwt while the copy runs");
  }
}

void judge_missing(FindingWriter& out, const CheckFacts& facts) {
  const SideFacts& side = facts.target;
  if (!facts.makes_table) {
    out.stop("table", "the target has no such table, and none is to be made",
             "leave --check-schema and --no-schema out, or make it with `messina schema`");
  } else {
    out.ok("table", "there is no such table yet: the copy makes it");
  }
  out.call("create", "dynamodb:CreateTable", side.refused_create,
           facts.makes_table ? Level::stop : Level::note, "the table cannot be made");
}

/// The target's table against what the source's asks for.
void judge_schema(FindingWriter& out, const CheckFacts& facts, const endpoints::TableDescription& actual) {
  const auto source = facts.source.whole_table();
  if (!source) return;
  const auto wanted = wanted_table(*source, {facts.target.table_name}, facts.schema);
  int notes = 0, stops = 0;
  for (const SchemaNote& note : compare_tables(wanted, actual, facts.schema)) {
    if (note.level == SchemaNote::Level::stop) {
      out.stop(fmt::format("schema_stop_{}", ++stops), note.text,
               "choose another target, or rename the source's attributes to fit");
    } else {
      out.note(fmt::format("schema_{}", ++notes), note.text,
               "leave it if it is meant so; else change the table, or drop it and let the copy make it");
    }
  }
  if (notes == 0 && stops == 0) out.ok("schema", "its table fits the source's");
}

void judge_existing(FindingWriter& out, const CheckFacts& facts) {
  const SideFacts& side = facts.target;
  if (!out.call("describe", "dynamodb:DescribeTable", side.described, Level::stop,
                "the target's table cannot be looked at"))
    return;
  const auto table = *side.whole_table();
  const auto& source_table = facts.source.described;
  if (source_table && *source_table && !table.id.empty() && (*source_table)->table.id == table.id) {
    out.stop("same_table", "source and target are the same table under two addresses",
             "choose another target");
  }
  if (const auto usable = check_status(table, side.display, "target"); !usable) {
    out.stop("status", usable.error().message, "do as it says, then check again");
  } else {
    out.ok("status", fmt::format("the table is {}", table.status_text));
  }
  out.call("ttl_call", "dynamodb:DescribeTimeToLive", side.time_to_live, Level::note,
           "whether it expires items by itself is unknown");
  out.call("tags", "dynamodb:ListTagsOfResource", side.tags, Level::note, "its tags are unknown");
  if (out.call("scan", "dynamodb:Scan", side.scan_one, Level::stop,
               "the copy looks whether the table is empty") &&
      **side.scan_one) {
    if (facts.into_existing) {
      out.ok("empty", "it holds items, and --into-existing allows to write over them");
    } else if (facts.machine.copy_begun) {
      out.ok("empty", "it holds items, of the copy that the state directory knows");
    } else {
      out.stop("empty", "it holds items", "empty it, choose another target, or give --into-existing");
    }
  }
  out.call("write", "dynamodb:BatchWriteItem", side.refused_write, Level::stop, "the copy cannot write");
  if (side.alternator && side.with_credentials && side.refused_write && *side.refused_write) {
    out.note(
        "role", "whether its role may change the table shows only at the first write",
        fmt::format(
            "with alternator_enforce_authorization: GRANT SELECT, MODIFY ON \"alternator_{0}\".\"{0}\" to it",
            side.table_name));
  }
  judge_schema(out, facts, table);
  if (side.alternator) judge_isolation(out, table);
}

}  // namespace

void judge_target(const CheckFacts& facts, std::vector<Finding>& findings) {
  const SideFacts& side = facts.target;
  FindingWriter all("target", findings, !side.alternator, FindingWriter::Scope::for_all);
  FindingWriter out("target", findings, !side.alternator);
  if (facts.same_address)
    out.stop("same_address", "source and target are the same table", "choose another target");
  if (side.real_aws && !facts.allow_write_aws)
    all.stop("write_aws", "it is on AWS", "give --allow-write-aws to write to it");
  judge_server(all, side);
  judge_nodes(all, side);
  judge_version(all, facts);
  judge_caller(all, side);
  judge_transport(all, side, "target");
  judge_metrics(all, side, "--write-wcu");
  if (side.missing()) {
    judge_missing(out, facts);
  } else if (side.described) {
    judge_existing(out, facts);
  }
  judge_clock(all, side, facts.clock_error);
}

}  // namespace messina::jobs
