#include "config/load.hpp"

#include "config/substitute.hpp"
#include "config/words.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

namespace rtdp::config {

namespace {

using shape = tree::shape;
using problems = std::vector<problem>;

/// A password, a certificate, a list of hosts; not a data file.
constexpr size_t reference_bytes_max = 1 << 20;

/// Of all texts with references, since one large file may be named very often.
constexpr size_t expanded_bytes_max = 16 << 20;

file_text read_file(const std::string& path, size_t limit) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text(limit + 1, '\0');
  if (!in)
    return {{}, errno != 0 ? std::strerror(errno) : "it cannot be opened"};
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad())
    return {{}, "it cannot be read"};
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > limit)
    return {{}, fmt::format("it is larger than {} MiB", limit >> 20)};
  return {std::move(text), {}};
}

/// Only a regular file: opening a pipe would wait for its writer without end.
file_text read_regular_file(const std::string& path) {
  std::error_code ec;
  auto status = std::filesystem::status(path, ec);
  if (!std::filesystem::exists(status))
    return {{}, "No such file or directory"};
  if (!std::filesystem::is_regular_file(status))
    return {{}, "it is not a regular file"};
  return read_file(path, reference_bytes_max);
}

std::string without_last_newline(std::string text) {
  if (!text.empty() && text.back() == '\n') {
    text.pop_back();
    if (!text.empty() && text.back() == '\r')
      text.pop_back();
  }
  return text;
}

// -- overrides ----

void forget_lines(tree& node) {
  node.line = 0;
  for (auto& item : node.items)
    forget_lines(item);
}

tree override_value(const std::string& text, const std::string& path, problems& out) {
  tree value;
  if (text.empty() || (text[0] != '[' && text[0] != '{')) {
    value.is = shape::scalar;
    value.text = value.raw = text;
    return value;
  }
  problems syntax;
  value = parse_yaml(text, syntax);
  for (auto& p : syntax)
    out.push_back({0, path, p.text});
  forget_lines(value);
  return value;
}

/// The place named `part` below `node`, made when it is missing; null when there can be none.
tree* descend(tree& node, const std::string& part) {
  if (node.is == shape::list) {
    size_t index = 0;
    auto [end, ec] = std::from_chars(part.data(), part.data() + part.size(), index);
    if (ec != std::errc{} || end != part.data() + part.size() || index > node.items.size())
      return nullptr;
    if (index == node.items.size())
      node.items.emplace_back();
    return &node.items[index];
  }
  if (node.is == shape::scalar)
    return nullptr;
  node.is = shape::mapping;
  if (auto* known = node.find(part))
    return known;
  node.items.emplace_back();
  node.items.back().key = part;
  return &node.items.back();
}

void apply_override(tree& root, const std::string& text, problems& out) {
  auto eq = text.find('=');
  auto path = text.substr(0, eq);
  if (eq == text.npos || path.empty() || path.front() == '.' || path.back() == '.' ||
      path.find("..") != path.npos) {
    out.push_back({0, "", "--set expects path=value, such as flows.orders.mutation=i"});
    return;
  }
  auto* at = &root;
  size_t depth = 0;
  for (size_t begin = 0; begin <= path.size();) {
    auto end = std::min(path.find('.', begin), path.size());
    auto part = path.substr(begin, end - begin);
    auto* next = ++depth < depth_max ? descend(*at, part) : nullptr;
    if (next == nullptr) {
      auto what = at->is == shape::list
                      ? fmt::format("expects an index from 0 to {}", at->items.size())
                      : "expects a mapping or a list before it";
      out.push_back({0, path, fmt::format("--set cannot go to {}: {}", excerpt(part), what)});
      return;
    }
    at = next;
    begin = end + 1;
  }
  auto key = at->key;
  *at = override_value(text.substr(eq + 1), path, out);
  at->key = key;
}

// -- references and duplicates ----

class resolver {
public:
  resolver(const world& from, problems& out) : from_(from), problems_(out) {}

  void walk(tree& node, const std::string& path) {
    if (node.is == shape::scalar && node.raw.find("${") != node.raw.npos)
      follow(node, path);
    if (node.is == shape::mapping)
      drop_duplicates(node, path);
    for (size_t i = 0; i < node.items.size(); ++i)
      walk(node.items[i],
           join(path, node.is == shape::list ? std::to_string(i) : node.items[i].key));
  }

private:
  void drop_duplicates(tree& node, const std::string& path) {
    std::map<std::string, int> first;
    std::vector<tree> kept;
    for (auto& item : node.items) {
      auto [at, is_new] = first.emplace(item.key, item.line);
      if (is_new)
        kept.push_back(std::move(item));
      else
        problems_.push_back({item.line, join(path, item.key),
                             fmt::format("is given twice; the first is in line {}", at->second)});
    }
    node.items = std::move(kept);
  }

  void follow(tree& node, const std::string& path) {
    std::set<std::string> told;
    auto fail = [&](const std::string& text) {
      node.broken = true;
      if (told.insert(text).second)
        problems_.push_back({node.line, path, text});
    };
    std::string text;
    for (const auto& p : pieces_of(node.raw)) {
      if (expanded_ + text.size() > expanded_bytes_max)
        break;
      node.referenced |= p.is != piece::what::text;
      if (p.is == piece::what::text) {
        text += p.text;
      } else if (p.is == piece::what::bad) {
        fail("expects ${env:NAME} or ${file:PATH}; write $${ for a plain ${");
      } else if (p.is == piece::what::variable) {
        if (auto variable = from_.variable(p.text))
          text += *variable;
        else
          fail(fmt::format("the environment variable {} is not set", excerpt(p.text)));
      } else {
        auto file = from_.file(p.text);
        if (file.reason.empty())
          text += without_last_newline(std::move(file.contents));
        else
          fail(fmt::format("the file {} cannot be used: {}", excerpt(p.text), file.reason));
      }
    }
    expanded_ += text.size();
    if (expanded_ > expanded_bytes_max)
      fail(fmt::format("the references of this file give more than {} MiB",
                       expanded_bytes_max >> 20));
    else
      node.text = std::move(text);
  }

  const world& from_;
  problems& problems_;
  /// Of all texts with a reference.
  size_t expanded_ = 0;
};

} // namespace

world this_process() {
  return {[](const std::string& name) -> std::optional<std::string> {
            const auto* text = std::getenv(name.c_str());
            return text != nullptr ? std::optional<std::string>(text) : std::nullopt;
          },
          read_regular_file};
}

loaded load_text(std::string_view text, const std::vector<std::string>& overrides,
                 const world& from) {
  loaded out;
  out.root = parse_yaml(text, out.problems);
  if (!out.problems.empty())
    return out;
  for (const auto& o : overrides)
    apply_override(out.root, o, out.problems);
  resolver(from, out.problems).walk(out.root, "");
  return out;
}

loaded load_file(const std::string& path, const std::vector<std::string>& overrides,
                 const world& from) {
  std::error_code ec;
  auto file = std::filesystem::is_directory(path, ec) ? file_text{{}, "it is a directory"}
                                                      : read_file(path, bytes_max);
  if (!file.reason.empty())
    return {{}, {{0, "", fmt::format("the file {} cannot be read: {}", path, file.reason)}}};
  return load_text(file.contents, overrides, from);
}

} // namespace rtdp::config
