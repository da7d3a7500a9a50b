/// The commands that talk to a node: `rtdp status`, the lists, `flow`, `apply`, `dead-letters`. Each prints
/// a table or, with `json`, what machines read, and returns the exit code: 0 done, 1 refused or
/// failed, with the reason and the next useful command on `err`. main.cpp maps its arguments here.
#pragma once

#include "runtime/ops/client.hpp"
#include "runtime/ops/component.hpp"
#include "runtime/ops/table_snapshot.hpp"

#include <nlohmann/json_fwd.hpp>

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::ops {

/// RTDP_URL, or "http://127.0.0.1:8080".
std::string default_url();

/// True when `fd` is a terminal and NO_COLOR is not set.
bool wants_colour(int fd);

struct cli {
  std::string url = default_url();
  bool json = false;
  bool colour = false;
  std::ostream& out;
  std::ostream& err;

  /// `rtdp status`. 0 also when the node is not ready: scripts ask /readyz.
  int status() const;
  /// `rtdp flows`; with a name, only this one.
  int list(component_class c, const std::string& name = "") const;
  /// `rtdp tables NAME --versions`
  int versions(const std::string& table) const;
  /// `rtdp source NAME start|stop`, `rtdp flow NAME start|stop|rewind [--to TO]`; `verb` is one of
  /// these words.
  int change(component_class c, const std::string& name, const std::string& verb,
             const std::string& to = "") const;

  /// `rtdp snapshot TABLE… [--where W] [--sweep] [--pause|--resume|--cancel] [--wait]`; the order's
  /// own table is left out. `wait`: until all are done, with progress on a terminal.
  int snapshot(const std::vector<std::string>& tables, const snapshot_order& order,
               bool wait) const;

  /// `rtdp alarms [--all]`; else only those that are open.
  int alarms(bool all) const;

  /// `rtdp nodes`, `rtdp drifts`, `rtdp plan`
  int nodes() const;
  int drifts() const;
  int plan() const;
  /// `rtdp node NAME drain|undrain`
  int change_node(const std::string& name, const std::string& verb) const;
  /// `rtdp flow NAME drift --to NODE [--no-wait]`; `wait`: tells each step until it has ended, and 1
  /// when the flow stays where it was.
  int drift(const std::string& flow, const std::string& to, bool wait) const;
  /// `rtdp flow NAME cancel`
  int cancel_drift(const std::string& flow) const;
  /// `rtdp apply FILE`
  int apply(const std::string& file) const;

  /// `rtdp dead-letters list [--component C] [--limit N]`. With `json` one object a line.
  int dead_letters(const std::string& component, int64_t limit) const;
  int show_dead_letter(int64_t id) const;
  /// No ids: all of them (of one component unless empty).
  int replay_dead_letters(const std::vector<int64_t>& ids, const std::string& component) const;
  int drop_dead_letters(const std::vector<int64_t>& ids) const;

private:
  int watch(std::vector<std::string> names) const;
  int watch_drift(const std::string& flow, const std::string& after) const;
  int order(const std::string& method, const std::string& target, const std::string& body,
            const std::string& next, const char* type = json_type) const;
  int items(const char* path, std::string (*table)(const nlohmann::ordered_json&, bool)) const;
  /// Nothing when the call failed; the reason is on `err` then. `next` is the command that may
  /// help.
  std::optional<std::string> call(const std::string& method, const std::string& target,
                                  const std::string& body = "", const std::string& next = "",
                                  const char* type = json_type) const;
  /// One call a target; prints the sum of what the answers count under `done`.
  int each(const std::string& method, const std::vector<std::string>& targets,
           const char* done) const;
};

} // namespace rtdp::ops
