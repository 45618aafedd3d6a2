#include "cli/option_refusal.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "cli/options.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

/// How many letters must change to make `a` of `b`.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

}  // namespace

void refuse_unknown(const CLI::App& app, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  std::string best;
  std::size_t best_distance = 4;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->nonpositional()) continue;
    const std::string candidate = option->get_name(false, false);
    if (const std::size_t far = distance(name, candidate); far < best_distance) {
      best_distance = far;
      best = candidate;
    }
  }
  throw UsageError(fmt::format("there is no option {}", printable(name, 80)),
                   best.empty()
                       ? fmt::format("`postferry {} --help` shows all options.", app.get_name())
                       : fmt::format("Did you mean {}?", best));
}

void refuse(const CLI::App& app, const CLI::ParseError& error) {
  const std::string text = error.what();
  const std::string name = text.substr(0, text.find(':'));
  const std::string hint = fmt::format("`postferry {} --help` shows how.", app.get_name());
  if (text.find("required but received") != std::string::npos) {
    throw UsageError(fmt::format("{} is given more than once", printable(name, 80)), hint);
  }
  if (const std::size_t at = text.find(" was given a disallowed flag"); at != std::string::npos) {
    throw UsageError(fmt::format("--{} takes no value", printable(text.substr(0, at), 80)), hint);
  }
  if (text.find("missing") != std::string::npos) {
    throw UsageError(fmt::format("{} needs a value", printable(name, 80)), hint);
  }
  throw UsageError(printable(text), hint);
}

}  // namespace postferry::cli
