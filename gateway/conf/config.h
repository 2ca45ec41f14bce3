/*
 * The configuration: one file, read whole or not at all.
 *
 * config_load() reads a file in libConfuse syntax into one immutable struct config. Every
 * directive is one row of directive.def; defaults, bounds and the sentence of the manual stand
 * there. Whatever is wrong is told as "file:line: directive: what is wrong (what is accepted)";
 * an unknown directive is an error. What weakens a check is legal and comes back as a warning.
 *
 * A struct config belongs to who loaded it; all strings and arrays in it live until
 * config_free().
 */
#ifndef GATEWAY_CONF_CONFIG_H
#define GATEWAY_CONF_CONFIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "gateway/base/log.h"
#include "gateway/base/span.h"

/* An address to listen on. */
struct config_listen {
	const char		*name;		/* as written, "127.0.0.1:8080" */
	struct sockaddr_storage	 address;
	socklen_t		 address_len;
	int			 line;
};

/* A network of trusted_proxies; IPv4 is kept as IPv4-mapped IPv6. */
struct config_network {
	struct in6_addr	address;
	unsigned	bits;		/* 0 to 128, counted in IPv6 */
};

struct config_client {
	uint64_t	header_timeout_ms;	/* from the first byte to the end of the head */
	uint64_t	body_timeout_ms;	/* for the next kilobyte of a body, or its end */
	uint64_t	idle_timeout_ms;	/* between two requests */
	uint64_t	send_timeout_ms;	/* without progress while sending to the client */
	size_t		max_head;		/* bytes */
	unsigned	max_headers;
	size_t		max_target;		/* bytes of the request target */
};

struct config_shared_memory {
	size_t	token_cache;		/* bytes, as all of these */
	size_t	negative_cache;
	size_t	rate_limits;
	size_t	revocations;
	size_t	reuse;
	size_t	replay;
	size_t	inactive;
};

struct config_database {
	/* for PQconnectStartParams; both end with NULL. No name has to be looked up any more. */
	const char	**keywords;
	const char	**values;
	unsigned	  connections;		/* of the node: one the keeper's, the rest ... */
	unsigned	  workers;		/* ... of so many workers */
	uint64_t	  timeout_ms;		/* for a query's outcome */
	int		  line;
};

enum config_validate {
	VALIDATE_LOCAL,
	VALIDATE_INTROSPECT,
	VALIDATE_BOTH,
};

enum config_introspection_auth {
	INTROSPECTION_AUTH_BASIC,
	INTROSPECTION_AUTH_POST,
	INTROSPECTION_AUTH_PRIVATE_KEY_JWT,
};

/* Asking the issuer about its tokens (RFC 7662). */
struct config_introspection {
	const char	*endpoint;		/* "": found by OpenID Connect discovery */
	enum config_introspection_auth auth;
	const char	*client_id;
	const char	*client_secret;		/* never for a log */
	const char	*private_key_file;	/* "": none; PEM, read when the configuration was */
	struct span	 private_key;		/* its bytes; never for a log */
	const char	*key_id;		/* kid of assertions; "": none */
	uint64_t	 timeout_ms;		/* for one call */
	unsigned	 calls;			/* under way at a time, of one node */
	uint64_t	 rate_count;		/* calls of one node for unknown tokens ... */
	uint64_t	 rate_period_us;	/* ... in this time; 0: no limit */
	uint64_t	 ttl_s;			/* an answer is believed for so long at most */
	uint64_t	 negative_ttl_s;
	uint64_t	 revalidate_s;		/* VALIDATE_BOTH */
};

/* Workers at once: each has a slot in shared memory, and two generations of them meet. */
#define CONFIG_WORKERS_MAX 63
/* Issuers at once: each has a slot for its keys in shared memory. */
#define CONFIG_ISSUERS_MAX	32

enum config_signing {
	SIGNING_ES256,
	SIGNING_RS256,
	SIGNING_EDDSA,
};

/* Access tokens live no longer, whoever says so. */
#define CONFIG_LIFETIME_MAX_S	(31 * 86400)

