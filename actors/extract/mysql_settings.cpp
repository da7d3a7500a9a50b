#include "actors/extract/mysql_settings.hpp"

#include "actors/extract/table_options.hpp"

namespace rtdp::extract::my {

using namespace std::chrono_literals;

config::spec settings_spec() {
  using config::field;
  config::spec s("mysql", "Tables of a MariaDB (10.4 or newer) or MySQL (8.0, not tested) server: a "
                          "snapshot, then every change, read from the binary log as a replica does. "
                          "Needs binlog_format=ROW and binlog_row_image=FULL.");
  s.add(field("url", config::secret(),
              "mysql://user:password@host:port/database, with ?tls=on or ?tls=verify&ca=FILE "
              "behind it for TLS; the user needs SELECT, REPLICATION SLAVE and BINLOG MONITOR "
              "(MySQL: REPLICATION CLIENT)")
            .required())
      .add(field("tables", config::sections(),
                 "Tables to read: `shop.orders`, `\"My Shop\".\"we.ird\"`, `shop.order_*`; without a "
                 "database, that of the URL")
               .required()
               .of(with_table_options(
                   {field("name", std::string(), "Database and table").required(),
                    field("before_images", false, "Send the old row before each update")})))
      .add(field("server_id", int64_t{0},
                 "The replica's number that the server knows us by, unlike that of every other "
                 "replica; 0 draws one")
               .range(0, 4'294'967'295)
               .advanced())
      .add(field("snapshot", std::string("initial"),
                 "initial: read all rows first; never: only changes from now on")
               .one_of({"initial", "never"}))
      .add(field("on_lost", std::string("fail"),
                 "When the server no longer has the log behind the stored position, has another "
                 "log, or a table's columns are not known any more. fail: stop and say why; "
                 "resnapshot: read all rows anew, and drop those that are gone")
               .one_of({"fail", "resnapshot"}))
      .add(field("zero_dates", std::string("reject"),
                 "What becomes of 0000-00-00 and dates like it. reject: the row is a dead letter; "
                 "null: it is null; text: columns of dates and times are text as the server "
                 "prints it")
               .one_of({"reject", "null", "text"}));
  for (auto& f : snapshot_fields())
    if (f.name != "snapshot_parallel") // A piece goes out at its own place of the log, so one by one.
      s.add(std::move(f));
  s.add(field("heartbeat_interval", std::chrono::milliseconds(10s),
              "How often the position moves on while the tables are idle")
            .range(100, 3'600'000)
            .advanced())
      .add(field("timeout", std::chrono::milliseconds(10s),
                 "Longest wait for a connection or an answer")
               .range(3'000, 600'000)
               .advanced());
  return s;
}

result<ums::ns> table_pattern(const std::string& source, const std::string& item) {
  // Without a database only the URL says which one it is, and it may come from the environment.
  auto name = parse_table_name(item, "*");
  if (!name)
    return name.error();
  bool plain = name->database != "*" && !has_star(item);
  return plain ? pattern_of("mysql", source, name->database, name->table)
               : glob_of("mysql", source, name->database, name->table);
}

settings read_settings(const std::string& name, const config::section& given) {
  settings s;
  s.connect = {.url = given.get<config::secret>("url").reveal(),
               .application = "rtdp " + name,
               .timeout = given.duration("timeout")};
  auto to = parse_url(s.connect.url);
  if (!to)
    s.wrong = to.error();
  for (const auto& t : given.get<config::sections>("tables")) {
    auto parsed = parse_table_name(t.text("name"), to ? to->database : "");
    if (parsed)
      s.tables.push_back({.name = *parsed, .before_images = t.flag("before_images"),
                          .glob = has_star(t.text("name"))});
    else if (!s.wrong)
      s.wrong = parsed.error();
  }
  s.server_id = uint32_t(given.integer("server_id"));
  s.initial = given.text("snapshot") == "initial";
  s.resnapshot = given.text("on_lost") == "resnapshot";
  const auto& zeros = given.text("zero_dates");
  s.zeros = zeros == "null"   ? zero_dates::null
            : zeros == "text" ? zero_dates::text
                              : zero_dates::reject;
  s.snapshots.chunk_rows = size_t(given.integer("snapshot_chunk_rows"));
  s.snapshots.rows_per_second = given.integer("snapshot_rows_per_second");
  s.heartbeat = given.duration("heartbeat_interval");
  return s;
}

} // namespace rtdp::extract::my
