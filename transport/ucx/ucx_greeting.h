#pragma once
// What the two ends of a connection say to each other, beside the messages of their owners.
//
// The key to a channel's memory does not stand in its address: it is the answer to who asks for it by name. So a
// channel knows everyone who can write through it, and whom it has to wait for when it closes.

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "core/seam/kv_link.h"
#include "transport/ucx/ucx_address.h"

namespace ferry {

// `from` is the channel that speaks, named by the worker in its address; `connection` is one of those that the writer
// has made to the other.
struct Hello {  // wants to write; answered by Welcome, or by Goodbye in the name of `to` where that is no more
  UcxAddress from = {};
  std::string to = {};
  PeerId connection = 0;
  template <class A>
  void fields(A& a) {
    a(from, to, connection);
  }
  bool operator==(const Hello&) const = default;
};
struct Welcome {
  std::string from = {};
  PeerId connection = 0;
  std::string key = {};  // to the memory, packed by UCX
  template <class A>
  void fields(A& a) {
    a(from, connection, key);
  }
  bool operator==(const Welcome&) const = default;
};
struct Goodbye {  // closes; who gets it writes no more, and says that by Farewell
  std::string from = {};
  bool again = false;  // no farewell has come since the first
  template <class A>
  void fields(A& a) {
    a(from, again);
  }
  bool operator==(const Goodbye&) const = default;
};
struct Farewell {  // everything that was put over this connection is in, and nothing will follow
  std::string from = {};
  PeerId connection = 0;
  template <class A>
  void fields(A& a) {
    a(from, connection);
  }
  bool operator==(const Farewell&) const = default;
};
using UcxGreeting = std::variant<Hello, Welcome, Goodbye, Farewell>;

std::string packed(const UcxGreeting& greeting);
std::optional<UcxGreeting> ucx_greeting_of(std::string_view bytes);  // nullopt: other bytes

}  // namespace ferry