struct config_token_service {
	const char		*issuer;		/* iss */
	struct span		*audience;		/* of tokens that ask for none */
	size_t			 n_audience;
	const char		*path;			/* begins with "/", does not end with it */
	/* what seal_derive() makes keys of; never for a log */
	struct span		 encryption_key;
	const char		*encryption_key_file;	/* "": it stands in the configuration */
	enum config_signing	 signing;
	uint64_t		 lifetime_s;
	uint64_t		 refresh_lifetime_s;
	uint64_t		 refresh_grace_s;
	unsigned		 reuse;			/* thousandths of a life; 0: no reuse */
	uint64_t		 rate_count;		/* new tokens of a consumer ... */
	uint64_t		 rate_period_us;	/* ... in this time; 0: no limit */
	uint64_t		 failures_count;	/* of a client at an address ... */
	uint64_t		 failures_period_us;	/* ... in this time; 0: no limit */
	unsigned		 exchange_depth;	/* exchanges, and actors, of a token */
	uint64_t		 jwks_max_age_s;
	int			 line;
};

/* The issuer that is the token service; no section may have this name. */
#define CONFIG_ISSUER_OWN	"self"

/* What becomes of consumers that nobody has made known here. */
enum config_unknown_consumers {
	UNKNOWN_CONSUMERS_ALLOW,	/* they pass as themselves */
	UNKNOWN_CONSUMERS_REFUSE,
};

/* A claim that the server is told of in a header. */
struct config_claim_header {
	const char	*claim;		/* "email", or "realm_access.roles" */
	const char	*header;	/* "X-User-Email" */
};

/* Bits of algorithms accepted, in the order of the rows of gateway/token/alg.def. */
typedef uint32_t config_algorithms;

struct config_issuer {
	const char		 *name;			/* title of the section */
	const char		 *issuer;		/* exact value of iss */
	/* accepted members of aud; {"*"}: any_audience */
	struct span		 *audience;
	size_t			  n_audience;
	bool			  any_audience;
	const char		**algorithms;		/* JWA names, checked */
	size_t			  n_algorithms;
	const char		 *jwks_uri;		/* "" if not given */
	/* absolute or relative to the working directory; "" if not given */
	const char		 *jwks_file;
	uint64_t		  jwks_refresh_s;	/* period of the keeper's refresh */
	/* age at which keys that can't be confirmed are used no more; 0: never */
	uint64_t		  jwks_max_stale_s;
	/* least time between two fetches that tokens ask for */
	uint64_t		  jwks_cooldown_s;
	/* trust anchors for fetches; "": the system's */
	const char		 *ca_file;
	enum config_validate	  validate;
	struct config_introspection introspection;	/* with other than VALIDATE_LOCAL */
	/* where the issuer posts logout tokens (Back-Channel Logout 1.0); "": nowhere */
	const char		 *backchannel_logout;
	struct span		 *logout_audience;	/* their aud; never empty where they come */
	size_t			  n_logout_audience;
	/* accepted typ, lower case; "" stands for absent */
	struct span		 *token_types;
	size_t			  n_token_types;
	const char		 *consumer_claim;	/* "": client_id, else azp, else sub */
	const char		 *scope_claim;		/* "": scope, else scp */
	enum config_unknown_consumers unknown_consumers;
	struct span		 *consumers;		/* known, beside those of the database */
	size_t			  n_consumers;
	/* on every route that accepts it; a route's own of the same header come first */
	struct config_claim_header *claim_headers;
	size_t			  n_claim_headers;
	uint64_t		  leeway_s;
	size_t			  max_token;		/* bytes */
	/* false: its tokens are only ever asked about, so there is nothing to fetch */
	bool			  needs_keys;
	/* the token service is it: its keys come from the database */
	bool			  own;
	/* routes that name no audience want one of these; none: nothing beyond the above */
	struct span		 *route_audience;
	size_t			  n_route_audience;
	/* hash of the name: the slot of its keys in shared memory */
	uint64_t		  id;
	/* fingerprint of all that decides a verdict: a cached one made under other rules is void */
	uint64_t		  rules;
	int			  line;
};

enum config_balance {
	BALANCE_ROUND_ROBIN,
	BALANCE_LEAST_CONNECTIONS,
	BALANCE_CONSISTENT_HASH,
};

struct config_server {
	const char		*url;			/* as written */
	const char		*authority;		/* host:port for the Host header */
	struct sockaddr_storage	 address;		/* resolved when the conf was read */
	socklen_t		 address_len;
	/* hash of upstream name and url: its slot on the board */
	uint64_t		 id;
};

struct config_health_check {
	const char	*path;			/* "": no active checks */
	uint64_t	 interval_ms;
	uint64_t	 timeout_ms;
};

