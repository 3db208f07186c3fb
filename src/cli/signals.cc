#include "cli/signals.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"

namespace messina::cli {

Signals::Signals(Stop& stop, std::function<void()> announce) {
  std::signal(SIGPIPE, SIG_IGN);
  // A file that may not grow answers EFBIG instead of killing the process in the middle of a commit.
  std::signal(SIGXFSZ, SIG_IGN);
  sigset_t waited;
  sigemptyset(&waited);
  sigaddset(&waited, SIGINT);
  sigaddset(&waited, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &waited, nullptr);
  signal_fd_ = ::signalfd(-1, &waited, SFD_CLOEXEC);
  end_fd_ = ::eventfd(0, EFD_CLOEXEC);
  if (signal_fd_ < 0 || end_fd_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  thread_ = std::thread([this, &stop, announce = std::move(announce)] { wait(stop, announce); });
}

Signals::~Signals() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(end_fd_, &one, sizeof one);
  thread_.join();
  ::close(signal_fd_);
  ::close(end_fd_);
}

void Signals::wait(Stop& stop, const std::function<void()>& announce) const {
  for (;;) {
    pollfd waiting[] = {{signal_fd_, POLLIN, 0}, {end_fd_, POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (waiting[1].revents != 0) return;
    signalfd_siginfo info{};
    if (::read(signal_fd_, &info, sizeof info) != sizeof info) continue;
    if (stop.requested()) {
      // The shell's prompt should not stand behind half a line of progress.
      [[maybe_unused]] const ssize_t written =
          ::isatty(STDERR_FILENO) == 1 ? ::write(STDERR_FILENO, "\n", 1) : 0;
      ::_exit(static_cast<int>(ExitCode::stopped));
    }
    announce();
    stop.request();
  }
}

}  // namespace messina::cli
