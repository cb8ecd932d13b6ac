{-# LANGUAGE OverloadedStrings #-}
{-# LANGUAGE ScopedTypeVariables #-}
-- What programs do with postgresql-simple every day: `ok what`, or `FAIL what: why`.
module Main (main) where

import Control.Exception (SomeException, try)
import Control.Monad (unless, void)
import qualified Data.ByteString as B
import Data.Int (Int64)
import qualified Data.Text as T
import Data.Time (Day, UTCTime, fromGregorian)
import Database.PostgreSQL.Simple
import Database.PostgreSQL.Simple.Errors (ConstraintViolation (..), constraintViolation)
import Database.PostgreSQL.Simple.Notification (getNotification, notificationData)
import Database.PostgreSQL.Simple.Transaction (withSavepoint)
import Database.PostgreSQL.Simple.Types (PGArray (..))

check :: String -> IO () -> IO ()
check what run = try run >>= \done -> putStrLn $ case done of
  Right () -> "ok " ++ what
  Left (why :: SomeException) -> "FAIL " ++ what ++ ": " ++ show why

same :: (Eq a, Show a) => a -> a -> IO ()
same got want = unless (got == want) $ fail ("got " ++ show got ++ ", want " ++ show want)

main :: IO ()
main = do
  db <- connectPostgreSQL ""
  check "postgresql-simple tables" $ do
    void $ execute_ db "DROP TABLE IF EXISTS hs_item"
    void $ execute_ db "CREATE TABLE hs_item (id bigserial PRIMARY KEY, name text UNIQUE, n int, x float8, \
      \ok bool, raw bytea, day date, made timestamptz, tags text[])"
  check "postgresql-simple values" $ do
    let name = "\33590's" :: T.Text
        row = (name, 5 :: Int64, 1.5 :: Double, True, Binary (B.pack [0, 255]), fromGregorian 2024 2 29,
               read "2024-05-06 07:08:09.123456 UTC" :: UTCTime, PGArray ["a b", "\"" :: T.Text])
    [Only (key :: Int64)] <- query db "INSERT INTO hs_item (name, n, x, ok, raw, day, made, tags) \
      \VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id" row
    same key 1
    [(a, x, ok, Binary raw, day, made, PGArray tags)] <-
      query db "SELECT name, x, ok, raw, day, made, tags FROM hs_item WHERE name = ?" (Only name)
    same (a, x, ok, raw, day :: Day, made :: UTCTime, tags)
      (name, 1.5 :: Double, True, B.pack [0, 255], fromGregorian 2024 2 29, read "2024-05-06 07:08:09.123456 UTC", ["a b", "\"" :: T.Text])
  check "postgresql-simple many" $ do
    void $ executeMany db "INSERT INTO hs_item (name, n) VALUES (?, ?)" [("a" :: T.Text, Just (1 :: Int64)), ("b", Nothing)]
    void $ executeMany db "UPDATE hs_item SET n = v.n FROM (VALUES (?, ?)) AS v (name, n) WHERE hs_item.name = v.name" [("b" :: T.Text, 7 :: Int64)]
    [Only count] <- query db "SELECT count(*) FROM hs_item WHERE name IN ?" (Only (In ["a", "b" :: T.Text]))
    same count (2 :: Int64)
    total <- fold_ db "SELECT n::bigint FROM generate_series(1, 600) AS n" 0 (\sofar (Only n) -> pure (sofar + n))
    same total (180300 :: Int64)
  check "postgresql-simple transactions" $ withTransaction db $ do
    void $ execute_ db "INSERT INTO hs_item (name) VALUES ('kept')"
    failed <- try (withSavepoint db (execute_ db "INSERT INTO hs_item (name) VALUES ('kept')"))
    case failed of
      Left why -> same (constraintViolation why) (Just (UniqueViolation "hs_item_name_key"))
      Right _ -> fail "nothing was refused"
  check "postgresql-simple notices" $ do
    void $ execute_ db "LISTEN hs_news"
    void $ execute_ db "NOTIFY hs_news, 'hi'"
    told <- getNotification db
    same (notificationData told) "hi"
  void $ execute_ db "DROP TABLE hs_item"
