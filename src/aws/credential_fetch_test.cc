// Each source against a small stand-in of its service.
#include "aws/credential_fetch.h"

#include <deque>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/credential_process.h"
#include "aws/credentials_test_support.h"
#include "aws/endpoint_resolve.h"
#include "aws/metadata_service.h"
#include "aws/sts.h"
#include "aws/times.h"
#include "net/http_server.h"

namespace messina::aws {
namespace {

using testing::HasSubstr;

struct Asked {
  std::string method, target, body;
  net::Headers headers;
  std::string header(std::string_view name) const { return std::string(headers.find(name).value_or("-")); }
};

/// Answers in order with what it was told, and keeps what it was asked.
class StandIn {
 public:
  StandIn() {
    net::ServerOptions options;
    server_ = std::move(net::HttpServer::start(loop_, options, [this](net::ServerRequest request) {
                          return answer(this, std::move(request));
                        }).value());
  }
  void says(int status, std::string body, std::string date = "") {
    net::ServerReply reply;
    reply.status = status;
    reply.body = std::make_shared<const std::string>(std::move(body));
    if (!date.empty()) reply.headers.set("Date", date);
    const std::lock_guard lock(mutex_);
    replies_.push_back(std::move(reply));
  }
  Asked asked() {
    const std::lock_guard lock(mutex_);
    if (asked_.empty()) {
      ADD_FAILURE() << "nothing was asked";
      return {};
    }
    Asked first = std::move(asked_.front());
    asked_.pop_front();
    return first;
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return asked_.size();
  }
  net::Origin origin() const { return {"127.0.0.1", server_->port(), false}; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }

 private:
  static Task<net::ServerReply> answer(StandIn* self, net::ServerRequest request) {
    const std::lock_guard lock(self->mutex_);
    self->asked_.push_back(
        {request.method, request.target, std::string(request.body.view()), std::move(request.headers)});
    net::ServerReply reply;
    reply.status = 418;
    reply.body = std::make_shared<const std::string>("unexpected");
    if (!self->replies_.empty()) {
      reply = std::move(self->replies_.front());
      self->replies_.pop_front();
    }
    co_return reply;
  }

  std::mutex mutex_;
  std::deque<net::ServerReply> replies_;
  std::deque<Asked> asked_;
  net::EventLoop loop_{"stand-in"};
  std::unique_ptr<net::HttpServer> server_;
};

class CredentialFetch : public testing::Test {
 protected:
  Result<Issued> fetch(auto source, std::string told = "profile \"p\"") {
    FetchSettings settings;
    settings.region = "eu-west-1";
    settings.environment = environment_of(variables_);
    settings.read_file = files_of(files_);
    const auto fetcher = std::make_shared<CredentialFetcher>(loop_, std::move(settings));
    auto recipe = std::make_shared<const Recipe>(Recipe{std::move(source), std::move(told)});
    return net::run_on(loop_, fetcher->fetch(std::move(recipe)));
  }
  static std::string key(const Result<Issued>& issued) {
    return issued ? issued->credentials.access_key : issued.error().message;
  }

