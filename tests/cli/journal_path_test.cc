#include "cli/journal_path.h"

#include <catch2/catch.hpp>
#include <map>

#include "engine/error.h"

using namespace postferry;
using namespace postferry::cli;

namespace {

std::string path_for(const std::string& source, const std::string& target,
                     std::map<std::string, std::string> variables) {
  return default_journal_path(parse_endpoint(source), parse_endpoint(target),
                              [&](const std::string& name) -> std::optional<std::string> {
                                const auto at = variables.find(name);
                                return at == variables.end() ? std::nullopt
                                                             : std::optional(at->second);
                              });
}

const std::string kSource = "imaps://ann@old.example";
const std::string kTarget = "imaps://ann@new.example";

}  // namespace

TEST_CASE("the journal lives in the state home, named after its pair") {
  const std::string path =
      path_for(kSource, kTarget, {{"XDG_STATE_HOME", "/state"}, {"HOME", "/home/ann"}});
  const std::string stem = "/state/postferry/ann@old.example--ann@new.example-";
  REQUIRE(path.find(stem) == 0);
  CHECK(path.size() == stem.size() + 8 + 3);
  CHECK(path.substr(path.size() - 3) == ".db");
}

TEST_CASE("without a state home, or with a relative one, it lives below the home directory") {
  const std::string begin = "/home/ann/.local/state/postferry/";
  CHECK(path_for(kSource, kTarget, {{"HOME", "/home/ann"}}).find(begin) == 0);
  CHECK(path_for(kSource, kTarget, {{"HOME", "/home/ann"}, {"XDG_STATE_HOME", "state"}})
            .find(begin) == 0);
  CHECK_THROWS_AS(path_for(kSource, kTarget, {}), Error);
}

TEST_CASE("what does not belong to the identity does not move the journal, what does belong does") {
  const std::map<std::string, std::string> home{{"HOME", "/h"}};
  const std::string path = path_for(kSource, kTarget, home);
  CHECK(path_for("imaps://ann@OLD.example:993?sessions=2&auth=plain&verify=no", kTarget, home) ==
        path);
  CHECK(path_for("imaps://ann@old.example?as=bob", kTarget, home) != path);
  CHECK(path_for("imaps://ann@old.example:994", kTarget, home) != path);
  CHECK(path_for("pop3s://ann@old.example", kTarget, home) != path);
  CHECK(path_for(kTarget, kSource, home) != path);
}

TEST_CASE("names that a file system would mind are made harmless") {
  const std::string begin = "/h/.local/state/postferry/";
  const std::string path =
      path_for("imaps://../" + std::string(300, 'x') + "@old.example", kTarget, {{"HOME", "/h"}});
  REQUIRE(path.find(begin) == 0);
  const std::string name = path.substr(begin.size());
  CHECK(name.find('/') == std::string::npos);
  CHECK(name[0] != '.');
  CHECK(name.size() < 160);
}
