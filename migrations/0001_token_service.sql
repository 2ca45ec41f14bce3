-- The token service. No table holds a token or a secret: only digests, ids and what a token says.

CREATE TABLE consumers (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name		text NOT NULL UNIQUE,
	custom_id	text UNIQUE,
	created_at	timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE clients (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	client_id	text NOT NULL UNIQUE,
	consumer	bigint NOT NULL REFERENCES consumers ON DELETE CASCADE,
	-- grows with each change; tokens are reused within one generation only
	generation	bigint NOT NULL DEFAULT 1,
	-- SHA-256 of salt and secret; secrets are made here and have 256 random bits
	secret_salt	bytea,
	secret_hash	bytea,
	-- the keys of private_key_jwt, a JWK Set
	jwks		text,
	grants		text[] NOT NULL,
	scopes		text[] NOT NULL DEFAULT '{}',
	audiences	text[] NOT NULL DEFAULT '{}',
	format		text NOT NULL DEFAULT 'jwt' CHECK (format IN ('jwt', 'opaque')),
	-- seconds; null: as the token service is configured
	lifetime	integer CHECK (lifetime > 0),
	-- so many new tokens in so long; null: as the token service is configured
	rate_count	bigint CHECK (rate_count > 0),
	rate_period_us	bigint CHECK (rate_period_us > 0),
	-- whose tokens it may introspect: its own (and those meant for it), or any
	introspection	text NOT NULL DEFAULT 'own' CHECK (introspection IN ('own', 'any')),
	-- whose tokens it may revoke: its own, or any, foreign issuers' included
	revocation	text NOT NULL DEFAULT 'own' CHECK (revocation IN ('own', 'any')),
	created_at	timestamptz NOT NULL DEFAULT now(),
	CHECK (secret_hash IS NOT NULL OR jwks IS NOT NULL)
);

-- Ids are of UUID version 7 (RFC 9562): rows that come together lie together, so the index stays as
-- quick with millions of rows as with none. `client` is no foreign key, which each insert would pay.
CREATE TABLE tokens (
	id		uuid PRIMARY KEY,	-- the token's jti
	digest		bytea,			-- SHA-256 of an opaque token; null: a JWT
	client		bigint NOT NULL,	-- clients.id
	issued_at	timestamptz NOT NULL,
	expires_at	timestamptz NOT NULL,
	scope		text NOT NULL,
	audience	text NOT NULL,		-- a JSON array
	family		uuid			-- of the refresh token it came with or from
);
CREATE INDEX tokens_expire ON tokens (expires_at);
CREATE INDEX tokens_of_family ON tokens (family) WHERE family IS NOT NULL;

CREATE TABLE refresh_families (
	id		uuid PRIMARY KEY,
	client		bigint NOT NULL,
	created_at	timestamptz NOT NULL,
	revoked_at	timestamptz
);

CREATE TABLE refresh_tokens (
	id		uuid PRIMARY KEY,
	digest		bytea NOT NULL,		-- SHA-256 of the token
	family		uuid NOT NULL REFERENCES refresh_families ON DELETE CASCADE,
	client		bigint NOT NULL,
	issued_at	timestamptz NOT NULL,
	expires_at	timestamptz NOT NULL,
	scope		text NOT NULL,
	audience	text NOT NULL,
	-- when it was exchanged for the next one; again after the grace: reuse, and the family dies
	used_at		timestamptz
);
CREATE INDEX refresh_tokens_expire ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_of_family ON refresh_tokens (family);

-- What is revoked, and what has changed, in the order of its commits: whoever inserts holds the
-- advisory lock gatehouse_feed_lock() until the commit, so no lower number appears after a higher one.
CREATE TABLE revocations (
	seq		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind		text NOT NULL CHECK (kind IN ('jti', 'subject', 'client', 'key', 'change')),
	identity	bytea NOT NULL CHECK (length(identity) = 32),
	-- revoked is what was issued before; null: all
	before_at	timestamptz,
	-- when the last token it concerns has expired
	expires_at	timestamptz NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now(),
	-- the same in words, for people
	issuer		text NOT NULL,
	value		text NOT NULL
);
CREATE INDEX revocations_expire ON revocations (expires_at);

CREATE TABLE signing_keys (
	kid		text PRIMARY KEY,
	alg		text NOT NULL,
	public_jwk	text NOT NULL,
	-- PKCS #8, sealed with the key that the configuration names
	private_key	bytea NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now(),
	-- published from created_at; signs from active_from until a later key of its alg does
	active_from	timestamptz NOT NULL,
	-- no longer published from here on; null: until a later key has replaced it and its last token expired
	removed_at	timestamptz
);

-- Adds a signing key if there is none of its algorithm, whoever else does so at the same time. The
-- very first signs at once; before another does, verifiers get `lead` seconds to fetch it.
CREATE FUNCTION gatehouse_add_signing_key(new_kid text, new_alg text, new_jwk text, new_key bytea,
	lead bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(7236002);
	IF EXISTS (SELECT FROM signing_keys WHERE alg = new_alg AND removed_at IS NULL) THEN
		RETURN false;
	END IF;
	INSERT INTO signing_keys (kid, alg, public_jwk, private_key, active_from)
		SELECT new_kid, new_alg, new_jwk, new_key, now() +
			CASE WHEN EXISTS (SELECT FROM signing_keys WHERE removed_at IS NULL)
				THEN lead ELSE 0 END * interval '1 second';
	RETURN true;
END $$;

CREATE FUNCTION gatehouse_feed_lock() RETURNS void LANGUAGE sql AS
	'SELECT pg_advisory_xact_lock(7236001)';

-- Tells all gateways that there is news. At the commit, and one notice for many rows.
CREATE FUNCTION gatehouse_feed_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NOTIFY gatehouse_feed;
	RETURN NULL;
END $$;
CREATE TRIGGER revocations_notify AFTER INSERT ON revocations
	FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_feed_notify();
CREATE TRIGGER signing_keys_notify AFTER INSERT OR UPDATE OR DELETE ON signing_keys
	FOR EACH STATEMENT EXECUTE FUNCTION gatehouse_feed_notify();

-- Revokes all that came and will come of one refresh token: its family, and the family's access
-- tokens, whose identities (gateway/token/identity.h) it returns. Each of its statements sees what
-- others have committed until then, and a rotation holds the family's row while it adds to it, so
-- that no token slips through. Whoever writes to the feed takes its lock before any other, and
-- nobody waits for a lock of the feed with a family in hand. What expired a moment ago may live on at
-- a node whose clock is behind.
CREATE FUNCTION gatehouse_revoke_family(which uuid, iss text)
	RETURNS TABLE (token_identity bytea, token_expires timestamptz) LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM refresh_families WHERE id = which AND revoked_at IS NULL) THEN
		PERFORM gatehouse_feed_lock();
	END IF;
	UPDATE refresh_families SET revoked_at = now() WHERE id = which AND revoked_at IS NULL;
	IF FOUND THEN
		INSERT INTO revocations (kind, identity, expires_at, issuer, value)
			SELECT 'jti', gatehouse_identity('jti', iss, t.id::text), t.expires_at, iss,
				t.id::text
			FROM tokens t WHERE t.family = which AND t.expires_at > now() - interval '1 minute';
	END IF;
	RETURN QUERY SELECT gatehouse_identity('jti', iss, t.id::text), t.expires_at
		FROM tokens t WHERE t.family = which AND t.expires_at > now() - interval '1 minute';
END $$;

CREATE FUNCTION gatehouse_identity(kind text, iss text, value text) RETURNS bytea
	LANGUAGE sql IMMUTABLE AS $$
	SELECT sha256(convert_to(kind, 'UTF8') || '\x00'::bytea || convert_to(iss, 'UTF8') ||
		'\x00'::bytea || convert_to(value, 'UTF8'))
$$;
