/* The way into C. In every process of hognose the constructor runs before the Go runtime. It prepares process titles and
 * returns, unless the process was started to be Python: then it becomes a zygote and Go never starts.
 *
 * glibc calls constructors with the arguments of main. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control.h"
#include "log.h"
#include "module.h"
#include "settings.h"
#include "title.h"
#include "wire.h"

#define ROLE_VARIABLE "HOGNOSE_ROLE"
#define EXIT_IMPORT 3 /* as the bootstrap uses it: the application cannot be loaded */

extern char **environ;

static struct hg_settings settings;

/* Our own variables mean nothing to the application. */
static void unset_variables(void)
{
	static const char prefix[] = "HOGNOSE_";
	for (char **e = environ; *e;) {
		char *equals = strchr(*e, '=');
		if (!equals || strncmp(*e, prefix, sizeof prefix - 1)) {
			e++;
			continue;
		}
		char *name = strndup(*e, (size_t)(equals - *e));
		if (!name || unsetenv(name) < 0)
			e++;
		free(name);
	}
}

/* Subprocesses of the application get none of our sockets. */
static void protect_descriptors(void)
{
	const int fds[] = {HG_FD_CONTROL, HG_FD_SETTINGS, HG_FD_QUEUE, HG_FD_SCOREBOARD};
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
}

static void nothing(int signal)
{
	(void)signal;
}

/* What a terminal sends to the whole group is for the master. Handlers, not SIG_IGN: programs that the application starts
 * get the defaults back. The bootstrap puts Python's own in their place. */
static void deafen(void)
{
	struct sigaction action = {.sa_handler = nothing, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int fail(const char *error)
{
	hg_log("%s", error);
	hg_control_send(HG_FD_CONTROL, HG_CTL_FAILED, 0, 0, error);
	return EXIT_IMPORT;
}

static void name_zygote(void)
{
	char title[256], name[32];
	snprintf(title, sizeof title, "hognose: app %.200s (zygote)", settings.app);
	snprintf(name, sizeof name, "hognose:%.5s/z", settings.app);
	hg_title_set(title, name);
	hg_log_name(title);
}

static int run_python(void)
{
	char error[1024];
	protect_descriptors();
	deafen();
	unset_variables();
	if (hg_settings_read(HG_FD_SETTINGS, &settings, error, sizeof error) < 0)
		return fail(error);
	close(HG_FD_SETTINGS);
	name_zygote();
	if (hg_py_load(settings.libpython, error, sizeof error) < 0)
		return fail(error);
	if (hg_module_install(&settings) < 0)
		return fail("cannot install the module _hognose: no memory");

	hg_control_arm(HG_FD_CONTROL); /* until the bootstrap has imported the application */

	/* With the venv's own interpreter as argv[0], CPython finds the venv as that would. */
	char *argv[] = {(char *)settings.executable, "-c", "__import__('_hognose').boot()", NULL};
	return py.Py_BytesMain(3, argv);
}

/* The front reads what strangers send and holds the keys of TLS: nothing that it starts gets more rights than it has, and
 * nobody of its user may look into its memory. Here, before Go's threads exist, one call is enough for all of them. */
static void confine_front(void)
{
	const struct rlimit no_core = {0, 0};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	setrlimit(RLIMIT_CORE, &no_core);
}

__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
	hg_title_init(argc, argv, envp);
	const char *role = getenv(ROLE_VARIABLE);
	if (role && !strcmp(role, "python"))
		exit(run_python());
	if (role && !strcmp(role, "front"))
		confine_front();
}
