#include "sim/engine/engine.h"

#include <algorithm>
#include <set>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <libdeflate.h>

#include "base/hash.h"
#include "base/json_text.h"
#include "sim/engine/operations.h"

namespace messina::sim {
namespace {

/// Both services cut off larger requests (DynamoDB: BatchWriteItem's 16 MB; ScyllaDB: the body, also
/// decompressed).
constexpr std::size_t kMaxBodyBytes = 16u << 20;

std::string_view error_prefix(const ApiError& error, const Personality& personality) {
  static const std::set<std::string_view> kFrontEnd = {
      "UnrecognizedClientException", "MissingAuthenticationTokenException",
      "InvalidSignatureException",   "IncompleteSignatureException",
      "AccessDeniedException",       "ExpiredTokenException",
      "SerializationException",      "UnknownOperationException",
      "ThrottlingException",         "InternalServerError"};
  if (personality.alternator) return "com.amazonaws.dynamodb.v20120810#";
  if (error.type == "ValidationException") return "com.amazon.coral.validate#";
  return kFrontEnd.contains(error.type) ? "com.amazon.coral.service#" : "com.amazonaws.dynamodb.v20120810#";
}

std::optional<std::string> inflate(std::string_view body, std::string_view encoding) {
  const std::unique_ptr<libdeflate_decompressor, decltype(&libdeflate_free_decompressor)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  std::string out(kMaxBodyBytes, '\0');
  std::size_t size = 0;
  const auto inflate_it = encoding == "gzip" ? libdeflate_gzip_decompress : libdeflate_zlib_decompress;
  const auto result = inflate_it(decompressor.get(), body.data(), body.size(), out.data(), out.size(), &size);
  if (result != LIBDEFLATE_SUCCESS) return std::nullopt;
  out.resize(size);
  return out;
}

ApiError json_error(ScanError error, const Personality& personality) {
  if (error == ScanError::too_deep) {
    return {400,
            "ValidationException",
            fmt::format("Max nested level reached: {}", personality.max_json_depth),
            {}};
  }
  if (!personality.alternator) {
    if (error == ScanError::not_utf8)
      return {400, "SerializationException", "Invalid UTF-8 bytes found in the JSON", {}};
    return {400,
            "SerializationException",
            "Start of structure or map found where not expected, or JSON cut short",
            {}};
  }
  return {400,
          "ValidationException",
          error == ScanError::empty ? "Parsing JSON failed: The document is empty."
                                    : "Parsing JSON failed: Invalid value.",
          {}};
}

}  // namespace

std::string http_date(WallTime time) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S GMT}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

Engine::Engine(EngineSettings settings, const Clock& clock)
    : settings_(std::move(settings)),
      clock_(clock),
      random_(settings_.seed),
      faults_(settings_.seed),
      started_(clock.wall()),
      last_stamp_us_(settings_.nodes.size(), 0) {
  if (settings_.personality.streams.call_limits)
    describe_stream_calls_ = TokenBucket(kDescribeStreamPerSecond, 1, now().mono);
  if (settings_.ttl_sweep > Duration{}) next_sweep_ = now().mono + settings_.ttl_sweep;
}

void Engine::set_node_address(std::size_t node, std::string host, std::uint16_t port) {
  settings_.nodes.at(node).host = std::move(host);
  settings_.nodes.at(node).port = port;
}

void Engine::pretend_size(std::string_view table, std::uint64_t items, std::uint64_t bytes) {
  const auto found = tables_.find(table);
  if (found == tables_.end()) return;
  found->second.pretended_rows = items;
  found->second.pretended_bytes = bytes;
}

Moment Engine::now() const {
  const Moment present{clock_.now() + clock_offset_,
                       clock_.wall() + std::chrono::duration_cast<WallTime::duration>(clock_offset_)};
  if (!executing_at_) return present;
  return {*executing_at_,
          present.wall - std::chrono::duration_cast<WallTime::duration>(present.mono - *executing_at_)};
}

std::int64_t Engine::next_stamp(std::size_t node) {
  const auto wall = now().wall.time_since_epoch() + settings_.nodes.at(node).skew;
  const std::int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(wall).count();
  return last_stamp_us_[node] = std::max(us, last_stamp_us_[node] + 1);
}

