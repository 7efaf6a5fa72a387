/* SPDX-License-Identifier: ISC */
/* notify.h - what systemd is told of the daemon's state. */
#ifndef NOTIFY_H
#define NOTIFY_H

/* Sends one line of sd_notify(3), such as "READY=1", to the socket that $NOTIFY_SOCKET names; does
 * nothing without it. A failure is logged: it is the service manager's trouble. */
void notify(const char *state);

#endif
