// What makes a running job visible and steerable from outside: the control socket in the migration's folder,
// and --listen's HTTP pages. Both on an event loop of their own, so that they answer when the job's loops are
// busy, and the job goes on when they are.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "jobs/steering.h"
#include "net/event_loop.h"
#include "net/http_server.h"
#include "net/local_socket.h"
#include "plan/plan.h"

namespace messina::cli {

/// Where --listen shall listen. Errors: usage (no HOST:PORT, or an address that others reach without
/// --listen-anyone).
struct ListenAt {
  std::string host;
  std::uint16_t port = 0;
};
Result<ListenAt> parse_listen(std::string_view text, bool anyone);

class Watch {
 public:
  /// `folder`: the migration's, whose lock the caller holds as long as the watch lives. A socket that cannot
  /// be made is a warning, since a job need not be steered; a port that cannot be had is an error (config).
  static Result<std::unique_ptr<Watch>> open(Session& session, const std::filesystem::path& folder,
                                             const plan::CopyPlan& plan, const Flags& flags);
  ~Watch();

  /// For the job's context.
  jobs::Steering& steering() { return steering_; }

 private:
  Watch(Session& session, const plan::CopyPlan& plan, const Flags& flags);
  void open_socket(const std::filesystem::path& folder);
  Result<void> listen(const ListenAt& at);
  /// The board's snapshot with the settings as they are now, which the job may not have looked at yet.
  jobs::Progress snapshot() const;
  std::string answer(std::string_view line, const net::LocalPeer& peer);
  Task<net::ServerReply> reply(net::ServerRequest request);

  Session& session_;
  jobs::Steering steering_;
  const std::string source_, target_, table_;
  const std::chrono::milliseconds stalled_after_;
  net::EventLoop loop_;
  std::unique_ptr<net::LocalServer> socket_;
  std::unique_ptr<net::HttpServer> pages_;
};

}  // namespace messina::cli
