// What the table has and will not have on the other side, and whether this machine can do the work.
// Source of the differences: ScyllaDB, "Alternator for DynamoDB users" (compatibility), and recordings of 5.2
// and 6.2.
#include <fmt/format.h>

#include "jobs/findings.h"

namespace messina::jobs {
namespace {

/// ScyllaDB makes a view named after table and index: both names and what joins them fit into this.
constexpr std::size_t kMaxViewName = 222;
/// The ledger is small; what grows are rejects, with the items in them.
constexpr std::uint64_t kLittleSpace = 1u << 30;
constexpr std::uint64_t kNoSpace = 64u << 20;

void judge_indexes(FindingWriter& out, const CheckFacts& facts, const endpoints::TableDescription& table) {
  // A table that is there already was compared with, projections and all.
  const bool compared = facts.target.described && *facts.target.described;
  for (const endpoints::Index& index : table.indexes) {
    if (!compared && index.projection != "ALL") {
      out.note(
          "projection " + index.name,
          fmt::format("index \"{}\" projects {}: ScyllaDB projects everything", index.name, index.projection),
          "plan the disk for whole items in it, and who may read it");
    }
    if (facts.target.table_name.size() + index.name.size() + 1 > kMaxViewName) {
      out.stop(
          "index_name " + index.name,
          fmt::format(
              "index \"{}\": with the table's name it is longer than the {} characters that ScyllaDB takes",
              index.name, kMaxViewName),
          "give the target's table a shorter name");
    }
  }
}

/// ScyllaDB keeps 1000, 1E+3 and 1000.0 as keys of three items, and its Scan renders each of them as 1000:
/// seen in recordings of 5.2 and 6.2.
void judge_keys(FindingWriter& out, const CheckFacts& facts, const endpoints::TableDescription& table) {
  const auto look_at = [&](const item::KeyAttribute& attribute) {
    if (attribute.type != item::Type::N) return;
    const std::string id = "number_key " + attribute.name;
    const std::string number = fmt::format("key attribute \"{}\" is a number", attribute.name);
    if (facts.source.alternator) {
      out.note(id,
               number +
                   ": ScyllaDB keeps items written under 1000 and 1E+3 apart but shows both as 1000; of such "
                   "items only one arrives, and following a table takes a change of 1E+3 for a deletion",
               "look for keys that a scan of the source shows twice, and settle there which item is right");
    } else if (facts.target.alternator) {
      out.note(id, number + ": ScyllaDB keeps 1000 and 1E+3 apart, as two items, where DynamoDB has one",
               "let applications write numbers of keys in plain decimals, as DynamoDB returns them");
    }
  };
  look_at(table.key.partition);
  if (table.key.sort) look_at(*table.key.sort);
}

void judge_billing(FindingWriter& out, const CheckFacts& facts, const endpoints::TableDescription& table,
                   const endpoints::TableDetails& details) {
  const bool compared = facts.target.described && *facts.target.described;
  if (!table.on_demand && !compared) {
    out.note(
        "capacity",
        fmt::format("provisioned capacity ({} read, {} write units) has no meaning on ScyllaDB: no table's "
                    "callers are held back",
                    table.read_capacity, table.write_capacity),
        "size the cluster for the load");
  }
  if (table.most_reads || table.most_writes) {
    out.note("capacity_cap",
             "the cap on on-demand throughput has no counterpart: no table's callers are held back",
             "size the cluster for the load");
  }
  if (!details.table_class.empty()) {
    out.note("table_class",
             fmt::format("table class {} has no counterpart: ScyllaDB keeps every table on the same disks",
                         details.table_class),
             "count its whole size into the cluster's disks");
  }
}

void judge_protection(FindingWriter& out, const SideFacts& side, const endpoints::TableDetails& details) {
  if (details.deletion_protection) {
    out.note("deletion_protection",
             "deletion protection has no counterpart: who may drop tables can drop this one",
             "give applications roles without the permission to drop");
  }
  if (!details.encryption_key_arn.empty()) {
    out.note(
        "encryption",
        "its encryption key does not go with it: on ScyllaDB encryption at rest is the cluster's setting",
        "switch on encryption at rest in ScyllaDB before the copy, if it must be");
  }
  if (side.recovery && *side.recovery && **side.recovery) {
    out.note("recovery", "point-in-time recovery has no counterpart",
             "plan backups of the cluster, with ScyllaDB Manager for instance");
  }
  if (side.resource_policy && *side.resource_policy && **side.resource_policy) {
    out.note("resource_policy", "the table's resource policy does not go with it",
             "give its callers roles on ScyllaDB");
  }
}

void judge_events(FindingWriter& out, const SideFacts& side, const endpoints::TableDescription& table,
                  const endpoints::TableDetails& details) {
  if (table.stream_view_type) {
    out.note(
        "stream",
        "ScyllaDB's streams differ: many more shards, records about 10 s late, a put may show as REMOVE and "
        "MODIFY; before 2026.2 they need a table without tablets",
        "let readers go by images and not by event names, and test them against ScyllaDB");
  }
  if (table.ttl_attribute) {
    out.note("ttl",
             "TTL deletes by a scan that starts once a day by default, and its deletions are not marked as "
             "TTL's in streams",
             "set alternator_ttl_period_in_seconds for a shorter period");
  }
  if (side.kinesis && *side.kinesis && !(*side.kinesis)->empty()) {
    out.note("kinesis",
             fmt::format("its changes go to Kinesis ({}): ScyllaDB has no such destination",
                         fmt::join(**side.kinesis, ", ")),
             "feed those readers from ScyllaDB's streams or CDC instead");
  }
  if (!details.replica_regions.empty()) {
    out.note("replicas",
             fmt::format(
                 "it is a global table (also in {}): only this region's replica is copied, and writes to the "
                 "others arrive with it",
                 fmt::join(details.replica_regions, ", ")),
             "use a ScyllaDB cluster over several datacenters, and move the writers of all regions at the "
             "cutover");
  }
}

}  // namespace

void judge_move(const CheckFacts& facts, std::vector<Finding>& findings) {
  FindingWriter all("move", findings, true, FindingWriter::Scope::for_all);
  FindingWriter out("move", findings);
  const auto table = facts.source.whole_table();
  if (!table) return;
  const auto& details = (*facts.source.described)->details;
  judge_keys(out, facts, *table);
  if (facts.target.alternator && !facts.source.alternator) {
    judge_indexes(out, facts, *table);
    judge_billing(out, facts, *table, details);
    judge_protection(out, facts.source, details);
    judge_events(out, facts.source, *table, details);
    all.note("unseen",
             "transactions, PartiQL, auto scaling, DAX and triggers cannot be seen in a table, and ScyllaDB "
             "has none of "
             "them",
             "search the applications for TransactWriteItems, TransactGetItems and ExecuteStatement");
  }
  if (facts.source.alternator && !facts.target.alternator) {
    all.note("limits",
             "ScyllaDB takes items that DynamoDB refuses: over 400 KB, long keys, empty names, doubled set "
             "members",
             "look at `messina rejects list` after the copy: what is refused stays there");
  }
}

void judge_machine(const CheckFacts& facts, std::vector<Finding>& findings) {
  FindingWriter out("machine", findings, true, FindingWriter::Scope::for_all);
  const MachineFacts& machine = facts.machine;
  if (machine.state_error) {
    out.stop("state", *machine.state_error, "give another --state, or its owner's permissions");
  } else {
    out.ok("state", fmt::format("the state directory \"{}\" can be written", machine.state_dir));
  }
  if (machine.free_bytes) {
    const auto mib = *machine.free_bytes >> 20;
    const std::string text = fmt::format("the state directory's disk has {} MiB free", mib);
    if (*machine.free_bytes < kNoSpace) {
      out.stop("disk", text, "free some, or give another --state: the place of the copy is kept there");
    } else if (*machine.free_bytes < kLittleSpace) {
      out.note("disk", text, "free some if items may be refused: each is kept there whole");
    } else {
      out.ok("disk", "the state directory's disk has room");
    }
  }
  if (machine.open_files) {
    if (*machine.open_files < machine.files_needed) {
      out.note("open_files",
               fmt::format("{} open files are allowed, and a copy may need {}", *machine.open_files,
                           machine.files_needed),
               fmt::format("`ulimit -n {}`, or a smaller --target-max-connections", machine.files_needed));
    } else {
      out.ok("open_files", "enough open files are allowed");
    }
  }
}

Made what_is_made(const CheckFacts& facts) {
  Made made;
  const auto source = facts.source.whole_table();
  if (!source || !facts.target.missing() || !facts.makes_table) return made;
  const auto wanted = wanted_table(*source, {facts.target.table_name}, facts.schema);
  const auto key_text = [](const item::KeySchema& key) {
    std::string text = fmt::format("{} ({})", key.partition.name, item::to_string(key.partition.type));
    if (key.sort) text += fmt::format(", {} ({})", key.sort->name, item::to_string(key.sort->type));
    return text;
  };
  made.tables = 1;
  made.indexes = wanted.indexes.size();
  made.tags = wanted.tags.size();
  made.lines.push_back(fmt::format("table \"{}\", key {}", wanted.name.value, key_text(wanted.key)));
  for (const endpoints::Index& index : wanted.indexes)
    made.lines.push_back(fmt::format("{} \"{}\", key {}", index.global ? "index" : "local index", index.name,
                                     key_text(index.key)));
  for (const auto& [name, value] : wanted.tags) made.lines.push_back(fmt::format("tag {}={}", name, value));
  return made;
}

}  // namespace messina::jobs
