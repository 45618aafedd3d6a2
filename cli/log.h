// The log: spdlog behind an Observer, on the terminal's lines.
#pragma once

#include <memory>
#include <string>

#include "cli/terminal.h"
#include "engine/observer.h"

namespace spdlog {
class logger;
}

namespace postferry::cli {

/// Writes notes at or above a level to the terminal as "warning: text"; with debug each line also
/// has the time of day. Control characters are made visible.
class Log final : public Observer {
 public:
  /// `terminal` must outlive it.
  Log(Terminal& terminal, Level least);
  ~Log() override;
  void note(Level level, const std::string& text) override;

 private:
  std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace postferry::cli
