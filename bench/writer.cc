// Writes to a table of messina-sim at a steady rate, and measures how long after a write its item is to be
// seen in another table. For bench/live.py; prints one line of JSON.
//
// Items go in through messina-sim's control endpoint, which leaves records in the table's stream like any put
// and costs the simulator least, since it is not what is measured. With --seen-at some items are marked:
// their keys are asked for at the target, by BatchGetItem, every few milliseconds until they are there. A
// marked item counts from before its request was sent.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <poll.h>

#include "base/hash.h"
#include "base/random.h"
#include "base/slab.h"
#include "bench/wire.h"

namespace messina::bench {
namespace {

using Steady = std::chrono::steady_clock;

struct Options {
  std::string to, table, seen_at, seen_table;
  double per_s = 1000, seconds = 10, give_up_s = 30;
  std::uint64_t items = 0;  ///< instead of seconds, each key once, as fast as it goes
  std::uint64_t keys = 1'000'000;
  std::size_t bytes = 200;
  std::uint32_t mark_every_ms = 50;
  std::uint64_t first_mark = 0;
};

constexpr auto kTick = std::chrono::milliseconds(5);
/// Lines of one request: some milliseconds of the simulator's time at most.
constexpr std::uint64_t kMostLines = 500;
constexpr auto kLookEvery = std::chrono::milliseconds(10);
constexpr std::size_t kMostKeysOfRead = 100;  // BatchGetItem's limit ("BatchGetItem", API reference)

/// Sends what `connection` has been given, and waits for the answer.
void call(Connection& connection, Slab& answer) {
  connection.start(answer);
  while (!connection.advance()) {
    const short events = connection.wants_write() ? POLLIN | POLLOUT : POLLIN;
    pollfd ready{connection.fd(), events, 0};
    if (::poll(&ready, 1, 60'000) == 0) throw std::runtime_error("no answer for 60 s");
  }
  if (connection.status() != 200) throw std::runtime_error(std::string(answer.view()));
}

/// Marked items that were written and not seen yet, and how long the others took. Thread-safe.
class Marks {
 public:
  struct Mark {
    std::uint64_t number = 0;
    Steady::time_point written;
  };
  void add(std::uint64_t number, Steady::time_point written) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({number, written});
  }
  std::vector<std::uint64_t> oldest() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 0; i < std::min(waiting_.size(), kMostKeysOfRead); ++i)
      numbers.push_back(waiting_[i].number);
    return numbers;
  }
  void seen(std::uint64_t number, Steady::time_point at) {
    const std::lock_guard lock(mutex_);
    const auto mark = std::ranges::find(waiting_, number, &Mark::number);
    if (mark == waiting_.end()) return;
    lags_s_.push_back(std::chrono::duration<double>(at - mark->written).count());
    waiting_.erase(mark);
  }
  std::vector<double> lags_s() const {
    const std::lock_guard lock(mutex_);
    auto sorted = lags_s_;
    std::ranges::sort(sorted);
    return sorted;
  }
  std::size_t unseen() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::deque<Mark> waiting_;
  std::vector<double> lags_s_;
};

constexpr std::string_view kMark = "mark-";
std::string mark_key(std::uint64_t number) { return fmt::format("{}{:08}", kMark, number); }

/// Asks the target for the oldest marks until `over` and all are seen, or until it gives up.
void look(const Options& options, Marks& marks, const std::atomic<bool>& over) {
  const Peer peer = parse_peer(options.seen_at);
  Connection connection(peer, nullptr);
  Slab answer;
  Steady::time_point give_up = Steady::time_point::max();
  for (auto next = Steady::now();; next = std::max(next + kLookEvery, Steady::now())) {
    std::this_thread::sleep_until(next);
    if (over && give_up == Steady::time_point::max())
      give_up = Steady::now() + std::chrono::duration_cast<Steady::duration>(
                                    std::chrono::duration<double>(options.give_up_s));
    const std::vector<std::uint64_t> numbers = marks.oldest();
    if (numbers.empty() && over) return;
    if (Steady::now() > give_up) return;
    if (numbers.empty()) continue;
    std::string body =
        fmt::format(R"({{"RequestItems":{{"{}":{{"ProjectionExpression":"pk","Keys":[)", options.seen_table);
    for (const std::uint64_t number : numbers)
      body += fmt::format(R"({}{{"pk":{{"S":"{}"}}}})", body.back() == '[' ? "" : ",", mark_key(number));
    body += "]}}}";
    connection.request().clear();
    connection.request().append(request_head(peer, "BatchGetItem", body.size(), false));
    connection.request().append(body);
    call(connection, answer);
    const auto now = Steady::now();
    std::string_view text = answer.view();
    // Keys that were left unprocessed would look like items.
    text = text.substr(0, text.find("\"UnprocessedKeys\""));
    for (std::size_t at = text.find(kMark); at != std::string_view::npos; at = text.find(kMark, at + 1)) {
      marks.seen(std::stoull(std::string(text.substr(at + kMark.size(), 8))), now);
    }
  }
}

class Writer {
 public:
  explicit Writer(const Options& options)
      : options_(options), peer_(parse_peer(options.to)), connection_(peer_, nullptr) {
    std::string noise(1u << 18, '\0');
    for (char& c : noise) c = static_cast<char>(random_.next());
    noise_ = base64_encode(noise);
  }

