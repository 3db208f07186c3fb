// The pump: moves the requests and pages of a copy over the same sockets, and does nothing else. Its CPU time
// is the floor that `messina copy` is measured against.
//
// It does what no copy can do without: sends Scan requests, receives the pages whole into memory, copies each
// batch's bytes once out of the page into a contiguous request, sends it and receives the answer. The sizes
// of the requests are those of real ones, made once from the first page; what is copied is the stretch of the
// page where the batch's items lie, in one piece, without the words that a real request has around each item:
// messina-sim's bench mode swallows it, any other server would not. Of a page the pump reads the Count and
// the LastEvaluatedKey only, both near its ends. It checks and hashes nothing, parses no item, keeps no
// ledger and retries nothing.
//
// With --lookups it does the same for the forward pass of `messina verify`: what it sends for a batch is a
// BatchGetItem of as many keys, and the answer holds the items.
//
// Like a copy it works on U units at once, reads one page ahead for each, and has W writes on the wire. One
// thread.
#include <chrono>
#include <cstdio>
#include <deque>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/bodies.h"
#include "bench/wire.h"

namespace messina::bench {
namespace {

struct Options {
  std::string source, target, table, target_table, dump;
  std::uint32_t segments = 16, units = 8, writers = 16;
  std::size_t batch = 25;
  bool tls = false, signed_head = false, lookups = false;
};

struct Totals {
  std::size_t pages = 0, page_bytes = 0, items = 0, writes = 0, write_bytes = 0;
  bool page_crc = false;
};

class Pump {
 public:
  Pump(const Options& options, const TlsContext* tls, const PageTemplate& page);
  ~Pump() { close(epoll_); }
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  void run();
  const Totals& totals() const { return totals_; }

 private:
  /// One connection in the epoll set.
  struct Channel {
    Channel(const Peer& peer, const TlsContext* tls) : connection(peer, tls) {}
    Connection connection;
    bool registered_for_write = false;
  };
  struct Unit;
  struct Reader : Channel {
    using Channel::Channel;
    Unit* unit = nullptr;
  };
  struct Batch {
    Unit* unit = nullptr;
    std::string_view from;       ///< bytes of the page; of a lookup, the whole body
    std::size_t body_bytes = 0;  ///< of the request; more than `from` has
  };
  struct Writer : Channel {
    using Channel::Channel;
    Unit* unit = nullptr;
    Slab answer;
  };
  /// A reader's place, and its two pages: one being written, one being read.
  struct Unit {
    std::optional<std::uint32_t> segment;  ///< none: nothing left to do
    std::string start_key;
    Slab pages[2];
    int reading = 0;
    bool on_the_wire = false;   ///< a Scan is out
    bool page_waits = false;    ///< a page has come, and the one before it is not written yet
    std::size_t unwritten = 0;  ///< batches of the page being written
    Reader* reader = nullptr;
  };

  void add(Channel& channel, std::uint64_t tag);
  void watch(Channel& channel, std::uint64_t tag);
  void next_segment(Unit& unit);
  void read_on(Unit& unit);
  void take_page(Unit& unit);
  void page_arrived(Unit& unit);
  void feed_writers();
  void batch_written(Writer& writer);
  const std::string& body(std::size_t first, std::size_t count);

  static constexpr std::uint64_t kWriterTag = 1u << 31;

  const Options& options_;
  const PageTemplate& page_;
  Peer source_, target_;
  int epoll_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<std::unique_ptr<Writer>> writers_;
  std::vector<std::unique_ptr<Unit>> units_;
  std::vector<std::uint32_t> idle_writers_;
  std::deque<Batch> batches_;
  std::map<std::pair<std::size_t, std::size_t>, std::string> bodies_;
  std::string filler_;  // the length of what stands around a request's items
  std::uint32_t next_segment_ = 0;
  std::size_t active_units_ = 0;
  Totals totals_;
};

Pump::Pump(const Options& options, const TlsContext* tls, const PageTemplate& page)
    : options_(options),
      page_(page),
      source_(parse_peer(options.source)),
      target_(parse_peer(options.target)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::runtime_error("no epoll");
  for (std::uint32_t i = 0; i < std::min(options.units, options.segments); ++i) {
    readers_.push_back(std::make_unique<Reader>(source_, tls));
    units_.push_back(std::make_unique<Unit>());
    readers_.back()->unit = units_.back().get();
    units_.back()->reader = readers_.back().get();
    add(*readers_.back(), i);
  }
  for (std::uint32_t i = 0; i < options.writers; ++i) {
    writers_.push_back(std::make_unique<Writer>(target_, tls));
    add(*writers_.back(), i | kWriterTag);
    idle_writers_.push_back(i);
  }
  // The requests of a full page are made before the clock runs.
  std::size_t first = 0;
  for (const auto count : batch_sizes(page.items().size(), options.batch)) {
    filler_.resize(std::max(filler_.size(), body(first, count).size()), ' ');
    first += count;
  }
}

void Pump::add(Channel& channel, std::uint64_t tag) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = tag}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, channel.connection.fd(), &event) != 0)
    throw std::runtime_error("epoll_ctl");
}

