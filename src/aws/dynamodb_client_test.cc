#include "aws/dynamodb_client.h"

#include <deque>
#include <future>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libdeflate.h>

#include "base/hash.h"
#include "base/log.h"
#include "net/http_server.h"
#include "net/raw_peer.h"

namespace messina::aws {
namespace {

using net::ReplyAction;

/// Answers with what it was told, in order, and keeps what it was asked.
class Script {
 public:
  Script() {
    net::ServerOptions options;
    auto started = net::HttpServer::start(
        loop_, options, [this](net::ServerRequest request) { return answer(this, std::move(request)); });
    server_ = std::move(started.value());
  }

  void say(net::ServerReply reply) {
    const std::lock_guard lock(mutex_);
    replies_.push_back(std::move(reply));
  }
  void say(int status, std::string body, std::string crc = "") {
    net::ServerReply reply;
    reply.status = status;
    reply.body = std::make_shared<const std::string>(std::move(body));
    if (!crc.empty()) reply.headers.set("x-amz-crc32", crc);
    say(std::move(reply));
  }
  void say(ReplyAction action) {
    net::ServerReply reply;
    reply.body = std::make_shared<const std::string>("{\"a\":\"some bytes\"}");
    reply.action = action;
    say(std::move(reply));
  }
  net::ServerRequest asked() {
    const std::lock_guard lock(mutex_);
    auto request = std::move(requests_.front());
    requests_.pop_front();
    return request;
  }
  std::vector<std::string> targets() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> result;
    for (const auto& request : requests_) result.push_back(request.target);
    return result;
  }
  net::Origin origin() const { return {"127.0.0.1", server_->port(), false}; }

 private:
  static Task<net::ServerReply> answer(Script* self, net::ServerRequest request) {
    const std::lock_guard lock(self->mutex_);
    self->requests_.push_back(std::move(request));
    net::ServerReply reply;
    reply.status = 418;
    reply.body = std::make_shared<const std::string>();
    if (!self->replies_.empty()) {
      reply = std::move(self->replies_.front());
      self->replies_.pop_front();
    }
    co_return reply;
  }