std::optional<MonoTime> Engine::next_due() const {
  std::optional<MonoTime> next = next_sweep_;
  const auto consider = [&](std::optional<MonoTime> at) {
    if (at && (!next || *at < *next)) next = at;
  };
  if (!late_.empty()) consider(late_.begin()->first);
  for (const auto& [arn, stream] : streams_) consider(stream->next_change());
  return next;
}

/// Whatever became due since the last request happens now, in its order and with its own time: nothing else
/// can have observed the tables in between.
void Engine::run_due() {
  const MonoTime present = now().mono;
  for (auto due = next_due(); due && *due <= present; due = next_due()) {
    executing_at_ = *due;
    if (!late_.empty() && late_.begin()->first <= *due) {
      const auto late = late_.extract(late_.begin());
      const LateWrite& write = late.mapped();
      dispatch(Request{"POST", "/", write.headers, write.body, write.node});
      ++late_writes_done_;
    }
    for (const auto& [arn, stream] : streams_) {
      const auto change = stream->next_change();
      if (change && *change <= *due) stream->change_as_scheduled(now());
    }
    if (next_sweep_ && *next_sweep_ <= *due) {
      sweep();
      // Of sweeps that nobody could observe only the last is made up for.
      const auto missed = (present - *next_sweep_) / settings_.ttl_sweep;
      next_sweep_ = *next_sweep_ + std::max<Duration::rep>(1, missed) * settings_.ttl_sweep;
    }
    executing_at_.reset();
  }
  std::erase_if(tables_,
                [&](const auto& entry) { return entry.second.gone_at && *entry.second.gone_at <= present; });
  std::erase_if(streams_, [&](const auto& entry) { return entry.second->gone(present); });
}

std::vector<std::string> Engine::tables_of(const Request& request) const {
  std::vector<std::string> tables;
  if (check_json(request.body, {})) return tables;
  const Parameters parameters(request.body);
  if (const auto name = parameters.raw("TableName")) tables.push_back(string_of(*name).value_or(""));
  if (const auto items = parameters.raw("RequestItems")) {
    for (Member& member : members_of(*items)) tables.push_back(std::move(member.name));
  }
  std::string stream = parameters.text("StreamArn").value_or("");
  if (const auto iterator = parse_iterator(parameters.text("ShardIterator").value_or(""),
                                           settings_.personality.streams.style)) {
    stream = iterator->stream;
  }
  if (const auto found = streams_.find(stream); found != streams_.end())
    tables.push_back(found->second->identity().table);
  return tables;
}

Admission Engine::admit(const Request& request) {
  Admission admission;
  if (request.path.starts_with("/_sim/")) return admission;
  if (request.method == "POST" && !faults_.rules().empty()) {
    admission.faults = faults_.decide(request.operation(), tables_of(request), request.node);
  }
  const MonoTime present = now().mono;
  if (admission.faults.stop_for)
    stopped_until_ = std::max(stopped_until_, present + *admission.faults.stop_for);
  admission.wait = std::max(Duration{}, stopped_until_ - present) + admission.faults.start_delay;
  return admission;
}

Answer Engine::execute(const Request& request, const Admission& admission) {
  run_due();
  if (request.path.starts_with("/_sim/")) return control(request);
  if (request.method != "POST") return get_page(request);
  Answer answer = run(request, admission);
  answer.wait += admission.faults.answer_delay;
  return answer;
}

Answer Engine::run(const Request& request, const Admission& admission) {
  ++calls_[std::string(request.operation())];
  if (request.header("x-amz-security-token")) ++session_tokens_seen_;
  if (request.body.size() > kMaxBodyBytes) {
    Answer answer = answer_of(refuse("RequestEntityTooLarge", "Request body is larger than 16 MB", 413));
    if (settings_.personality.alternator) answer.delivery = Delivery::cut;
    return answer;
  }
  if (const auto error = check_signature(request, settings_.auth, settings_.personality, now().wall)) {
    ++refused_signatures_;
    if (!settings_.personality.alternator && service_of(request) == "sts")
      return security_token_refusal(error->type, error->message);
    return answer_of(std::unexpected(*error));
  }
  if (const auto error = check_policy(request)) return answer_of(std::unexpected(*error));
  if (admission.faults.kind) return spoil(*admission.faults.kind, request, admission);
  if (!settings_.personality.alternator && service_of(request) == "sts")
    return security_token_service(request);
  return answer_of(dispatch(request));
}

