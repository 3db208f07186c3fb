// How a migration's SQLite files are opened.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace messina::state {

enum class Access : std::uint8_t { read_write, read_only };

struct FileOptions {
  Access access = Access::read_write;
  /// How long a call waits for another program's lock before it gives up with `busy`.
  std::chrono::milliseconds busy_timeout{10'000};
  std::string vfs = {};  ///< SQLite VFS to use; empty: the default (tests put a power-cutting one here)
};

}  // namespace messina::state
