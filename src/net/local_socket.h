// A Unix socket that answers lines: how commands reach a running process of the same machine.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/event_loop.h"

namespace messina::net {

/// Who is at the other end when it connects, by the kernel's word (SO_PEERCRED, unix(7)).
struct LocalPeer {
  std::int64_t pid = 0;
  std::uint32_t uid = 0;
};

struct LocalServerOptions {
  /// A client that sends a longer line is let go without an answer.
  std::size_t max_line_bytes = 4096;
  /// Those that come while so many are there are let go at once.
  std::size_t max_clients = 8;
  /// Of a connection, from its accept to its last answer; it may send many lines meanwhile.
  std::chrono::milliseconds deadline{5'000};
};

/// Listens on a socket file of mode 0600 and answers each line with a line. Only its own user and root get an
/// answer, whatever the file's mode was made since. Handlers run on the loop, one at a time; a request whose
/// client has gone before its turn is not handled.
///
/// The path may be longer than a socket's address can hold (107 bytes): the folder is then named by a
/// descriptor (/proc/self/fd).
///
/// May be made and destroyed on any thread but the loop's, which must outlive it. No handler runs after the
/// destructor has begun, and the file is gone when it has ended.
class LocalServer {
 public:
  /// `line` comes without its end, and so does the answer.
  using Handler = std::function<std::string(std::string_view line, const LocalPeer& peer)>;
  /// A file that is left over from a process that died is replaced: the caller sees to it that no other
  /// process serves the same one. Errors: disk (cannot be made: permissions, a file system without sockets).
  static Result<std::unique_ptr<LocalServer>> start(EventLoop& loop, const std::filesystem::path& file,
                                                    const LocalServerOptions& options, Handler handler);
  ~LocalServer();

 private:
  struct Impl;
  explicit LocalServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

/// Sends one line to a LocalServer and returns its answer, on the calling thread (not a loop's). An answer
/// has at most kMaxLocalAnswer bytes. Errors: not_found (no such file, or nobody listens), denied (another
/// user's), busy (no answer before the deadline), transient (let go without an answer).
Result<std::string> ask_local(const std::filesystem::path& file, std::string_view line,
                              std::chrono::milliseconds deadline);
inline constexpr std::size_t kMaxLocalAnswer = 4u << 20;  // the names of 10,000 tables, the most of a region

}  // namespace messina::net
