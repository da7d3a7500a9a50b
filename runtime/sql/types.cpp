#include "runtime/sql/types.hpp"

#include <fmt/format.h>

namespace rtdp::sql {

namespace {

constexpr const char* json_alias = "JSON";

duckdb_type simple_type_of(ums::type t) {
  switch (t) {
  case ums::type::int_:
    return DUCKDB_TYPE_INTEGER;
  case ums::type::long_:
    return DUCKDB_TYPE_BIGINT;
  case ums::type::float_:
    return DUCKDB_TYPE_FLOAT;
  case ums::type::double_:
    return DUCKDB_TYPE_DOUBLE;
  case ums::type::boolean:
    return DUCKDB_TYPE_BOOLEAN;
  case ums::type::date:
    return DUCKDB_TYPE_DATE;
  case ums::type::datetime:
    return DUCKDB_TYPE_TIMESTAMP;
  case ums::type::binary:
    return DUCKDB_TYPE_BLOB;
  default:
    return DUCKDB_TYPE_VARCHAR;
  }
}

bool is_json(duckdb_logical_type type) {
  char* alias = duckdb_logical_type_get_alias(type);
  bool found = alias != nullptr && std::string_view(alias) == json_alias;
  duckdb_free(alias);
  return found;
}

} // namespace

logical_type type_of_field(const ums::field& f) {
  if (f.type == ums::type::decimal) {
    auto shape = decimal_shape_of(f.native);
    return logical_type(duckdb_create_decimal_type(shape.width, shape.scale));
  }
  logical_type made(duckdb_create_logical_type(simple_type_of(f.type)));
  if (f.type == ums::type::jsonobject || f.type == ums::type::jsonarray)
    duckdb_logical_type_set_alias(made.get(), json_alias);
  return made;
}

result_type type_of_result(duckdb_logical_type type) {
  using ums::type::string;
  switch (duckdb_get_type_id(type)) {
  case DUCKDB_TYPE_VARCHAR:
    return {is_json(type) ? ums::type::jsonobject : string, "", ""};
  case DUCKDB_TYPE_BOOLEAN:
    return {ums::type::boolean, "", ""};
  case DUCKDB_TYPE_TINYINT:
  case DUCKDB_TYPE_UTINYINT:
  case DUCKDB_TYPE_SMALLINT:
  case DUCKDB_TYPE_USMALLINT:
    return {ums::type::int_, "", "CAST({} AS INTEGER)"};
  case DUCKDB_TYPE_INTEGER:
    return {ums::type::int_, "", ""};
  case DUCKDB_TYPE_UINTEGER:
    return {ums::type::long_, "", "CAST({} AS BIGINT)"};
  case DUCKDB_TYPE_BIGINT:
    return {ums::type::long_, "", ""};
  case DUCKDB_TYPE_UBIGINT:
    return {ums::type::decimal, "numeric(20,0)", "CAST({} AS DECIMAL(20,0))"};
  case DUCKDB_TYPE_HUGEINT:
    return {ums::type::decimal, "", ""};
  case DUCKDB_TYPE_UHUGEINT:
  case DUCKDB_TYPE_BIGNUM:
    // The text of an integer is the text of the decimal.
    return {ums::type::decimal, "", "CAST({} AS VARCHAR)"};
  case DUCKDB_TYPE_DECIMAL:
    return {ums::type::decimal,
            fmt::format("numeric({},{})", duckdb_decimal_width(type), duckdb_decimal_scale(type)),
            ""};
  case DUCKDB_TYPE_FLOAT:
    return {ums::type::float_, "", ""};
  case DUCKDB_TYPE_DOUBLE:
    return {ums::type::double_, "", ""};
  case DUCKDB_TYPE_DATE:
    return {ums::type::date, "", ""};
  case DUCKDB_TYPE_TIMESTAMP:
  case DUCKDB_TYPE_TIMESTAMP_TZ:
    return {ums::type::datetime, "", ""};
  case DUCKDB_TYPE_TIMESTAMP_S:
  case DUCKDB_TYPE_TIMESTAMP_MS:
  case DUCKDB_TYPE_TIMESTAMP_NS:
    return {ums::type::datetime, "", "CAST({} AS TIMESTAMP)"};
  case DUCKDB_TYPE_BLOB:
    return {ums::type::binary, "", ""};
  case DUCKDB_TYPE_LIST:
  case DUCKDB_TYPE_ARRAY:
    return {ums::type::jsonarray, "", "to_json({})"};
  case DUCKDB_TYPE_STRUCT:
  case DUCKDB_TYPE_MAP:
    return {ums::type::jsonobject, "", "to_json({})"};
  default:
    return {string, "", "CAST({} AS VARCHAR)"};
  }
}

} // namespace rtdp::sql
