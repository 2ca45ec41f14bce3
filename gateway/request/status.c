#include "gateway/request/status.h"

static const struct {
	unsigned	status;
	struct span	reason;
} rows[] = {
	{ 200, SPAN("OK") }, { 201, SPAN("Created") }, { 202, SPAN("Accepted") },
	{ 204, SPAN("No Content") }, { 206, SPAN("Partial Content") },
	{ 301, SPAN("Moved Permanently") }, { 302, SPAN("Found") }, { 303, SPAN("See Other") },
	{ 304, SPAN("Not Modified") }, { 307, SPAN("Temporary Redirect") },
	{ 308, SPAN("Permanent Redirect") }, { 400, SPAN("Bad Request") },
	{ 401, SPAN("Unauthorized") }, { 403, SPAN("Forbidden") }, { 404, SPAN("Not Found") },
	{ 405, SPAN("Method Not Allowed") }, { 408, SPAN("Request Timeout") },
	{ 413, SPAN("Content Too Large") }, { 414, SPAN("URI Too Long") },
	{ 417, SPAN("Expectation Failed") }, { 429, SPAN("Too Many Requests") },
	{ 431, SPAN("Request Header Fields Too Large") },
	{ 500, SPAN("Internal Server Error") }, { 501, SPAN("Not Implemented") },
	{ 502, SPAN("Bad Gateway") }, { 503, SPAN("Service Unavailable") },
	{ 504, SPAN("Gateway Timeout") }, { 505, SPAN("HTTP Version Not Supported") },
};

struct span
status_reason(unsigned status)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == status)
			return rows[i].reason;
	return SPAN("Unknown");
}
