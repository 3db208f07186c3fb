#include "cli/watch.h"

#include <array>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>
#include <pwd.h>

#include "cli/load_plan.h"
#include "cli/verify_job.h"
#include "console/health.h"
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

Task<net::ServerReply> reply(std::shared_ptr<const PageOf> page_of, net::ServerRequest request) {
  console::HttpPage page = (*page_of)(request.method, request.target);
  net::ServerReply reply;
  reply.status = page.status;
  reply.headers.add("Content-Type", page.content_type);
  if (!page.allow.empty()) reply.headers.add("Allow", page.allow);
  reply.body = std::make_shared<const std::string>(std::move(page.body));
  co_return reply;
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

Result<std::unique_ptr<net::HttpServer>> serve_pages(Session& session, net::EventLoop& loop,
                                                     const ListenAt& at, PageOf page_of) {
  net::ServerOptions options;
  options.host = at.host;
  options.port = at.port;
  options.max_body_bytes = kMostBodyBytes;
  options.max_connections = kMostHttpConnections;
  auto started =
      net::HttpServer::start(loop, options,
                             [page_of = std::make_shared<const PageOf>(std::move(page_of))](
                                 net::ServerRequest request) { return reply(page_of, std::move(request)); });
  if (!started)
    return fail(started.error().kind,
                started.error().message + ": choose another --listen, port 0 for a free one");
  const bool brackets = at.host.contains(':');
  session.notice("info", fmt::format("listening on http://{}{}{}:{} (/metrics, /healthz, /status)",
                                     brackets ? "[" : "", at.host, brackets ? "]" : "", (*started)->port()));
  return started;
}

std::unique_ptr<net::LocalServer> serve_control(Session& session, net::EventLoop& loop,
                                                const std::filesystem::path& folder, const std::string& name,
                                                Obey obey) {
  const auto answer = [&session, name, obey = std::move(obey)](std::string_view line,
                                                               const net::LocalPeer& peer) {
    const auto request = console::parse_control_request(line);
    if (!request) return console::control_refusal(request.error().message);
    const std::string by = console::asker(user_name(peer.uid), peer.uid, peer.pid);
    const Result<console::ControlAnswer> answered = obey(*request, by);
    if (!answered) return console::control_refusal(answered.error().message);
    const bool looked_on = request->verb == console::ControlRequest::Verb::join && answered->wish == 0;
    const bool nobody_does =
        request->verb == console::ControlRequest::Verb::retry_rejects && !answered->retry;
    if (request->verb != console::ControlRequest::Verb::status && !looked_on && !nobody_does) {
      const std::string of = name.empty() ? "" : (request->all_tables ? "all tables" : name) + ": ";
      session.notice("info", fmt::format("{}{} by {}", of, console::describe(*request), by));
    }
    return console::control_answer(*answered);
  };
  auto started = net::LocalServer::start(loop, folder / console::kControlSocket, {}, answer);
  if (started) return std::move(*started);
  session.notice("warning", fmt::format("{}{}`messina pause`, `resume` and `set` will not reach this job: {}",
                                        name, name.empty() ? "" : ": ", started.error().message));
  return nullptr;
}

Watch::Watch(Session& session, const plan::CopyPlan& plan, const Flags& flags,
             std::optional<console::Joinable> joinable)
    : session_(session),
      joinable_(joinable),
      context_{{migration_name(plan).source, migration_name(plan).target, plan.source.table},
               MESSINA_VERSION,
               flags.stalled_after.value_or(console::kStalledAfter)},
      loop_("watch") {}

Result<std::unique_ptr<Watch>> Watch::open(Session& session, const std::filesystem::path& folder,
                                           const plan::CopyPlan& plan, const Flags& flags,
                                           std::optional<console::Joinable> joinable) {
  std::unique_ptr<Watch> watch(new Watch(session, plan, flags, joinable));
  Watch* const self = watch.get();
  if (flags.listen) {
    const auto at = parse_listen(*flags.listen, flags.listen_anyone);
    if (!at) return fail(at.error());
    auto pages =
        serve_pages(session, watch->loop_, *at, [self](std::string_view method, std::string_view target) {
          return console::http_page(method, target, self->snapshot(), self->context_,
                                    self->session_.clock().wall());
        });
    if (!pages) return fail(pages.error());
    watch->pages_ = std::move(*pages);
  }
  watch->socket_ = serve_control(session, watch->loop_, folder, "",
                                 [self](const console::ControlRequest& request, const std::string& by) {
                                   return self->obey(request, by);
                                 });
  return watch;
}

Result<std::optional<jobs::VerifyDesk::Answer>> ask_desk(jobs::VerifyDesk& desk,
                                                         const console::ControlRequest& request) {
  using Verb = console::ControlRequest::Verb;
  if (request.verb == Verb::cancel_verify) desk.cancel();
  if (request.verb == Verb::verify) {
    jobs::VerifyWish wish = request.verify;
    if (!request.keys_file.empty()) {
      auto keys = read_keys(request.keys_file);
      if (!keys) return fail(keys.error());
      wish.keys = std::move(*keys);
    }
    if (const auto asked = desk.ask(wish); !asked) return fail(asked.error());
  }
  return desk.answer();
}

Result<console::ControlAnswer> Watch::obey(const console::ControlRequest& request, const std::string& by) {
  const jobs::Hand hand{by, session_.clock().wall()};
  console::ControlAnswer answer;
  if (request.verb != console::ControlRequest::Verb::join) {
    console::apply(request, steering_, hand);
    if (request.verb == console::ControlRequest::Verb::retry_rejects) retries_.ask();
    answer.snapshot = snapshot();
    answer.retry = retries_.answer();
    auto verify = ask_desk(verify_desk_, request);
    if (!verify) return fail(verify.error());
    answer.verify = std::move(*verify);
    return answer;
  }
  console::Joinable* const joinable = joinable_ ? &*joinable_ : nullptr;
  const auto wish = console::join(request, steering_, session_.board().snapshot(), joinable, hand);
  if (!wish) return fail(wish.error());
  answer.snapshot = snapshot();
  answer.wish = *wish;
  return answer;
}

jobs::Progress Watch::snapshot() const {
  jobs::Progress progress = session_.board().snapshot();
  jobs::describe(steering_.settings(), progress);
  return progress;
}

}  // namespace messina::cli
