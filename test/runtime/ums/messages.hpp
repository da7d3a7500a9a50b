/// What the UMS tests share: messages from text, batches as text, random batches. Used by
/// test/runtime/ums and test/fuzz.
#pragma once

#include "runtime/ums/codec.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace rtdp::ums {

/// Everything that one or more messages gave.
struct reading {
  std::vector<batch> batches;
  std::vector<bad_row> bad;
  error failed;
};

inline reading read_all(std::string_view message) {
  reading r;
  reader from;
  r.failed = from.read(message, r.batches, r.bad);
  return r;
}

/// A cell with its null, comparable bit by bit: "null" or "=" and the text on the wire.
inline std::string shown_cell(const column& c, size_t row) {
  if (c.is_null(row))
    return "null";
  std::string out = "=";
  append_cell(c, row, out);
  return out;
}

/// Kind, name, fields and rows, a line each.
inline std::string shown(const batch& b) {
  auto out = std::string(to_string(b.kind)) + ' ' + b.schema->name.text() + " batchId " +
             std::to_string(b.schema->batch_id) + '\n';
  for (const auto& f : b.schema->fields) {
    out += "  " + f.name + ' ' + std::string(to_string(f.type)) + (f.nullable ? "" : " not null") +
           (f.key ? " key" : "") + (f.encoded ? " encoded" : "") +
           (f.native.empty() ? "" : " native " + f.native) + '\n';
  }
  for (size_t row = 0; row < b.rows(); ++row) {
    out += " ";
    for (const auto& c : b.columns)
      out += ' ' + shown_cell(c, row);
    out += '\n';
  }
  return out;
}

/// A message of orders with these tuples, each as JSON.
inline std::string orders(std::initializer_list<std::string_view> tuples) {
  std::string out =
      R"({"protocol":{"type":"data_increment_data"},"schema":{"namespace":"p.s.d.orders.0.0.0",)"
      R"("fields":[{"name":"ums_id_","type":"long"},{"name":"ums_ts_","type":"datetime"},)"
      R"({"name":"ums_op_","type":"string"},{"name":"note","type":"string","nullable":true}]},)"
      R"("payload":[)";
  for (auto t : tuples)
    out.append(out.back() == '[' ? "" : ",").append(R"({"tuple":)").append(t).append("}");
  return out + "]}";
}

/// The schema that every writer of data has: system columns, then `others`.
inline schema_ptr table(std::vector<field> others, ns name = ns("p", "s", "d", "t")) {
  schema s;
  s.name = std::move(name);
  s.fields = {{std::string(id_name), type::long_, false},
              {std::string(ts_name), type::datetime, false},
              {std::string(op_name), type::string, false}};
  s.fields.insert(s.fields.end(), others.begin(), others.end());
  return std::make_shared<const schema>(std::move(s));
}

/// Appends the system columns of one row.
inline void begin_row(batch& b, int64_t id, std::string_view op = "i") {
  b.columns[0].append_int(id);
  b.columns[1].append_int(id % 1'000'000'000 * 1000);
  b.columns[2].append_text(op);
}

/// Random rows: every type, nulls, and the values at the edge of each type.
class any_batch {
public:
  explicit any_batch(uint32_t seed) : random_(seed) {}

  uint64_t below(uint64_t n) { return std::uniform_int_distribution<uint64_t>(0, n - 1)(random_); }

  batch make() {
    std::vector<field> others;
    for (auto n = below(10); n > 0; --n) {
      auto t = ums::type(below(12));
      others.push_back({text(6) + '#' + std::to_string(n), t, true, below(4) == 0, below(4) == 0,
                        below(3) ? "" : text(8)});
    }
    batch b(table(others, ns(text(4) + 'a', "s", "d", text(4) + 't')), protocol(below(3)));
    char op = 'i';
    for (auto rows = below(130); rows > 0; --rows) {
      // A before-image is never the last row, and its update follows.
      op = op == 'b' ? 'u' : "iudb"[below(rows > 1 ? 4 : 3)];
      begin_row(b, int64_t(random_()), {&op, 1});
      for (size_t i = system_columns; i < b.columns.size(); ++i)
        append(b.columns[i]);
    }
    return b;
  }

  /// UTF-8 with all that JSON escapes.
  std::string text(size_t most) {
    constexpr std::string_view pieces[] = {std::string_view("\0", 1),
                                           "\"",
                                           "\\",
                                           "\n",
                                           "\x1f",
                                           "\x7f",
                                           "a",
                                           "bc",
                                           " ",
                                           ".",
                                           "*",
                                           "/",
                                           "é",
                                           "漢",
                                           "😀",
                                           "\u2028",
                                           "12345678"};
    std::string out;
    for (auto n = below(most + 1); n > 0; --n)
      out += pieces[below(std::size(pieces))];
    return out;
  }

private:
  int64_t pick(std::initializer_list<int64_t> edges) {
    return below(3) ? int64_t(random_() >> below(64)) : edges.begin()[below(edges.size())];
  }

  std::string decimal() {
    constexpr std::string_view words[] = {"NaN",  "Infinity", "-Infinity", "-0",
                                          "0.10", "1E-30",    "+.5",       "7."};
    if (below(3) == 0)
      return std::string(words[below(std::size(words))]);
    return "-" + std::to_string(random_()) + std::to_string(random_()) + "." +
           std::to_string(random_());
  }

  double real(bool is_float) {
    constexpr double edges[] = {0.0,
                                -0.0,
                                1.0 / 3,
                                1e300,
                                5e-324,
                                -1.5,
                                1.7976931348623157e308,
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN()};
    auto value = below(2) ? edges[below(std::size(edges))]
                          : std::ldexp(double(random_()), int(below(200)) - 100);
    // A float column holds what a float holds.
    if (!is_float || std::isinf(value))
      return value;
    return std::abs(value) < 1e30 && std::abs(value) > 1e-30 ? double(float(value)) : 0.25;
  }

  void append(column& c) {
    if (below(5) == 0)
      return c.append_null();
    switch (c.type()) {
    case type::int_:
      return c.append_int(int32_t(pick({INT32_MIN, INT32_MAX, 0, -1})));
    case type::long_:
      return c.append_int(pick({INT64_MIN, INT64_MAX, 0, -1}));
    case type::boolean:
      return c.append_int(int64_t(below(2)));
    case type::date:
      return c.append_int(pick({minus_infinity, plus_infinity, 0, -719'529, -719'163, 2'932'896,
                                2'147'483'493, -1'000'000'000'000}) %
                          9'000'000'000'000'000'000);
    case type::datetime:
      return c.append_int(
          pick({minus_infinity, plus_infinity, minus_infinity + 1, plus_infinity - 1, -1, 0}));
    case type::float_:
    case type::double_:
      return c.append_real(real(c.type() == type::float_));
    case type::decimal:
      return c.append_text(decimal());
    case type::binary: {
      std::string bytes;
      for (auto n = below(9); n > 0; --n)
        bytes += char(random_());
      return c.append_text(bytes);
    }
    default:
      return c.append_text(text(30));
    }
  }

  std::mt19937_64 random_;
};

} // namespace rtdp::ums
