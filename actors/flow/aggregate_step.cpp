/// The `aggregate` step: running count, sum, min and max by key, exact under updates and deletes.
#include "actors/flow/aggregate_plan.hpp"
#include "actors/flow/aggregate_row.hpp"
#include "actors/flow/aggregate_state.hpp"
#include "runtime/ums/codec.hpp"

#include <algorithm>
#include <optional>

namespace rtdp::flow {

namespace {

using config::field;
using std::chrono::hours;

/// How long a deleted row is remembered, by ums_ts_: a dead letter that is older must not be
/// replayed into a flow that has deleted its row.
constexpr int64_t remembered_us = int64_t{7} * 24 * 3600 * 1'000'000;
/// Of each row that comes, so many kept ones are looked at for being too old to keep.
constexpr size_t looks_per_row = 2;

std::vector<field> column_fields() {
  return {field("of", std::string(), "The column.").required(),
          field("as", std::string(), "Name of the result; default: sum_, min_ or max_ and the "
                                     "column's name.")};
}

config::spec aggregate_spec() {
  return config::spec("aggregate",
                      "A row per key with running figures, exact under updates and deletes: what a "
                      "row added is taken out again when it changes or goes. The rows of the "
                      "source are told apart by its primary key; without one they can only be "
                      "added. Keeps state, which moves with the flow.")
      .add(field("by", config::texts{}, "The columns that make a group: the key of the result.")
               .required()
               .sample("[customer_id]"))
      .add(field("count", std::string(), "Name of a column with the number of rows; empty: none.")
               .sample("orders"))
      .add(field("sum", config::sections{},
                 "Sums of int, long and decimal columns; null adds nothing.")
               .of(column_fields())
               .sample("[{of: total, as: amount}]"))
      .add(field("min", config::sections{}, "Smallest values; text by its bytes.")
               .of(column_fields())
               .sample("[{of: total, as: smallest}]"))
      .add(field("max", config::sections{}, "Largest values; text by its bytes.")
               .of(column_fields())
               .sample("[{of: total, as: largest}]"));
}

class aggregating final : public stateful_step {
public:
  explicit aggregating(aggregate_settings settings) : settings_(std::move(settings)) {}

  result<ums::schema> prepare(const ums::schema& input) override {
    auto plan = aggregate_plan::make(settings_, input, false);
    if (!plan)
      return plan.error();
    return ums::schema{input.name, input.batch_id, plan->out};
  }
  bool row_wise() override { return false; }
  std::string layout() const override { return settings_.text(); }
  bool counts_rows() const override { return true; }

  void attach(step_place place) override {
    aggregate_state::shape shape;
    shape.sums = settings_.sums.size();
    // Which value an extreme is of depends on names alone.
    ums::schema none;
    if (auto plan = aggregate_plan::make(settings_, none, true))
      for (const auto& e : plan->extremes)
        shape.extremes.emplace_back(e.value, e.is_max);
    state_ = aggregate_state(std::move(place), std::move(shape));
    out_.clear();
    looked_at_.clear();
  }

  error take(const batches& in, batches& out, std::vector<refused_row>& refused) override {
    if (in.empty())
      return {};
    auto failed = take_all(in, refused);
    if (!failed)
      failed = hand_out(in.front()->schema->name, out);
    if (failed)
      state_.rollback();
    return failed;
  }

private:
  error take_all(const batches& in, std::vector<refused_row>& refused) {
    for (const auto& b : in) {
      auto failed = b->carries_rows() ? take_rows(*b, refused) : take_sign(*b);
      if (failed)
        return failed;
    }
    return forget_old(in);
  }

  // -- rows ----

  error take_rows(const ums::batch& b, std::vector<refused_row>& refused) {
    auto plan = plan_for(b);
    if (!plan)
      return plan.error();
    auto prefix = state_.rows_of(b.schema->name);
    if (!prefix)
      return prefix.error();
    if ((*plan)->keys.empty())
      if (auto failed = state_.note_keyless(*prefix))
        return failed;
    std::string key;
    for (size_t row = 0; row < b.rows(); ++row) {
      key = *prefix;
      for (auto at : (*plan)->keys)
        append_key(b.columns[size_t(at)], row, key);
      std::string why;
      if (auto failed = (*plan)->keys.empty() ? add_row(**plan, b, row, why)
                                              : change_row(**plan, b, row, key, why))
        return failed;
      if (!why.empty())
        refused.push_back({b.ids()[row], std::move(why)});
    }
    return {};
  }

