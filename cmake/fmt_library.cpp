// fmt's compiled part, made from its headers, for machines that the system has no fmt library for.
// To have it inline in every file (FMT_HEADER_ONLY) takes twice as long to compile.

#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {

// What the headers declare to be found in the library, for char.
template void buffer<char>::append(const char*, const char*);
template char decimal_point_impl(locale_ref);
template thousands_sep_result<char> thousands_sep_impl<char>(locale_ref);

}  // namespace detail
FMT_END_NAMESPACE
