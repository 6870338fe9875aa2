-- Whether somebody came from elsewhere, and as whom.
CREATE INDEX imported_by_user ON imported (user_id);

-- Since when what they had elsewhere is traded for nothing, because they have signed out all else here.
ALTER TABLE imported ADD COLUMN closed_at INTEGER;

-- How many acts about them there were, and what their token version was, when an import last created, disabled or enabled
-- them: whoever has more, or another, has been somebody's business here since.
ALTER TABLE imported ADD COLUMN acts INTEGER NOT NULL DEFAULT 3;
ALTER TABLE imported ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- How often they had been enabled or disabled when an import last told that they are not here as they are there.
ALTER TABLE imported ADD COLUMN told INTEGER;
