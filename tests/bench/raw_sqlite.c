/*
 * The baseline of the storage figures: raw SQLite, WAL, synchronous FULL, exclusive, rows of 512 bytes upserted
 * in commits of a fixed size. Usage: raw_sqlite FILE ROWS_PER_COMMIT SECONDS
 */
#define _POSIX_C_SOURCE 200809L
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { blob_bytes = 512, keys_max = 4096 };

static sqlite3* database;

static void check(int code, const char* what) {
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) return;
    fprintf(stderr, "%s: %s\n", what, sqlite3_errmsg(database));
    exit(1);
}

static void run(const char* sql) { check(sqlite3_exec(database, sql, NULL, NULL, NULL), sql); }

static void step_once(sqlite3_stmt* statement, const char* what) {
    check(sqlite3_step(statement), what);
    check(sqlite3_reset(statement), what);
}

static sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* statement = NULL;
    check(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), sql);
    return statement;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int count, char** arguments) {
    if (count != 4 || atoi(arguments[2]) < 1 || atof(arguments[3]) <= 0) {
        fprintf(stderr, "usage: raw_sqlite FILE ROWS_PER_COMMIT SECONDS\n");
        return 2;
    }
    int rows_per_commit = atoi(arguments[2]);
    double seconds = atof(arguments[3]);
    check(sqlite3_open(arguments[1], &database), arguments[1]);
    run("PRAGMA locking_mode = EXCLUSIVE");
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = FULL");
    run("CREATE TABLE IF NOT EXISTS component (player INTEGER PRIMARY KEY, body BLOB NOT NULL)");
    sqlite3_stmt* begin = prepare("BEGIN IMMEDIATE");
    sqlite3_stmt* commit = prepare("COMMIT");
    sqlite3_stmt* upsert = prepare(
        "INSERT INTO component (player, body) VALUES (?1, ?2) ON CONFLICT (player) DO UPDATE SET body = excluded.body");

    unsigned char body[blob_bytes];
    memset(body, 'x', sizeof body);
    unsigned long long rows = 0;
    unsigned long long commits = 0;
    double started = now();
    double finished = started;
    while (finished - started < seconds) {
        step_once(begin, "BEGIN");
        for (int i = 0; i < rows_per_commit; ++i, ++rows) {
            memcpy(body, &rows, sizeof rows); /* every row changes */
            check(sqlite3_bind_int64(upsert, 1, (sqlite3_int64)(rows % keys_max)), "bind");
            check(sqlite3_bind_blob(upsert, 2, body, sizeof body, SQLITE_STATIC), "bind");
            step_once(upsert, "INSERT");
        }
        step_once(commit, "COMMIT");
        ++commits;
        finished = now();
    }
    printf("{\"rows_per_second\": %.1f, \"commits\": %llu, \"seconds\": %.3f}\n", (double)rows / (finished - started),
           commits, finished - started);
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_finalize(upsert);
    sqlite3_close(database);
    return 0;
}
