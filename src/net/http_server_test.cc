// The server against clients that write their bytes themselves.
#include "net/http_server.h"

#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/raw_peer.h"

namespace messina::net {
namespace {

using namespace std::chrono_literals;
using test::RawPeer;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Task<ServerReply> echo(ServerRequest request) {
  ServerReply reply;
  reply.body = std::make_shared<const std::string>(request.method + " " + std::string(request.body.view()));
  if (request.target == "/date") reply.headers.add("Date", "yesterday");
  if (request.target == "/chunked") reply.chunked = true;
  co_return reply;
}

class HttpServerTest : public testing::Test {
 protected:
  void start(ServerOptions options = {}, HttpServer::Handler handler = echo) {
    auto started = HttpServer::start(loop_, std::move(options), std::move(handler));
    ASSERT_TRUE(started.has_value()) << started.error().message;
    server_ = std::move(*started);
  }
  RawPeer connect() { return RawPeer::connect(server_->port()); }

  EventLoop loop_{"server"};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, KeepsTheConnectionAndSaysTheDate) {
  start();
  RawPeer peer = connect();
  for (int i = 0; i < 3; ++i) {
    peer.write("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_THAT(peer.read_message(), AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\nDate: "),
                                           HasSubstr(" GMT\r\n"), HasSubstr("\r\n\r\nPOST hi")));
  }
  peer.write("GET /date HTTP/1.1\r\n\r\n");
  EXPECT_THAT(peer.read_message(), AllOf(HasSubstr("Date: yesterday\r\n"), Not(HasSubstr("GMT"))));
}

TEST_F(HttpServerTest, JoinsChunksAndSendsThem) {
  start();
  RawPeer peer = connect();
  peer.write(
      "POST /chunked HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n");
  EXPECT_THAT(peer.read_to_end(), AllOf(HasSubstr("Transfer-Encoding: chunked\r\n"),
                                        HasSubstr("\r\n\r\n8\r\nPOST hi!\r\n0\r\n\r\n")));
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  start();
  RawPeer peer = connect();
  peer.write("HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string answer = peer.read_to_end();
  EXPECT_THAT(answer, AllOf(HasSubstr("Content-Length: 5\r\n"), testing::EndsWith("\r\n\r\n")));
}

TEST_F(HttpServerTest, ClosesWhenAnOldClientDoesNotAskToKeep) {
  start();
  RawPeer peer = connect();
  peer.write("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(peer.read_to_end(), AllOf(HasSubstr("Connection: close\r\n"), HasSubstr("GET ")));
}

TEST_F(HttpServerTest, TellsAPatientClientToGoOn) {
  start();
  RawPeer peer = connect();
  peer.write("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(peer.read_message(), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.write("hi");
  EXPECT_THAT(peer.read_message(), HasSubstr("POST hi"));
}

TEST_F(HttpServerTest, CutsBodiesOverTheLimitAndRequestsThatAreNone) {
  start({.max_body_bytes = 10});
  for (const std::string request :
       {"POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "no request\r\n\r\n"}) {
    RawPeer peer = connect();
    peer.write(request);
    EXPECT_EQ(peer.read_to_end(), "") << request;
  }
  RawPeer peer = connect();
  peer.write("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789");
  EXPECT_THAT(peer.read_message(), HasSubstr("POST 0123456789"));
  RawPeer endless = connect();
  endless.write("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x'));
  EXPECT_EQ(endless.read_to_end(), "");
}

TEST_F(HttpServerTest, LetsGoOfIdleConnections) {
  start({.idle_timeout = 20ms});
  RawPeer peer = connect();
  EXPECT_EQ(peer.read_to_end(), "");
}

TEST_F(HttpServerTest, AHandlerMayTakeLongerThanTheIdleTimeout) {
  start({.idle_timeout = 10ms}, [this](ServerRequest) -> Task<ServerReply> {
    return [](EventLoop* loop) -> Task<ServerReply> {
      co_await loop->sleep_for(60ms, nullptr);
      co_return ServerReply{};
    }(&loop_);
  });
  RawPeer peer = connect();
  peer.write("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(peer.read_message(), StartsWith("HTTP/1.1 200"));
}

Task<ServerReply> sleep_long(EventLoop* loop, std::promise<void>* started, std::atomic<bool>* ended) {
  struct AtEnd {
    std::atomic<bool>* ended;
    ~AtEnd() { *ended = true; }
  };
  const AtEnd at_end{ended};
  started->set_value();
  co_await loop->sleep_for(1h, nullptr);
  co_return ServerReply{};
}

TEST_F(HttpServerTest, ItsEndEndsHandlersAndConnections) {
  std::promise<void> started;
  std::atomic<bool> ended = false;
  start({}, [&](ServerRequest) { return sleep_long(&loop_, &started, &ended); });
  RawPeer idle = connect();
  RawPeer busy = connect();
  busy.write("GET / HTTP/1.1\r\n\r\n");
  started.get_future().wait();
  server_.reset();
  EXPECT_TRUE(ended);
  EXPECT_EQ(busy.read_to_end(), "");
  EXPECT_EQ(idle.read_to_end(), "");
}

TEST_F(HttpServerTest, ClosesConnectionsBeyondItsMost) {
  ServerOptions options;
  options.max_connections = 1;
  start(options);
  RawPeer first = connect();
  first.write("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(first.read_message(), StartsWith("HTTP/1.1 200 OK\r\n"));
  RawPeer second = connect();
  EXPECT_EQ(second.read_to_end(), "");
  first.write("GET / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(first.read_message(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpServerTest, APortInUseIsNamed) {
  start();
  const auto second = HttpServer::start(loop_, {.port = server_->port()}, echo);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind, ErrorKind::config);
  EXPECT_THAT(second.error().message, AllOf(HasSubstr(std::to_string(server_->port())), HasSubstr("in use")));
  const auto no_address = HttpServer::start(loop_, {.host = "not an address"}, echo);
  ASSERT_FALSE(no_address.has_value());
  EXPECT_THAT(no_address.error().message, HasSubstr("not an IP address"));
}

}  // namespace
}  // namespace messina::net
