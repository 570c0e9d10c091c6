// Wrong without regard to what the file means: numbers of the container, truncation, damage,
// repetition.

#include <fmt/format.h>

#include <set>

#include "formats/format.h"
#include "fuzz/malformed.h"
#include "support/random.h"

namespace plumb::test {
namespace {

const char* kind_name(FieldKind kind) {
  static constexpr const char* kNames[] = {
      "magic",  "version",       "tensor count", "pair count",    "key length",     "value type",
      "number", "string length", "element type", "element count", "element length", "name length",
      "n_dims", "dimension",     "tensor type",  "offset"};
  return kNames[static_cast<size_t>(kind)];
}

uint64_t value_at(const std::string& bytes, const Field& field) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + field.at, std::min<size_t>(8, field.bytes));
  return value;
}

// Numbers at which parsers go wrong, cut to the field's width, other than the one that is there.
std::set<uint64_t> wrong_values(uint64_t now, const Field& field, size_t remaining) {
  const uint64_t bits = field.bytes >= 8 ? 64 : 8 * field.bytes;
  const uint64_t mask = bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  std::set<uint64_t> values;
  for (const uint64_t v : {uint64_t{0},
                           uint64_t{1},
                           uint64_t{4},
                           uint64_t{9},
                           uint64_t{13},
                           uint64_t{43},
                           now - 1,
                           now + 1,
                           now ^ 1 << 7,
                           2 * now,
                           now << 32,
                           uint64_t{remaining},
                           uint64_t{remaining} + 1,
                           uint64_t{0x7fffffff},
                           uint64_t{0x80000000},
                           uint64_t{0xffffffff},
                           uint64_t{1} << 32,
                           uint64_t{1} << 40,
                           uint64_t{1} << 60,
                           uint64_t{INT64_MAX},
                           uint64_t{1} << 63,
                           ~uint64_t{31},
                           ~uint64_t{0}})
    values.insert(v & mask);
  values.erase(now);
  return values;
}

// Whether a field with this value can only be refused when the file is opened.
bool is_impossible(const Field& field, uint64_t v, size_t remaining, uint64_t alignment) {
  switch (field.kind) {
    case FieldKind::magic:
      return true;
    case FieldKind::version:
      return v != 2 && v != 3;
    case FieldKind::tensor_count:
    case FieldKind::pair_count:
    case FieldKind::string_length:
    case FieldKind::element_count:
    case FieldKind::element_length:
      return v > remaining;
    case FieldKind::key_length:
      return v == 0 || v > remaining;
    case FieldKind::name_length:
      return v == 0 || v > 63;
    case FieldKind::value_type:
      return v > 12;
    case FieldKind::element_type:
      return v == 9 || v > 12;
    case FieldKind::n_dims:
      return v > 4;
    case FieldKind::dim:
      return v == 0 || v >= uint64_t{1} << 40;
    case FieldKind::tensor_type:
      return !find_format(static_cast<uint32_t>(v));
    case FieldKind::offset:
      return v % alignment != 0 || v > remaining;
    case FieldKind::number:
      return field.bytes == 1 && v > 1;  // the files have bools and no other bytes
  }
  return false;
}

}  // namespace

void visit_fields(const Base& base, const Visit& visit) {
  const Assembled whole = put_together(base.file);
  for (const Field& field : whole.fields) {
    const uint64_t now = value_at(whole.bytes, field);
    const size_t remaining = whole.bytes.size() - field.at - field.bytes;
    for (const uint64_t v : wrong_values(now, field, remaining)) {
      Malformed m{
          fmt::format("{}: {} of \"{}\" = {}", base.name, kind_name(field.kind), field.of, v),
          whole.bytes, Refusal::not_required, base.has_weights()};
      std::memcpy(m.bytes.data() + field.at, &v, std::min<size_t>(8, field.bytes));
      if (is_impossible(field, v, remaining, base.file.alignment))
        m.refusal = Refusal::at_open;
      else if (field.kind == FieldKind::dim)
        m.refusal = Refusal::by_model;
      visit(m);
    }
  }
}

