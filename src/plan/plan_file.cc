#include "plan/plan_file.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "plan/plan_keys.h"
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
  using Handlers = std::map<std::string_view, Handler>;

  /// What the keys of some places do: `handlers` has the honoured ones, and those of the others that need
  /// more than their row of plan_keys.h says.
  Keys keys(std::initializer_list<std::string_view> places, Handlers handlers) {
    Keys known;
    for (const PlanKey* key : keys_in(places)) {
      Handler handler;
      if (const auto found = handlers.extract(key->name)) {
        handler = std::move(found.mapped());
      } else if (key->use == KeyUse::ignored) {
        handler = ignored(std::string(key->says));
      } else if (key->use == KeyUse::refused) {
        handler = refused(*key);
      } else {
        throw std::logic_error(fmt::format("nothing honours the plan's key {}", key->name));
      }
      // Migrator's savepoint files write what is absent as null.
      if (key->origin != KeyOrigin::ours)
        handler = [handler = std::move(handler)](const Field& field) {
          if (!field.node.IsNull()) handler(field);
        };
      known.emplace_back(key->name, std::move(handler));
    }
    if (!handlers.empty())
      throw std::logic_error(fmt::format("plan_keys.cc lacks the key {}", handlers.begin()->first));
    return known;
  }

  /// Accepted, without effect: said once in the log.
  Handler ignored(const std::string& why) {
    return [this, why](const Field& field) {
      draft_.notices.push_back(fmt::format("{}: key \"{}\" {}", yaml_.where(field), field.path, why));
    };
  }
  /// Only a value that asks for nothing may stand there: an empty list, or false.
  Handler refused(const PlanKey& key) {
    return [this, &key](const Field& field) {
      const bool asks = key.shape == KeyShape::flag
                            ? yaml_.boolean(field)
                            : key.origin == KeyOrigin::ours || !yaml_.list(field).empty();
      if (asks) yaml_.fail_at(field, std::string(key.says));
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
  Handler budget_into(std::optional<double>& to) { return parsed_into(to, parse_budget); }
  template <class T, class Parse>
  Handler parsed_into(std::optional<T>& to, Parse parse) {
    return [this, &to, parse](const Field& field) { to = T(yaml_.parsed(field, parse)); };
  }

  /// Migrator's, which may be more than the whole: that is taken as the whole.
  Handler percent_into(std::optional<double>& to) {
    return [this, &to](const Field& field) {
      // Hadoop's dynamodb connector, from which Migrator has the setting, takes these.
      static constexpr double kLeast = 0.1, kMost = 1.5;
      to = yaml_.rate(field);
      if (*to < kLeast || *to > kMost)
        yaml_.fail_at(field, fmt::format("{} is not from {} to {} (1 is the table's whole capacity)", *to,
                                         kLeast, kMost));
      to = std::min(*to, 1.0);
    };
  }
  Handler renames_into(std::optional<std::map<std::string, std::string, std::less<>>>& to) {
    return [this, &to](const Field& field) { read_renames(field, to.emplace()); };
  }
  Handler drops_into(std::optional<std::set<std::string, std::less<>>>& to) {
    return [this, &to](const Field& field) { read_drops(field, to.emplace()); };
  }

  Keys top_keys() {
    const auto side = [this](SideDraft& draft, const char* name) {
      return [this, &draft, name](const Field& field) { read_side(field, draft, name); };
    };
    const Handler skip_segments = [this](const Field& field) { read_skip_segments(field); };
    Handlers handlers{
        {"version", [this](const Field& field) { read_version(field); }},
        {"source", side(draft_.source, "source")},
        {"target", side(draft_.target, "target")},
        {"tables", [this](const Field& field) { read_tables(field); }},
        {"exclude", [this](const Field& field) { read_exclude(field); }},
        {"target-name", parsed_into(draft_.target_name, check_target_name)},
        {"order", parsed_into(draft_.order, parse_table_order)},
        {"parallel-tables", whole_into(draft_.parallel_tables, 1, kMostParallelTables)},
        {"renames", renames_into(draft_.renames)},
        {"drop", drops_into(draft_.drops)},
        {"segments", whole_into(draft_.segments, 1, kMaxSegments)},
        {"skipSegments", skip_segments},
        {"skip-segments", skip_segments},
        {"read-rcu", budget_into(draft_.read_rcu_per_s)},
        {"read-share", parsed_into(draft_.read_share, parse_share)},
        {"eventually-consistent", boolean_into(draft_.eventually_consistent)},
        {"write-wcu", budget_into(draft_.write_wcu_per_s)},
        {"write-share", parsed_into(draft_.write_share, parse_share)},
        {"write-concurrency", whole_into(draft_.write_concurrency, 1, kMaxCount)},
        {"loops", whole_into(draft_.loops, 1, 256)},
        {"memory", parsed_into(draft_.memory_bytes, parse_size)},
        {"schema", parsed_into(draft_.schema, parse_schema_mode)},
        {"write-isolation", text_into(draft_.write_isolation)},
        {"into-existing", boolean_into(draft_.into_existing)},
        {"enable-stream", [this](const Field& field) { read_enable_stream(field); }},
        {"skip-expired", boolean_into(draft_.skip_expired)},
        {"stream-retention", parsed_into(draft_.stream_retention, parse_duration)},
        {"spool-max", parsed_into(draft_.spool_max_bytes, parse_size)},
        {"allowed-lag", parsed_into(draft_.allowed_lag, parse_duration)},
        {"clock-error", parsed_into(draft_.clock_error, parse_duration)},
        {"dead-after", parsed_into(draft_.dead_after, parse_duration)},
        {"state", text_into(draft_.state_dir)},
        {"savepoints", [this](const Field& field) { read_savepoints(field); }},
        {"validation", [this](const Field& field) { read_validation(field); }},
    };
    return keys({"plan"}, std::move(handlers));
  }

  void read_version(const Field& field) {
    const std::uint64_t version = yaml_.whole(field, 1, 1'000'000);
    if (version > kPlanVersion)
      yaml_.fail_at(field,
                    fmt::format("this plan has version {}, and this messina knows version {}: update messina",
                                version, kPlanVersion));
  }

  void read_renames(const Field& field, std::map<std::string, std::string, std::less<>>& renames) {
    if (field.node.IsNull()) return;
    for (const Field& element : yaml_.list(field)) {
      std::optional<std::string> from, to;
      yaml_.mapping(element, keys({"rename"}, {{"from", text_into(from)}, {"to", text_into(to)}}));
      if (!from || !to) yaml_.fail_at(element, "a rename has the keys \"from\" and \"to\"");
      for (const std::string& name : {*from, *to})
        if (auto checked = check_attribute_name(name); !checked)
          yaml_.fail_at(element, checked.error().message);
      if (!renames.emplace(*from, *to).second)
        yaml_.fail_at(element, fmt::format("{} is renamed twice", shown(*from)));
    }
  }

  void read_drops(const Field& field, std::set<std::string, std::less<>>& drops) {
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
    const Handler folder = text_into(draft_.state_dir);
    // What other types have beside it is not looked at.
    const Handler target = [this, folder](const Field& at) {
      if (!at.node.IsMap()) yaml_.fail_at(at, "this must be a mapping with \"type\" and \"path\"");
      for (const Field& each : yaml_.members(at)) {
        if (each.path.ends_with(".type") && yaml_.text(each) != "filesystem")
          yaml_.fail_at(each, "the ledger lies in a local directory: only filesystem is possible");
        if (each.path.ends_with(".path")) folder(each);
      }
    };
    yaml_.mapping(field, keys({"savepoints"}, {{"path", folder}, {"target", target}}));
  }

  /// One notice for all of it; its keys are looked at all the same.
  void read_validation(const Field& field) {
    Draft inner;
    std::swap(inner.notices, draft_.notices);
    yaml_.mapping(field, keys({"validation"}, {}));
    std::swap(inner.notices, draft_.notices);
    const auto known = keys_in({"plan"});
    const auto key = std::ranges::find(known, "validation", [](const PlanKey* each) { return each->name; });
    ignored(std::string((*key)->says))(field);
  }

  // ----------------------------------------------------------------------------------------- many tables

  void read_tables(const Field& field) {
    auto& entries = draft_.tables.emplace();
    for (const Field& element : yaml_.list(field)) {
      TableEntry entry;
      entry.from = yaml_.where(element);
      if (element.node.IsMap()) {
        std::optional<std::string> table;
        Handlers handlers{{"table", text_into(table)},
                          {"target", parsed_into(entry.target, check_entry_target)},
                          {"renames", renames_into(entry.renames)},
                          {"drop", drops_into(entry.drops)},
                          {"segments", whole_into(entry.segments, 1, kMaxSegments)}};
        yaml_.mapping(element, keys({"table"}, std::move(handlers)));
        if (!table) yaml_.fail_at(element, "\"table\" is missing");
        entry.table = std::move(*table);
      } else {
        entry.table = yaml_.text(element);
      }
      if (auto checked = check_table_pattern(entry.table); !checked)
        yaml_.fail_at(element, checked.error().message);
      entries.push_back(std::move(entry));
    }
    if (entries.empty()) yaml_.fail_at(field, "the list is empty: name at least one table");
  }

  void read_exclude(const Field& field) {
    auto& patterns = draft_.exclude.emplace();
    for (const Field& element : yaml_.list(field)) {
      patterns.push_back(yaml_.text(element));
      if (auto checked = check_table_pattern(patterns.back()); !checked)
        yaml_.fail_at(element, checked.error().message);
    }
  }

  // ------------------------------------------------------------------------------------------ sides

  /// What a side's block says, before it becomes an address.
  struct Block {
    std::optional<std::string> type, uri, table, region, host_text, url;
    std::optional<std::uint32_t> port;
    bool alternator = false;  ///< has a mapping of that name
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
    if (name == "source")
      share_of(draft_.read_rcu_per_s, draft_.read_share);
    else
      share_of(draft_.write_wcu_per_s, draft_.write_share);
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
    EndpointSpec spec;
    spec.kind =
        *block.type == "alternator" || block.alternator ? EndpointKind::alternator : EndpointKind::dynamodb;
    // Without one there must be "tables" or --tables, which is seen when all layers are there (draft.h).
    spec.table = block.table.value_or("");
    if (block.table)
      if (auto checked = check_table_name(spec.table, spec.kind, name); !checked)
        yaml_.fail_at(field, checked.error().message);
    // Migrator's files name a region for Alternator too, since its SDK asks for one; it means nothing there.
    if (spec.kind == EndpointKind::dynamodb) spec.region = block.region.value_or("");
    if (spec.kind == EndpointKind::alternator && !block.host_text && !block.url)
      yaml_.fail_at(field, "an Alternator needs \"endpoint\" with \"host\" and \"port\"");
    apply_endpoint(field, spec, block);
    side.address = std::move(spec);
  }

  /// Migrator takes the percentage of the throughput where there is one.
  static void share_of(std::optional<double>& rate, std::optional<double>& share) {
    if (!rate || !share) return;
    *rate *= *share;
    share.reset();
  }

  /// Before the keys are read: another type has other keys, and "unknown key" would be the wrong answer.
  void check_type(const Field& field) {
    const YAML::Node type = field.node["type"];
    if (!type) return;
    const Field at{type, field.path + ".type", type.Mark().line + 1};
    const std::string value = yaml_.text(at);
    if (value == "dynamodb" || value == "dynamo" || value == "alternator") return;
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

  Handlers alternator_handlers(SideDraft& side) {
    return {{"datacenter", text_into(side.datacenter)},
            {"rack", text_into(side.rack)},
            {"compression", boolean_into(side.gzip_requests)},
            {"maxItemsPerBatch", whole_into(side.max_batch_items, 1, 100)},
            {"maxConnections", whole_into(side.max_connections, 1, 1024)}};
  }

  Keys side_keys(SideDraft& side, Block& block, bool is_target) {
    Handlers handlers{
        {"type", text_into(block.type)},
        {"uri", text_into(block.uri)},
        {"table", text_into(block.table)},
        {"region", text_into(block.region)},
        {"endpoint", [this, &block](const Field& field) { read_endpoint(field, block); }},
        {"credentials", [this, &side](const Field& field) { read_credentials(field, side); }},
        {"alternator",
         [this, &side, &block](const Field& field) {
           block.alternator = true;
           yaml_.mapping(field, keys({"alternator"}, alternator_handlers(side)));
         }},
        {"profile", text_into(side.credentials.profile)},
        {"access-key", text_into(side.credentials.access_key)},
        {"secret-key-env", text_into(side.credentials.secret_key_env)},
        {"secret-key-file", text_into(side.credentials.secret_key_file)},
        {"session-token-env", text_into(side.credentials.session_token_env)},
        {"session-token-file", text_into(side.credentials.session_token_file)},
        {"ca-file", text_into(side.ca_file)},
        {"gzip", boolean_into(side.gzip_requests)},
        {"max-batch-items", whole_into(side.max_batch_items, 1, 100)},
        {"max-connections", whole_into(side.max_connections, 1, 1024)},
    };
    handlers.merge(alternator_handlers(side));
    if (is_target) {
      handlers.merge(Handlers{{"writeThroughput", rate_into(draft_.write_wcu_per_s)},
                              {"throughputWritePercent", percent_into(draft_.write_share)},
                              {"streamChanges", [this](const Field& at) { read_stream_changes(at); }}});
      return keys({"side", "alternator", "target"}, std::move(handlers));
    }
    handlers.merge(Handlers{{"scanSegments", whole_into(draft_.segments, 1, kMaxSegments)},
                            {"readThroughput", rate_into(draft_.read_rcu_per_s)},
                            {"throughputReadPercent", percent_into(draft_.read_share)}});
    return keys({"side", "alternator", "source"}, std::move(handlers));
  }

  void read_enable_stream(const Field& field) {
    if (yaml_.text(field) == "false") return;
    draft_.enable_stream = yaml_.parsed(field, parse_stream_view);
  }

  /// Migrator switches the stream on by itself.
  void read_stream_changes(const Field& field) {
    draft_.stream_changes = yaml_.boolean(field);
    if (*draft_.stream_changes && !draft_.enable_stream) draft_.enable_stream = item::StreamView::new_image;
  }

  void read_endpoint(const Field& field, Block& block) {
    if (field.node.IsScalar()) {
      block.url = yaml_.text(field);
      return;
    }
    yaml_.mapping(field, keys({"endpoint"}, {{"host", text_into(block.host_text)},
                                             {"port", whole_into(block.port, 1, 65'535)}}));
    if (!block.host_text) yaml_.fail_at(field, "\"host\" is missing");
  }

  void read_credentials(const Field& field, SideDraft& side) {
    const Handler role = [this, &side](const Field& at) {
      yaml_.mapping(at,
                    keys({"assumeRole"}, {{"arn", text_into(side.credentials.role_arn)},
                                          {"sessionName", text_into(side.credentials.role_session_name)}}));
      if (!side.credentials.role_arn) yaml_.fail_at(at, "\"arn\" is missing");
    };
    const Handler secret = [this, &side](const Field& at) {
      std::string value = yaml_.text(at);
      // Newer versions of Migrator hide secrets in their savepoint files.
      if (value == "<redacted>")
        yaml_.fail_at(at,
                      "this savepoint file hides the secret: write ${VARIABLE} instead, or leave the "
                      "credentials out and give them by flags");
      side.credentials.secret_key = Secret(std::move(value));
    };
    yaml_.mapping(field, keys({"credentials"}, {{"accessKey", text_into(side.credentials.access_key)},
                                                {"secretKey", secret},
                                                {"assumeRole", role}}));
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
