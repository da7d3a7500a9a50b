#include "actors/extract/file_watch.hpp"

#include "runtime/core/time.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rtdp::extract::files {

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// Long enough that two log files which begin with the same banner still differ.
constexpr int64_t head_max = 1024;
/// logrotate's copytruncate copies, then truncates: between the two a copy is not told from a file
/// of its own.
constexpr auto copy_patience = 10s;
/// A writer that was told to reopen its file may write to the old one for a while.
constexpr auto removed_patience = 60s;

std::string reason(const char* what, const std::string& path) {
  return std::string(what) + " " + path + ": " + std::strerror(errno);
}

} // namespace

descriptor& descriptor::operator=(descriptor&& other) noexcept {
  if (this != &other) {
    if (fd >= 0)
      ::close(fd);
    fd = std::exchange(other.fd, -1);
  }
  return *this;
}

descriptor::~descriptor() {
  if (fd >= 0)
    ::close(fd);
}

result<std::string_view> tracked::read(int64_t offset, size_t bytes, std::string& buffer) const {
  if (buffer.size() < bytes)
    buffer.resize(bytes);
  size_t have = 0;
  while (have < bytes) {
    auto n = ::pread(file.fd, buffer.data() + have, bytes - have, offset + int64_t(have));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return unavailable(reason("cannot read", state.path));
    if (n == 0)
      break;
    have += size_t(n);
  }
  return std::string_view(buffer.data(), have);
}

void watch::resume(std::vector<file_state> files, bool first) {
  files_.clear();
  suspects_.clear();
  first_ = first;
  for (auto& f : files) {
    auto& t = files_.emplace_back(std::make_unique<tracked>());
    t->state = std::move(f);
    t->head_stored = t->state.head_bytes;
    t->moved = false;
    t->grown = steady::now();
  }
}

tracked* watch::find(const std::string& key) {
  for (auto& t : files_)
    if (t->state.key() == key)
      return t.get();
  return nullptr;
}