  std::mutex mutex_;
  std::deque<net::ServerReply> replies_;
  std::deque<net::ServerRequest> requests_;
  net::EventLoop loop_{"script"};
  std::unique_ptr<net::HttpServer> server_;
};

std::shared_ptr<CredentialsProvider> keys() {
  return std::make_shared<StaticCredentials>(Credentials{"AKID", Secret("secret"), Secret("the-token")});
}

struct Client {
  explicit Client(const Script& script, DynamoDbClientOptions options = {}, bool discover = false)
      : Client(script.origin(), {}, std::move(options), discover) {}
  Client(net::Origin origin, net::ClientOptions http, DynamoDbClientOptions options, bool discover) {
    NodeSetOptions set;
    set.contact = std::move(origin);
    set.discover = discover;
    set.datacenter = discover ? "dc1" : "";
    set.display = "test";
    options.display = "table \"t\"";
    options.region = "us-east-1";
    auto pools = NodePools::make(loop, std::make_shared<NodeSet>(set), std::move(http), {});
    client = std::make_unique<DynamoDbClient>(loop, std::move(pools), std::move(options));
  }
  ~Client() {
    // The client's connections belong to the loop's thread.
    std::promise<void> gone;
    asio::post(loop.executor(), [&] {
      client.reset();
      gone.set_value();
    });
    gone.get_future().wait();
  }
  Result<std::string> call(Operation operation, std::string body = "{}") {
    auto answer = net::run_on(loop, client->call(operation, body));
    if (!answer) return fail(answer.error());
    return std::string(answer->body.view());
  }
  net::EventLoop loop{"client"};
  std::unique_ptr<DynamoDbClient> client;
};

std::string header(const net::ServerRequest& request, std::string_view name) {
  return std::string(request.headers.find(name).value_or("-"));
}

TEST(DynamoDbClient, SendsASignedRequest) {
  Script script;
  DynamoDbClientOptions options;
  options.credentials = keys();
  Client client(script, options);
  script.say(200, "{\"ok\":1}", std::to_string(crc32("{\"ok\":1}")));
  EXPECT_EQ(client.call(kScan, "{\"a\":1}"), "{\"ok\":1}");
  const auto request = script.asked();
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/");
  EXPECT_EQ(request.body.view(), "{\"a\":1}");
  EXPECT_EQ(header(request, "X-Amz-Target"), "DynamoDB_20120810.Scan");
  EXPECT_EQ(header(request, "Content-Type"), "application/x-amz-json-1.0");
  EXPECT_EQ(header(request, "X-Amz-Security-Token"), "the-token");
  EXPECT_EQ(header(request, "Host"), host_header(script.origin()));
  EXPECT_THAT(
      header(request, "Authorization"),
      testing::MatchesRegex("AWS4-HMAC-SHA256 Credential=AKID/[0-9]{8}/us-east-1/dynamodb/aws4_request, "
                            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
                            "Signature=[0-9a-f]{64}"));
}

TEST(DynamoDbClient, AnAlternatorGetsFewHeadersAndNeverATokenNorUnaskedSignatures) {
  Script script;
  DynamoDbClientOptions options;
  options.alternator = true;
  {
    Client client(script, options);
    script.say(200, "{}");
    EXPECT_TRUE(client.call(kScan).has_value());
    const auto request = script.asked();
    for (const auto* absent :
         {"Authorization", "X-Amz-Date", "Content-Type", "X-Amz-Security-Token", "User-Agent"}) {
      EXPECT_EQ(header(request, absent), "-") << absent;
    }
  }
  options.credentials = keys();
  Client client(script, options);
  script.say(200, "{}");
  EXPECT_TRUE(client.call(kScan).has_value());
  const auto request = script.asked();
  EXPECT_NE(header(request, "Authorization"), "-");
  EXPECT_EQ(header(request, "X-Amz-Security-Token"), "-");
}

TEST(DynamoDbClient, AWrongCrcIsNoAnswer) {
  Script script;
  Client client(script);
  script.say(200, "{}", "12345");
  EXPECT_EQ(client.call(kScan).error().kind, ErrorKind::corrupt);
  script.say(200, "{}", "12345");
  EXPECT_EQ(client.call(kBatchWriteItem).error().kind, ErrorKind::unknown_outcome);
  script.say(200, "{}", "no number");
  EXPECT_EQ(client.call(kScan).error().kind, ErrorKind::corrupt);
}

TEST(DynamoDbClient, JudgesAnswersAndSilence) {
  Script script;
  Client client(script);
  script.say(400, R"({"__type":"x#ResourceNotFoundException","message":"gone"})");
  const auto missing = client.call(kScan);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().kind, ErrorKind::not_found);
  EXPECT_TRUE(missing.error().message.starts_with("table \"t\": Scan")) << missing.error().message;
  for (const auto action : {ReplyAction::close_unanswered, ReplyAction::cut_in_body}) {
    script.say(action);
    const auto read = client.call(kScan);
    ASSERT_FALSE(read.has_value());
    EXPECT_TRUE(read.error().retryable()) << to_string(read.error().kind);
    script.say(action);
    const auto write = client.call(kBatchWriteItem);
    ASSERT_FALSE(write.has_value());
    EXPECT_EQ(write.error().kind, ErrorKind::unknown_outcome);
  }
}

net::ServerReply refusal(const std::string& code, const std::string& message, const std::string& date) {
  net::ServerReply reply;
  reply.status = 400;
  reply.body =
      std::make_shared<const std::string>("{\"__type\":\"a#" + code + "\",\"message\":\"" + message + "\"}");
  reply.headers.set("Date", date);
  return reply;
}

constexpr const char* kTooOld =
    "Signature expired: 20261122T145840Z is now earlier than 20981231T235900Z (20990101T001400Z - 15 min.)";

TEST(DynamoDbClient, SignsWithTheServersTimeOnceItsClockIsKnown) {
  Script script;
  DynamoDbClientOptions options;
  options.credentials = keys();
  Client client(script, options);
  script.say(refusal("InvalidSignatureException", kTooOld, "Thu, 01 Jan 2099 00:14:00 GMT"));
  const auto first = client.call(kBatchWriteItem);
  ASSERT_FALSE(first.has_value());
  EXPECT_EQ(first.error().kind, ErrorKind::transient) << "the next attempt will do";
  script.asked();
  script.say(200, "{}");
  EXPECT_TRUE(client.call(kBatchWriteItem).has_value());
  EXPECT_THAT(header(script.asked(), "X-Amz-Date"), testing::StartsWith("20990101T0014"));
  // Again, though signed with the server's time: the clock is not what is wrong.
  script.say(refusal("InvalidSignatureException", kTooOld, "Thu, 01 Jan 2099 00:14:00 GMT"));
  EXPECT_EQ(client.call(kScan).error().kind, ErrorKind::expired);
}

TEST(DynamoDbClient, AWrongSignatureIsTheClocksFaultOnlyIfItIsFarOff) {
  Script script;
  DynamoDbClientOptions options;
  options.credentials = keys();
  Client client(script, options);
  script.say(400,
             R"({"__type":"a#InvalidSignatureException","message":"The request signature does not match"})");
  EXPECT_EQ(client.call(kScan).error().kind, ErrorKind::denied) << "the server's date is this machine's";
  script.say(refusal("InvalidSignatureException", "The request signature does not match",
                     "Thu, 01 Jan 2099 00:00:00 GMT"));
  EXPECT_EQ(client.call(kScan).error().kind, ErrorKind::transient);
  script.say(refusal("AccessDeniedException", "no", "Thu, 01 Jan 1998 00:00:00 GMT"));
  EXPECT_EQ(client.call(kScan).error().kind, ErrorKind::denied) << "that is no matter of time";
}

TEST(ServerClocks, EachServerHasItsOwn) {
  ServerClocks clocks;
  const net::Origin a{"a", 1, false}, b{"b", 1, false};
  const WallTime wall{std::chrono::seconds(1'795'359'520)};  // 2026-11-22T14:58:40Z
  net::Headers headers;
  headers.set("Date", "Sun, 22 Nov 2026 15:18:40 GMT");
  const Error refused{ErrorKind::expired, "Signature expired: …", "InvalidSignatureException"};
  EXPECT_EQ(clocks.at(a, wall), wall);
  EXPECT_TRUE(clocks.correct(a, refused, headers, wall, wall, "a"));
  EXPECT_EQ(clocks.at(a, wall), wall + std::chrono::minutes(20));
  EXPECT_EQ(clocks.at(b, wall), wall);
  EXPECT_FALSE(clocks.correct(a, refused, headers, clocks.at(a, wall), wall, "a"))
      << "it is corrected already";
  // Somebody sets this machine's clock right: the offset is learnt anew.
  const WallTime right = wall + std::chrono::minutes(20);
  EXPECT_TRUE(clocks.correct(a, refused, headers, clocks.at(a, right), right, "a"));
  EXPECT_EQ(clocks.at(a, right), right);
}

/// Gives other credentials once those of now are refused; at most `renewals` times.
class Renewable final : public CredentialsProvider {
 public:
  explicit Renewable(int renewals) : renewals_(renewals) {}
  Task<Result<std::shared_ptr<const Credentials>>> get() override { co_return current_; }
  std::shared_ptr<const Credentials> at_hand() override { return current_; }
  bool refused(const std::shared_ptr<const Credentials>& by_server) override {
    EXPECT_EQ(by_server, current_);
    if (renewals_-- == 0) return false;
    current_ = std::make_shared<const Credentials>(Credentials{"SECOND", Secret("s2"), Secret("t2")});
    return true;
  }

 private:
  int renewals_;
  std::shared_ptr<const Credentials> current_ =
      std::make_shared<const Credentials>(Credentials{"FIRST", Secret("s1"), Secret("t1")});
};

TEST(DynamoDbClient, ExpiredCredentialsAreRenewedAndTheCallCanBeRepeated) {
  Script script;
  DynamoDbClientOptions options;
  options.credentials = std::make_shared<Renewable>(1);
  Client client(script, options);
  const std::string expired =
      R"({"__type":"a#ExpiredTokenException","message":"The security token is expired"})";
  script.say(400, expired);
  EXPECT_EQ(client.call(kBatchWriteItem).error().kind, ErrorKind::transient);
  script.say(200, "{}");
  EXPECT_TRUE(client.call(kBatchWriteItem).has_value());
  script.asked();
  EXPECT_THAT(header(script.asked(), "Authorization"), testing::HasSubstr("Credential=SECOND/"));
  script.say(400, expired);
  EXPECT_EQ(client.call(kBatchWriteItem).error().kind, ErrorKind::expired) << "there are no others";
}

TEST(DynamoDbClient, NobodyThereMeansNotExecuted) {
  net::Origin nowhere;
  {
    Script script;
    nowhere = script.origin();
  }
  net::EventLoop loop("client");
  NodeSetOptions set;
  set.contact = nowhere;
  auto client = std::make_unique<DynamoDbClient>(
      loop, NodePools::make(loop, std::make_shared<NodeSet>(set), {}, {}), DynamoDbClientOptions{});
  const auto write = net::run_on(loop, client->call(kBatchWriteItem, "{}"));
  ASSERT_FALSE(write.has_value());
  EXPECT_EQ(write.error().kind, ErrorKind::transient);
  client.reset();
}

std::string gunzip(std::string_view packed) {
  std::string out(1 << 20, '\0');
  std::size_t size = 0;
  auto* decompressor = libdeflate_alloc_decompressor();
  const auto result =
      libdeflate_gzip_decompress(decompressor, packed.data(), packed.size(), out.data(), out.size(), &size);
  libdeflate_free_decompressor(decompressor);
  EXPECT_EQ(result, LIBDEFLATE_SUCCESS);
  out.resize(size);
  return out;
}

TEST(DynamoDbClient, CompressesThenSigns) {
  Script script;
  DynamoDbClientOptions options;
  options.alternator = true;
  options.gzip_requests = true;
  options.credentials = keys();
  Client client(script, options);
  const std::string large = "{\"a\":\"" + std::string(5000, 'x') + "\"}";
  script.say(200, "{}");
  EXPECT_TRUE(client.call(kBatchWriteItem, large).has_value());
  auto request = script.asked();
  EXPECT_EQ(header(request, "Content-Encoding"), "gzip");
  EXPECT_LT(request.body.size(), 500u);
  EXPECT_EQ(gunzip(request.body.view()), large);
  script.say(200, "{}");
  EXPECT_TRUE(client.call(kBatchWriteItem, "{}").has_value());
  EXPECT_EQ(header(script.asked(), "Content-Encoding"), "-") << "small bodies are not worth it";
}

TEST(DynamoDbClient, GivesUpCompressionThatTheServerDoesNotKnow) {
  Script script;
  DynamoDbClientOptions options;
  options.gzip_requests = true;
  Client client(script, options);
  const std::string large(5000, 'x');
  script.say(400,
             R"({"__type":"a#ValidationException","message":"Parsing JSON failed: Invalid value. at 9855"})");
  EXPECT_EQ(client.call(kBatchWriteItem, large).error().kind, ErrorKind::transient);
  script.asked();
  script.say(200, "{}");
  EXPECT_TRUE(client.call(kBatchWriteItem, large).has_value());
  const auto request = script.asked();
  EXPECT_EQ(header(request, "Content-Encoding"), "-");
  EXPECT_EQ(request.body.view(), large);
}

TEST(DynamoDbClient, TakesPiecesOnlyWhereTheyGoOutAsTheyLie) {
  net::EventLoop loop("client");
  const auto takes = [&loop](bool tls, bool gzip, bool signs) {
    NodeSetOptions set;
    set.contact = {"127.0.0.1", 1, tls};
    DynamoDbClientOptions options;
    options.gzip_requests = gzip;
    if (signs) options.credentials = keys();
    return DynamoDbClient(loop, NodePools::make(loop, std::make_shared<NodeSet>(set), {}, {}), options)
        .takes_pieces();
  };
  EXPECT_TRUE(takes(false, false, false));
  EXPECT_FALSE(takes(true, false, false));
  EXPECT_FALSE(takes(false, true, false));
  EXPECT_FALSE(takes(false, false, true));
}

TEST(DynamoDbClient, AsksForNodesFirstAndFallsBackFromDatacenterToCluster) {
  Script script;
  DynamoDbClientOptions options;
  options.alternator = true;
  Client client(script, options, true);
  script.say(200, "[]");
  script.say(200, "[\"127.0.0.1\"]");
  script.say(200, "{\"ok\":1}");
  EXPECT_EQ(client.call(kScan), "{\"ok\":1}");
  EXPECT_THAT(script.targets(), testing::ElementsAre("/localnodes?dc=dc1", "/localnodes", "/"));
}

TEST(DynamoDbClient, WaitsOnceOnlyForAnAddressThatCannotBeConnected) {
  net::test::RawServer silent({[](net::test::RawPeer& peer) { peer.read_to_end(); }});
  net::ClientOptions http;
  http.connect_timeout = std::chrono::milliseconds(200);
  DynamoDbClientOptions options;
  options.alternator = true;
  Client client({"127.0.0.1", silent.port(), true}, http, options, true);
  const auto answer = client.call(kScan);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::transient);
  EXPECT_THAT(answer.error().message, testing::HasSubstr("TLS with"));
  EXPECT_EQ(silent.connections(), 1);
}

TEST(DynamoDbClient, GoesOnWithTheContactPointWhenThereIsNoList) {
  Script script;
  DynamoDbClientOptions options;
  options.alternator = true;
  Client client(script, options, true);
  script.say(404, "");
  script.say(404, "");
  script.say(200, "{\"ok\":1}");
  EXPECT_EQ(client.call(kScan), "{\"ok\":1}");
  script.say(200, "{\"ok\":2}");
  EXPECT_EQ(client.call(kScan), "{\"ok\":2}");
}

}  // namespace
}  // namespace messina::aws