  /// A row that nothing tells from others: it can come, and never change.
  error add_row(const aggregate_plan& plan, const ums::batch& b, size_t row, std::string& why) {
    if (b.op(row) != 'i') {
      why = "the table has no primary key, so what this row added before cannot be found; give it "
            "a key, or rewind the flow";
      return {};
    }
    contribution fresh;
    if (!read_row({settings_, plan, b, row, nullptr}, fresh, why))
      return {};
    return replace(nullptr, &fresh, b.timestamps()[row], why);
  }

  error change_row(const aggregate_plan& plan, const ums::batch& b, size_t row,
                   const std::string& key, std::string& why) {
    auto held = state_.find(key);
    if (!held)
      return held.error();
    auto& kept = *held;
    // The highest id counts, in whatever order they come.
    if (kept && kept->ums_id >= b.ids()[row])
      return {};
    const auto* old = kept && !kept->gone ? &*kept : nullptr;
    contribution fresh;
    fresh.gone = b.op(row) == 'd';
    if (!fresh.gone && !read_row({settings_, plan, b, row, old}, fresh, why))
      return {};
    fresh.ums_id = b.ids()[row];
    fresh.ts_us = b.timestamps()[row];
    if (old || !fresh.gone)
      if (auto failed = replace(old, fresh.gone ? nullptr : &fresh, fresh.ts_us, why))
        return failed;
    if (why.empty())
      state_.keep(key, fresh);
    return {};
  }

  error replace(const contribution* old, const contribution* fresh, int64_t ts_us,
                std::string& why) {
    auto done = state_.replace(old, fresh, ts_us);
    if (!done)
      return done.error();
    if (!*done)
      why = "a sum of its group would have more digits than its type holds";
    return {};
  }

  result<const aggregate_plan*> plan_for(const ums::batch& b) {
    if (planned_ && (planned_ == b.schema || *planned_ == *b.schema))
      return &plan_;
    // Deletes may carry nothing but the key.
    auto plan = aggregate_plan::make(settings_, *b.schema, true);
    if (!plan)
      return plan.error();
    plan_ = std::move(*plan);
    planned_ = b.schema;
    if (plan_.is_whole)
      out_ = plan_.out;
    if (auto failed = know_fields())
      return failed;
    return &plan_;
  }

  /// What comes out must be known before the first batch that has every column has come.
  error know_fields() {
    auto kept = state_.fields();
    if (!kept)
      return kept.error();
    if (out_.empty())
      out_ = fields_of(*kept);
    if (auto text = fields_text(out_); text != *kept)
      state_.keep_fields(text);
    std::vector<bool> are_long;
    auto first = ums::system_columns + settings_.by.size() + !settings_.count.empty();
    for (size_t i = first; i < first + settings_.sums.size() && i < out_.size(); ++i)
      are_long.push_back(out_[i].type == ums::type::long_);
    state_.set_long(std::move(are_long));
    return {};
  }

  // -- truncates and sweeps ----

  /// Takes out the rows of a table that are older than the sign says.
  error take_sign(const ums::batch& sign) {
    if (sign.rows() == 0)
      return {};
    const auto* before = sign.find(ums::before_name);
    auto id = sign.ids()[0], ts_us = sign.timestamps()[0];
    auto limit = before ? before->ints()[0] : id;
    auto prefix = state_.rows_of(sign.schema->name);
    if (!prefix)
      return prefix.error();
    std::vector<std::pair<std::string, contribution>> out;
    auto failed = state_.data().each(*prefix, [&](std::string_view key, std::string_view value) {
      contribution c;
      if (c.parse(value) && !c.gone && c.ums_id < limit)
        out.emplace_back(key, std::move(c));
      return true;
    });
    if (failed)
      return failed;
    for (const auto& [key, old] : out) {
      std::string why;
      if (auto wrong = replace(&old, nullptr, ts_us, why))
        return wrong;
      contribution gone;
      gone.gone = true;
      gone.ums_id = id;
      gone.ts_us = ts_us;
      state_.keep(key, gone);
    }
    auto keyless = state_.is_keyless(*prefix);
    if (!keyless)
      return keyless.error();
    return *keyless && !before ? take_truncate_without_keys() : error{};
  }

