// What was seen of the source.
#include <cmath>

#include <fmt/format.h>

#include "jobs/findings.h"

namespace messina::jobs {
namespace {

using Level = Finding::Level;

std::string size_text(const endpoints::TableDescription& table) {
  if (!table.item_count || !table.size_bytes) return "its size is not told";
  return fmt::format("{} item{}, {} bytes", *table.item_count, *table.item_count == 1 ? "" : "s",
                     *table.size_bytes);
}

void judge_table(FindingWriter& out, const CheckFacts& facts) {
  const SideFacts& side = facts.source;
  const bool described =
      out.call("describe", "dynamodb:DescribeTable", side.described, Level::stop, "nothing can be read");
  if (!described) return;
  const auto& table = (*side.described)->table;
  if (const auto usable = check_status(table, side.display, "source"); !usable) {
    out.stop("status", usable.error().message, "do as it says, then check again");
  } else {
    out.ok("status", fmt::format("the table is {}: {}", table.status_text, size_text(table)));
  }
  out.call("scan", "dynamodb:Scan", side.scan_one, Level::stop, "the copy reads by Scan");
  out.call("batch_get", "dynamodb:BatchGetItem", side.get_absent, Level::note,
           "the copy does not need it, comparing and repairing will");
  if (auto rules = item::check_rules(facts.transform, table.key); !rules)
    out.stop("rules", rules.error().message, "leave the table's key as it is");
}

void judge_settings(FindingWriter& out, const SideFacts& side) {
  if (out.call("ttl_call", "dynamodb:DescribeTimeToLive", side.time_to_live, Level::note,
               "whether items expire is unknown")) {
    const auto& attribute = **side.time_to_live;
    if (attribute) {
      out.note(
          "ttl",
          fmt::format("items expire by attribute \"{}\": on the source alone, until the cutover", *attribute),
          "switch TTL on at the target when the source is given up, not before");
    } else {
      out.ok("ttl", "TTL is off");
    }
  }
  out.call("tags", "dynamodb:ListTagsOfResource", side.tags, Level::note, "its tags are left out");
  if (out.call("recovery_call", "dynamodb:DescribeContinuousBackups", side.recovery, Level::note,
               "whether it could be exported to S3 is unknown")) {
    if (**side.recovery) {
      out.ok("recovery", "point-in-time recovery is on: the table could be exported to S3");
    } else {
      out.note(
          "recovery", "point-in-time recovery is off: the table cannot be exported to S3",
          "nothing to do for a copy by Scan; an export needs it on before it begins, and it costs by the GB");
    }
  }
  out.call("kinesis", "dynamodb:DescribeKinesisStreamingDestination", side.kinesis, Level::note,
           "whether changes go to Kinesis is unknown");
  out.call("resource_policy", "dynamodb:GetResourcePolicy", side.resource_policy, Level::note,
           "whether it has a policy of its own is unknown");
}

void judge_streams(FindingWriter& out, const SideFacts& side) {
  const std::string needs = "the copy does not need it, capturing changes will";
  out.call("list_streams", "dynamodb:ListStreams", side.streams, Level::note, needs);
  const auto& view = (*side.described)->table.stream_view_type;
  if (!view) {
    out.note("stream", "it has no stream: `messina copy` does not follow what changes while it runs",
             "for a live move use `messina migrate … --enable-stream`, which switches on one with NEW_IMAGE");
    return;
  }
  out.call("describe_stream", "dynamodb:DescribeStream", side.stream, Level::note, needs);
  out.call("shard_iterator", "dynamodb:GetShardIterator", side.shard_iterator, Level::note, needs);
  out.call("records", "dynamodb:GetRecords", side.records, Level::note, needs);
  if (*view == "KEYS_ONLY" || *view == "OLD_IMAGE") {
    out.note(
        "stream",
        fmt::format(
            "its stream has the view type {}: changes come without the new item, and each key is read "
            "again",
            *view),
        "a view type cannot be changed: for fewer reads, make the stream anew with NEW_IMAGE when nobody "
        "reads it");
  } else {
    out.ok("stream", fmt::format("its stream has the view type {}", *view));
  }
  if (side.alternator) return;
  out.note("stream_readers",
           "who else reads its stream cannot be seen, and a shard serves two readers at once",
           "count its Lambda event source mappings and KCL applications: with two of them, free one first");
}

void judge_quotas(FindingWriter& out, const CheckFacts& facts) {
  const SideFacts& side = facts.source;
  const bool asked = out.call("quotas_call", "dynamodb:DescribeLimits", side.quotas, Level::note,
                              "the account's quotas are unknown");
  const auto& budget = facts.read_rcu_per_s;
  if (asked && budget && std::isfinite(*budget)) {
    const auto quota = static_cast<double>((**side.quotas).table_read);
    if (*budget > quota) {
      out.note("quotas",
               fmt::format("--read-rcu {} is over a table's quota of {} RCU a second", *budget, quota),
               "take less, or have the quota raised");
    } else {
      out.ok("quotas", fmt::format("--read-rcu is within a table's quota of {} RCU a second", quota));
    }
  }
}

/// What the copy takes of a capacity that the application needs, too.
void judge_share(FindingWriter& out, const CheckFacts& facts, double capacity, const std::string& what) {
  const auto& rate = facts.read_rcu_per_s;
  if (rate && *rate < capacity) {
    out.ok("billing", fmt::format("it has {}: --read-rcu {} leaves the application the rest", what, *rate));
  } else if (rate) {
    out.note("billing", fmt::format("it has {}, and the copy may take all of it", what),
             "give a --read-rcu below it, or leave it out: then half of what is free is taken");
  } else if (facts.read_share) {
    out.ok("billing",
           fmt::format("it has {}, of which the copy takes {:g} %", what, *facts.read_share * 100));
  } else if (facts.source.metrics && *facts.source.metrics) {
    out.ok("billing", fmt::format("it has {}: the copy takes half of what the application leaves", what));
  } else {
    out.note("billing",
             fmt::format("it has {}: the copy takes a quarter, without knowing what is free", what),
             "let CloudWatch be asked, or give --read-rcu");
  }
}

void judge_capacity(FindingWriter& out, const CheckFacts& facts) {
  const auto& table = (*facts.source.described)->table;
  if (!table.on_demand) {
    judge_share(out, facts, static_cast<double>(table.read_capacity),
                fmt::format("{} provisioned RCU", table.read_capacity));
  } else if (table.most_reads) {
    judge_share(out, facts, static_cast<double>(*table.most_reads),
                fmt::format("on-demand capacity with a cap of {} RCU a second", *table.most_reads));
  } else {
    out.ok("billing", "it is on demand, without a cap on reads");
  }
}

void judge_key(FindingWriter& out, const SideFacts& side) {
  if (!side.key) return;
  if (!out.call("key_call", "kms:DescribeKey", side.key, Level::note,
                "the state of its encryption key is unknown"))
    return;
  const auto& key = **side.key;
  if (key.state == "Enabled") {
    out.ok("key",
           fmt::format("its encryption key ({}) is enabled", key.manager == "AWS" ? "AWS's" : "your own"));
  } else {
    out.stop("key", fmt::format("its encryption key is in state {}", key.state), "enable the key in AWS KMS");
  }
}

}  // namespace

void judge_source(const CheckFacts& facts, std::vector<Finding>& findings) {
  const SideFacts& side = facts.source;
  FindingWriter all("source", findings, !side.alternator, FindingWriter::Scope::for_all);
  FindingWriter out("source", findings, !side.alternator);
  if (side.server) {
    if (*side.server) {
      all.ok("server", fmt::format("{} answers", (*side.server)->host));
    } else {
      all.call("server", "", &side.server->error(), Level::stop, "");
    }
  }
  judge_caller(all, side);
  all.call("list_tables", "dynamodb:ListTables", side.listed, Level::stop, "patterns choose none");
  judge_transport(all, side, "source");
  if (!side.alternator) judge_quotas(all, facts);
  judge_metrics(all, side, "--read-rcu");
  judge_table(out, facts);
  if (side.described && *side.described) {
    judge_settings(out, side);
    judge_streams(out, side);
    if (!side.alternator) judge_capacity(out, facts);
    judge_key(out, side);
  }
  judge_clock(all, side, facts.clock_error);
}

}  // namespace messina::jobs
