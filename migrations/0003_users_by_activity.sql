-- A page of the active or of the inactive users, after a cursor. Without this index, a page of the few inactive users
-- reads all users.
CREATE INDEX users_activity_idx ON users (is_active, id) WHERE archived_at IS NULL;
