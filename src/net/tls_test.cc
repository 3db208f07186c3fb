// TLS and proxies, with certificates made for the occasion.
#include <filesystem>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/http_client.h"
#include "net/http_server.h"
#include "net/raw_peer.h"

namespace messina::net {
namespace {

using namespace std::chrono_literals;
using test::RawPeer;
using test::RawServer;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Answer = std::expected<Response, SendError>;

template <auto free>
struct Free {
  void operator()(auto* p) const { free(p); }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;

void add_extension(X509* certificate, int kind, const std::string& value) {
  X509_EXTENSION* extension = X509V3_EXT_nconf_nid(nullptr, nullptr, kind, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

/// A certificate for `names` ("DNS:localhost,IP:127.0.0.1"), or a CA's if there are none. Null `ca`: signed
/// by itself.
Certificate make_certificate(EVP_PKEY* key, const std::string& subject, const std::string& names, X509* ca,
                             EVP_PKEY* ca_key, long valid_from, long valid_to) {
  Certificate made(X509_new());
  X509_set_version(made.get(), 2);
  static long serial = 1;
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial++);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), valid_from);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), valid_to);
  X509_set_pubkey(made.get(), key);
  X509_NAME* name = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
  X509_set_issuer_name(made.get(), ca != nullptr ? X509_get_subject_name(ca) : name);
  if (names.empty())
    add_extension(made.get(), NID_basic_constraints, "critical,CA:TRUE");
  else
    add_extension(made.get(), NID_subject_alt_name, names);
  X509_sign(made.get(), ca_key, EVP_sha256());
  return made;
}

