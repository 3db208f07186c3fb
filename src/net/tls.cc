#include "net/tls.h"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <boost/asio/error.hpp>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <spdlog/fmt/fmt.h>
#include <sys/socket.h>

namespace messina::net {
namespace {
/// Received at once: four records. OpenSSL decrypts them where they lie.
constexpr std::size_t kReadAheadBytes = 64u << 10;

/// The oldest error of OpenSSL's queue, which is the cause; empties the queue.
std::string openssl_reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown reason";
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("OpenSSL error {:#x}", code);
}

/// What SSL_get_error() wants before each operation. Clearing an empty queue would cost more than looking.
void clear_errors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

void set_common_options(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadAheadBytes);
}

bool is_address(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  const bool is = address != nullptr;
  ASN1_OCTET_STRING_free(address);
  ERR_clear_error();
  return is;
}
}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::client(const TlsOptions& options) {
  std::shared_ptr<TlsContext> made(new TlsContext(SSL_CTX_new(TLS_client_method())));
  SSL_CTX* context = made->context_;
  if (context == nullptr) return fail(ErrorKind::config, "OpenSSL cannot start: " + openssl_reason());
  set_common_options(context);
  SSL_CTX_set_verify(context, options.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  SSL_CTX_set_app_data(context, made.get());
  ERR_clear_error();
  if (options.ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1)
      return fail(ErrorKind::config, "the system's CA certificates cannot be read: " + openssl_reason());
  } else if (SSL_CTX_load_verify_locations(context, options.ca_file.c_str(), nullptr) != 1) {
    return fail(ErrorKind::config,
                fmt::format("CA file {} cannot be read: {}; it must be a PEM file of certificates",
                            options.ca_file, openssl_reason()));
  }
  return made;
}

Result<std::shared_ptr<TlsContext>> TlsContext::server(const std::string& certificate_file,
                                                       const std::string& key_file) {
  std::shared_ptr<TlsContext> made(new TlsContext(SSL_CTX_new(TLS_server_method())));
  SSL_CTX* context = made->context_;
  if (context == nullptr) return fail(ErrorKind::config, "OpenSSL cannot start: " + openssl_reason());
  set_common_options(context);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1)
    return fail(ErrorKind::config,
                fmt::format("certificate file {} cannot be read: {}", certificate_file, openssl_reason()));
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail(ErrorKind::config, fmt::format("key file {} cannot be read, or is not the key of {}: {}",
                                               key_file, certificate_file, openssl_reason()));
  return made;
}

TlsContext::~TlsContext() {
  SSL_SESSION_free(session_);
  SSL_CTX_free(context_);
}

int TlsContext::keep_session(SSL* ssl, SSL_SESSION* session) {
  auto* self = static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  SSL_SESSION_free(self->session_);
  self->session_ = session;
  return 1;  // the reference is ours now
}

TlsEngine::TlsEngine(std::shared_ptr<TlsContext> context, const std::string& server_name, int socket)
    : context_(std::move(context)),
      ssl_(SSL_new(context_->context_)),
      server_name_(server_name),
      socket_(socket),
      input_room_(std::make_unique_for_overwrite<char[]>(kInputBytes)) {
  BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(buffer_method());
  if (bio == nullptr) {
    SSL_free(ssl_);
    throw std::runtime_error("OpenSSL cannot make a connection: " + openssl_reason());
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  if (server_name.empty()) {
    SSL_set_accept_state(ssl_);
    return;
  }
  SSL_set_connect_state(ssl_);
  if (is_address(server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), server_name.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl_, server_name.c_str());
    SSL_set1_host(ssl_, server_name.c_str());
  }
  if (context_->session_ != nullptr) SSL_set_session(ssl_, context_->session_);
}

TlsEngine::~TlsEngine() {
  // Without this OpenSSL would call the session broken and not resume it.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

BIO_METHOD* TlsEngine::buffer_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "messina");
    BIO_meth_set_read_ex(made, bio_read);
    BIO_meth_set_write_ex(made, bio_write);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

