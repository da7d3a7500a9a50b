#include "runtime/ums/codec.hpp"
#include "runtime/ums/json.hpp"
#include "runtime/ums/message.hpp"
#include "runtime/ums/scan.hpp"

#include <algorithm>

namespace rtdp::ums {

namespace {

/// A batch that holds this much gets no further message, so that its text stays far below the 4 GiB
/// that a column can address.
constexpr size_t batch_bytes_max = size_t{64} << 20;

/// Why a cell was not taken. Reasons are only put into words for rows that are bad.
enum class fault : uint8_t { none, type, null, op, escape, broken };

bool is_json(type t) { return t == type::jsonobject || t == type::jsonarray; }

/// Reads the tuples of one payload into one batch.
class row_reader {
public:
  row_reader(json::cursor& at, const known_schema& known, batch& into, std::vector<bad_row>& bad,
             std::string& scratch)
      : at_(at), known_(known), into_(into), bad_(bad), scratch_(scratch) {}

  /// Reads the array at the cursor. An error: it is not JSON.
  error read() {
    if (!at_.skip('['))
      return wrong_at(at_, "payload as an array");
    if (at_.skip(']'))
      return {};
    size_t index = 0;
    do {
      auto start = at_.token();
      auto rows = into_.rows();
      if (row())
        continue;
      for (auto& c : into_.columns)
        c.truncate(rows);
      if (auto e = set_aside(index, start))
        return e;
    } while (++index, at_.skip(','));
    return at_.skip(']') ? error{} : wrong_at(at_, "a comma or the end of payload");
  }

private:
  /// One element of payload: {"tuple":[…]}. False: the row is bad, or not even JSON; what it has
  /// appended and how far the cursor went is then for the caller to undo.
  bool row() {
    values_ = 0;
    bool found = false;
    if (!at_.skip('{') || at_.peek() == '}')
      return false;
    do {
      std::string_view key;
      if (!at_.key(key))
        return false;
      if (key == "tuple" && !found) {
        found = true;
        if (!tuple())
          return false;
      } else if (!at_.skip_value()) {
        return false;
      }
    } while (at_.skip(','));
    return found && at_.skip('}');
  }

  bool tuple() {
    if (!at_.skip('['))
      return false;
    auto count = known_.columns.size();
    if (at_.peek() == ']')
      return at_.skip(']') && count == 0;
    do {
      if (values_ == count || !cell(into_.columns[known_.columns[values_]]))
        return false;
      ++values_;
    } while (at_.skip(','));
    return values_ == count && at_.skip(']');
  }

  bool cell(column& c) {
    fault_ = fault::none;
    switch (at_.peek()) {
    case '"':
      return string_cell(c, at_.scalar());
    case '{':
    case '[':
      return nested_cell(c);
    case '\0':
    case '}':
    case ']':
    case ':':
    case ',':
      return fail(fault::broken);
    default:
      return plain_cell(c, at_.scalar());
    }
  }

  bool string_cell(column& c, std::string_view raw) {
    auto t = c.type();
    // Only text can hold a backslash and still look right; any other type would not parse, and
    // comes back here unescaped.
    bool text = storage_of(t) == storage::texts && t != type::decimal && t != type::binary;
    if ((!text || !scan::has_backslash(raw)) && append_parsed(c, raw))
      return is_op(c);
    if (!text && raw.find('\\') == raw.npos)
      return fail(fault::type);
    if (!json::unescape(raw, scratch_))
      return fail(fault::escape);
    return append_parsed(c, scratch_) ? is_op(c) : fail(fault::type);
  }

  bool plain_cell(column& c, std::string_view text) {
    if (text == "null") {
      if (is_required(c))
        return fail(fault::null);
      c.append_null();
      return true;
    }
    if (!json::is_plain_scalar(text))
      return fail(fault::broken);
    return append_parsed(c, text) ? is_op(c) : fail(fault::type);
  }

