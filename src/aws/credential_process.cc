#include "aws/credential_process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

namespace messina::aws {
namespace {

constexpr std::size_t kMaxOutput = 64u << 10;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

std::unexpected<Error> cannot_start(int error) {
  return fail(ErrorKind::config, fmt::format("it cannot be started: {}", std::strerror(error)));
}

/// The child, which is killed with its group and waited for unless it has ended by itself.
class Child {
 public:
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ < 0) return;
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  /// `output` becomes its stdout. 0, or an errno.
  int start(const std::string& command, int output) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::string shell = "sh", flag = "-c", text = command;
    std::array<char*, 4> arguments = {shell.data(), flag.data(), text.data(), nullptr};
    const int error = posix_spawn(&pid_, "/bin/sh", &files, &attributes, arguments.data(), environ);
    if (error != 0) pid_ = -1;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
  }
  /// Readable once it has ended. (glibc 2.36 declares pidfd_open() for C only.)
  int pidfd() const { return static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)); }
  /// Its wait status; it has ended.
  int status() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_ = -1;
};

Result<void> check_status(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const std::string how = WIFEXITED(status) ? fmt::format("ended with status {}", WEXITSTATUS(status))
                                            : fmt::format("was ended by signal {}", WTERMSIG(status));
  return fail(ErrorKind::config, fmt::format("it {}: run it by hand to see what it says", how));
}

}  // namespace

Task<Result<Secret>> run_credential_process(net::EventLoop& loop, const std::string& command,
                                            Duration patience) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) co_return cannot_start(errno);
  asio::posix::stream_descriptor output(loop.context(), ends[0]);
  Child child;
  const int error = child.start(command, ends[1]);
  close(ends[1]);
  if (error != 0) co_return cannot_start(error);
  const int pidfd = child.pidfd();
  if (pidfd < 0) co_return cannot_start(errno);
  asio::posix::stream_descriptor ended(loop.context(), pidfd);

  // The timer's handler may run after this coroutine is gone: it holds what it touches.
  struct Descriptors {
    asio::posix::stream_descriptor output, ended;
    bool late = false;
  };
  const auto open = std::make_shared<Descriptors>(Descriptors{std::move(output), std::move(ended)});
  asio::steady_timer deadline(loop.context(), loop.now() + patience);
  deadline.async_wait([open](const boost::system::error_code& cancelled) {
    if (cancelled) return;
    open->late = true;
    open->output.cancel();
    open->ended.cancel();
  });

  std::string text(kMaxOutput + 1, '\0');
  std::size_t size = 0;
  while (size < text.size() && !open->late) {
    const auto room = asio::buffer(text.data() + size, text.size() - size);
    const auto [failure, bytes] = co_await open->output.async_read_some(room, kAwait);
    size += bytes;
    if (failure) break;
  }
  text.resize(size);
  Secret printed(std::move(text));
  if (size > kMaxOutput) co_return fail(ErrorKind::config, "it prints more than 64 KiB");
  if (!open->late) {
    const auto wait = asio::posix::stream_descriptor::wait_read;
    co_await open->ended.async_wait(wait, kAwait);
  }
  if (open->late)
    co_return fail(ErrorKind::config, fmt::format("it did not end within {:g} s",
                                                  std::chrono::duration<double>(patience).count()));
  deadline.cancel();
  if (auto checked = check_status(child.status()); !checked) co_return fail(checked.error());
  co_return printed;
}

}  // namespace messina::aws