Answer Engine::spoil(FaultKind kind, const Request& request, const Admission& admission) {
  const auto error = [&](std::string type, std::string message, int status) {
    return answer_of(refuse(std::move(type), std::move(message), status));
  };
  const auto cut = [] {
    Answer answer;
    answer.delivery = Delivery::cut;
    return answer;
  };
  const auto throttle = [&](std::string_view cause) {
    const auto tables = tables_of(request);
    return answer_of(throttled(request.operation(), cause, tables.empty() ? "" : tables.front()));
  };
  switch (kind) {
    case FaultKind::throttle_table:
      return throttle("ProvisionedThroughputExceeded");
    case FaultKind::throttle_key_range:
      return throttle("KeyRangeThroughputExceeded");
    case FaultKind::throttle_account:
      return throttle("AccountLimitExceeded");
    case FaultKind::error_before:
      return error("InternalServerError", "Internal server error", 500);
    case FaultKind::error_after:
      dispatch(request);
      return error("InternalServerError", "Internal server error", 500);
    case FaultKind::cut_before:
      return cut();
    case FaultKind::cut_after:
      dispatch(request);
      return cut();
    case FaultKind::cut_late:
      late_.emplace(now().mono + admission.faults.kind_delay,
                    LateWrite{request.headers, std::string(request.body), request.node});
      return cut();
    case FaultKind::stall: {
      Answer answer = cut();
      answer.wait = admission.faults.kind_delay;
      return answer;
    }
    case FaultKind::expired_credentials:
      return error("ExpiredTokenException", "The security token included in the request is expired", 400);
    case FaultKind::throttle_stream_limit:
    case FaultKind::throttle_stream_rate:
    case FaultKind::throttle_stream_capacity:
      return throttled_stream_call(kind);
    case FaultKind::expire_iterator:
      return error("ExpiredIteratorException", std::string(kIteratorExpired), 400);
    case FaultKind::access_denied:
      return error(
          "AccessDeniedException",
          fmt::format("User: arn:aws:iam::000000000000:user/sim is not authorized to perform: dynamodb:{}",
                      request.operation()),
          400);
    default:
      break;
  }
  current_fault_ = kind;
  Answer answer = answer_of(dispatch(request));
  current_fault_.reset();
  if (kind == FaultKind::truncated) answer.delivery = Delivery::cut_in_body;
  if (kind == FaultKind::not_json) answer.body = std::make_shared<const std::string>("<html>not JSON</html>");
  if (kind == FaultKind::wrong_crc) {
    for (auto& [name, value] : answer.headers) {
      if (name == "x-amz-crc32") value = std::to_string(crc32(*answer.body) ^ 1u);
    }
  }
  return answer;
}

std::unexpected<ApiError> Engine::throttled(std::string_view operation, std::string_view cause,
                                            std::string_view table) const {
  if (settings_.personality.alternator) {
    return refuse("RequestLimitExceeded", "too many in-flight requests: rejected by the coordinator");
  }
  const bool reads =
      operation == "Scan" || operation == "Query" || operation.find("Get") != std::string_view::npos;
  const bool account = cause == "AccountLimitExceeded";
  ApiError error{400,
                 account ? "RequestLimitExceeded" : "ProvisionedThroughputExceededException",
                 account
                     ? "Throughput exceeds the current throughput limit for your account."
                     : "The level of configured provisioned throughput for the table was exceeded. Consider "
                       "increasing your provisioning level with the UpdateTable API.",
                 {}};
  error.extra = fmt::format(
      R"("ThrottlingReasons":[{{"reason":"Table{}{}","resource":"arn:aws:dynamodb:{}:000000000000:table/{}"}}])",
      reads ? "Read" : "Write", cause, settings_.region, table);
  return std::unexpected(std::move(error));
}

Outcome<std::string> Engine::dispatch(const Request& request) {
  const Personality& personality = settings_.personality;
  std::string inflated;
  std::string_view body = request.body;
  if (const auto encoding = request.header("content-encoding");
      personality.accepts_gzip && encoding && (*encoding == "gzip" || *encoding == "deflate")) {
    auto text = inflate(body, *encoding);
    if (!text) return invalid(fmt::format("Failed to decompress the {} body", *encoding));
    inflated = std::move(*text);
    body = inflated;
  }
  const std::string_view name = request.operation();
  const auto found = operations().find(name);
  const bool known = found != operations().end() &&
                     (personality.alternator ? found->second.on_alternator
                                             : request.target_prefix() == found->second.service);
  if (!known) {
    return refuse("UnknownOperationException",
                  personality.alternator ? fmt::format("Unsupported operation {}", name) : "");
  }
  if (const auto error = check_json(body, {personality.max_json_depth, personality.require_utf8})) {
    return std::unexpected(json_error(*error, personality));
  }
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos ||
      body[body.find_first_not_of(" \t\r\n")] != '{') {
    if (!personality.alternator) return refuse("SerializationException", "Unexpected value type in payload");
    return invalid("JSON error: condition not met: IsObject()");
  }
  const Parameters parameters(body);
  if (const auto ok = check_parameters(found->second, parameters); !ok) return std::unexpected(ok.error());
  Request plain{request.method, request.path, request.headers, body, request.node};
  return (this->*found->second.run)(parameters, plain);
}

