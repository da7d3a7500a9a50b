/// Reads log files as they grow: lines, or several lines that are one event. file_watch.hpp says
/// how files are followed, file_position.hpp why each row comes once and under the same id after a
/// crash, log_events.hpp what becomes of an event.
#include "actors/extract/file_position.hpp"
#include "actors/extract/file_settings.hpp"
#include "actors/extract/file_splitter.hpp"
#include "actors/extract/file_watch.hpp"
#include "actors/extract/log_events.hpp"
#include "runtime/core/time.hpp"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <thread>

namespace rtdp::extract {
namespace {

using namespace std::chrono;
using namespace rtdp::extract::files;

/// What one turn of a file reads at a time.
constexpr size_t chunk_bytes = 1 << 20;
/// Asking the collector after each row whether it is full would show in the profile.
constexpr int rows_between_looks = 64;
/// What a dead letter keeps of a line that is too long.
constexpr size_t too_long_kept = 4096;

std::string utf8_path(const std::string& path) {
  if (simdjson::validate_utf8(path))
    return path;
  auto out = path;
  std::replace_if(
      out.begin(), out.end(), [](char c) { return (c & 0x80) != 0; }, '?');
  return out;
}

class file_driver final : public driver {
public:
  file_driver(options o, const config::section& settings)
      : options_(std::move(o)), events_(options_.source, settings),
        splitter_(options_.start, options_.event_bytes_max), watch_(options_.watch) {}

  error open(const std::string& position) override;
  error read(collector& out, milliseconds wait) override;
  error confirm(const std::string&) override { return {}; }
  source_progress progress() const override;

private:
  result<bool> look(collector& out);
  error settle(collector& out);
  error commit(collector& out);
  result<std::string> position_text();
  tracked* next_with_work();
  error take(tracked& t, collector& out);
  size_t hand_over(tracked& t, std::string_view bytes, bool last, collector& out);
  result<bool> read_header(tracked& t);
  void add(const tracked& t, const cut& c, int64_t offset, int64_t ts_us, collector& out);
  bool end_overdue(tracked& t);