error watch::open(tracked& t) {
  if (t.file)
    return {};
  descriptor file(::open(t.state.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file)
    return unavailable(reason("cannot open", t.state.path));
  struct stat s {};
  if (::fstat(file.fd, &s) != 0)
    return unavailable(reason("cannot look at", t.state.path));
  if (s.st_ino != t.state.inode || s.st_dev != t.state.device)
    return unavailable(t.state.path + " was replaced while it was opened");
  t.file = std::move(file);
  t.size = s.st_size;
  return {};
}

result<bool> watch::same_file(tracked& t) {
  std::string buffer;
  auto head = t.read(0, size_t(head_max), buffer);
  if (!head)
    return head.error();
  auto known = size_t(t.state.head_bytes);
  if (head->size() < known || (known > 0 && hash_of(head->substr(0, known)) != t.state.head))
    return false;
  if (head->size() > known) {
    t.state.head_bytes = int64_t(head->size());
    t.state.head = hash_of(*head);
  }
  return true;
}

void watch::restart(tracked& t) {
  t.state = {.device = t.state.device, .inode = t.state.inode, .path = t.state.path};
  t.header.clear();
  t.stuck_at = -1;
  t.moved = true;
}

result<bool> watch::is_gone_or_cut(tracked& t) {
  if (!t.file && !t.listed)
    return true;
  if (auto failed = open(t))
    return failed;
  struct stat s {};
  if (::fstat(t.file.fd, &s) != 0)
    return unavailable(reason("cannot look at", t.state.path));
  if (s.st_size != t.size)
    t.grown = steady::now();
  t.size = s.st_size;
  if (t.size < t.state.offset)
    return true;
  auto same = same_file(t);
  return same ? result<bool>(!*same) : same;
}

result<bool> watch::holds(const tracked& candidate, const file_state& of) {
  std::string buffer;
  auto head = candidate.read(0, size_t(of.head_bytes), buffer);
  if (!head)
    return head.error();
  if (of.head_bytes == 0 || int64_t(head->size()) < of.head_bytes || hash_of(*head) != of.head)
    return false;
  // A copy that was made before the last of what was read: nothing of it is new.
  if (candidate.size < of.offset)
    return true;
  auto bytes = std::min(of.offset, tail_max);
  if (bytes == 0)
    return true;
  auto tail = candidate.read(of.offset - bytes, size_t(bytes), buffer);
  if (!tail)
    return tail.error();
  return int64_t(tail->size()) == bytes && hash_of(*tail) == of.tail;
}

result<std::unique_ptr<tracked>> watch::copy_of(const tracked& t, std::vector<seen>& unknown) {
  for (auto at = unknown.begin(); at != unknown.end(); ++at) {
    auto candidate = std::make_unique<tracked>();
    candidate->state = t.state;
    candidate->state.device = at->device;
    candidate->state.inode = at->inode;
    candidate->state.path = at->path;
    if (auto failed = open(*candidate))
      return failed;
    auto is_copy = holds(*candidate, t.state);
    if (!is_copy)
      return is_copy.error();
    if (!*is_copy)
      continue;
    candidate->header = t.header;
    candidate->listed = true;
    candidate->moved = candidate->size < candidate->state.offset;
    candidate->state.offset = std::min(candidate->state.offset, candidate->size);
    candidate->grown = steady::now();
    unknown.erase(at);
    return candidate;
  }
  return std::unique_ptr<tracked>();
}

result<std::vector<seen>> watch::list() {
  auto listed = list_(settings_.paths, settings_.exclude);
  if (!listed)
    return listed.error();
  for (auto& t : files_)
    t->listed = false;
  std::vector<seen> unknown;
  for (auto& s : *listed) {
    auto at = std::find_if(files_.begin(), files_.end(), [&](const std::unique_ptr<tracked>& t) {
      return t->state.inode == s.inode && t->state.device == s.device;
    });
    if (at == files_.end()) {
      unknown.push_back(std::move(s));
      continue;
    }
    (*at)->listed = true;
    (*at)->state.path = std::move(s.path);
  }
  return unknown;
}

result<std::set<tracked*>> watch::find_gone() {
  std::set<tracked*> out;
  for (auto& t : files_) {
    auto gone = is_gone_or_cut(*t);
    if (!gone)
      return gone.error();
    if (*gone)
      out.insert(t.get());
  }
  return out;
}

error watch::follow(const std::set<tracked*>& gone, std::vector<seen>& unknown, changes& out) {
  std::vector<std::unique_ptr<tracked>> kept;
  for (auto& t : files_) {
    if (!gone.contains(t.get())) {
      kept.push_back(std::move(t));
      continue;
    }
    out.any = true;
    auto copy = copy_of(*t, unknown);
    if (!copy)
      return copy.error();
    if (*copy) {
      out.moved.emplace_back(t->state.key(), (*copy)->state.key());
      kept.push_back(std::move(*copy));
    } else {
      out.lost.push_back(t->state.key());
    }
    if (t->file) {
      restart(*t);
      // So that a copy of what it holds now is known as one, too.
      if (auto learned = same_file(*t); !learned)
        return learned.error();
      kept.push_back(std::move(t));
    }
  }
  files_ = std::move(kept);
  return {};
}

result<bool> watch::may_be_copy(const tracked& candidate, const seen& s) {
  std::string buffer;
  for (auto& t : files_) {
    if (t->state.head_bytes == 0 || !t->file)
      continue;
    // What there is of it so far is the beginning of a file that is known.
    auto bytes = size_t(std::min(candidate.size, t->state.head_bytes));
    std::string other;
    auto own = candidate.read(0, bytes, buffer);
    auto known = t->read(0, bytes, other);
    if (!own || !known)
      return !own ? own.error() : known.error();
    if (bytes == 0)
      continue;
    if (*own != *known) {
      // Truncated since the look began, it says nothing of what it was: the next look follows it.
      auto gone = is_gone_or_cut(*t);
      if (!gone || *gone)
        return gone;
      continue;
    }
    auto [first_seen, is_new] = suspects_.emplace(candidate.state.key(), steady::now());
    if (is_new || steady::now() - first_seen->second < copy_patience)
      return true;
  }
  suspects_.erase(candidate.state.key());
  return s.size == 0;
}

error watch::add_new(const std::vector<seen>& unknown, changes& out) {
  for (const auto& s : unknown) {
    auto t = std::make_unique<tracked>();
    t->state.device = s.device;
    t->state.inode = s.inode;
    t->state.path = s.path;
    t->listed = true;
    t->grown = steady::now();
    if (auto failed = open(*t))
      return failed;
    // A file that has rested is no copy that is just being made; at the very first look most have.
    bool rested = now_us() * 1000 - s.modified > nanoseconds(copy_patience).count();
    auto waits = first_ && (rested || settings_.from_end) ? result<bool>(false) : may_be_copy(*t, s);
    if (!waits)
      return waits.error();
    if (*waits)
      continue;
    if (first_ && settings_.from_end)
      t->state.offset = t->size;
    if (auto same = same_file(*t); !same)
      return same.error();
    if (files_.size() >= settings_.files_max)
      return rejected("more than files_max (" + std::to_string(settings_.files_max) +
                      ") files match; narrow paths or raise it");
    files_.push_back(std::move(t));
    out.any = true;
  }
  return {};
}

bool watch::drop_finished() {
  auto now = steady::now();
  auto count = std::erase_if(files_, [now](const std::unique_ptr<tracked>& t) {
    return !t->listed && t->size <= t->state.offset && now - t->grown > removed_patience;
  });
  return count > 0;
}

result<watch::changes> watch::look() {
  auto unknown = list();
  if (!unknown)
    return unknown.error();
  auto gone = find_gone();
  if (!gone)
    return gone.error();
  if (!gone->empty()) {
    // A file that was copied, truncated or renamed since the list was made goes on in one that is
    // not in it. What is gone now was copied before: the next list has it.
    unknown = list();
    if (!unknown)
      return unknown.error();
    auto still = find_gone();
    if (!still)
      return still.error();
    std::erase_if(*gone, [&](tracked* t) { return !still->contains(t); });
  }
  changes out;
  if (auto failed = follow(*gone, *unknown, out))
    return failed;
  std::erase_if(suspects_, [&](const auto& suspect) {
    return std::none_of(unknown->begin(), unknown->end(), [&](const seen& s) {
      return std::to_string(s.device) + ":" + std::to_string(s.inode) == suspect.first;
    });
  });
  if (auto failed = add_new(*unknown, out))
    return failed;
  first_ = false;
  out.any = drop_finished() || out.any;
  return out;
}

void watch::passed(tracked& t, std::string_view before) {
  auto bytes = std::min(before.size(), size_t(std::min(t.state.offset, tail_max)));
  t.state.tail = hash_of(before.substr(before.size() - bytes));
  t.moved = false;
}

result<std::vector<file_state>> watch::states() {
  std::vector<file_state> out;
  std::string buffer;
  for (auto& t : files_) {
    if (t->moved && t->file) {
      auto bytes = std::min(t->state.offset, tail_max);
      auto tail = t->read(t->state.offset - bytes, size_t(bytes), buffer);
      if (!tail)
        return tail.error();
      t->state.tail = hash_of(*tail);
      t->moved = false;
    }
    out.push_back(t->state);
  }
  return out;
}

} // namespace rtdp::extract::files