  /// A JSON column may also come as JSON itself.
  bool nested_cell(column& c) {
    auto start = at_.token();
    bool object = at_.peek() == '{';
    if (!is_json(c.type()) || object != (c.type() == type::jsonobject))
      return fail(fault::type);
    if (!at_.skip_value())
      return fail(fault::broken);
    c.append_text(at_.stepped_over(start));
    return true;
  }

  bool is_required(const column& c) const {
    auto at = size_t(&c - into_.columns.data());
    const auto& f = into_.schema->fields[at];
    return is_system(f.name) && (!f.nullable || (into_.carries_rows() && at < system_columns));
  }

  /// The operation is one of four letters; any other column is what it is.
  bool is_op(const column& c) {
    if (!into_.carries_rows() || &c != &into_.columns[system_columns - 1])
      return true;
    auto op = c.text(c.size() - 1);
    return op == "i" || op == "u" || op == "d" || op == "b" || fail(fault::op);
  }

  bool fail(fault why) {
    fault_ = why;
    return false;
  }

  /// Steps over the element at `start`, which `row` refused, and keeps it.
  error set_aside(size_t index, size_t start) {
    at_.go_to(start);
    if (!at_.skip_value())
      return wrong_at(at_, "JSON in payload");
    auto end = at_.token();
    bad_row b;
    b.index = index;
    b.bytes = at_.stepped_over(start);
    at_.go_to(start);
    b.reason = reason();
    at_.go_to(end);
    bad_.push_back(std::move(b));
    return {};
  }

  /// REQUIRES: the cursor stands at the refused element, which is JSON.
  std::string reason() {
    std::string_view key;
    bool object = at_.skip('{') && at_.peek() != '}';
    while (object && at_.key(key) && key != "tuple") {
      at_.skip_value();
      object = at_.skip(',');
    }
    if (!object || !at_.skip('['))
      return "expected an object with the array \"tuple\"";
    size_t count = 0;
    std::string_view found;
    for (bool more = at_.peek() != ']'; more; more = at_.skip(','), ++count) {
      auto start = at_.token();
      at_.skip_value();
      if (count == values_)
        found = at_.stepped_over(start);
    }
    if (count != known_.columns.size())
      return "expected " + std::to_string(known_.columns.size()) + " values, found " +
             std::to_string(count);
    return values_ < count ? reason_of(found) : "expected \"tuple\" once in its object";
  }

  std::string reason_of(std::string_view found) const {
    const auto& f = into_.schema->fields[known_.columns[values_]];
    auto place = "field " + f.name + ": expected ";
    auto value = f.encoded ? "another value (masked)" : shown_json(found);
    if (fault_ == fault::null)
      return place + "a value, found null";
    if (fault_ == fault::op)
      return place + "i, u, d or b, found " + value;
    if (fault_ == fault::escape)
      return place + "only escapes that stand for a character, found " + value;
    return place + std::string(to_string(f.type)) + ", found " + value;
  }

  /// A string as it is shown elsewhere, any other value in quotes as well.
  static std::string shown_json(std::string_view found) {
    bool string = found.size() >= 2 && found.front() == '"';
    return shown(string ? found.substr(1, found.size() - 2) : found);
  }

  json::cursor& at_;
  const known_schema& known_;
  batch& into_;
  std::vector<bad_row>& bad_;
  std::string& scratch_;
  /// Values taken of the present tuple, and what was wrong with the next.
  size_t values_ = 0;
  fault fault_ = fault::none;
};

/// Two schemas may be equal and not the same object, after the cache was emptied.
bool same(const schema_ptr& a, const schema_ptr& b) {
  return a == b || (a->name == b->name && *a == *b);
}

/// What to undo when a message turns out to be none.
struct mark {
  size_t batches;
  size_t rows;
  size_t bad;

  mark(const std::vector<batch>& into, const std::vector<bad_row>& b)
      : batches(into.size()), rows(into.empty() ? 0 : into.back().rows()), bad(b.size()) {}

