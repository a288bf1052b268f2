-- +goose Up
-- the events by which hark tells of itself; a definition of the name that somebody made before stays in its place
INSERT INTO event_definitions (id, created_at, updated_at, source_service, resource_type, operation_type, description) VALUES
  (X'01980000000070008000000000000020', 1795000000000000000, 1795000000000000000, 'hark', 'subscription', 'failing', 'An attempt at a subscription failed, the first one since a success.'),
  (X'01980000000070008000000000000021', 1795000000000000000, 1795000000000000000, 'hark', 'subscription', 'opened', 'The circuit of a subscription opened: its deliveries wait, but for probes.'),
  (X'01980000000070008000000000000022', 1795000000000000000, 1795000000000000000, 'hark', 'subscription', 'closed', 'The circuit of a subscription closed: a probe succeeded.'),
  (X'01980000000070008000000000000023', 1795000000000000000, 1795000000000000000, 'hark', 'subscription', 'disabled', 'A subscription was disabled: its subscriber is gone, or failed for five days.'),
  (X'01980000000070008000000000000024', 1795000000000000000, 1795000000000000000, 'hark', 'delivery', 'dead', 'A delivery became a dead letter.')
  ON CONFLICT DO NOTHING;
UPDATE revisions SET value = value + 1 WHERE id = 'definitions';
