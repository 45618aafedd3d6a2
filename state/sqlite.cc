// SQLite, owned and typed; every failure becomes Error{journal} with the file's name in it.

#include "state/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "engine/error.h"

namespace postferry::state {

namespace {

constexpr int kBusyTimeoutMs = 5000;

[[noreturn]] void fail_on(const std::string& path, const std::string& words) {
  throw Error(ErrorKind::journal, words, "journal " + path);
}

[[noreturn]] void fail_with_errno(const std::string& path, const std::string& doing, int error) {
  fail_on(path, "cannot " + doing + ": " + std::strerror(error));
}

/// What a person can make of a result code; empty where SQLite's own words say it all.
std::string meaning(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "no room to write, the disk is full; make room and run again";
    case SQLITE_CORRUPT:
      return "the file is damaged; restore it from a backup, or start another";
    case SQLITE_NOTADB:
      return "the file is not a postferry journal; name another file";
    case SQLITE_READONLY:
      return "the file or its directory may not be written";
    case SQLITE_CANTOPEN:
      return "the file cannot be opened";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program is writing to the file";
    case SQLITE_IOERR:
      return "the disk failed to read or write";
    default:
      return "";
  }
}

/// Makes the file before SQLite does, which would ask the umask. SQLite gives its -wal and -shm the
/// same mode. Nothing may hold a descriptor of the file while SQLite does: closing it would drop
/// SQLite's locks.
void make_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file >= 0) {
    ::close(file);
    return;
  }
  if (errno != EEXIST) fail_with_errno(path, "make the file", errno);
  // One that was copied here has what somebody's umask left: it tells who writes to whom. Where it
  // is another user's file, that is for him to say.
  struct stat there {};
  const bool ours = ::stat(path.c_str(), &there) == 0 && there.st_uid == ::geteuid();
  if (!ours || !S_ISREG(there.st_mode) || (there.st_mode & 0077) == 0) return;
  if (::chmod(path.c_str(), 0600) != 0) fail_with_errno(path, "close the file to others", errno);
}

}  // namespace

void make_parents(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  std::filesystem::path made;
  for (const std::filesystem::path& part : parent) {
    made /= part;
    if (mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) {
      const int error = errno;
      std::error_code ignored;  // A directory that may not be made may still be there.
      if (!std::filesystem::is_directory(made, ignored)) {
        fail_with_errno(path, "make the directory " + made.string(), error);
      }
    }
  }
}

// Query

Query::Query(Database& database, Sql sql, Loan& loan)
    : database_(database), sql_(sql), loan_(&loan) {
  if (loan.out) fail_on(database.path(), "a statement is used twice at once");
  loan.out = true;
}

Query::Query(Query&& other) noexcept
    : database_(other.database_), sql_(other.sql_), loan_(std::exchange(other.loan_, nullptr)) {}

Query::~Query() {
  if (loan_ == nullptr) return;
  loan_->out = false;
  if (loan_->statement == nullptr) return;
  sqlite3_reset(loan_->statement.get());  // It repeats the last step's failure, thrown there.
  sqlite3_clear_bindings(loan_->statement.get());
}

void Query::Finalizer::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

