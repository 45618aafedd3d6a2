// Ends that learn at the login whose they are, and keep to that provider's preset then. Decorators
// around a Source or a Target whose host told nothing.
#pragma once

#include <functional>
#include <memory>

#include "cli/presets.h"
#include "engine/source.h"
#include "engine/target.h"

namespace postferry::cli {

/// Called once, when the first session has shown that a preset fits.
using LearnPreset = std::function<void(const Preset& preset)>;

std::unique_ptr<Source> learn_preset(std::unique_ptr<Source> source, bool limit_sessions,
                                     LearnPreset learn);
std::unique_ptr<Target> learn_preset(std::unique_ptr<Target> target, bool limit_sessions,
                                     LearnPreset learn);

}  // namespace postferry::cli
