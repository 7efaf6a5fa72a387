// SPDX-License-Identifier: ISC
// run.mjs FILE... [NAME] - runs the tests in these files in a headless Chromium, or those whose names
// contain NAME: PAGE is the inbox's address, SMTP the port that takes its mail, CLIENTS where
// tests/lib/fetch-clients put playwright-core. All inboxes there are emptied again and again.

import { launch, runAll } from "./lab.mjs";

const files = process.argv.slice(2).filter((word) => word.endsWith(".mjs"));
const [name] = process.argv.slice(2).filter((word) => !word.endsWith(".mjs"));
for (const file of files)
	await import(`./${file}`);
const browser = await launch();
try {
	await runAll(name);
} finally {
	await browser.close();
}
