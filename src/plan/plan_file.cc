#include "plan/plan_file.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "plan/text.h"
#include "plan/units.h"
#include "plan/uri.h"
#include "plan/yaml_reader.h"

namespace messina::plan {
namespace {

constexpr std::uint64_t kMaxSegments = 1'000'000;
constexpr std::uint64_t kMaxCount = 1'000'000;

class PlanFileReader {
 public:
  PlanFileReader(const std::string& file_name, const Environment& environment)
      : yaml_(file_name, environment) {}

  Draft read(const YAML::Node& root) {
    yaml_.mapping({root, "", 1}, top_keys());
    return std::move(draft_);
  }

 private:
  /// Accepted, without effect: said once in the log.
  Handler ignored(const std::string& why) {
    return [this, why](const Field& field) { notice(field, why); };
  }
  void notice(const Field& field, const std::string& why) {
    draft_.notices.push_back(fmt::format("{}: key \"{}\" {}", yaml_.where(field), field.path, why));
  }
  /// A switch that may stand there only as `allowed`.
  Handler only(bool allowed, const std::string& why) {
    return [this, allowed, why](const Field& field) {
      if (yaml_.boolean(field) != allowed) yaml_.fail_at(field, why);
    };
  }
  Handler empty_list(const std::string& why) {
    return [this, why](const Field& field) {
      if (field.node.IsNull()) return;
      if (!yaml_.list(field).empty()) yaml_.fail_at(field, why);
    };
  }
  template <class T>
  Handler text_into(std::optional<T>& to) {
    return [this, &to](const Field& field) { to = T(yaml_.text(field)); };
  }
  Handler boolean_into(std::optional<bool>& to) {
    return [this, &to](const Field& field) { to = yaml_.boolean(field); };
  }
  Handler whole_into(std::optional<std::uint32_t>& to, std::uint64_t low, std::uint64_t high) {
    return [this, &to, low, high](const Field& field) {
      to = static_cast<std::uint32_t>(yaml_.whole(field, low, high));
    };
  }
  Handler rate_into(std::optional<double>& to) {
    return [this, &to](const Field& field) { to = yaml_.rate(field); };
  }
  Handler budget_into(std::optional<double>& to) {
    return [this, &to](const Field& field) {
      to = yaml_.parsed(field, [](const std::string& value) { return parse_budget(value); });
    };
  }
  Handler share_into(std::optional<double>& to) {
    return [this, &to](const Field& field) {
      to = yaml_.parsed(field, [](const std::string& value) { return parse_share(value); });
    };
  }
  Handler duration_into(std::optional<std::chrono::milliseconds>& to) {
    return [this, &to](const Field& field) {
      to = yaml_.parsed(field, [](const std::string& value) { return parse_duration(value); });
    };
  }

  Keys top_keys() {
    const auto side = [this](SideDraft& draft, const char* name) {
      return [this, &draft, name](const Field& field) { read_side(field, draft, name); };
    };
    const Handler skip_segments = [this](const Field& field) { read_skip_segments(field); };
    return {
        {"version", [this](const Field& field) { read_version(field); }},
        {"source", side(draft_.source, "source")},
        {"target", side(draft_.target, "target")},
        {"renames", [this](const Field& field) { read_renames(field); }},
        {"drop", [this](const Field& field) { read_drops(field); }},
        {"segments", whole_into(draft_.segments, 1, kMaxSegments)},
        {"skipSegments", skip_segments},
        {"skip-segments", skip_segments},
        {"read-rcu", budget_into(draft_.read_rcu_per_s)},
        {"read-share", share_into(draft_.read_share)},
        {"eventually-consistent", boolean_into(draft_.eventually_consistent)},
        {"write-wcu", budget_into(draft_.write_wcu_per_s)},
        {"write-share", share_into(draft_.write_share)},
        {"write-concurrency", whole_into(draft_.write_concurrency, 1, kMaxCount)},
        {"loops", whole_into(draft_.loops, 1, 256)},
        {"memory",
         [this](const Field& field) {
           draft_.memory_bytes =
               yaml_.parsed(field, [](const std::string& value) { return parse_size(value); });
         }},
        {"schema",
         [this](const Field& field) {
           draft_.schema =
               yaml_.parsed(field, [](const std::string& value) { return parse_schema_mode(value); });
         }},
        {"write-isolation", text_into(draft_.write_isolation)},
        {"into-existing", boolean_into(draft_.into_existing)},
        {"clock-error", duration_into(draft_.clock_error)},
        {"dead-after", duration_into(draft_.dead_after)},
        {"state", text_into(draft_.state_dir)},
        {"allow-write-aws",
         [this](const Field& field) {
           yaml_.fail_at(field, "this is a flag only: it is said anew each time");
         }},
        {"restart",
         [this](const Field& field) {
           yaml_.fail_at(field, "this is a flag only: it is said anew each time");
         }},
        {"savepoints", [this](const Field& field) { read_savepoints(field); }},
        {"skipTokenRanges",
         empty_list("token ranges belong to CQL sources, which this version does not do yet")},
        {"skipParquetFiles", empty_list("Parquet files are not a source of messina")},
        {"validation", ignored("is not used: this version does not compare tables yet")},
    };
  }

