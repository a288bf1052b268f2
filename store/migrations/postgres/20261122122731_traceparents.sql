-- +goose Up
-- modify "events" table
ALTER TABLE "events" ADD COLUMN "traceparent" bytea NULL;
