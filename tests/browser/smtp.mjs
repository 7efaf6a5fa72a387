// SPDX-License-Identifier: ISC
// smtp.mjs - hands mails to an SMTP server as they are, several over one connection.

import net from "node:net";

// Replies come a line at a time; the last line of one has a space behind its code.
function replies(socket) {
	let text = "", wake = null, failure = null;
	const complete = [];
	socket.setEncoding("latin1");
	socket.on("data", (data) => {
		text += data;
		for (let end; (end = text.indexOf("\r\n")) >= 0; text = text.slice(end + 2))
			if (text[3] !== "-")
				complete.push(text.slice(0, end));
		wake?.();
	});
	for (const end of ["close", "error"])
		socket.on(end, (error) => {
			failure ??= error instanceof Error ? error : new Error("the SMTP server closed");
			wake?.();
		});
	return async (code) => {
		while (complete.length === 0) {
			if (failure)
				throw failure;
			await new Promise((resolve) => {
				wake = resolve;
			});
		}
		const reply = complete.shift();
		if (!reply.startsWith(code))
			throw new Error(`${reply} instead of ${code}`);
	};
}

// mails: texts with \n or \r\n; resolves when the server has said that it has all of them.
export async function submit(port, mails, { from = "app@example.com", to = ["you@example.com"] } = {}) {
	const socket = net.connect(port, "127.0.0.1");
	const expect = replies(socket);
	socket.setNoDelay(true);
	await expect("220");
	socket.write("EHLO browser.test\r\n");
	await expect("250");
	for (const mail of mails) {
		const lines = mail.replace(/\r?\n/g, "\r\n").replace(/^\./gm, "..");
		socket.write(`MAIL FROM:<${from}>\r\n`);
		await expect("250");
		for (const recipient of to) {
			socket.write(`RCPT TO:<${recipient}>\r\n`);
			await expect("250");
		}
		socket.write("DATA\r\n");
		await expect("354");
		socket.write(`${lines}\r\n.\r\n`);
		await expect("250");
	}
	socket.end("QUIT\r\n");
}

// A session that comes to nothing.
export async function refused(port) {
	const socket = net.connect(port, "127.0.0.1");
	const expect = replies(socket);
	await expect("220");
	socket.write("EHLO broken.test\r\n");
	await expect("250");
	socket.write("MAIL FROM:<app@example.com\r\n");
	await expect("5");
	socket.end("QUIT\r\n");
	await expect("221");
}
