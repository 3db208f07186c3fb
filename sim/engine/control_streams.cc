// /_sim/tables/NAME/stream: what tests and rehearsals do to a stream.
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include "sim/engine/engine.h"

namespace messina::sim {
namespace {

namespace json = boost::json;

constexpr std::string_view kUsage =
    R"(a stream takes one of {"split":"SHARD-ID"}, {"split":"all"}, {"roll":"all"}, {"trim":"all"}, )"
    R"({"expire_iterators":"all"})";

json::object state_of(const Stream& stream, MonoTime now) {
  json::array shards;
  std::uint64_t trimmed = 0;
  for (const auto& [id, shard] : stream.shards()) {
    trimmed += shard.trimmed_count;
    json::object out{{"id", id},
                     {"open", shard.open()},
                     {"records", shard.records.size()},
                     {"trimmed", shard.trimmed_count}};
    if (!shard.parent.empty()) out["parent"] = shard.parent;
    shards.push_back(std::move(out));
  }
  return {{"arn", stream.identity().arn},
          {"status", stream.status(now)},
          {"appended", stream.appended()},
          {"trimmed", trimmed},
          {"shards", std::move(shards)}};
}

Outcome<void> split(Stream& stream, const std::string& shard, Moment now) {
  if (stream.style() == StreamStyle::alternator)
    return invalid(R"(Alternator's shards do not split: {"roll":"all"} makes a new generation of them)");
  std::vector<std::string> ids;
  for (const auto& [id, known] : stream.shards()) {
    if (shard == "all" ? known.open() : id == shard) ids.push_back(id);
  }
  if (ids.empty()) return refuse("NotFound", fmt::format("there is no shard {}", shard), 404);
  for (const std::string& id : ids) {
    switch (stream.split(id, now)) {
      case Stream::SplitResult::done:
        break;
      case Stream::SplitResult::no_such_shard:
      case Stream::SplitResult::closed_already:
        return invalid(fmt::format("the shard {} is closed already", id));
      case Stream::SplitResult::too_narrow:
        return invalid(fmt::format("the shard {} holds one token only", id));
    }
  }
  return {};
}

}  // namespace

Outcome<std::string> Engine::control_stream(Table& table, const Request& request) {
  if (!table.stream) return refuse("NotFound", fmt::format("{} has no stream", table.spec.name), 404);
  Stream& stream = *table.stream;
  stream.trim_all(now().mono);
  if (request.method == "POST") {
    boost::system::error_code error;
    const json::value body = json::parse(json::string_view(request.body.data(), request.body.size()), error);
    const json::object* wanted = error ? nullptr : body.if_object();
    if (wanted == nullptr || wanted->size() != 1 || !wanted->begin()->value().is_string())
      return invalid(std::string(kUsage));
    const std::string_view what = wanted->begin()->key();
    const std::string which(wanted->begin()->value().get_string());
    if (what != "split" && which != "all") return invalid(std::string(kUsage));
    if (what == "split") {
      if (const auto ok = split(stream, which, now()); !ok) return std::unexpected(ok.error());
    } else if (what == "roll") {
      stream.roll_all(now());
    } else if (what == "trim") {
      stream.forget_records();
    } else if (what == "expire_iterators") {
      stream.expire_iterators(now().mono);
    } else {
      return invalid(std::string(kUsage));
    }
  }
  return json::serialize(state_of(stream, now().mono));
}

}  // namespace messina::sim
