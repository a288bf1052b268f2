-- +goose Up
-- create "access_tokens" table
CREATE TABLE `access_tokens` (`id` uuid NOT NULL, `hash` blob NOT NULL, `created_at` integer NOT NULL, `expires_at` integer NOT NULL DEFAULT (0), `revoked_at` integer NOT NULL DEFAULT (0), `last_used_at` integer NOT NULL DEFAULT (0), `identity_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `access_tokens_identities_tokens` FOREIGN KEY (`identity_id`) REFERENCES `identities` (`id`) ON DELETE NO ACTION);
-- create index "access_tokens_hash_key" to table: "access_tokens"
CREATE UNIQUE INDEX `access_tokens_hash_key` ON `access_tokens` (`hash`);
-- create "audit_entries" table
CREATE TABLE `audit_entries` (`id` uuid NOT NULL, `at` integer NOT NULL, `actor_id` uuid NULL, `action` text NOT NULL, `target` text NOT NULL, `project_id` uuid NULL, `detail` blob NULL, PRIMARY KEY (`id`));
-- create index "auditentry_project_id_id" to table: "audit_entries"
CREATE INDEX `auditentry_project_id_id` ON `audit_entries` (`project_id`, `id`);
-- create "client_secrets" table
CREATE TABLE `client_secrets` (`id` uuid NOT NULL, `hash` blob NOT NULL, `created_at` integer NOT NULL, `expires_at` integer NOT NULL DEFAULT (0), `revoked_at` integer NOT NULL DEFAULT (0), `identity_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `client_secrets_identities_client_secrets` FOREIGN KEY (`identity_id`) REFERENCES `identities` (`id`) ON DELETE NO ACTION);
-- create index "client_secrets_hash_key" to table: "client_secrets"
CREATE UNIQUE INDEX `client_secrets_hash_key` ON `client_secrets` (`hash`);
-- create "deliveries" table
CREATE TABLE `deliveries` (`id` uuid NOT NULL, `project_id` uuid NOT NULL, `subscription_id` uuid NOT NULL, `event_id` uuid NOT NULL, `sequence` integer NOT NULL, `status` text NOT NULL, `test` bool NOT NULL DEFAULT (false), `attempt_count` integer NOT NULL DEFAULT (0), `next_attempt_at` integer NOT NULL DEFAULT (0), `leased_until` integer NOT NULL DEFAULT (0), `last_error` text NOT NULL DEFAULT (''), `discard_reason` text NOT NULL DEFAULT (''), `created_at` integer NOT NULL, `updated_at` integer NOT NULL, PRIMARY KEY (`id`));
-- create index "deliveries_due" to table: "deliveries"
CREATE INDEX `deliveries_due` ON `deliveries` (`subscription_id`, `next_attempt_at`, `sequence`) WHERE status IN ('PENDING', 'HELD');
-- create index "deliveries_line" to table: "deliveries"
CREATE INDEX `deliveries_line` ON `deliveries` (`subscription_id`, `sequence`) WHERE status IN ('PENDING', 'HELD', 'IN_PROGRESS');
-- create index "deliveries_leased" to table: "deliveries"
CREATE INDEX `deliveries_leased` ON `deliveries` (`leased_until`) WHERE status = 'IN_PROGRESS';
-- create index "deliveries_finished" to table: "deliveries"
CREATE INDEX `deliveries_finished` ON `deliveries` (`updated_at`) WHERE status IN ('SUCCEEDED', 'FAILED', 'DISCARDED');
-- create index "delivery_subscription_id_id" to table: "deliveries"
CREATE INDEX `delivery_subscription_id_id` ON `deliveries` (`subscription_id`, `id`);
-- create index "delivery_project_id_id" to table: "deliveries"
CREATE INDEX `delivery_project_id_id` ON `deliveries` (`project_id`, `id`);
-- create index "delivery_event_id" to table: "deliveries"
CREATE INDEX `delivery_event_id` ON `deliveries` (`event_id`);
-- create "delivery_attempts" table
CREATE TABLE `delivery_attempts` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `delivery_id` uuid NOT NULL, `subscription_id` uuid NOT NULL, `number` integer NOT NULL, `started_at` integer NOT NULL, `duration_ns` integer NOT NULL, `status_code` integer NOT NULL, `response_body` text NOT NULL, `error` text NOT NULL);
-- create index "deliveryattempt_delivery_id_number" to table: "delivery_attempts"
CREATE INDEX `deliveryattempt_delivery_id_number` ON `delivery_attempts` (`delivery_id`, `number`);
-- create index "deliveryattempt_subscription_id_started_at" to table: "delivery_attempts"
CREATE INDEX `deliveryattempt_subscription_id_started_at` ON `delivery_attempts` (`subscription_id`, `started_at`);
-- create "events" table
CREATE TABLE `events` (`id` uuid NOT NULL, `project_id` uuid NOT NULL, `sequence` integer NOT NULL, `definition_id` uuid NOT NULL, `source_service` text NOT NULL, `resource_type` text NOT NULL, `operation_type` text NOT NULL, `environment` text NOT NULL, `path` text NOT NULL, `payload` blob NOT NULL, `actor` text NOT NULL, `occurred_at` integer NOT NULL, `published_at` integer NOT NULL, `idempotency_key` text NOT NULL, PRIMARY KEY (`id`));
-- create index "event_project_id_sequence" to table: "events"
CREATE UNIQUE INDEX `event_project_id_sequence` ON `events` (`project_id`, `sequence`);
-- create index "event_project_id_idempotency_key" to table: "events"
CREATE INDEX `event_project_id_idempotency_key` ON `events` (`project_id`, `idempotency_key`) WHERE idempotency_key <> '';
-- create "event_definitions" table
CREATE TABLE `event_definitions` (`id` uuid NOT NULL, `created_at` integer NOT NULL, `updated_at` integer NOT NULL, `source_service` text NOT NULL, `resource_type` text NOT NULL, `operation_type` text NOT NULL, `event_type` text NULL, `description` text NULL, `payload_schema` blob NULL, `deleted_at` integer NOT NULL DEFAULT (0), PRIMARY KEY (`id`));
-- create index "eventdefinition_source_service_resource_type_operation_type" to table: "event_definitions"
CREATE UNIQUE INDEX `eventdefinition_source_service_resource_type_operation_type` ON `event_definitions` (`source_service`, `resource_type`, `operation_type`) WHERE deleted_at = 0;
-- create "event_logs" table
CREATE TABLE `event_logs` (`id` uuid NOT NULL, `last_sequence` integer NOT NULL DEFAULT (0), `trimmed_sequence` integer NOT NULL DEFAULT (0), `version` integer NOT NULL DEFAULT (0), PRIMARY KEY (`id`));
-- create "event_subscriptions" table
CREATE TABLE `event_subscriptions` (`id` uuid NOT NULL, `created_at` integer NOT NULL, `updated_at` integer NOT NULL, `owner_id` uuid NOT NULL, `subscriber_service` text NOT NULL, `delivery_endpoint` text NOT NULL, `callback_protocol` text NOT NULL, `request_method` text NULL, `soap_version` text NULL, `active` bool NOT NULL DEFAULT (true), `payload_type` text NOT NULL, `conditions` json NOT NULL, `schedule_seconds` json NOT NULL, `timeout_seconds` integer NOT NULL, `max_per_second` integer NULL, `max_in_flight` integer NOT NULL, `ordered` bool NOT NULL, `hold_while_paused` bool NOT NULL, `signature` text NOT NULL, `version` integer NOT NULL DEFAULT (1), `credentials` blob NOT NULL, `signing_secret` blob NOT NULL, `previous_secret` blob NULL, `previous_until` integer NOT NULL DEFAULT (0), `failing_since` integer NOT NULL DEFAULT (0), `disabled_at` integer NOT NULL DEFAULT (0), `disabled_reason` text NOT NULL DEFAULT (''), `project_id` uuid NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `event_subscriptions_projects_project` FOREIGN KEY (`project_id`) REFERENCES `projects` (`id`) ON DELETE NO ACTION);
-- create index "eventsubscription_project_id_subscriber_service" to table: "event_subscriptions"
CREATE INDEX `eventsubscription_project_id_subscriber_service` ON `event_subscriptions` (`project_id`, `subscriber_service`);
-- create "identities" table
CREATE TABLE `identities` (`id` uuid NOT NULL, `name` text NOT NULL, `created_at` integer NOT NULL, `last_used_at` integer NOT NULL DEFAULT (0), PRIMARY KEY (`id`));
-- create "projects" table
CREATE TABLE `projects` (`id` uuid NOT NULL, `slug` text NOT NULL, `name` text NOT NULL, `created_at` integer NOT NULL, PRIMARY KEY (`id`));
-- create index "projects_slug_key" to table: "projects"
CREATE UNIQUE INDEX `projects_slug_key` ON `projects` (`slug`);
-- create "revisions" table
CREATE TABLE `revisions` (`id` text NOT NULL, `value` integer NOT NULL DEFAULT (0), PRIMARY KEY (`id`));
-- create "roles" table
CREATE TABLE `roles` (`id` uuid NOT NULL, `name` text NOT NULL, `rules` json NOT NULL, `built_in` bool NOT NULL DEFAULT (false), `created_at` integer NOT NULL, `project_id` uuid NULL, PRIMARY KEY (`id`), CONSTRAINT `roles_projects_project` FOREIGN KEY (`project_id`) REFERENCES `projects` (`id`) ON DELETE SET NULL);
-- create index "role_project_id_name" to table: "roles"
CREATE UNIQUE INDEX `role_project_id_name` ON `roles` (`project_id`, `name`);
-- create index "role_name" to table: "roles"
CREATE UNIQUE INDEX `role_name` ON `roles` (`name`) WHERE project_id IS NULL;
-- create "role_grants" table
CREATE TABLE `role_grants` (`id` uuid NOT NULL, `identity_id` uuid NOT NULL, `role_id` uuid NOT NULL, `project_id` uuid NULL, PRIMARY KEY (`id`), CONSTRAINT `role_grants_identities_grants` FOREIGN KEY (`identity_id`) REFERENCES `identities` (`id`) ON DELETE NO ACTION, CONSTRAINT `role_grants_roles_role` FOREIGN KEY (`role_id`) REFERENCES `roles` (`id`) ON DELETE NO ACTION, CONSTRAINT `role_grants_projects_project` FOREIGN KEY (`project_id`) REFERENCES `projects` (`id`) ON DELETE SET NULL);
-- create index "rolegrant_identity_id_role_id_project_id" to table: "role_grants"
CREATE UNIQUE INDEX `rolegrant_identity_id_role_id_project_id` ON `role_grants` (`identity_id`, `role_id`, `project_id`);
-- create index "rolegrant_identity_id_role_id" to table: "role_grants"
CREATE UNIQUE INDEX `rolegrant_identity_id_role_id` ON `role_grants` (`identity_id`, `role_id`) WHERE project_id IS NULL;
-- create "event_subscription_event_definitions" table
CREATE TABLE `event_subscription_event_definitions` (`event_subscription_id` uuid NOT NULL, `event_definition_id` uuid NOT NULL, PRIMARY KEY (`event_subscription_id`, `event_definition_id`), CONSTRAINT `event_subscription_event_definitions_event_subscription_id` FOREIGN KEY (`event_subscription_id`) REFERENCES `event_subscriptions` (`id`) ON DELETE CASCADE, CONSTRAINT `event_subscription_event_definitions_event_definition_id` FOREIGN KEY (`event_definition_id`) REFERENCES `event_definitions` (`id`) ON DELETE CASCADE);