struct config_upstream {
	const char			*name;
	struct config_server		*servers;
	size_t				 n_servers;
	enum config_balance		 balance;
	/* idle connections a worker keeps per server */
	unsigned			 keepalive;
	/* an idle one is closed after this */
	uint64_t			 keepalive_timeout_ms;
	uint64_t			 connect_timeout_ms;
	uint64_t			 read_timeout_ms;	/* without a byte from the server */
	/* further servers tried when none has seen the request */
	unsigned			 retries;
	/* failures in a row that take a server out; 0: never */
	unsigned			 max_fails;
	uint64_t			 fail_timeout_ms;	/* for how long */
	struct config_health_check	 health_check;
	int				 line;
};

enum config_rate_by {
	RATE_BY_CONSUMER,
	RATE_BY_IP,
	RATE_BY_ROUTE,
};

struct config_route {
	const char		 *name;
	/* lower case, without port; "*.example.com" allowed */
	struct span		 *hosts;
	size_t			  n_hosts;
	struct span		 *paths;		/* prefixes, each beginning with "/" */
	size_t			  n_paths;
	struct span		 *methods;		/* upper case; none: all */
	size_t			  n_methods;
	bool			  strip_path;
	/* send the client's Host on, not the server's */
	bool			  preserve_host;
	const struct config_upstream *upstream;
	const struct config_issuer **issuers;		/* resolved; none given: all there are */
	size_t			  n_issuers;
	struct span		 *scopes;		/* all are needed */
	size_t			  n_scopes;
	/* the token must hold one of these too; none: the issuer's check is enough */
	struct span		 *audience;
	size_t			  n_audience;
	bool			  anonymous;		/* a request without a token passes */
	bool			  hide_credentials;	/* Authorization is not passed on */
	uint64_t		  rate_count;		/* requests ... */
	uint64_t		  rate_period_us;	/* ... in this time; 0: no limit */
	uint64_t		  rate_burst;		/* requests at once; 0: rate_count */
	enum config_rate_by	  rate_by;
	uint64_t		  max_body;		/* bytes */
	/* oldest knowledge of revocation accepted, of issuers that introspect; 0: ask each time */
	uint64_t		  max_staleness_s;
	/* how much older it may be while the issuer does not answer */
	uint64_t		  stale_if_error_s;
	struct config_claim_header *claim_headers;
	size_t			  n_claim_headers;
	const char		 *realm;		/* of the challenge */
	/* the protected resource it is part of, and the URL of its metadata (RFC 9728); "": none */
	const char		 *resource;
	const char		 *resource_metadata;
	int			  line;
};

enum config_ratelimit_headers {
	RATELIMIT_HEADERS_OFF,
	RATELIMIT_HEADERS_KONG,
	RATELIMIT_HEADERS_IETF,
	RATELIMIT_HEADERS_BOTH,
};

struct config {
	const char			 *path;			/* of the file */
	unsigned			  workers;		/* resolved: at least 1 */
	struct config_listen		 *listens;
	size_t				  n_listens;
	struct config_listen		 *admin;		/* NULL: none */
	const char			 *access_log;		/* path, "-", or "off" */
	const char			 *error_log;		/* path or "-" */
	enum log_level			  log_level;
	const char			 *pid_file;		/* "": none */
	uint64_t			  drain_timeout_ms;
	const char			 *user;			/* "": stay who we are */
	/* the conf names it, so it must exist */
	bool				  user_given;
	struct config_network		 *trusted_proxies;
	size_t				  n_trusted_proxies;
	enum config_ratelimit_headers	  ratelimit_headers;
	/* open client connections per worker */
	unsigned			  max_connections;
	bool				  io_uring;
	struct config_client		  client;
	struct config_shared_memory	  shared_memory;
	struct config_database		 *database;		/* NULL: none */
	struct config_issuer		 *issuers;
	size_t				  n_issuers;
	/* NULL: none; else the last of the issuers is its own */
	struct config_token_service	 *token_service;
	struct config_upstream		 *upstreams;
	size_t				  n_upstreams;
	struct config_route		 *routes;
	size_t				  n_routes;
	const char			**warnings;		/* sentences, "file:line: ..." */
	size_t				  n_warnings;
};

/*
 * Reads and checks a file. NULL if anything is wrong; then `error` holds one or more lines, each
 * "file:line: ...". Touches no network except to resolve the names of upstream servers.
 */
struct config *config_load(const char *path, char *error, size_t error_size);

/* Frees all of it; NULL is fine; the pointer becomes NULL. */
void config_free(struct config **config);

#endif
