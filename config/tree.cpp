#include "config/tree.hpp"

#include "config/substitute.hpp"
#include "config/words.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace rtdp::config {

namespace {

using shape = tree::shape;

size_t depth_of(const tree& node) {
  size_t deepest = 0;
  for (const auto& item : node.items)
    deepest = std::max(deepest, depth_of(item));
  return deepest + 1;
}

/// Builds the tree from the parser's events. Refuses by YAML::ParserException, as the parser itself
/// does; `parse_yaml` catches both.
class builder : public YAML::EventHandler {
public:
  tree root;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      refuse(mark, "the file holds a second document; write one document in each file");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (wants_key())
      refuse(mark, "a key is missing in front of \":\"");
    begin(mark, shape::nothing, anchor);
    end();
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (wants_key())
      refuse(mark, "a key must be plain text, not an alias");
    auto known = anchors_.find(anchor);
    if (known == anchors_.end())
      refuse(mark, "an alias must not stand inside of what it names");
    const auto& target = known->second;
    if (open_.size() + depth_of(target) > depth_max)
      refuse(mark, too_deep());
    count(mark, target);
    auto copy = target;
    copy.key = std::move(key_);
    copy.line = line_of(mark);
    attach(std::move(copy));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(mark, tag);
    if (wants_key()) {
      key_ = value;
      key_line_ = mark.line + 1;
      has_key_ = true;
      count(mark, value.size());
      return;
    }
    begin(mark, shape::scalar, anchor);
    open_.back().node.text = open_.back().node.raw = value;
    count(mark, value.size());
    end();
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, shape::list, anchor);
  }
  void OnSequenceEnd() override { end(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, shape::mapping, anchor);
  }
  void OnMapEnd() override { end(); }

private:
  struct level {
    tree node;
    YAML::anchor_t anchor;
  };

  [[noreturn]] static void refuse(const YAML::Mark& mark, const std::string& text) {
    throw YAML::ParserException(mark, text);
  }
  static std::string too_deep() { return fmt::format("more than {} levels deep", depth_max); }

  static void check_tag(const YAML::Mark& mark, const std::string& tag) {
    static const std::string core = "tag:yaml.org,2002:";
    if (!tag.empty() && tag != "?" && tag != "!" && tag.compare(0, core.size(), core) != 0)
      refuse(mark, "a tag (!name) has no meaning here; leave it out");
  }

  bool wants_key() const {
    return !open_.empty() && open_.back().node.is == shape::mapping && !has_key_;
  }
  int line_of(const YAML::Mark& mark) const { return has_key_ ? key_line_ : mark.line + 1; }

  void open(const YAML::Mark& mark, const std::string& tag, shape is, YAML::anchor_t anchor) {
    check_tag(mark, tag);
    if (wants_key())
      refuse(mark, "a key must be plain text; is a bracket or brace left open?");
    if (open_.size() >= depth_max)
      refuse(mark, too_deep());
    begin(mark, is, anchor);
  }

  void begin(const YAML::Mark& mark, shape is, YAML::anchor_t anchor) {
    count(mark, 0);
    tree node;
    node.is = is;
    node.line = line_of(mark);
    node.key = std::move(key_);
    key_.clear();
    has_key_ = false;
    open_.push_back({std::move(node), anchor});
  }

  void end() {
    auto done = std::move(open_.back());
    open_.pop_back();
    if (done.anchor != YAML::NullAnchor)
      anchors_[done.anchor] = done.node;
    attach(std::move(done.node));
  }

  void attach(tree node) {
    key_.clear();
    has_key_ = false;
    if (open_.empty())
      root = std::move(node);
    else
      open_.back().node.items.push_back(std::move(node));
  }

  void count(const YAML::Mark& mark, size_t bytes) {
    bytes_ += bytes;
    if (++nodes_ > nodes_max)
      refuse(mark, fmt::format("more than {} values, aliases counted as often as used", nodes_max));
    if (bytes_ > bytes_max)
      refuse(mark, fmt::format("more than {} MiB of text, aliases counted as often as used",
                               bytes_max >> 20));
  }
  void count(const YAML::Mark& mark, const tree& node) {
    count(mark, node.text.size() + node.key.size());
    for (const auto& item : node.items)
      count(mark, item);
  }

  std::vector<level> open_;
  std::map<YAML::anchor_t, tree> anchors_;
  std::string key_;
  int key_line_ = 0;
  bool has_key_ = false;
  int documents_ = 0;
  size_t nodes_ = 0, bytes_ = 0;
};