int TlsEngine::bio_read(BIO* bio, char* data, std::size_t size, std::size_t* got) {
  auto& self = *static_cast<TlsEngine*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *got = 0;
  if (!self.input_.empty()) {
    *got = self.input_.copy(data, size);
    self.input_.remove_prefix(*got);
    return 1;
  }
  if (self.socket_error_) return 0;
  if (self.socket_empty_) {
    BIO_set_retry_read(bio);
    return 0;
  }
  const ssize_t received = ::recv(self.socket_, data, size, MSG_DONTWAIT);
  self.socket_empty_ = received < 0 || (received > 0 && static_cast<std::size_t>(received) < size);
  if (received > 0) {
    *got = static_cast<std::size_t>(received);
    return 1;
  }
  if (received == 0)
    self.socket_error_ = asio::error::eof;
  else if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
    BIO_set_retry_read(bio);
  else
    self.socket_error_ = {errno, boost::system::system_category()};
  return 0;
}

void TlsEngine::received(boost::system::error_code error, std::size_t bytes) {
  socket_error_ = error;
  input_ = {input_room_.get(), bytes};
  socket_empty_ = bytes < kInputBytes;
}

int TlsEngine::bio_write(BIO* bio, const char* data, std::size_t size, std::size_t* written) {
  auto& self = *static_cast<TlsEngine*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  self.output_.append({data, size});
  *written = size;
  return 1;
}

long TlsEngine::bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

TlsEngine::Step TlsEngine::step_of(int result) {
  if (result == 1) return Step::ok;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return Step::want_input;
    case SSL_ERROR_ZERO_RETURN:
      return Step::closed;
    default:
      failure_ = openssl_reason();
      return Step::failed;
  }
}

TlsEngine::Step TlsEngine::handshake() {
  clear_errors();
  return step_of(SSL_do_handshake(ssl_));
}

TlsEngine::Step TlsEngine::read(char* data, std::size_t size, std::size_t& got) {
  clear_errors();
  return step_of(SSL_read_ex(ssl_, data, size, &got));
}

TlsEngine::Step TlsEngine::write(std::string_view data) {
  if (data.empty()) return Step::ok;
  clear_errors();
  std::size_t written = 0;
  return step_of(SSL_write_ex(ssl_, data.data(), data.size(), &written));
}

bool TlsEngine::quiet() {
  char byte = 0;
  std::size_t got = 0;
  socket_empty_ = false;
  clear_errors();
  return step_of(SSL_peek_ex(ssl_, &byte, 1, &got)) == Step::want_input;
}

Error TlsEngine::handshake_error(const std::string& peer) const {
  static constexpr std::string_view ca_file = "--source-ca-file or --target-ca-file";
  const long verdict = SSL_get_verify_result(ssl_);
  const std::string reason = verdict == X509_V_OK ? failure_ : X509_verify_cert_error_string(verdict);
  switch (verdict) {
    case X509_V_OK:
      break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return {ErrorKind::config,
              fmt::format("the certificate of {} is not for the name {}: connect by a name that it "
                          "holds",
                          peer, server_name_)};
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {ErrorKind::config,
              fmt::format("the certificate of {} cannot be trusted: {}; renew it, or set this "
                          "machine's clock",
                          peer, reason)};
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return {ErrorKind::config,
              fmt::format("the certificate of {} is signed by an unknown CA ({}): give the CA's "
                          "certificate with {}",
                          peer, reason, ca_file)};
    default:
      return {ErrorKind::config,
              fmt::format("the certificate of {} cannot be trusted: {}; if its CA is your own, give "
                          "its certificate with {}",
                          peer, reason, ca_file)};
  }
  return {ErrorKind::config,
          fmt::format("{} does not agree on TLS 1.2 or newer: {}; is it a port without TLS?", peer, reason)};
}

}  // namespace messina::net