  void undo(std::vector<batch>& into, std::vector<bad_row>& b) const {
    into.erase(into.begin() + ptrdiff_t(batches), into.end());
    if (!into.empty())
      for (auto& c : into.back().columns)
        c.truncate(rows);
    b.erase(b.begin() + ptrdiff_t(bad), b.end());
  }
};

} // namespace

struct reader::state {
  json::indexer indexer;
  schema_cache schemas;
  std::string scratch;

  error read(std::string_view message, std::vector<batch>& into, std::vector<bad_row>& bad,
             size_t rows_max);
  error payload(json::cursor& at, protocol kind, const known_schema& known,
                std::vector<batch>& into, std::vector<bad_row>& bad, size_t rows_max);
};

reader::reader() : state_(std::make_unique<state>()) {}
reader::~reader() = default;

error reader::state::payload(json::cursor& at, protocol kind, const known_schema& known,
                             std::vector<batch>& into, std::vector<bad_row>& bad, size_t rows_max) {
  auto fits = [&](const batch& b) {
    return b.kind == kind && b.rows() < rows_max && same(b.schema, known.schema) &&
           b.bytes() < batch_bytes_max;
  };
  if (into.empty() || !fits(into.back()))
    into.emplace_back(known.schema, kind);
  auto& target = into.back();
  if (target.carries_rows() && !known.no_data.empty())
    return rejected("message of " + std::string(to_string(kind)) + ": " + known.no_data);
  if (at.peek() != '[') {
    // No payload at all, or null: a mark.
    auto start = at;
    if (!at.at_end() && (at.peek() != 'n' || at.scalar() != "null"))
      return wrong_at(start, "payload as an array");
    return target.carries_rows()
               ? rejected("message of " + std::string(to_string(kind)) + ": no payload")
               : error{};
  }
  if (auto e = row_reader(at, known, target, bad, scratch).read())
    return e;
  if (target.carries_rows() && target.rows() == 0)
    into.pop_back();
  return {};
}

error reader::state::read(std::string_view message, std::vector<batch>& into,
                          std::vector<bad_row>& bad, size_t rows_max) {
  json::cursor at, later;
  if (auto e = indexer.index(message, at))
    return e;
  if (!at.skip('{'))
    return wrong_at(at, "a UMS message, an object");
  std::optional<protocol> kind;
  const known_schema* known = nullptr;
  enum { none, waits, taken } rows = none;
  for (bool more = at.peek() != '}'; more; more = at.skip(',')) {
    std::string_view key;
    if (!at.key(key))
      return wrong_at(at, "a key of the message");
    error e;
    if (key == "protocol" && !kind) {
      e = read_protocol(at, kind.emplace());
    } else if (key == "schema" && known == nullptr) {
      e = schemas.read(at, known);
    } else if (key == "payload" && rows == none && kind && known) {
      rows = taken;
      e = payload(at, *kind, *known, into, bad, rows_max);
    } else {
      bool first_payload = key == "payload" && rows == none;
      bool twice = key == "protocol" || key == "schema" || (key == "payload" && !first_payload);
      if (twice)
        return wrong_at(at, "each key once, found a second " + std::string(key));
      if (first_payload) {
        rows = waits;
        later = at;
      }
      e = at.skip_value() ? error{} : wrong_at(at, "a JSON value");
    }
    if (e)
      return e;
  }
  if (!at.skip('}') || !at.at_end())
    return wrong_at(at, "the end of the message");
  if (!kind || known == nullptr)
    return rejected(std::string("message: no ") + (kind ? "schema" : "protocol") +
                    ", so it is not UMS");
  if (rows == taken)
    return {};
  return payload(rows == waits ? later : at, *kind, *known, into, bad, rows_max);
}

error reader::read(std::string_view message, std::vector<batch>& into, std::vector<bad_row>& bad,
                   size_t rows_max) {
  mark before(into, bad);
  auto e = state_->read(message, into, bad, rows_max);
  if (e)
    before.undo(into, bad);
  return e;
}

} // namespace rtdp::ums
