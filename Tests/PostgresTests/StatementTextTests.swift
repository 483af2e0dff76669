import Testing

@testable import Postgres

struct StatementTextTests {
    @Test(arguments: [
        "SELECT 1", "select 1", " \n\t-- a comment\n/* and /* another */ INSERT */ ((SELECT 1))", "VALUES (1)",
        "TABLE t",
        "WITH a AS (SELECT 1) SELECT * FROM a", "SHOW search_path", "SELECT 'INSERT', 'it''s an UPDATE'",
        "SELECT \"update\", \"a\"\"DELETE\" FROM t", #"SELECT E'\' MERGE', e'''INSERT\\', 'UPDATE'"#,
        #"SELECT '\', 1"#, "SELECT $$ DELETE $$, $a$ $$ MERGE $b$ $a$, updated_at, x$insert FROM t -- DELETE",
        "SELECT substring(a FOR 3), shares FROM t", "SELECT share FROM t", "SELECT 1 /* UPDATE",
    ])
    func `looks like a read`(sql: String) {
        #expect(StatementText(sql).wordOfWrite == nil)
    }

    @Test(arguments: [
        ("INSERT INTO t VALUES (1)", "INSERT"), ("update t SET a = 1", "UPDATE"), ("", "no word"),
        ("/* SELECT */ DELETE FROM t", "DELETE"), ("CALL f()", "CALL"), ("EXPLAIN ANALYZE SELECT 1", "EXPLAIN"),
        ("WITH a AS (INSERT INTO t VALUES (1) RETURNING b) SELECT b FROM a", "INSERT"),
        ("WITH a AS (SELECT 1) MERGE INTO t USING a", "MERGE"), ("WITH a AS (SELECT 1) DELETE FROM t", "DELETE"),
        ("SELECT a INTO t FROM b", "INTO"), ("SELECT 'a''' FROM t FOR NO KEY UPDATE", "UPDATE"),
        ("SELECT 1 FROM t FOR UPDATE SKIP LOCKED", "UPDATE"), ("SELECT 1 FROM t FOR SHARE", "FOR SHARE"),
        ("SELECT 1 FROM t FOR KEY SHARE", "FOR SHARE"), (#"SELECT '\' FROM t FOR UPDATE"#, "UPDATE"),
        ("SELECT $a$ $a$ FROM t FOR UPDATE", "UPDATE"), ("SELECT 1 -- '\nFROM t FOR UPDATE", "UPDATE"),
    ])
    func `reports the word that makes it a write`(sql: String, word: String) {
        #expect(StatementText(sql).wordOfWrite == word)
    }

    @Test(arguments: [
        ("SELECT 1", 0), ("SELECT $1::int8", 1), ("SELECT $2, $12, $3", 12), ("SELECT '$1', \"$2\" -- $3\n/* $4 */", 0),
        ("SELECT $$ $1 $$, $2, $a$ $3 $a$", 2), ("SELECT a$1, b FROM t WHERE c=$2", 2), ("SELECT E'\\'$3', $1", 1),
        ("SELECT 1 LIMIT $1+1", 1), ("SELECT é$5, $1", 1), ("$", 0), ("'$1", 0), ("SELECT 100/$1", 1),
    ])
    func `the parameter count is the highest number`(sql: String, count: Int) {
        #expect(StatementText(sql).parameterCount == count)
    }
}