  void read_version(const Field& field) {
    const std::uint64_t version = yaml_.whole(field, 1, 1'000'000);
    if (version > kPlanVersion)
      yaml_.fail_at(field,
                    fmt::format("this plan has version {}, and this messina knows version {}: update messina",
                                version, kPlanVersion));
  }

  void read_renames(const Field& field) {
    auto& renames = draft_.renames.emplace();
    if (field.node.IsNull()) return;
    for (const Field& element : yaml_.list(field)) {
      std::optional<std::string> from, to;
      yaml_.mapping(element, {{"from", text_into(from)}, {"to", text_into(to)}});
      if (!from || !to) yaml_.fail_at(element, "a rename has the keys \"from\" and \"to\"");
      for (const std::string& name : {*from, *to})
        if (auto checked = check_attribute_name(name); !checked)
          yaml_.fail_at(element, checked.error().message);
      if (!renames.emplace(*from, *to).second)
        yaml_.fail_at(element, fmt::format("{} is renamed twice", shown(*from)));
    }
  }

  void read_drops(const Field& field) {
    auto& drops = draft_.drops.emplace();
    if (field.node.IsNull()) return;
    for (const Field& element : yaml_.list(field)) {
      const std::string name = yaml_.text(element);
      if (auto checked = check_attribute_name(name); !checked)
        yaml_.fail_at(element, checked.error().message);
      drops.insert(name);
    }
  }

  void read_skip_segments(const Field& field) {
    auto& skipped = draft_.skip_segments.emplace();
    if (field.node.IsNull()) return;
    for (const Field& element : yaml_.list(field))
      skipped.insert(static_cast<std::uint32_t>(yaml_.whole(element, 0, kMaxSegments - 1)));
  }

  void read_savepoints(const Field& field) {
    const Handler folder = [this](const Field& path) { draft_.state_dir = yaml_.text(path); };
    yaml_.mapping(
        field, {{"path", folder},
                {"intervalSeconds", ignored("is not used: the ledger is written a few times a second")},
                {"target", [this, folder](const Field& target) {
                   yaml_.mapping(
                       target, {{"type",
                                 [this](const Field& type) {
                                   if (yaml_.text(type) != "filesystem")
                                     yaml_.fail_at(
                                         type,
                                         "the ledger lies in a local directory: only filesystem is possible");
                                 }},
                                {"path", folder}});
                 }}});
  }

  // ------------------------------------------------------------------------------------------ sides

  /// What a side's block says, before it becomes an address.
  struct Block {
    std::optional<std::string> type, uri, table, region, host_text, url;
    std::optional<std::uint32_t> port;
  };

