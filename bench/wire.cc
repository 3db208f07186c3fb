#include "bench/wire.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

namespace messina::bench {
namespace {

constexpr std::size_t kHeadRoom = 4096;
constexpr long kTlsOutBytes = 64L << 10;

[[noreturn]] void die(const std::string& what) { throw std::runtime_error(what); }
[[noreturn]] void die_errno(const std::string& what) { die(what + ": " + std::strerror(errno)); }

bool starts_with_no_case(std::string_view line, std::string_view prefix) {
  return line.size() >= prefix.size() && strncasecmp(line.data(), prefix.data(), prefix.size()) == 0;
}

std::size_t number_after(std::string_view line, std::size_t at) {
  at = line.find_first_not_of(" \t", at);
  std::size_t value = 0;
  if (at == line.npos ||
      std::from_chars(line.data() + at, line.data() + line.size(), value).ec != std::errc{}) {
    die("an answer with a broken head");
  }
  return value;
}

}  // namespace

TlsContext::TlsContext() : context_(SSL_CTX_new(TLS_client_method())) {
  if (context_ == nullptr) die("OpenSSL gives no context");
  SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // One read(2) for several records instead of two for each.
  SSL_CTX_set_read_ahead(context_, 1);
  SSL_CTX_set_default_read_buffer_len(context_, 64 * 1024);
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Peer parse_peer(std::string_view text) {
  const auto colon = text.rfind(':');
  Peer peer;
  if (colon == text.npos ||
      std::from_chars(text.data() + colon + 1, text.data() + text.size(), peer.port).ec != std::errc{}) {
    die("not HOST:PORT: " + std::string(text));
  }
  peer.host = text.substr(0, colon);
  return peer;
}

Connection::Connection(const Peer& peer, const TlsContext* tls) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(peer.port);
  if (inet_pton(AF_INET, peer.host.c_str(), &address.sin_addr) != 1) die("not an IPv4 address: " + peer.host);
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) die_errno("socket");
  if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    die_errno("connect to " + peer.host + ":" + std::to_string(peer.port));
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (tls != nullptr) {
    ssl_ = SSL_new(tls->get());
    BIO* const socket_bio = BIO_new_socket(fd_, BIO_NOCLOSE);
    out_ = BIO_new(BIO_f_buffer());
    if (ssl_ == nullptr || socket_bio == nullptr || out_ == nullptr) die("OpenSSL gives no connection");
    // Several records in one send(2): the records of a request are encrypted first, then flushed.
    BIO_set_write_buffer_size(out_, kTlsOutBytes);
    BIO_up_ref(socket_bio);
    SSL_set_bio(ssl_, socket_bio, BIO_push(out_, socket_bio));
    if (SSL_connect(ssl_) != 1 || BIO_flush(out_) != 1) die("TLS handshake failed");
  }
  if (fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK) != 0) die_errno("fcntl");
}

Connection::~Connection() {
  SSL_free(ssl_);
  if (fd_ >= 0) close(fd_);
}

void Connection::start(Slab& body) {
  sent_ = 0;
  head_.clear();
  body_ = &body;
  body_->clear();
  in_body_ = false;
  received_ = 0;
  send_more();
}

void Connection::send_more() {
  tls_wants_write_ = false;
  while (sent_ < request_.size()) {
    const char* from = request_.data() + sent_;
    const std::size_t left = request_.size() - sent_;
    if (ssl_ == nullptr) {
      const auto n = send(fd_, from, left, MSG_NOSIGNAL);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (n < 0) die_errno("send");
      sent_ += static_cast<std::size_t>(n);
    } else {
      std::size_t n = 0;
      if (SSL_write_ex(ssl_, from, left, &n) != 1) {
        if (SSL_get_error(ssl_, 0) != SSL_ERROR_WANT_WRITE) die("SSL_write failed");
        tls_wants_write_ = true;
        return;
      }
      sent_ += n;
    }
  }
  if (ssl_ != nullptr && BIO_flush(out_) != 1) {
    if (!BIO_should_retry(out_)) die("send failed");
    tls_wants_write_ = true;
  }
}

std::size_t Connection::receive(char* into, std::size_t room) {
  if (ssl_ == nullptr) {
    const auto n = recv(fd_, into, room, 0);
    if (n > 0) return static_cast<std::size_t>(n);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (n == 0) die("the server closed the connection");
    die_errno("recv");
  }
  std::size_t n = 0;
  if (SSL_read_ex(ssl_, into, room, &n) == 1) return n;
  if (const int error = SSL_get_error(ssl_, 0); error != SSL_ERROR_WANT_READ) die("SSL_read failed");
  return 0;
}

bool Connection::advance() {
  if (wants_write()) {
    send_more();
    if (wants_write()) return false;
  }
  if (!in_body_ && !receive_head()) return false;
  while (received_ < body_->size()) {
    const std::size_t room = body_->size() - received_;
    const auto n = receive(body_->data() + received_, room);
    received_ += n;
    // A short read has emptied the socket; only TLS may hold more.
    if (n == 0 || (ssl_ == nullptr && n < room)) return false;
  }
  return true;
}

bool Connection::receive_head() {
  for (;;) {
    head_.reserve(head_.size() + kHeadRoom);
    const auto n = receive(head_.data() + head_.size(), kHeadRoom);
    if (n == 0) return false;
    head_.resize(head_.size() + n);
    const auto end = head_.view().find("\r\n\r\n");
    if (end == std::string_view::npos) continue;
    parse_head(head_.view().substr(0, end));
    const auto rest = head_.view().substr(end + 4);
    if (rest.size() > body_->size()) die("an answer longer than it says");
    std::memcpy(body_->data(), rest.data(), rest.size());
    received_ = rest.size();
    in_body_ = true;
    return true;
  }
}

void Connection::parse_head(std::string_view head) {
  status_ = static_cast<int>(number_after(head, head.find(' ')));
  had_crc_ = false;
  bool sized = false;
  for (std::size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at + 2)) {
    const auto line = head.substr(at + 2);
    if (starts_with_no_case(line, "content-length:")) {
      body_->resize(number_after(line, 15));
      sized = true;
    } else if (starts_with_no_case(line, "x-amz-crc32:")) {
      had_crc_ = true;
    }
  }
  if (!sized) die("an answer without Content-Length");
}

std::string request_head(const Peer& peer, std::string_view operation, std::size_t body_bytes,
                         bool signed_head) {
  std::string head = "POST / HTTP/1.1\r\nHost: " + peer.host + ":" + std::to_string(peer.port) +
                     "\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.";
  head.append(operation);
  head += "\r\n";
  if (signed_head) {
    const std::string hex(64, '0');
    head +=
        "X-Amz-Date: 20260101T000000Z\r\n"
        "Authorization: AWS4-HMAC-SHA256 "
        "Credential=AKIDEXAMPLEEXAMPLE00/20260101/us-east-1/dynamodb/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=" +
        hex + "\r\n";
  }
  return head += "Content-Length: " + std::to_string(body_bytes) + "\r\n\r\n";
}

}  // namespace messina::bench
