// For tests: the other end of a connection, byte by byte, on blocking sockets.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace messina::net::test {

/// One connected socket. Reads give up after 20 s, so that no test hangs.
class RawPeer {
 public:
  explicit RawPeer(int fd) : fd_(fd) {
    const timeval patience{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  RawPeer(RawPeer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~RawPeer() { close(); }

  static RawPeer connect(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("connect");
    return RawPeer(fd);
  }

  int fd() const { return fd_; }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// Reads more; false at the end.
  bool read(std::string& into) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    into.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }

  /// A head and, by its Content-Length, its body. Empty if the connection ended before.
  std::string read_message() {
    while (true) {
      const std::size_t end = received_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const std::size_t field = received_.find("Content-Length: ");
        const std::size_t body = field < end ? std::stoul(received_.substr(field + 16)) : 0;
        const std::size_t size = end + 4 + body;
        if (received_.size() >= size) {
          std::string message = received_.substr(0, size);
          received_.erase(0, size);
          return message;
        }
      }
      if (!read(received_)) return "";
    }
  }

  /// Everything up to the end of the connection.
  std::string read_to_end() {
    while (read(received_)) {
    }
    return std::exchange(received_, "");
  }

  /// Waits for that time; false as soon as the other side has sent something or ended.
  bool alive(std::chrono::milliseconds time) {
    pollfd end{fd_, POLLIN, 0};
    return ::poll(&end, 1, static_cast<int>(time.count())) == 0;
  }

  void shut_down_writing() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  /// Ends it with RST.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

 private:
  int fd_;
  std::string received_;
};

/// Moves bytes both ways until either side ends: what a CONNECT proxy does.
inline void pump(RawPeer& a, RawPeer& b) {
  std::array<pollfd, 2> ends{{{a.fd(), POLLIN, 0}, {b.fd(), POLLIN, 0}}};
  std::string bytes;
  while (::poll(ends.data(), ends.size(), 20'000) > 0) {
    bytes.clear();
    if (ends[0].revents != 0) {
      if (!a.read(bytes)) return;
      b.write(bytes);
    } else {
      if (!b.read(bytes)) return;
      a.write(bytes);
    }
  }
}

/// Listens on a free port; its n-th connection runs the n-th script, and is closed at the script's end.
/// Further connections are closed at once; they are counted too.
class RawServer {
 public:
  using Script = std::function<void(RawPeer&)>;

  explicit RawServer(std::vector<Script> scripts)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0)
      throw std::runtime_error("listen");
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this, scripts = std::move(scripts)] { accept(scripts); });
  }
  ~RawServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
  }

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void accept(const std::vector<Script>& scripts) {
    std::vector<std::jthread> running;
    while (true) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const auto number = static_cast<std::size_t>(connections_++);
      RawPeer peer(fd);
      if (number < scripts.size())
        running.emplace_back([script = scripts[number], peer = std::move(peer)]() mutable { script(peer); });
    }
  }

  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::thread acceptor_;
};

}  // namespace messina::net::test
