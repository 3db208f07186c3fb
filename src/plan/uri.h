// The addresses of tables: dynamodb://REGION/TABLE, alternator://HOST:PORT/TABLE, alternators:// with TLS.
#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "plan/plan.h"

namespace messina::plan {

/// Alternator's usual ports (scylla.yaml: alternator_port, alternator_https_port as ScyllaDB's documents set
/// them).
inline constexpr std::uint16_t kAlternatorPort = 8000;
inline constexpr std::uint16_t kAlternatorTlsPort = 8043;

/// DynamoDB's limits of a table's name (developer guide, "Naming rules").
inline constexpr std::size_t kTableNameMin = 3;
inline constexpr std::size_t kTableNameMax = 255;
/// Alternator makes a keyspace "alternator_NAME" and a folder from the name, so it takes less (ScyllaDB's
/// executor.cc: max_table_name_length).
inline constexpr std::size_t kAlternatorTableNameMax = 192;

/// Reads an address. `side` is "source" or "target" and appears in messages. An empty region stays empty; a
/// missing port becomes the usual one. Without a table ("dynamodb://us-east-1") it names a whole region or
/// cluster: whether that will do, make_plan() and make_many_tables() say. ErrorKind::usage for what is
/// malformed, and for a password in the address, which is not shown.
Result<EndpointSpec> parse_uri(std::string_view text, std::string_view side);

/// 3 to 255 (192) of a-z, A-Z, 0-9, "_", "-", "."; ErrorKind::usage shows the name escaped.
Result<void> check_table_name(std::string_view name, EndpointKind kind, std::string_view side);

/// Letters, digits and hyphens.
Result<void> check_region(std::string_view region, std::string_view side);

/// Host without brackets and port of "http://HOST:PORT" and the like. Path, query and credentials are
/// refused.
struct HttpUrl {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const HttpUrl&) const = default;
};
/// `what` names the setting in messages, e.g. "--target-endpoint".
Result<HttpUrl> parse_http_url(std::string_view text, std::string_view what);

/// True for amazonaws.com and what lies below it, and for amazonaws.com.cn.
bool is_aws_host(std::string_view host);

/// The address as parse_uri() takes it, with an endpoint override as "?endpoint=…" so that a table of a
/// simulator and the real one of the same name stay apart: names the migration in the ledger.
std::string canonical_uri(const EndpointSpec& spec);

}  // namespace messina::plan
