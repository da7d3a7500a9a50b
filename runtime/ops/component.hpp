/// What lists, the status page and metrics show of a component: plain values, copied out of the
/// actors by the composition root. Owns no thread and no lock; a value belongs to who holds it.
#pragma once

#include "runtime/core/error.hpp"

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rtdp::ops {

/// The five lists, in the order in which data passes them.
enum class component_class : uint8_t { source, table, stream, flow, sink };

inline constexpr std::array all_classes = {component_class::source, component_class::table,
                                           component_class::stream, component_class::flow,
                                           component_class::sink};

/// "flow"
const char* to_string(component_class c);
/// "flows", as the lists are named in REST and on the command line.
const char* plural(component_class c);

/// The same words for every component (DESIGN §6). `to_string(state::new_)` is "new".
enum class state : uint8_t {
  new_,
  starting,
  running,
  drifting,
  suspended,
  stopping,
  stopped,
  failed,
};

inline constexpr std::array all_states = {
    state::new_,      state::starting, state::running, state::drifting,
    state::suspended, state::stopping, state::stopped, state::failed,
};

const char* to_string(state s);
std::optional<state> parse_state(std::string_view text);

/// True when a component may go from one state to the other. Staying where it is, with a new
/// reason, is always allowed.
bool legal(state from, state to);

/// Makes the move, or `rejected` with both states; `current` then keeps its value.
error move(state& current, state to);

/// What a list shows behind the fixed columns. Counts are integers, times in seconds or
/// milliseconds are reals, positions are text.
using fact = std::variant<int64_t, double, std::string>;

/// The names of facts that the status page and the tables of the command line know. Others are
/// passed through to JSON.
namespace facts {
inline constexpr auto rows_in = "rows_in";
inline constexpr auto rows_out = "rows_out";
inline constexpr auto lag_rows = "lag_rows";
inline constexpr auto lag_seconds = "lag_seconds";
inline constexpr auto latency_p50_ms = "latency_p50_ms";
inline constexpr auto latency_p99_ms = "latency_p99_ms";
inline constexpr auto dead_letters = "dead_letters";
inline constexpr auto epoch = "epoch";
inline constexpr auto position = "position";
/// -1 in `snapshot_rows_estimated`: the source cannot say.
inline constexpr auto snapshot_rows_done = "snapshot_rows_done";
inline constexpr auto snapshot_rows_estimated = "snapshot_rows_estimated";
/// -1: not known; 0: nothing is left.
inline constexpr auto snapshot_eta_seconds = "snapshot_eta_seconds";
/// 1 when the snapshot is complete.
inline constexpr auto snapshot_done = "snapshot_done";
inline constexpr auto retained_bytes = "retained_bytes";
inline constexpr auto schema_version = "schema_version";
inline constexpr auto source = "source";
inline constexpr auto sink = "sink";
inline constexpr auto stream = "stream";
inline constexpr auto retries = "retries";
} // namespace facts

struct component {
  component_class class_ = component_class::source;
  std::string name;
  std::string kind;
  ops::state state = ops::state::new_;
  /// Why it is in this state; empty when there is nothing to say.
  std::string reason;
  std::string node;
  /// When it came into this state.
  int64_t since_us = 0;
  std::vector<std::pair<std::string, fact>> facts{};

  /// Replaces the fact of this name, or appends it.
  component& set(std::string_view name, fact value);
  /// Null when there is none.
  const fact* find(std::string_view name) const;
};

/// "2026-11-22T10:13:24.213456Z"
std::string rfc3339(int64_t time_us);

/// `{"name":…,"class":…,"kind":…,"state":…,"reason":…,"node":…,"since":…, facts…}`
nlohmann::ordered_json to_json(const component& c);
nlohmann::ordered_json to_json(const std::vector<component>& list);

/// `{"items":[…]}`, the form of every list in REST.
std::string items_json(nlohmann::ordered_json items);

/// JSON text of any value. Bytes that are no UTF-8 become U+FFFD, since text of components comes
/// from databases and must not break a page.
std::string dump(const nlohmann::ordered_json& value);

} // namespace rtdp::ops