  net::EventLoop loop_{"client"};
  StandIn service_;
  Variables variables_{{"AWS_ENDPOINT_URL_STS", service_.url()},
                       {"AWS_ENDPOINT_URL_SSO", service_.url()},
                       {"AWS_ENDPOINT_URL_SSO_OIDC", service_.url()}};
  Variables files_;
};

std::string sts_answer(const std::string& action) {
  return "<" + action + "Response><" + action +
         "Result><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
         "<SessionToken>t</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></" +
         action + "Result></" + action + "Response>";
}

RoleSource role(std::string arn = "arn:aws:iam::1:role/r") {
  RoleSource source;
  source.base = std::make_shared<const Recipe>(
      Recipe{KeySource{{"AKIABASE", Secret("base-secret"), Secret("base-token")}}, "profile \"base\""});
  source.role_arn = std::move(arn);
  source.session_name = "session";
  return source;
}

TEST_F(CredentialFetch, AssumesARole) {
  service_.says(200, sts_answer("AssumeRole"), "Sun, 22 Nov 2026 14:58:40 GMT");
  auto source = role();
  source.external_id = "ex id";
  source.duration_s = 900;
  const auto issued = fetch(source);
  ASSERT_EQ(key(issued), "ASIAROLE");
  EXPECT_EQ(issued->server_time, parse_iso_time("2026-11-22T14:58:40Z"));
  const auto asked = service_.asked();
  EXPECT_EQ(asked.method, "POST");
  EXPECT_EQ(asked.body,
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName="
            "session&"
            "DurationSeconds=900&ExternalId=ex%20id");
  EXPECT_THAT(asked.header("Authorization"), HasSubstr("Credential=AKIABASE/"));
  EXPECT_THAT(asked.header("Authorization"), HasSubstr("/eu-west-1/sts/aws4_request"));
  EXPECT_EQ(asked.header("X-Amz-Security-Token"), "base-token");
}

TEST_F(CredentialFetch, StsTellsWhoseCredentialsTheyAre) {
  const auto ask = [this] {
    ServerClocks clocks;
    StsAccess access{parse_endpoint_url(service_.url()).value(), "eu-west-1", {}, &clocks};
    const Credentials mine{"AKIA", Secret("s"), Secret("token")};
    return net::run_on(loop_, caller_identity(loop_, std::move(access), mine, "STS here"));
  };
  service_.says(
      200,
      "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/u</Arn>"
      "<UserId>U</UserId><Account>123456789012</Account></GetCallerIdentityResult>"
      "</GetCallerIdentityResponse>");
  const auto caller = ask();
  ASSERT_TRUE(caller) << caller.error().message;
  EXPECT_EQ(caller->account, "123456789012");
  EXPECT_EQ(caller->arn, "arn:aws:iam::123456789012:user/u");
  const auto asked = service_.asked();
  EXPECT_EQ(asked.body, "Action=GetCallerIdentity&Version=2011-06-15");
  EXPECT_THAT(asked.header("Authorization"), HasSubstr("Credential=AKIA/"));
  EXPECT_EQ(asked.header("X-Amz-Security-Token"), "token");

  service_.says(
      403,
      "<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>no</Message></Error></ErrorResponse>");
  const auto refused = ask();
  EXPECT_EQ(refused.error().kind, ErrorKind::denied);
  EXPECT_THAT(refused.error().message, HasSubstr("STS here"));
  service_.says(200, "<html/>");
  EXPECT_EQ(ask().error().kind, ErrorKind::corrupt);
}

TEST_F(CredentialFetch, AChainOfRolesAsksForEach) {
  service_.says(200, sts_answer("AssumeRole"));
  service_.says(200, sts_answer("AssumeRole"));
  auto outer = role("arn:outer");
  outer.base = std::make_shared<const Recipe>(Recipe{role("arn:inner"), "profile \"middle\""});
  ASSERT_EQ(key(fetch(outer)), "ASIAROLE");
  EXPECT_THAT(service_.asked().body, HasSubstr("RoleArn=arn%3Ainner"));
  const auto second = service_.asked();
  EXPECT_THAT(second.body, HasSubstr("RoleArn=arn%3Aouter"));
  EXPECT_THAT(second.header("Authorization"), HasSubstr("Credential=ASIAROLE/"));
}

TEST_F(CredentialFetch, JudgesRefusalsOfSts) {
  const auto refusal = [](const std::string& code, const std::string& message) {
    return "<ErrorResponse><Error><Code>" + code + "</Code><Message>" + message +
           "</Message></Error></ErrorResponse>";
  };
  service_.says(403, refusal("AccessDenied", "User x is not authorized to perform: sts:AssumeRole"));
  auto issued = fetch(role());
  ASSERT_FALSE(issued.has_value());
  EXPECT_EQ(issued.error().kind, ErrorKind::denied);
  EXPECT_EQ(issued.error().message,
            "profile \"p\": role arn:aws:iam::1:role/r: AssumeRole was answered AccessDenied: User x is not "
            "authorized to "
            "perform: sts:AssumeRole (check the credentials and their permissions)");
  service_.says(503, "<html>busy</html>");
  EXPECT_EQ(fetch(role()).error().kind, ErrorKind::transient);
  service_.says(400, refusal("Throttling", "Rate exceeded"));
  EXPECT_EQ(fetch(role()).error().kind, ErrorKind::throttled);
  service_.says(403, refusal("ExpiredToken", "The security token included in the request is expired"));
  EXPECT_EQ(fetch(role()).error().kind, ErrorKind::expired);
  service_.says(200, "{}");
  EXPECT_EQ(fetch(role()).error().kind, ErrorKind::corrupt);
}

TEST_F(CredentialFetch, CorrectsItsClockByTheAnswersDate) {
  service_.says(
      403,
      "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: 20200101T000000Z "
      "is "
      "now earlier than 20990101T000000Z (20990101T001500Z - 15 min.)</Message></Error></ErrorResponse>",
      "Thu, 01 Jan 2099 00:15:00 GMT");
  service_.says(200, sts_answer("AssumeRole"));
  ASSERT_EQ(key(fetch(role())), "ASIAROLE");
  service_.asked();
  EXPECT_THAT(service_.asked().header("X-Amz-Date"), testing::StartsWith("20990101T0015"));
}

TEST_F(CredentialFetch, WebIdentityIsNotSigned) {
  files_["/token"] = "the.jwt\n";
  service_.says(200, sts_answer("AssumeRoleWithWebIdentity"));
  WebIdentitySource source{"arn:w", "/token", "pod", {}};
  ASSERT_EQ(key(fetch(source)), "ASIAROLE");
  const auto asked = service_.asked();
  EXPECT_EQ(asked.body,
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aw&RoleSessionName=pod&"
            "WebIdentityToken=the.jwt");
  EXPECT_EQ(asked.header("Authorization"), "-");
  source.token_file = "/gone";
  EXPECT_EQ(key(fetch(source)), "profile \"p\": the web identity token's file /gone cannot be read");
  source.token_file = "/token";
  service_.says(400, "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>");
  EXPECT_EQ(fetch(source).error().kind, ErrorKind::transient);
}

constexpr const char* kMetadata =
    R"({"Code":"Success","AccessKeyId":"ASIAMETA","SecretAccessKey":"s","Token":"t","Expiration":"2100-01-01T00:00:00Z"})";

TEST_F(CredentialFetch, Container) {
  ContainerSource source{service_.origin(), "/v2/credentials/x?y=z", "", Secret("Basic abc")};
  service_.says(200, kMetadata);
  ASSERT_EQ(key(fetch(source)), "ASIAMETA");
  auto asked = service_.asked();
  EXPECT_EQ(asked.method + " " + asked.target, "GET /v2/credentials/x?y=z");
  EXPECT_EQ(asked.header("Authorization"), "Basic abc");
  source.token_file = "/pod-token";
  files_["/pod-token"] = "rotated\n";
  service_.says(200, kMetadata);
  ASSERT_EQ(key(fetch(source)), "ASIAMETA");
  EXPECT_EQ(service_.asked().header("Authorization"), "rotated") << "the file goes before the variable";
  files_["/pod-token"] = "two\nlines";
  EXPECT_EQ(key(fetch(source, "the container")),
            "the container: the container's authorization token holds a line break");
  files_["/pod-token"] = "t";
  service_.says(403, R"({"code":"AccessDeniedException","message":"no role"})");
  const auto denied = fetch(source);
  EXPECT_EQ(denied.error().kind, ErrorKind::denied);
  EXPECT_THAT(denied.error().message,
              testing::EndsWith(" was answered HTTP 403: AccessDeniedException: no role"));
  service_.says(500, "");
  EXPECT_EQ(fetch(source).error().kind, ErrorKind::transient);
}

TEST_F(CredentialFetch, InstanceByVersionTwo) {
  const InstanceSource source{service_.origin()};
  service_.says(200, "SESSION");
  service_.says(200, "my-role\n");
  service_.says(200, kMetadata);
  ASSERT_EQ(key(fetch(source)), "ASIAMETA");
  auto asked = service_.asked();
  EXPECT_EQ(asked.method + " " + asked.target, "PUT /latest/api/token");
  EXPECT_EQ(asked.header("x-aws-ec2-metadata-token-ttl-seconds"), "21600");
  asked = service_.asked();
  EXPECT_EQ(asked.method + " " + asked.target, "GET /latest/meta-data/iam/security-credentials/");
  EXPECT_EQ(asked.header("x-aws-ec2-metadata-token"), "SESSION");
  EXPECT_EQ(service_.asked().target, "/latest/meta-data/iam/security-credentials/my-role");

  service_.says(200, "SESSION");
  service_.says(404, "");
  const auto none = fetch(source);
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, kNoMetadata);
  EXPECT_THAT(none.error().message, testing::EndsWith("knows no role of this instance"));
  service_.says(404, "");
  EXPECT_THAT(key(fetch(source)), testing::EndsWith("does not speak IMDSv2"));
}

TEST_F(CredentialFetch, NoInstance) {
  net::Origin nobody;
  {
    const StandIn gone;
    nobody = gone.origin();
  }
  const auto none = fetch(InstanceSource{nobody});
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, kNoMetadata);
  EXPECT_EQ(none.error().kind, ErrorKind::transient) << "in the middle of a job it may come back";
}

