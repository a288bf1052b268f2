-- +goose Up
-- modify "event_subscriptions" table
ALTER TABLE "event_subscriptions" ADD COLUMN "auth" jsonb NULL;
