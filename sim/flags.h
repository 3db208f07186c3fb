// The command line of messina-sim.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "sim/bench_mode.h"
#include "sim/engine/engine.h"
#include "sim/service.h"

namespace messina::sim {

struct TableFlag {
  std::string name;
  std::string create_body;  ///< CreateTable's JSON
};

struct ServiceFlags {
  EngineSettings settings;
  ListenOptions listen;
  std::vector<FaultRule> faults;
};

struct Flags {
  std::optional<ServiceFlags> dynamodb;
  std::optional<ServiceFlags> alternator;
  std::vector<TableFlag> tables;
  std::vector<std::pair<std::string, std::string>> preload;  ///< table, file
  std::optional<BenchOptions> bench;
  std::uint64_t seed = 0;
};

/// The flags, or the exit status of a process that has nothing more to do (--help, wrong usage), which was
/// explained on stdout or stderr.
std::expected<Flags, int> parse_flags(int argc, char** argv);

}  // namespace messina::sim
