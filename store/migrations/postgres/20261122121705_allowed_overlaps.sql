-- +goose Up
-- modify "event_subscriptions" table
ALTER TABLE "event_subscriptions" ADD COLUMN "allow_overlap" boolean NOT NULL DEFAULT false;
