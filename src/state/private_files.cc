#include "state/private_files.h"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace messina::state {
namespace {

/// Sets what the umask may have taken away, or a person has given; closes the file if that fails.
Result<int> made_private(const std::filesystem::path& file, int fd) {
  struct stat info{};
  if (::fstat(fd, &info) == 0 && ((info.st_mode & 0777) == 0600 || ::fchmod(fd, 0600) == 0)) return fd;
  const int error_number = errno;
  ::close(fd);
  return fail(file_error(file, error_number));
}

}  // namespace

Error file_error(const std::filesystem::path& what, int error_number) {
  return {ErrorKind::disk,
          fmt::format("\"{}\" cannot be written ({}): check the disk and its permissions, or choose "
                      "another place with --state",
                      what.string(), std::generic_category().message(error_number))};
}

Result<bool> make_private_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0) {
    if (errno != EEXIST) return fail(file_error(folder, errno));
    if (!std::filesystem::is_directory(folder)) return fail(file_error(folder, ENOTDIR));
    return false;
  }
  // A umask can only have taken the owner's own rights away.
  if (::chmod(folder.c_str(), 0700) != 0) return fail(file_error(folder, errno));
  // SQLite syncs the folder of its files, but nobody else makes the folder's own name durable.
  const std::filesystem::path parent = std::filesystem::absolute(folder).parent_path();
  const int fd = ::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail(file_error(parent, errno));
  const int synced = ::fsync(fd);
  const int error_number = errno;
  ::close(fd);
  // Some file systems have no fsync for folders and say EINVAL.
  if (synced != 0 && error_number != EINVAL) return fail(file_error(parent, error_number));
  return true;
}

Result<int> open_private_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail(file_error(file, errno));
  return made_private(file, fd);
}

Result<void> make_private_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 && errno == EEXIST) return {};
  if (fd < 0) return fail(file_error(file, errno));
  auto made = made_private(file, fd);
  if (!made) return fail(std::move(made.error()));
  ::close(*made);
  return {};
}

}  // namespace messina::state
