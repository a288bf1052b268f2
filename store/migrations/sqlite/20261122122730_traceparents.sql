-- +goose Up
-- add column "traceparent" to table: "events"
ALTER TABLE `events` ADD COLUMN `traceparent` blob NULL;
