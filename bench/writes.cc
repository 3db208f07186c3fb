// Sends the BatchWriteItem requests of an applier over the same sockets, and does nothing else. Its CPU time
// is the part of `messina apply` that bench_spool's "apply" does not have.
//
// Like bench_pump: each batch's bytes are copied once into a contiguous request, W of which are on the wire.
// Nothing is hashed or parsed, the answer is only received. One thread; the CPU time is wait4's.
#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/slab.h"
#include "bench/wire.h"

namespace messina::bench {
namespace {

struct Options {
  std::string target, table = "bench";
  std::uint64_t items = 1'000'000;
  std::size_t bytes = 1000, batch = 100;
  std::uint32_t writers = 8;
};

/// Items that lie one behind the other, as an applier has them in hand: more than a processor's cache takes.
constexpr std::size_t kInHand = 16u << 20;

class Writes {
 public:
  explicit Writes(const Options& options)
      : options_(options),
        peer_(parse_peer(options.target)),
        before_(fmt::format(R"({{"RequestItems":{{"{}":[)", options.table)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) throw std::runtime_error("no epoll");
    const std::size_t count = kInHand / options.bytes;
    for (std::size_t i = 0; i < count; ++i) {
      std::string item = fmt::format(R"({{"pk":{{"S":"key-{:012}"}},"v":{{"S":")", i);
      item.append(options.bytes - std::min(options.bytes, item.size() + 3), 'x');
      items_.push_back(item + "\"}}");
    }
    for (std::uint32_t i = 0; i < options.writers; ++i) {
      channels_.push_back(std::make_unique<Channel>(peer_));
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      if (epoll_ctl(epoll_, EPOLL_CTL_ADD, channels_.back()->connection.fd(), &event) != 0)
        throw std::runtime_error("epoll_ctl");
    }
  }
  ~Writes() { ::close(epoll_); }
  Writes(const Writes&) = delete;
  Writes& operator=(const Writes&) = delete;

  void run() {
    for (std::uint32_t i = 0; i < channels_.size(); ++i) send(i);
    std::array<epoll_event, 64> events;
    while (on_wire_ > 0) {
      const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 60'000);
      if (ready == 0) throw std::runtime_error("nothing has come for 60 s");
      for (int i = 0; i < ready; ++i) {
        const auto index = static_cast<std::uint32_t>(events[static_cast<std::size_t>(i)].data.u64);
        Channel& channel = *channels_[index];
        const bool done = channel.connection.advance();
        watch(channel, index);
        if (!done) continue;
        if (channel.connection.status() != 200) throw std::runtime_error("a BatchWriteItem was refused");
        --on_wire_;
        send(index);
      }
    }
  }
  std::uint64_t requests() const { return requests_; }

 private:
  struct Channel {
    explicit Channel(const Peer& peer) : connection(peer, nullptr) {}
    Connection connection;
    Slab answer;
    bool for_write = false;
  };

  void send(std::uint32_t index) {
    if (sent_ >= options_.items) return;
    Channel& channel = *channels_[index];
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(options_.batch, options_.items - sent_));
    constexpr std::string_view kBefore = R"({"PutRequest":{"Item":)", kAfter = "}}", kEnd = "]}}";
    std::size_t body = before_.size() + kEnd.size() + count - 1;
    for (std::size_t i = 0; i < count; ++i)
      body += kBefore.size() + kAfter.size() + items_[(sent_ + i) % items_.size()].size();
    Slab& request = channel.connection.request();
    request.clear();
    request.append(request_head(peer_, "BatchWriteItem", body, false));
    request.append(before_);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) request.append(",");
      request.append(kBefore);
      request.append(items_[(sent_ + i) % items_.size()]);
      request.append(kAfter);
    }
    request.append(kEnd);
    sent_ += count;
    ++requests_;
    ++on_wire_;
    channel.connection.start(channel.answer);
    watch(channel, index);
  }

  void watch(Channel& channel, std::uint32_t index) {
    const bool write = channel.connection.wants_write();
    if (write == channel.for_write) return;
    channel.for_write = write;
    epoll_event event{.events = EPOLLIN | (write ? EPOLLOUT : 0u), .data = {.u64 = index}};
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, channel.connection.fd(), &event) != 0)
      throw std::runtime_error("epoll_ctl");
  }

  const Options& options_;
  const Peer peer_;
  const std::string before_;
  int epoll_;
  std::vector<std::string> items_;
  std::vector<std::unique_ptr<Channel>> channels_;
  std::uint64_t sent_ = 0, requests_ = 0;
  std::size_t on_wire_ = 0;
};

}  // namespace
}  // namespace messina::bench

int main(int argc, char** argv) {
  messina::bench::Options options;
  CLI::App app("Sends the writes of an applier, and does nothing else", "bench_writes");
  app.add_option("--target", options.target, "HOST:PORT")->required();
  app.add_option("--table", options.table);
  app.add_option("--items", options.items);
  app.add_option("--bytes", options.bytes, "of an item's JSON")->check(CLI::Range(80, 400'000));
  app.add_option("--batch", options.batch)->check(CLI::Range(1, 100));
  app.add_option("--writers", options.writers, "writes on the wire at once")->check(CLI::Range(1, 1'000));
  CLI11_PARSE(app, argc, argv);
  try {
    messina::bench::Writes writes(options);
    writes.run();
    fmt::print("{{\"items\":{},\"requests\":{}}}\n", options.items, writes.requests());
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_writes: {}\n", error.what());
    return 1;
  }
}
