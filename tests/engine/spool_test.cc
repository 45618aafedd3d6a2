// Spooled bodies: what goes in comes out, nothing stays on the disk, failures name the place.
#include "engine/spool.h"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "engine/async/block_on.h"
#include "engine/async/manual_executor.h"
#include "engine/async/thread_blocking.h"
#include "engine/error.h"

using namespace postferry;

namespace {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "spool-test-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  bool empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::string path_;
};

Task<std::shared_ptr<SpooledBody>> spool(SpoolFactory& factory, std::vector<std::string> chunks) {
  std::unique_ptr<SpoolWriter> writer = co_await factory.open();
  for (std::string& chunk : chunks) co_await writer->append(std::move(chunk));
  co_return writer->finish();
}

Task<void> collect(std::string_view chunk, std::string& out) {
  out += chunk;
  co_return;
}

Task<std::string> read_body(Body body) {
  std::string out;
  auto write = [&out](std::string_view chunk) { return collect(chunk, out); };
  co_await body.write_to(write);
  co_return out;
}

Error refusal(ManualExecutor& loop, SpoolFactory& factory, std::vector<std::string> chunks) {
  try {
    block_on(loop, spool(factory, std::move(chunks)));
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorKind::usage, "nothing was thrown");
}

}  // namespace

TEST_CASE("a spooled body gives back every byte, more than once, at any offset") {
  TemporaryDirectory directory;
  ManualExecutor loop;
  ThreadBlocking blocking;
  auto factory = make_disk_spool(blocking, directory.path());
  std::string first(200'000, 'a');
  std::string second("NUL \0 and \xff", 11);
  auto spooled = block_on(loop, spool(*factory, {first, second, ""}));
  CHECK(spooled->size_bytes() == first.size() + second.size());
  Body body(spooled);
  CHECK(block_on(loop, read_body(body)) == first + second);
  CHECK(block_on(loop, read_body(body)) == first + second);
  CHECK(block_on(loop, spooled->read(first.size() - 1, 3)) == "aNU");
  CHECK(block_on(loop, spooled->read(spooled->size_bytes(), 3)).empty());
  CHECK(block_on(loop, spooled->read(spooled->size_bytes() + 10, 3)).empty());
}

TEST_CASE("a spool leaves no name on the disk, not even while it is open") {
  TemporaryDirectory directory;
  ManualExecutor loop;
  ThreadBlocking blocking;
  auto factory = make_disk_spool(blocking, directory.path());
  auto spooled = block_on(loop, spool(*factory, {"x"}));
  CHECK(directory.empty());
}

TEST_CASE("the body outlives the writer and the factory") {
  TemporaryDirectory directory;
  ManualExecutor loop;
  ThreadBlocking blocking;
  auto spooled =
      block_on(loop, spool(*make_disk_spool(blocking, directory.path()), {"still here"}));
  CHECK(block_on(loop, spooled->read(0, 100)) == "still here");
}

TEST_CASE("a spool in a directory that is not there is a local error that names it") {
  ManualExecutor loop;
  ThreadBlocking blocking;
  auto factory = make_disk_spool(blocking, "/nonexistent/spool");
  Error error = refusal(loop, *factory, {});
  CHECK(error.kind() == ErrorKind::local);
  CHECK_THAT(error.what(), Catch::Contains("/nonexistent/spool"));
}

TEST_CASE("a spool that cannot grow is a local error that names its directory") {
  TemporaryDirectory directory;
  ManualExecutor loop;
  ThreadBlocking blocking;
  auto factory = make_disk_spool(blocking, directory.path());
  // A limit on file size stands for the full disk, which a test cannot have.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit small = before;
  small.rlim_cur = 4096;
  ::setrlimit(RLIMIT_FSIZE, &small);
  Error error = refusal(loop, *factory, {std::string(4000, 'a'), std::string(4000, 'b')});
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_DFL);
  CHECK(error.kind() == ErrorKind::local);
  CHECK_THAT(error.what(), Catch::Contains(directory.path()));
}
