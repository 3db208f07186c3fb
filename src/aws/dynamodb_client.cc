#include "aws/dynamodb_client.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <libdeflate.h>

#include "base/hash.h"
#include "base/log.h"

namespace messina::aws {
namespace {

/// Hashing so much takes longer than a server takes for a request.
constexpr std::size_t kSentTogetherBytes = 8192;
/// Level 1 of libdeflate: a third of the bytes of typical items at about 200 MB/s.
constexpr int kGzipLevel = 1;

struct FreeCompressor {
  void operator()(libdeflate_compressor* c) const { libdeflate_free_compressor(c); }
};

/// True if a server took a compressed body for JSON. Recorded from ScyllaDB 6.2: 400, "Parsing JSON failed".
bool could_not_read_gzip(const Error& error) {
  return error.kind == ErrorKind::refused && (error.code == "SerializationException" ||
                                              error.message.find("Parsing JSON failed") != std::string::npos);
}

}  // namespace

void append_gzip(Slab& out, std::string_view bytes) {
  // A compressor is a few hundred KB of tables; each thread keeps its own.
  thread_local const std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor(
      libdeflate_alloc_compressor(kGzipLevel));
  if (!compressor) throw std::bad_alloc();
  const auto bound = libdeflate_gzip_compress_bound(compressor.get(), bytes.size());
  const auto before = out.size();
  out.resize(before + bound);
  const auto size =
      libdeflate_gzip_compress(compressor.get(), bytes.data(), bytes.size(), out.data() + before, bound);
  if (size == 0) throw std::logic_error("gzip output is larger than its bound");
  out.resize(before + size);
}

DynamoDbClient::DynamoDbClient(net::EventLoop& loop, std::shared_ptr<NodePools> nodes,
                               DynamoDbClientOptions options)
    : loop_(loop), nodes_(std::move(nodes)), options_(std::move(options)), gzip_(options_.gzip_requests) {
  if (!options_.clocks) options_.clocks = std::make_shared<ServerClocks>();
}

net::Headers DynamoDbClient::headers_for(const Operation& operation, const net::Origin& origin,
                                         bool compressed) {
  const bool plain = !options_.credentials && !compressed;
  if (plain) {
    const auto known =
        std::ranges::find(plain_headers_, operation.name, [](const auto& one) { return one.first; });
    if (known != plain_headers_.end()) return known->second;
  }
  net::Headers headers;
  // What is signed has to be known here; else the HTTP client names the host by itself.
  if (options_.credentials) headers.add("Host", host_header(origin));
  headers.add("X-Amz-Target", fmt::format("{}.{}", options_.api, operation.name));
  if (!options_.alternator) headers.add("Content-Type", "application/x-amz-json-1.0");
  if (compressed) headers.add("Content-Encoding", "gzip");
  if (plain) plain_headers_.emplace_back(operation.name, headers);
  return headers;
}

Result<void> DynamoDbClient::check(const Operation& operation, const net::Response& response) const {
  if (response.status != 200) {
    return fail(classify_answer(operation, response.status, response.headers, response.body.view(),
                                options_.display));
  }
  const auto header = response.headers.find("x-amz-crc32");
  if (!header) return {};
  std::uint32_t expected = 0;
  const auto [end, error] = std::from_chars(header->data(), header->data() + header->size(), expected);
  const bool is_number = error == std::errc() && end == header->data() + header->size();
  if (is_number && expected == crc32(response.body.view())) return {};
  return fail(classify_damage(operation, "its CRC32 is wrong", options_.display));
}

/// True if the next attempt will be signed with other credentials or another time. The server has executed
/// nothing.
bool DynamoDbClient::curable(const Error& refusal, const net::Origin& origin, const net::Headers& headers,
                             WallTime signed_at, const std::shared_ptr<const Credentials>& credentials) {
  if (options_.clocks->correct(origin, refusal, headers, signed_at, loop_.wall(), options_.display))
    return true;
  const bool expired_token = refusal.code == "ExpiredTokenException" || refusal.code == "ExpiredToken";
  return expired_token && options_.credentials->refused(credentials);
}

Task<Result<Answer>> DynamoDbClient::call(Operation operation, net::Body body) {
  std::shared_ptr<const Credentials> credentials;
  if (options_.credentials) {
    credentials = options_.credentials->at_hand();
    if (!credentials) {
      auto provided = co_await options_.credentials->get();
      if (!provided) {
        Error error = std::move(provided.error());
        error.message = fmt::format("{}: no credentials: {}", options_.display, error.message);
        co_return fail(std::move(error));
      }
      credentials = std::move(*provided);
    }
  }

  const bool compressed = gzip_ && body.size() >= kMinGzipBytes;
  Slab packed;
  if (compressed) {
    packed = loop_.slabs().take(body.size() + body.size() / 1024 + 128);  // room for bytes that do not shrink
    append_gzip(packed, body.whole());
    body = net::Body(packed.view());
  }

  auto picked = nodes_->use();
  if (!picked) {
    auto found = co_await nodes_->use_after_refresh();
    if (!found) {
      if (compressed) loop_.slabs().give_back(std::move(packed));
      co_return fail(classify_silence(operation, found.error(), options_.display));
    }
    picked.emplace(*std::move(found));
  }
  auto& use = *picked;
  net::Request request;
  request.headers = headers_for(operation, use.origin(), compressed);
  request.body = body;
  const WallTime signed_at = options_.clocks->at(use.origin(), loop_.wall());
  if (credentials) {
    SigningRequest signing;
    signing.send_session_token = !options_.alternator;
    signing.headers = &request.headers;
    signing.body_digest = sha256(body.whole());
    signing.region = options_.region;
    signing.service = options_.service;
    signing.time = signed_at;
    request.headers.append(signer_.sign(signing, *credentials));
    // Behind what else is ready on the loop: requests that were hashed one after the other then go out
    // together, and find the server awake.
    if (body.size() >= kSentTogetherBytes) co_await asio::post(loop_.executor(), asio::use_awaitable);
  }

  Answer answer;
  answer.sent_at = loop_.now();
  auto response = co_await use.client().send(request);
  const auto now = loop_.now();
  answer.latency = now - answer.sent_at;
  auto health = health_of(response);
  if (compressed) loop_.slabs().give_back(std::move(packed));
  if (!response) {
    use.done(health, now, answer.latency);
    co_return fail(classify_silence(operation, response.error(), options_.display));
  }

  auto checked = check(operation, *response);
  if (!checked && credentials &&
      curable(checked.error(), use.origin(), response->headers, signed_at, credentials))
    checked.error().kind = ErrorKind::transient;
  // A 500 that blames the data says nothing against the node.
  if (!checked && checked.error().kind == ErrorKind::refused) health = NodeSet::Outcome::answered;
  if (!checked && checked.error().kind == ErrorKind::throttled) health = NodeSet::Outcome::refused;
  use.done(health, now, answer.latency);
  answer.body = std::move(response->body);
  answer.headers = std::move(response->headers);
  if (!checked) {
    loop_.slabs().give_back(std::move(answer.body));
    auto error = checked.error();
    if (compressed && could_not_read_gzip(error)) {
      if (gzip_)
        log::warn("{}: the server does not take compressed requests: going on without", options_.display);
      gzip_ = false;
      error.kind = ErrorKind::transient;
    }
    co_return fail(std::move(error));
  }
  co_return answer;
}

}  // namespace messina::aws
