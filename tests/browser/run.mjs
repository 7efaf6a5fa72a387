// SPDX-License-Identifier: ISC
// run.mjs - runs the tests of the page in a headless Chromium: PAGE is the inbox's address, SMTP the
// port that takes its mail, CLIENTS where tests/lib/fetch-clients put playwright-core. The inbox is
// emptied again and again. An argument runs only the tests with that in their names.

import { launch, runAll } from "./lab.mjs";
import "./reading.mjs";
import "./working.mjs";
import "./looks.mjs";
import "./hostile.mjs";

const browser = await launch();
try {
	await runAll(process.argv[2]);
} finally {
	await browser.close();
}
