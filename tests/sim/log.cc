#include "tests/sim/log.h"

#include <iomanip>
#include <ostream>

#include "core/base/error.h"

namespace ferry::sim {

namespace {

std::string name_of(const wire::Attempt& a) { return str("request ", a.request, " attempt ", a.attempt); }
std::string name_of(const wire::TicketName& t) { return str(name_of(t.attempt), " (ticket ", t.serial, ")"); }

std::string pages_of(const wire::Ticket& ticket) {
  std::string text;
  for (const wire::PageAtLease& p : ticket.pages) text += str(text.empty() ? "" : " ", p.page, "'", p.generation);
  return text;
}

std::string words(const wire::Welcome&) { return "Welcome"; }
std::string words(const wire::Refuse& m) { return "Refuse: " + m.why; }
std::string words(const wire::Introduce& m) {
  return str("Introduce pairing ", m.pairing, ": ", m.peer.key.name, " epoch ", m.peer.key.epoch,
             m.you_send ? ", to send to" : ", to get from");
}
std::string words(const wire::Connect& m) { return str("Connect pairing ", m.pairing); }
std::string words(const wire::Forget& m) { return str("Forget pairing ", m.pairing, ": ", m.why); }
std::string words(const wire::Run& m) { return "Run " + name_of(m.attempt); }
std::string words(const wire::Reserve& m) { return str("Reserve for ", name_of(m.attempt), ", pairing ", m.pairing); }
std::string words(const wire::Prefill& m) {
  return str("Prefill ", name_of(m.ticket.name), ", pairing ", m.ticket.pairing, ", into pages ", pages_of(m.ticket));
}
std::string words(const wire::Abort& m) { return "Abort " + name_of(m.attempt); }
std::string words(const wire::Stop&) { return "Stop"; }

std::string words(const wire::Hello& m) { return str("Hello, ", m.group.key.name, " epoch ", m.group.key.epoch); }
std::string words(const wire::Opened& m) { return str("Opened pairing ", m.pairing); }
std::string words(const wire::Paired& m) { return str("Paired ", m.pairing, " over ", m.transport); }
std::string words(const wire::Unpaired& m) { return str("Unpaired ", m.pairing, ": ", m.why); }
std::string words(const wire::Reserved& m) {
  return str("Reserved for ", name_of(m.ticket.name), ": pages ", pages_of(m.ticket), ", ", m.ticket.n_cached_tokens,
             " tokens there already");
}
std::string words(const wire::Full& m) { return str("Full: ", name_of(m.attempt), ", retry after ", m.retry_after_ms); }
std::string words(const wire::Tokens& m) {
  std::string text = str("Tokens of ", name_of(m.attempt), " from ", m.first, ":");
  for (const Token& t : m.tokens) text += str(" ", t.id);
  return text + (m.finish == Finish::none ? "" : ", the last");
}
std::string words(const wire::Failed& m) { return str("Failed ", name_of(m.attempt), ": ", m.why); }
std::string words(const wire::Aborted& m) { return "Aborted " + name_of(m.attempt); }
std::string words(const wire::Stats&) { return "Stats"; }

std::string words(const wire::PairHello& m) { return str("PairHello from rank ", m.rank); }
std::string words(const wire::Landed& m) {
  return str("Landed ", name_of(m.ticket), " rank ", m.rank, m.complete ? ", complete" : ", given up");
}
std::string words(const wire::Sealed& m) { return str("Sealed ", name_of(m.ticket), ", first token ", m.first.id); }
std::string words(const wire::Void& m) { return "Void " + name_of(m.ticket); }

template <class Message>
std::string any_words(const Message& message) {
  return std::visit([](const auto& m) { return words(m); }, message);
}

}  // namespace

std::string in_words(const wire::ToLeader& message) { return any_words(message); }
std::string in_words(const wire::ToRouter& message) { return any_words(message); }
std::string in_words(const wire::LinkMessage& message) { return any_words(message); }

void Log::line(const std::string& who, const std::string& what) const {
  if (!listening()) return;
  const double at = ms_between(begin_, timeline_->now());
  *out_ << std::fixed << std::setprecision(3) << std::setw(10) << at << " ms  " << std::left << std::setw(7) << who
        << std::right << ' ' << what << '\n';
}

}  // namespace ferry::sim
