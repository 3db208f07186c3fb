#include "net/connection.h"

#include <algorithm>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>

namespace messina::net {
namespace {
/// Holds any usual head at once. What it takes of a body is copied, so it is not larger.
constexpr std::size_t kBufferBytes = 16u << 10;
/// In one system call; Linux takes 1,024 (UIO_MAXIOV).
constexpr std::size_t kPiecesAtOnce = 256;
/// Encrypted before it is sent.
constexpr std::size_t kTlsPieceBytes = 64u << 10;
}  // namespace

Sweeper::Sweeper(EventLoop& loop, Duration shortest)
    : timer_(loop.context()),
      period_(
          std::clamp<Duration>(shortest / 8, std::chrono::milliseconds(2), std::chrono::milliseconds(500))) {}

void Sweeper::add(Connection* connection) {
  connections_.push_back(connection);
  arm();
}

void Sweeper::remove(Connection* connection) { std::erase(connections_, connection); }

void Sweeper::arm() {
  if (armed_) return;
  armed_ = true;
  timer_.expires_after(period_);
  timer_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (error || self == nullptr) return;
    self->armed_ = false;
    const MonoTime now = std::chrono::steady_clock::now();
    for (Connection* connection : self->connections_) {
      if (connection->deadline_ > now) continue;
      connection->timed_out_ = true;
      connection->cut();
    }
    if (self->on_tick) self->on_tick(now);
    if (!self->connections_.empty()) self->arm();
  });
}

void Sweeper::cut_all() {
  for (Connection* connection : connections_) connection->cut();
}

Connection::Connection(EventLoop& loop, Socket socket, std::shared_ptr<Sweeper> sweeper, Duration patience)
    : loop_(loop),
      socket_(std::move(socket)),
      sweeper_(std::move(sweeper)),
      patience_(patience),
      buffer_(kBufferBytes) {
  sweeper_->add(this);
}

Connection::~Connection() { sweeper_->remove(this); }

void Connection::cut(bool reset) {
  cut_ = true;
  if (tls_) tls_->forget_socket();
  error_code ignored;
  if (reset) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
}

/// To be called on the result of each operation: tells a passed deadline from a failure, and disarms it.
error_code Connection::finished(error_code error) {
  deadline_ = fixed_deadline_;
  if (timed_out_) return asio::error::timed_out;
  return error;
}

Task<error_code> Connection::connect(Tcp::endpoint endpoint) {
  touch();
  const auto [error] = co_await socket_.async_connect(endpoint, kAwait);
  error_code ignored;
  if (!error) socket_.set_option(Tcp::no_delay(true), ignored);
  co_return finished(error);
}

Task<IoResult> Connection::read_some(char* data, std::size_t size) {
  if (const std::size_t ready = std::min(size, buffered().size()); ready > 0) {
    std::memcpy(data, buffered().data(), ready);
    consume(ready);
    co_return IoResult{{}, ready};
  }
  if (tls_) co_return co_await tls_read(data, size);
  touch();
  const auto room = asio::buffer(data, size);
  const auto [error, bytes] = co_await socket_.async_read_some(room, kAwait);
  co_return IoResult{finished(error), bytes};
}

Task<IoResult> Connection::read_all(char* data, std::size_t size) {
  std::size_t done = std::min(size, buffered().size());
  if (done > 0) std::memcpy(data, buffered().data(), done);
  consume(done);
  while (done < size) {
    if (tls_) {
      const IoResult got = co_await tls_read(data + done, size - done);
      done += got.bytes;
      if (got.error) co_return IoResult{got.error, done};
      continue;
    }
    touch();
    const auto room = asio::buffer(data + done, size - done);
    const auto [error, bytes] = co_await socket_.async_read_some(room, kAwait);
    done += bytes;
    if (error) co_return IoResult{finished(error), done};
  }
  co_return IoResult{finished({}), done};
}

Task<IoResult> Connection::fill() {
  if (buffer_used_ > 0) {
    const std::size_t rest = buffered().size();
    std::memmove(buffer_.data(), buffer_.data() + buffer_used_, rest);
    buffer_.resize(rest);
    buffer_used_ = 0;
  }
  const std::size_t before = buffer_.size();
  if (before == buffer_.capacity()) buffer_.reserve(before * 2);
  char* const room = buffer_.data() + before;
  const std::size_t size = buffer_.capacity() - before;
  IoResult got;
  if (tls_) {
    got = co_await tls_read(room, size);
  } else {
    touch();
    const auto space = asio::buffer(room, size);
    const auto [error, bytes] = co_await socket_.async_read_some(space, kAwait);
    got = {finished(error), bytes};
  }
  buffer_.resize(before + got.bytes);
  co_return got;
}

