// SPDX-License-Identifier: ISC
// Drives a penstockd --catch with npm's mailpit-api and prints what it got as JSON.
// node mailpit.mjs PACKAGES HTTP-PORT
import { createRequire } from "node:module";

const [packages, port] = process.argv.slice(2);
const { MailpitClient } = createRequire(`${packages}/node_modules/`)("mailpit-api");
const mailpit = new MailpitClient(`http://127.0.0.1:${port}`);
const said = {};
const refusal = (promise) => promise.then(() => "taken", (error) => error.message);

const waiting = mailpit.waitForMessage({ query: "subject:awaited" }, { timeout: 20000, interval: 100 });
said.sent = await mailpit.sendMessage({
	From: { Email: "ann@example.com", Name: "Ann" },
	To: [{ Email: "bob@example.org" }],
	Subject: "awaited",
	Text: "plain",
	HTML: "<p>rich <img src='cid:pic'></p>",
	Tags: ["one"],
	Attachments: [{ Content: Buffer.from("picture").toString("base64"), Filename: "p.png", ContentType: "image/png",
		ContentID: "pic" }],
});
const id = said.sent.ID;
said.awaited = await waiting;
said.list = await mailpit.listMessages();
said.found = await mailpit.searchMessages({ query: 'to:"bob@example.org" is:unread' });
said.message = await mailpit.getMessageSummary(id);
said.headers = await mailpit.getMessageHeaders(id);
said.source = await mailpit.getMessageSource("latest");
said.picture = await (await mailpit.getMessageAttachment(id, said.message.Inline[0].PartID)).text();
said.html = await mailpit.renderMessageHTML(id);
said.text = await mailpit.renderMessageText("latest");
said.unread = await mailpit.setReadStatus({ IDs: [id], Read: false });
said.tagged = await mailpit.setTags({ IDs: [id], Tags: ["two", "three"] });
said.tags = await mailpit.getTags();
said.renamed = await mailpit.renameTag("two", "four");
said.dropped = await mailpit.deleteTag("three");
said.tagsThen = await mailpit.getTags();
said.info = await mailpit.getInfo();
said.configuration = await mailpit.getConfiguration();
said.chaos = await mailpit.setChaosTriggers({ Sender: { ErrorCode: 451, Probability: 0 } });
said.chaosThen = await mailpit.getChaosTriggers();
said.released = await refusal(mailpit.releaseMessage(id, { To: ["x@example.net"] }));
said.htmlCheck = await refusal(mailpit.htmlCheck(id));
said.deletedBySearch = await mailpit.deleteMessagesBySearch({ query: "subject:nothing" });
said.left = (await mailpit.listMessages()).total;
said.deleted = await mailpit.deleteMessages({ IDs: [id] });
said.none = (await mailpit.listMessages()).total;
said.gone = await refusal(mailpit.getMessageSummary(id));
said.emptied = await mailpit.deleteMessages();
console.log(JSON.stringify(said));
