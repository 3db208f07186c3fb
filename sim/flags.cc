#include "sim/flags.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/json_text.h"

namespace messina::sim {
namespace {

constexpr const char* kExamples = R"(
Examples:
  messina-sim --dynamodb 8000 --alternator 8001
      both services, a table of one service unknown to the other
  messina-sim --dynamodb 0 --table 'orders:id=S,line=N' --preload orders=orders.jsonl
      a free port, a table with items in it
  messina-sim --alternator 8001 --nodes 3 --skew-ms 0,700,-300
      a cluster on 127.0.0.1, 127.0.0.2 and 127.0.0.3 whose clocks differ
  messina-sim --dynamodb 8000 --fault kind=throttle_key_range,operation=Scan,probability=0.01
  messina-sim --alternator 8001 --fault kind=cut_late,operation=BatchWriteItem,probability=0.02,ms=3000
      faults from the start; more of them: POST /_sim/faults (see sim/README.md)
  messina-sim --dynamodb 8000 --stream-split-seconds 30 --stream-retention-seconds 600 --ttl-sweep-seconds 1
      streams whose shards split and are trimmed while you look, items that expire
  messina-sim --dynamodb 8000 --alternator 8001 --bench items=10000000,size=1024,table=bench
      pages rendered once, writes swallowed
)";

/// What is said of streams; what is not said is as the personality has it.
struct StreamWords {
  std::optional<std::size_t> shards;
  std::optional<double> retention_s;
  std::optional<double> iterator_life_s;
  std::optional<double> roll_s;
  std::optional<double> split_s;
  std::optional<std::size_t> max_shards;
  std::optional<int> delay_ms;
  bool unlimited = false;
  double ttl_sweep_s = 0;
};

/// The words of the command line before they are checked.
struct Words {
  std::optional<std::uint16_t> dynamodb_port;
  std::vector<std::uint16_t> alternator_ports;
  std::string host = "127.0.0.1";
  std::size_t nodes = 1;
  std::vector<int> skews_ms;
  std::vector<std::string> racks;
  std::vector<std::string> datacenters;
  std::string scylla = "6.2";
  std::optional<std::size_t> max_batch;
  bool accept_gzip = false;
  std::string access_key;
  std::string secret_key;
  std::string session_token;
  std::string region = "us-east-1";
  std::string policy_file;
  int create_delay_ms = 0;
  int delete_delay_ms = 0;
  bool on_demand = false;
  double burst_seconds = 1;
  int metrics_delay_ms = 0;
  StreamWords streams;
  std::vector<std::string> faults;
  std::vector<std::string> tables;
  std::vector<std::string> preload;
  std::string bench;
  std::string certificate_file;
  std::string key_file;
  std::optional<std::uint64_t> seed;
};

void define_streams(CLI::App& app, StreamWords& words) {
  const auto number = [&](const char* flag, auto& to, const char* help) {
    app.add_option(flag, to, help)->check(CLI::NonNegativeNumber)->group("Streams");
  };
  number("--stream-shards", words.shards, "Shards of a new stream (DynamoDB: 4, Alternator: 32)");
  number("--stream-retention-seconds", words.retention_s, "How long records stay (24 hours)");
  number("--iterator-life-seconds", words.iterator_life_s,
         "How long DynamoDB's shard iterators live (15 minutes)");
  number("--stream-roll-seconds", words.roll_s,
         "All shards are closed and followed so often; 0: never (DynamoDB: 4 hours, Alternator: never)");
  number("--stream-split-seconds", words.split_s,
         "One of DynamoDB's shards splits so often; 0: never (the default)");
  number("--stream-max-shards", words.max_shards, "No more splits beyond so many open shards (64)");
  number("--stream-delay-ms", words.delay_ms, "Alternator's records show so much later (10000)");
  app.add_flag("--no-stream-limits", words.unlimited,
               "DynamoDB takes any number of GetRecords and DescribeStream, not 5 and 10 a second")
      ->group("Streams");
  number("--ttl-sweep-seconds", words.ttl_sweep_s,
         "Expired items are deleted so often; 0: only by POST /_sim/tables/NAME/expire (the default)");
}

void define(CLI::App& app, Words& words) {
  app.add_option("--dynamodb", words.dynamodb_port, "Port of the DynamoDB service; 0: a free one");
  app.add_option("--alternator", words.alternator_ports, "Ports of the Alternator nodes; 0: a free one")
      ->delimiter(',');
  app.add_option("--host", words.host, "Address to listen on")->capture_default_str();
  app.add_option("--nodes", words.nodes, "Alternator nodes on 127.0.0.1, 127.0.0.2, … and one port")
      ->check(CLI::Range(1, 200));
  app.add_option("--skew-ms", words.skews_ms, "How far each node's clock is ahead")->delimiter(',');
  app.add_option("--rack", words.racks, "Each node's rack")->delimiter(',');
  app.add_option("--datacenter", words.datacenters, "Each node's datacenter")->delimiter(',');
  app.add_option("--scylla", words.scylla, "ScyllaDB's version to follow")
      ->check(CLI::IsMember({"5.2", "6.2"}))
      ->capture_default_str();
  app.add_option("--max-batch", words.max_batch,
                 "Alternator's limit of a BatchWriteItem; 0: none (default 100)");
  app.add_flag("--accept-gzip", words.accept_gzip,
               "Alternator takes gzip and deflate requests, as ScyllaDB 2026.1 does");
  app.add_option("--access-key", words.access_key, "Check signatures: the access key");
  app.add_option("--secret-key", words.secret_key, "Check signatures: the secret key");
  app.add_option("--session-token", words.session_token, "Check signatures: the session token (DynamoDB)");
  app.add_option("--region", words.region, "DynamoDB's region")->capture_default_str();
  app.add_option("--policy", words.policy_file,
                 "An IAM policy (JSON) that DynamoDB enforces; unsigned requests are refused")
      ->check(CLI::ExistingFile);
  app.add_option("--create-delay-ms", words.create_delay_ms, "How long tables are CREATING or UPDATING")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--delete-delay-ms", words.delete_delay_ms, "How long tables are DELETING")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--on-demand", words.on_demand, "Provisioned throughput never throttles");
  app.add_option("--burst-seconds", words.burst_seconds, "Unused throughput kept; DynamoDB keeps 300 at best")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--metrics-delay-ms", words.metrics_delay_ms,
                 "CloudWatch tells what was consumed so much later")
      ->check(CLI::NonNegativeNumber);
  define_streams(app, words.streams);
  app.add_option("--fault", words.faults,
                 "A fault: "
                 "kind=…[,operation=…,table=…,node=…,probability=…,count=…,skip=…,ms=…,attribute=…,on="
                 "dynamodb|alternator]");
  app.add_option("--table", words.tables, "Create a table: NAME:KEY=TYPE[,SORTKEY=TYPE], types S, N, B");
  app.add_option("--preload", words.preload, "Load JSON lines of items: TABLE=FILE");
  app.add_option("--bench", words.bench,
                 fmt::format("{}: pages rendered once, writes swallowed", kBenchSettings));
  app.add_option("--tls-cert", words.certificate_file, "Serve TLS: certificate (PEM)");
  app.add_option("--tls-key", words.key_file, "Serve TLS: private key (PEM)");
  app.add_option("--seed", words.seed, "Seed of all draws (default: random, printed)");
  app.footer(kExamples);
}

