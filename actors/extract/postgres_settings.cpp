#include "actors/extract/postgres_settings.hpp"

#include "actors/extract/table_options.hpp"

namespace rtdp::extract::pg {

namespace {

using namespace std::chrono_literals;

/// Letters, digits and underscore, as a slot's name must be.
std::string default_name(const std::string& source) {
  std::string out = "rtdp_";
  for (char c : source) {
    auto lower = c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c;
    bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    out += plain ? lower : '_';
  }
  return out.substr(0, 63);
}

} // namespace

config::spec settings_spec() {
  using config::field;
  config::spec s(
      "postgres",
      "Tables of a PostgreSQL database (10 or newer): a snapshot, then every change, read "
      "through logical replication with the built-in plugin pgoutput.");
  s.add(field("url", config::secret(),
              "postgresql://user:password@host:port/database; the user needs REPLICATION")
            .required())
      .add(field("tables", config::sections(),
                 "Tables to read, as SQL names them: `public.orders`, "
                 "`\"My Schema\".\"we.ird\"`, `public.*`, `public.orders_*`")
               .required()
               .of(with_table_options(
                   {field("name", std::string(), "Schema and table").required(),
                    field("before_images", false,
                          "Send the old row before each update; needs REPLICA IDENTITY FULL")})))
      .add(field("slot", std::string(), "Replication slot; `rtdp_<source>` when empty"))
      .add(field("publication", std::string(), "Publication; `rtdp_<source>` when empty"))
      .add(field("create", true,
                 "Create slot and publication, and add tables to it, when they are missing"))
      .add(field("snapshot", std::string("initial"),
                 "initial: read all rows first; never: only changes from now on")
               .one_of({"initial", "never"}))
      .add(field("on_lost", std::string("fail"),
                 "When changes are lost (slot or publication dropped, slot invalidated, server "
                 "restored): fail: stop and say why; resnapshot: begin with a new slot, read all "
                 "tables anew and drop from the sinks what they have no more")
               .one_of({"fail", "resnapshot"}))
      .add(field("heartbeat_interval", std::chrono::milliseconds(10s),
                 "How often the position moves on while the tables are idle, so that the server "
                 "can drop its log")
               .range(100, 3'600'000)
               .advanced())
      .add(field("heartbeat_table", std::string(),
                 "A table such as `rtdp.heartbeat` that gets a row each second: its way through "
                 "the log is what marks, lag and alarms then measure. Made when `create` is set; "
                 "empty: none"))
      .add(field("status_interval", std::chrono::milliseconds(5s),
                 "How often the server hears that we live")
               .range(100, 30'000)
               .advanced())
      .add(field("timeout", std::chrono::milliseconds(10s),
                 "Longest wait for a connection or an answer")
               .range(100, 600'000)
               .advanced());
  for (auto& f : snapshot_fields())
    s.add(std::move(f));
  return s;
}

result<ums::ns> table_pattern(const std::string& source, const std::string& item) {
  auto name = parse_table_name(item);
  if (!name)
    return name.error();
  return has_star(item) ? glob_of("postgres", source, name->schema, name->table)
                        : pattern_of("postgres", source, name->schema, name->table);
}

settings read_settings(const std::string& name, const config::section& given) {
  settings s;
  s.connect = {.url = given.get<config::secret>("url").reveal(),
               .application = "rtdp " + name,
               .replication = false,
               .timeout = given.duration("timeout")};
  s.replicate = s.connect;
  s.replicate.replication = true;
  for (const auto& t : given.get<config::sections>("tables")) {
    auto parsed = pg::parse_table_name(t.text("name"));
    if (parsed)
      s.tables.push_back({.name = *parsed,
                          .before_images = t.flag("before_images"),
                          .glob = has_star(t.text("name"))});
    else if (!s.tables_wrong)
      s.tables_wrong = parsed.error();
  }
  if (const auto& table = given.text("heartbeat_table"); !table.empty()) {
    auto parsed = pg::parse_table_name(table);
    if (parsed)
      s.heartbeat_table = std::move(*parsed);
    else if (!s.tables_wrong)
      s.tables_wrong = parsed.error().in("heartbeat_table");
  }
  auto or_default = [&](const std::string& text) {
    return text.empty() ? default_name(name) : text;
  };
  s.slot = or_default(given.text("slot"));
  s.publication = or_default(given.text("publication"));
  s.create = given.flag("create");
  s.initial = given.text("snapshot") == "initial";
  s.resnapshot = given.text("on_lost") == "resnapshot";
  s.name = name;
  s.heartbeat = given.duration("heartbeat_interval");
  s.status = given.duration("status_interval");
  s.chunks = read_snapshot_settings(given);
  return s;
}

} // namespace rtdp::extract::pg