sqlite3_stmt* Query::statement() {
  if (loan_->statement == nullptr) {
    sqlite3_stmt* statement = nullptr;
    database_.check(sqlite3_prepare_v3(database_.handle_.get(), sql_.text(), -1,
                                       SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
    loan_->statement.reset(statement);
  }
  return loan_->statement.get();
}

Query& Query::bind(std::initializer_list<Value> values) {
  sqlite3_stmt* const to = statement();
  sqlite3_reset(to);
  int index = 0;
  for (const Value& value : values) {
    ++index;
    int code = SQLITE_OK;
    switch (value.type_) {
      case Value::Type::null:
        code = sqlite3_bind_null(to, index);
        break;
      case Value::Type::integer:
        code = sqlite3_bind_int64(to, index, value.integer_);
        break;
      case Value::Type::text:
        code = sqlite3_bind_text64(to, index, static_cast<const char*>(value.bytes_), value.size_,
                                   SQLITE_TRANSIENT, SQLITE_UTF8);
        break;
      case Value::Type::blob:
        code = sqlite3_bind_blob64(to, index, value.bytes_, value.size_, SQLITE_TRANSIENT);
        break;
    }
    database_.check(code);
  }
  return *this;
}

bool Query::step() {
  const int code = sqlite3_step(statement());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.fail(code);
  return false;
}

void Query::run() {
  while (step()) {
  }
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(loan_->statement.get(), column) == SQLITE_NULL;
}

bool Query::is_integer(int column) const {
  return sqlite3_column_type(loan_->statement.get(), column) == SQLITE_INTEGER;
}

std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(loan_->statement.get(), column);
}

std::string_view Query::text(int column) const {
  const unsigned char* bytes = sqlite3_column_text(loan_->statement.get(), column);
  const int size = sqlite3_column_bytes(loan_->statement.get(), column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

std::span<const unsigned char> Query::blob(int column) const {
  const void* bytes = sqlite3_column_blob(loan_->statement.get(), column);
  const int size = sqlite3_column_bytes(loan_->statement.get(), column);
  return {static_cast<const unsigned char*>(bytes), static_cast<std::size_t>(size)};
}

// Database

namespace {

/// As the path of a file: URI (https://www.sqlite.org/uri.html §3.1).
std::string uri_path(const std::string& path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

Database Database::open(const std::string& path, Mode mode) {
  if (mode == Mode::read_only) {
    if (access(path.c_str(), F_OK) != 0) fail_with_errno(path, "open the file", errno);
    return Database(path, SQLITE_OPEN_READONLY);
  }
  make_file(path);
  return Database(path, SQLITE_OPEN_READWRITE);
}

Database Database::open_on(const std::string& vfs, const std::string& path) {
  return Database(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs.c_str());
}

Database Database::open_in_memory() {
  return Database(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

Database Database::copy_in_memory(const std::string& path) {
  if (access(path.c_str(), F_OK) != 0) fail_with_errno(path, "open the file", errno);
  // Without a log beside it nobody writes the file, and reading it must leave no log behind.
  const bool quiet = access((path + "-wal").c_str(), F_OK) != 0;
  Database from(quiet ? "file:" + uri_path(path) + "?immutable=1" : path,
                SQLITE_OPEN_READONLY | (quiet ? SQLITE_OPEN_URI : 0));
  Database to = open_in_memory();
  sqlite3_backup* backup =
      sqlite3_backup_init(to.handle_.get(), "main", from.handle_.get(), "main");
  if (backup == nullptr) to.fail(sqlite3_extended_errcode(to.handle_.get()));
  const int code = sqlite3_backup_step(backup, -1);
  sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE) from.fail(code);
  return to;
}

Database::Database(std::string path, int flags, const char* vfs)
    : path_(std::move(path)), read_only_((flags & SQLITE_OPEN_READONLY) != 0) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path_.c_str(), &handle,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
  handle_.reset(handle);
  check(code);
  check(sqlite3_busy_timeout(handle, kBusyTimeoutMs));
}

Database::~Database() = default;

void Database::Closer::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
Query Database::query(Sql sql) { return Query(*this, sql, statements_[sql.text()]); }

void Database::execute(const std::string& script) {
  check(sqlite3_exec(handle_.get(), script.c_str(), nullptr, nullptr, nullptr));
}

std::int64_t Database::integer(Sql sql) {
  Query query = this->query(sql);
  if (!query.step()) fail_on(path_, "no row where one must be");
  return query.integer(0);
}

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(handle_.get()); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

void Database::sync() {
  // With synchronous=NORMAL a commit ends in the log, unsynced; what has left the log for the file
  // was synced on the way. So syncing the log is all that is missing.
  sqlite3_file* log = nullptr;
  check(sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log));
  if (log == nullptr || log->pMethods == nullptr) return;
  check(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL));
}

void Database::empty_log() {
  sqlite3_wal_checkpoint_v2(handle_.get(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
}

void Database::check(int code) const {
  if (code != SQLITE_OK) fail(code);
}

void Database::fail(int code) const {
  const int primary = code & 0xff;
  // The connection's words belong to its last call; where that was another, the code's own.
  const bool same = handle_ != nullptr && (sqlite3_errcode(handle_.get()) & 0xff) == primary;
  std::string words = same ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  const bool of_system = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN;
  const int error = of_system && handle_ != nullptr ? sqlite3_system_errno(handle_.get()) : 0;
  if (error != 0) words += std::string(", ") + std::strerror(error);
  const std::string explained = meaning(code);
  fail_on(path_, explained.empty() ? words : explained + " (SQLite: " + words + ")");
}

// Transaction

Transaction::Transaction(Database& database) : database_(database) {
  // A reader cannot take the write lock, and needs none.
  if (database_.read_only()) {
    database_.query("BEGIN").run();
  } else {
    database_.query("BEGIN IMMEDIATE").run();
  }
}

Transaction::~Transaction() {
  if (!database_.in_transaction()) return;
  try {
    database_.query("ROLLBACK").run();
  } catch (const Error&) {
    // Nothing was committed, and SQLite will roll back when the file is next opened.
  }
}

void Transaction::commit() { database_.query("COMMIT").run(); }

}  // namespace postferry::state
