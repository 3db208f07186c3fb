#include "cli/watch.h"

#include <array>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <pwd.h>

#include "cli/load_plan.h"
#include "console/control.h"
#include "console/health.h"
#include "console/http_pages.h"
#include "plan/text.h"
#include "plan/units.h"

namespace messina::cli {
namespace {

/// Scrapers and browsers keep a connection each; more than these are a mistake or worse.
constexpr std::size_t kMostHttpConnections = 32;
/// Requests have no body.
constexpr std::size_t kMostBodyBytes = 1024;

std::optional<std::string> user_name(std::uint32_t uid) {
  std::array<char, 4096> text{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, text.data(), text.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  return std::string(found->pw_name);
}

}  // namespace

Result<ListenAt> parse_listen(std::string_view text, bool anyone) {
  const std::size_t colon = text.rfind(':');
  std::string host(text.substr(0, colon == std::string_view::npos ? 0 : colon));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  boost::system::error_code no_address;
  const auto address = boost::asio::ip::make_address(host, no_address);
  const auto port = colon == std::string_view::npos ? fail(ErrorKind::usage, "")
                                                    : plan::parse_whole(text.substr(colon + 1), 0, 65535);
  if (no_address || !port)
    return fail(ErrorKind::usage,
                fmt::format("--listen: {} is not ADDRESS:PORT: give an IP address and a port, as "
                            "127.0.0.1:9464 or [::1]:9464",
                            plan::shown(text)));
  if (!address.is_loopback() && !anyone)
    return fail(
        ErrorKind::usage,
        fmt::format("--listen: {} can be reached from other machines, and there is no password: listen "
                    "on 127.0.0.1, or add --listen-anyone if whoever reaches it may read the tables' "
                    "names and numbers",
                    address.to_string()));
  return ListenAt{address.to_string(), static_cast<std::uint16_t>(*port)};
}

Watch::Watch(Session& session, const plan::CopyPlan& plan, const Flags& flags)
    : session_(session),
      source_(migration_name(plan).source),
      target_(migration_name(plan).target),
      table_(plan.source.table),
      stalled_after_(flags.stalled_after.value_or(console::kStalledAfter)),
      loop_("watch") {}

Watch::~Watch() = default;

Result<std::unique_ptr<Watch>> Watch::open(Session& session, const std::filesystem::path& folder,
                                           const plan::CopyPlan& plan, const Flags& flags) {
  std::unique_ptr<Watch> watch(new Watch(session, plan, flags));
  if (flags.listen) {
    const auto at = parse_listen(*flags.listen, flags.listen_anyone);
    if (!at) return fail(at.error());
    if (auto listening = watch->listen(*at); !listening) return fail(listening.error());
  }
  watch->open_socket(folder);
  return watch;
}

void Watch::open_socket(const std::filesystem::path& folder) {
  auto started = net::LocalServer::start(
      loop_, folder / console::kControlSocket, {},
      [this](std::string_view line, const net::LocalPeer& peer) { return answer(line, peer); });
  if (started) {
    socket_ = std::move(*started);
    return;
  }
  session_.notice("warning",
                  "`messina pause`, `resume` and `set` will not reach this job: " + started.error().message);
}

Result<void> Watch::listen(const ListenAt& at) {
  net::ServerOptions options;
  options.host = at.host;
  options.port = at.port;
  options.max_body_bytes = kMostBodyBytes;
  options.max_connections = kMostHttpConnections;
  auto started = net::HttpServer::start(
      loop_, options, [this](net::ServerRequest request) { return reply(std::move(request)); });
  if (!started)
    return fail(started.error().kind,
                started.error().message + ": choose another --listen, port 0 for a free one");
  pages_ = std::move(*started);
  session_.notice("info", fmt::format("listening on http://{}{}{}:{} (/metrics, /healthz, /status)",
                                      at.host.contains(':') ? "[" : "", at.host,
                                      at.host.contains(':') ? "]" : "", pages_->port()));
  return {};
}

jobs::Progress Watch::snapshot() const {
  jobs::Progress progress = session_.board().snapshot();
  jobs::describe(steering_.settings(), progress);
  return progress;
}

std::string Watch::answer(std::string_view line, const net::LocalPeer& peer) {
  const auto request = console::parse_control_request(line);
  if (!request) return console::control_refusal(request.error().message);
  if (request->verb != console::ControlRequest::Verb::status) {
    const std::string by = console::asker(user_name(peer.uid), peer.uid, peer.pid);
    console::apply(*request, steering_, by, session_.clock().wall());
    session_.notice("info", fmt::format("{} by {}", console::describe(*request), by));
  }
  return console::control_answer(snapshot());
}

Task<net::ServerReply> Watch::reply(net::ServerRequest request) {
  const console::PageContext context{{source_, target_, table_}, MESSINA_VERSION, stalled_after_};
  console::HttpPage page =
      console::http_page(request.method, request.target, snapshot(), context, session_.clock().wall());
  net::ServerReply reply;
  reply.status = page.status;
  reply.headers.add("Content-Type", page.content_type);
  if (!page.allow.empty()) reply.headers.add("Allow", page.allow);
  reply.body = std::make_shared<const std::string>(std::move(page.body));
  co_return reply;
}

}  // namespace messina::cli
