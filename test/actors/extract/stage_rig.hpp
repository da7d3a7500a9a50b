/// A SQLite file behind all the stages that its source's settings ask for, as SOURCE has them.
#pragma once

#include "actors/extract/stages.hpp"
#include "test/actors/extract/sqlite_file.hpp"

namespace rtdp::test {

inline const extract::kind& sqlite_kind() {
  static const auto all = extract::kinds();
  for (const auto& k : all)
    if (k.spec.name == "sqlite")
      return k;
  FAIL("no kind sqlite");
  return all.front();
}

/// One run of a source from a stored position on.
class staged {
public:
  staged(sqlite_file& file, const std::string& data_dir, const std::string& tables,
         const std::string& from = "", int64_t next_id = 1, const std::string& name = "shop")
      : driven_(nullptr, from, next_id) {
    config::section settings;
    auto yaml = "{path: " + file.path() + ", tables: " + tables + "}";
    for (const auto& p : sqlite_kind().spec.parse(YAML::Load(yaml), "sources." + name, settings))
      FAIL(p.path << " " << p.text);
    driven_.source = sqlite_kind().make(name, settings);
    auto stages = extract::make_stages(sqlite_kind(), name, settings, data_dir);
    REQUIRE_MESSAGE(stages, stages.error().text());
    stages_ = std::move(*stages);
    auto failed = driven_.source->open(from);
    REQUIRE_MESSAGE(!failed, failed.text());
  }

  /// Reads and passes the stages until nothing more is there or one of them refuses.
  std::vector<ums::batch> read() {
    std::vector<ums::batch> all;
    do {
      auto position = driven_.position;
      auto id = driven_.next_id;
      auto taken = driven_.step();
      refused = pass(taken);
      if (refused) {
        driven_.position = position;
        driven_.next_id = id;
        return all;
      }
      for (auto& b : taken.batches)
        if (b.rows() > 0)
          all.push_back(std::move(b));
      bad.insert(bad.end(), taken.bad.begin(), taken.bad.end());
    } while (!driven_.source->progress().idle);
    return all;
  }

  /// As it leaves for the bus.
  ums::ns published(ums::ns name) const {
    for (const auto& s : stages_)
      name = s->published(name);
    return name;
  }

  const std::string& position() const { return driven_.position; }
  int64_t next_id() const { return driven_.next_id; }
  extract::driver& source() { return *driven_.source; }

  error refused;
  std::vector<extract::bad_row> bad;

private:
  error pass(extract::collector::taken& taken) {
    for (auto& s : stages_) {
      if (auto failed = s->begin(taken.begun, "here"))
        return failed;
      if (auto failed = s->apply(taken.batches, taken.bad, "here"))
        return failed;
    }
    return {};
  }

  drive driven_;
  std::vector<std::unique_ptr<extract::stage>> stages_;
};

/// "orders.1 i 1,a|b" of each row, "orders.1 end", "orders.1 truncate".
inline std::vector<std::string> told(const std::vector<ums::batch>& batches) {
  std::vector<std::string> out;
  for (const auto& b : batches) {
    const auto& name = b.schema->name;
    auto head = name[ums::ns::table] + "." + name[ums::ns::version];
    if (name[ums::ns::table_partition] != "0")
      head += "/" + name[ums::ns::table_partition];
    for (size_t row = 0; row < b.rows(); ++row) {
      auto line = head + (b.carries_rows() ? std::string(" ") + b.op(row)
                          : b.kind == ums::protocol::increment_termination ? " end"
                          : b.kind == ums::protocol::increment_truncate    ? " truncate"
                                                                           : " mark");
      for (size_t c = b.carries_rows() ? ums::system_columns : 2; c < b.columns.size(); ++c) {
        std::string text = "NULL";
        if (!b.columns[c].is_null(row)) {
          text.clear();
          ums::append_cell(b.columns[c], row, text);
        }
        line += " " + b.schema->fields[c].name + "=" + text;
      }
      out.push_back(line);
    }
  }
  return out;
}

} // namespace rtdp::test
