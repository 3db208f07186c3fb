// The pieces of the data path by themselves (Google Benchmark). Figures for the whole come from bench/run.py.
#include <map>
#include <span>
#include <string>

#include <benchmark/benchmark.h>

#include "aws/sigv4.h"
#include "base/hash.h"
#include "base/slab.h"
#include "endpoints/batch_write.h"
#include "item/item_json.h"
#include "item/number.h"
#include "item/page.h"
#include "pace/backoff.h"

namespace messina {
namespace {

/// A Scan answer with as many items of `item_bytes` as make 1 MB.
const std::string& page_of(std::size_t item_bytes) {
  static std::map<std::size_t, std::string> pages;
  auto& page = pages[item_bytes];
  if (!page.empty()) return page;
  const std::size_t count = (1u << 20) / item_bytes;
  page = "{\"Items\":[";
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) page += ',';
    page += "{\"pk\":{\"S\":\"key-" + std::to_string(i) + "\"},\"n\":{\"N\":\"" + std::to_string(i * 7919) +
            "\"},\"ok\":{\"BOOL\":true},\"text\":{\"S\":\"" +
            std::string(item_bytes > 60 ? item_bytes - 60 : 1, static_cast<char>('a' + i % 26)) + "\"}}";
  }
  return page += "],\"Count\":" + std::to_string(count) + ",\"ScannedCount\":" + std::to_string(count) +
                 ",\"LastEvaluatedKey\":{\"pk\":{\"S\":\"key\"}},\"ConsumedCapacity\":{\"TableName\":\"t\","
                 "\"CapacityUnits\":256.0}}";
}

void bytes_done(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * static_cast<std::int64_t>(state.iterations()));
}

void split_page(benchmark::State& state) {
  const auto& text = page_of(static_cast<std::size_t>(state.range(0)));
  Slab page(text.size() + kSlabPadding);
  page.append(text);
  item::PageSplitter splitter;
  item::PageSpans spans;
  for (auto _ : state) {
    if (!splitter.split(page.view(), spans)) state.SkipWithError("no page");
    benchmark::DoNotOptimize(spans.items.data());
  }
  bytes_done(state, text.size());
}
BENCHMARK(split_page)->ArgName("item_bytes")->Arg(140)->Arg(1'000)->Arg(10'000)->Arg(100'000);

void split_page_bytewise(benchmark::State& state) {
  const auto& text = page_of(static_cast<std::size_t>(state.range(0)));
  item::PageSpans spans;
  for (auto _ : state) {
    if (!item::split_page_bytewise(text, spans)) state.SkipWithError("no page");
    benchmark::DoNotOptimize(spans.items.data());
  }
  bytes_done(state, text.size());
}
BENCHMARK(split_page_bytewise)->ArgName("item_bytes")->Arg(140)->Arg(1'000);

/// One contiguous body of 100 items, built in a buffer that is used again.
void build_body(benchmark::State& state) {
  const auto& text = page_of(static_cast<std::size_t>(state.range(0)));
  item::PageSpans spans;
  if (!item::split_page_bytewise(text, spans)) state.SkipWithError("no page");
  const endpoints::BatchWriteBody builder("bench_copy", false);
  const auto records = std::span(spans.items).first(std::min<std::size_t>(100, spans.items.size()));
  Slab body;
  for (auto _ : state) {
    builder.build(records, body);
    benchmark::DoNotOptimize(body.data());
  }
  bytes_done(state, body.size());
}
BENCHMARK(build_body)->ArgName("item_bytes")->Arg(140)->Arg(1'000)->Arg(10'000);

void hash_sha256(benchmark::State& state) {
  const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(sha256(text));
  bytes_done(state, text.size());
}
BENCHMARK(hash_sha256)->ArgName("bytes")->Arg(200)->Arg(27'000)->Arg(108'000);

void hash_crc32(benchmark::State& state) {
  const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(crc32(text));
  bytes_done(state, text.size());
}
BENCHMARK(hash_crc32)->ArgName("bytes")->Arg(1'000)->Arg(1'000'000);

void parse_number(benchmark::State& state) {
  const std::string texts[] = {"42", "-1234567.89", "1.2345678901234567890123456789012345678E+100"};
  const auto& text = texts[state.range(0)];
  state.SetLabel(text);
  for (auto _ : state) benchmark::DoNotOptimize(item::Number::parse(text));
}
BENCHMARK(parse_number)->DenseRange(0, 2);

void parse_whole_item(benchmark::State& state) {
  const auto& text = page_of(static_cast<std::size_t>(state.range(0)));
  item::PageSpans spans;
  if (!item::split_page_bytewise(text, spans)) state.SkipWithError("no page");
  for (auto _ : state) benchmark::DoNotOptimize(item::parse_item(spans.items[0]));
  bytes_done(state, spans.items[0].size());
}
BENCHMARK(parse_whole_item)->ArgName("item_bytes")->Arg(140)->Arg(1'000);

void sign_request(benchmark::State& state) {
  aws::Signer signer;
  aws::Credentials credentials;
  credentials.access_key = "AKIDEXAMPLE";
  credentials.secret_key = Secret("a secret for nobody");
  net::Headers headers;
  headers.add("Host", "dynamodb.us-east-1.amazonaws.com");
  headers.add("X-Amz-Target", "DynamoDB_20120810.BatchWriteItem");
  headers.add("Content-Type", "application/x-amz-json-1.0");
  aws::SigningRequest request;
  request.headers = &headers;
  request.region = "us-east-1";
  request.service = "dynamodb";
  for (auto _ : state) benchmark::DoNotOptimize(signer.sign(request, credentials));
}
BENCHMARK(sign_request);

void backoff_delay(benchmark::State& state) {
  Random random(1);
  std::uint32_t attempt = 0;
  for (auto _ : state) {
    attempt = attempt % 10 + 1;
    benchmark::DoNotOptimize(pace::backoff_delay(pace::kTransientBackoff, attempt, std::nullopt, random));
  }
}
BENCHMARK(backoff_delay);

}  // namespace
}  // namespace messina
