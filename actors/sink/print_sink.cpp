#include "actors/sink/driver.hpp"
#include "runtime/ums/codec.hpp"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace rtdp::sink {

namespace {

nlohmann::ordered_json json_of(const ums::column& c, size_t row) {
  if (c.is_null(row))
    return nullptr;
  switch (c.type()) {
  case ums::type::int_:
  case ums::type::long_:
    return c.ints()[row];
  case ums::type::boolean:
    return c.ints()[row] != 0;
  default: {
    // Decimals and reals as text: a JSON number would lose digits, NaN and infinity.
    std::string text;
    ums::append_cell(c, row, text);
    return text;
  }
  }
}

void append_json(const ums::batch& b, size_t row, std::string& out) {
  nlohmann::ordered_json line{{"namespace", b.schema->name.text()},
                              {"type", ums::to_string(b.kind)}};
  for (size_t i = 0; i < b.columns.size(); ++i)
    line[b.schema->fields[i].name] = json_of(b.columns[i], row);
  // A text that is not UTF-8 must still be seen.
  out += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  out += '\n';
}

/// One line a row whatever a cell holds.
void append_visible(std::string_view text, std::string& out) {
  for (char c : text) {
    if (c == '\n')
      out += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20)
      out += '?';
    else
      out += c;
  }
}

void append_text(const ums::batch& b, size_t row, std::string& out) {
  out += b.schema->name[ums::ns::table];
  if (!b.carries_rows())
    out.append(" ").append(ums::to_string(b.kind));
  std::string cell;
  for (size_t i = 0; i < b.columns.size(); ++i) {
    out.append("  ");
    append_visible(b.schema->fields[i].name, out);
    out += '=';
    cell.clear();
    if (b.columns[i].is_null(row))
      cell = "NULL";
    else
      ums::append_cell(b.columns[i], row, cell);
    append_visible(cell, out);
  }
  out += '\n';
}

class print final : public driver {
public:
  explicit print(bool json) : append_(json ? append_json : append_text) {}

  error connect() override { return {}; }
  result<std::string> take(const std::string&, int64_t) override { return std::string{}; }
  error prepare(const ums::schema&) override { return {}; }

  error write(const ums::slice& rows, const fence&) override {
    text_.clear();
    for (size_t i = rows.first; i < rows.first + rows.count; ++i)
      if (!rows.data->carries_rows() || rows.data->op(i) != 'b')
        append_(*rows.data, i, text_);
    if (std::fwrite(text_.data(), 1, text_.size(), stdout) != text_.size() || std::fflush(stdout))
      return unavailable(
          "stdout: cannot write; the reader of the pipe is gone or the disk is full");
    return {};
  }

  error advance(const fence&) override { return {}; }
  bool transactional() const override { return false; }

private:
  void (*append_)(const ums::batch&, size_t, std::string&);
  std::string text_;
};

} // namespace

kind print_sink() {
  using config::field;
  return {config::spec{"print", "Writes one line a row to stdout. For looking."}.add(
              field{"format", std::string{"text"}, "How a row looks."}.one_of({"text", "json"})),
          [](const config::section& settings, const target&) -> std::unique_ptr<driver> {
            return std::make_unique<print>(settings.text("format") == "json");
          }};
}

} // namespace rtdp::sink
