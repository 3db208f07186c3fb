// The state directory, its migrations' folders and their locks.
#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <thread>
#include <utility>

#include <boost/json.hpp>
#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json_text.h"
#include "state/ledger.h"
#include "state/private_files.h"

namespace messina::state {
namespace {

constexpr std::size_t kMaxNamePart = 80;  ///< two of them, the hash and the rest stay below NAME_MAX (255)
constexpr std::size_t kHashDigits = 12;
constexpr std::string_view kBetween = "-to-";
constexpr std::string_view kReadme =
    "This directory belongs to messina. It holds the place of each migration, so that it can go on after a "
    "stop.\n"
    "\n"
    "It also holds CONTENTS OF YOUR TABLES: the items that a target refused, and those that a verification "
    "found to differ, are kept here with their original bytes.\n"
    "Do not share it, do not put it into a bug report, and keep its permissions (0700).\n"
    "\n"
    "Each folder is one migration: \"ledger.db\" and \"verification.db\" are SQLite files, \"lock\" is held "
    "by the process that runs it.\n"
    "Do not move or delete files while a migration runs. When a migration is over for good, its folder may "
    "go.\n";

/// The last part of a URI, in characters that need no quoting in a shell.
std::string name_part(std::string_view uri) {
  while (uri.ends_with('/')) uri.remove_suffix(1);
  uri = uri.substr(uri.find_last_of("/:") + 1);  // npos + 1 is 0: all of it
  std::string name;
  for (const char c : uri.substr(0, kMaxNamePart)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || (!name.empty() && (c == '.' || c == '-'));
    name.push_back(plain ? c : '_');
  }
  return name.empty() ? "_" : name;
}

/// "orders → orders" of "orders-to-orders-0123456789ab"; the folder's name as it is where that would be a
/// guess.
std::string display_name(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  if (name.size() <= kHashDigits + 1) return name;
  const std::string stem = name.substr(0, name.size() - kHashDigits - 1);
  const std::size_t at = stem.find(kBetween);
  if (at == std::string::npos || stem.find(kBetween, at + 1) != std::string::npos) return name;
  return stem.substr(0, at) + " → " + stem.substr(at + kBetween.size());
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "?";
  return name.data();
}

std::optional<LockHolder> read_holder(int fd) {
  std::array<char, 1024> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  if (size <= 0) return std::nullopt;
  boost::system::error_code error;
  const boost::json::value json =
      boost::json::parse(std::string_view(text.data(), static_cast<std::size_t>(size)), error);
  if (error || !json.is_object()) return std::nullopt;
  const auto* host = json.as_object().if_contains("host");
  const auto* pid = json.as_object().if_contains("pid");
  const auto* since = json.as_object().if_contains("since");
  if (host == nullptr || !host->is_string() || pid == nullptr || !pid->is_int64() || since == nullptr ||
      !since->is_string()) {
    return std::nullopt;
  }
  return LockHolder{std::string(host->as_string()), pid->as_int64(), std::string(since->as_string())};
}

/// False only if it is certain that the process is gone: then the lock's text is a dead holder's.
bool may_live(const LockHolder& holder) {
  if (holder.host != host_name()) return true;
  return ::kill(static_cast<pid_t>(holder.pid), 0) == 0 || errno != ESRCH;
}

Result<void> rewrite(int fd, std::string_view text, const std::filesystem::path& file) {
  if (::ftruncate(fd, 0) != 0) return fail(file_error(file, errno));
  const ssize_t written = ::pwrite(fd, text.data(), text.size(), 0);
  if (written == std::ssize(text)) return {};
  return fail(file_error(file, written < 0 ? errno : ENOSPC));
}

bool is_our_readme(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  return std::getline(in, line) && kReadme.starts_with(line) && line.size() > 40;
}

bool try_flock(int fd, int operation) {
  int result = 0;
  do {
    result = ::flock(fd, operation | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

enum class Locked : std::uint8_t { by_us, by_other, failed };

/// Takes the lock, or finds out who has it. Between taking the lock and writing down its name, a holder is
/// nameless or wears its dead predecessor's name, and a look by holder() takes the lock for a moment: so try
/// for half a second.
Locked lock_or_find_holder(int fd, int operation, std::optional<LockHolder>& holder) {
  constexpr int kAttempts = 50;
  for (int attempt = 1;; ++attempt) {
    if (try_flock(fd, operation)) return Locked::by_us;
    if (errno != EWOULDBLOCK) return Locked::failed;
    holder = read_holder(fd);
    if ((holder && may_live(*holder)) || attempt == kAttempts) return Locked::by_other;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace

std::string migration_folder(const MigrationName& name) {
  std::string both = name.source;
  both.push_back('\0');
  both += name.target;
  return fmt::format("{}{}{}-{}", name_part(name.source), kBetween, name_part(name.target),
                     to_hex(sha256(both)).substr(0, kHashDigits));
}

Result<MigrationLock> MigrationLock::acquire(const std::filesystem::path& folder, const Clock& clock) {
  if (auto made = make_private_folder(folder); !made) return fail(std::move(made.error()));
  const std::filesystem::path file = folder / "lock";
  auto fd = open_private_file(file);
  if (!fd) return fail(std::move(fd.error()));
  std::optional<LockHolder> holder;
  const Locked locked = lock_or_find_holder(*fd, LOCK_EX, holder);
  const int error_number = errno;
  if (locked != Locked::by_us) ::close(*fd);
  if (locked == Locked::failed) return fail(file_error(file, error_number));
  if (locked == Locked::by_other) {
    const std::string who =
        holder ? fmt::format("pid {} on host {} since {}", holder->pid, holder->host, holder->since)
               : std::string("another process");
    return fail(ErrorKind::needs_person,
                fmt::format("migration \"{}\" is being run by {}: wait for it or stop it",
                            display_name(folder), who));
  }

  MigrationLock lock(*fd);
  const std::string text = fmt::format("{{\"host\":{},\"pid\":{},\"since\":\"{:%Y-%m-%dT%H:%M:%SZ}\"}}\n",
                                       json_string(host_name()), ::getpid(),
                                       fmt::gmtime(std::chrono::system_clock::to_time_t(clock.wall())));
  if (auto written = rewrite(*fd, text, file); !written) return fail(std::move(written.error()));
  return lock;
}

std::optional<LockHolder> MigrationLock::holder(const std::filesystem::path& folder) {
  const int fd = ::open((folder / "lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<LockHolder> holder;
  const Locked locked = lock_or_find_holder(fd, LOCK_SH, holder);
  ::close(fd);
  if (locked != Locked::by_other) return std::nullopt;
  return holder ? holder : LockHolder{"?", 0, "?"};
}

MigrationLock::MigrationLock(MigrationLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

MigrationLock& MigrationLock::operator=(MigrationLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

MigrationLock::~MigrationLock() {
  if (fd_ < 0) return;
  // The next holder must not wear this one's name. If it fails, may_live() tells them apart.
  [[maybe_unused]] const int ignored = ::ftruncate(fd_, 0);
  ::close(fd_);
}

Result<std::vector<std::filesystem::path>> list_migrations(const std::filesystem::path& state_dir) {
  std::error_code error;
  std::vector<std::filesystem::path> folders;
  for (std::filesystem::directory_iterator it(state_dir, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code ignored;
    if (std::filesystem::exists(it->path() / "ledger.db", ignored)) folders.push_back(it->path());
  }
  if (error == std::errc::no_such_file_or_directory) {
    return fail(
        ErrorKind::not_found,
        fmt::format("there is no state directory \"{}\": name it with --state, or start a migration first",
                    state_dir.string()));
  }
  if (error) {
    return fail(ErrorKind::disk,
                fmt::format("state directory \"{}\" cannot be read ({}): check its permissions",
                            state_dir.string(), error.message()));
  }
  std::ranges::sort(folders);
  return folders;
}

Result<void> prepare_state_dir(const std::filesystem::path& state_dir) {
  std::error_code error;
  const std::filesystem::path full = std::filesystem::absolute(state_dir).lexically_normal();
  const std::filesystem::path dir =
      full.has_filename() ? full : full.parent_path();  // without a slash at the end
  std::filesystem::create_directories(dir.parent_path(), error);
  if (error) return fail(file_error(dir.parent_path(), error.value()));
  auto made = make_private_folder(dir);
  if (!made) return fail(std::move(made.error()));

  // A directory that was empty, or was ours before, is made private too. One with other things in it keeps
  // its permissions and its README: each migration's own folder is 0700 in any case.
  const bool ours = *made || std::filesystem::is_empty(dir, error) || is_our_readme(dir / "README");
  if (!error && ours) std::filesystem::permissions(dir, std::filesystem::perms::owner_all, error);
  if (error) return fail(file_error(dir, error.value()));
  const std::filesystem::path name = dir / (ours ? "README" : "README.messina");
  auto fd = open_private_file(name);
  if (!fd) return fail(std::move(fd.error()));
  auto written = rewrite(*fd, kReadme, name);
  ::close(*fd);
  return written;
}

}  // namespace messina::state
