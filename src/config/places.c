/* SPDX-License-Identifier: ISC */
/* places.c - where files live when nobody says: the system's directories for root, the XDG ones
 * for a user. Only names are made here; directories are the daemon's to create.
 */
#include "config/private.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef LOCALSTATEDIR
#define LOCALSTATEDIR "/var"
#endif
#ifndef RUNSTATEDIR
#define RUNSTATEDIR "/run"
#endif

static const char *const instance_names[] = {
	[MODE_RELAY] = "penstock-relay",
	[MODE_CATCH] = "penstock-catch",
};
static const char *const socket_names[] = {
	[MODE_RELAY] = "control.sock",
	[MODE_CATCH] = "catch.sock",
};

/* One line of passwd(5); glibc suggests 1024. */
#define ACCOUNT_MEMORY 4096 /* bytes */

bool account_exists(const char *name)
{
	char memory[ACCOUNT_MEMORY];
	struct passwd account, *found = NULL;

	return getpwnam_r(name, &account, memory, sizeof(memory), &found) == 0 && found != NULL;
}

int account_number(uint32_t *uid_r, const char *name)
{
	char memory[ACCOUNT_MEMORY];
	struct passwd account, *found = NULL;
	const char *end = name;
	uint64_t number;

	if (number_read(&number, &end) == 0 && *end == '\0' && number < UINT32_MAX) {
		*uid_r = (uint32_t)number;
		return 0;
	}
	if (getpwnam_r(name, &account, memory, sizeof(memory), &found) != 0 || found == NULL)
		return -1;
	*uid_r = account.pw_uid;
	return 0;
}

/* The XDG rules: only an absolute path counts. */
static const char *absolute_variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && *value == '/' ? value : NULL;
}

static int home_path(struct bytes *path_r, const char *variable, const char *below_home)
{
	const char *base = absolute_variable(variable);
	const char *home = absolute_variable("HOME");
	char memory[ACCOUNT_MEMORY];
	struct passwd account, *found = NULL;

	if (base != NULL) {
		bytes_append_text(path_r, base);
		return 0;
	}
	if (home == NULL && getpwuid_r(geteuid(), &account, memory, sizeof(memory), &found) == 0 &&
	    found != NULL)
		home = found->pw_dir;
	if (home == NULL || *home != '/')
		return -1;
	bytes_printf(path_r, "%s/%s", home, below_home);
	return 0;
}

static int state_path(struct bytes *path_r, enum settings_mode mode)
{
	if (home_path(path_r, "XDG_STATE_HOME", ".local/state") != 0)
		return -1;
	bytes_printf(path_r, "/%s", instance_names[mode]);
	return 0;
}

int default_file(struct bytes *path_r, bool system)
{
	if (system)
		bytes_append_text(path_r, SYSCONFDIR);
	else if (home_path(path_r, "XDG_CONFIG_HOME", ".config") != 0)
		return -1;
	bytes_append_text(path_r, "/penstock/penstock.conf");
	return 0;
}

int default_spool(struct bytes *path_r, enum settings_mode mode, bool system)
{
	if (!system)
		return state_path(path_r, mode);
	bytes_printf(path_r, "%s/spool/%s", LOCALSTATEDIR,
	             mode == MODE_CATCH ? "penstock-catch" : "penstock");
	return 0;
}

int settings_default_control(enum settings_mode mode, bool system, struct bytes *path_r)
{
	const char *runtime = absolute_variable("XDG_RUNTIME_DIR");

	if (system) {
		bytes_append_text(path_r, RUNSTATEDIR "/penstock");
	} else if (runtime != NULL) {
		bytes_printf(path_r, "%s/penstock", runtime);
	} else {
		if (state_path(path_r, mode) != 0)
			return -1;
		bytes_append_text(path_r, "/run");
	}
	bytes_printf(path_r, "/%s", socket_names[mode]);
	return 0;
}

void settings_local_socket(const char *control, struct bytes *path_r)
{
	const char *slash = strrchr(control, '/');
	size_t directory = slash == NULL ? 0 : (size_t)(slash - control) + 1;

	bytes_append(path_r, control, directory);
	bytes_append_text(path_r, strcmp(control + directory, socket_names[MODE_CATCH]) == 0
	                                  ? "catch-smtp.sock"
	                                  : "smtp.sock");
}
