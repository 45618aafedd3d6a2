#include "cli/transcript_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/async/manual_executor.h"
#include "engine/error.h"

using namespace postferry;
using namespace postferry::cli;
using namespace std::chrono_literals;

namespace {

class Notes final : public Observer {
 public:
  void note(Level, const std::string& text) override { texts.push_back(text); }
  std::vector<std::string> texts;
};

}  // namespace

TEST_CASE("a transcript has the seconds before each line and is its owner's alone") {
  const std::string path = std::filesystem::temp_directory_path() /
                           ("postferry-transcript-" + std::to_string(::getpid()));
  std::ofstream(path) << "of an older run\n";
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  ManualExecutor executor;
  Notes notes;
  {
    TranscriptFile file(path, executor, notes);
    file.line("[1] C: A1 NOOP");
    executor.advance(1500ms);
    file.line("[1] S: A1 OK");
  }
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  CHECK(text.str() == "    0.000 [1] C: A1 NOOP\n    1.500 [1] S: A1 OK\n");
  CHECK(notes.texts.empty());
  std::filesystem::remove(path);
}

TEST_CASE("a transcript that cannot be made is an error of a local file") {
  ManualExecutor executor;
  Notes notes;
  try {
    TranscriptFile file("/no/such/folder/transcript", executor, notes);
    FAIL("it was made");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::local);
    CHECK(std::string(error.what()).find("/no/such/folder") != std::string::npos);
  }
}

TEST_CASE("a full disk is told once and ends the transcript, not the run") {
  ManualExecutor executor;
  Notes notes;
  TranscriptFile file("/dev/full", executor, notes);
  file.line("one");
  file.line("two");
  REQUIRE(notes.texts.size() == 1);
  CHECK(notes.texts[0].find("/dev/full") != std::string::npos);
}
