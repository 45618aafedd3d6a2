#include "cli/presets.h"

#include <catch2/catch.hpp>

using namespace postferry;
using namespace postferry::cli;
using Catch::Contains;

namespace {

PairOptions pair_of(const char* source, const char* target) {
  PairOptions options;
  options.source = parse_endpoint(source);
  options.target = parse_endpoint(target);
  return options;
}

}  // namespace

TEST_CASE("a preset belongs to a host and all below it, and to no other") {
  CHECK(std::string(preset_of_host("imap.gmail.com")->name) == "gmail");
  CHECK(std::string(preset_of_host("qq.com")->name) == "qq");
  CHECK(std::string(preset_of_host("imap-mail.outlook.com")->name) == "office365");
  CHECK_FALSE(preset_of_host("notgmail.com"));
  CHECK_FALSE(preset_of_host("gmail.com.example"));
  CHECK_FALSE(preset_of_host(""));
}

TEST_CASE("a server that says what it is has that provider's preset, whatever its host") {
  CHECK(std::string(preset_of_software("Gmail")->name) == "gmail");
  CHECK(std::string(preset_of_software("Exchange")->name) == "office365");
  CHECK_FALSE(preset_of_software("Dovecot"));
  CHECK_FALSE(preset_of_software(""));
}

TEST_CASE("every preset with a server can be named by its host, and is a whole URL but the user") {
  std::string names = preset_names();
  while (!names.empty()) {
    const std::string name = names.substr(0, names.find(','));
    names.erase(0, std::min(names.size(), name.size() + 2));
    const auto preset = preset_named(name);
    REQUIRE(preset);
    INFO(name);
    std::string url = preset->url;
    url.insert(url.find("://") + 3, "ann@");
    const auto of_host = preset_of_host(parse_endpoint(url).host);
    REQUIRE(of_host);
    CHECK(std::string(of_host->name) == name);
  }
}

TEST_CASE("a pair gets what is known of its providers, by direction and protocol") {
  PairOptions options = pair_of("imaps://ann@imap.gmail.com", "imaps://bob@imap.gmail.com");
  apply_presets(options);
  CHECK(options.source_daily == 2'500'000'000u);
  CHECK(options.target_daily == 500'000'000u);
  CHECK(options.source.sessions == 8);
  options = pair_of("pop3s://ann@pop.gmail.com", "imaps://ann@new.example");
  apply_presets(options);
  CHECK(options.source_daily == 1'250'000'000u);
  CHECK_FALSE(options.target_daily);
  CHECK(options.target.sessions == 0);
}

TEST_CASE("what somebody says wins over what is known of a provider") {
  PairOptions options =
      pair_of("imaps://ann@imap.gmail.com?sessions=3", "imaps://bob@imap.gmail.com");
  options.source_daily = 0;
  options.target_daily = 7'000'000;
  apply_presets(options);
  CHECK(options.source.sessions == 3);
  CHECK(options.source_daily == 0u);
  CHECK(options.target_daily == 7'000'000u);
  options = pair_of("imaps://ann@imap.gmail.com", "imaps://bob@imap.gmail.com");
  options.sessions = 12;
  apply_presets(options);
  CHECK(options.source.sessions == 0);
}

TEST_CASE("check tells which presets are used, and by what") {
  const PairOptions options = pair_of("imaps://ann@imap.gmail.com", "imaps://bob@mail.example");
  CheckReport check;
  check.target_software = "Exchange";
  const std::vector<std::string> notes = preset_notes(options, check);
  REQUIRE(notes.size() == 2);
  CHECK_THAT(notes[0], Contains("source: preset gmail, by its host") && Contains("2.5 GB a day"));
  CHECK_THAT(notes[1], Contains("target: preset office365, by its server, which is Exchange"));
  check.target_software = "Dovecot";
  CHECK(preset_notes(options, check).size() == 1);
}
