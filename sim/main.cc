// messina-sim: DynamoDB and Alternator in one process, in memory.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <malloc.h>

#include "base/json_text.h"
#include "sim/flags.h"
#include "sim/service.h"

namespace messina::sim {
namespace {

Result<void> preload(Service& service, const std::string& table, const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(ErrorKind::usage, fmt::format("--preload: {} cannot be read", file));
  std::stringstream text;
  text << in.rdbuf();
  const std::string lines = text.str();
  const auto count = service.with_engine([&](Engine& engine) { return engine.load(table, lines); });
  if (!count) return fail(ErrorKind::usage, fmt::format("--preload {}: {}", file, count.error().message));
  return {};
}

/// Creates the tables of --table and --bench.
Result<void> create_table(Service& service, const std::string& body) {
  const Answer answer = service.with_engine([&](Engine& engine) {
    Request request;
    request.headers.emplace_back("X-Amz-Target", "DynamoDB_20120810.CreateTable");
    request.body = body;
    return engine.run_unchecked(request);
  });
  if (answer.status == 200) return {};
  return fail(ErrorKind::usage, fmt::format("--table: {}", *answer.body));
}

Result<std::unique_ptr<Service>> start(const std::string& name, const ServiceFlags& flags,
                                       std::optional<BenchOptions> bench) {
  auto service = Service::start(name, flags.settings, flags.listen, bench);
  if (!service) return service;
  (*service)->with_engine([&](Engine& engine) {
    for (const FaultRule& rule : flags.faults) engine.faults().add(rule);
    return true;
  });
  if (bench && bench->serves_pages) {
    const std::string body = fmt::format(
        R"({{"TableName":{},"BillingMode":"PAY_PER_REQUEST","KeySchema":[{{"AttributeName":"pk","KeyType":"HASH"}}],"AttributeDefinitions":[{{"AttributeName":"pk","AttributeType":"S"}}]}})",
        json_string(bench->table));
    if (auto ok = create_table(**service, body); !ok) return fail(ok.error());
    (*service)->with_engine([&](Engine& engine) {
      engine.pretend_size(bench->table, bench->items, bench->items * bench->size_bytes);
      return true;
    });
  }
  return service;
}

Result<void> run(const Flags& flags) {
  // Blocked before any thread starts, so that only sigwait() sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  std::unique_ptr<Service> dynamodb;
  std::unique_ptr<Service> alternator;
  std::string ready = "ready";
  if (flags.dynamodb) {
    auto service = start("dynamodb", *flags.dynamodb, flags.bench);
    if (!service) return fail(service.error());
    dynamodb = std::move(*service);
    ready += " dynamodb=" + dynamodb->addresses();
  }
  if (flags.alternator) {
    auto bench = flags.bench;
    // With both services one is the source and the other the target.
    if (bench) bench->serves_pages = dynamodb == nullptr;
    auto service = start("alternator", *flags.alternator, bench);
    if (!service) return fail(service.error());
    alternator = std::move(*service);
    ready += " alternator=" + alternator->addresses();
  }
  // Tables are made in the source: DynamoDB, if it is served.
  Service& home = dynamodb ? *dynamodb : *alternator;
  for (const TableFlag& table : flags.tables) {
    if (auto ok = create_table(home, table.create_body); !ok) return ok;
  }
  for (const auto& [table, file] : flags.preload) {
    if (auto ok = preload(home, table, file); !ok) return ok;
  }
  fmt::print("{} seed={}\n", ready, flags.seed);
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  return {};
}

}  // namespace
}  // namespace messina::sim

int main(int argc, char** argv) {
  // Pages of a megabyte come and go: memory that is given back to the system after each costs more than they.
  ::mallopt(M_MMAP_THRESHOLD, 64 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
  const auto flags = messina::sim::parse_flags(argc, argv);
  if (!flags) return flags.error();
  const auto done = messina::sim::run(*flags);
  if (done) return 0;
  fmt::print(stderr, "messina-sim: {}\n", done.error().message);
  return static_cast<int>(messina::exit_code(done.error().kind));
}
