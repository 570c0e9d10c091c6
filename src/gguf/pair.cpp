#include "gguf/pair.h"

#include "base/text.h"

namespace plumb::gguf {
namespace {

// Calls visit(T{}) with the C++ type of a number; strings, arrays and bools have none.
template <typename Visit>
auto with_number_type(ValueType type, Visit visit) {
  switch (type) {
    case ValueType::u8:
      return visit(uint8_t{});
    case ValueType::i8:
      return visit(int8_t{});
    case ValueType::u16:
      return visit(uint16_t{});
    case ValueType::i16:
      return visit(int16_t{});
    case ValueType::u32:
      return visit(uint32_t{});
    case ValueType::i32:
      return visit(int32_t{});
    case ValueType::u64:
      return visit(uint64_t{});
    case ValueType::i64:
      return visit(int64_t{});
    case ValueType::f32:
      return visit(float{});
    default:
      return visit(double{});
  }
}

template <typename T>
Value widen(T x) {
  if constexpr (std::is_floating_point_v<T>) return Value(std::in_place_type<double>, x);
  if constexpr (std::is_same_v<T, uint64_t>)
    if (x > static_cast<uint64_t>(INT64_MAX)) return Value(std::in_place_type<uint64_t>, x);
  return Value(std::in_place_type<int64_t>, static_cast<int64_t>(x));
}

ValueType read_type(Cursor& cursor, std::string_view field, bool element) {
  const auto id = cursor.number<uint32_t>(field);
  const bool nested = element && id == static_cast<uint32_t>(ValueType::array);
  if (id > static_cast<uint32_t>(ValueType::f64) || nested)
    cursor.reject(field, element ? "0..12 but not 9 (arrays of arrays)" : "0..12",
                  fmt::format("{}", id));
  return static_cast<ValueType>(id);
}

void check_bool(Cursor& cursor, uint8_t byte) {
  if (byte > 1) cursor.reject("bool", "0 or 1", fmt::format("{}", byte));
}

Array read_array(Cursor& cursor) {
  const ValueType type = read_type(cursor, "element type", true);
  const auto count = cursor.number<uint64_t>("array length");
  if (type != ValueType::string) {
    const auto bytes = cursor.take(count, value_bytes(type), "array");
    if (type == ValueType::boolean)
      for (const uint8_t byte : bytes) check_bool(cursor, byte);
    return {type, static_cast<int64_t>(count), bytes};
  }
  if (count > cursor.remaining() / 8)  // each string has a length of eight bytes
    cursor.reject("array length",
                  fmt::format("at most {} strings, {} bytes remain", cursor.remaining() / 8,
                              cursor.remaining()),
                  fmt::format("{}", count));
  Cursor strings = cursor;
  for (uint64_t i = 0; i < count; ++i) strings.text("string of the array");
  return {type, static_cast<int64_t>(count), cursor.take(strings.at() - cursor.at(), 1, "array")};
}

}  // namespace

Value read_value(Cursor& cursor) {
  const ValueType type = read_type(cursor, "value type", false);
  if (type == ValueType::string) return cursor.text("string");
  if (type == ValueType::array) return read_array(cursor);
  if (type == ValueType::boolean) {
    const auto byte = cursor.number<uint8_t>("bool");
    check_bool(cursor, byte);
    return byte == 1;
  }
  return with_number_type(type,
                          [&](auto zero) { return widen(cursor.number<decltype(zero)>("value")); });
}

uint64_t value_bytes(ValueType type) {
  if (type == ValueType::string || type == ValueType::array) return 0;
  if (type == ValueType::boolean) return 1;
  return with_number_type(type, [](auto zero) -> uint64_t { return sizeof zero; });
}

std::string_view value_type_name(ValueType type) {
  static constexpr std::string_view kNames[] = {"u8",  "i8",  "u16",  "i16",    "u32",
                                                "i32", "f32", "bool", "string", "array",
                                                "u64", "i64", "f64"};
  return kNames[static_cast<size_t>(type)];
}

std::string describe(const Value& value) {
  struct {
    std::string operator()(int64_t x) const { return fmt::format("{}", x); }
    std::string operator()(uint64_t x) const { return fmt::format("{}", x); }
    std::string operator()(double x) const { return fmt::format("the float {}", x); }
    std::string operator()(bool x) const { return x ? "true" : "false"; }
    std::string operator()(std::string_view x) const {
      return fmt::format("the string {}", quoted(x));
    }
    std::string operator()(const Array& x) const {
      return fmt::format("an array of {} {}", x.size(), value_type_name(x.type()));
    }
  } text;
  return std::visit(text, value);
}

Value element(const Array& array, int64_t index) {
  const uint8_t* at = array.bytes().data() + static_cast<size_t>(index) * value_bytes(array.type());
  if (array.type() == ValueType::boolean) return *at == 1;
  return with_number_type(array.type(), [&](auto x) {
    std::memcpy(&x, at, sizeof x);
    return widen(x);
  });
}

}  // namespace plumb::gguf