TEST_F(CredentialFetch, AnInstancesOldCredentialsAreTakenWhileItHasNoOthers) {
  service_.says(200, "SESSION");
  service_.says(200, "r");
  service_.says(
      200,
      R"({"AccessKeyId":"ASIAOLD","SecretAccessKey":"s","Token":"t","Expiration":"2020-01-01T00:00:00Z"})",
      "Sun, 22 Nov 2026 14:58:40 GMT");
  const auto issued = fetch(InstanceSource{service_.origin()});
  ASSERT_EQ(key(issued), "ASIAOLD");
  EXPECT_EQ(issued->credentials.expires, parse_iso_time("2026-11-22T15:08:40Z"));
}

class IdentityCenter : public CredentialFetch {
 protected:
  SsoSource source(bool renewable = false) {
    SsoSource sso;
    sso.profile = "dev";
    sso.token_file = (folder_ / "cache.json").string();
    sso.region = "eu-west-1";
    sso.account_id = "123";
    sso.role_name = "Read Only";
    sso.renewable = renewable;
    return sso;
  }
  void logged_in(const std::string& token) { files_[(folder_ / "cache.json").string()] = token; }
  void SetUp() override {
    std::string name = testing::TempDir() + "sso-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  static constexpr const char* kAnswer =
      R"({"roleCredentials":{"accessKeyId":"ASIASSO","secretAccessKey":"s","sessionToken":"t","expiration":4102444800000}})";
};

TEST_F(IdentityCenter, GivesARolesCredentialsForTheLoginsToken) {
  logged_in(R"({"accessToken":"login","expiresAt":"2100-01-01T00:00:00Z"})");
  service_.says(200, kAnswer);
  ASSERT_EQ(key(fetch(source())), "ASIASSO");
  const auto asked = service_.asked();
  EXPECT_EQ(asked.method + " " + asked.target,
            "GET /federation/credentials?role_name=Read%20Only&account_id=123");
  EXPECT_EQ(asked.header("x-amz-sso_bearer_token"), "login");
}

TEST_F(IdentityCenter, SaysWhenSomebodyHasToLogIn) {
  const std::string way_out = ": run `aws sso login --profile dev`, then the same command again";
  EXPECT_EQ(key(fetch(source())), "profile \"p\": nobody is logged in to IAM Identity Center" + way_out);
  logged_in(R"({"accessToken":"old","expiresAt":"2020-01-01T00:00:00Z"})");
  const auto expired = fetch(source());
  ASSERT_FALSE(expired.has_value());
  EXPECT_EQ(expired.error().kind, ErrorKind::expired);
  EXPECT_EQ(expired.error().message, "profile \"p\": the login to IAM Identity Center has expired" + way_out);
  logged_in(R"({"accessToken":"ended","expiresAt":"2100-01-01T00:00:00Z"})");
  service_.says(401, R"({"message":"Session token not found or invalid"})");
  EXPECT_EQ(key(fetch(source())), "profile \"p\": the login to IAM Identity Center has expired" + way_out);
  service_.says(403, R"({"message":"No access"})");
  EXPECT_EQ(fetch(source()).error().kind, ErrorKind::denied);
}

TEST_F(IdentityCenter, RenewsALoginThatCanBeRenewed) {
  const std::string old =
      R"({"accessToken":"old","expiresAt":"2020-01-01T00:00:00Z","refreshToken":"r","clientId":"c","clientSecret":"cs"})";
  logged_in(old);
  service_.says(200, R"({"accessToken":"new","expiresIn":3600})");
  service_.says(200, kAnswer);
  ASSERT_EQ(key(fetch(source(true))), "ASIASSO");
  const auto asked = service_.asked();
  EXPECT_EQ(asked.target, "/token");
  EXPECT_THAT(asked.body, HasSubstr(R"("grantType":"refresh_token")"));
  EXPECT_EQ(service_.asked().header("x-amz-sso_bearer_token"), "new");
  const auto file = folder_ / "cache.json";
  std::ifstream in(file);
  const std::string written{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(written, HasSubstr(R"("accessToken":"new")"));
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  logged_in(old);
  service_.says(400, R"({"error":"invalid_grant"})");
  EXPECT_THAT(key(fetch(source(true))), HasSubstr("the login to IAM Identity Center has expired"));
  service_.says(500, "");
  EXPECT_EQ(fetch(source(true)).error().kind, ErrorKind::transient) << "nobody has to log in for that";
}

TEST_F(CredentialFetch, Process) {
  ASSERT_EQ(
      key(fetch(ProcessSource{R"(printf '{"Version":1,"AccessKeyId":"P","SecretAccessKey":"s"}' # by sh)"})),
      "P");
  EXPECT_EQ(key(fetch(ProcessSource{"echo planted >&2; exit 3"})),
            "profile \"p\": its credential_process gave no credentials: it ended with status 3: run it by "
            "hand to see what "
            "it says");
  EXPECT_EQ(key(fetch(ProcessSource{"kill -9 $$"})),
            "profile \"p\": its credential_process gave no credentials: it was ended by signal 9: run it by "
            "hand to see "
            "what it says");
  EXPECT_EQ(key(fetch(ProcessSource{"echo planted"})),
            "profile \"p\": its credential_process gave no credentials: it printed no JSON object");
  EXPECT_THAT(key(fetch(ProcessSource{"head -c 100000 /dev/zero"})),
              testing::EndsWith("it prints more than 64 KiB"));
}

TEST_F(CredentialFetch, AProcessThatHangsIsEndedWithItsChildren) {
  const auto fifo = std::filesystem::path(testing::TempDir()) / ("hang-" + std::to_string(getpid()));
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int end = open(fifo.c_str(), O_RDONLY | O_NONBLOCK);
  const std::string command = "sleep 1000 > " + fifo.string() + " & wait";
  const auto hung = net::run_on(loop_, run_credential_process(loop_, command, std::chrono::seconds(1)));
  ASSERT_FALSE(hung.has_value());
  EXPECT_EQ(hung.error().message, "it did not end within 1 s");
  // The other end is closed when the child of the shell is gone too.
  pollfd closed{end, POLLIN, 0};
  EXPECT_EQ(poll(&closed, 1, 30'000), 1);
  EXPECT_NE(closed.revents & POLLHUP, 0);
  close(end);
  std::filesystem::remove(fifo);
}

}  // namespace
}  // namespace messina::aws
