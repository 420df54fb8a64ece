#pragma once
// What UCX is still working on, and what happens when it is done.

#include <ucp/api/ucp.h>

#include <functional>
#include <list>
#include <string>

namespace ferry {

class UcxRequests {
 public:
  // Takes the bytes that the request read from or wrote to.
  using Done = std::function<void(ucs_status_t, std::string& bytes)>;
  // Calls one of UCX's ..._nbx functions and returns its answer.
  using Post = std::function<void*(std::string& bytes, const ucp_request_param_t& params)>;

  // The bytes stay in place until the request is done; then `done` runs, once: in this call or in a later poll.
  void send(std::string bytes, const Post& post, Done done);
  void receive(std::string bytes, const Post& post, Done done);  // for ucp_am_recv_data_nbx, whose callback differs

 private:
  struct Request {
    UcxRequests* owner = nullptr;
    std::list<Request>::iterator self = {};
    std::string bytes = {};
    Done done = {};
  };

  static void sent(void* handle, ucs_status_t status, void* request);
  static void received(void* handle, ucs_status_t status, size_t length, void* request);
  void start(std::string bytes, const Post& post, Done done, ucp_request_param_t params);
  void finish(Request& request, ucs_status_t status);

  std::list<Request> in_flight_;
};

}  // namespace ferry
