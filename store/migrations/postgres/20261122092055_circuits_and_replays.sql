-- +goose Up
-- modify "deliveries" table
ALTER TABLE "deliveries" ADD COLUMN "schedule_start" bigint NOT NULL DEFAULT 0;
-- modify "event_subscriptions" table
ALTER TABLE "event_subscriptions" ADD COLUMN "failures" bigint NOT NULL DEFAULT 0, ADD COLUMN "window_start" bigint NOT NULL DEFAULT 0, ADD COLUMN "window_attempts" bigint NOT NULL DEFAULT 0, ADD COLUMN "window_failures" bigint NOT NULL DEFAULT 0, ADD COLUMN "opened_at" bigint NOT NULL DEFAULT 0, ADD COLUMN "probes" bigint NOT NULL DEFAULT 0, ADD COLUMN "probe_at" bigint NOT NULL DEFAULT 0, ADD COLUMN "next_start_at" bigint NOT NULL DEFAULT 0;
-- create index "eventsubscription_updated_at" to table: "event_subscriptions"
CREATE INDEX "eventsubscription_updated_at" ON "event_subscriptions" ("updated_at");
-- create "alarms" table
CREATE TABLE "alarms" ("id" uuid NOT NULL, "project_id" uuid NOT NULL, "resource_type" character varying NOT NULL, "operation_type" character varying NOT NULL, "payload" bytea NOT NULL, "occurred_at" bigint NOT NULL, PRIMARY KEY ("id"));
-- create "replays" table
CREATE TABLE "replays" ("id" uuid NOT NULL, "created_at" bigint NOT NULL, "updated_at" bigint NOT NULL, "project_id" uuid NOT NULL, "subscription_id" uuid NOT NULL, "since" bigint NOT NULL, "until" bigint NOT NULL, "statuses" jsonb NOT NULL, "behind" uuid NOT NULL, "done" boolean NOT NULL DEFAULT false, PRIMARY KEY ("id"));
-- create index "replay_updated_at" to table: "replays"
CREATE INDEX "replay_updated_at" ON "replays" ("updated_at");
-- create "signing_keys" table
CREATE TABLE "signing_keys" ("id" uuid NOT NULL, "public_key" bytea NOT NULL, "private_key" bytea NOT NULL, "created_at" bigint NOT NULL, PRIMARY KEY ("id"));
