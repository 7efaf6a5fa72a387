// SPDX-License-Identifier: ISC
// Drives a penstockd --catch with npm's mailhog and prints what it got as JSON.
// node mailhog.cjs PACKAGES HTTP-PORT
const [packages, port] = process.argv.slice(2);
const mailhog = require(`${packages}/node_modules/mailhog`)({ host: "127.0.0.1", port: Number(port) });

async function main() {
	const said = {};
	const message = await mailhog.latestTo("bob@example.org");
	said.subject = message.subject;
	said.text = message.text;
	said.html = message.html;
	said.from = message.from;
	said.to = message.to;
	said.date = message.date.toISOString();
	said.attachments = message.attachments.map(({ name, type, encoding, Body }) => ({ name, type, encoding, Body }));
	said.messages = await mailhog.messages(0, 10).then(({ total, count, start, items }) => ({ total, count, start,
		subjects: items.map((item) => item.subject) }));
	said.search = (await mailhog.search("ann@example.com", "from")).count;
	said.containing = (await mailhog.latestContaining("needle")).subject;
	said.nothing = await mailhog.latestTo("nobody@example.org");
	said.released = (await mailhog.releaseMessage(message.ID, { host: "127.0.0.1", port: 1, email: "x@example.net" }))
		.statusCode;
	said.deleted = (await mailhog.deleteMessage(message.ID)).statusCode;
	said.left = (await mailhog.messages()).total;
	said.emptied = (await mailhog.deleteAll()).statusCode;
	said.none = (await mailhog.messages()).total;
	console.log(JSON.stringify(said));
}

main();
