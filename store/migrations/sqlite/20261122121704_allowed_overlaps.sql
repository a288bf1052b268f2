-- +goose Up
-- add column "allow_overlap" to table: "event_subscriptions"
ALTER TABLE `event_subscriptions` ADD COLUMN `allow_overlap` bool NOT NULL DEFAULT (false);
