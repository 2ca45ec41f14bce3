/*
 * Configuration files. What must hold: any bytes are either a whole configuration or told with at
 * least one sentence; nothing is leaked, and no name is looked up.
 */
#include <errno.h>
#include <netdb.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/conf/config.h"
#include "tests/fuzz/fuzz.h"

/* In place of the C library's: only addresses, so that no input asks a network. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **list)
{
	(void)node;
	(void)service;
	(void)hints;
	*list = NULL;
	return EAI_NONAME;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char error[4096];
	char path[64];
	int fd = memfd_create("conf", MFD_CLOEXEC);

	fuzz_must(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	error[0] = '\0';
	struct config *config = config_load(path, error, sizeof(error));
	close(fd);
	fuzz_must((config == NULL) == (error[0] != '\0'));
	if (config != NULL)
		fuzz_must(config->workers > 0 && config->n_listens > 0);
	config_free(&config);
	fuzz_must(config == NULL);
	return 0;
}