  void read_side(const Field& field, SideDraft& side, const std::string& name) {
    side.address_from = yaml_.where(field);
    if (field.node.IsScalar()) {
      side.address = yaml_.parsed(field, [&](const std::string& uri) { return parse_uri(uri, name); });
      return;
    }
    if (!field.node.IsMap())
      yaml_.fail_at(field, "this must be an address (dynamodb://…) or a mapping with \"type\" or \"uri\"");
    Block block;
    check_type(field);
    yaml_.mapping(field, side_keys(side, block, name == "target"));
    if (block.uri) {
      for (const auto& [given, key] :
           {std::pair(block.type.has_value(), "type"), {block.table.has_value(), "table"}})
        if (given) yaml_.fail_at(field, fmt::format("\"uri\" and \"{}\" cannot stand together", key));
      auto address = parse_uri(*block.uri, name);
      if (!address) yaml_.fail_at(field, address.error().message);
      side.address = std::move(*address);
      side.region = block.region;
      apply_endpoint(field, *side.address, block);
      return;
    }
    if (!block.type) yaml_.fail_at(field, "there is neither \"type\" nor \"uri\"");
    if (!block.table) yaml_.fail_at(field, "\"table\" is missing");
    EndpointSpec spec;
    spec.kind = *block.type == "alternator" ? EndpointKind::alternator : EndpointKind::dynamodb;
    spec.table = *block.table;
    if (auto checked = check_table_name(spec.table, spec.kind, name); !checked)
      yaml_.fail_at(field, checked.error().message);
    // Migrator's files name a region for Alternator too, since its SDK asks for one; it means nothing there.
    if (spec.kind == EndpointKind::dynamodb) spec.region = block.region.value_or("");
    if (spec.kind == EndpointKind::alternator && !block.host_text && !block.url)
      yaml_.fail_at(field, "an Alternator needs \"endpoint\" with \"host\" and \"port\"");
    apply_endpoint(field, spec, block);
    side.address = std::move(spec);
  }

  /// Before the keys are read: another type has other keys, and "unknown key" would be the wrong answer.
  void check_type(const Field& field) {
    const YAML::Node type = field.node["type"];
    if (!type) return;
    const Field at{type, field.path + ".type", type.Mark().line + 1};
    const std::string value = yaml_.text(at);
    if (value == "dynamodb" || value == "alternator") return;
    for (const std::string_view later : {"dynamodb-s3-export", "cassandra", "scylla"})
      if (value == later)
        yaml_.fail_at(
            at, fmt::format("{} is not done by this version yet: only dynamodb and alternator are", value));
    for (const std::string_view never : {"parquet", "mysql"})
      if (value == never)
        yaml_.fail_at(at,
                      fmt::format("{} is not a source of messina: only dynamodb and alternator are", value));
    static const std::string kTypes[] = {"dynamodb", "alternator"};
    yaml_.fail_at(at, fmt::format("unknown type {}{}", shown(value), did_you_mean(value, kTypes)));
  }

  void apply_endpoint(const Field& field, EndpointSpec& spec, const Block& block) {
    if (block.url) {
      if (spec.kind == EndpointKind::alternator && !spec.host.empty())
        yaml_.fail_at(field, "the \"uri\" names the host already: leave \"endpoint\" out");
      if (auto url = parse_http_url(*block.url, "\"endpoint\""); !url)
        yaml_.fail_at(field, url.error().message);
      set_endpoint(spec, *block.url);
    } else if (block.host_text) {
      std::string url = *block.host_text;
      if (url.find("://") == std::string::npos) url = (is_aws_host(url) ? "https://" : "http://") + url;
      if (block.port) url += fmt::format(":{}", *block.port);
      if (auto parsed = parse_http_url(url, "\"endpoint.host\""); !parsed)
        yaml_.fail_at(field, parsed.error().message);
      set_endpoint(spec, url, block.port.has_value());
    } else if (block.port) {
      yaml_.fail_at(field, "\"endpoint\" has a port and no host");
    }
  }

  static void set_endpoint(EndpointSpec& spec, const std::string& text, bool has_port = true) {
    if (spec.kind == EndpointKind::dynamodb) {
      spec.endpoint_url = text;
      return;
    }
    const auto url = parse_http_url(text, "endpoint");
    spec.host = url->host;
    spec.tls = url->tls;
    spec.port = has_port ? url->port : url->tls ? kAlternatorTlsPort : kAlternatorPort;
  }

