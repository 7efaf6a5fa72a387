/* SPDX-License-Identifier: ISC */
/* websocket.h - frames of RFC 6455 for a server that only tells: pure functions.
 *
 * Clients have nothing to say but ping, pong and close; a short text is read and passed over.
 * What is fragmented, longer, unmasked or unknown breaks the connection.
 */
#ifndef WEB_WEBSOCKET_H
#define WEB_WEBSOCKET_H

#include "base/bytes.h"

#define WEBSOCKET_CONTROL_MAX 125  /* octets of a ping, pong or close (RFC 6455 5.5) */
#define WEBSOCKET_CLIENT_MAX  4096 /* octets of a client's message: none is ever needed */
#define WEBSOCKET_KEY_LENGTH  24   /* characters of Sec-WebSocket-Key: 16 octets in base64 */

enum websocket_opcode {
	WEBSOCKET_CONTINUATION = 0,
	WEBSOCKET_TEXT = 1,
	WEBSOCKET_BINARY = 2,
	WEBSOCKET_CLOSE = 8,
	WEBSOCKET_PING = 9,
	WEBSOCKET_PONG = 10
};

/* Why a connection is closed (RFC 6455 7.4.1). */
enum websocket_status {
	WEBSOCKET_NORMAL = 1000,
	WEBSOCKET_GOING_AWAY = 1001,
	WEBSOCKET_PROTOCOL_ERROR = 1002,
	WEBSOCKET_UNSUPPORTED = 1003,
	WEBSOCKET_TOO_BIG = 1009
};

struct websocket_frame {
	enum websocket_opcode opcode;
	unsigned char payload[WEBSOCKET_CLIENT_MAX];
	size_t length;
};

/* Appends the value of Sec-WebSocket-Accept. -1: the client's key is none. */
int websocket_accept(const char *key, struct bytes *out);

/* Takes a client's frame from the front of `in`; *taken_r octets of it are used up. 1: a frame is
 * there; 0: more octets are needed; -1: it may not be sent, *status_r says why. */
int websocket_take(struct span in, struct websocket_frame *frame_r, size_t *taken_r,
                   enum websocket_status *status_r);

/* Appends a whole frame of ours. */
void websocket_put(struct bytes *out, enum websocket_opcode opcode, struct span payload);
void websocket_put_close(struct bytes *out, enum websocket_status status);

#endif