void Pump::watch(Channel& channel, std::uint64_t tag) {
  const bool write = channel.connection.wants_write();
  if (write == channel.registered_for_write) return;
  channel.registered_for_write = write;
  epoll_event event{.events = EPOLLIN | (write ? EPOLLOUT : 0u), .data = {.u64 = tag}};
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, channel.connection.fd(), &event) != 0)
    throw std::runtime_error("epoll_ctl");
}

const std::string& Pump::body(std::size_t first, std::size_t count) {
  std::string& body = bodies_[{first, count}];
  if (body.empty())
    body = options_.lookups ? page_.lookup_body(options_.target_table, first, count)
                            : page_.batch_body(options_.target_table, first, count);
  return body;
}

void Pump::next_segment(Unit& unit) {
  unit.start_key.clear();
  unit.segment.reset();
  if (next_segment_ < options_.segments) unit.segment = next_segment_++;
}

void Pump::read_on(Unit& unit) {
  if (unit.on_the_wire || unit.page_waits) return;
  if (!unit.segment) {
    if (unit.unwritten == 0) --active_units_;
    return;
  }
  const auto body = scan_body(options_.table, *unit.segment, options_.segments, unit.start_key);
  auto& connection = unit.reader->connection;
  connection.request().clear();
  connection.request().append(request_head(source_, "Scan", body.size(), options_.signed_head));
  connection.request().append(body);
  unit.on_the_wire = true;
  connection.start(unit.pages[unit.reading]);
}

/// The page in hand becomes the one that is written, and the next one is asked for.
void Pump::take_page(Unit& unit) {
  auto& page = unit.pages[unit.reading];
  const auto tail = page_tail(page.view());
  ++totals_.pages;
  totals_.page_bytes += page.size();
  totals_.items += tail.count;
  unit.page_waits = false;
  unit.start_key = tail.last_evaluated_key;
  if (unit.start_key.empty()) next_segment(unit);
  std::size_t first = 0;
  for (const auto count : batch_sizes(tail.count, options_.batch)) {
    const auto begin = page.size() * first / tail.count;
    first += count;
    const auto end = page.size() * first / tail.count;
    const std::string& made = body(first - count, count);
    const auto from = options_.lookups ? std::string_view(made) : page.view().substr(begin, end - begin);
    batches_.push_back({&unit, from, made.size()});
    ++unit.unwritten;
  }
  unit.reading = 1 - unit.reading;
  read_on(unit);
  feed_writers();
}

void Pump::page_arrived(Unit& unit) {
  if (unit.reader->connection.status() != 200) throw std::runtime_error("a Scan was refused");
  totals_.page_crc = unit.reader->connection.had_crc();
  unit.on_the_wire = false;
  unit.page_waits = true;
  if (unit.unwritten == 0) take_page(unit);
}

void Pump::feed_writers() {
  const char* const operation = options_.lookups ? "BatchGetItem" : "BatchWriteItem";
  while (!batches_.empty() && !idle_writers_.empty()) {
    const auto index = idle_writers_.back();
    idle_writers_.pop_back();
    auto& writer = *writers_[index];
    const auto batch = batches_.front();
    batches_.pop_front();
    writer.unit = batch.unit;
    auto& request = writer.connection.request();
    request.clear();
    request.append(request_head(target_, operation, batch.body_bytes, options_.signed_head));
    // The one copy of the items' bytes that a contiguous request costs.
    const auto items = batch.from.substr(0, batch.body_bytes);
    request.append(items);
    request.append(std::string_view(filler_).substr(0, batch.body_bytes - items.size()));
    ++totals_.writes;
    totals_.write_bytes += request.size();
    writer.connection.start(writer.answer);
    watch(writer, index | kWriterTag);
  }
}

