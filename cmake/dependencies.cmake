# All dependencies are Debian packages, installed by tools/install-debian.sh; ARCHITECTURE.md says why each is there.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(pugixml REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(simdjson REQUIRED IMPORTED_TARGET simdjson)
pkg_check_modules(libdeflate REQUIRED IMPORTED_TARGET libdeflate)
pkg_check_modules(rocksdb REQUIRED IMPORTED_TARGET rocksdb)
find_package(Boost 1.81 REQUIRED)

# Boost's parts that are not header-only are compiled once, in src/base/boost_src.cc.
add_library(messina_boost INTERFACE)
target_link_libraries(messina_boost INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(messina_boost INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_JSON_STANDALONE_COMPILATION
  BOOST_ALL_NO_LIB)
if(MESSINA_TESTS)
  find_package(GTest REQUIRED)
endif()
if(MESSINA_BENCH)
  find_package(benchmark REQUIRED)
endif()