class Tls : public testing::Test {
 protected:
  Tls() {
    std::string pattern = (std::filesystem::temp_directory_path() / "messina-tls-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    ca_key_ = Key(EVP_EC_gen("P-256"));
    ca_ = make_certificate(ca_key_.get(), "messina test CA", "", nullptr, ca_key_.get(), -86400, 86400);
    save("ca.pem", [&](FILE* file) { PEM_write_X509(file, ca_.get()); });
  }
  ~Tls() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  template <class Write>
  void save(const std::string& name, Write write) {
    FILE* const file = std::fopen(path(name).c_str(), "w");
    ASSERT_NE(file, nullptr);
    write(file);
    std::fclose(file);
  }

  /// Starts a server that echoes bodies.
  void start(const std::string& names, long valid_to = 86400) {
    const Key key(EVP_EC_gen("P-256"));
    const Certificate leaf =
        make_certificate(key.get(), "leaf", names, ca_.get(), ca_key_.get(), -86400 * 2, valid_to);
    save("cert.pem", [&](FILE* file) { PEM_write_X509(file, leaf.get()); });
    save("key.pem",
         [&](FILE* file) { PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    auto server = HttpServer::start(
        server_loop_,
        {.certificate_file = path("cert.pem"), .key_file = path("key.pem"), .max_body_bytes = 32u << 20},
        echo);
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
  }

  static Task<ServerReply> echo(ServerRequest request) {
    ServerReply reply;
    reply.body = std::make_shared<const std::string>(request.body.view());
    reply.chunked = request.target == "/chunked";
    if (request.target == "/half") reply.action = ReplyAction::cut_in_body;
    if (request.target == "/cut") reply.action = ReplyAction::close_unanswered;
    co_return reply;
  }

  ClientOptions trusting() const { return {.tls = {.ca_file = path("ca.pem")}}; }
  Answer send_to(const std::string& host, const ClientOptions& options) {
    HttpClient client(loop_, {host, server_->port(), true}, options);
    const Request request{.body = "hello"};
    return run_on(loop_, client.send(request));
  }

  std::string folder_;
  Key ca_key_;
  Certificate ca_;
  EventLoop server_loop_{"server"};
  EventLoop loop_{"client"};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(Tls, BodiesOfAllSizesPassOverOneVerifiedConnection) {
  start("DNS:localhost");
  HttpClient client(loop_, {"localhost", server_->port(), true}, trusting());
  for (const std::size_t size : {0u, 1u, 16'384u, 125'000u, 1'000'000u, 20'000'000u}) {
    std::string body(size, 'x');
    for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>(i * 7 % 251);
    for (const std::string target : {"/", "/chunked"}) {
      const Request request{.target = target, .body = body};
      const Answer answer = run_on(loop_, client.send(request));
      ASSERT_TRUE(answer.has_value()) << answer.error().error.message;
      EXPECT_TRUE(answer->body.view() == body) << target << " " << size;
    }
  }
  EXPECT_EQ(client.open_connections(), 1u);
}

TEST_F(Tls, CutsAreErrors) {
  start("DNS:localhost");
  HttpClient client(loop_, {"localhost", server_->port(), true}, trusting());
  const std::string body(100'000, 'x');
  for (const std::string target : {"/half", "/cut", "/"}) {
    const Request request{.target = target, .body = body};
    const Answer answer = run_on(loop_, client.send(request));
    EXPECT_EQ(answer.has_value(), target == "/") << target;
    if (answer) continue;
    EXPECT_EQ(answer.error().error.kind, target == "/half" ? ErrorKind::corrupt : ErrorKind::transient);
    EXPECT_TRUE(answer.error().may_have_been_sent);
  }
}

TEST_F(Tls, AConnectionThatTheServerEndedIsReplacedUnnoticed) {
  start("DNS:localhost");
  ClientOptions options = trusting();
  options.unasked_idle = {};
  HttpClient client(loop_, {"localhost", server_->port(), true}, options);
  const Request request{.body = "hello"};
  const ServerOptions again{
      .port = server_->port(), .certificate_file = path("cert.pem"), .key_file = path("key.pem")};
  for (int i = 0; i < 3; ++i) {
    const Answer answer = run_on(loop_, client.send(request));
    ASSERT_TRUE(answer.has_value()) << answer.error().error.message;
    EXPECT_EQ(client.open_connections(), 1u);
    server_.reset();
    auto restarted = HttpServer::start(server_loop_, again, echo);
    ASSERT_TRUE(restarted.has_value()) << restarted.error().message;
    server_ = std::move(*restarted);
  }
}

TEST_F(Tls, AnAddressInTheCertificateIsVerifiedToo) {
  start("IP:127.0.0.1");
  const Answer answer = send_to("127.0.0.1", trusting());
  EXPECT_TRUE(answer.has_value()) << answer.error().error.message;
}

TEST_F(Tls, ACertificateThatCannotBeTrustedSaysWhyAndWhatToDo) {
  const auto expect = [](const Answer& answer, const std::string& why, const std::string& way_out) {
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().error.kind, ErrorKind::config);
    EXPECT_FALSE(answer.error().may_have_been_sent);
    EXPECT_THAT(answer.error().error.message,
                AllOf(HasSubstr("localhost:"), HasSubstr(why), HasSubstr(way_out)));
  };
  start("DNS:localhost");
  expect(send_to("localhost", {}), "unknown CA", "--target-ca-file");
  EXPECT_TRUE(send_to("localhost", {.tls = {.insecure = true}}).has_value());
  start("DNS:elsewhere.org");
  expect(send_to("localhost", trusting()), "not for the name localhost", "a name that it holds");
  ClientOptions other_name = trusting();
  other_name.tls.server_name = "elsewhere.org";
  EXPECT_TRUE(send_to("localhost", other_name).has_value());
  start("DNS:localhost", -3600);
  expect(send_to("localhost", trusting()), "expired", "renew it");
}

TEST_F(Tls, UnreadableFilesAreNamed) {
  start("DNS:localhost");
  save("empty.pem", [](FILE*) {});
  for (const std::string& file : {path("missing.pem"), path("empty.pem")}) {
    const Answer answer = send_to("localhost", {.tls = {.ca_file = file}});
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().error.kind, ErrorKind::config);
    EXPECT_FALSE(answer.error().may_have_been_sent);
    EXPECT_THAT(answer.error().error.message, HasSubstr(file));
  }
  const auto server = HttpServer::start(
      server_loop_, {.certificate_file = path("cert.pem"), .key_file = path("ca.pem")}, echo);
  ASSERT_FALSE(server.has_value());
  EXPECT_THAT(server.error().message, HasSubstr("ca.pem"));
}

TEST_F(Tls, AServerThatSpeaksNoTlsIsNamed) {
  RawServer plain({[](RawPeer& peer) {
    std::string hello;
    peer.read(hello);
    peer.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    peer.read_to_end();
  }});
  HttpClient client(loop_, {"localhost", plain.port(), true}, trusting());
  const Request request;
  const Answer answer = run_on(loop_, client.send(request));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().error.kind, ErrorKind::config);
  EXPECT_FALSE(answer.error().may_have_been_sent);
  EXPECT_THAT(answer.error().error.message, HasSubstr("a port without TLS?"));
}

TEST_F(Tls, AServerThatIsSilentOrGoneIsTransient) {
  std::promise<void> done;
  const std::shared_future<void> end = done.get_future().share();
  RawServer server({[&](RawPeer&) { end.wait(); }, [](RawPeer&) {}});
  ClientOptions options = trusting();
  options.connect_timeout = 50ms;
  HttpClient client(loop_, {"127.0.0.1", server.port(), true}, options);
  const Request request;
  for (int i = 0; i < 2; ++i) {
    const Answer answer = run_on(loop_, client.send(request));
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().error.kind, ErrorKind::transient);
    EXPECT_FALSE(answer.error().may_have_been_sent);
    EXPECT_THAT(answer.error().error.message, HasSubstr("TLS with 127.0.0.1:"));
  }
  done.set_value();
}

TEST_F(Tls, GoesThroughAProxysTunnel) {
  start("DNS:localhost");
  std::promise<std::string> asked;
  RawServer proxy({[&](RawPeer& client) {
    asked.set_value(client.read_message());
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    RawPeer server = RawPeer::connect(server_->port());
    test::pump(client, server);
  }});
  ClientOptions options = trusting();
  options.proxy = "http://user:sesame@127.0.0.1:" + std::to_string(proxy.port());
  const Answer answer = send_to("localhost", options);
  ASSERT_TRUE(answer.has_value()) << answer.error().error.message;
  EXPECT_EQ(answer->body.view(), "hello");
  EXPECT_THAT(asked.get_future().get(),
              AllOf(HasSubstr("CONNECT localhost:" + std::to_string(server_->port()) + " HTTP/1.1\r\n"),
                    HasSubstr("Proxy-Authorization: Basic dXNlcjpzZXNhbWU=\r\n")));
}

struct Refusal {
  std::string answer;
  ErrorKind kind;
  std::string message;
};

TEST_F(Tls, AProxysRefusalIsNamed) {
  start("DNS:localhost");
  const std::vector<Refusal> cases{
      {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", ErrorKind::denied,
       "wants a user and a password"},
      {"HTTP/1.1 403 Forbidden\r\n\r\n", ErrorKind::denied, "refuses to connect to localhost:"},
      {"HTTP/1.1 503 Busy\r\n\r\n", ErrorKind::transient, "HTTP 503"},
      {"HTTP/1.1 405 Method Not Allowed\r\n\r\n", ErrorKind::config, "HTTP 405"},
      {"HTTP/1.1 200 OK\r\n\r\nhello", ErrorKind::config, "data of its own"},
      {"SSH-2.0\r\n\r\n", ErrorKind::config, "does not speak HTTP"},
      {"", ErrorKind::transient, "did not answer CONNECT"},
  };
  for (const Refusal& c : cases) {
    SCOPED_TRACE(c.answer);
    RawServer proxy({[&](RawPeer& client) {
      client.read_message();
      client.write(c.answer);
    }});
    ClientOptions options = trusting();
    options.proxy = "http://user:sesame@127.0.0.1:" + std::to_string(proxy.port());
    const Answer answer = send_to("localhost", options);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().error.kind, c.kind) << answer.error().error.message;
    EXPECT_FALSE(answer.error().may_have_been_sent);
    EXPECT_THAT(answer.error().error.message,
                AllOf(HasSubstr(c.message), HasSubstr("127.0.0.1:" + std::to_string(proxy.port())),
                      Not(HasSubstr("sesame"))));
  }
}

TEST(PlainProxy, IsAskedInAbsoluteForm) {
  std::promise<std::string> asked;
  RawServer proxy({[&](RawPeer& client) {
    asked.set_value(client.read_message());
    client.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    client.read_message();
    client.write("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
  }});
  EventLoop loop("client");
  HttpClient client(loop, {"db.example.org", 8000, false},
                    {.proxy = "http://user:sesame@127.0.0.1:" + std::to_string(proxy.port())});
  const Request request{.target = "/x", .body = "hello"};
  const Answer answer = run_on(loop, client.send(request));
  ASSERT_TRUE(answer.has_value()) << answer.error().error.message;
  EXPECT_THAT(asked.get_future().get(),
              AllOf(HasSubstr("POST http://db.example.org:8000/x HTTP/1.1\r\n"),
                    HasSubstr("\r\nHost: db.example.org:8000\r\n"),
                    HasSubstr("\r\nProxy-Authorization: Basic dXNlcjpzZXNhbWU=\r\n")));
  const Answer refused = run_on(loop, client.send(request));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().error.kind, ErrorKind::denied);
  EXPECT_FALSE(refused.error().may_have_been_sent);
}

}  // namespace
}  // namespace messina::net
