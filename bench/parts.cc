// The parts: what a copy must compute on its bytes, measured one by one on a page of the table that is
// copied. Prints the CPU nanoseconds that each takes per page.
//
//   crc32    of the page, as compared with x-amz-crc32
//   split    finding the raw items' spans in the page
//   sha256   of the bodies that the page's items are written with, and of the Scan request: what is signed
//   hash     of the page's keys under a secret: what a verification's digests are made of
//   copy     the memcpy that builds those bodies; for the profile only, since the pump does it too
//
// Pages lie in as many places as a copy has units at work, so that they come from where a copy's come from:
// not from the nearest cache. Bodies are hashed when they have just been built, as in a copy.
#include <chrono>
#include <ctime>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/hash.h"
#include "base/slab.h"
#include "bench/bodies.h"
#include "item/page.h"

namespace messina::bench {
namespace {

/// About what the key of an item of messina-sim's bench mode has.
constexpr std::size_t kKeyBytes = 18;

struct Options {
  std::string page, table = "bench";
  std::size_t batch = 25, places = 8;
  int min_ms = 300;
};

double cpu_ns() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

/// Mean CPU time of `work(i)`, i counting up, over at least `min_ms`.
template <class Work>
double time_of(int min_ms, Work work) {
  for (std::size_t i = 0; i < 3; ++i) work(i);
  const double begin = cpu_ns();
  std::size_t done = 0;
  while (cpu_ns() - begin < min_ms * 1e6) work(done++);
  return (cpu_ns() - begin) / static_cast<double>(done);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

int run(const Options& options) {
  const PageTemplate page(read_file(options.page));
  std::vector<Slab> places(options.places);
  for (auto& place : places) {
    place.reserve(page.body().size() + kSlabPadding);
    place.append(page.body());
  }
  std::vector<std::string> bodies;
  std::size_t first = 0;
  std::size_t largest = 0;
  for (const auto count : batch_sizes(page.items().size(), options.batch)) {
    bodies.push_back(page.batch_body(options.table, first, count));
    largest = std::max(largest, bodies.back().size());
    first += count;
  }
  const auto scan = scan_body(options.table, 0, 16, page_tail(page.body()).last_evaluated_key);

  std::uint64_t seen = 0;  // keeps the results in use
  const auto place = [&](std::size_t i) { return places[i % places.size()].view(); };
  const double crc = time_of(options.min_ms, [&](std::size_t i) { seen += crc32(place(i)); });
  item::PageSplitter splitter;
  item::PageSpans spans;
  const double split = time_of(options.min_ms, [&](std::size_t i) {
    if (!splitter.split(place(i), spans)) throw std::runtime_error("the page cannot be split");
    seen += spans.items.size();
  });
  KeyedHash keyed(KeyedHash::Key{1, 2});
  const double hash = time_of(options.min_ms, [&](std::size_t) {
    for (const std::string_view item : page.items())
      seen += static_cast<std::uint64_t>(keyed(item.substr(0, kKeyBytes)));
  });
  Slab body(largest);
  const auto build = [&](const std::string& from) {
    body.clear();
    body.append(from);
  };
  const double copy = time_of(options.min_ms, [&](std::size_t) {
    for (const auto& from : bodies) build(from);
    seen += body.size();
  });
  const double copy_and_hash = time_of(options.min_ms, [&](std::size_t) {
    for (const auto& from : bodies) {
      build(from);
      seen += sha256(body.view())[0];
    }
    seen += sha256(scan)[0];
  });
  std::size_t body_bytes = 0;
  for (const auto& each : bodies) body_bytes += each.size();
  fmt::print(
      "{{\"page_bytes\":{},\"items\":{},\"bodies\":{},\"body_bytes\":{},\"crc32_ns\":{:.0f},\"split_ns\":{:."
      "0f},"
      "\"sha256_ns\":{:.0f},\"hash_ns\":{:.0f},\"copy_ns\":{:.0f},\"check\":{}}}\n",
      page.body().size(), page.items().size(), bodies.size(), body_bytes, crc, split, copy_and_hash - copy,
      hash, copy, seen % 10);
  return 0;
}

}  // namespace
}  // namespace messina::bench

int main(int argc, char** argv) {
  messina::bench::Options options;
  CLI::App app("Measures what a copy must compute on its bytes", "bench_parts");
  app.add_option("--page", options.page, "a Scan answer, as written by bench_pump --dump")->required();
  app.add_option("--table", options.table, "target table");
  app.add_option("--batch", options.batch, "items in a BatchWriteItem")->check(CLI::Range(1, 100));
  app.add_option("--places", options.places, "copies of the page to go round")->check(CLI::Range(1, 64));
  app.add_option("--min-ms", options.min_ms, "CPU time to spend on each part")->check(CLI::Range(1, 60'000));
  CLI11_PARSE(app, argc, argv);
  try {
    return messina::bench::run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_parts: {}\n", error.what());
    return 1;
  }
}
