#pragma once
// The names of Boost.Asio and Boost.Beast that serving uses, short.

#include <string_view>
#include <utility>  // Boost 1.74 forgets it

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace ferry {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

inline std::string_view std_view(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace ferry