  Keys side_keys(SideDraft& side, Block& block, bool is_target) {
    Keys keys = {
        {"type", text_into(block.type)},
        {"uri", text_into(block.uri)},
        {"table", text_into(block.table)},
        {"region", text_into(block.region)},
        {"endpoint", [this, &block](const Field& field) { read_endpoint(field, block); }},
        {"credentials", [this, &side](const Field& field) { read_credentials(field, side.credentials); }},
        {"profile", text_into(side.credentials.profile)},
        {"access-key", text_into(side.credentials.access_key)},
        {"secret-key-env", text_into(side.credentials.secret_key_env)},
        {"secret-key-file", text_into(side.credentials.secret_key_file)},
        {"session-token-env", text_into(side.credentials.session_token_env)},
        {"session-token-file", text_into(side.credentials.session_token_file)},
        {"ca-file", text_into(side.ca_file)},
        {"datacenter", text_into(side.datacenter)},
        {"rack", text_into(side.rack)},
        {"gzip", boolean_into(side.gzip_requests)},
        {"compression", boolean_into(side.gzip_requests)},
        {"max-batch-items", whole_into(side.max_batch_items, 1, 100)},
        {"maxItemsPerBatch", whole_into(side.max_batch_items, 1, 100)},
        {"max-connections", whole_into(side.max_connections, 1, 1024)},
        {"maxConnections", whole_into(side.max_connections, 1, 1024)},
        {"maxMapTasks", ignored("is Spark's and not used: see --loops")},
    };
    for (const char* key : {"activeRefreshIntervalMs", "idleRefreshIntervalMs", "optimizeHeaders",
                            "removeConsumedCapacity", "connectionMaxIdleTimeMs", "connectionTimeToLiveMs",
                            "connectionAcquisitionTimeoutMs", "connectionTimeoutMs"})
      keys.emplace_back(key, ignored("is not used: messina has its own way"));
    if (is_target) {
      keys.emplace_back("writeThroughput", ignored("is not used: --write-concurrency limits the writing"));
      keys.emplace_back("throughputWritePercent",
                        ignored("is not used: --write-concurrency limits the writing"));
      keys.emplace_back("billingMode", ignored("is not used: the target's table takes the source's mode"));
      keys.emplace_back("streamChanges",
                        only(false, "this version copies history only: changes are not followed yet"));
      keys.emplace_back("skipInitialSnapshotTransfer", only(false, "this version copies history only"));
    } else {
      keys.emplace_back("scanSegments", whole_into(draft_.segments, 1, kMaxSegments));
      keys.emplace_back("readThroughput", rate_into(draft_.read_rcu_per_s));
      keys.emplace_back("throughputReadPercent",
                        ignored("is not used yet: give the rate itself, as readThroughput or read-rcu"));
    }
    return keys;
  }

  void read_endpoint(const Field& field, Block& block) {
    if (field.node.IsScalar()) {
      block.url = yaml_.text(field);
      return;
    }
    yaml_.mapping(field, {{"host", text_into(block.host_text)}, {"port", whole_into(block.port, 1, 65'535)}});
    if (!block.host_text) yaml_.fail_at(field, "\"host\" is missing");
  }

  void read_credentials(const Field& field, CredentialsDraft& credentials) {
    yaml_.mapping(field,
                  {{"accessKey", text_into(credentials.access_key)},
                   {"secretKey", text_into(credentials.secret_key)},
                   {"assumeRole", [this](const Field& role) {
                      yaml_.fail_at(
                          role,
                          "roles are not assumed by this version: put the role's keys into the environment");
                    }}});
  }

  YamlReader yaml_;
  Draft draft_;
};

std::size_t line_of(std::string_view text, std::size_t at) {
  return 1 + static_cast<std::size_t>(std::ranges::count(text.substr(0, at), '\n'));
}

}  // namespace

Result<Draft> parse_plan_file(std::string_view yaml, const std::string& file_name,
                              const Environment& environment) {
  static constexpr std::size_t kMaxPlanBytes = 16u << 20;
  if (yaml.size() > kMaxPlanBytes) return fail(ErrorKind::usage, file_name + ": a plan has at most 16 MiB");
  // yaml-cpp would replace such bytes silently.
  if (const auto bad = invalid_utf8_at(yaml))
    return fail(ErrorKind::usage, fmt::format("{}:{}: {} is not valid UTF-8", file_name, line_of(yaml, *bad),
                                              shown(yaml.substr(*bad, 1))));
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (root.IsNull()) return fail(ErrorKind::usage, file_name + ":1: the plan is empty");
    return PlanFileReader(file_name, environment).read(root);
  } catch (const Malformed& malformed) {
    return fail(malformed.error);
  } catch (const YAML::Exception& error) {
    const int line = error.mark.is_null() ? 1 : error.mark.line + 1;
    return fail(ErrorKind::usage, fmt::format("{}:{}: this is not YAML: {}", file_name, line, error.msg));
  }
}

}  // namespace messina::plan
