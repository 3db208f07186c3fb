// The client against servers that follow a script, well or badly.
#include "net/http_client.h"

#include <future>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "net/raw_peer.h"

namespace messina::net {
namespace {

using namespace std::chrono_literals;
using test::RawPeer;
using test::RawServer;
using testing::AllOf;
using testing::HasSubstr;
using Answer = std::expected<Response, SendError>;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

RawServer::Script answers(std::string bytes) {
  return [bytes](RawPeer& peer) {
    peer.read_message();
    peer.write(bytes);
  };
}

class HttpClientTest : public testing::Test {
 protected:
  static Origin at(const RawServer& server) { return {"127.0.0.1", server.port(), false}; }
  Answer send(HttpClient& client, const Request& request = {}) { return run_on(loop_, client.send(request)); }

  EventLoop loop_{"client"};
};

struct GoodAnswer {
  std::string what;
  std::string bytes;
  int status;
  std::string body;
  bool reused;
  std::string_view method = "POST";
};

TEST_F(HttpClientTest, UnderstandsEveryFormOfAnswer) {
  const std::vector<GoodAnswer> cases{
      {"plain", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true},
      {"empty", "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", 400, "", true},
      {"no reason", "HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx", 200, "x", true},
      {"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", 200, "hello",
       false},
      {"old", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
      {"old but kept", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 200, "x",
       true},
      {"until the end", "HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it", false},
      {"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + std::string(kOk),
       200, "ok", true},
      {"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
      {"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304, "", true},
      {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 200, "", true, "HEAD"},
      {"chunks",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\nA\r\n, you "
       "all!\r\n0\r\nTrailer: 1\r\n\r\n",
       200, "hello, you all!", true},
      {"no chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", true},
      {"more than asked for", std::string(kOk) + "HTTP/1.1 200 OK\r\n", 200, "ok", false},
      {"more behind chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nmore",
       200, "x", false},
  };
  for (const GoodAnswer& c : cases) {
    SCOPED_TRACE(c.what);
    std::promise<void> seen;
    RawServer server({[&](RawPeer& peer) {
      peer.read_message();
      peer.write(c.bytes);
      if (c.what == "until the end") peer.shut_down_writing();
      seen.get_future().wait();
    }});
    HttpClient client(loop_, at(server), {});
    const Answer answer = send(client, {.method = c.method});
    EXPECT_EQ(client.open_connections(), c.reused ? 1u : 0u);
    seen.set_value();
    ASSERT_TRUE(answer.has_value()) << answer.error().error.message;
    EXPECT_EQ(answer->status, c.status);
    EXPECT_EQ(answer->body.view(), c.body);
  }
}

struct BadAnswer {
  std::string bytes;
  ErrorKind kind;
  std::string message;
};

TEST_F(HttpClientTest, NamesWhatIsWrongWithABadAnswer) {
  const std::vector<BadAnswer> cases{
      {"", ErrorKind::transient, "the connection was closed while waiting for the answer"},
      {"HTTP/1.1 200 OK\r\nContent-", ErrorKind::transient, "the rest of the answer's header"},
      {"SSH-2.0-OpenSSH\r\n", ErrorKind::corrupt, "it begins otherwise"},
      {"HTTP/1.1 abc\r\n\r\n", ErrorKind::corrupt, "not HTTP"},
      {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", ErrorKind::corrupt, "not HTTP"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", ErrorKind::corrupt,
       "not HTTP"},
      {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", ErrorKind::corrupt, "not HTTP"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       ErrorKind::corrupt, "not HTTP"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n", ErrorKind::corrupt, "over 64 KB"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x'), ErrorKind::corrupt, "over 64 KB"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ErrorKind::corrupt, "3 of 10 bytes had come"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", ErrorKind::corrupt, "over the limit of 1000"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", ErrorKind::corrupt,
       "over the limit"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') +
           "\r\n0\r\n\r\n",
       ErrorKind::corrupt, "over the limit of 1000"},
      {"HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x'), ErrorKind::corrupt, "over the limit of 1000"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", ErrorKind::corrupt,
       "3 bytes had come"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ErrorKind::corrupt,
       "5 bytes had come"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nhello\r\n", ErrorKind::corrupt, "chunk"},
      {"HTTP/1.1 101 Switching\r\n\r\n", ErrorKind::corrupt, "another protocol"},
  };
  for (const BadAnswer& c : cases) {
    SCOPED_TRACE(c.bytes.substr(0, 60));
    RawServer server({answers(c.bytes)});
    HttpClient client(loop_, at(server), {.max_body_bytes = 1000});
    const Answer answer = send(client);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().error.kind, c.kind) << answer.error().error.message;
    EXPECT_THAT(answer.error().error.message,
                AllOf(HasSubstr(c.message), HasSubstr("127.0.0.1:" + std::to_string(server.port()))));
    EXPECT_TRUE(answer.error().may_have_been_sent);
    EXPECT_EQ(client.open_connections(), 0u);
    EXPECT_EQ(server.connections(), 1);
  }
}

TEST_F(HttpClientTest, AThousandRequestsTakeOneConnection) {
  RawServer server({[](RawPeer& peer) {
    while (!peer.read_message().empty()) peer.write(kOk);
  }});
  HttpClient client(loop_, at(server), {});
  for (int i = 0; i < 1000; ++i) {
    const Answer answer = send(client, {.body = "some body"});
    ASSERT_TRUE(answer.has_value()) << answer.error().error.message;
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(HttpClientTest, SendsWhatItWasGiven) {
  std::promise<std::string> received;
  RawServer server({[&](RawPeer& peer) {
    received.set_value(peer.read_message());
    peer.write(kOk);
  }});
  HttpClient client(loop_, at(server), {});
  Request request{.target = "/x?y=1", .body = "{\"a\":1}"};
  request.headers.add("Host", "signed.example.org");
  request.headers.add("X-Amz-Target", "T");
  ASSERT_TRUE(send(client, request).has_value());
  EXPECT_EQ(received.get_future().get(),
            "POST /x?y=1 HTTP/1.1\r\nHost: signed.example.org\r\nX-Amz-Target: T\r\nContent-Length: "
            "7\r\n\r\n{\"a\":1}");
}

TEST_F(HttpClientTest, SendsABodyInPieces) {
  std::promise<std::string> received;
  RawServer server({[&](RawPeer& peer) {
    received.set_value(peer.read_message());
    peer.write(kOk);
  }});
  HttpClient client(loop_, at(server), {});
  // More pieces than one system call takes, more bytes than a socket does, and some of none.
  std::string whole;
  for (std::size_t i = 0; whole.size() < (8u << 20); ++i)
    whole.append(i % 20'000, static_cast<char>('a' + i % 26));
  std::vector<std::string_view> pieces;
  std::size_t at_byte = 0;
  for (std::size_t i = 0; at_byte < whole.size(); ++i) {
    pieces.push_back(std::string_view(whole).substr(at_byte, i * 7 % 9'000));
    at_byte += pieces.back().size();
  }
  ASSERT_GT(pieces.size(), 1'200u);
  const Answer answer = send(client, {.body = Body(pieces)});
  ASSERT_TRUE(answer.has_value()) << answer.error().error.message;
  const std::string message = received.get_future().get();
  EXPECT_THAT(message, HasSubstr(fmt::format("Content-Length: {}\r\n\r\n", whole.size())));
  EXPECT_TRUE(message.ends_with(whole));
}

TEST_F(HttpClientTest, NeverUsesAConnectionThatThePeerHasEnded) {
  const std::vector<std::function<void(RawPeer&)>> ends{
      [](RawPeer& peer) { peer.close(); },
      [](RawPeer& peer) { peer.reset(); },
      [](RawPeer& peer) { peer.write("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"); },
  };
  for (const auto& end : ends) {
    std::promise<void> answered;
    std::promise<void> ended;
    std::promise<void> finished;
    RawServer server({[&](RawPeer& peer) {
                        peer.read_message();
                        peer.write(kOk);
                        answered.get_future().wait();
                        end(peer);
                        ended.set_value();
                        finished.get_future().wait();
                      },
                      answers(std::string(kOk))});
    HttpClient client(loop_, at(server), {.unasked_idle = 0us});
    ASSERT_TRUE(send(client).has_value());
    EXPECT_EQ(client.open_connections(), 1u);
    answered.set_value();
    ended.get_future().wait();
    const Answer second = send(client);
    finished.set_value();
    ASSERT_TRUE(second.has_value()) << second.error().error.message;
    EXPECT_EQ(server.connections(), 2);
  }
}

TEST_F(HttpClientTest, DropsConnectionsThatAreIdleForTooLong) {
  std::promise<void> ended;
  RawServer server({[&](RawPeer& peer) {
    peer.read_message();
    peer.write(kOk);
    peer.read_to_end();
    ended.set_value();
  }});
  HttpClient client(loop_, at(server), {.max_idle = 20ms});
  ASSERT_TRUE(send(client).has_value());
  EXPECT_EQ(ended.get_future().wait_for(20s), std::future_status::ready);
}

TEST_F(HttpClientTest, ARefusedConnectionWasCertainlyNotSent) {
  std::uint16_t port = 0;
  {
    const RawServer gone({});
    port = gone.port();
  }
  HttpClient client(loop_, {"localhost", port, false}, {});
  const Answer answer = send(client);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().error.kind, ErrorKind::transient);
  EXPECT_FALSE(answer.error().may_have_been_sent);
  EXPECT_THAT(answer.error().error.message,
              AllOf(HasSubstr("cannot connect to localhost:" + std::to_string(port)),
                    HasSubstr("Connection refused")));
}

TEST_F(HttpClientTest, WaitsNoLongerThanItsTimeouts) {
  std::promise<void> done;
  const std::shared_future<void> end = done.get_future().share();
  const auto silent = [end](RawPeer& peer) {
    peer.read_message();
    end.wait();
  };
  const auto slow_body = [end](RawPeer& peer) {
    peer.read_message();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    end.wait();
  };
  const auto deaf = [end](RawPeer&) { end.wait(); };
  const auto trickle = [](RawPeer& peer) {
    peer.read_message();
    peer.write("HTTP/1.1 200 OK\r\nX: ");
    while (peer.alive(5ms)) peer.write("x");
  };
  {
    RawServer server({silent, slow_body, deaf, trickle});
    HttpClient client(loop_, at(server), {.answer_timeout = 50ms});
    const Answer first = send(client);
    const Answer second = send(client);
    const std::string large(64u << 20, 'x');
    const Answer third = send(client, {.body = large});
    const Answer fourth = send(client);
    done.set_value();
    for (const Answer* answer : {&first, &second, &third, &fourth}) {
      ASSERT_FALSE(answer->has_value());
      EXPECT_EQ(answer->error().error.kind, ErrorKind::transient);
      EXPECT_THAT(answer->error().error.message, HasSubstr("no progress for 0.1 s"));
      EXPECT_TRUE(answer->error().may_have_been_sent);
    }
    EXPECT_THAT(first.error().error.message, HasSubstr("waiting for the answer"));
    EXPECT_THAT(second.error().error.message, HasSubstr("3 of 10 bytes had come"));
    EXPECT_THAT(third.error().error.message, HasSubstr("waiting for the request to be taken"));
    EXPECT_THAT(fourth.error().error.message, HasSubstr("the rest of the answer's header"));
    EXPECT_EQ(client.open_connections(), 0u);
  }
}

TEST_F(HttpClientTest, AnAnswerBeforeTheRequestsEndIsTaken) {
  RawServer server({[](RawPeer& peer) {
    std::string some;
    peer.read(some);
    peer.write("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
    peer.read_to_end();
  }});
  HttpClient client(loop_, at(server), {});
  const std::string large(8u << 20, 'x');
  const Answer answer = send(client, {.body = large});
  ASSERT_TRUE(answer.has_value()) << answer.error().error.message;
  EXPECT_EQ(answer->status, 413);
  EXPECT_EQ(answer->body.view(), "big");
  EXPECT_EQ(client.open_connections(), 0u);
}

Task<void> send_and_count(HttpClient* client, std::atomic<int>* answered) {
  const Request request;
  const Answer answer = co_await client->send(request);
  if (answer) ++*answered;
}

TEST_F(HttpClientTest, OpensNoMoreConnectionsThanAllowed) {
  const auto serve = [](RawPeer& peer) {
    while (!peer.read_message().empty()) peer.write(kOk);
  };
  RawServer server(std::vector<RawServer::Script>(20, serve));
  HttpClient client(loop_, at(server), {.max_connections = 3});
  std::atomic<int> answered = 0;
  std::vector<std::future<void>> all;
  for (int i = 0; i < 20; ++i)
    all.push_back(std::async(std::launch::async, [&] { run_on(loop_, send_and_count(&client, &answered)); }));
  for (auto& one : all) one.get();
  EXPECT_EQ(answered, 20);
  EXPECT_LE(server.connections(), 3);
}

TEST_F(HttpClientTest, TheWaitForAConnectionHasAnEnd) {
  std::promise<void> begun;
  std::atomic<bool> enough = false;
  RawServer server({[&](RawPeer& peer) {
    peer.read_message();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    begun.set_value();
    // There is progress, so that only the other request's own patience can end its wait.
    int sent = 0;
    for (; !enough && peer.alive(10ms); ++sent) peer.write("x");
    peer.write(std::string(static_cast<std::size_t>(100'000 - sent), 'x'));
  }});
  HttpClient client(loop_, at(server), {.answer_timeout = 500ms, .max_connections = 1});
  auto first = std::async(std::launch::async, [&] { return send(client); });
  begun.get_future().wait();
  const Answer second = send(client);
  enough = true;
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().error.kind, ErrorKind::transient);
  EXPECT_THAT(second.error().error.message, HasSubstr("each of the 1 connections"));
  EXPECT_FALSE(second.error().may_have_been_sent);
  const Answer answer = first.get();
  ASSERT_TRUE(answer.has_value()) << answer.error().error.message;
  EXPECT_EQ(answer->body.view().size(), 100'000u);
}

TEST_F(HttpClientTest, AHeaderCannotSmuggleAnother) {
  const RawServer server({});
  HttpClient client(loop_, at(server), {});
  Request request;
  request.headers.add("X", "a\r\nY: b");
  const Answer answer = send(client, request);
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().error.kind, ErrorKind::internal);
  EXPECT_FALSE(answer.error().may_have_been_sent);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(HttpClientTest, EndsItsRequestsWhenItIsDestroyed) {
  std::promise<void> received;
  RawServer server({[&](RawPeer& peer) {
    peer.read_message();
    received.set_value();
    peer.read_to_end();
  }});
  auto client = std::make_unique<HttpClient>(loop_, at(server), ClientOptions{});
  const Request request;
  auto pending = client->send(request);
  auto answer = std::async(std::launch::async, [&] { return run_on(loop_, std::move(pending)); });
  received.get_future().wait();
  client.reset();
  const Answer ended = answer.get();
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().error.kind, ErrorKind::stopped);
  EXPECT_TRUE(ended.error().may_have_been_sent);
}

}  // namespace
}  // namespace messina::net
