-- +goose Up
-- what exists from the first start: the project "default", the role "admin" and four event definitions
INSERT INTO projects (id, slug, name, created_at) VALUES (X'01980000000070008000000000000001', 'default', 'Default', 1795000000000000000);
INSERT INTO event_logs (id) VALUES (X'01980000000070008000000000000001');
INSERT INTO revisions (id) VALUES ('definitions'), ('access');
INSERT INTO roles (id, name, rules, built_in, created_at) VALUES (X'01980000000070008000000000000002', 'admin', '[{"actions":["READ_EVENTS","SUBSCRIBE_EVENTS","PUBLISH_EVENTS","READ_EVENT_DEFINITIONS","MANAGE_EVENT_DEFINITIONS","READ_SUBSCRIPTIONS","MANAGE_SUBSCRIPTIONS","MANAGE_DELIVERIES","READ_ACCESS","MANAGE_ACCESS","READ_AUDIT_LOG"]}]', true, 1795000000000000000);
INSERT INTO event_definitions (id, created_at, updated_at, source_service, resource_type, operation_type, description) VALUES
  (X'01980000000070008000000000000010', 1795000000000000000, 1795000000000000000, 'secret-manager', 'secret', 'create', 'Secrets were created.'),
  (X'01980000000070008000000000000011', 1795000000000000000, 1795000000000000000, 'secret-manager', 'secret', 'update', 'Secrets were changed.'),
  (X'01980000000070008000000000000012', 1795000000000000000, 1795000000000000000, 'secret-manager', 'secret', 'delete', 'Secrets were deleted.'),
  (X'01980000000070008000000000000013', 1795000000000000000, 1795000000000000000, 'secret-manager', 'secret', 'import-mutation', 'The imports of a secret path were changed.');
