#include "net/proxy.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/connect.h"

namespace messina::net {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Environment of(Variables variables) {
  return [variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

std::optional<std::string> proxy_for(const Origin& origin, const Variables& variables) {
  return proxy_from_environment(origin, of(variables));
}

const Origin kAws{"dynamodb.eu-west-1.amazonaws.com", 443, true};
const Origin kPlain{"scylla.example.org", 8000, false};

TEST(ProxyFromEnvironment, TheSchemeChoosesTheVariable) {
  const Variables both{{"HTTPS_PROXY", "http://s:1"}, {"http_proxy", "http://p:2"}};
  EXPECT_EQ(proxy_for(kAws, both), "http://s:1");
  EXPECT_EQ(proxy_for(kPlain, both), "http://p:2");
  EXPECT_EQ(proxy_for(kAws, {{"HTTP_PROXY", "http://p:2"}}), std::nullopt);
  EXPECT_EQ(proxy_for(kPlain, {}), std::nullopt);
  EXPECT_EQ(proxy_for(kAws, {{"HTTPS_PROXY", ""}, {"https_proxy", "http://l:3"}}), "http://l:3");
}

TEST(ProxyFromEnvironment, ACgiProgramDistrustsTheUpperCaseName) {
  EXPECT_EQ(proxy_for(kPlain, {{"HTTP_PROXY", "http://p"}, {"REQUEST_METHOD", "GET"}}), std::nullopt);
  EXPECT_EQ(proxy_for(kPlain, {{"http_proxy", "http://p"}, {"REQUEST_METHOD", "GET"}}), "http://p");
}

TEST(ProxyFromEnvironment, LoopbackIsNeverProxied) {
  const Variables all{{"HTTPS_PROXY", "http://s"}, {"HTTP_PROXY", "http://p"}};
  for (const std::string host : {"localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.8.9.1", "::1"})
    EXPECT_EQ(proxy_for({host, 8000, false}, all), std::nullopt) << host;
  EXPECT_EQ(proxy_for({"notlocalhost", 8000, false}, all), "http://p");
}

struct Exception {
  std::string no_proxy;
  std::string host;
  std::uint16_t port;
  bool covered;
};

TEST(ProxyFromEnvironment, NoProxyCoversWhatItNames) {
  const std::vector<Exception> cases{
      {"*", "anything.org", 80, true},
      {"example.org", "example.org", 80, true},
      {"example.org", "EXAMPLE.org", 80, true},
      {"EXAMPLE.ORG", "a.example.org", 80, true},
      {"example.org", "example.org.", 80, true},
      {".example.org", "a.example.org", 80, true},
      {".example.org", "example.org", 80, true},
      {"*.example.org", "a.b.example.org", 80, true},
      {"example.org", "badexample.org", 80, false},
      {"example.org", "example.org.evil.net", 80, false},
      {"a.example.org", "example.org", 80, false},
      {"one.org, two.org", "two.org", 80, true},
      {" one.org two.org ,", "two.org", 80, true},
      {"", "two.org", 80, false},
      {",", "two.org", 80, false},
      {"example.org:8000", "example.org", 8000, true},
      {"example.org:8000", "a.example.org", 8000, true},
      {"example.org:8000", "example.org", 8001, false},
      {"example.org:x", "example.org", 8000, false},
      {"10.1.2.3", "10.1.2.3", 80, true},
      {"10.1.2.3", "10.1.2.30", 80, false},
      {"10.1.2.3:80", "10.1.2.3", 80, true},
      {"2.3", "10.1.2.3", 80, false},
      {"10.0.0.0/8", "10.200.1.1", 80, true},
      {"10.1.2.3/8", "10.200.1.1", 80, true},
      {"10.0.0.0/8", "11.0.0.1", 80, false},
      {"10.0.0.0/33", "10.0.0.1", 80, false},
      {"10.0.0.0/8", "host.org", 80, false},
      {"169.254.0.0/16", "::ffff:169.254.170.2", 80, true},
      {"fd00::/8", "fd12::1", 80, true},
      {"fd00::/8", "fe80::1", 80, false},
      {"fd00::/8", "10.0.0.1", 80, false},
      {"fd12::1", "fd12:0::1", 80, true},
      {"[fd12::1]", "fd12::1", 80, true},
      {"[fd12::1]:80", "fd12::1", 80, true},
      {"[fd12::1]:81", "fd12::1", 80, false},
      {":", "host.org", 80, false},
  };
  for (const Exception& c : cases) {
    const auto proxy =
        proxy_for({c.host, c.port, false}, {{"HTTP_PROXY", "http://p"}, {"NO_PROXY", c.no_proxy}});
    EXPECT_EQ(!proxy.has_value(), c.covered) << "NO_PROXY=" << c.no_proxy << " " << c.host << ":" << c.port;
  }
}

TEST(ParseProxy, TakesAnAddressApart) {
  const auto plain = parse_proxy("http://proxy.org:3128/");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->host, "proxy.org");
  EXPECT_EQ(plain->port, 3128);
  EXPECT_TRUE(plain->authorization.empty());
  const auto bare = parse_proxy("proxy.org");
  ASSERT_TRUE(bare.has_value());
  EXPECT_EQ(bare->port, 80);
  const auto v6 = parse_proxy("http://[fd00::1]:8080");
  ASSERT_TRUE(v6.has_value());
  EXPECT_EQ(v6->host, "fd00::1");
  EXPECT_EQ(v6->port, 8080);
  const auto user = parse_proxy("http://Aladdin:open%20sesame@proxy.org:1");
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->host, "proxy.org");
  EXPECT_EQ(user->authorization.reveal(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST(ParseProxy, ErrorsNeverRepeatAPassword) {
  for (const std::string url :
       {"https://u:sesame@p:1", "socks5://u:sesame@p", "http://u:sesame@p:0", "http://u:sesame@",
        "http://u:sesame@p:99999", "http://u:sesame@p:1x", "http://u:sesame@[::1", ""}) {
    const auto proxy = parse_proxy(url);
    ASSERT_FALSE(proxy.has_value()) << url;
    EXPECT_EQ(proxy.error().kind, ErrorKind::config);
    EXPECT_THAT(proxy.error().message, testing::Not(testing::HasSubstr("sesame")));
    EXPECT_THAT(proxy.error().message, testing::HasSubstr("HTTPS_PROXY"));
  }
}

}  // namespace
}  // namespace messina::net
