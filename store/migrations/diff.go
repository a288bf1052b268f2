//go:build ignore

// Diff writes the migrations that bring a database from what the present files
// make of it to what ent/schema asks for, one file for each dialect:
//
//	go run store/migrations/diff.go NAME postgres://user@127.0.0.1:5432/empty?sslmode=disable
//
// PostgreSQL needs an empty database to replay the files in; SQLite does it in memory.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"log"
	"os"
	"path/filepath"

	atlas "ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/sqltool"
	"entgo.io/ent/dialect"
	"entgo.io/ent/dialect/sql/schema"
	_ "github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"

	"github.com/hark-events/hark/ent/migrate"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: diff NAME POSTGRES-URL")
	}
	// The names under which atlas looks for its drivers.
	sql.Register("sqlite3", &sqlite.Driver{})
	pg, _ := sql.Open("pgx", "")
	sql.Register("postgres", pg.Driver())

	for name, url := range map[string]string{
		dialect.SQLite:   "sqlite://diff?mode=memory&_pragma=foreign_keys(1)",
		dialect.Postgres: os.Args[2],
	} {
		folder := map[string]string{dialect.SQLite: "sqlite", dialect.Postgres: "postgres"}[name]
		dir, err := sqltool.NewGooseDir("store/migrations/" + folder)
		if err != nil {
			log.Fatal(err)
		}
		// The files are reviewed and versioned here; atlas's own sum of them is not kept.
		sum, err := dir.Checksum()
		if err != nil {
			log.Fatal(err)
		}
		if err := atlas.WriteSumFile(dir, sum); err != nil {
			log.Fatal(err)
		}
		if err := migrate.NamedDiff(context.Background(), url, os.Args[1],
			schema.WithDir(dir), schema.WithMigrationMode(schema.ModeReplay), schema.WithDialect(name),
			schema.WithFormatter(sqltool.GooseFormatter), schema.WithDropColumn(true), schema.WithDropIndex(true),
		); err != nil {
			log.Fatalf("%s: %v", name, err)
		}
		if err := os.Remove("store/migrations/" + folder + "/atlas.sum"); err != nil {
			log.Fatal(err)
		}
		if err := forwardOnly("store/migrations/" + folder); err != nil {
			log.Fatal(err)
		}
	}
}

// forwardOnly cuts off the way back that atlas writes: migrations only go forward.
func forwardOnly(folder string) error {
	files, err := filepath.Glob(folder + "/*.sql")
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if up, _, found := bytes.Cut(text, []byte("-- +goose Down")); found {
			if err := os.WriteFile(name, append(bytes.TrimSpace(up), '\n'), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
