#include "cli/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <utility>

#include "engine/error.h"

namespace postferry::cli {
namespace {

/// Hands each formatted message to the terminal, which puts it above the status line.
class TerminalSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit TerminalSink(Terminal& terminal) : terminal_(terminal) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    std::string_view line(text.data(), text.size());
    if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
    terminal_.line(line);
  }
  void flush_() override {}

  Terminal& terminal_;
};

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

const char* prefix(Level level) {
  switch (level) {
    case Level::debug:
      return "debug: ";
    case Level::info:
      return "";
    case Level::warning:
      return "warning: ";
    case Level::error:
      return "error: ";
  }
  return "";
}

}  // namespace

Log::Log(Terminal& terminal, Level least)
    : logger_(
          std::make_unique<spdlog::logger>("postferry", std::make_shared<TerminalSink>(terminal))) {
  logger_->set_pattern(least == Level::debug ? "%H:%M:%S.%e %v" : "%v");
  logger_->set_level(spdlog_level(least));
}

Log::~Log() = default;

void Log::note(Level level, const std::string& text) {
  constexpr std::size_t kMostBytes = 2000;
  logger_->log(spdlog_level(level), "{}{}", prefix(level), printable(text, kMostBytes));
}

}  // namespace postferry::cli
