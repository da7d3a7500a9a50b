#include "actors/extract/mask_stage.hpp"

#include "runtime/ums/codec.hpp"

#include <algorithm>
#include <cstdio>
#include <openssl/rand.h>

namespace rtdp::extract {

namespace {

/// Drivers give a schema for each version and column set. More than this only comes from a stage
/// or driver that makes one anew for each batch.
constexpr size_t plans_max = 4096;
/// Of the fingerprint; letters are told apart by it.
constexpr size_t fingerprint_bytes = 8;

ums::ns any_version(ums::ns name) {
  for (auto part : {ums::ns::version, ums::ns::db_partition, ums::ns::table_partition})
    name.set(part, "0");
  return name;
}

std::string people_name(const ums::ns& name) {
  return name[ums::ns::database] + "." + name[ums::ns::table];
}

bool has_insert(const ums::batch& b) {
  for (size_t row = 0; row < b.rows(); ++row)
    if (b.op(row) == 'i')
      return true;
  return false;
}

/// Takes the rows out for which `drop` holds.
template<class Drop>
void erase_rows(ums::batch& b, Drop drop) {
  std::vector<ums::column> kept;
  for (const auto& c : b.columns)
    kept.emplace_back(c.type());
  for (size_t first = 0; first < b.rows();) {
    auto end = first;
    while (end < b.rows() && !drop(end))
      ++end;
    for (size_t i = 0; end > first && i < kept.size(); ++i)
      kept[i].append(b.columns[i], first, end - first);
    first = end + 1;
  }
  b.columns = std::move(kept);
}

/// The row as a message of its own; what stands before a text that is not UTF-8 when it cannot be
/// one.
std::string message_of(const ums::batch& b, size_t row) {
  std::string out;
  if (auto failed = ums::write(ums::slice{&b, row, 1}, out))
    return "row " + std::to_string(b.ids()[row]) + " is no message: " + failed.text();
  return out;
}

/// Of all salts, so that the same bytes give the same fingerprint; else of nothing that anybody
/// could know.
result<hmac_sha256> make_fingerprint(const std::vector<table_options>& tables) {
  std::string key;
  for (const auto& t : tables)
    for (const auto& m : t.settings.get<config::sections>("mask"))
      key += m.get<config::secret>("salt").reveal();
  if (key.empty()) {
    key.resize(32);
    if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), int(key.size())) != 1)
      return rejected("OpenSSL has no random bytes");
  }
  return hmac_sha256::make(key);
}

error told(int* line, int at, error what) {
  if (line != nullptr)
    *line = at;
  return what;
}

} // namespace

result<std::vector<mask_settings>> read_masks(const table_options& of, int* line) {
  std::vector<mask_settings> all;
  for (const auto& item : of.settings.get<config::sections>("mask")) {
    auto m = read_mask(item);
    if (!m)
      return told(line, item.line, m.error().in("mask of column " + item.text("column")));
    auto same = [&](const mask_settings& other) { return other.column == m->column; };
    if (std::any_of(all.begin(), all.end(), same))
      return told(line, item.line, rejected("column " + m->column + " has two masks"));
    all.push_back(std::move(*m));
  }
  return all;
}

result<ums::schema> masked(const std::vector<mask_settings>& masks, const ums::schema& from,
                           int* line) {
  auto to = from;
  for (const auto& m : masks) {
    auto at = from.find(m.column);
    if (!at && m.if_exists)
      continue;
    if (!at)
      return told(
          line, m.line,
          rejected("table " + people_name(from.name) + " has no column " + m.column +
                   " to be masked: if it was renamed, name it as it is now; if_exists: true lets "
                   "tables pass that lack it"));
    auto f = masked(m, from.fields[*at]);
    if (!f)
      return told(line, m.line, f.error().in("mask of table " + people_name(from.name)));
    to.fields[*at] = std::move(*f);
  }
  return to;
}

result<std::unique_ptr<stage>> mask_stage::make(std::vector<table_options> tables,
                                                const std::vector<ums::schema>& known) {
  auto fingerprint = make_fingerprint(tables);
  if (!fingerprint)
    return fingerprint.error();
  std::unique_ptr<mask_stage> out(new mask_stage(std::move(*fingerprint)));
  out->tables_ = std::move(tables);
  bool any = false;
  for (const auto& t : out->tables_) {
    auto settings = read_masks(t);
    if (!settings)
      return settings.error();
    auto& i = out->items_.emplace_back();
    i.settings = std::move(*settings);
    for (const auto& m : i.settings) {
      auto made = make_mask(m);
      if (!made)
        return made.error();
      i.masks.push_back(std::move(*made));
      any = true;
    }
  }
  if (!any)
    return std::unique_ptr<stage>();
  for (const auto& s : known) {
    bool unknown = false;
    const auto* i = out->item_of(s.name, unknown);
    if (i == nullptr || i->settings.empty())
      continue;
    if (auto fits = masked(i->settings, s); !fits)
      return fits.error();
    out->learn(s);
  }
  return std::unique_ptr<stage>(std::move(out));
}

/// Equal letters are one, so two rows must not get the same note.
std::string mask_stage::note_of(std::string_view bytes) {
  auto out = "not kept: columns of this table are masked, and the bytes could hold them in clear "
             "text (" +
             std::to_string(bytes.size()) + " bytes";
  hmac_sha256::digest digest;
  if (!fingerprint_.of(bytes, digest))
    return out + ")";
  char hex[2 * fingerprint_bytes + 1];
  for (size_t i = 0; i < fingerprint_bytes; ++i)
    std::snprintf(hex + 2 * i, 3, "%02x", digest[i]);
  return out + ", fingerprint " + hex + ")";
}

