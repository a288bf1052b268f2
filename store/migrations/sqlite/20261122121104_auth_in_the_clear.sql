-- +goose Up
-- add column "auth" to table: "event_subscriptions"
ALTER TABLE `event_subscriptions` ADD COLUMN `auth` json NULL;
