-- Token exchange (RFC 8693): who may exchange whose tokens, and what exchanged tokens say. Gateways
-- of the schema before go on while this is applied; the locks are taken as they take them.

SELECT gatehouse_feed_lock();
LOCK TABLE tokens, clients, revocations IN ACCESS EXCLUSIVE MODE;

ALTER TABLE clients
	-- whose subject tokens it may exchange: names of clients or consumers, also as ISSUER/NAME
	-- or ISSUER/*
	ADD COLUMN exchange_from text[] NOT NULL DEFAULT '{}',
	-- exchange without an actor token
	ADD COLUMN impersonation text NOT NULL DEFAULT 'allowed'
		CHECK (impersonation IN ('allowed', 'denied')),
	-- exchange with one; self: only a token of its own
	ADD COLUMN delegation text NOT NULL DEFAULT 'denied'
		CHECK (delegation IN ('allowed', 'self', 'denied')),
	-- none: exchanged JWTs have no row in tokens
	ADD COLUMN recording text NOT NULL DEFAULT 'full' CHECK (recording IN ('full', 'none'));

-- Of exchanged tokens; null for all others.
ALTER TABLE tokens
	ADD COLUMN subject text,	-- sub; null: the client is the subject
	ADD COLUMN claims text;		-- a JSON object of what it says beyond the columns: act, lineage

ALTER TABLE revocations
	DROP CONSTRAINT revocations_kind_check,
	ADD CONSTRAINT revocations_kind_check
		CHECK (kind IN ('jti', 'subject', 'client', 'key', 'session', 'change'));