const mask_stage::item* mask_stage::item_of(const ums::ns& table, bool& unknown) const {
  const auto* options = options_of(tables_, table);
  unknown = options == nullptr;
  return unknown ? nullptr : &items_[size_t(options - tables_.data())];
}

void mask_stage::learn(const ums::schema& s) {
  auto& names = columns_[any_version(s.name)];
  for (const auto& f : s.fields)
    names.insert(f.name);
}

result<mask_stage::plan*> mask_stage::plan_of(const ums::schema_ptr& schema) {
  if (auto at = plans_.find(schema.get()); at != plans_.end())
    return &at->second;
  if (plans_.size() >= plans_max)
    plans_.clear();
  plan p;
  p.from = schema;
  p.masks = item_of(schema->name, p.unknown);
  auto to = std::make_shared<ums::schema>(*schema);
  for (size_t i = 0; p.masks != nullptr && i < p.masks->settings.size(); ++i) {
    const auto& m = p.masks->settings[i];
    auto at = schema->find(m.column);
    if (!at) {
      if (!m.if_exists)
        p.missing = &m;
      continue;
    }
    auto f = masked(m, schema->fields[*at]);
    if (!f)
      return f.error().in("mask of table " + people_name(schema->name));
    to->fields[*at] = std::move(*f);
    p.columns.push_back({*at, i});
  }
  p.to = std::move(to);
  if (p.masks != nullptr && !p.missing)
    learn(*schema);
  return &(plans_[schema.get()] = std::move(p));
}

error mask_stage::missing(const plan& p, const ums::schema& s) {
  return rejected("table " + people_name(s.name) + " has no column " + p.missing->column +
                  " to be masked: if it was renamed, name it as it is now; if_exists: true lets "
                  "tables pass that lack it");
}

/// An insert carries every column. Other rows may lack one that the log did not carry, or be keys
/// only; that the column was renamed shows in a column that was not there beside it before.
error mask_stage::check_missing(plan& p, const ums::batch& b) {
  if (b.kind != ums::protocol::increment_data || has_insert(b))
    return missing(p, *b.schema);
  if (p.missing_is_fine)
    return {};
  auto seen = columns_.find(any_version(b.schema->name));
  for (const auto& f : b.schema->fields)
    if (!ums::is_system(f.name) && !f.key &&
        (seen == columns_.end() || seen->second.count(f.name) == 0))
      return unavailable("table " + people_name(b.schema->name) + " sent a row without column " +
                         p.missing->column + ", which is to be masked, and with column " + f.name +
                         ", which is new: the table is looked at anew");
  p.missing_is_fine = true;
  return {};
}

error mask_stage::begin(std::vector<ums::schema_ptr>& versions, const std::string&) {
  for (auto& v : versions) {
    auto p = plan_of(v);
    if (!p)
      return p.error();
    if ((*p)->missing != nullptr)
      return missing(**p, *v);
    v = (*p)->to;
  }
  return {};
}

error mask_stage::apply(std::vector<ums::batch>& batches, std::vector<bad_row>& bad,
                        const std::string&) {
  for (auto& b : bad) {
    bool unknown = false;
    const auto* i = item_of(b.table, unknown);
    if (!unknown && i->settings.empty())
      continue;
    b.bytes = note_of(b.bytes);
    // Log sources say where an event comes from, " (@key=…)", which a column may show masked.
    b.reason.resize(std::min(b.reason.size(), b.reason.find(" (@")));
  }
  for (auto& b : batches) {
    if (!b.carries_rows())
      continue;
    auto p = plan_of(b.schema);
    if (!p)
      return p.error();
    if ((*p)->missing != nullptr)
      if (auto failed = check_missing(**p, b))
        return failed;
    if ((*p)->unknown) {
      for (size_t row = 0; row < b.rows(); ++row)
        bad.push_back({b.schema->name,
                       "no item of `tables:` stands for this table, while others have masks",
                       note_of(message_of(b, row))});
      erase_rows(b, [](size_t) { return true; });
    } else if (!(*p)->columns.empty()) {
      mask_batch(**p, b, bad);
    }
  }
  if (orphans_.empty())
    return {};
  for (auto& b : batches)
    if (b.carries_rows())
      erase_rows(b, [&](size_t row) { return b.op(row) == 'b' && orphans_.count(b.ids()[row]); });
  orphans_.clear();
  return {};
}

void mask_stage::mask_batch(const plan& p, ums::batch& b, std::vector<bad_row>& bad) {
  failures_.clear();
  failed_columns_.clear();
  for (const auto& c : p.columns) {
    ums::column out(p.to->fields[c.index].type);
    p.masks->masks[c.mask]->apply(b.columns[c.index], out, failures_);
    failed_columns_.resize(failures_.size(), c.index);
    b.columns[c.index] = std::move(out);
  }
  b.schema = p.to;
  if (!failures_.empty())
    set_aside(p, b, bad);
}

void mask_stage::set_aside(const plan& p, ums::batch& b, std::vector<bad_row>& bad) {
  std::map<size_t, std::string> reasons;
  for (size_t i = 0; i < failures_.size(); ++i) {
    auto& reason = reasons[failures_[i].row];
    reason += (reason.empty() ? "column " : "; column ") + p.to->fields[failed_columns_[i]].name +
              " cannot be masked: " + failures_[i].why;
  }
  for (const auto& [row, reason] : reasons) {
    bad.push_back({b.schema->name, reason, message_of(b, row)});
    if (b.op(row) == 'u')
      orphans_.insert(b.ids()[row]);
  }
  erase_rows(b, [&](size_t row) { return reasons.count(row) > 0; });
}

} // namespace rtdp::extract
