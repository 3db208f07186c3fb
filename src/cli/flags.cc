#include "cli/flags.h"

#include <array>

#include <fmt/format.h>

#include "cli/add_flag.h"
#include "plan/text.h"
#include "plan/units.h"

namespace messina::cli {
namespace {

void add_one_side(CLI::App& command, plan::SideDraft& side, const std::string& name, bool writes) {
  const std::string dash = "--" + name + "-";
  const std::string group = name == "source" ? "Source" : "Target";
  const auto text = [&](const std::string& flag, std::optional<std::string>& to, const std::string& type,
                        const std::string& help) {
    add_text(command, dash + flag, to, type, help)->group(group);
  };
  text("endpoint", side.endpoint_url, "URL",
       "DynamoDB: talk to this address instead of AWS, as http://localhost:8000");
  text("region", side.region, "REGION", "DynamoDB: the region, where the address leaves it out");
  text("profile", side.credentials.profile, "NAME",
       "DynamoDB: a profile of ~/.aws/config and ~/.aws/credentials");
  text("access-key", side.credentials.access_key, "KEY", "access key (an Alternator's: the role's name)");
  text("secret-key-env", side.credentials.secret_key_env, "NAME",
       "environment variable that holds the secret key");
  text("secret-key-file", side.credentials.secret_key_file, "FILE", "file that holds the secret key");
  text("session-token-env", side.credentials.session_token_env, "NAME",
       "DynamoDB: variable that holds the session token");
  text("session-token-file", side.credentials.session_token_file, "FILE",
       "DynamoDB: file that holds the session token");
  text("role-arn", side.credentials.role_arn, "ARN",
       "DynamoDB: a role to assume with the credentials that are found");
  text("role-session-name", side.credentials.role_session_name, "NAME",
       "what CloudTrail calls the role's session (default: messina-TIME)");
  text("external-id", side.credentials.role_external_id, "ID",
       "the external id that the role's owner asks for");
  text("ca-file", side.ca_file, "FILE", "PEM file of the CAs to trust, instead of the system's");
  text("datacenter", side.datacenter, "NAME", "Alternator: use the nodes of this datacenter");
  text("rack", side.rack, "NAME", "Alternator: use the nodes of this rack first");
  add_flag(command, dash + "insecure-tls", side.insecure_tls, "do not check the server's certificate")
      ->group(group);
  add_whole(command, dash + "max-connections", side.max_connections, 1, 1024, "connections per node and loop")
      ->group(group);
  if (!writes) return;
  add_flag(command, dash + "gzip", side.gzip_requests, "Alternator (2026.1 and later): compress requests")
      ->group(group);
  add_whole(command, dash + "max-batch-items", side.max_batch_items, 1, 100,
            "items in one request, 1 to 100 (DynamoDB 25)")
      ->group(group);
}

}  // namespace

void add_output_flags(CLI::App& command, Flags& flags) {
  static const std::array<std::string, 6> kLevels{"trace", "debug", "info", "warning", "error", "off"};
  command.add_flag("--json", flags.output.json, "one JSON object a line on stdout")->group("Output");
  command.add_flag("--quiet,-q", flags.output.quiet, "no progress, only the result")->group("Output");
  command
      .add_option_function<std::string>(
          "--log-level",
          [&flags](const std::string& level) {
            if (std::ranges::find(kLevels, level) == kLevels.end())
              throw FlagError{
                  {ErrorKind::usage, fmt::format("--log-level: {} is not one of trace, debug, info, warning, "
                                                 "error and off{}",
                                                 plan::shown(level), plan::did_you_mean(level, kLevels))}};
            flags.output.log_level = level;
          },
          "what to log on stderr: trace, debug, info, warning (the default), error, off")
      ->type_name("LEVEL")
      ->group("Output");
}

void add_sides(CLI::App& command, Flags& flags) {
  command.add_option("SOURCE", flags.source, "dynamodb://REGION/TABLE or alternator://HOST:PORT/TABLE")
      ->type_name("");
  command.add_option("TARGET", flags.target, "the same; alternators:// for TLS")->type_name("");
  command.add_option("--plan", flags.plan_file, "read source, target and settings from a YAML file")
      ->type_name("FILE")
      ->group("Plan");
}

void add_side_flags(CLI::App& command, Flags& flags) {
  add_one_side(command, flags.draft.source, "source", false);
  add_target_flags(command, flags);
}

void add_target_flags(CLI::App& command, Flags& flags) {
  add_one_side(command, flags.draft.target, "target", true);
}

void add_state_flag(CLI::App& command, Flags& flags) {
  add_text(command, "--state", flags.draft.state_dir, "DIR",
           "where messina keeps its place (default: messina-state)")
      ->group("State");
}

void add_schema_flags(CLI::App& command, Flags& flags) {
  add_text(command, "--write-isolation", flags.draft.write_isolation, "MODE",
           "Alternator: isolation of a table that is made (default: only_rmw_uses_lwt)")
      ->group("Schema");
}

void add_rename_flags(CLI::App& command, Flags& flags) {
  command
      .add_option_function<std::vector<std::string>>(
          "--rename",
          [&flags](const std::vector<std::string>& texts) {
            auto& renames = flags.draft.renames.emplace();
            for (const std::string& text : texts) {
              auto pair = plan::parse_rename(text);
              if (!pair) throw FlagError{{ErrorKind::usage, "--rename: " + pair.error().message}};
              if (!renames.insert(*pair).second)
                throw FlagError{{ErrorKind::usage,
                                 fmt::format("--rename: {} is renamed twice", plan::shown(pair->first))}};
            }
          },
          "give an attribute another name; may be repeated")
      ->type_name("OLD=NEW")
      ->allow_extra_args(false)
      ->group("Items");
  command
      .add_option_function<std::vector<std::string>>(
          "--drop",
          [&flags](const std::vector<std::string>& names) {
            flags.draft.drops.emplace(names.begin(), names.end());
          },
          "leave an attribute out; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->group("Items");
}

void add_read_pace_flags(CLI::App& command, Flags& flags) {
  plan::Draft& draft = flags.draft;
  add_parsed(command, "--read-rcu", draft.read_rcu_per_s, plan::parse_budget, "RATE",
             "read so many RCU a second, or unlimited (default: half of what is free)")
      ->group("Speed");
  add_parsed(command, "--read-share", draft.read_share, plan::parse_share, "SHARE",
             "read with this share of the source's capacity, as 30%")
      ->group("Speed");
}

void add_pace_flags(CLI::App& command, Flags& flags) {
  plan::Draft& draft = flags.draft;
  add_read_pace_flags(command, flags);
  add_parsed(command, "--write-wcu", draft.write_wcu_per_s, plan::parse_budget, "RATE",
             "write so many WCU a second, or unlimited (default: half of what is free)")
      ->group("Speed");
  add_parsed(command, "--write-share", draft.write_share, plan::parse_share, "SHARE",
             "write with this share of the target's capacity, as 30%")
      ->group("Speed");
}

void add_size_flags(CLI::App& command, Flags& flags) {
  plan::Draft& draft = flags.draft;
  add_parsed(command, "--memory", draft.memory_bytes, plan::parse_size, "SIZE",
             "for data in flight (default: 256MiB)")
      ->group("Speed");
  add_whole(command, "--loops", draft.loops, 1, 256, "event loops (default: one a core, at most 4)")
      ->group("Speed");
}

void add_writer_flags(CLI::App& command, Flags& flags) {
  plan::Draft& draft = flags.draft;
  add_flag(command, "--take-over", draft.take_over, "take the target over from the migration it belongs to")
      ->group("Safety");
  add_flag(command, "--allow-write-aws", draft.allow_write_aws, "allow the target to be a real AWS table")
      ->group("Safety");
  add_whole(command, "--write-concurrency", draft.write_concurrency, 1, 1'000'000,
            "requests to the target at once (default: found, 4 to 256)")
      ->group("Speed");
  add_parsed(command, "--clock-error", draft.clock_error, plan::parse_duration, "TIME",
             "largest clock error between the target's nodes (default: 1s)")
      ->group("Safety");
  add_parsed(command, "--dead-after", draft.dead_after, plan::parse_duration, "TIME",
             "time after which a lost request is dead (default: 30s)")
      ->group("Safety");
}

void add_copy_flags(CLI::App& command, Flags& flags) {
  plan::Draft& draft = flags.draft;
  add_flag(command, "--restart", draft.restart, "forget the place of the last run and begin again")
      ->group("State");
  add_flag(command, "--into-existing", draft.into_existing, "write into a table that is not empty")
      ->group("Safety");
  add_whole(command, "--segments", draft.segments, 1, 1'000'000,
            "pieces to read in parallel (default: by the table's size)")
      ->group("Speed");
  add_parsed(command, "--skip-segments", draft.skip_segments, plan::parse_segment_list, "LIST",
             "segments to leave out, as 3,7,10-12; needs --segments")
      ->group("Items");
  add_pace_flags(command, flags);
  add_flag(command, "--eventually-consistent", draft.eventually_consistent,
           "read at half the cost what may not be the newest")
      ->group("Speed");
  add_writer_flags(command, flags);
  add_size_flags(command, flags);
  const auto add_schema_mode = [&](const std::string& name, plan::SchemaMode mode, const std::string& help) {
    const auto set = [&draft, mode] {
      if (draft.schema && *draft.schema != mode)
        throw FlagError{
            {ErrorKind::usage, "--no-schema and --check-schema contradict each other: leave one out"}};
      draft.schema = mode;
    };
    command.add_flag_callback(name, set, help)->group("Schema");
  };
  add_schema_mode("--no-schema", plan::SchemaMode::skip,
                  "do not look at the target's schema, nor make the table");
  add_schema_mode("--check-schema", plan::SchemaMode::check,
                  "the target's table must be there: do not make it");
}

void add_live_flags(CLI::App& command, Flags& flags) {
  plan::Draft& draft = flags.draft;
  command
      .add_option_function<std::string>(
          "--enable-stream",
          [&draft](const std::string& text) {
            const auto view = plan::parse_stream_view(text);
            if (!view) {
              const bool address = text.find("://") != std::string::npos;
              throw FlagError{
                  {ErrorKind::usage,
                   fmt::format(
                       "--enable-stream: {}{}", view.error().message,
                       address ? "; if that is an address, put --enable-stream behind the addresses" : "")}};
            }
            draft.enable_stream = *view;
          },
          "switch the source's stream on if it is off (default view: NEW_IMAGE)")
      ->expected(0, 1)
      ->type_name("[VIEW]")
      ->group("Changes");
  add_flag(command, "--skip-expired", draft.skip_expired, "do not carry over deletes by the source's TTL")
      ->group("Changes");
  add_parsed(command, "--stream-retention", draft.stream_retention, plan::parse_duration, "TIME",
             "how long the source keeps a change (default: 24h)")
      ->group("Changes");
  add_parsed(command, "--spool-max", draft.spool_max_bytes, plan::parse_size, "SIZE",
             "for changes that wait; beyond it the oldest are read from the source again")
      ->group("Changes");
}

void add_migrate_flags(CLI::App& command, Flags& flags) {
  LiveFlags& live = flags.live;
  command
      .add_option_function<std::string>(
          "--until",
          [&live](const std::string& text) {
            if (text != "in-step")
              throw FlagError{
                  {ErrorKind::usage, fmt::format("--until: {} is not in-step", plan::shown(text))}};
            live.until_in_step = true;
          },
          "end when the target is in step with the source: in-step")
      ->type_name("WHAT")
      ->group("Changes");
  add_parsed(command, "--allowed-lag", flags.draft.allowed_lag, plan::parse_duration, "TIME",
             "how old a change that waits may be for that (default: 10s)")
      ->group("Changes");
  command
      .add_flag("--delete-extra", live.delete_extra,
                "with --into-existing or --skip-segments: delete what only the target has")
      ->group("Changes");
  command
      .add_flag("--heal", live.heal,
                "after missed changes: copy history again and look for keys that only the target has (of "
                "many tables: where changes were missed)")
      ->group("Changes");
  command
      .add_flag("--verify", live.verify,
                "once it is in step, compare both sides, and then each key that changes")
      ->group("Changes");
}

void add_check_flags(CLI::App& command, Flags& flags) {
  command.add_option("--prices", flags.prices_file, "prices to reckon with, instead of the built-in ones")
      ->type_name("FILE")
      ->group("Estimate");
  add_parsed(command, "--throughput", flags.throughput_bytes_per_s, plan::parse_size, "SIZE",
             "what the target takes in a second (default: 50MB is assumed)")
      ->group("Estimate");
}

void add_policy_flags(CLI::App& command, Flags& flags) {
  add_parsed(command, "--for", flags.policy_jobs, plan::parse_policy_jobs, "JOBS",
             "of schema, copy, check, capture, verify, export (default: schema,copy,check)")
      ->group("Policy");
  add_parsed(command, "--account", flags.account, plan::parse_account, "ID",
             "the AWS account (default: STS is asked)")
      ->group("Policy");
  command.add_option("--kms-key", flags.key_arns, "the source's own key in AWS KMS; may be repeated")
      ->type_name("ARN")
      ->allow_extra_args(false)
      ->group("Policy");
  add_text(command, "--bucket", flags.bucket, "NAME", "the bucket of an export")->group("Policy");
}

void add_table_choice_flags(CLI::App& command, Flags& flags) {
  plan::Draft& draft = flags.draft;
  const std::string group = "Many tables";
  add_parsed(
      command, "--tables", draft.tables,
      [](const std::string& text) -> Result<std::vector<plan::TableEntry>> {
        const auto names = plan::parse_table_list(text);
        if (!names) return fail(names.error());
        std::vector<plan::TableEntry> entries;
        for (const std::string& name : *names) {
          entries.emplace_back().table = name;
          entries.back().from = "--tables";
        }
        return entries;
      },
      "LIST", "names and patterns, as 'orders*,customers'; SOURCE and TARGET then name no table")
      ->group(group);
  add_parsed(command, "--exclude", draft.exclude, plan::parse_table_list, "LIST",
             "names and patterns to leave out")
      ->group(group);
  add_parsed(command, "--target-name", draft.target_name, plan::check_target_name, "TEXT",
             "what they are called on the target (default: {table})")
      ->group(group);
}

void add_tables_flags(CLI::App& command, Flags& flags) {
  add_table_choice_flags(command, flags);
  plan::Draft& draft = flags.draft;
  const std::string group = "Many tables";
  add_parsed(command, "--order", draft.order, plan::parse_table_order, "ORDER",
             "which go first: size (the biggest, default), name, given")
      ->group(group);
  add_whole(command, "--parallel-tables", draft.parallel_tables, 1, plan::kMostParallelTables,
            "how many at once (default: 4)")
      ->group(group);
}

void add_migration_flag(CLI::App& command, Flags& flags) {
  command
      .add_option("--migration", flags.migration,
                  "the migration's folder in the state directory, instead of addresses")
      ->type_name("NAME")
      ->group("State");
}

void add_stalled_flag(CLI::App& command, Flags& flags) {
  add_parsed(command, "--stalled-after", flags.stalled_after, plan::parse_duration, "TIME",
             "a job that settles nothing for so long is stalled (default: 10m)")
      ->group("Watching");
}

void add_listen_flags(CLI::App& command, Flags& flags) {
  add_text(command, "--listen", flags.listen, "ADDRESS:PORT",
           "serve /metrics, /healthz and /status by HTTP, as 127.0.0.1:9464")
      ->group("Watching");
  command
      .add_flag("--listen-anyone", flags.listen_anyone,
                "let --listen be an address that other machines reach; there is no password")
      ->group("Watching");
  add_stalled_flag(command, flags);
}

std::vector<std::string> flag_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

}  // namespace messina::cli
