#include "base/sqlite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "base/file.h"

namespace atalaya {
namespace {

using testing::HasSubstr;

constexpr std::array<std::string_view, 1> kFirst = {"CREATE TABLE note(id INTEGER PRIMARY KEY, t)"};
constexpr std::array<std::string_view, 2> kSecond = {
    kFirst[0], "ALTER TABLE note ADD COLUMN size INTEGER; CREATE INDEX by_size ON note(size)"};

class Sqlite : public testing::Test {
 protected:
  Sqlite() {
    folder_ = testing::TempDir() + "/sqlite_" + std::to_string(getpid()) + "_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    path_ = folder_ + "/test.db";
  }
  ~Sqlite() override { std::filesystem::remove_all(folder_); }

  Result<SqliteDatabase> Open(std::span<const std::string_view> migrations = kFirst) {
    return SqliteDatabase::Open(path_, SqliteSync::kFull, migrations);
  }

  std::string folder_;
  std::string path_;
};

TEST_F(Sqlite, KeepsEveryKindOfValue) {
  Result<SqliteDatabase> db = Open();
  ASSERT_TRUE(db) << db.error().message;
  const std::string bytes("a\0b\xff", 4);
  Result<SqliteStatement> insert = db->Prepare("INSERT INTO note(t) VALUES(?)");
  ASSERT_TRUE(insert);
  ASSERT_TRUE(insert->Bind(1, std::int64_t{-5}).Run());
  ASSERT_TRUE(insert->Bind(1, 2.5).Run());
  ASSERT_TRUE(insert->Bind(1, std::string_view("grün")).Run());
  ASSERT_TRUE(insert->BindBlob(1, bytes).Run());
  ASSERT_TRUE(insert->Bind(1, std::string_view()).Run());
  EXPECT_EQ(db->LastInsertId(), 5);
  ASSERT_TRUE(db->Execute("INSERT INTO note(t) VALUES(NULL)"));

  Result<SqliteStatement> select = db->Prepare("SELECT t FROM note ORDER BY id");
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Integer(0), -5);
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Real(0), 2.5);
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Text(0), "grün");
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Blob(0), bytes);
  ASSERT_TRUE(*select->Step());
  EXPECT_FALSE(select->IsNull(0));
  ASSERT_TRUE(*select->Step());
  EXPECT_TRUE(select->IsNull(0));
  EXPECT_FALSE(*select->Step());
}

TEST_F(Sqlite, TransactionRollsBackUnlessCommitted) {
  Result<SqliteDatabase> db = Open();
  ASSERT_TRUE(db);
  {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*db);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(db->Execute("INSERT INTO note(t) VALUES('lost')"));
  }
  {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*db);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(db->Execute("INSERT INTO note(t) VALUES('kept')"));
    EXPECT_EQ(db->Changes(), 1);
    ASSERT_TRUE(transaction->Commit());
  }
  Result<SqliteDatabase> reader = Open();
  Result<SqliteStatement> select = reader->Prepare("SELECT t FROM note");
  ASSERT_TRUE(*select->Step());
  EXPECT_EQ(select->Text(0), "kept");
  EXPECT_FALSE(*select->Step());
}

TEST_F(Sqlite, MigratesAnOlderFileAndRefusesANewerOne) {
  {
    Result<SqliteDatabase> db = Open(kFirst);
    ASSERT_TRUE(db);
    ASSERT_TRUE(db->Execute("INSERT INTO note(t) VALUES('old')"));
  }
  {
    Result<SqliteDatabase> db = Open(kSecond);
    ASSERT_TRUE(db) << db.error().message;
    EXPECT_TRUE(db->Execute("UPDATE note SET size = 3 WHERE t = 'old'"));
    EXPECT_EQ(db->Changes(), 1);
  }
  Result<SqliteDatabase> db = Open(kFirst);
  ASSERT_FALSE(db);
  EXPECT_EQ(db.error().code, ErrorCode::kVersion);
  EXPECT_THAT(db.error().message, HasSubstr("test.db: written in format 2"));
}

TEST_F(Sqlite, FailedMigrationLeavesTheOldVersion) {
  const std::array<std::string_view, 2> broken = {kFirst[0],
                                                  "CREATE TABLE half(a); CREATE TABLE half(a)"};
  EXPECT_FALSE(Open(broken));
  Result<SqliteDatabase> db = Open(kFirst);
  ASSERT_TRUE(db) << db.error().message;
  EXPECT_TRUE(db->Execute("CREATE TABLE half(a)"));
}

TEST_F(Sqlite, TellsADamagedFileFromOneThatCannotBeOpened) {
  ASSERT_TRUE(WriteFileAtomic(path_, std::string(8192, 'x')));
  EXPECT_EQ(Open().error().code, ErrorCode::kDamaged);
  const Result<SqliteDatabase> absent =
      SqliteDatabase::Open(folder_ + "/none/test.db", SqliteSync::kNormal, kFirst);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, ErrorCode::kIo);
  EXPECT_THAT(absent.error().message, HasSubstr("none/test.db"));
}

TEST_F(Sqlite, NamesTheFileInAnError) {
  Result<SqliteDatabase> db = Open();
  ASSERT_TRUE(db);
  EXPECT_THAT(db->Execute("SELEC 1").error().message, HasSubstr("test.db: near \"SELEC\""));
  EXPECT_FALSE(db->Prepare("SELECT nothing FROM nowhere"));
}

TEST_F(Sqlite, FullDiskIsALimit) {
  Result<SqliteDatabase> db = Open();
  ASSERT_TRUE(db);
  ASSERT_TRUE(db->Execute("PRAGMA max_page_count = 4"));
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*db);
  Result<SqliteStatement> insert = db->Prepare("INSERT INTO note(t) VALUES(zeroblob(100000))");
  EXPECT_EQ(insert->Run().error().code, ErrorCode::kLimit);
}

}  // namespace
}  // namespace atalaya