Answer Engine::answer_of(const Outcome<std::string>& outcome) const {
  const Personality& personality = settings_.personality;
  Answer answer;
  std::string body;
  if (outcome) {
    body = *outcome;
  } else {
    const ApiError& error = outcome.error();
    answer.status = error.status;
    body = fmt::format("{{\"__type\":\"{}{}\",\"message\":{}", error_prefix(error, personality), error.type,
                       json_string(error.message));
    if (!error.extra.empty()) body += "," + error.extra;
    body += "}";
  }
  answer.headers.emplace_back("Content-Type", "application/x-amz-json-1.0");
  answer.headers.emplace_back("Date", http_date(now().wall));
  answer.headers.emplace_back("Server", personality.alternator ? "Seastar httpd" : "Server");
  if (personality.sends_request_id) {
    static constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    std::string id(52, '0');
    std::uint64_t mixed = std::hash<std::string_view>{}(body) ^
                          static_cast<std::uint64_t>(now().mono.time_since_epoch().count());
    for (char& c : id) {
      c = kAlphabet[mixed % kAlphabet.size()];
      mixed = mixed * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
    }
    answer.headers.emplace_back("x-amzn-RequestId", std::move(id));
  }
  if (personality.sends_crc) answer.headers.emplace_back("x-amz-crc32", std::to_string(crc32(body)));
  answer.chunked = personality.chunk_over_bytes != 0 && body.size() > personality.chunk_over_bytes;
  answer.body = std::make_shared<const std::string>(std::move(body));
  return answer;
}

Answer Engine::get_page(const Request& request) const {
  const Personality& personality = settings_.personality;
  Answer answer;
  std::string body;
  const Node& self = settings_.nodes.at(request.node);
  answer.headers.emplace_back("Date", http_date(now().wall + self.skew));
  answer.headers.emplace_back("Server", personality.alternator ? "Seastar httpd" : "Server");
  if (request.method == "GET" && request.path == "/") {
    body = fmt::format("healthy: {}", personality.alternator
                                          ? fmt::format("{}:{}", self.host, self.port)
                                          : fmt::format("dynamodb.{}.amazonaws.com ", settings_.region));
    answer.headers.emplace_back("Content-Type", "text/plain");
  } else if (personality.alternator && request.method == "GET" && request.path.starts_with("/localnodes")) {
    const auto wanted = [&](std::string_view name) -> std::optional<std::string_view> {
      // The recorded versions ignore the filters; with several nodes the newer behaviour is simulated.
      const std::size_t at = request.path.find(fmt::format("{}=", name));
      if (settings_.nodes.size() == 1 || at == std::string_view::npos) return std::nullopt;
      const std::string_view value = request.path.substr(at + name.size() + 1);
      return value.substr(0, value.find('&'));
    };
    const auto datacenter = wanted("dc").value_or(self.datacenter);
    const auto rack = wanted("rack");
    std::vector<std::string> hosts;
    for (const Node& node : settings_.nodes) {
      if (node.datacenter == datacenter && (!rack || node.rack == *rack))
        hosts.push_back(json_string(node.host));
    }
    body = fmt::format("[{}]", fmt::join(hosts, ","));
    answer.headers.emplace_back("Content-Type", "application/json");
  } else {
    answer.status = 404;
    body = "{\"message\": \"Not found\", \"code\": 404}";
  }
  answer.body = std::make_shared<const std::string>(std::move(body));
  return answer;
}

void append_member(std::string& object, std::string_view name, std::string_view value) {
  if (object.back() != '{') object.push_back(',');
  append_json_string(object, name);
  object.push_back(':');
  object += value;
}

}  // namespace messina::sim
