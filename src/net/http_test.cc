// The client against the server: bodies, reuse, faults.
#include <atomic>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "net/http_client.h"
#include "net/http_server.h"

namespace messina::net {
namespace {

using testing::HasSubstr;
using Answer = std::expected<Response, SendError>;

std::string text_of(std::size_t size) {
  std::string text(size, 'x');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

/// What a test scripts for its server by the request's target: "/size/123", "/chunked/123", "/echo", …
Task<ServerReply> answer_by_target(EventLoop* loop, std::atomic<int>* handled, ServerRequest request) {
  ++*handled;
  ServerReply reply;
  const auto number = [&](std::string_view prefix) -> std::optional<std::size_t> {
    if (!request.target.starts_with(prefix)) return std::nullopt;
    return std::stoul(request.target.substr(prefix.size()));
  };
  if (request.target == "/echo") {
    reply.body = std::make_shared<const std::string>(request.body.view());
    reply.headers.add("X-Method", request.method);
    reply.headers.add("X-Peer", request.peer);
    if (const auto host = request.headers.find("hOST")) reply.headers.add("X-Host", std::string(*host));
  } else if (const auto sized = number("/size/")) {
    reply.body = std::make_shared<const std::string>(text_of(*sized));
  } else if (const auto chunked = number("/chunked/")) {
    reply.body = std::make_shared<const std::string>(text_of(*chunked));
    reply.chunked = true;
  } else if (const auto status = number("/status/")) {
    reply.status = static_cast<int>(*status);
  } else if (const auto pause = number("/pause/")) {
    const Duration time = std::chrono::milliseconds(*pause);
    co_await loop->sleep_for(time, nullptr);
  } else {
    reply.body = std::make_shared<const std::string>(text_of(100'000));
    if (request.target == "/cut") reply.action = ReplyAction::close_unanswered;
    if (request.target == "/half") reply.action = ReplyAction::cut_in_body;
    if (request.target == "/half-chunked") {
      reply.action = ReplyAction::cut_in_body;
      reply.chunked = true;
    }
    if (request.target == "/close") reply.action = ReplyAction::answer_and_close;
    if (request.target == "/throw") throw std::runtime_error("a handler's bug");
  }
  loop->slabs().give_back(std::move(request.body));
  co_return reply;
}

class Http : public testing::Test {
 protected:
  void start(ServerOptions options = {}) {
    auto started = HttpServer::start(server_loop_, options, [this](ServerRequest request) {
      return answer_by_target(&server_loop_, &handled_, std::move(request));
    });
    ASSERT_TRUE(started.has_value()) << started.error().message;
    server_ = std::move(*started);
  }
  Origin origin() const { return {"127.0.0.1", server_->port(), false}; }
  Answer send(HttpClient& client, const Request& request) { return run_on(loop_, client.send(request)); }

  EventLoop server_loop_{"server"};
  EventLoop loop_{"client"};
  std::atomic<int> handled_ = 0;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Http, BodiesOfAllSizesPassBothWaysOverOneConnection) {
  start({.max_body_bytes = 32u << 20});
  HttpClient client(loop_, origin(), {});
  for (const std::size_t size :
       {0u, 1u, 100u, 16'000u, 16'384u, 20'000u, 125'000u, 1'000'000u, 20'000'000u}) {
    const std::string body = text_of(size);
    for (const std::string prefix : {"/size/", "/chunked/"}) {
      const Answer answer = send(client, {.method = "GET", .target = prefix + std::to_string(size)});
      ASSERT_TRUE(answer.has_value()) << answer.error().error.message;
      EXPECT_EQ(answer->status, 200);
      EXPECT_TRUE(answer->body.view() == body) << prefix << size << ": " << answer->body.size();
    }
    const Answer echo = send(client, {.target = "/echo", .body = body});
    ASSERT_TRUE(echo.has_value()) << echo.error().error.message;
    EXPECT_TRUE(echo->body.view() == body) << size << ": " << echo->body.size();
    EXPECT_EQ(echo->headers.find("x-method"), "POST");
    EXPECT_EQ(echo->headers.find("x-host"), "127.0.0.1:" + std::to_string(server_->port()));
    EXPECT_TRUE(echo->headers.find("Date").has_value());
  }
  EXPECT_EQ(client.open_connections(), 1u);
}

TEST_F(Http, AHandlersFaultsAreTheClientsErrors) {
  start();
  HttpClient client(loop_, origin(), {});
  const std::string name = "127.0.0.1:" + std::to_string(server_->port());
  for (const std::string target : {"/cut", "/throw"}) {
    const Answer answer = send(client, {.target = target});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().error.kind, ErrorKind::transient);
    EXPECT_TRUE(answer.error().may_have_been_sent);
    EXPECT_THAT(answer.error().error.message, HasSubstr(name));
    EXPECT_THAT(answer.error().error.message, HasSubstr("while waiting for the answer"));
  }
  for (const std::string target : {"/half", "/half-chunked"}) {
    const Answer answer = send(client, {.target = target});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().error.kind, ErrorKind::corrupt);
    EXPECT_TRUE(answer.error().may_have_been_sent);
    EXPECT_THAT(answer.error().error.message, HasSubstr("50000"));
  }
  EXPECT_EQ(client.open_connections(), 0u);
  const Answer closed = send(client, {.target = "/close"});
  ASSERT_TRUE(closed.has_value());
  EXPECT_EQ(closed->body.size(), 100'000u);
  EXPECT_EQ(client.open_connections(), 0u);
  const Answer missing = send(client, {.target = "/status/404"});
  ASSERT_TRUE(missing.has_value());
  EXPECT_EQ(missing->status, 404);
}

}  // namespace
}  // namespace messina::net