void visit_truncations(const Base& base, const Visit& visit) {
  const Assembled whole = put_together(base.file);
  std::set<size_t> cuts;
  for (const size_t border : whole.borders)
    for (const size_t cut : {border - 1, border, border + 1})
      if (cut < whole.bytes.size()) cuts.insert(cut);
  for (size_t cut = whole.needed - 2; cut < whole.bytes.size(); ++cut) cuts.insert(cut);
  for (const size_t cut : cuts)
    visit({fmt::format("{}: cut to {} of {} bytes", base.name, cut, whole.bytes.size()),
           whole.bytes.substr(0, cut),
           cut < whole.needed ? Refusal::at_open : Refusal::not_required, base.has_weights()});
}

void visit_damage(const Base& base, const Visit& visit) {
  const Assembled whole = put_together(base.file);
  const auto header = static_cast<int64_t>(whole.fields.back().at + 8);
  const auto all = static_cast<int64_t>(whole.bytes.size());
  Random random(1);
  const auto damaged = [&](int64_t i, auto&& damage) {
    Malformed m{fmt::format("{}: damage {}", base.name, i), whole.bytes, Refusal::not_required,
                base.has_weights()};
    damage(m.bytes, static_cast<size_t>(random.below(i % 8 == 0 ? all : header)));
    visit(m);
  };
  for (int64_t i = 0; i < 800; ++i)
    damaged(i, [&](std::string& s, size_t at) {
      s[at] = static_cast<char>(s[at] ^ 1 << random.below(8));
    });
  for (int64_t i = 800; i < 900; ++i)
    damaged(i, [&](std::string& s, size_t at) { s[at] = static_cast<char>(random.byte()); });
  for (int64_t i = 900; i < 1000; ++i)
    damaged(i, [&](std::string& s, size_t at) {
      s.erase(at, static_cast<size_t>(1 + random.below(40)));
    });
  for (int64_t i = 1000; i < 1100; ++i)
    damaged(i, [&](std::string& s, size_t at) {
      s.insert(at, s, at, static_cast<size_t>(1 + random.below(40)));
    });
  for (int64_t i = 1100; i < 1200; ++i)
    damaged(i, [&](std::string& s, size_t at) {
      for (size_t k = at; k < std::min(at + 8, s.size()); ++k)
        s[k] = static_cast<char>(random.byte());
    });
}

void visit_pieces(const Base& base, const Visit& visit) {
  const auto edited = [&](const std::string& what, Refusal refusal, auto edit) {
    visit_edited(base, what, refusal, visit, edit);
  };
  for (size_t i = 0; i < base.file.pairs.size(); ++i) {
    const std::string key = base.file.pairs[i].key;
    edited(key + " twice", Refusal::at_open, [&](RawFile& f) { f.pairs.push_back(f.pairs[i]); });
    edited(key + " missing", Refusal::not_required, [&](RawFile& f) { f.remove_pair(key); });
    edited(key + " with an empty name", Refusal::at_open, [&](RawFile& f) { f.pairs[i].key = ""; });
    edited(key + " with a newline", Refusal::at_open, [&](RawFile& f) { f.pairs[i].key += "\n"; });
  }
  for (size_t i = 0; i < base.file.tensors.size(); ++i) {
    const std::string name = base.file.tensors[i].name;
    edited(name + " twice", Refusal::at_open,
           [&](RawFile& f) { f.tensors.push_back(f.tensors[i]); });
    edited(name + " renamed", Refusal::by_model, [&](RawFile& f) { f.tensors[i].name += "s"; });
    edited(name + " in another's place", Refusal::at_open, [&](RawFile& f) {
      f.tensors[i].offset = i == 0 ? base.file.alignment : 0;  // the first has no gap before it
    });
    edited(name + " after a gap", Refusal::not_required, [&](RawFile& f) {
      f.tensors.insert(f.tensors.begin() + static_cast<int64_t>(i),
                       {"gap", {64}, 0, std::string(256, '\0'), {}});
    });
  }
}

}  // namespace plumb::test
