// What makes a running job visible and steerable from outside: the control socket in the migration's folder,
// and --listen's HTTP pages. Both on an event loop of their own, so that they answer when the job's loops are
// busy, and the job goes on when they are.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/flags.h"
#include "cli/session.h"
#include "console/control.h"
#include "console/http_pages.h"
#include "jobs/reread_rejects.h"
#include "jobs/steering.h"
#include "jobs/verify_desk.h"
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

/// Serves `page_of(method, target)` there, on `loop`, and says where. Errors: config (the port cannot be
/// had).
using PageOf = std::function<console::HttpPage(std::string_view method, std::string_view target)>;
Result<std::unique_ptr<net::HttpServer>> serve_pages(Session& session, net::EventLoop& loop,
                                                     const ListenAt& at, PageOf page_of);

/// Answers the control protocol on the socket in `folder`, on `loop`, and says who changed what: for `name`,
/// unless that is empty. `obey` carries a request out and answers it, or refuses. Null with a warning if
/// there can be no socket, since a job need not be steered.
using Obey = std::function<Result<console::ControlAnswer>(const console::ControlRequest& request,
                                                          const std::string& by)>;
std::unique_ptr<net::LocalServer> serve_control(Session& session, net::EventLoop& loop,
                                                const std::filesystem::path& folder, const std::string& name,
                                                Obey obey);

/// What a process answers to a request to verify, or to cancel that, or about it. Errors: of the desk, and of
/// the file of keys.
Result<std::optional<jobs::VerifyDesk::Answer>> ask_desk(jobs::VerifyDesk& desk,
                                                         const console::ControlRequest& request);

/// Of a process that copies one table.
class Watch {
 public:
  /// `folder`: the migration's, whose lock the caller holds as long as the watch lives. `joinable`: of a live
  /// migration, which other commands may ask for more of its roles. Errors: as of serve_pages().
  static Result<std::unique_ptr<Watch>> open(Session& session, const std::filesystem::path& folder,
                                             const plan::CopyPlan& plan, const Flags& flags,
                                             std::optional<console::Joinable> joinable = std::nullopt);

  /// For the job's context.
  jobs::Steering& steering() { return steering_; }
  jobs::RejectRetries& retries() { return retries_; }
  jobs::VerifyDesk& verify_desk() { return verify_desk_; }

 private:
  Watch(Session& session, const plan::CopyPlan& plan, const Flags& flags,
        std::optional<console::Joinable> joinable);
  Result<console::ControlAnswer> obey(const console::ControlRequest& request, const std::string& by);
  /// The board's snapshot with the settings as they are now, which the job may not have looked at yet.
  jobs::Progress snapshot() const;

  Session& session_;
  jobs::Steering steering_;
  jobs::RejectRetries retries_;
  jobs::VerifyDesk verify_desk_;
  std::optional<console::Joinable> joinable_;  ///< of loop_
  const console::PageContext context_;
  net::EventLoop loop_;
  std::unique_ptr<net::LocalServer> socket_;
  std::unique_ptr<net::HttpServer> pages_;
};

}  // namespace messina::cli