std::vector<std::pair<std::string, std::string>> pairs_of(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& part : CLI::detail::split(text, ',')) {
    const std::size_t equals = part.find('=');
    pairs.emplace_back(part.substr(0, equals), equals == std::string::npos ? "" : part.substr(equals + 1));
  }
  return pairs;
}

/// Adds the fault to the services it names.
Result<void> add_fault(const std::string& text, Flags& flags) {
  boost::json::object json;
  std::string service;
  for (const auto& [name, value] : pairs_of(text)) {
    const bool number = !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
    if (name == "on") {
      service = value;
    } else if (name == "probability") {
      json[name] = std::strtod(value.c_str(), nullptr);
    } else if (number) {
      json[name] = static_cast<std::int64_t>(std::strtoll(value.c_str(), nullptr, 10));
    } else {
      json[name] = value;
    }
  }
  if (!service.empty() && service != "dynamodb" && service != "alternator") {
    return fail(ErrorKind::usage, "--fault: on must be dynamodb or alternator");
  }
  const auto rule = Faults::parse(json);
  if (!rule) return fail(ErrorKind::usage, "--" + rule.error().message);
  if (flags.dynamodb && service != "alternator") flags.dynamodb->faults.push_back(*rule);
  if (flags.alternator && service != "dynamodb") flags.alternator->faults.push_back(*rule);
  return {};
}

