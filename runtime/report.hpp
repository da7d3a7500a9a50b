/// How a component tells FEEDBACK what it is doing. Plain data; merged by (class, name).
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace rtdp::runtime {

struct report {
  /// "source", "table", "stream", "flow", "sink".
  std::string component;
  std::string name;
  /// The kind of the file: "postgres", "kafka".
  std::string kind;
  /// A state word of DESIGN §6. Empty: as before.
  std::string state;
  /// Why it is in that state; cleared by a report with a state and no reason.
  std::string reason;
  /// Figures and texts, replaced one by one: "rows_in", "position", …
  std::map<std::string, int64_t> figures;
  std::map<std::string, std::string> texts;

  template<class Inspector>
  friend auto inspect(Inspector& f, report& x) {
    return f(x.component, x.name, x.kind, x.state, x.reason, x.figures, x.texts);
  }
};

} // namespace rtdp::runtime
