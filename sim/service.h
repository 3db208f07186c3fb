// One simulated service on its event loop: the engine behind HTTP listeners.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/event_loop.h"
#include "net/http_server.h"
#include "sim/bench_mode.h"
#include "sim/engine/engine.h"

namespace messina::sim {

struct ListenOptions {
  std::vector<std::uint16_t> ports;  ///< one per node; 0: a free one
  std::vector<std::string> hosts;    ///< one per node
  std::string certificate_file;      ///< with key_file: TLS
  std::string key_file;
};

/// Owns its event loop, so that engine, listeners and connections live on one thread.
class Service {
 public:
  /// `bench` may be empty; with it Scan and BatchWriteItem never reach the engine.
  static Result<std::unique_ptr<Service>> start(std::string name, EngineSettings settings,
                                                const ListenOptions& listen,
                                                std::optional<BenchOptions> bench);

  /// "127.0.0.1:8000,127.0.0.2:8000"
  std::string addresses() const;
  /// Runs on the loop; for start-up only (tables, preloaded items, faults).
  template <class F>
  auto with_engine(F f) {
    return net::run_on(loop_, call(&engine_, std::move(f)));
  }

 private:
  Service(std::string name, EngineSettings settings, std::optional<BenchOptions> bench);

  template <class F>
  static auto call(Engine* engine, F f) -> Task<decltype(f(*engine))> {
    co_return f(*engine);
  }
  static Task<net::ServerReply> serve(Service* service, std::size_t node, net::ServerRequest request);

  // The loop is declared last but for the servers: it stops its coroutines before what they use goes away.
  SystemClock clock_;
  Engine engine_;
  std::optional<BenchMode> bench_;
  net::EventLoop loop_;
  std::vector<std::unique_ptr<net::HttpServer>> servers_;
};

}  // namespace messina::sim
