#include "cli/machine.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/lanes.h"
#include "cli/load_plan.h"
#include "cli/migrations.h"
#include "net/http_client.h"

namespace messina::cli {
namespace {

/// A copy that has moved less tells nothing of its speed.
constexpr std::uint64_t kEnoughToMeasure = 64u << 20;
/// The log and what libraries open.
constexpr std::uint64_t kOtherFiles = 56;
/// Of one table: the ledger with its log and its shared memory, the lock and the socket.
constexpr std::uint64_t kFilesOfTable = 8;

/// The folder itself, or the nearest one above it that is there: where it would be made.
std::filesystem::path existing_folder(std::filesystem::path folder) {
  std::error_code error;
  while (!std::filesystem::exists(folder, error)) {
    const std::filesystem::path above = folder.parent_path();
    if (above.empty() || above == folder) return above.empty() ? "." : above;
    folder = above;
  }
  return folder;
}

}  // namespace

jobs::MachineFacts look_at_machine(const plan::CopyPlan& plan, std::size_t target_nodes, std::size_t tables) {
  jobs::MachineFacts facts;
  facts.state_dir = plan.state_dir;
  const std::filesystem::path folder = existing_folder(plan.state_dir);
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    facts.state_error = fmt::format("the state directory \"{}\" cannot be written: {}: {}", plan.state_dir,
                                    folder.string(), std::strerror(errno));
  struct statvfs disk{};
  if (::statvfs(folder.c_str(), &disk) == 0)
    facts.free_bytes = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) facts.open_files = limit.rlim_cur;
  const std::uint64_t usual = net::ClientOptions().max_connections;
  facts.files_needed = kOtherFiles + tables * kFilesOfTable +
                       loop_count(plan.loops) * (plan.source.max_connections.value_or(usual) +
                                                 target_nodes * plan.target.max_connections.value_or(usual));
  const auto status =
      read_status(std::filesystem::path(plan.state_dir) / state::migration_folder(migration_name(plan)));
  facts.copy_begun = status && status->begun && !plan.restart;
  if (status && status->progress && status->counts.read_bytes >= kEnoughToMeasure &&
      status->progress->bytes_per_s > 0)
    facts.measured_bytes_per_s = status->progress->bytes_per_s;
  return facts;
}

void raise_open_files() {
  struct rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);  // where it is refused, the present limit stands
}

}  // namespace messina::cli