  options options_;
  logs::events events_;
  splitter splitter_;
  watch watch_;
  std::string turn_;
  bool other_plan_ = false;
  /// Rows of the file whose turn it is may be on the bus up to its end, from before a crash: nobody
  /// else's rows may take their ids, so it keeps its turn up to there.
  bool catching_up_ = false;
  bool idle_ = false;
  int64_t complete_until_us_ = 0;
  steady::time_point next_look_{};
  std::string buffer_;
};

// -- open, position -----------------------------------------------------------

error file_driver::open(const std::string& stored) {
  auto parsed = position::parse(stored);
  if (!parsed)
    return parsed.error();
  other_plan_ = !stored.empty() && parsed->plan != options_.plan;
  turn_ = parsed->turn;
  catching_up_ = !turn_.empty();
  watch_.resume(std::move(parsed->files), stored.empty());
  next_look_ = {};
  return {};
}

result<std::string> file_driver::position_text() {
  auto states = watch_.states();
  if (!states)
    return states.error();
  return position{options_.plan, turn_, std::move(*states)}.text();
}

error file_driver::commit(collector& out) {
  auto text = position_text();
  if (!text)
    return text.error();
  out.commit(std::move(*text));
  return {};
}

error file_driver::settle(collector& out) {
  idle_ = false;
  auto text = position_text();
  if (!text)
    return text.error();
  out.commit_and_settle(std::move(*text));
  for (auto& t : watch_.files())
    t->head_stored = t->state.head_bytes;
  return {};
}

// -- read ---------------------------------------------------------------------

error file_driver::read(collector& out, milliseconds wait) {
  auto deadline = steady::now() + wait;
  for (;;) {
    auto before = now_us();
    auto looked = look(out);
    if (!looked)
      return looked.error();
    if (*looked)
      return settle(out);
    if (auto* t = next_with_work()) {
      idle_ = false;
      if (t->state.key() != turn_) {
        turn_ = t->state.key();
        return settle(out);
      }
      if (auto failed = take(*t, out))
        return failed;
      if (out.full())
        return {};
      continue;
    }
    for (auto& t : watch_.files())
      if (end_overdue(*t))
        return settle(out);
    idle_ =
        !watch_.waits() && std::all_of(watch_.files().begin(), watch_.files().end(),
                                       [](const auto& t) { return t->size <= t->state.offset; });
    complete_until_us_ = before;
    auto now = steady::now();
    if (out.rows() > 0 || now >= deadline)
      return {};
    std::this_thread::sleep_for(std::min<steady::duration>(options_.poll_interval, deadline - now));
  }
}

/// True when the list of files changed, which is stored before anything is read.
result<bool> file_driver::look(collector& out) {
  auto now = steady::now();
  if (now < next_look_)
    return false;
  auto found = watch_.look();
  if (!found)
    return found.error();
  next_look_ = now + options_.poll_interval;
  auto skip = std::exchange(other_plan_, false);
  for (const auto& [from, to] : found->moved)
    if (turn_ == from)
      turn_ = to;
  for (const auto& key : found->lost)
    skip = skip || key == turn_;
  if (skip)
    out.skip_ids(collector::ids_left_out);
  return found->any || skip;
}

/// The file whose turn it is, unless it has nothing or it has had its share.
tracked* file_driver::next_with_work() {
  auto& files = watch_.files();
  auto at = std::find_if(files.begin(), files.end(),
                         [&](const auto& t) { return t->state.key() == turn_; });
  if (at != files.end() && (*at)->has_work())
    return at->get();
  catching_up_ = false;
  auto first = at == files.end() ? 0 : size_t(at - files.begin());
  for (size_t i = 0; i < files.size(); ++i)
    if (auto& t = files[(first + i) % files.size()]; t->has_work())
      return t.get();
  return nullptr;
}

error file_driver::take(tracked& t, collector& out) {
  if (auto ready = read_header(t); !ready || !*ready)
    return ready ? error{} : ready.error();
  auto from = t.state.offset;
  auto want = std::max(chunk_bytes, options_.event_bytes_max + 2);
  if (t.state.cut > 0)
    want = std::min(want, size_t(t.state.cut - from));
  auto back = std::min(from, tail_max);
  auto found = t.read(from - back, size_t(back) + want, buffer_);
  if (!found)
    return found.error();
  auto same = watch_.same_file(t);
  if (!same)
    return same.error();
  if (!*same || int64_t(found->size()) < back) {
    // It was replaced while it was read: the next look begins with it anew.
    next_look_ = {};
    t.stuck_at = t.size;
    return {};
  }
  // Truncated and filled again while nobody looks, it is another file only by its beginning.
  if (t.state.head_bytes > t.head_stored)
    return settle(out);
  auto bytes = found->substr(size_t(back));
  auto read_to = from + int64_t(bytes.size());
  t.size = std::max(t.size, read_to);
  auto used = hand_over(t, bytes, t.state.cut > 0 && read_to >= t.state.cut, out);
  if (t.state.cut > 0 && t.state.offset >= t.state.cut)
    t.state.cut = 0;
  if (used == 0) {
    t.stuck_at = t.size;
    return {};
  }
  watch::passed(t, found->substr(0, size_t(back) + used));
  if (!out.full() || catching_up_)
    return commit(out);
  // The next file gets its turn, and everybody sees whose it is.
  auto& files = watch_.files();
  auto at = std::find_if(files.begin(), files.end(), [&](const auto& f) { return f.get() == &t; });
  for (size_t i = 1, me = size_t(at - files.begin()); i < files.size(); ++i)
    if (auto& other = files[(me + i) % files.size()]; other->has_work()) {
      turn_ = other->state.key();
      return settle(out);
    }
  return commit(out);
}

size_t file_driver::hand_over(tracked& t, std::string_view bytes, bool last, collector& out) {
  size_t used = 0;
  auto from = t.state.offset;
  auto ts = now_us();
  cut c;
  for (int n = 1; splitter_.next(bytes.substr(used), last, t.state.skipping, c); ++n) {
    add(t, c, from + int64_t(used), ts, out);
    used += c.used;
    t.state.offset = from + int64_t(used);
    if (n % rows_between_looks == 0 && out.full())
      break;
  }
  return used;
}

void file_driver::add(const tracked& t, const cut& c, int64_t offset, int64_t ts_us,
                      collector& out) {
  if (c.is == cut::what::skipped)
    return;
  auto path = utf8_path(t.state.path);
  auto at = std::to_string(offset);
  const logs::cell facts[] = {{.name = "@file", .text = path},
                              {.name = "@offset", .text = at},
                              {.name = "@host", .text = options_.host}};
  logs::origin from{.host = options_.host, .ts_us = ts_us, .facts = facts, .csv_header = t.header};
  if (c.is == cut::what::event)
    return events_.add(c.text, from, out);
  events_.refuse("longer than event_bytes_max (" + std::to_string(options_.event_bytes_max) +
                     " bytes), the rest of the line is left out",
                 c.text.substr(0, too_long_kept), from, out);
}

/// False: the first line is not there yet.
result<bool> file_driver::read_header(tracked& t) {
  if (!options_.csv_header || !t.header.empty())
    return true;
  std::string buffer;
  auto bytes = t.read(0, options_.event_bytes_max + 2, buffer);
  if (!bytes)
    return bytes.error();
  auto end = bytes->find('\n');
  if (end == bytes->npos) {
    t.stuck_at = t.size;
    return false;
  }
  auto line = bytes->substr(0, end);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  logs::arena memory;
  logs::record fields;
  if (auto failed = logs::split_csv(line, options_.csv_delimiter, memory, fields))
    return failed.in("the header of " + utf8_path(t.state.path));
  for (const auto& f : fields)
    t.header.emplace_back(f.text);
  if (t.state.offset <= int64_t(end)) {
    t.state.offset = int64_t(end) + 1;
    t.moved = true;
  }
  return true;
}

/// True when what stands at the end of the file is to be taken as it is; that is stored first.
bool file_driver::end_overdue(tracked& t) {
  if (t.size <= t.state.offset || t.state.cut > 0 || t.stuck_at != t.size)
    return false;
  auto waited = steady::now() - t.grown;
  auto end = t.size;
  if (splitter_.joins_lines() && waited >= options_.join_timeout) {
    // Lines that are whole; one that is not may still go on.
    auto bytes = t.read(t.state.offset, size_t(t.size - t.state.offset), buffer_);
    auto line_end = bytes ? bytes->rfind('\n') : std::string_view::npos;
    if (line_end != std::string_view::npos)
      end = t.state.offset + int64_t(line_end) + 1;
    else if (waited < options_.incomplete_after)
      return false;
  } else if (waited < options_.incomplete_after) {
    return false;
  }
  t.state.cut = end;
  t.stuck_at = -1;
  return true;
}

source_progress file_driver::progress() const {
  size_t open = 0;
  int64_t behind = 0;
  for (const auto& t : watch_.files()) {
    ++open;
    behind += std::max<int64_t>(0, t->size - t->state.offset);
  }
  return {.tables = events_.tables(options_.host),
          .idle = idle_,
          .complete_until_us = complete_until_us_,
          .place = std::to_string(open) + " files, " + std::to_string(behind) + " bytes to read"};
}

std::unique_ptr<driver> make(const std::string& name, const config::section& s) {
  return std::make_unique<file_driver>(read_options(name, s), s);
}

} // namespace

kind file_source() {
  return {make_spec(), &make, &logs::describe_events, &logs::event_pattern, &check_settings};
}

} // namespace rtdp::extract
