/// The settings that every log source has, declared once.
#include "actors/extract/log_events.hpp"
#include "actors/extract/table_options.hpp"

#include <iterator>

namespace rtdp::extract::logs {

namespace {

using config::field;

std::vector<field> columns_of_table() {
  std::vector<field> fields{
      field("name", std::string{}, "Name of the column.").required(),
      field("from", std::string{},
            "Cell that it takes its value from, such as `http.status`, or a fact about the event "
            "that begins with @. Default: the cell of the column's name.")};
  auto shared = column_fields();
  fields.insert(fields.end(), std::make_move_iterator(shared.begin()),
                std::make_move_iterator(shared.end()));
  return fields;
}

std::vector<field> table_fields() {
  return {field("name", std::string{}, "Fourth part of the namespace.").required(),
          field("match", std::string{},
                "Regular expression (RE2) that must be found in the text of the event. Default: "
                "any event."),
          field("rules", config::sections{},
                "Steps, each with one of the operators below: a mapping of its settings, or a list "
                "of them. An event whose rows are all dropped by filter, keyFilter or flattenUms "
                "goes to the next table.")
              .of(rule_fields())
              .sample("[]"),
          field("columns", config::sections{},
                "Columns by the name of a cell; without them rules end with a saveAs step.")
              .of(columns_of_table()),
          field("time", std::string{},
                "Column of type datetime that is the time of the event (ums_ts_). Default: when it "
                "was read or received.")};
}

} // namespace

void add_event_settings(config::spec& spec, std::vector<std::string> formats) {
  if (formats.empty())
    formats = {"json", "logfmt", "csv", "regex", "plain"};
  auto first = formats.front();
  spec.add(field("format", first,
                 "How an event becomes named cells. `json`: one object; `logfmt`: key=value; "
                 "`csv`: fields of one line; `regex`: named groups of `pattern`; `plain`: one cell "
                 "`line`. What is not of the format goes to the dead letters.")
               .one_of(std::move(formats)));
  spec.add(field("tables", config::sections{},
                 "Tables, tried in this order: the first that keeps an event takes it.")
               .required()
               .sample("[{name: requests, columns: [{name: path}, {name: status, type: int}]}]")
               .of(with_table_options(table_fields())));
  spec.add(field("unmatched", std::string("table"),
                 "Where events go that no table keeps: the table `unmatched` (columns event, "
                 "reason, origin), or the dead letters.")
               .one_of({"table", "dead_letters"}));
  spec.add(field("nested", std::string("flatten"),
                 "JSON objects within the event: `flatten` into cells `outer.inner`, or `keep` as "
                 "one cell of JSON. Arrays always stay JSON.")
               .one_of({"flatten", "keep"}));
  spec.add(field("pattern", std::string{},
                 "Of format regex: RE2 with groups `(?P<name>…)`. An event that it does not match "
                 "counts as unmatched."));
  spec.add(field("csv_columns", config::texts{},
                 "Names of the fields of format csv. Default: the first line of each file."));
  spec.add(field("csv_delimiter", std::string(","), "One character.").sample("','"));
}

} // namespace rtdp::extract::logs
