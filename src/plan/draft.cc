#include "plan/draft.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "plan/text.h"
#include "plan/uri.h"

namespace messina::plan {
namespace {

template <class T>
const std::optional<T>& first_of(const std::optional<T>& over, const std::optional<T>& under) {
  return over ? over : under;
}

template <class T, class From>
void set_if(T& to, const std::optional<From>& from) {
  if (from) to = *from;
}

Result<Secret> read_secret(const std::optional<Secret>& given, const std::optional<std::string>& variable,
                           const std::optional<std::string>& file, std::string_view what,
                           const Environment& environment, const FileReader& read_file) {
  if (variable && file)
    return fail(ErrorKind::usage, fmt::format("the {} is given twice: by a variable and by a file", what));
  if (variable) {
    const auto value = environment(*variable);
    if (!value || value->empty())
      return fail(ErrorKind::config,
                  fmt::format("the {}: the environment variable {} is not set", what, shown(*variable)));
    return Secret(*value);
  }
  if (file) {
    auto content = read_file(*file);
    if (!content) return fail(ErrorKind::config, fmt::format("the {}: {}", what, content.error().message));
    while (!content->empty() && (content->back() == '\n' || content->back() == '\r')) content->pop_back();
    if (content->empty())
      return fail(ErrorKind::config, fmt::format("the {}: the file {} is empty", what, shown(*file)));
    return Secret(std::move(*content));
  }
  return given.value_or(Secret());
}

Result<void> apply_credentials(EndpointSpec& spec, const CredentialsDraft& given, std::string_view side,
                               const Environment& environment, const FileReader& read_file) {
  spec.profile = given.profile;
  spec.access_key = given.access_key;
  spec.secret_key_env = given.secret_key_env;
  spec.secret_key_file = given.secret_key_file;
  auto secret = read_secret(given.secret_key, given.secret_key_env, given.secret_key_file,
                            fmt::format("{}'s secret key", side), environment, read_file);
  if (!secret) return fail(secret.error());
  if (!secret->empty()) spec.secret_key = std::move(*secret);
  auto token = read_secret(given.session_token, given.session_token_env, given.session_token_file,
                           fmt::format("{}'s session token", side), environment, read_file);
  if (!token) return fail(token.error());
  if (!token->empty()) spec.session_token = std::move(*token);

  spec.role_arn = given.role_arn;
  spec.role_session_name = given.role_session_name;
  spec.role_external_id = given.role_external_id;

  if (spec.access_key && !spec.secret_key)
    return fail(ErrorKind::usage,
                fmt::format("the {0} has an access key but no secret key: give --{0}-secret-key-env NAME or "
                            "--{0}-secret-key-file FILE",
                            side));
  if (spec.secret_key && !spec.access_key)
    return fail(ErrorKind::usage,
                fmt::format("the {0} has a secret key but no access key: give --{0}-access-key", side));
  if (spec.session_token && !spec.access_key)
    return fail(ErrorKind::usage,
                fmt::format("the {0} has a session token but no access key: give --{0}-access-key", side));
  if (spec.profile && spec.access_key)
    return fail(ErrorKind::usage,
                fmt::format("the {} has both a profile and an access key: give one of them", side));
  return {};
}

/// Source: STS API Reference, AssumeRole: the patterns of RoleArn, RoleSessionName and ExternalId.
Result<void> check_role(const EndpointSpec& spec, std::string_view side) {
  if (!spec.role_arn) {
    for (const auto& [given, flag] : {std::pair(spec.role_session_name.has_value(), "role-session-name"),
                                      {spec.role_external_id.has_value(), "external-id"}})
      if (given)
        return fail(
            ErrorKind::usage,
            fmt::format("--{0}-{1} goes with a role: give --{0}-role-arn, or leave it out", side, flag));
    return {};
  }
  const auto only = [](std::string_view text, std::string_view extra) {
    return std::ranges::all_of(text, [&](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || extra.find(static_cast<char>(c)) != std::string_view::npos;
    });
  };
  const bool is_arn = spec.role_arn->starts_with("arn:") &&
                      spec.role_arn->find(":role/") != std::string::npos && only(*spec.role_arn, "+=,.@-:/");
  if (!is_arn)
    return fail(ErrorKind::usage,
                fmt::format("--{}-role-arn {} is no role: write arn:aws:iam::ACCOUNT:role/NAME", side,
                            shown(*spec.role_arn)));
  if (const auto& name = spec.role_session_name;
      name && (name->size() < 2 || name->size() > 64 || !only(*name, "+=,.@-")))
    return fail(ErrorKind::usage,
                fmt::format("--{}-role-session-name {} cannot be: 2 to 64 letters, digits and any of _+=,.@-",
                            side, shown(*name)));
  if (const auto& id = spec.role_external_id;
      id && (id->size() < 2 || id->size() > 1224 || !only(*id, "+=,.@:/-")))
    return fail(ErrorKind::usage,
                fmt::format("--{}-external-id cannot be what it is: 2 to 1224 letters, digits and any "
                            "of _+=,.@:/-",
                            side));
  return {};
}

Result<void> check_alternator(const EndpointSpec& spec, std::string_view side) {
  const auto only_dynamodb = [&](std::string_view flag) {
    return fail(
        ErrorKind::usage,
        fmt::format("--{0}-{1} is for DynamoDB, and the {0} is an Alternator: leave it out", side, flag));
  };
  if (!spec.region.empty()) return only_dynamodb("region");
  if (spec.endpoint_url) return only_dynamodb("endpoint");
  if (spec.profile) return only_dynamodb("profile");
  if (spec.session_token) return only_dynamodb("session-token-env");
  if (spec.role_arn) return only_dynamodb("role-arn");
  if (!spec.rack.empty() && spec.datacenter.empty())
    return fail(ErrorKind::usage,
                fmt::format("--{0}-rack needs --{0}-datacenter: racks are named within one", side));
  return {};
}

Result<void> check_dynamodb(const EndpointSpec& spec, std::string_view side) {
  const auto only_alternator = [&](std::string_view flag) {
    return fail(
        ErrorKind::usage,
        fmt::format("--{0}-{1} is for Alternator, and the {0} is DynamoDB: leave it out", side, flag));
  };
  if (!spec.datacenter.empty()) return only_alternator("datacenter");
  if (!spec.rack.empty()) return only_alternator("rack");
  if (spec.gzip_requests) return only_alternator("gzip");
  if (!spec.region.empty())
    if (auto checked = check_region(spec.region, side); !checked) return checked;
  if (spec.endpoint_url)
    if (auto url = parse_http_url(*spec.endpoint_url, fmt::format("--{}-endpoint", side)); !url)
      return fail(url.error());
  return {};
}

/// All but the table's name.
Result<void> check_side(const EndpointSpec& spec, std::string_view side) {
  const bool alternator = spec.kind == EndpointKind::alternator;
  if (auto checked = check_role(spec, side); !checked) return checked;
  if (auto checked = alternator ? check_alternator(spec, side) : check_dynamodb(spec, side); !checked)
    return checked;
  if (alternator && !spec.tls && (!spec.ca_file.empty() || spec.insecure_tls))
    return fail(ErrorKind::usage,
                fmt::format("--{0}-{1} is for TLS, and the {0} is alternator://: write alternators://, or "
                            "leave the flag out",
                            side, spec.ca_file.empty() ? "insecure-tls" : "ca-file"));
  const std::uint32_t most_items = alternator ? 100 : 25;
  if (spec.max_batch_items && (*spec.max_batch_items < 1 || *spec.max_batch_items > most_items))
    return fail(ErrorKind::usage, fmt::format("--{}-max-batch-items {} is not from 1 to {}", side,
                                              *spec.max_batch_items, most_items));
  if (spec.max_connections && (*spec.max_connections < 1 || *spec.max_connections > 1024))
    return fail(ErrorKind::usage,
                fmt::format("--{}-max-connections {} is not from 1 to 1024", side, *spec.max_connections));
  return {};
}

/// `from`: where the address was written, if that is known.
Result<void> check_table(const EndpointSpec& spec, std::string_view side, std::string_view from = {}) {
  if (!spec.table.empty()) return check_table_name(spec.table, spec.kind, side);
  if (from.find(':') != std::string_view::npos)
    return fail(ErrorKind::usage,
                fmt::format("{0}: the {1} names no table: add \"table\" to it, or choose many "
                            "tables by \"tables\" or --tables",
                            from, side));
  return fail(
      ErrorKind::usage,
      fmt::format("the {} names no table: write dynamodb://REGION/TABLE, alternator://HOST:PORT/TABLE or "
                  "alternators://HOST:PORT/TABLE (TLS), or choose many tables by --tables",
                  side));
}

Result<void> check_transform(const item::TransformRules& rules) {
  std::map<std::string, std::string> from_of;
  for (const auto& [from, to] : rules.renames) {
    for (const std::string& name : {from, to})
      if (auto checked = check_attribute_name(name); !checked) return checked;
    if (from == to)
      return fail(ErrorKind::usage, fmt::format("attribute {} is renamed to itself", shown(from)));
    if (const auto [at, fresh] = from_of.emplace(to, from); !fresh)
      return fail(ErrorKind::usage, fmt::format("attributes {} and {} are both renamed to {}",
                                                shown(at->second), shown(from), shown(to)));
    if (rules.drops.contains(from))
      return fail(ErrorKind::usage, fmt::format("attribute {} is both renamed and dropped", shown(from)));
  }
  for (const std::string& name : rules.drops)
    if (auto checked = check_attribute_name(name); !checked) return checked;
  return {};
}

}  // namespace

Result<void> check_attribute_name(std::string_view name) {
  static constexpr std::size_t kLongest = 65'535;
  std::string_view why;
  if (name.empty())
    why = "it is empty";
  else if (name.find('\0') != std::string_view::npos)
    why = "it holds a NUL byte";
  else if (invalid_utf8_at(name))
    why = "it is not valid UTF-8";
  else if (name.size() > kLongest)
    why = "it is longer than 65535 bytes";
  if (why.empty()) return {};
  return fail(ErrorKind::usage, fmt::format("the attribute name {} cannot be: {}", shown(name), why));
}

Result<void> check_write_isolation(std::string_view value) {
  static const std::array<std::string, 9> kValues{
      "only_rmw_uses_lwt", "always_use_lwt", "forbid_rmw", "unsafe_rmw", "always", "o", "a", "f", "u"};
  if (std::ranges::find(kValues, value) != kValues.end()) return {};
  return fail(ErrorKind::usage,
              fmt::format("{} is not a write isolation{}{}", shown(value), did_you_mean(value, kValues),
                          " (there are only_rmw_uses_lwt, always_use_lwt, forbid_rmw and unsafe_rmw)"));
}

Result<item::StreamView> parse_stream_view(std::string_view text) {
  if (text.empty() || text == "true") return item::StreamView::new_image;
  if (const auto view = item::stream_view(text)) return *view;
  return fail(
      ErrorKind::usage,
      fmt::format("{} is not one of NEW_IMAGE, NEW_AND_OLD_IMAGES, OLD_IMAGE and KEYS_ONLY", shown(text)));
}

Result<SchemaMode> parse_schema_mode(std::string_view text) {
  if (text == "create") return SchemaMode::create;
  if (text == "check") return SchemaMode::check;
  if (text == "skip") return SchemaMode::skip;
  return fail(ErrorKind::usage, fmt::format("{} is not one of create, check and skip", shown(text)));
}

Result<std::pair<std::string, std::string>> parse_rename(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size())
    return fail(ErrorKind::usage,
                fmt::format("{} is not a rename: write OLD=NEW (names that hold \"=\" go into a plan file)",
                            shown(text)));
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

Result<EndpointSpec> make_side(const SideDraft& flags, const SideDraft& file, std::string_view side,
                               const Environment& environment, const FileReader& read_file) {
  if (flags.address && file.address)
    return fail(ErrorKind::usage,
                fmt::format("the {} is given twice: on the command line and at {}: leave one out", side,
                            file.address_from));
  const auto& address = first_of(flags.address, file.address);
  if (!address)
    return fail(ErrorKind::usage, fmt::format("there is no {}: give it as an address "
                                              "(dynamodb://REGION/TABLE, alternator://HOST:PORT/TABLE) or "
                                              "in a plan with --plan FILE",
                                              side));
  EndpointSpec spec = *address;
  const auto& region = first_of(flags.region, file.region);
  if (region && !spec.region.empty() && spec.region != *region && flags.address && flags.region)
    return fail(ErrorKind::usage,
                fmt::format("the {0}'s address says region {1} and --{0}-region says {2}: leave one out",
                            side, shown(spec.region), shown(*region)));
  set_if(spec.region, region);
  if (const auto& url = first_of(flags.endpoint_url, file.endpoint_url)) spec.endpoint_url = *url;
  set_if(spec.ca_file, first_of(flags.ca_file, file.ca_file));
  set_if(spec.insecure_tls, first_of(flags.insecure_tls, file.insecure_tls));
  set_if(spec.datacenter, first_of(flags.datacenter, file.datacenter));
  set_if(spec.rack, first_of(flags.rack, file.rack));
  set_if(spec.gzip_requests, first_of(flags.gzip_requests, file.gzip_requests));
  if (const auto& items = first_of(flags.max_batch_items, file.max_batch_items)) spec.max_batch_items = items;
  if (const auto& connections = first_of(flags.max_connections, file.max_connections))
    spec.max_connections = connections;
  const CredentialsDraft& credentials = flags.credentials.empty() ? file.credentials : flags.credentials;
  if (auto done = apply_credentials(spec, credentials, side, environment, read_file); !done)
    return fail(done.error());
  if (auto checked = check_side(spec, side); !checked) return fail(checked.error());
  return spec;
}

namespace {

Result<void> check_settings(const CopyPlan& plan);

/// All but the tables' names.
Result<CopyPlan> make_settings(const Draft& flags, const Draft& file, const Environment& environment,
                               const FileReader& read_file) {
  CopyPlan plan;
  auto source = make_side(flags.source, file.source, "source", environment, read_file);
  if (!source) return fail(source.error());
  auto target = make_side(flags.target, file.target, "target", environment, read_file);
  if (!target) return fail(target.error());
  plan.source = std::move(*source);
  plan.target = std::move(*target);
  set_if(plan.transform.renames, first_of(flags.renames, file.renames));
  set_if(plan.transform.drops, first_of(flags.drops, file.drops));
  plan.segments = first_of(flags.segments, file.segments);
  set_if(plan.skip_segments, first_of(flags.skip_segments, file.skip_segments));
  set_if(plan.schema, first_of(flags.schema, file.schema));
  plan.write_isolation = first_of(flags.write_isolation, file.write_isolation);
  set_if(plan.into_existing, first_of(flags.into_existing, file.into_existing));
  set_if(plan.allow_write_aws, flags.allow_write_aws);
  set_if(plan.restart, flags.restart);
  set_if(plan.take_over, flags.take_over);
  // A flag of either kind overrides the file's.
  const Draft& reads = flags.read_rcu_per_s || flags.read_share ? flags : file;
  plan.read_rcu_per_s = reads.read_rcu_per_s;
  plan.read_share = reads.read_share;
  const Draft& writes = flags.write_wcu_per_s || flags.write_share ? flags : file;
  plan.write_wcu_per_s = writes.write_wcu_per_s;
  plan.write_share = writes.write_share;
  set_if(plan.eventually_consistent, first_of(flags.eventually_consistent, file.eventually_consistent));
  plan.write_concurrency = first_of(flags.write_concurrency, file.write_concurrency);
  set_if(plan.loops, first_of(flags.loops, file.loops));
  set_if(plan.memory_bytes, first_of(flags.memory_bytes, file.memory_bytes));
  set_if(plan.clock_error, first_of(flags.clock_error, file.clock_error));
  set_if(plan.dead_after, first_of(flags.dead_after, file.dead_after));
  set_if(plan.state_dir, first_of(flags.state_dir, file.state_dir));
  plan.live.enable_stream = first_of(flags.enable_stream, file.enable_stream);
  set_if(plan.live.skip_expired, first_of(flags.skip_expired, file.skip_expired));
  plan.live.spool_max_bytes = first_of(flags.spool_max_bytes, file.spool_max_bytes);
  plan.live.stream_retention = first_of(flags.stream_retention, file.stream_retention);
  set_if(plan.live.allowed_lag, first_of(flags.allowed_lag, file.allowed_lag));
  set_if(plan.live.stream_changes, file.stream_changes);
  if (auto checked = check_settings(plan); !checked) return fail(checked.error());
  return plan;
}

Result<void> check_settings(const CopyPlan& plan) {
  if (auto checked = check_side(plan.source, "source"); !checked) return checked;
  if (auto checked = check_side(plan.target, "target"); !checked) return checked;
  if (auto checked = check_transform(plan.transform); !checked) return checked;
  if (plan.read_rcu_per_s && plan.read_share)
    return fail(ErrorKind::usage, "--read-rcu and --read-share contradict each other: leave one out");
  if (plan.write_wcu_per_s && plan.write_share)
    return fail(ErrorKind::usage, "--write-wcu and --write-share contradict each other: leave one out");
  for (const auto& [share, flag, side] : {std::tuple(plan.read_share, "--read-share", &plan.source),
                                          std::tuple(plan.write_share, "--write-share", &plan.target)}) {
    if (share && side->kind == EndpointKind::alternator)
      return fail(ErrorKind::usage,
                  fmt::format("{} is a share of a table's capacity units, and Alternator has none: "
                              "leave it out",
                              flag));
  }
  if (!plan.skip_segments.empty()) {
    if (!plan.segments)
      return fail(ErrorKind::usage,
                  "--skip-segments needs --segments: segment numbers mean something only with their total");
    if (*plan.skip_segments.rbegin() >= *plan.segments)
      return fail(ErrorKind::usage,
                  fmt::format("--skip-segments names segment {}, and with --segments {} the last one is {}",
                              *plan.skip_segments.rbegin(), *plan.segments, *plan.segments - 1));
  }
  if (plan.write_isolation) {
    if (plan.target.kind != EndpointKind::alternator)
      return fail(ErrorKind::usage,
                  "--write-isolation is for Alternator, and the target is DynamoDB: leave it out");
    if (auto checked = check_write_isolation(*plan.write_isolation); !checked) return checked;
  }
  static constexpr std::uint64_t kLeastMemory = 16u << 20;
  if (plan.memory_bytes < kLeastMemory)
    return fail(ErrorKind::usage, "--memory is less than 16MiB: a few pages must fit");
  if (plan.dead_after.count() <= 0)
    return fail(ErrorKind::usage,
                "--dead-after is 0, and a lost request may land seconds later, on top of a newer write: give "
                "a time, as in 30s");
  if (plan.state_dir.empty()) return fail(ErrorKind::usage, "--state names no directory");
  return {};
}

/// Where a side's address was written, for a message.
const std::string& place_of(const SideDraft& flags, const SideDraft& file) {
  return flags.address ? flags.address_from : file.address_from;
}

}  // namespace

Result<CopyPlan> make_plan(const Draft& flags, const Draft& file, const Environment& environment,
                           const FileReader& read_file) {
  auto plan = make_settings(flags, file, environment, read_file);
  if (!plan) return plan;
  const std::string &source_from = place_of(flags.source, file.source),
                    &target_from = place_of(flags.target, file.target);
  if (auto checked = check_table(plan->source, "source", source_from); !checked) return fail(checked.error());
  if (auto checked = check_table(plan->target, "target", target_from); !checked) return fail(checked.error());
  return plan;
}

Result<void> check_plan(const CopyPlan& plan) {
  if (auto checked = check_table(plan.source, "source"); !checked) return checked;
  if (auto checked = check_table(plan.target, "target"); !checked) return checked;
  return check_settings(plan);
}

bool names_many_tables(const Draft& flags, const Draft& file) { return flags.tables || file.tables; }

Result<ManyTables> make_many_tables(const Draft& flags, const Draft& file, const Environment& environment,
                                    const FileReader& read_file) {
  auto common = make_settings(flags, file, environment, read_file);
  if (!common) return fail(common.error());
  for (const auto& [spec, side] : {std::pair(&common->source, "source"), {&common->target, "target"}})
    if (!spec->table.empty())
      return fail(
          ErrorKind::usage,
          fmt::format("the {} names the table {}, and {} chooses tables: leave the table out of the address",
                      side, shown(spec->table), flags.tables ? "--tables" : "the plan's \"tables\""));
  if (!common->skip_segments.empty())
    return fail(ErrorKind::usage,
                "segments can be left out of one table only, not of many: copy that one by itself");
  ManyTables many{std::move(*common), {}};
  set_if(many.choice.entries, first_of(flags.tables, file.tables));
  set_if(many.choice.exclude, first_of(flags.exclude, file.exclude));
  set_if(many.choice.target_name, first_of(flags.target_name, file.target_name));
  set_if(many.choice.order, first_of(flags.order, file.order));
  set_if(many.choice.parallel, first_of(flags.parallel_tables, file.parallel_tables));
  return many;
}

Result<void> check_addresses(const CopyPlan& plan) {
  if (same_table(plan.source, plan.target))
    return fail(ErrorKind::usage,
                fmt::format("source and target are the same table, {}: choose another target",
                            canonical_uri(plan.source)));
  if (is_real_aws(plan.target) && !plan.allow_write_aws)
    return fail(ErrorKind::usage,
                fmt::format("the target {} is a real AWS table: give --allow-write-aws to write to it",
                            canonical_uri(plan.target)));
  return {};
}

bool same_table(const EndpointSpec& a, const EndpointSpec& b) {
  if (a.kind != b.kind || a.table != b.table) return false;
  if (a.kind == EndpointKind::alternator) return a.host == b.host && a.port == b.port;
  if (a.endpoint_url.has_value() != b.endpoint_url.has_value()) return false;
  if (!a.endpoint_url) return a.region == b.region;
  const auto left = parse_http_url(*a.endpoint_url, "endpoint");
  const auto right = parse_http_url(*b.endpoint_url, "endpoint");
  return left && right && *left == *right && a.region == b.region;
}

bool is_real_aws(const EndpointSpec& spec) {
  if (spec.kind == EndpointKind::alternator) return is_aws_host(spec.host);
  if (!spec.endpoint_url) return true;
  const auto url = parse_http_url(*spec.endpoint_url, "endpoint");
  return !url || is_aws_host(url->host);
}

}  // namespace messina::plan