Result<TableFlag> read_table(const std::string& text) {
  const std::size_t colon = text.find(':');
  const auto keys = colon == std::string::npos ? std::vector<std::pair<std::string, std::string>>()
                                               : pairs_of(text.substr(colon + 1));
  const bool types = std::ranges::all_of(
      keys, [](const auto& key) { return key.second == "S" || key.second == "N" || key.second == "B"; });
  if (keys.empty() || keys.size() > 2 || !types) {
    return fail(ErrorKind::usage,
                fmt::format("--table {}: it takes NAME:KEY=TYPE[,SORTKEY=TYPE], types S, N, B", text));
  }
  std::string schema;
  std::string definitions;
  for (const auto& [name, type] : keys) {
    const std::string comma = schema.empty() ? "" : ",";
    schema += fmt::format(R"({}{{"AttributeName":{},"KeyType":"{}"}})", comma, json_string(name),
                          comma.empty() ? "HASH" : "RANGE");
    definitions +=
        fmt::format(R"({}{{"AttributeName":{},"AttributeType":"{}"}})", comma, json_string(name), type);
  }
  const std::string name = text.substr(0, colon);
  return TableFlag{
      name,
      fmt::format(
          R"({{"TableName":{},"BillingMode":"PAY_PER_REQUEST","KeySchema":[{}],"AttributeDefinitions":[{}]}})",
          json_string(name), schema, definitions)};
}

Duration seconds(double value) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

void set_streams(EngineSettings& settings, const StreamWords& words) {
  StreamRules& rules = settings.personality.streams;
  const bool alternator = settings.personality.alternator;
  if (words.shards) rules.shards = *words.shards;
  if (words.retention_s) rules.retention = seconds(*words.retention_s);
  if (words.iterator_life_s && !alternator) rules.iterator_life = seconds(*words.iterator_life_s);
  if (words.roll_s) rules.roll_every = seconds(*words.roll_s);
  if (words.split_s && !alternator) rules.split_every = seconds(*words.split_s);
  if (words.max_shards) rules.max_open_shards = *words.max_shards;
  if (words.delay_ms && alternator) rules.visible_after = std::chrono::milliseconds(*words.delay_ms);
  if (words.unlimited) rules.call_limits = false;
  settings.ttl_sweep = seconds(words.ttl_sweep_s);
}

EngineSettings common_settings(const Words& words, std::uint64_t seed) {
  EngineSettings settings;
  settings.seed = seed;
  settings.auth = {words.access_key, Secret(words.secret_key), words.session_token, words.region};
  settings.region = words.region;
  settings.create_delay = std::chrono::milliseconds(words.create_delay_ms);
  settings.delete_delay = std::chrono::milliseconds(words.delete_delay_ms);
  settings.unlimited = words.on_demand;
  settings.burst_seconds = words.burst_seconds;
  settings.metrics_delay = std::chrono::milliseconds(words.metrics_delay_ms);
  return settings;
}