namespace {

void skip_bytes(std::span<asio::const_buffer>& buffers, std::size_t bytes) {
  while (!buffers.empty() && bytes >= buffers.front().size()) {
    bytes -= buffers.front().size();
    buffers = buffers.subspan(1);
  }
  if (bytes > 0) buffers.front() += bytes;
}

/// sendmsg() that neither waits nor raises SIGPIPE.
ssize_t send_some(int socket, std::span<const asio::const_buffer> buffers) {
  std::array<iovec, kPiecesAtOnce> pieces;
  const std::size_t count = std::min(buffers.size(), pieces.size());
  for (std::size_t i = 0; i < count; ++i)
    pieces[i] = {const_cast<void*>(buffers[i].data()), buffers[i].size()};  // sendmsg() only reads
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

/// A piece of what remains, into the engine's output.
bool Connection::encrypt(Write& write) {
  while (!write.rest.empty() && tls_->output().size() < kTlsPieceBytes) {
    const asio::const_buffer& front = write.rest.front();
    const std::string_view piece(static_cast<const char*>(front.data()),
                                 std::min(front.size(), kTlsPieceBytes));
    if (tls_->write(piece) != TlsEngine::Step::ok) return false;
    skip_bytes(write.rest, piece.size());
  }
  return true;
}

bool Connection::write_now(Write& write) {
  skip_bytes(write.rest, 0);
  while (true) {
    asio::const_buffer encrypted;
    std::span<const asio::const_buffer> pending = write.rest;
    if (tls_) {
      if (tls_->output().empty() && !encrypt(write)) {
        write.result.error = finished(asio::error::connection_aborted);
        return true;
      }
      encrypted = asio::buffer(tls_->output().data(), tls_->output().size()) + tls_sent_;
      pending = {&encrypted, encrypted.size() > 0 ? 1u : 0u};
    }
    if (pending.empty()) {
      write.result.error = finished({});
      return true;
    }
    const ssize_t sent = cut_ ? -1 : send_some(socket_.native_handle(), pending);
    if (sent < 0) {
      const int reason = cut_ ? ECANCELED : errno;
      if (reason == EINTR) continue;
      if (reason == EAGAIN || reason == EWOULDBLOCK) return false;
      write.result.error = finished({reason, boost::system::system_category()});
      return true;
    }
    const auto bytes = static_cast<std::size_t>(sent);
    write.result.bytes += bytes;
    if (!tls_) {
      skip_bytes(write.rest, bytes);
    } else if (tls_sent_ += bytes; tls_sent_ == tls_->output().size()) {
      tls_->output().clear();
      tls_sent_ = 0;
    }
  }
}

Task<IoResult> Connection::finish(Write write) {
  while (!write_now(write)) {
    touch();
    const auto [error] = co_await socket_.async_wait(Socket::wait_write, kAwait);
    write.result.error = finished(error);
    if (write.result.error) break;
  }
  co_return write.result;
}

Task<IoResult> Connection::write_all(std::span<asio::const_buffer> buffers) {
  return finish(Write{buffers, {}});
}

Task<Result<void>> Connection::start_tls(std::shared_ptr<TlsContext> context, std::string server_name,
                                         std::string peer) {
  tls_ = std::make_unique<TlsEngine>(std::move(context), server_name, socket_.native_handle());
  while (true) {
    const TlsEngine::Step step = tls_->handshake();
    const IoResult sent = co_await write_all({});  // after a failure: the alert
    const bool failed = step == TlsEngine::Step::failed || step == TlsEngine::Step::closed;
    if (failed && !tls_->socket_error()) co_return std::unexpected(tls_->handshake_error(peer));
    error_code error = failed ? tls_->socket_error() : sent.error;
    if (!error && step == TlsEngine::Step::ok) co_return Result<void>();
    if (!error) error = co_await receive_for_tls();
    if (error) co_return fail(ErrorKind::transient, error.message());
  }
}

/// An error only if the engine has nothing to say about it: it knows what an end means.
Task<error_code> Connection::receive_for_tls() {
  touch();
  const auto room = asio::buffer(tls_->room().data(), tls_->room().size());
  const auto [error, bytes] = co_await socket_.async_read_some(room, kAwait);
  tls_->received(error, bytes);
  const error_code ended = finished(error);
  co_return ended == asio::error::eof ? error_code() : ended;
}

Task<IoResult> Connection::tls_read(char* data, std::size_t size) {
  std::size_t done = 0;
  while (true) {
    // As many records as lie there already: one system call brings several.
    std::size_t got = 0;
    auto step = TlsEngine::Step::want_input;
    if (!tls_->drained()) step = tls_->read(data + done, size - done, got);
    if (step == TlsEngine::Step::ok) {
      done += got;
      if (done < size) continue;
    }
    if (done > 0) co_return IoResult{{}, done};  // an end or a failure shows again at the next read
    if (step == TlsEngine::Step::closed) co_return IoResult{asio::error::eof, 0};
    if (step == TlsEngine::Step::failed) {
      // An end without TLS's own goodbye may be an attacker's: never the regular end of a body.
      const error_code& error = tls_->socket_error();
      if (error == asio::error::eof) co_return IoResult{asio::error::connection_reset, 0};
      co_return IoResult{error ? error : asio::error::connection_aborted, 0};
    }
    if (!tls_->output().empty()) {
      const IoResult sent = co_await write_all({});
      if (sent.error) co_return IoResult{sent.error, 0};
    }
    const error_code error = co_await receive_for_tls();
    if (error) co_return IoResult{error, 0};
  }
}

bool Connection::idle_and_open() {
  if (cut_ || !buffered().empty()) return false;
  if (tls_) return tls_->quiet();  // session tickets come whenever the server likes
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_DONTWAIT | MSG_PEEK);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace messina::net
