-- +goose Up
-- written by hand: the generated form copies the tables, and drops the old ones with what refers to them
ALTER TABLE `audit_entries` ADD COLUMN `address` text NOT NULL DEFAULT ('');
ALTER TABLE `audit_entries` ADD COLUMN `user_agent` text NOT NULL DEFAULT ('');
ALTER TABLE `client_secrets` ADD COLUMN `max_uses` integer NOT NULL DEFAULT (0);
ALTER TABLE `client_secrets` ADD COLUMN `uses` integer NOT NULL DEFAULT (0);
ALTER TABLE `client_secrets` ADD COLUMN `trusted_cidrs` json NULL;
ALTER TABLE `identities` ADD COLUMN `login_failures` integer NOT NULL DEFAULT (0);
ALTER TABLE `identities` ADD COLUMN `login_failed_at` integer NOT NULL DEFAULT (0);
ALTER TABLE `identities` ADD COLUMN `issued_roles` json NULL;
ALTER TABLE `identities` ADD COLUMN `issued_until` integer NOT NULL DEFAULT (0);
