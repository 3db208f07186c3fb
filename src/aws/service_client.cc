#include "aws/service_client.h"

#include "aws/node_set.h"
#include "base/hash.h"
#include "base/log.h"

namespace messina::aws {

ServiceClient::ServiceClient(net::EventLoop& loop, ServiceClientOptions options)
    : loop_(loop), options_(std::move(options)), http_(loop, options_.origin, options_.http) {
  if (!options_.clocks) options_.clocks = std::make_shared<ServerClocks>();
}

Task<Result<std::string>> ServiceClient::json(Operation operation, std::string target, std::string body) {
  net::Headers headers;
  headers.add("X-Amz-Target", fmt::format("{}.{}", target, operation.name));
  headers.add("Content-Type", target.starts_with("TrentService") ? "application/x-amz-json-1.1"
                                                                 : "application/x-amz-json-1.0");
  auto answer = co_await send(operation, std::move(headers), std::move(body));
  co_return answer;
}

Task<Result<net::Response>> ServiceClient::page(std::string path) {
  static constexpr Operation kPage{"GET", OperationKind::read};
  net::Request request;
  request.method = "GET";
  request.target = std::move(path);
  request.headers.set("Host", host_header(options_.origin));
  auto response = co_await http_.send(request);
  if (!response) co_return fail(classify_silence(kPage, response.error(), options_.display));
  co_return std::move(*response);
}

Task<Result<std::string>> ServiceClient::send(Operation operation, net::Headers headers, std::string body) {
  std::shared_ptr<const Credentials> credentials;
  if (options_.credentials) {
    auto provided = co_await options_.credentials->get();
    if (!provided) co_return fail(provided.error());
    credentials = std::move(*provided);
  }
  for (bool corrected = false;;) {
    net::Request request;
    request.headers = headers;
    request.headers.set("Host", host_header(options_.origin));
    request.body = body;
    const WallTime time = credentials ? options_.clocks->at(options_.origin, loop_.wall()) : loop_.wall();
    if (credentials) {
      SigningRequest signing;
      signing.send_session_token = options_.send_session_token;
      signing.headers = &request.headers;
      signing.body_digest = sha256(body);
      signing.region = options_.region;
      signing.service = options_.signing_name;
      signing.time = time;
      request.headers.append(signer_.sign(signing, *credentials));
    }
    auto response = co_await http_.send(request);
    if (!response) co_return fail(classify_silence(operation, response.error(), options_.display));
    std::string text(response->body.view());
    loop_.slabs().give_back(std::move(response->body));
    if (response->status == 200) co_return text;
    Error error = classify_answer(operation, response->status, response->headers, text, options_.display);
    corrected = credentials && !corrected &&
                options_.clocks->correct(options_.origin, error, response->headers, time, loop_.wall(),
                                         options_.display);
    if (!corrected) co_return fail(std::move(error));
  }
}

}  // namespace messina::aws
