/* SPDX-License-Identifier: ISC */
/* work.c - what a helper does for one provider's secret: a token, a program, or a file again. */
#include "fetch/private.h"

bool fetch_can(const struct provider_settings *p)
{
	return p->oauth2.used || p->password_command.count > 0 || p->password_file != NULL;
}

static int work_password(struct fetch_job *job)
{
	const struct provider_settings *p = job->provider;
	const char *source = p->password_file, *fault;
	int rc;

	if (p->password_command.count > 0) {
		source = p->password_command.items[0];
		rc = command_run(&p->password_command, PASSWORD_MAX, job->stop, &job->token.access,
		                 &job->error);
	} else {
		rc = secret_file_read(source, &job->token.access, PASSWORD_MAX, &job->error);
	}
	if (rc != 0)
		return -1;
	fault = secret_trim(&job->token.access, PASSWORD_MAX);
	if (fault != NULL)
		bytes_printf(&job->error, "%s %s", source, fault);
	return fault == NULL ? 0 : -1;
}

void fetch_work(struct helper_job *helper_job)
{
	struct fetch_job *job = (struct fetch_job *)(void *)helper_job;

	if (job->provider->oauth2.used)
		job->done = oauth2_fetch(&job->token, job->provider, job->wall_us, job->stop,
		                         &job->error) == 0;
	else
		job->done = work_password(job) == 0;
	if (!job->done)
		token_release(&job->token);
}