  /// Rows that were only added: one table's truncate takes all there are.
  error take_truncate_without_keys() {
    auto tables = state_.tables();
    if (!tables)
      return tables.error();
    if (*tables > 1)
      return rejected("a table without a primary key was emptied, and other tables were added to "
                      "the same groups: what is to go cannot be told; rewind the flow");
    return state_.empty_all();
  }

  // -- the end of a batch ----

  /// Looks at some of what is kept and forgets deleted rows that are old enough.
  error forget_old(const batches& in) {
    size_t rows = 0;
    int64_t newest_us = INT64_MIN;
    for (const auto& b : in)
      if (b->rows() > 0) {
        rows += b->rows();
        newest_us = std::max(newest_us, b->timestamps().back());
      }
    std::vector<std::string> old;
    size_t seen = 0;
    auto prefix = state_.prefix(aggregate_state::rows_table);
    auto failed = state_.data().look_on(
        prefix, looked_at_, looks_per_row * rows, [&](std::string_view key, std::string_view value) {
          ++seen;
          looked_at_ = key;
          if (contribution c; contribution::is_gone(value) && c.parse(value) &&
                              c.ts_us < newest_us - remembered_us)
            old.emplace_back(key);
          return true;
        });
    if (failed)
      return failed;
    if (seen < looks_per_row * rows)
      looked_at_.clear();
    for (const auto& key : old) {
      // The file may be behind: the row may have come again since.
      auto now = state_.find(key);
      if (!now)
        return now.error();
      if (*now && (*now)->gone && (*now)->ts_us < newest_us - remembered_us)
        state_.forget(key);
    }
    return {};
  }

  error hand_out(const ums::ns& name, batches& out) {
    auto groups = state_.finish();
    if (!groups)
      return groups.error();
    if (groups->empty())
      return {};
    if (auto failed = know_fields())
      return failed;
    auto schema = std::make_shared<ums::schema>();
    schema->name = name;
    schema->fields = out_;
    ums::batch b{schema};
    // Groups that are gone first: one of an older type may have the same key as one that is new.
    for (bool gone : {true, false})
      for (const auto& [key, g] : *groups)
        if ((g.rows == 0) == gone)
          append_row(key, g, b);
    out.push_back(std::make_shared<const ums::batch>(std::move(b)));
    return {};
  }

  /// Every group that the batch touched comes out, changed or not: what an earlier life of the flow
  /// wrote of this batch, in part, is overwritten.
  void append_row(std::string_view key, const group& g, ums::batch& b) {
    b.columns[0].append_int(state_.next_id());
    b.columns[1].append_int(g.ts_us);
    b.columns[2].append_text(g.rows == 0 ? "d" : g.existed ? "u" : "i");
    size_t c = ums::system_columns;
    for (size_t i = 0; i < settings_.by.size(); ++i, ++c)
      take_key(key, scale_of(out_[c]), b.columns[c]);
    if (!settings_.count.empty())
      b.columns[c++].append_int(g.rows);
    std::string text;
    for (const auto& sum : g.sums) {
      auto& into = b.columns[c];
      text.clear();
      append_exact(sum.total, scale_of(out_[c++]), text);
      if (sum.count == 0 || !ums::append_parsed(into, text))
        into.append_null();
    }
    for (const auto& e : g.edges) {
      std::string_view value = e.value;
      take_key(value, scale_of(out_[c]), b.columns[c]);
      ++c;
    }
  }

  const aggregate_settings settings_;
  aggregate_state state_;
  ums::schema_ptr planned_;
  aggregate_plan plan_;
  /// What comes out, of the last batch that carried every column.
  std::vector<ums::field> out_;
  /// Where `forget_old` goes on.
  std::string looked_at_;
};

} // namespace

kind aggregate_step() {
  return {aggregate_spec(),
          [](const config::section& settings) -> std::unique_ptr<step> {
            return std::make_unique<aggregating>(aggregate_settings::of(settings));
          },
          [](const config::section& settings) -> error {
            return aggregate_settings::of(settings).check();
          },
          true};
}

} // namespace rtdp::flow
