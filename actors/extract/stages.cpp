#include "actors/extract/stages.hpp"

#include "actors/extract/history_stage.hpp"
#include "actors/extract/mask_check.hpp"
#include "actors/extract/merge_stage.hpp"

#include <algorithm>

namespace rtdp::extract {

result<std::vector<std::unique_ptr<stage>>> make_stages(const kind& k, const std::string& source,
                                                        const config::section& settings,
                                                        const std::string& data_dir) {
  auto tables = read_table_options(k, source, settings);
  if (!tables)
    return tables.error();
  auto history = state::schema_history::open(data_dir);
  if (!history)
    return history.error();
  std::vector<std::unique_ptr<stage>> out;
  auto masks = make_mask_stage(k, source, settings, *tables);
  if (!masks)
    return masks.error();
  if (*masks)
    out.push_back(std::move(*masks));
  if (std::any_of(tables->begin(), tables->end(),
                  [](const table_options& o) { return o.merge.has_value(); }))
    out.push_back(std::make_unique<merge_stage>(*tables));
  out.push_back(std::make_unique<history_stage>(std::move(*history), source, *tables));
  return out;
}

} // namespace rtdp::extract
