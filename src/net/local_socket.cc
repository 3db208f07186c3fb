#include "net/local_socket.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <future>
#include <system_error>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <fcntl.h>
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "net/connection.h"

namespace messina::net {
namespace {

using Local = asio::local::stream_protocol;
using LocalStream = asio::basic_stream_socket<Local, asio::io_context::executor_type>;
using LocalAcceptor = asio::basic_socket_acceptor<Local, asio::io_context::executor_type>;

/// After an accept that failed for want of file descriptors.
constexpr auto kAcceptPause = std::chrono::milliseconds(50);

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// A socket file's address and the folder that it may go through.
struct Address {
  Fd folder{-1};
  std::string name;
  sockaddr_un address{};
};

/// sun_path holds 108 bytes with the terminator (unix(7)). A path through the folder's descriptor always
/// fits, since a file's name here is ours and short.
Result<Address> address_of(const std::filesystem::path& file) {
  Address to;
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  to.folder = Fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!to.folder) {
    const ErrorKind kind = errno == ENOENT ? ErrorKind::not_found : ErrorKind::disk;
    return fail(kind, fmt::format("\"{}\": {}", folder.string(), std::strerror(errno)));
  }
  to.name = file.filename().string();
  std::string path = file.string();
  if (path.size() >= sizeof to.address.sun_path)
    path = fmt::format("/proc/self/fd/{}/{}", to.folder.get(), to.name);
  if (path.size() >= sizeof to.address.sun_path)
    return fail(ErrorKind::disk, fmt::format("the name \"{}\" is too long for a socket", to.name));
  to.address.sun_family = AF_UNIX;
  std::memcpy(to.address.sun_path, path.c_str(), path.size() + 1);
  return to;
}

const sockaddr* generic(const Address& to) { return reinterpret_cast<const sockaddr*>(&to.address); }

/// A listening socket at that address, in the place of one that a dead process left there.
Result<Fd> listen_at(const Address& at, const std::filesystem::path& file) {
  const auto refuse = [&file](int why) {
    return fail(ErrorKind::disk,
                fmt::format("the socket \"{}\" cannot be made: {}", file.string(), std::strerror(why)));
  };
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener) return refuse(errno);
  struct stat there{};
  if (::fstatat(at.folder.get(), at.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0) {
    if (!S_ISSOCK(there.st_mode)) return refuse(EEXIST);
    if (::unlinkat(at.folder.get(), at.name.c_str(), 0) != 0) return refuse(errno);
  }
  // bind() makes the file with the mode that the descriptor has, so that it is never open to others.
  if (::fchmod(listener.get(), 0600) != 0) return refuse(errno);
  if (::bind(listener.get(), generic(at), sizeof at.address) != 0) return refuse(errno);
  if (::listen(listener.get(), SOMAXCONN) != 0) return refuse(errno);
  return listener;
}

std::optional<LocalPeer> peer_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  return LocalPeer{credentials.pid, credentials.uid};
}

bool may_ask(const LocalPeer& peer) { return peer.uid == 0 || peer.uid == ::geteuid(); }

/// The peer has closed the connection whole (one that only ended its own side still wants its answer).
bool has_gone(int fd) {
  pollfd look{fd, 0, 0};
  return ::poll(&look, 1, 0) > 0 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

struct Client {
  explicit Client(asio::io_context& context) : socket(context), deadline(context) {}
  void cut() {
    error_code ignored;
    socket.close(ignored);
    deadline.cancel();
  }
  LocalStream socket;
  Timer deadline;
};

}  // namespace

struct LocalServer::Impl {
  Impl(EventLoop& its_loop, const LocalServerOptions& its_options, Handler its_handler, Address its_address)
      : loop(its_loop),
        options(its_options),
        handler(std::move(its_handler)),
        address(std::move(its_address)),
        acceptor(loop.context()) {}

  static Task<void> accept(std::shared_ptr<Impl> self);
  static Task<void> serve(std::shared_ptr<Impl> self, std::shared_ptr<Client> client);
  static Task<void> answer_lines(std::shared_ptr<Impl> self, std::shared_ptr<Client> client, LocalPeer peer);
  void close();

  EventLoop& loop;
  const LocalServerOptions options;
  Handler handler;
  const Address address;
  LocalAcceptor acceptor;
  std::vector<std::shared_ptr<Client>> clients;
  bool closed = false;
};

Task<void> LocalServer::Impl::accept(std::shared_ptr<Impl> self) {
  while (!self->closed) {
    auto client = std::make_shared<Client>(self->loop.context());
    const auto [error] = co_await self->acceptor.async_accept(client->socket, kAwait);
    if (self->closed) co_return;
    if (error) {
      log::warn("control socket: {}", error.message());
      const MonoTime until = self->loop.now() + kAcceptPause;
      co_await self->loop.sleep_until(until, nullptr);
      continue;
    }
    if (self->clients.size() >= self->options.max_clients) continue;  // its end closes it
    self->clients.push_back(client);
    auto serving = serve(self, client);
    asio::co_spawn(self->loop.executor(), std::move(serving), asio::detached);
  }
}

