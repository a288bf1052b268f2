-- +goose Up
-- modify "audit_entries" table
ALTER TABLE "audit_entries" ADD COLUMN "address" character varying NOT NULL DEFAULT '', ADD COLUMN "user_agent" character varying NOT NULL DEFAULT '';
-- modify "client_secrets" table
ALTER TABLE "client_secrets" ADD COLUMN "max_uses" bigint NOT NULL DEFAULT 0, ADD COLUMN "uses" bigint NOT NULL DEFAULT 0, ADD COLUMN "trusted_cidrs" jsonb NULL;
-- modify "identities" table
ALTER TABLE "identities" ADD COLUMN "login_failures" bigint NOT NULL DEFAULT 0, ADD COLUMN "login_failed_at" bigint NOT NULL DEFAULT 0, ADD COLUMN "issued_roles" jsonb NULL, ADD COLUMN "issued_until" bigint NOT NULL DEFAULT 0;
