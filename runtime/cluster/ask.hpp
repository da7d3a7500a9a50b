/// A request from a thread that is no actor: waits for the answer, at most the limit of
/// `ops::control`. Any thread.
#pragma once

#include "runtime/cluster/question.hpp"
#include "runtime/core/error.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <chrono>
#include <utility>

namespace rtdp::cluster {

inline constexpr std::chrono::seconds answer_timeout{5};

inline error told_by_node(std::chrono::milliseconds limit, const caf::error& e) {
  return answer_to({"this node", "by its interface", limit}, e);
}

template<class T, class Handle, class... Ts>
result<T> ask_within(std::chrono::milliseconds limit, caf::actor_system& system, const Handle& to,
                     Ts&&... xs) {
  caf::scoped_actor self{system};
  result<T> answer{unavailable("the node did not answer")};
  self->request(to, limit, std::forward<Ts>(xs)...)
      .receive([&answer](T& x) { answer = std::move(x); },
               [&answer, limit](caf::error& e) { answer = told_by_node(limit, e); });
  return answer;
}

template<class T, class Handle, class... Ts>
result<T> ask(caf::actor_system& system, const Handle& to, Ts&&... xs) {
  return ask_within<T>(answer_timeout, system, to, std::forward<Ts>(xs)...);
}

} // namespace rtdp::cluster
