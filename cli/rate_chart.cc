#include "cli/rate_chart.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

#include "cli/format.h"

namespace postferry::cli {
namespace {

constexpr double kWidth = 920, kLeft = 76, kRight = 14;
constexpr double kPlot = kWidth - kLeft - kRight;
constexpr std::int64_t kFewestSteps = 3;

/// The next of 1, 2, 5, 10, 20, 50 ... that is not below.
double round_up(double value) {
  if (value <= 0) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= value * 0.999999) return factor * power;
  return 10 * power;
}

/// Between two marks of the time's axis: about six of them.
std::int64_t time_between(std::int64_t seconds) {
  constexpr std::array<std::int64_t, 21> kNice = {
      1,    2,    5,    10,    15,    30,    60,    120,    300,    600,   900,
      1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000, 864000};
  const auto at =
      std::ranges::find_if(kNice, [=](std::int64_t nice) { return nice * 7 >= seconds; });
  return at == kNice.end() ? seconds / 6 : *at;
}

using Words = std::function<std::string(double)>;

std::string messages_a_second(double rate) {
  return rate < 10 && rate > 0 && rate != std::floor(rate)
             ? fmt::format("{:.1f}", rate)
             : with_commas(static_cast<std::uint64_t>(std::llround(rate)));
}
std::string bytes_a_second(double rate) {
  return human_bytes(static_cast<std::uint64_t>(std::llround(rate)));
}

/// One curve with its axes.
class Panel {
 public:
  Panel(const Rates& rates, const std::vector<std::uint64_t>& counts, double top, double height)
      : rates_(rates), top_(top), height_(height) {
    for (std::size_t i = 0; i < counts.size(); ++i)
      values_.push_back(static_cast<double>(counts[i]) / seconds_of(i));
    peak_ = *std::ranges::max_element(values_);
    most_ = round_up(peak_);
    const auto sum = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    average_ = static_cast<double>(sum) / static_cast<double>(rates.until - rates.from);
  }

  std::string draw(const char* title, const char* colour, const Words& words) const {
    std::string svg = fmt::format(
        "<text x=\"{}\" y=\"{:.1f}\" class=\"h\">{}</text>"
        "<text x=\"{}\" y=\"{:.1f}\" class=\"n\" text-anchor=\"end\">average {}, peak {}</text>\n",
        kLeft, top_ - 9, title, kWidth - kRight, top_ - 9, words(average_), words(peak_));
    for (const double share : {0.0, 0.5, 1.0}) {
      const double y = y_of(share * most_);
      svg += fmt::format(
          "<path d=\"M{} {:.1f}H{}\" class=\"g\"/><text x=\"{}\" y=\"{:.1f}\" class=\"n\" "
          "text-anchor=\"end\">{}</text>\n",
          kLeft, y, kWidth - kRight, kLeft - 8, y + 4, words(share * most_));
    }
    const std::string curve = this->curve();
    svg += fmt::format("<path d=\"M{0} {1:.1f}{2}V{1:.1f}Z\" fill=\"{3}\" fill-opacity=\".18\"/>",
                       kLeft, y_of(0), curve, colour);
    svg += fmt::format(
        "<path d=\"M{} {:.1f}{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" "
        "stroke-linejoin=\"round\"/>\n",
        kLeft, y_of(values_[0]), curve, colour);
    return svg + fmt::format(
                     "<path d=\"M{} {:.1f}H{}\" stroke=\"{}\" stroke-dasharray=\"5 4\" "
                     "stroke-opacity=\".7\"/>\n",
                     kLeft, y_of(average_), kWidth - kRight, colour);
  }

 private:
  /// The last step ends with the run.
  double seconds_of(std::size_t step) const {
    const std::int64_t begin = rates_.from + static_cast<std::int64_t>(step) * rates_.step_seconds;
    return static_cast<double>(
        std::max<std::int64_t>(1, std::min(rates_.step_seconds, rates_.until - begin)));
  }
  double y_of(double value) const { return top_ + height_ * (1 - value / most_); }
  double x_of(std::size_t step) const {
    const double seconds =
        std::min(static_cast<double>(step) * static_cast<double>(rates_.step_seconds),
                 static_cast<double>(rates_.until - rates_.from));
    return kLeft + kPlot * seconds / static_cast<double>(rates_.until - rates_.from);
  }
  std::string curve() const {
    std::string path;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const bool goes_on = i + 1 < values_.size() && values_[i + 1] == values_[i];
      if (!goes_on) path += fmt::format("V{:.1f}H{:.1f}", y_of(values_[i]), x_of(i + 1));
    }
    return path;
  }

  const Rates& rates_;
  std::vector<double> values_;
  double top_, height_, peak_ = 0, most_ = 1, average_ = 0;
};

std::string time_axis(const Rates& rates, double top, double bottom) {
  const std::int64_t whole = rates.until - rates.from;
  std::string svg;
  for (std::int64_t at = 0; at <= whole; at += time_between(whole)) {
    const double x = kLeft + kPlot * static_cast<double>(at) / static_cast<double>(whole);
    svg += fmt::format("<path d=\"M{0:.1f} {1}V{2}\" class=\"g\"/>", x, top, bottom + 4);
    if (x <= kWidth - 30)
      svg +=
          fmt::format("<text x=\"{:.1f}\" y=\"{}\" class=\"n\" text-anchor=\"middle\">{}</text>\n",
                      x, bottom + 19, human_duration(std::chrono::seconds(at)));
  }
  return svg;
}

}  // namespace

Rates& Rates::operator+=(const Rates& other) {
  for (std::size_t i = 0; i < other.messages.size(); ++i) {
    const std::int64_t middle =
        other.from + static_cast<std::int64_t>(i) * other.step_seconds + other.step_seconds / 2;
    const std::int64_t step =
        std::clamp<std::int64_t>((middle - from) / step_seconds, 0, std::ssize(messages) - 1);
    messages[static_cast<std::size_t>(step)] += other.messages[i];
    bytes[static_cast<std::size_t>(step)] += other.bytes[i];
  }
  return *this;
}

Rates empty_rates(std::int64_t from, std::int64_t until) {
  Rates rates;
  rates.from = from;
  rates.until = std::max(from + 1, until);
  const std::int64_t whole = rates.until - from;
  rates.step_seconds = (whole + kRateSteps - 1) / kRateSteps;
  const auto steps =
      static_cast<std::size_t>((whole + rates.step_seconds - 1) / rates.step_seconds);
  rates.messages.assign(steps, 0);
  rates.bytes.assign(steps, 0);
  return rates;
}

std::string rate_chart(const Rates& rates, bool small) {
  const auto sum = std::accumulate(rates.messages.begin(), rates.messages.end(), std::uint64_t{0});
  if (sum == 0 || std::ssize(rates.messages) < kFewestSteps) return {};
  const double height = small ? 56 : 120, between = 44, top = 26;
  const double second = top + height + between, bottom = second + height;
  std::string svg = fmt::format(
      "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Messages and bytes a "
      "second over the time of the run\">\n",
      kWidth, bottom + 26);
  svg += time_axis(rates, top, bottom);
  svg += Panel(rates, rates.messages, top, height)
             .draw("messages a second", "#1f6fb2", messages_a_second);
  svg +=
      Panel(rates, rates.bytes, second, height).draw("bytes a second", "#2a7f3f", bytes_a_second);
  return svg + "</svg>\n";
}

}  // namespace postferry::cli
