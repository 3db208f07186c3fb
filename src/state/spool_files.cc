#include "state/spool_files.h"

#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "state/private_files.h"

namespace messina::state {
namespace {

constexpr std::string_view kFormatText = "messina spool, format ";

Error damaged(const std::filesystem::path& folder, std::string_view how) {
  return {ErrorKind::corrupt,
          fmt::format("spool \"{}\" is damaged ({}): move it aside; messina then takes what it "
                      "held for missed, and heals that by migrate --heal",
                      folder.string(), how)};
}

Result<void> check_format(const std::filesystem::path& folder, const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text;
  std::getline(in, text);
  int format = 0;
  if (!text.starts_with(kFormatText)) return fail(damaged(folder, "its FORMAT is not messina's"));
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + kFormatText.size(), end, format);
  if (error != std::errc() || rest != end || format < 1)
    return fail(damaged(folder, "its FORMAT is no number"));
  if (format > kSpoolFormat) {
    return fail(
        ErrorKind::needs_person,
        fmt::format("spool \"{}\" has format {}, and this messina knows formats up to {}: use the newer "
                    "messina that wrote it, or begin anew with another --state",
                    folder.string(), format, kSpoolFormat));
  }
  return {};
}

/// All or nothing of a small file, durably.
Result<void> write_file(const std::filesystem::path& file, std::string_view text) {
  const std::filesystem::path fresh = file.string() + ".new";
  auto fd = open_private_file(fresh);
  if (!fd) return fail(std::move(fd.error()));
  const bool written = ::ftruncate(*fd, 0) == 0 &&
                       ::write(*fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(*fd) == 0;
  const int error_number = errno;
  ::close(*fd);
  if (!written) return fail(file_error(fresh, error_number));
  if (::rename(fresh.c_str(), file.c_str()) != 0) return fail(file_error(file, errno));
  const int dir = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return fail(file_error(file.parent_path(), errno));
  const int synced = ::fsync(dir);
  const int sync_error = errno;
  ::close(dir);
  // Some file systems have no fsync for folders and say EINVAL.
  if (synced != 0 && sync_error != EINVAL) return fail(file_error(file.parent_path(), sync_error));
  return {};
}

}  // namespace

Result<void> prepare_spool_folder(const std::filesystem::path& folder) {
  const std::filesystem::path format = folder / "FORMAT";
  const std::filesystem::path db = folder / "db";
  if (auto made = make_private_folder(folder); !made) return fail(std::move(made.error()));
  std::error_code ignored;
  if (std::filesystem::exists(format, ignored)) {
    if (auto ok = check_format(folder, format); !ok) return ok;
  } else if (std::filesystem::exists(db, ignored)) {
    return fail(damaged(folder, "its FORMAT is missing"));
  } else if (auto ok = write_file(format, fmt::format("{}{}\n", kFormatText, kSpoolFormat)); !ok) {
    return ok;
  }
  if (auto made = make_private_folder(db); !made) return fail(std::move(made.error()));
  return {};
}

Result<std::uint64_t> spool_free_bytes(const SpoolOptions& options, const std::filesystem::path& folder) {
  if (options.free_bytes) return options.free_bytes(folder);
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return fail(file_error(folder, errno));
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

std::uint64_t folder_bytes(const std::filesystem::path& folder) {
  constexpr std::uint64_t kBlock = 512;  // of st_blocks (POSIX leaves it open; Linux has it so)
  std::uint64_t sum = 0;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    struct stat info{};
    if (::lstat(at->path().c_str(), &info) == 0) sum += static_cast<std::uint64_t>(info.st_blocks) * kBlock;
  }
  return sum;
}

}  // namespace messina::state
