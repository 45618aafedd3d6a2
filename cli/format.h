// Numbers and texts as people read them. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "engine/counted.h"  // with_commas, counted
#include "engine/error.h"
#include "engine/model.h"

namespace postferry::cli {

/// "999 B", "1.2 kB", "35 MB", "2.1 GB": powers of 1000, two significant digits below 10.
std::string human_bytes(std::uint64_t bytes);

/// "0:42", "12:03", "1:02:03"; never negative.
std::string human_duration(std::chrono::seconds duration);

/// "0.9 s" below a minute, else as human_duration.
std::string human_seconds(double seconds);

/// How many terminal columns the UTF-8 text takes: wide characters are two, combining ones none.
std::size_t columns(std::string_view text);

/// At most `width` columns of the text; what is cut is told by "…" at the end.
std::string cut_to(std::string_view text, std::size_t width);

/// What an error says on a line that has begun with its folder: in its context that is not said
/// again.
std::string in_folder(const Error& error, const FolderName& folder);

}  // namespace postferry::cli
