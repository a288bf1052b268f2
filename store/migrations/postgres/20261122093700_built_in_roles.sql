-- +goose Up
-- the built-in roles beside admin; a role of the name that somebody made before stays in its place
INSERT INTO roles (id, name, rules, built_in, created_at) VALUES
  ('01980000-0000-7000-8000-000000000004', 'publisher', '[{"actions":["PUBLISH_EVENTS","READ_EVENT_DEFINITIONS"]}]', true, 1795000000000000000),
  ('01980000-0000-7000-8000-000000000005', 'subscriber', '[{"actions":["READ_EVENTS","SUBSCRIBE_EVENTS","READ_EVENT_DEFINITIONS","READ_SUBSCRIPTIONS","MANAGE_SUBSCRIPTIONS","MANAGE_DELIVERIES"]}]', true, 1795000000000000000),
  ('01980000-0000-7000-8000-000000000006', 'viewer', '[{"actions":["READ_EVENTS","READ_EVENT_DEFINITIONS","READ_SUBSCRIPTIONS"]}]', true, 1795000000000000000)
  ON CONFLICT DO NOTHING;
UPDATE revisions SET value = value + 1 WHERE id = 'access';
