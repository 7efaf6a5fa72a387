/* SPDX-License-Identifier: ISC */
/* websocket.c - the handshake's answer, a client's frames in, ours out. See websocket.h. */
#include "web/websocket.h"

#include <string.h>

#include "base/digest.h"

#define ACCEPT_SUFFIX "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 1.3 */
#define KEY_OCTETS    16

#define FIN         0x80
#define RESERVED    0x70
#define OPCODE      0x0f
#define MASKED      0x80
#define LENGTH      0x7f
#define LENGTH_16   126 /* the length follows in 2 octets, */
#define LENGTH_64   127 /* or in 8 */
#define MASK_OCTETS 4

int websocket_accept(const char *key, struct bytes *out)
{
	unsigned char digest[DIGEST_SHA1_SIZE];
	struct bytes text = { 0 };
	int rc = -1;

	if (strlen(key) != WEBSOCKET_KEY_LENGTH)
		return -1;
	if (base64_decode(&text, span_of_text(key)) == 0 && text.length == KEY_OCTETS) {
		bytes_clear(&text);
		bytes_printf(&text, "%s" ACCEPT_SUFFIX, key);
		digest_sha1(bytes_span(&text), digest);
		base64_encode(out, span_of(digest, sizeof(digest)));
		rc = 0;
	}
	bytes_release(&text);
	return rc;
}

/* What the first two octets alone say. */
static int check_head(unsigned first, unsigned second, enum websocket_status *status_r)
{
	unsigned opcode = first & OPCODE;
	bool control = opcode >= WEBSOCKET_CLOSE;

	*status_r = WEBSOCKET_PROTOCOL_ERROR;
	if ((first & RESERVED) != 0 || (second & MASKED) == 0)
		return -1;
	if ((opcode > WEBSOCKET_BINARY && opcode < WEBSOCKET_CLOSE) || opcode > WEBSOCKET_PONG)
		return -1;
	if (control && ((first & FIN) == 0 || (second & LENGTH) > WEBSOCKET_CONTROL_MAX))
		return -1;
	/* Nothing that a client has to say is worth putting together. */
	*status_r = WEBSOCKET_UNSUPPORTED;
	return opcode == WEBSOCKET_CONTINUATION || (first & FIN) == 0 ? -1 : 0;
}

/* The payload's length and how many octets stand before the mask. 0: more are needed. */
static size_t head_length(struct span in, uint64_t *length_r)
{
	unsigned length = in.data[1] & LENGTH;
	size_t head = length == LENGTH_16 ? 4 : length == LENGTH_64 ? 10 : 2;

	if (in.length < head)
		return 0;
	*length_r = length == LENGTH_16   ? be16_load(in.data + 2)
	            : length == LENGTH_64 ? be64_load(in.data + 2)
	                                  : length;
	return head;
}

int websocket_take(struct span in, struct websocket_frame *frame_r, size_t *taken_r,
                   enum websocket_status *status_r)
{
	const unsigned char *mask;
	uint64_t length = 0;
	size_t head;

	*taken_r = 0;
	if (in.length < 2)
		return 0;
	if (check_head(in.data[0], in.data[1], status_r) < 0)
		return -1;
	head = head_length(in, &length);
	if (head == 0)
		return 0;
	if (length > WEBSOCKET_CLIENT_MAX) {
		*status_r = WEBSOCKET_TOO_BIG;
		return -1;
	}
	if (in.length < head + MASK_OCTETS + length)
		return 0;
	mask = in.data + head;
	frame_r->opcode = (enum websocket_opcode)(in.data[0] & OPCODE);
	frame_r->length = (size_t)length;
	for (size_t i = 0; i < frame_r->length; i++)
		frame_r->payload[i] = mask[MASK_OCTETS + i] ^ mask[i % MASK_OCTETS];
	*taken_r = head + MASK_OCTETS + frame_r->length;
	return 1;
}

void websocket_put(struct bytes *out, enum websocket_opcode opcode, struct span payload)
{
	bytes_put_u8(out, (uint8_t)(FIN | (unsigned)opcode));
	if (payload.length <= WEBSOCKET_CONTROL_MAX) {
		bytes_put_u8(out, (uint8_t)payload.length);
	} else if (payload.length <= UINT16_MAX) {
		bytes_put_u8(out, LENGTH_16);
		bytes_put_u16(out, (uint16_t)payload.length);
	} else {
		bytes_put_u8(out, LENGTH_64);
		bytes_put_u64(out, payload.length);
	}
	bytes_append_span(out, payload);
}

void websocket_put_close(struct bytes *out, enum websocket_status status)
{
	unsigned char code[2];

	be16_store(code, (uint16_t)status);
	websocket_put(out, WEBSOCKET_CLOSE, span_of(code, sizeof(code)));
}
