#include "actors/extract/table_actor.hpp"

namespace rtdp::extract {

namespace {

using self_pointer = runtime::table_actor::stateful_pointer<table_state>;

void merge(self_pointer self, const runtime::report& news) {
  auto& s = self->state;
  s.known.state = news.state;
  s.known.reason = news.reason;
  for (const auto& [name, value] : news.figures)
    if (name == "rows_in") {
      s.known.figures[name] += value;
      s.env.metrics->rows_in({.source = s.source, .table = s.known.name}).Increment(double(value));
    } else {
      s.known.figures[name] = value;
    }
  for (const auto& [name, value] : news.texts)
    s.known.texts[name] = value;
  auto figure = [self](const char* name) { return double(self->state.known.figures[name]); };
  s.env.metrics->snapshot_rows_done({s.source, s.known.name}).Set(figure("snapshot_rows_done"));
  s.env.metrics->snapshot_rows_estimated({s.source, s.known.name})
      .Set(figure("snapshot_rows_estimated"));
  s.env.metrics->snapshot_eta_seconds({s.source, s.known.name})
      .Set(figure("snapshot_eta_seconds"));
  self->send(s.env.feedback, runtime::atom::status_v, s.known);
}

/// Ends with its SOURCE, which tells why.
void end(self_pointer self, caf::exit_msg& why) {
  self->state.known.state = "stopped";
  self->send(self->state.env.feedback, runtime::atom::status_v, self->state.known);
  self->quit(std::move(why.reason));
}

} // namespace

runtime::table_actor::behavior_type table_actor(self_pointer self, runtime::environment env,
                                                std::string source, std::string ns) {
  self->state.env = std::move(env);
  self->state.source = source;
  self->state.known.component = "table";
  self->state.known.name = std::move(ns);
  self->state.known.kind = "table";
  self->state.known.texts["source"] = std::move(source);
  self->set_exit_handler([self](caf::exit_msg& why) { end(self, why); });
  return {
      [self](runtime::atom::status, const runtime::report& news) { merge(self, news); },
  };
}

} // namespace rtdp::extract