Task<void> LocalServer::Impl::serve(std::shared_ptr<Impl> self, std::shared_ptr<Client> client) {
  client->deadline.expires_after(self->options.deadline);
  client->deadline.async_wait([client](const error_code& error) {
    if (!error) client->cut();
  });
  const std::optional<LocalPeer> peer = peer_of(client->socket.native_handle());
  if (peer && may_ask(*peer)) {
    auto answering = answer_lines(self, client, *peer);
    co_await std::move(answering);
  }
  client->cut();
  std::erase(self->clients, client);
}

Task<void> LocalServer::Impl::answer_lines(std::shared_ptr<Impl> self, std::shared_ptr<Client> client,
                                           LocalPeer peer) {
  std::string received;
  std::array<char, 1024> piece{};
  while (true) {
    const auto [error, size] = co_await client->socket.async_read_some(asio::buffer(piece), kAwait);
    if (error || self->closed) co_return;
    received.append(piece.data(), size);
    for (std::size_t end = 0; (end = received.find('\n')) != std::string::npos;) {
      if (end > self->options.max_line_bytes) co_return;
      // Who gave up was told that nothing came of it: a process that was suspended must not do it later.
      if (has_gone(client->socket.native_handle())) co_return;
      const std::string answer = self->handler(std::string_view(received).substr(0, end), peer) + "\n";
      received.erase(0, end + 1);
      const auto bytes = asio::buffer(answer);
      const auto [unsent, sent] = co_await asio::async_write(client->socket, bytes, kAwait);
      if (unsent || self->closed) co_return;
    }
    if (received.size() > self->options.max_line_bytes) co_return;
  }
}

void LocalServer::Impl::close() {
  closed = true;
  error_code ignored;
  acceptor.close(ignored);
  for (const auto& client : clients) client->cut();
  ::unlinkat(address.folder.get(), address.name.c_str(), 0);
}

LocalServer::LocalServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<LocalServer>> LocalServer::start(EventLoop& loop, const std::filesystem::path& file,
                                                        const LocalServerOptions& options, Handler handler) {
  auto address = address_of(file);
  if (!address) return fail(address.error());
  auto listener = listen_at(*address, file);
  if (!listener) return fail(listener.error());
  const auto impl = std::make_shared<Impl>(loop, options, std::move(handler), std::move(*address));
  error_code error;
  impl->acceptor.assign(Local(), listener->get(), error);
  if (error)
    return fail(ErrorKind::disk, fmt::format("the socket \"{}\": {}", file.string(), error.message()));
  listener->release();
  asio::dispatch(loop.context(), [impl] {
    auto accepting = Impl::accept(impl);
    asio::co_spawn(impl->loop.executor(), std::move(accepting), asio::detached);
  });
  return std::unique_ptr<LocalServer>(new LocalServer(impl));
}

LocalServer::~LocalServer() {
  // Handlers run on the loop's thread only: once this has run there, no more will.
  std::promise<void> closed;
  asio::dispatch(impl_->loop.context(), [this, &closed] {
    impl_->close();
    closed.set_value();
  });
  closed.get_future().wait();
}

namespace {

using Deadline = std::chrono::steady_clock::time_point;

bool wait_for(int fd, short events, Deadline deadline) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{fd, events, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

Error no_answer(const std::filesystem::path& file, std::chrono::milliseconds deadline) {
  return {ErrorKind::busy, fmt::format("\"{}\" gave no answer in {} s", file.string(),
                                       std::chrono::duration<double>(deadline).count())};
}

Error let_go(const std::filesystem::path& file) {
  return {ErrorKind::transient, fmt::format("\"{}\" closed the connection without an answer", file.string())};
}

ErrorKind kind_of_connect(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ECONNREFUSED:
      return ErrorKind::not_found;
    case EACCES:
    case EPERM:
      return ErrorKind::denied;
    case EAGAIN:  // its queue of connections is full
      return ErrorKind::busy;
    default:
      return ErrorKind::disk;
  }
}

}  // namespace

Result<std::string> ask_local(const std::filesystem::path& file, std::string_view line,
                              std::chrono::milliseconds deadline) {
  const Deadline until = std::chrono::steady_clock::now() + deadline;
  const auto address = address_of(file);
  if (!address) return fail(address.error());
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(ErrorKind::disk, fmt::format("no socket can be had: {}", std::strerror(errno)));
  if (::connect(fd.get(), generic(*address), sizeof address->address) != 0)
    return fail(kind_of_connect(errno), fmt::format("\"{}\": {}", file.string(), std::strerror(errno)));
  const std::string text = std::string(line) + "\n";
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t sent = ::send(fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      rest.remove_prefix(static_cast<std::size_t>(sent));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return fail(let_go(file));
    if (!wait_for(fd.get(), POLLOUT, until)) return fail(no_answer(file, deadline));
  }
  std::string answer;
  std::array<char, 4096> piece{};
  while (true) {
    if (!wait_for(fd.get(), POLLIN, until)) return fail(no_answer(file, deadline));
    const ssize_t got = ::recv(fd.get(), piece.data(), piece.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got <= 0) return fail(let_go(file));
    answer.append(piece.data(), static_cast<std::size_t>(got));
    if (const std::size_t end = answer.find('\n'); end != std::string::npos) return answer.substr(0, end);
    if (answer.size() > kMaxLocalAnswer) return fail(let_go(file));
  }
}

}  // namespace messina::net