void Pump::batch_written(Writer& writer) {
  if (writer.connection.status() != 200) throw std::runtime_error("a batch was refused");
  auto& unit = *writer.unit;
  if (--unit.unwritten > 0) return;
  if (unit.page_waits) {
    take_page(unit);
  } else if (!unit.on_the_wire) {
    read_on(unit);
  }
}

void Pump::run() {
  active_units_ = units_.size();
  for (auto& unit : units_) {
    next_segment(*unit);
    read_on(*unit);
  }
  std::array<epoll_event, 64> events;
  while (active_units_ > 0) {
    const int ready = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 60'000);
    if (ready == 0) throw std::runtime_error("nothing has come for 60 s");
    for (int i = 0; i < ready; ++i) {
      const auto tag = events[static_cast<std::size_t>(i)].data.u64;
      const auto index = static_cast<std::uint32_t>(tag & ~kWriterTag);
      if ((tag & kWriterTag) != 0) {
        auto& writer = *writers_[index];
        const bool done = writer.connection.advance();
        watch(writer, tag);
        if (!done) continue;
        idle_writers_.push_back(index);
        batch_written(writer);
        feed_writers();
      } else {
        auto& reader = *readers_[index];
        const bool done = reader.connection.advance();
        watch(reader, tag);
        if (done) page_arrived(*reader.unit);
      }
    }
  }
}

/// One Scan by itself, to learn what the table's pages look like.
std::string first_page(const Options& options, const TlsContext* tls) {
  const auto peer = parse_peer(options.source);
  Connection connection(peer, tls);
  const auto body = scan_body(options.table, 0, options.segments, {});
  connection.request().append(request_head(peer, "Scan", body.size(), options.signed_head));
  connection.request().append(body);
  Slab page;
  connection.start(page);
  while (!connection.advance()) usleep(200);
  if (connection.status() != 200) throw std::runtime_error("the first Scan was refused");
  return std::string(page.view());
}

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

int run(const Options& options) {
  std::unique_ptr<TlsContext> tls;
  if (options.tls) tls = std::make_unique<TlsContext>();
  const PageTemplate page(first_page(options, tls.get()));
  if (!options.dump.empty()) std::ofstream(options.dump, std::ios::binary) << page.body();
  Pump pump(options, tls.get(), page);
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  const auto began = std::chrono::steady_clock::now();
  pump.run();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began;
  getrusage(RUSAGE_SELF, &after);
  const auto& t = pump.totals();
  fmt::print(
      "{{\"pages\":{},\"page_bytes\":{},\"items\":{},\"writes\":{},\"write_bytes\":{},\"page_crc\":{},"
      "\"user_s\":{:.6f},\"system_s\":{:.6f},\"elapsed_s\":{:.6f}}}\n",
      t.pages, t.page_bytes, t.items, t.writes, t.write_bytes, t.page_crc,
      seconds(after.ru_utime) - seconds(before.ru_utime), seconds(after.ru_stime) - seconds(before.ru_stime),
      elapsed.count());
  return 0;
}

}  // namespace
}  // namespace messina::bench

int main(int argc, char** argv) {
  messina::bench::Options options;
  CLI::App app("Moves the requests and pages of a copy, and nothing else", "bench_pump");
  app.add_option("--source", options.source, "HOST:PORT that is scanned")->required();
  app.add_option("--target", options.target, "HOST:PORT that is written to")->required();
  app.add_option("--table", options.table, "source table")->required();
  app.add_option("--target-table", options.target_table, "target table; default: the source's name");
  app.add_option("--segments", options.segments, "segments of the Scan")->check(CLI::Range(1, 1'000'000));
  app.add_option("--units", options.units, "segments at work at once")->check(CLI::Range(1, 1'000));
  app.add_option("--batch", options.batch, "items in a BatchWriteItem")->check(CLI::Range(1, 100));
  app.add_option("--writers", options.writers, "writes on the wire at once")->check(CLI::Range(1, 1'000));
  app.add_flag("--tls", options.tls, "TLS on both sides, certificates unchecked");
  app.add_flag("--lookups", options.lookups, "look the items up on the target, instead of writing them");
  app.add_flag("--signed", options.signed_head, "heads as long as signed ones");
  app.add_option("--dump", options.dump, "file to write the first page to");
  CLI11_PARSE(app, argc, argv);
  if (options.target_table.empty()) options.target_table = options.table;
  try {
    return messina::bench::run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_pump: {}\n", error.what());
    return 1;
  }
}
