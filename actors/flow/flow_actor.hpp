/// FLOW: the actor around a `pipeline`. Scheduled; owns its SINK, joins its STREAM, dies with
/// either so that its supervisor starts both again from the progress stored with the data.
///
/// From node to node it goes without a gap: one there is spawned warm and reads ahead, the one here
/// freezes when what is in flight is written, the warm one takes the fence and goes on from the
/// progress that stands with the data.
#pragma once

#include "actors/flow/pipeline.hpp"
#include "actors/flow/write_size.hpp"
#include "runtime/environment.hpp"
#include "runtime/protocol.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace rtdp::flow {

struct flow_settings {
  std::string name;
  /// UMS namespace pattern.
  std::string pattern;
  /// As the file names them, for lists.
  std::string sink, stream;
  std::vector<std::string> topics;
  /// By topic; one that is missing has a single partition.
  std::map<std::string, int32_t> partitions = {};
  /// Of its owner; 0: one more than the stored one.
  int64_t epoch = 0;
  /// Only to get ready to go on behind this progress (its text), until it is told to resume.
  std::optional<std::string> warm = {};
  /// Batches under way from STREAM to SINK at once: bounds memory, keeps SINK busy.
  uint32_t credit = 4;
  /// Above it the flow fails: so many bad rows mean that something else is wrong.
  int64_t dead_letters_max = 10'000;
  /// A heartbeat actor per source name; marks are told to the one they came from.
  std::map<std::string, runtime::heartbeat_actor> heartbeats;
};

struct flow_state {
  /// opening: SINK takes the fence. warm: gets ready to take over, or is. resuming: SINK takes the
  /// fence for it. frozen: takes nothing more, until it thaws or ends. ending: it failed, and waits
  /// for SINK to end, which may be writing: whoever starts again under this epoch must not meet it.
  enum class phase : uint8_t { opening, warm, resuming, running, frozen, ending };

  runtime::environment env;
  flow_settings settings;
  std::shared_ptr<pipeline> work;
  runtime::sink_actor sink;
  runtime::stream_actor stream;
  runtime::report known;

  /// A delivery between arrival and ack, in order of arrival.
  struct under_way {
    runtime::delivery what;
    state::progress after;
    /// Orders that SINK has not answered yet.
    size_t unwritten = 0;
    bool costs_credit = true;
    int64_t stepped_us = 0;
  };
  std::deque<under_way> queue;
  /// Of what changes the state of its steps.
  write_size size;
  /// What is applied, and what of it the sink has stored.
  state::progress applied, stored;
  /// Time of the last mark of each source that came through: everything that was committed in it
  /// before is in the target.
  std::map<std::string, int64_t> complete_until_us;
  /// By topic: time of the last mark that came through each partition.
  std::map<std::string, std::map<std::string, int64_t>> marks_us;
  int64_t dead_letters = 0;
  int64_t stored_us = 0;
  /// SINK is storing progress without rows.
  bool advancing = false;

  phase now = phase::opening;
  /// SINK has told the progress, and the state of the steps is not there yet.
  bool restoring = false;
  /// Of a warm flow: its state has come up with that of the node that runs it.
  bool follows = false;
  bool stopping = false;
  /// Why it is ending.
  error over;
  /// What came while it takes nothing, in order; its credit bounds it.
  std::deque<runtime::delivery> held;
  /// Of the last join, and the progress it stood for.
  uint32_t ticket = 0;
  state::progress joined_behind;
  /// What a warm flow still waits for, and who waits for it.
  size_t unready = 0;
  std::vector<caf::typed_response_promise<bool>> on_ready;
  std::optional<caf::typed_response_promise<bool>> on_resumed;
  /// Somebody asked it to freeze, and it works off what came faster than it was written.
  std::optional<std::chrono::steady_clock::time_point> settling_since;
  std::chrono::steady_clock::time_point frozen_since;
  std::vector<caf::typed_response_promise<std::string>> on_frozen;
  static inline constexpr const char* name = "flow";
};

runtime::flow_actor::behavior_type
flow_actor(runtime::flow_actor::stateful_pointer<flow_state> self, runtime::environment env,
           flow_settings settings, std::shared_ptr<pipeline> work, runtime::sink_actor sink,
           runtime::stream_actor stream);

} // namespace rtdp::flow
