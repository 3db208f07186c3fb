#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>

namespace messina::log {

void init(spdlog::level::level_enum level, bool json) {
  auto logger =
      std::make_shared<spdlog::logger>("messina", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(level);
  if (json)
    logger->set_pattern(R"({"event":"log","time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":"%v"})",
                        spdlog::pattern_time_type::utc);
  else
    logger->set_pattern("%H:%M:%S %l: %v");
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace messina::log
