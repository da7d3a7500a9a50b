/// Makes rows up: for demos and benches. The n-th event of a table depends on the seed and on n
/// only (its ums_ts_ is the clock), so a position is a number, opening at any position costs
/// nothing and no state grows with the rows.
#include "actors/extract/driver.hpp"
#include "actors/extract/generator_history.hpp"
#include "runtime/core/time.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <thread>

namespace rtdp::extract {
namespace {

using namespace std::chrono;

using namespace rtdp::extract::generated;

constexpr size_t text_pool = 8192;
/// 2026-01-01 00:00 UTC; created_at counts milliseconds from here.
constexpr int64_t first_moment_us = 1'767'225'600'000'000;
/// Rows are due one by one, but wake-ups come at most every millisecond: batches, not single rows.
constexpr auto tick = 1ms;

/// What fills a column of the default table; columns of the settings are `any`.
enum class content : uint8_t { customer, quantity, price, created, any };

struct made_column {
  ums::field field;
  content what = content::any;
  int64_t length = 0;
};

/// Some 100 bytes a row.
std::vector<made_column> default_columns() {
  using ums::type;
  auto field = [](std::string name, type t) {
    return ums::field{.name = std::move(name), .type = t};
  };
  return {{field("customer_id", type::long_), content::customer},
          {field("qty", type::int_), content::quantity},
          {field("price", type::decimal), content::price},
          {field("note", type::string), content::any, 40},
          {field("created_at", type::datetime), content::created}};
}

void append_hundredths(int64_t value, ums::column& into) {
  char buffer[32];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value / 100).ptr;
  *end++ = '.';
  *end++ = char('0' + value / 10 % 10);
  *end++ = char('0' + value % 10);
  into.append_text({buffer, size_t(end - buffer)});
}

/// Fills cells from 64 random bits each.
class filler {
public:
  explicit filler(uint64_t seed) {
    for (size_t i = 0; i < text_pool; ++i) {
      auto letter = below(mix(seed + i), 30);
      pool_ += letter < 26 ? char('a' + letter) : ' ';
    }
  }

  void append(const made_column& c, uint64_t random, ums::column& into) const {
    switch (c.field.type) {
    case ums::type::string:
    case ums::type::binary:
      return into.append_text(text(random, c.length));
    case ums::type::decimal:
      return append_hundredths(below(random, 1'000'000), into);
    case ums::type::float_:
    case ums::type::double_:
      return into.append_real(double(below(random, 1'000'000)) / 64);
    case ums::type::boolean:
      return into.append_int(int64_t(random & 1));
    case ums::type::date:
      return into.append_int(20'000 + below(random, 1000));
    case ums::type::datetime:
      return into.append_int(first_moment_us + below(random, 1'000'000'000'000));
    case ums::type::jsonarray:
      return into.append_text("[1, 2, 3]");
    case ums::type::jsonobject:
      return into.append_text(R"({"made": true})");
    default:
      return into.append_int(below(random, 1'000'000));
    }
  }

private:
  /// Half of `length` up to all of it, on average three quarters.
  std::string_view text(uint64_t random, int64_t length) const {
    auto size = length / 2 + below(random, length - length / 2 + 1);
    auto from = below(random << 32 | random >> 32, int64_t(text_pool) - size);
    return std::string_view(pool_).substr(size_t(from), size_t(size));
  }

  std::string pool_;
};

struct generator_options {
  std::string source;
  std::vector<std::string> tables;
  std::vector<made_column> columns;
  int64_t rows_per_second, rows, keys, seed;
  double update_share, delete_share;
};

ums::ns name_of(const std::string& source, const std::string& table) {
  return {"generator", source, "main", table};
}

std::vector<ums::field> fields_of(const generator_options& o) {
  std::vector<ums::field> fields{
      {.name = "id", .type = ums::type::long_, .nullable = false, .key = true}};
  for (const auto& c : o.columns)
    fields.push_back(c.field);
  return fields;
}

class generator final : public driver {
public:
  explicit generator(generator_options o)
      : options_(std::move(o)), filler_(uint64_t(options_.seed)) {}

