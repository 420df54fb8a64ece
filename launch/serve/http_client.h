#pragma once
// Asks a router something over HTTP or HTTPS, as commands do that look at one from outside.

#include <string>

namespace ferry {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

struct RouterAddress {
  std::string url = "http://127.0.0.1:8000";
  std::string key;  // of the API; empty: none
  std::string ca;   // PEM file of who signed the router's certificate; empty: whom this machine trusts
};

class HttpClient {
 public:
  // Error when it is no http:// or https:// address.
  explicit HttpClient(RouterAddress address);

  // Error when nobody answers within a few seconds, with what to do.
  HttpAnswer get(const std::string& path) const;
  HttpAnswer post(const std::string& path, std::string json) const;
  const std::string& url() const { return address_.url; }

 private:
  HttpAnswer ask(const std::string& path, std::string json) const;  // empty: nothing is sent with it

  RouterAddress address_;  // without a '/' at its end
  bool tls_ = false;
  std::string host_, port_;
};

}  // namespace ferry
