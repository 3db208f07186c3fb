#include "sim/service.h"

#include <fmt/format.h>

namespace messina::sim {
namespace {

/// Above ScyllaDB's and DynamoDB's 16 MB, so that the engine can answer what is a little too large.
constexpr std::size_t kMaxBodyBytes = 17u << 20;
/// For the control endpoint, which loads whole tables.
constexpr std::size_t kMaxControlBytes = 1u << 30;

net::ServerReply reply_of(const Answer& answer) {
  net::ServerReply reply;
  reply.status = answer.status;
  for (const auto& [name, value] : answer.headers) reply.headers.add(name, value);
  reply.body = answer.body;
  reply.chunked = answer.chunked;
  if (answer.delivery == Delivery::cut) reply.action = net::ReplyAction::close_unanswered;
  if (answer.delivery == Delivery::cut_in_body) reply.action = net::ReplyAction::cut_in_body;
  return reply;
}

}  // namespace

Service::Service(std::string name, EngineSettings settings, std::optional<BenchOptions> bench)
    : engine_(std::move(settings), clock_), loop_(std::move(name)) {
  if (bench) bench_.emplace(*bench, engine_.settings().personality);
}

Result<std::unique_ptr<Service>> Service::start(std::string name, EngineSettings settings,
                                                const ListenOptions& listen,
                                                std::optional<BenchOptions> bench) {
  const std::size_t nodes = settings.nodes.size();
  std::unique_ptr<Service> service(new Service(std::move(name), std::move(settings), std::move(bench)));
  std::uint16_t first_port = 0;
  for (std::size_t node = 0; node < nodes; ++node) {
    net::ServerOptions options;
    options.host = listen.hosts.at(node);
    options.port = listen.ports.at(node);
    // Nodes of one cluster share a port, as /localnodes implies: the first one's, if it is chosen by the
    // system.
    if (options.port == 0 && node > 0 && options.host != listen.hosts.front()) options.port = first_port;
    options.certificate_file = listen.certificate_file;
    options.key_file = listen.key_file;
    options.max_body_bytes = kMaxControlBytes;
    Service* self = service.get();
    auto server = net::HttpServer::start(service->loop_, options, [self, node](net::ServerRequest request) {
      return serve(self, node, std::move(request));
    });
    if (!server) return fail(server.error());
    const std::uint16_t port = (*server)->port();
    if (node == 0) first_port = port;
    service->with_engine([&](Engine& engine) {
      engine.set_node_address(node, options.host, port);
      return true;
    });
    service->servers_.push_back(std::move(*server));
  }
  return service;
}

std::string Service::addresses() const {
  std::vector<std::string> parts;
  for (const Node& node : engine_.settings().nodes)
    parts.push_back(fmt::format("{}:{}", node.host, node.port));
  return fmt::format("{}", fmt::join(parts, ","));
}

Task<net::ServerReply> Service::serve(Service* service, std::size_t node, net::ServerRequest received) {
  Request request{received.method, received.target, received.headers.fields(), received.body.view(), node};
  net::ServerReply reply;
  if (request.body.size() > kMaxBodyBytes && !request.path.starts_with("/_sim/")) {
    reply.action = net::ReplyAction::close_unanswered;
    co_return reply;
  }
  if (service->bench_) {
    auto answer = service->bench_->answer(request);
    if (answer) {
      service->loop_.slabs().give_back(std::move(received.body));
      if (answer->read_units > 0)
        service->engine_.note_read(service->bench_->options().table, answer->read_units);
      const Duration wait = answer->answer.wait;
      if (wait > Duration{}) co_await service->loop_.sleep_for(wait, nullptr);
      reply = reply_of(answer->answer);
      co_return reply;
    }
  }
  const Admission admission = service->engine_.admit(request);
  if (admission.wait > Duration{}) co_await service->loop_.sleep_for(admission.wait, nullptr);
  const Answer answer = service->engine_.execute(request, admission);
  service->loop_.slabs().give_back(std::move(received.body));
  if (answer.wait > Duration{}) co_await service->loop_.sleep_for(answer.wait, nullptr);
  reply = reply_of(answer);
  co_return reply;
}

}  // namespace messina::sim
