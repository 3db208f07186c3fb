// The server against clients that behave and clients that do not.
#include "net/local_socket.h"

#include <cstdlib>
#include <fstream>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace messina::net {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class LocalSocketTest : public testing::Test {
 protected:
  LocalSocketTest() {
    std::string name = (std::filesystem::temp_directory_path() / "messina-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
    folder_ = name;
  }
  ~LocalSocketTest() override {
    server_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void start(const std::filesystem::path& file, const LocalServerOptions& options = {}) {
    auto started = LocalServer::start(loop_, file, options, [](std::string_view line, const LocalPeer& peer) {
      return std::to_string(peer.pid) + " " + std::to_string(peer.uid) + " said " + std::string(line);
    });
    ASSERT_TRUE(started) << started.error().message;
    server_ = std::move(*started);
  }
  /// A connection that is left to the test.
  int connect(const std::filesystem::path& file) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    file.string().copy(address.sun_path, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static std::string read_to_end(int fd) {
    std::string all;
    char piece[512];
    ssize_t got = 0;
    while ((got = ::recv(fd, piece, sizeof piece, 0)) > 0) all.append(piece, static_cast<std::size_t>(got));
    return all;
  }

  std::filesystem::path folder_;
  EventLoop loop_{"local"};
  std::unique_ptr<LocalServer> server_;
};

TEST_F(LocalSocketTest, AnswersAndKnowsWhoAsks) {
  const auto file = folder_ / "control.sock";
  start(file);
  struct stat info{};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const auto answer = ask_local(file, "hello", 10s);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, std::to_string(::getpid()) + " " + std::to_string(::getuid()) + " said hello");
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_EQ(ask_local(file, "hello", 10s).error().kind, ErrorKind::not_found);
}

TEST_F(LocalSocketTest, TakesPathsThatNoSocketAddressHolds) {
  auto deep = folder_;
  while (deep.string().size() < 400) deep /= std::string(60, 'd');
  std::filesystem::create_directories(deep);
  start(deep / "control.sock");
  EXPECT_THAT(ask_local(deep / "control.sock", "far", 10s).value_or("no answer"), HasSubstr("said far"));
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(deep / "control.sock"));
}

TEST_F(LocalSocketTest, ReplacesWhatADeadProcessLeftAndNothingElse) {
  const auto file = folder_ / "control.sock";
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  file.string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  EXPECT_EQ(ask_local(file, "x", 10s).error().kind, ErrorKind::not_found) << "nobody listens";
  start(file);
  EXPECT_TRUE(ask_local(file, "x", 10s));

  const auto other = folder_ / "a-file";
  std::ofstream(other) << "kept";
  const auto refused = LocalServer::start(loop_, other, {}, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::disk);
  EXPECT_TRUE(std::filesystem::exists(other));
}

TEST_F(LocalSocketTest, AnswersManyLinesAndPiecesOfThem) {
  const auto file = folder_ / "s";
  start(file);
  const int fd = connect(file);
  const std::string text = "one\ntwo\nthr";
  ASSERT_EQ(::send(fd, text.data(), text.size(), 0), std::ssize(text));
  ASSERT_EQ(::send(fd, "ee\n", 3, 0), 3);
  ::shutdown(fd, SHUT_WR);
  const std::string all = read_to_end(fd);
  EXPECT_THAT(all, HasSubstr("said one\n"));
  EXPECT_THAT(all, HasSubstr("said two\n"));
  EXPECT_THAT(all, HasSubstr("said three\n"));
  ::close(fd);
}

TEST_F(LocalSocketTest, LetsGoOfThoseWhoSayTooMuchOrNothing) {
  const auto file = folder_ / "s";
  start(file, {.max_line_bytes = 100, .max_clients = 8, .deadline = 100ms});
  EXPECT_EQ(ask_local(file, std::string(101, 'x'), 10s).error().kind, ErrorKind::transient);
  EXPECT_EQ(ask_local(file, std::string(5000, 'x'), 10s).error().kind, ErrorKind::transient);
  EXPECT_TRUE(ask_local(file, std::string(100, 'x'), 10s));
  const int silent = connect(file);
  EXPECT_EQ(read_to_end(silent), "") << "and it ends: its deadline has passed";
  ::close(silent);
}

TEST_F(LocalSocketTest, ServesAFewAtATime) {
  const auto file = folder_ / "s";
  start(file, {.max_line_bytes = 100, .max_clients = 1, .deadline = 60s});
  const int first = connect(file);
  ASSERT_EQ(::send(first, "a\n", 2, 0), 2);
  char byte = 0;
  ASSERT_EQ(::recv(first, &byte, 1, 0), 1);
  EXPECT_EQ(ask_local(file, "b", 10s).error().kind, ErrorKind::transient);
  // The end of the server ends its clients too.
  server_.reset();
  read_to_end(first);
  ::close(first);
}

TEST_F(LocalSocketTest, DoesNothingLateForThoseWhoGaveUp) {
  const auto file = folder_ / "s";
  std::promise<void> go_on;
  std::vector<std::string> handled;
  auto started = LocalServer::start(
      loop_, file, {},
      [&handled, held = go_on.get_future().share()](std::string_view line, const LocalPeer&) {
        handled.emplace_back(line);
        held.wait();
        return std::string();
      });
  ASSERT_TRUE(started);
  EXPECT_EQ(ask_local(file, "first", 50ms).error().kind, ErrorKind::busy);
  EXPECT_EQ(ask_local(file, "late", 50ms).error().kind, ErrorKind::busy);
  go_on.set_value();
  EXPECT_TRUE(ask_local(file, "last", 10s));
  started->reset();
  EXPECT_EQ(handled, (std::vector<std::string>{"first", "last"}));
}

TEST_F(LocalSocketTest, WaitsNoLongerThanItsDeadline) {
  const auto file = folder_ / "s";
  std::promise<void> go_on;
  auto started = LocalServer::start(loop_, file, {},
                                    [held = go_on.get_future().share()](std::string_view, const LocalPeer&) {
                                      held.wait();
                                      return std::string();
                                    });
  ASSERT_TRUE(started);
  const auto answer = ask_local(file, "x", 50ms);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::busy);
  go_on.set_value();
}

}  // namespace
}  // namespace messina::net
