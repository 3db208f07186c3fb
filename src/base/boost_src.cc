// The parts of Boost that are not header-only, compiled here once.
#include <boost/asio/impl/src.hpp>
#include <boost/json/src.hpp>