  error open(const std::string& position) override;
  error read(collector& out, milliseconds wait) override;
  error confirm(const std::string&) override { return {}; }
  source_progress progress() const override;

private:
  /// How many events there may be by now.
  int64_t due() const;
  milliseconds until_next(milliseconds at_most) const;
  void make(collector& out, int64_t up_to);
  void row(collector& out, size_t table, int64_t n, int64_t ts_us);

  generator_options options_;
  filler filler_;
  std::vector<history> histories_;
  std::vector<collector::handle> handles_;
  /// Events handed over; the position.
  int64_t next_ = 0;
  int64_t first_ = 0;
  steady_clock::time_point begun_;
};

error generator::open(const std::string& position) {
  if (options_.update_share + options_.delete_share > 1)
    return rejected("update_share and delete_share are more than 1 together");
  if (options_.keys == 0 && options_.update_share + 2 * options_.delete_share >= 1)
    return rejected("keys: 0 lets the tables grow without end, but there are not more inserts than "
                    "deletes; set keys, or lower update_share or delete_share");
  next_ = 0;
  auto end = position.data() + position.size();
  if (!position.empty() && (std::from_chars(position.data(), end, next_).ptr != end || next_ < 0))
    return rejected("the position must be a number of events, found: " + position);
  histories_.clear();
  for (size_t i = 0; i < options_.tables.size(); ++i)
    histories_.emplace_back(mix(uint64_t(options_.seed)) + i, options_.keys, options_.update_share,
                            options_.delete_share);
  first_ = next_;
  begun_ = steady_clock::now();
  return {};
}

int64_t generator::due() const {
  auto all = options_.rows == 0 ? std::numeric_limits<int64_t>::max() : options_.rows;
  if (options_.rows_per_second == 0)
    return all;
  duration<double> running = steady_clock::now() - begun_;
  return std::min(all, first_ + int64_t(running.count() * double(options_.rows_per_second)));
}

milliseconds generator::until_next(milliseconds at_most) const {
  if (options_.rows_per_second == 0 || (options_.rows > 0 && next_ >= options_.rows))
    return at_most;
  duration<double> when(double(next_ + 1 - first_) / double(options_.rows_per_second));
  auto left = ceil<milliseconds>(when - duration<double>(steady_clock::now() - begun_));
  return std::clamp(left, std::min<milliseconds>(tick, at_most), at_most);
}

error generator::read(collector& out, milliseconds wait) {
  handles_.clear();
  auto fields = fields_of(options_);
  for (const auto& t : options_.tables)
    handles_.push_back(out.table(name_of(options_.source, t), fields));
  auto up_to = due();
  if (up_to <= next_) {
    std::this_thread::sleep_for(until_next(wait));
    up_to = due();
  }
  if (up_to <= next_)
    return {};
  make(out, up_to);
  out.commit(std::to_string(next_));
  return {};
}

void generator::make(collector& out, int64_t up_to) {
  auto tables = int64_t(options_.tables.size());
  // Looking at the limits and at the clock only each 64 rows keeps them out of the profile.
  while (next_ < up_to && !out.full()) {
    auto end = std::min(up_to, next_ + 64);
    auto ts = now_us();
    for (; next_ < end; ++next_)
      row(out, size_t(next_ % tables), next_ / tables, ts);
  }
}

void generator::row(collector& out, size_t table, int64_t n, int64_t ts_us) {
  const auto& h = histories_[table];
  auto e = h.at(n);
  auto& b = out.row(handles_[table], e.op, ts_us);
  auto* cell = &b.columns[ums::system_columns];
  cell->append_int(h.key(e.ordinal));
  // Of the row for what never changes in it, of the event for what an update changes.
  auto of_row = mix(h.seed() + uint64_t(e.ordinal));
  auto of_event = mix(h.seed() ^ (uint64_t(n) << 1));
  for (const auto& c : options_.columns) {
    ++cell;
    switch (c.what) {
    case content::customer:
      cell->append_int(1 + below(of_row, 100'000));
      break;
    case content::quantity:
      cell->append_int(1 + below(of_event, 100));
      break;
    case content::price:
      append_hundredths(100 + below(of_event << 20 | of_event >> 44, 100'000), *cell);
      break;
    case content::created:
      cell->append_int(first_moment_us + e.ordinal * 1000);
      break;
    case content::any:
      of_event = mix(of_event);
      filler_.append(c, of_event, *cell);
    }
  }
}

source_progress generator::progress() const {
  source_progress out{.tables = {},
                      .idle = options_.rows > 0 && next_ >= options_.rows,
                      .complete_until_us = now_us()};
  for (const auto& t : options_.tables)
    out.tables.push_back({.name = name_of(options_.source, t), .snapshot_done = true});
  return out;
}

config::spec generator_spec() {
  using config::field;
  config::spec spec("generator", "Makes rows up, the same ones each time: for demos and benches.");
  spec.add(field("rows_per_second", int64_t{0}, "0 is as fast as possible.").range(0, 100'000'000));
  spec.add(field("rows", int64_t{0}, "Ends after so many; 0 is endless.").range(0, INT64_MAX));
  spec.add(field("keys", int64_t{1'000'000},
                 "Size of each table's key space; 0 lets it grow without end. When nine tenths are "
                 "in use, inserts that have no room become updates.")
               .range(0, int64_t{1} << 40));
  spec.add(field("update_share", 0.0, "Share of updates, 0 to 1.").range(0, 1));
  spec.add(
      field("delete_share", 0.0,
            "Share of deletes, 0 to 1; the oldest row goes. At most half, once the table is full.")
          .range(0, 1));
  spec.add(field("seed", int64_t{1}, "Another seed, other rows.").range(0, INT64_MAX));
  spec.add(field("tables", config::texts{"orders"}, "Tables; their events take turns."));
  spec.add(field("columns", config::sections{},
                 "Columns behind the key `id`. Default: customer_id long, qty int, price decimal, "
                 "note string, created_at datetime.")
               .of({field("name", std::string{}, "Name of the column.").required(),
                    field("type", std::string{"string"}, "UMS type.")
                        .one_of({"string", "int", "long", "float", "double", "boolean", "date",
                                 "datetime", "decimal", "binary", "jsonarray", "jsonobject"}),
                    field("length", int64_t{40}, "Longest text, for string and binary.")
                        .range(0, int64_t{text_pool} / 2)})
               .advanced());
  return spec;
}

generator_options read_generator(const std::string& name, const config::section& s) {
  generator_options o{.source = name,
            .tables = s.get<config::texts>("tables"),
            .columns = default_columns(),
            .rows_per_second = s.integer("rows_per_second"),
            .rows = s.integer("rows"),
            .keys = s.integer("keys"),
            .seed = s.integer("seed"),
            .update_share = s.get<double>("update_share"),
            .delete_share = s.get<double>("delete_share")};
  const auto& columns = s.get<config::sections>("columns");
  if (!columns.empty())
    o.columns.clear();
  for (const auto& c : columns)
    o.columns.push_back({{.name = c.text("name"),
                          .type = ums::type_from(c.text("type")).value_or(ums::type::string)},
                         content::any,
                         c.integer("length")});
  return o;
}

std::unique_ptr<driver> make_generator(const std::string& name, const config::section& s) {
  return std::make_unique<generator>(read_generator(name, s));
}

result<std::vector<ums::schema>> describe(const std::string& name, const config::section& s) {
  auto o = read_generator(name, s);
  std::vector<ums::schema> out;
  for (const auto& t : o.tables)
    out.push_back(schema_of(name_of(name, t), fields_of(o)));
  return out;
}

} // namespace

kind generator_source() { return {generator_spec(), &make_generator, &describe}; }

} // namespace rtdp::extract
