#include "actors/extract/postgres_chunk_reader.hpp"

#include <charconv>

namespace rtdp::extract::pg {

namespace {

using namespace std::chrono_literals;

/// Rows taken before the log is looked at again: some 10 ms.
constexpr int rows_at_once = 4096;
/// A chunk that got so large is given up and read again in smaller pieces.
constexpr size_t bytes_max = 64 << 20;
/// Behind the time-out that the server itself has for a statement.
constexpr auto silence_max = 11min;

} // namespace

result<chunk_reader> chunk_reader::open(const connection::options& o) {
  auto c = connection::open(o);
  if (!c)
    return c.error();
  // The message behind a chunk must reach the log on disk here, not a standby.
  auto done = c->query("set synchronous_commit = local; set standard_conforming_strings = on; "
                       "set statement_timeout = '10min'; set lock_timeout = '10s'; "
                       "set idle_in_transaction_session_timeout = 0");
  if (!done)
    return done.error().in("snapshot");
  chunk_reader out(std::move(*c));
  out.check_text_ = out.connection_.parameter("server_encoding") == "SQL_ASCII";
  return out;
}

error chunk_reader::find_bound(const chunk_table& t, const key_texts& from) {
  stage_ = stage::bound;
  finding_.emplace();
  heard_ = connection::clock::now();
  return connection_.send(bound_statement(t, from));
}

error chunk_reader::read(const chunk_table& t, const key_texts& from, const key_texts& to,
                         const std::string& slot) {
  stage_ = stage::before_rows;
  auto schema = std::make_shared<ums::schema>(
      schema_of({"postgres", "", t.name.schema, t.name.table}, t.columns.fields));
  reading_.emplace(read_chunk{ums::batch(std::move(schema)), {}, {}, 0, 0, {}});
  for (size_t i = ums::system_columns; i < reading_->rows.columns.size(); ++i)
    reading_->rows.columns[i].reserve(t.rows);
  decoder_.emplace(t.columns, check_text_);
  heard_ = connection::clock::now();
  return connection_.send(chunk_statements(t, from, to, slot));
}

error chunk_reader::advance() {
  if (!busy())
    return {};
  auto now = connection::clock::now();
  if (auto failed = connection_.wait(now))
    return failed.in("snapshot");
  while (busy()) {
    if (stage_ == stage::rows) {
      if (auto failed = take_rows())
        return failed.in("snapshot");
      if (stage_ == stage::rows)
        break;
    }
    auto o = connection_.next_outcome();
    if (!o)
      return o.error().in("snapshot");
    if (o->what == connection::outcome::waiting)
      break;
    heard_ = now;
    if (auto failed = take_outcome(*o))
      return failed.in("snapshot");
  }
  if (busy() && now - heard_ > silence_max)
    return unavailable("snapshot: PostgreSQL did not answer in time");
  return {};
}

error chunk_reader::take_rows() {
  for (int n = 0; n < rows_at_once; ++n) {
    bool at_end = false;
    auto bytes = connection_.copied_row(at_end);
    if (!bytes)
      return bytes.error();
    if (at_end) {
      stage_ = stage::behind_rows;
      return {};
    }
    if (bytes->empty())
      return {};
    heard_ = connection::clock::now();
    std::optional<std::string> bad;
    auto row = decoder_->row_in(*bytes);
    if (!row)
      return row.error();
    if (row->empty())
      continue;
    if (auto failed = decoder_->append(*row, reading_->rows, bad))
      return failed;
    if (bad)
      reading_->bad.emplace_back(std::move(*bad), std::string(*row));
    if (n % 64 == 0 && reading_->rows.bytes() > bytes_max) {
      stage_ = stage::too_large;
      return {};
    }
  }
  return {};
}

error chunk_reader::take_seen(const connection::row& r) {
  auto seen = parse_seen_by(r[0].value_or(""), r[1].value_or(""));
  if (!seen)
    return seen.error();
  reading_->seen = std::move(*seen);
  auto at = r[2].value_or("");
  std::from_chars(at.data(), at.data() + at.size(), reading_->at_us);
  reading_->fingerprint = r[3].value_or("");
  return {};
}

error chunk_reader::take_outcome(connection::outcome& o) {
  using outcome = connection::outcome;
  if (o.what == outcome::copying) {
    stage_ = stage::rows;
    return {};
  }
  if (o.what == outcome::over) {
    if (stage_ == stage::bound)
      bound_ = std::exchange(finding_, {});
    else
      chunk_ = std::exchange(reading_, {});
    stage_ = stage::idle;
    return {};
  }
  if (o.table.empty())
    return {};
  const auto& r = o.table.front();
  if (stage_ == stage::before_rows)
    return take_seen(r);
  if (stage_ == stage::behind_rows)
    reading_->high = parse_lsn(r[0].value_or("")).value_or(0);
  else
    for (const auto& part : r)
      finding_->push_back(part.value_or(""));
  return {};
}

} // namespace rtdp::extract::pg