  /// How many were written.
  std::uint64_t run(Marks* marks) {
    const auto began = Steady::now();
    auto next_mark = began;
    std::uint64_t written = 0, number = options_.first_mark;
    for (;;) {
      const auto now = Steady::now();
      const double elapsed_s = std::chrono::duration<double>(now - began).count();
      if (options_.items != 0 ? written >= options_.items : elapsed_s >= options_.seconds) return written;
      const std::uint64_t due =
          options_.items != 0 ? options_.items : static_cast<std::uint64_t>(elapsed_s * options_.per_s);
      const std::uint64_t count = std::min(due - std::min(due, written), kMostLines);
      std::string lines;
      for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t key = options_.items != 0 ? written + i : random_.below(options_.keys);
        append(lines, fmt::format("key-{:012}", key), written + i);
      }
      const bool marked = marks != nullptr && now >= next_mark;
      if (marked) {
        next_mark = std::max(next_mark + std::chrono::milliseconds(options_.mark_every_ms), now);
        append(lines, mark_key(number), number);
      }
      if (!lines.empty()) send(lines);
      if (marked) marks->add(number++, now);
      written += count;
      if (written >= due) std::this_thread::sleep_until(now + kTick);
    }
  }

 private:
  /// Half of the text does not compress.
  void append(std::string& lines, std::string_view key, std::uint64_t version) {
    const std::size_t begin = lines.size();
    fmt::format_to(std::back_inserter(lines), R"({{"pk":{{"S":"{}"}},"n":{{"N":"{}"}},"v":{{"S":")", key,
                   version);
    const std::size_t bytes = lines.size() - begin + 3;
    const std::size_t text = options_.bytes - std::min(options_.bytes, bytes);
    const std::size_t half = std::min(text / 2, noise_.size() / 2);
    lines.append(noise_, random_.below(noise_.size() - half), half);
    lines.append(text - half, 'x');
    lines += "\"}}\n";
  }
  void send(const std::string& lines) {
    connection_.request().clear();
    connection_.request().append(
        fmt::format("POST /_sim/tables/{}/load HTTP/1.1\r\nHost: {}:{}\r\nContent-Length: {}\r\n\r\n",
                    options_.table, peer_.host, peer_.port, lines.size()));
    connection_.request().append(lines);
    call(connection_, answer_);
  }

  const Options& options_;
  const Peer peer_;
  Connection connection_;
  Slab answer_;
  Random random_{1};
  std::string noise_;
};

double at_share(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto place = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(place, sorted.size() - 1)];
}

void run(const Options& options) {
  Marks marks;
  const bool looks = !options.seen_at.empty();
  std::atomic<bool> over = false;
  std::string failure;
  std::thread looker;
  if (looks) {
    looker = std::thread([&] {
      try {
        look(options, marks, over);
      } catch (const std::exception& error) {
        failure = error.what();
      }
    });
  }
  const auto began = Steady::now();
  std::uint64_t written = 0;
  try {
    written = Writer(options).run(looks ? &marks : nullptr);
  } catch (...) {
    over = true;
    if (looks) looker.join();
    throw;
  }
  const double seconds = std::chrono::duration<double>(Steady::now() - began).count();
  over = true;
  if (looks) looker.join();
  if (!failure.empty()) throw std::runtime_error("the target: " + failure);
  const std::vector<double> lags_s = marks.lags_s();
  fmt::print(
      "{{\"written\":{},\"seconds\":{:.3f},\"per_s\":{:.0f},\"marks\":{},\"unseen\":{},\"median_s\":{:.3f},"
      "\"p99_s\":{:.3f},\"worst_s\":{:.3f}}}\n",
      written, seconds, static_cast<double>(written) / seconds, lags_s.size(), marks.unseen(),
      at_share(lags_s, 0.5), at_share(lags_s, 0.99), lags_s.empty() ? 0 : lags_s.back());
}

}  // namespace
}  // namespace messina::bench

int main(int argc, char** argv) {
  messina::bench::Options options;
  CLI::App app("Writes to a table of messina-sim at a steady rate", "bench_writer");
  app.add_option("--to", options.to, "HOST:PORT of messina-sim's source")->required();
  app.add_option("--table", options.table)->required();
  app.add_option("--per-s", options.per_s, "items a second");
  app.add_option("--seconds", options.seconds);
  app.add_option("--items", options.items, "write so many keys once each, as fast as it goes, and end");
  app.add_option("--keys", options.keys, "that are drawn at random");
  app.add_option("--bytes", options.bytes, "of an item's JSON")->check(CLI::Range(80, 400'000));
  app.add_option("--seen-at", options.seen_at,
                 "HOST:PORT of the target: mark items, and look for them there");
  app.add_option("--seen-table", options.seen_table);
  app.add_option("--mark-every-ms", options.mark_every_ms);
  app.add_option("--first-mark", options.first_mark,
                 "number of the first marked item: one that was not used");
  app.add_option("--give-up-s", options.give_up_s, "how long marks are waited for in the end");
  CLI11_PARSE(app, argc, argv);
  try {
    messina::bench::run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_writer: {}\n", error.what());
    return 1;
  }
}