int line_at(std::string_view text, size_t position) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + position, '\n'));
}

/// yaml-cpp takes 0x04 for the end of the file and replaces bytes that are not UTF-8: both
/// silently.
bool is_text(std::string_view text, std::vector<problem>& problems) {
  if (text.size() > bytes_max) {
    problems.push_back({0, "", fmt::format("the file is larger than {} MiB", bytes_max >> 20)});
    return false;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') {
      auto what = fmt::format("the file must be text in UTF-8; found the control character {:#04x}",
                              static_cast<unsigned>(byte));
      problems.push_back({line_at(text, i), "", what});
      return false;
    }
  }
  auto valid = valid_utf8(text);
  if (valid != text.size())
    problems.push_back(
        {line_at(text, valid), "", "the file must be text in UTF-8; found other bytes"});
  return valid == text.size();
}

/// Whether the line, counted from 0, begins with white space that holds a tab.
bool is_indented_by_tab(std::string_view text, int line) {
  for (; line > 0 && !text.empty(); --line)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text.substr(0, text.find_first_not_of(" \t")).find('\t') != text.npos;
}

std::string own_words(const std::string& message) {
  for (const auto* quotes : {"invalid unicode", "unknown escape character", "bad YAML version",
                             "the referenced anchor is not defined"})
    if (message.rfind(quotes, 0) == 0)
      return quotes;
  return message;
}

} // namespace

const tree* tree::find(std::string_view name) const {
  auto it = std::find_if(items.begin(), items.end(), [&](const tree& t) { return t.key == name; });
  return is == shape::mapping && it != items.end() ? &*it : nullptr;
}

tree* tree::find(std::string_view name) {
  return const_cast<tree*>(static_cast<const tree*>(this)->find(name));
}

bool has_reference(const tree& node) {
  return node.referenced || std::any_of(node.items.begin(), node.items.end(), has_reference);
}

bool is_broken(const tree& node) {
  return node.broken || std::any_of(node.items.begin(), node.items.end(), is_broken);
}

std::string found(const tree& node) {
  switch (node.is) {
  case shape::nothing:
    return "nothing";
  case shape::list:
    return "a list";
  case shape::mapping:
    return "a mapping";
  case shape::scalar:
    break;
  }
  if (is_address_with_password(node.raw))
    return "an address with a password (not shown)";
  auto shown = node.raw.empty() ? "empty text" : excerpt(node.raw);
  return node.referenced ? shown + " (its value is not shown)" : shown;
}

std::string join(const std::string& path, std::string_view name) {
  return path.empty() ? excerpt(name) : fmt::format("{}.{}", path, excerpt(name));
}

tree parse_yaml(std::string_view text, std::vector<problem>& problems) {
  if (!is_text(text, problems))
    return {};
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    builder handler;
    while (parser.HandleNextDocument(handler)) {
    }
    return std::move(handler.root);
  } catch (const YAML::Exception& e) {
    // Some messages end in ": " and a piece of the file, which may be part of a secret.
    auto what =
        fmt::format("is not valid YAML, column {}: {}", e.mark.column + 1, own_words(e.msg));
    if (is_indented_by_tab(text, e.mark.line))
      what += "; indent with blanks, not with tabs";
    problems.push_back({e.mark.line + 1, "", what});
  } catch (const std::exception&) {
    problems.push_back({0, "", "is not valid YAML: the parser gave up"});
  }
  return {};
}

tree from_yaml(const YAML::Node& node) {
  tree out;
  if (!node.IsDefined() || node.IsNull())
    return out;
  out.line = node.Mark().line + 1;
  if (node.IsScalar()) {
    out.is = shape::scalar;
    out.text = out.raw = node.Scalar();
  } else if (node.IsSequence()) {
    out.is = shape::list;
    for (const auto& item : node)
      out.items.push_back(from_yaml(item));
  } else {
    out.is = shape::mapping;
    for (const auto& entry : node) {
      auto item = from_yaml(entry.second);
      item.key = entry.first.Scalar();
      item.line = entry.first.Mark().line + 1;
      out.items.push_back(std::move(item));
    }
  }
  return out;
}

} // namespace rtdp::config
