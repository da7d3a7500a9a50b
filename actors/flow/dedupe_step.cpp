/// The `dedupe` step: leaves out rows whose key came before, within a time.
#include "actors/flow/cells.hpp"
#include "actors/flow/stateful_step.hpp"

#include <algorithm>
#include <cstring>

namespace rtdp::flow {

namespace {

using config::field;

/// Of each row that comes, so many kept keys are looked at for being too old to keep: all of them
/// within half as many rows as there are keys.
constexpr size_t looks_per_change = 2;
constexpr uint8_t seen_table = 1;

config::spec dedupe_spec() {
  return config::spec("dedupe",
                      "Leaves out rows whose key came before within a time, by ums_ts_, counted "
                      "from the row that went through. For tables that rows are only added to: "
                      "updates and deletes go through as they are. A truncate does not make it "
                      "forget. Keeps state, which moves with the flow.")
      .add(field("keys", config::texts{}, "The columns that make two rows the same; nulls are equal.")
               .required()
               .sample("[event_id]"))
      .add(field("within", std::chrono::milliseconds(std::chrono::hours(1)),
                 "How long a key is remembered.")
               .range(1, INT64_MAX / 1'000'000)
               .sample("1h"));
}

/// What is kept of a key.
struct seen {
  /// Of the row that went through: itself again, a dead letter that is replayed, goes through again.
  int64_t ums_id = 0;
  int64_t ts_us = 0;
  /// From here on, by the newest time so far, it is needed no more. A row that comes late is kept as
  /// long as one in time.
  int64_t until_us = 0;
};

class deduping final : public stateful_step {
public:
  explicit deduping(const config::section& s)
      : keys_(s.get<config::texts>("keys")), within_us_(s.duration("within").count() * 1000) {}

  result<ums::schema> prepare(const ums::schema& input) override {
    if (auto places = places_in(input); !places)
      return places.error();
    return input;
  }
  bool row_wise() override { return true; }
  bool counts_rows() const override { return false; }
  std::string layout() const override {
    std::string out = "dedupe";
    for (const auto& key : keys_)
      out += ' ' + key;
    return out;
  }
  void attach(step_place place) override {
    place_ = std::move(place);
    prefix_ = {char(place_.number), char(seen_table)};
    looked_at_.clear();
  }

  error take(const batches& in, batches& out, std::vector<refused_row>&) override {
    for (const auto& b : in) {
      if (!b->carries_rows() || b->rows() == 0) {
        out.push_back(b);
        continue;
      }
      std::vector<bool> wanted(b->rows(), true);
      if (auto failed = choose(*b, wanted))
        return failed;
      if (auto failed = forget_old(b->rows()))
        return failed;
      bool all = std::find(wanted.begin(), wanted.end(), false) == wanted.end();
      out.push_back(all ? b : chosen(*b, wanted));
    }
    return {};
  }

private:
  result<std::vector<size_t>> places_in(const ums::schema& s) const {
    std::vector<size_t> out;
    for (const auto& key : keys_) {
      auto at = s.find(key);
      if (!at)
        return rejected("no column is named " + key);
      out.push_back(*at);
    }
    return out;
  }

  error choose(const ums::batch& b, std::vector<bool>& wanted) {
    auto places = places_in(*b.schema);
    // A delete may carry its key alone, an update what its log had: only inserts are looked at.
    for (size_t row = 0; row < b.rows(); ++row) {
      newest_us_ = std::max(newest_us_, b.timestamps()[row]);
      if (b.op(row) != 'i')
        continue;
      if (!places)
        return places.error();
      auto passes = is_first(b, row, *places);
      if (!passes)
        return passes.error();
      wanted[row] = *passes;
    }
    return {};
  }

  result<bool> is_first(const ums::batch& b, size_t row, const std::vector<size_t>& places) {
    key_ = prefix_;
    for (auto at : places)
      append_key(b.columns[at], row, key_);
    auto held = place_.data->get(key_);
    if (!held)
      return held.error();
    auto id = b.ids()[row], ts_us = b.timestamps()[row];
    if (seen before; *held && parse(**held, before)) {
      if (before.ums_id == id)
        return true;
      auto apart = ts_us > before.ts_us ? ts_us - before.ts_us : before.ts_us - ts_us;
      if (apart < within_us_)
        return false;
      // One that comes late does not hide those in time.
      if (ts_us < before.ts_us)
        return true;
    }
    seen now{id, ts_us, std::max(ts_us, newest_us_) + within_us_};
    place_.data->put(key_, {reinterpret_cast<const char*>(&now), sizeof now});
    return true;
  }

  static bool parse(std::string_view bytes, seen& into) {
    if (bytes.size() != sizeof into)
      return false;
    std::memcpy(&into, bytes.data(), sizeof into);
    return true;
  }

  error forget_old(size_t rows) {
    std::vector<std::string> old;
    size_t looked = 0;
    auto most = looks_per_change * rows;
    auto failed = place_.data->look_on(
        prefix_, looked_at_, most, [&](std::string_view key, std::string_view value) {
          ++looked;
          looked_at_ = key;
          if (seen s; parse(value, s) && s.until_us < newest_us_)
            old.emplace_back(key);
          return true;
        });
    if (failed)
      return failed;
    if (looked < most)
      looked_at_.clear();
    for (const auto& key : old) {
      // The file may be behind: the key may have come again since.
      auto held = place_.data->get(key);
      if (!held)
        return held.error();
      if (seen s; *held && parse(**held, s) && s.until_us < newest_us_)
        place_.data->erase(key);
    }
    return {};
  }

  static ums::batch_ptr chosen(const ums::batch& b, const std::vector<bool>& wanted) {
    ums::batch kept{b.schema, b.kind};
    for (size_t row = 0; row < b.rows(); ++row)
      for (size_t c = 0; wanted[row] && c < b.columns.size(); ++c)
        kept.columns[c].append(b.columns[c], row, 1);
    return std::make_shared<const ums::batch>(std::move(kept));
  }

  const std::vector<std::string> keys_;
  const int64_t within_us_;
  step_place place_;
  std::string prefix_, key_;
  /// By ums_ts_, of all rows so far.
  int64_t newest_us_ = INT64_MIN / 2;
  /// Where `forget_old` goes on.
  std::string looked_at_;
};

} // namespace

kind dedupe_step() {
  return {dedupe_spec(),
          [](const config::section& settings) -> std::unique_ptr<step> {
            return std::make_unique<deduping>(settings);
          },
          [](const config::section&) { return error{}; }, true};
}

} // namespace rtdp::flow
