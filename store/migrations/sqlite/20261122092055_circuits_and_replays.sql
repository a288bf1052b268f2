-- +goose Up
-- written by hand: the generated form copies the tables, and drops the old ones with what refers to them
ALTER TABLE `deliveries` ADD COLUMN `schedule_start` integer NOT NULL DEFAULT (0);
ALTER TABLE `event_subscriptions` ADD COLUMN `failures` integer NOT NULL DEFAULT (0);
ALTER TABLE `event_subscriptions` ADD COLUMN `window_start` integer NOT NULL DEFAULT (0);
ALTER TABLE `event_subscriptions` ADD COLUMN `window_attempts` integer NOT NULL DEFAULT (0);
ALTER TABLE `event_subscriptions` ADD COLUMN `window_failures` integer NOT NULL DEFAULT (0);
ALTER TABLE `event_subscriptions` ADD COLUMN `opened_at` integer NOT NULL DEFAULT (0);
ALTER TABLE `event_subscriptions` ADD COLUMN `probes` integer NOT NULL DEFAULT (0);
ALTER TABLE `event_subscriptions` ADD COLUMN `probe_at` integer NOT NULL DEFAULT (0);
ALTER TABLE `event_subscriptions` ADD COLUMN `next_start_at` integer NOT NULL DEFAULT (0);
-- create index "eventsubscription_updated_at" to table: "event_subscriptions"
CREATE INDEX `eventsubscription_updated_at` ON `event_subscriptions` (`updated_at`);
-- create "alarms" table
CREATE TABLE `alarms` (`id` uuid NOT NULL, `project_id` uuid NOT NULL, `resource_type` text NOT NULL, `operation_type` text NOT NULL, `payload` blob NOT NULL, `occurred_at` integer NOT NULL, PRIMARY KEY (`id`));
-- create "replays" table
CREATE TABLE `replays` (`id` uuid NOT NULL, `created_at` integer NOT NULL, `updated_at` integer NOT NULL, `project_id` uuid NOT NULL, `subscription_id` uuid NOT NULL, `since` integer NOT NULL, `until` integer NOT NULL, `statuses` json NOT NULL, `behind` uuid NOT NULL, `done` bool NOT NULL DEFAULT (false), PRIMARY KEY (`id`));
-- create index "replay_updated_at" to table: "replays"
CREATE INDEX `replay_updated_at` ON `replays` (`updated_at`);
-- create "signing_keys" table
CREATE TABLE `signing_keys` (`id` uuid NOT NULL, `public_key` blob NOT NULL, `private_key` blob NOT NULL, `created_at` integer NOT NULL, PRIMARY KEY (`id`));
