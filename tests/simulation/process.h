// One simulated process that copies.
#pragma once
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>

#include "jobs/copy_internal.h"
#include "sim_endpoints.h"
#include "sim_loop.h"
#include "world.h"

namespace messina::simulation {

/// One process: its memory is gone when it is.
struct Process {
  Process(Universe& in_universe, World& world, Disk& disk, jobs::CopyOptions copy_options,
          const jobs::CopyTuning& copy_tuning, std::uint64_t seed, const jobs::UnitRun* only_unit = nullptr)
      : universe(in_universe),
        loop(in_universe),
        store(world, loop, disk),
        options(std::move(copy_options)),
        tuning(copy_tuning) {
    observed.started = loop.now();
    observed.rcu_rate = options.read.kind == pace::Wish::Kind::fixed ? options.read.value : 0;
    const std::size_t lane_count = 1 + seed % 2;
    for (std::size_t i = 0; i < lane_count; ++i) {
      lanes.push_back({&loop, make_source(world, loop, observed), make_target(world, loop, observed)});
    }
    context.lanes = &lanes;
    context.store = &store;
    context.board = &board;
    context.stop = &stop;
    context.steering = &steering;
    context.random = Random(seed);
    asio::co_spawn(loop.executor(), jobs::run_copy(context, options, tuning, only_unit),
                   [this](std::exception_ptr error, Result<jobs::CopySummary> answer) {
                     if (error) std::rethrow_exception(error);
                     result = std::move(answer);
                   });
  }
  ~Process() { loop.destroy_everything(); }

  Universe& universe;
  SimLoop loop;
  Stop stop;
  jobs::ProgressBoard board;
  jobs::Steering steering;
  bool paused = false;
  SimStore store;
  Observed observed;
  jobs::CopyOptions options;
  jobs::CopyTuning tuning;
  std::vector<jobs::Lane> lanes;
  jobs::CopyContext context;
  std::optional<Result<jobs::CopySummary>> result;
};

}  // namespace messina::simulation
