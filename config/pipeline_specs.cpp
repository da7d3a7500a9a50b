#include "config/pipeline.hpp"

namespace rtdp::config {

spec node_spec() {
  return spec{"node", "This process: its name, where it keeps its state, where it answers."}
      .add({"name", std::string("n1"), "Name of the node in lists, metrics and logs."})
      .add(field{
          "data_dir", std::string("./data"),
          "Folder of checkpoints, dead letters and the embedded bus. One process uses it at a "
          "time."}
               .sample("./data"))
      .add(field{"http", std::string("127.0.0.1:8080"),
                 "Address of REST, metrics and the status page as `host:port`, or `off`."}
               .sample("127.0.0.1:8080"));
}

spec stream_spec() {
  return spec{"stream", "Reads the bus once for all flows that name it. `main` always exists."}
      .add(field{"batch_rows", int64_t{65'536}, "Rows of one batch, at most."}.range(1, 1'000'000))
      .add(field{"fetch_bytes", int64_t{8} << 20, "Bytes that one read of the bus takes, about."}
               .range(64 << 10, 1 << 30));
}

spec flow_spec() {
  return spec{"flow", "One source table or pattern of tables into one target table, with steps on "
                      "the way."}
      .add(field{"source", std::string{},
                 "Namespace pattern `datastore.instance.database.table`; `*` matches any part, the "
                 "second part is the source's name."}
               .required()
               .sample("postgres.shop.public.orders"))
      .add(field{"sink", std::string{},
                 "`<sink>.<table as the store names it>`, split at the first dot outside of double "
                 "quotes."}
               .required()
               .sample("dw.public.orders"))
      .add(field{"keys", texts{},
                 "Columns that identify a row in the target. Default: the source's "
                 "primary key."}
               .sample("[id]"))
      .add(field{"mutation", std::string("iud"),
                 "`i` appends every change; `iud` keeps one row for each key, and a delete clears "
                 "`ums_active_`; `iud_clean` keeps only business columns, and a delete removes the "
                 "row."}
               .one_of({"i", "iud", "iud_clean"}))
      .add(
          {"create", false, "Create the target table from the source's schema when it is missing."})
      .add(
          field{"evolve", std::string("add"),
                "When the source has a new column: `add` it to the target, `ignore` it, or `fail`."}
              .one_of({"add", "ignore", "fail"}))
      .add(field{"truncate", std::string("apply"),
                 "When the source table is truncated: `apply` it to the target, or `refuse` it."}
               .one_of({"apply", "refuse"}))
      .add({"stream", std::string("main"), "The stream that reads the bus for this flow."})
      .add(field{"node", std::string{},
                 "In a cluster: the name or a label of the nodes that may run it. Sources take the "
                 "same setting."}
               .sample("n1"))
      .add(field{"not_with", texts{}, "In a cluster: flows that never share a node with this one."}
               .sample("[other]"))
      .add(field{
          "dead_letters_max", int64_t{10'000},
          "The flow fails when it has put more rows than this aside; 0 fails it at the first."}
               .range(0, INT64_MAX)
               .advanced())
      // One is written while the next is made; each more only waits, a transaction long.
      .add(field{"queue_batches", int64_t{2}, "Batches that the flow takes ahead of its sink."}
               .range(1, 1024)
               .advanced());
}

} // namespace rtdp::config
