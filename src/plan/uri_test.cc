#include "plan/uri.h"

#include <gtest/gtest.h>

namespace messina::plan {
namespace {

std::string refusal(std::string_view text) {
  const auto parsed = parse_uri(text, "source");
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().kind, ErrorKind::usage);
  return parsed.error().message;
}

TEST(Uri, ReadsDynamoDb) {
  const auto spec = parse_uri("dynamodb://us-east-1/orders.v2", "source").value();
  EXPECT_EQ(spec.kind, EndpointKind::dynamodb);
  EXPECT_EQ(spec.region, "us-east-1");
  EXPECT_EQ(spec.table, "orders.v2");
  EXPECT_EQ(parse_uri("dynamodb:///orders", "source").value().region, "");
}

TEST(Uri, ReadsAlternator) {
  auto spec = parse_uri("alternator://scylla-1.example:9000/orders", "target").value();
  EXPECT_EQ(spec.kind, EndpointKind::alternator);
  EXPECT_EQ(spec.host, "scylla-1.example");
  EXPECT_EQ(spec.port, 9000);
  EXPECT_FALSE(spec.tls);
  spec = parse_uri("alternators://[2001:db8::1]:8443/orders", "target").value();
  EXPECT_EQ(spec.host, "2001:db8::1");
  EXPECT_EQ(spec.port, 8443);
  EXPECT_TRUE(spec.tls);
  EXPECT_EQ(parse_uri("alternator://h/orders", "target").value().port, kAlternatorPort);
  EXPECT_EQ(parse_uri("alternators://[::1]/orders", "target").value().port, kAlternatorTlsPort);
}

TEST(Uri, MayNameAWholeRegionOrCluster) {
  for (const char* text : {"dynamodb://us-east-1", "dynamodb://us-east-1/"}) {
    const auto spec = parse_uri(text, "source");
    ASSERT_TRUE(spec) << text;
    EXPECT_EQ(spec->region, "us-east-1");
    EXPECT_EQ(spec->table, "");
  }
  const auto cluster = parse_uri("alternators://scylla", "target");
  ASSERT_TRUE(cluster);
  EXPECT_EQ(cluster->host, "scylla");
  EXPECT_EQ(cluster->port, kAlternatorTlsPort);
  EXPECT_EQ(cluster->table, "");
}

TEST(Uri, NeverShowsAPassword) {
  for (const char* text :
       {"alternator://user:hunter2@h:8000/orders", "alternator://user:hun/ter2@h:8000/orders",
        "dynamodb://key:hunter2@us-east-1/orders", "what://x:hunter2@y/z", "hunter2@"}) {
    const std::string message = refusal(text);
    EXPECT_EQ(message.find("hun"), std::string::npos) << message;
    EXPECT_NE(message.find("--source-secret-key-env"), std::string::npos) << message;
  }
}

TEST(Uri, SaysWhatIsWrong) {
  EXPECT_NE(refusal("orders").find("is not an address"), std::string::npos);
  EXPECT_NE(refusal("dynamdb://us-east-1/orders").find("did you mean \"dynamodb\"?"), std::string::npos);
  for (const char* scheme : {"s3", "export", "scylla", "cassandra"})
    EXPECT_NE(refusal(std::string(scheme) + "://h/t").find("does not do yet"), std::string::npos) << scheme;
  EXPECT_NE(refusal("dynamodb:us-east-1/orders").find("lacks \"//\""), std::string::npos);
  EXPECT_NE(refusal("dynamodb://us_east/orders").find("region \"us_east\""), std::string::npos);
  EXPECT_NE(refusal("dynamodb://us-east-1/orders?x=1").find("options are flags"), std::string::npos);
  EXPECT_NE(refusal("dynamodb://us-east-1/or%00ders").find("\"or\\x00ders\" cannot be: it holds a NUL byte"),
            std::string::npos);
  EXPECT_NE(refusal("dynamodb://us-east-1/or\xff").find("\"or\\xff\" cannot be: it is not valid UTF-8"),
            std::string::npos);
  EXPECT_NE(refusal("dynamodb://us-east-1/a/b").find("cannot be"), std::string::npos);
  EXPECT_NE(refusal("alternator:///orders").find("names no host"), std::string::npos);
  EXPECT_NE(refusal("alternator://h:0/orders").find("is not a port"), std::string::npos);
  EXPECT_NE(refusal("alternator://h:70000/orders").find("is not a port"), std::string::npos);
  EXPECT_NE(refusal("alternator://h:/orders").find("is not a port"), std::string::npos);
  EXPECT_NE(refusal("alternator://::1:8000/orders").find("[ADDRESS]:PORT"), std::string::npos);
  EXPECT_NE(refusal("alternator://[::1/orders").find("[ADDRESS]:PORT"), std::string::npos);
  EXPECT_NE(refusal("alternator://a b:1/orders").find("is not a host's name"), std::string::npos);
}

TEST(TableName, KnowsBothLimits) {
  EXPECT_TRUE(check_table_name("abc", EndpointKind::dynamodb, "source"));
  EXPECT_FALSE(check_table_name("ab", EndpointKind::dynamodb, "source"));
  EXPECT_TRUE(check_table_name(std::string(255, 'a'), EndpointKind::dynamodb, "source"));
  EXPECT_FALSE(check_table_name(std::string(256, 'a'), EndpointKind::dynamodb, "source"));
  EXPECT_TRUE(check_table_name(std::string(192, 'a'), EndpointKind::alternator, "target"));
  EXPECT_FALSE(check_table_name(std::string(193, 'a'), EndpointKind::alternator, "target"));
}

TEST(HttpUrl, ReadsOverridesAsTheAwsCliTakesThem) {
  EXPECT_EQ(parse_http_url("http://localhost:8000", "x").value(), (HttpUrl{false, "localhost", 8000}));
  EXPECT_EQ(parse_http_url("https://vpce-1.dynamodb.us-east-1.vpce.amazonaws.com/", "x").value(),
            (HttpUrl{true, "vpce-1.dynamodb.us-east-1.vpce.amazonaws.com", 443}));
  EXPECT_EQ(parse_http_url("http://[::1]:1", "x").value(), (HttpUrl{false, "::1", 1}));
  EXPECT_FALSE(parse_http_url("localhost:8000", "x"));
  EXPECT_FALSE(parse_http_url("http://h/path", "x"));
  EXPECT_EQ(parse_http_url("http://u:hunter2@h", "x").error().message.find("hunter2"), std::string::npos);
}

TEST(AwsHost, KnowsAmazonsDomains) {
  EXPECT_TRUE(is_aws_host("dynamodb.us-east-1.amazonaws.com"));
  EXPECT_TRUE(is_aws_host("DynamoDB.cn-north-1.AMAZONAWS.com.cn."));
  EXPECT_FALSE(is_aws_host("amazonaws.com.example.org"));
  EXPECT_FALSE(is_aws_host("notamazonaws.com"));
}

TEST(CanonicalUri, ReadsBackAndKeepsSimulatorsApart) {
  for (const char* uri :
       {"dynamodb://us-east-1/orders", "alternator://h:8000/orders", "alternators://[::1]:8043/orders"})
    EXPECT_EQ(canonical_uri(parse_uri(uri, "source").value()), uri);
  auto spec = parse_uri("dynamodb://us-east-1/orders", "source").value();
  spec.endpoint_url = "http://127.0.0.1:8000";
  EXPECT_EQ(canonical_uri(spec), "dynamodb+http://127.0.0.1:8000/us-east-1/orders");
}

}  // namespace
}  // namespace messina::plan