Result<ServiceFlags> alternator_flags(const Words& words, std::uint64_t seed) {
  ServiceFlags service;
  service.settings = common_settings(words, seed);
  Personality& personality = service.settings.personality;
  personality = alternator(words.scylla == "5.2" ? ScyllaVersion::v5_2 : ScyllaVersion::v6_2);
  if (words.max_batch) personality.max_batch_write = *words.max_batch;
  personality.accepts_gzip = words.accept_gzip;
  set_streams(service.settings, words.streams);
  // Either one address with a port per node, or one port with an address per node.
  const std::size_t count = std::max(words.nodes, words.alternator_ports.size());
  if (words.nodes > 1 && words.alternator_ports.size() > 1) {
    return fail(ErrorKind::usage, "--nodes takes one --alternator port, which all nodes share");
  }
  for (const std::size_t given : {words.skews_ms.size(), words.racks.size(), words.datacenters.size()}) {
    if (given != 0 && given != count)
      return fail(ErrorKind::usage,
                  fmt::format("--skew-ms, --rack and --datacenter need {} values, one per node", count));
  }
  service.settings.nodes.assign(count, Node{});
  for (std::size_t i = 0; i < count; ++i) {
    Node& node = service.settings.nodes[i];
    if (!words.skews_ms.empty()) node.skew = std::chrono::milliseconds(words.skews_ms[i]);
    if (!words.racks.empty()) node.rack = words.racks[i];
    if (!words.datacenters.empty()) node.datacenter = words.datacenters[i];
    service.listen.hosts.push_back(words.nodes > 1 ? fmt::format("127.0.0.{}", i + 1) : words.host);
    service.listen.ports.push_back(words.nodes > 1 ? words.alternator_ports.front()
                                                   : words.alternator_ports[i]);
  }
  service.listen.certificate_file = words.certificate_file;
  service.listen.key_file = words.key_file;
  return service;
}

Result<Flags> check(const Words& words) {
  Flags flags;
  flags.seed = words.seed.value_or(entropy_seed());
  if (!words.dynamodb_port && words.alternator_ports.empty()) {
    return fail(ErrorKind::usage, "nothing to serve: give --dynamodb PORT, --alternator PORT or both");
  }
  if (words.access_key.empty() != words.secret_key.empty()) {
    return fail(ErrorKind::usage, "--access-key and --secret-key belong together");
  }
  if (words.certificate_file.empty() != words.key_file.empty())
    return fail(ErrorKind::usage, "--tls-cert and --tls-key belong together");
  if (words.dynamodb_port) {
    ServiceFlags service;
    service.settings = common_settings(words, flags.seed);
    service.settings.personality = dynamodb();
    set_streams(service.settings, words.streams);
    service.listen = {{*words.dynamodb_port}, {words.host}, words.certificate_file, words.key_file};
    if (!words.policy_file.empty()) {
      std::ifstream file(words.policy_file);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      auto policy = Policy::parse(text);
      if (!policy) return fail(ErrorKind::usage, "--policy: " + policy.error().message);
      service.settings.policy = std::make_shared<const Policy>(std::move(*policy));
    }
    flags.dynamodb = std::move(service);
  }
  if (!words.alternator_ports.empty()) {
    // Another seed, so that the two services' table ids differ.
    auto service = alternator_flags(words, flags.seed ^ 1);
    if (!service) return fail(service.error());
    flags.alternator = std::move(*service);
  }
  for (const std::string& text : words.faults) {
    if (const auto ok = add_fault(text, flags); !ok) return fail(ok.error());
  }
  for (const std::string& text : words.tables) {
    auto table = read_table(text);
    if (!table) return fail(table.error());
    flags.tables.push_back(std::move(*table));
  }
  for (const std::string& text : words.preload) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      return fail(ErrorKind::usage, fmt::format("--preload {}: it takes TABLE=FILE", text));
    flags.preload.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  if (!words.bench.empty()) {
    auto bench = parse_bench(words.bench);
    if (!bench) return fail(bench.error());
    flags.bench = std::move(*bench);
  }
  return flags;
}

}  // namespace

std::expected<Flags, int> parse_flags(int argc, char** argv) {
  CLI::App app{
      "DynamoDB and Alternator, simulated in memory: for rehearsals, tests and benches. Not a database."};
  Words words;
  define(app, words);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = app.exit(error);
    return std::unexpected(status == 0 ? 0 : static_cast<int>(ExitCode::wrong_usage));
  }
  auto flags = check(words);
  if (flags) return std::move(*flags);
  fmt::print(stderr, "messina-sim: {}\n", flags.error().message);
  return std::unexpected(static_cast<int>(ExitCode::wrong_usage));
}

}  // namespace messina::sim
