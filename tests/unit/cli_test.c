/*
 * The command line: what each option and command prints, where to, and with which exit status.
 */
#include "gateway/cli/cli.h"

#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>

#include "conf_support.h"
#include "gateway/conf/directive.h"

static char out[65536];
static char err[8192];

/* Points a standard descriptor at a fresh file; returns that file. */
static FILE *
divert(int fd)
{
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(dup2(fileno(file), fd), fd);
	return file;
}

static void
read_back(FILE *file, char *into, size_t size)
{
	rewind(file);
	into[fread(into, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* Runs a command line of up to four words; returns the exit status, leaves `out` and `err`. */
static int
run(const char *a, const char *b, const char *c, const char *d)
{
	char *words[6] = { strdup("gatehouse") };
	const char *given[4] = { a, b, c, d };
	int n = 1;

	for (int i = 0; i < 4 && given[i] != NULL; i++)
		words[n++] = strdup(given[i]);
	/* the command line takes options out of its words */
	char *all[6];
	int n_all = n;
	memcpy(all, words, sizeof(all));
	fflush(stdout);
	int keep_out = dup(STDOUT_FILENO), keep_err = dup(STDERR_FILENO);
	FILE *out_file = divert(STDOUT_FILENO), *err_file = divert(STDERR_FILENO);
	optind = 1;
	int status = cli_main(n, words);
	fflush(stderr);
	dup2(keep_out, STDOUT_FILENO);
	dup2(keep_err, STDERR_FILENO);
	close(keep_out);
	close(keep_err);
	read_back(out_file, out, sizeof(out));
	read_back(err_file, err, sizeof(err));
	while (n_all > 0)
		free(all[--n_all]);
	return status;
}

static const char *
write_conf(const char *text)
{
	return conf_write("test.conf", text, strlen(text));
}

static void
remove_conf(const char *path)
{
	unlink(path);
	rmdir(conf_folder);
}

START_TEST(help_and_version)
{
	ck_assert_int_eq(run("--help", NULL, NULL, NULL), CLI_DONE);
	ck_assert(strncmp(out, "usage: gatehouse", 16) == 0 && err[0] == '\0');
	ck_assert_int_eq(run("-h", NULL, NULL, NULL), CLI_DONE);
	ck_assert_int_eq(run("-V", NULL, NULL, NULL), CLI_DONE);
	ck_assert(strncmp(out, "gatehouse ", 10) == 0 && strstr(out, "\nOpenSSL 3") != NULL &&
	    strstr(out, "\njansson 2") != NULL && strstr(out, "\nllhttp ") != NULL);
}
END_TEST

/* Wrong usage: up to four words, and a word of the complaint. */
static const struct {
	const char	*words[4];
	const char	*complaint;
} wrong[] = {
	{ { "frobnicate" }, "unknown command: frobnicate" },
	{ { "-x" }, "unknown option: -x" },
	{ { "--frobnicate" }, "unknown option: --frobnicate" },
	{ { "-c" }, "an argument is missing: -c" },
	{ { "-t", "status" }, "-t takes no command: status" },
	{ { "directives", "--xml" }, "unknown argument: --xml" },
	{ { "reload", "--json" }, "unknown argument: --json" },
	{ { "status", "now" }, "unknown argument: now" },
	{ { "" }, "unknown command: " },
};

START_TEST(wrong_usage)
{
	const char *const *w = wrong[_i].words;

	ck_assert_int_eq(run(w[0], w[1], w[2], w[3]), CLI_USAGE);
	ck_assert_str_eq(out, "");
	ck_assert_msg(strstr(err, wrong[_i].complaint) != NULL, "%s", err);
	ck_assert_ptr_nonnull(strstr(err, "gatehouse --help"));
}
END_TEST

START_TEST(a_fine_conf)
{
	const char *path = write_conf(MINIMAL "admin \"0.0.0.0:0\" { }\n");

	ck_assert_int_eq(run("-t", "-c", path, NULL), CLI_DONE);
	ck_assert_ptr_nonnull(strstr(out, "test.conf is fine\n"));
	ck_assert_ptr_nonnull(strstr(err, "warning: "));
	ck_assert_ptr_nonnull(strstr(err, "test.conf:5: admin"));
	remove_conf(path);
}
END_TEST

START_TEST(a_broken_conf)
{
	const char *path = write_conf(MINIMAL "worker = 1\n");

	ck_assert_int_eq(run("-t", "-c", path, NULL), CLI_FAILED);
	ck_assert_str_eq(out, "");
	ck_assert_ptr_nonnull(strstr(err, "test.conf:5: worker: unknown directive"));
	ck_assert_int_eq(run("-c", path, "reload", NULL), CLI_FAILED);
	ck_assert_int_eq(run("-c", path, "status", NULL), CLI_FAILED);
	remove_conf(path);
}
END_TEST

START_TEST(nobody_to_talk_to)
{
	const char *path = write_conf(MINIMAL);

	ck_assert_int_eq(run("-c", path, "stop", NULL), CLI_FAILED);
	ck_assert_ptr_nonnull(strstr(err, "sets no pid_file"));
	ck_assert_int_eq(run("-c", path, "status", NULL), CLI_FAILED);
	ck_assert_ptr_nonnull(strstr(err, "neither pid_file nor admin"));
	remove_conf(path);
}
END_TEST

/* A process id that a stranger has by now gets no signal: here, our own. */
START_TEST(a_stale_pid_file)
{
	char pid[32], name[128];
	const char *path = write_conf(MINIMAL "pid_file = \"g.pid\"\n");

	snprintf(name, sizeof(name), "%s", path);
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	path = conf_write("g.pid", pid, strlen(pid));
	ck_assert_int_eq(run("-c", name, "stop", NULL), CLI_FAILED);
	ck_assert_ptr_nonnull(strstr(err, "does not run"));
	ck_assert_int_eq(run("-c", name, "status", "--json"), CLI_FAILED);
	ck_assert_str_eq(out, "{\"running\": false, \"pid\": null, \"readiness\": \"unknown\"}\n");
	unlink(path);
	remove_conf(name);
}
END_TEST

START_TEST(directives_for_people)
{
	ck_assert_int_eq(run("directives", NULL, NULL, NULL), CLI_DONE);
	for (size_t i = 0; i < directive_n; i++)
		ck_assert_ptr_nonnull(strstr(out, directive_table[i].sentence));
}
END_TEST

START_TEST(directives_for_programs)
{
	ck_assert_int_eq(run("directives", "--json", NULL, NULL), CLI_DONE);
	json_t *rows = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(rows);
	ck_assert_uint_eq(json_array_size(rows), directive_n);
	for (size_t i = 0; i < directive_n; i++) {
		const json_t *row = json_array_get(rows, i);

		ck_assert_str_eq(json_string_value(json_object_get(row, "name")),
		    directive_table[i].name);
		ck_assert_int_eq(json_is_null(json_object_get(row, "default")),
		    json_is_true(json_object_get(row, "required")));
	}
	json_decref(rows);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cli");
	TCase *tcase = tcase_create("cli");

	tcase_add_test(tcase, help_and_version);
	tcase_add_loop_test(tcase, wrong_usage, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tcase, a_fine_conf);
	tcase_add_test(tcase, a_broken_conf);
	tcase_add_test(tcase, nobody_to_talk_to);
	tcase_add_test(tcase, a_stale_pid_file);
	tcase_add_test(tcase, directives_for_people);
	tcase_add_test(tcase, directives_for_programs);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
