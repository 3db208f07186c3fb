// One TCP connection, plain or TLS, with a read buffer for heads and a deadline.
#pragma once
#include <array>
#include <memory>
#include <span>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/event_loop.h"
#include "net/tls.h"

namespace messina::net {

using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, asio::io_context::executor_type>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>,
                               asio::io_context::executor_type>;
using boost::system::error_code;
/// Errors as values; exceptions are left for cancelled coroutines.
inline constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

class Connection;

/// Cuts the connections whose deadline has passed: one timer per client or server, instead of one armed and
/// disarmed around each read. Deadlines are met within an eighth. On the loop's thread only.
class Sweeper : public std::enable_shared_from_this<Sweeper> {
 public:
  /// `shortest`: of the timeouts that it has to watch.
  Sweeper(EventLoop& loop, Duration shortest);

  void cut_all();
  /// Called at each tick too: for what else its owner must let go of in time. Cleared by the owner's end.
  std::function<void(MonoTime now)> on_tick;

 private:
  friend class Connection;
  void add(Connection* connection);
  void remove(Connection* connection);
  void arm();

  Timer timer_;
  Duration period_;
  bool armed_ = false;
  std::vector<Connection*> connections_;
};

struct IoResult {
  error_code error;  ///< eof: the peer ended the stream in order; timed_out: the deadline has passed
  std::size_t bytes = 0;
};

/// A write under way.
struct Write {
  std::span<asio::const_buffer> rest;  ///< not yet sent, or on TLS not yet encrypted
  /// `bytes` tells whether anything may have left the machine; on TLS they are not those of the buffers.
  IoResult result;
};

/// Closes the socket when it dies. Used by one coroutine at a time, on the loop's thread.
class Connection {
 public:
  /// `patience`: how long a read or write may go without any progress.
  Connection(EventLoop& loop, Socket socket, std::shared_ptr<Sweeper> sweeper, Duration patience);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Socket& socket() { return socket_; }

  /// For everything until clear_deadline(), instead of the patience.
  void set_deadline(MonoTime deadline) { fixed_deadline_ = deadline_ = deadline; }
  void clear_deadline() { fixed_deadline_ = deadline_ = MonoTime::max(); }

  /// Without delays for small writes (TCP_NODELAY).
  Task<error_code> connect(Tcp::endpoint endpoint);
  /// After the TCP connection stands. An empty `server_name` is the server's side.
  Task<Result<void>> start_tls(std::shared_ptr<TlsContext> context, std::string server_name,
                               std::string peer);

  /// At least one byte, from the buffer if there is any.
  Task<IoResult> read_some(char* data, std::size_t size);
  /// All of `size`, unless there is an error.
  Task<IoResult> read_all(char* data, std::size_t size);
  Task<IoResult> write_all(std::span<asio::const_buffer> buffers);
  /// Writes what the socket takes at once. True if that was all, or an error; false: finish() has to wait for
  /// room. Mostly it is all, and a turn of the loop is saved.
  bool write_now(Write& write);
  Task<IoResult> finish(Write write);

  /// What was received and not yet consumed.
  std::string_view buffered() const { return {buffer_.data() + buffer_used_, buffer_.size() - buffer_used_}; }
  void consume(std::size_t bytes) { buffer_used_ += bytes; }
  /// Reads more behind buffered(). The buffer grows as needed: the caller bounds it.
  Task<IoResult> fill();

  /// False if the peer has closed it, or sent what nobody asked for: it is of no more use.
  bool idle_and_open();
  /// Ends it: whatever is under way returns with an error. `reset`: with RST instead of FIN.
  void cut(bool reset = false);

  /// Scratch of the owner, kept for its memory.
  std::string head_out;
  std::vector<asio::const_buffer> buffers_out;
  MonoTime idle_since{};  ///< the owner's

 private:
  friend class Sweeper;
  void touch() { deadline_ = fixed_deadline_ != MonoTime::max() ? fixed_deadline_ : loop_.now() + patience_; }
  error_code finished(error_code error);
  Task<error_code> receive_for_tls();
  Task<IoResult> tls_read(char* data, std::size_t size);
  bool encrypt(Write& write);

  EventLoop& loop_;
  Socket socket_;
  std::shared_ptr<Sweeper> sweeper_;
  std::unique_ptr<TlsEngine> tls_;
  std::size_t tls_sent_ = 0;  // of the engine's output
  Duration patience_;
  MonoTime fixed_deadline_ = MonoTime::max();
  MonoTime deadline_ = MonoTime::max();
  bool timed_out_ = false;
  bool cut_ = false;
  Slab buffer_;
  std::size_t buffer_used_ = 0;
};

}  // namespace messina::net
