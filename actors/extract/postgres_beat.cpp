#include "actors/extract/postgres_beat.hpp"

#include "actors/extract/postgres_catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace rtdp::extract::pg {

error beat::prepare(connection& c, bool create, const std::vector<captured_table>& captured) const {
  if (std::any_of(captured.begin(), captured.end(), [&](auto& t) { return t.name == table_; }))
    return rejected(fmt::format("heartbeat_table {} is also one of `tables:`; its rows are marks, "
                                "so name another schema, such as rtdp.heartbeat",
                                quoted(table_)));
  auto exists = c.query("select 1 from pg_class c join pg_namespace s on s.oid = c.relnamespace "
                        "where s.nspname = $1 and c.relname = $2",
                        {table_.schema, table_.table});
  if (!exists)
    return exists.error();
  if (exists->empty() && !create)
    return rejected(fmt::format("heartbeat_table {0} does not exist: create table {0} (source text "
                                "primary key, marked_us bigint not null), or set create: true",
                                quoted(table_)));
  if (exists->empty()) {
    auto made = c.query(
        fmt::format("create schema if not exists {}; create table if not exists {} (source text "
                    "primary key, marked_us bigint not null)",
                    connection::identifier(table_.schema), quoted(table_)));
    if (!made)
      return made.error().in("heartbeat_table " + quoted(table_));
  }
  auto fits = c.query(fmt::format("select source, marked_us from {} limit 0", quoted(table_)));
  return fits ? error{} : fits.error().in("heartbeat_table " + quoted(table_));
}

error beat::write(int64_t now_us) {
  if (!writer_) {
    auto c = connection::open(connect_);
    if (!c)
      return c.error();
    if (auto set = c->query("set lock_timeout = '100ms'"); !set)
      return set.error();
    writer_.emplace(std::move(*c));
  }
  auto done =
      writer_->query(fmt::format("insert into {} (source, marked_us) values ($1, $2) on conflict "
                                 "(source) do update set marked_us = excluded.marked_us",
                                 quoted(table_)),
                     {source_, std::to_string(now_us)});
  if (done)
    return {};
  writer_.reset();
  return done.error().in("heartbeat_table " + quoted(table_));
}

void beat::came_back(const relation& r, const tuple& row) {
  auto text_of = [&](std::string_view name) -> std::optional<std::string_view> {
    for (size_t i = 0; i < r.columns.size() && i < row.size(); ++i)
      if (r.columns[i].name == name && row[i].what == cell::text)
        return row[i].value;
    return {};
  };
  auto marked = text_of("marked_us");
  if (text_of("source") != source_ || !marked)
    return;
  int64_t us = 0;
  auto [end, code] = std::from_chars(marked->data(), marked->data() + marked->size(), us);
  if (code == std::errc{} && end == marked->data() + marked->size())
    returned_us_ = std::max(returned_us_, us);
}

} // namespace rtdp::extract::pg
