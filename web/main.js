// Shows the page that the address names, and asks again every five seconds.

import { readAddress } from "./address.js";
import { AlertsPage } from "./alerts.js";
import { SignedOut, poll, signOut } from "./ask.js";
import { badge, nothing } from "./dom.js";
import { clock, moment, number } from "./format.js";
import { HostPage } from "./host.js";
import { NoticesPage } from "./notices.js";
import { Overview } from "./overview.js";
import { RulesPage } from "./rules.js";
import { ServerPage } from "./server.js";
import { SignIn } from "./sign_in.js";

const POLL_MS = 5000;
const SILENT_AFTER_MS = 3 * POLL_MS;
const PAGES = {
  overview: Overview, host: HostPage, server: ServerPage, alerts: AlertsPage, notices: NoticesPage, rules: RulesPage,
};

const byId = (id) => document.getElementById(id);
const state = { page: null, address: "", alerts: [], saving: true, lastAnswerMs: 0, signedOut: false, version: "" };
let timer = 0;
let running = Promise.resolve();

function openPage(page) {
  state.page?.end?.();
  state.page = page;
  byId("page").replaceChildren(page.element);
}

// Whether the address, or another part of it, is a new one.
function follow() {
  const address = readAddress();
  const place = `${address.page}/${address.name}`;
  const changed = location.hash !== state.address;
  state.address = location.hash;
  if (state.page === null || state.place !== place) {
    state.place = place;
    const known = Object.hasOwn(PAGES, address.page) && (address.name !== "") === /^(host|server)$/.test(address.page);
    openPage(known ? new PAGES[address.page](address) : { title: "Not found", element: nothing("There is no such page."), update() {} });
    for (const link of document.querySelectorAll("header nav a")) {
      const current = link.hash.replace(/^#\//, "") === address.page;
      if (current) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    scrollTo(0, 0);
  }
  return changed;
}

function askForToken() {
  state.signedOut = true;
  const signIn = new SignIn(() => {
    state.signedOut = false;
    state.page = null;
    refresh();
  });
  openPage(signIn);
  document.body.classList.add("signed-out");
  signIn.focus();
}

async function update() {
  if (state.signedOut) return;
  const changed = follow();
  const page = state.page;
  try {
    const [{ alerts }, status] = await Promise.all([poll("api/v1/alerts"), poll("api/atalaya/status")]);
    state.alerts = alerts;
    state.saving = status.history.saving;
    document.body.classList.remove("signed-out");
    byId("about").textContent =
      `cloud_alertd ${status.version}, running since ${moment(status.startedMs)}, ${number(status.history.series)} series`;
    state.lastAnswerMs = Date.now();
    await page.update({ alerts, status, changed });
    state.problem = "";
  } catch (error) {
    if (error instanceof SignedOut) {
      if (!state.signedOut) askForToken();
      return;
    }
    state.problem = error.name === "TypeError" || error.name === "TimeoutError" ? "" : error.message;
    state.address = ""; // What was not shown is asked for again as if it were new.
  }
}

function showVerdict() {
  const firing = state.alerts.filter((alert) => alert.state === "firing").length;
  const silent = !state.signedOut && Date.now() - state.lastAnswerMs > SILENT_AFTER_MS;
  let [word, kind] = ["All is well", "good"];
  if (state.signedOut) [word, kind] = ["Signed out", "idle"];
  else if (silent) [word, kind] = ["cloud_alertd does not answer", "bad"];
  else if (firing > 0) [word, kind] = [firing === 1 ? "1 alert is firing" : `${firing} alerts are firing`, "bad"];
  else if (!state.saving) [word, kind] = ["The history cannot be saved", "warn"];
  else if (state.alerts.length > 0) [word, kind] = ["An alert is pending", "warn"];
  const verdict = byId("verdict");
  if (verdict.textContent !== word) verdict.replaceChildren(badge(word, kind));
  const title = state.page?.title ?? "";
  document.title = `${firing > 0 && !state.signedOut ? `(${firing}) ` : ""}${title === "" ? "" : `${title} · `}Atalaya`;
  byId("freshness").textContent = state.lastAnswerMs === 0 ? "" :
    `${silent ? "last answer" : "updated"} ${clock(state.lastAnswerMs)}`;
  byId("problem").textContent = state.problem ?? "";
  document.body.classList.toggle("stale", silent);
}

async function turn() {
  clearTimeout(timer);
  if (!document.hidden) await update();
  showVerdict();
  document.body.dataset.updates = String(Number(document.body.dataset.updates ?? 0) + 1);
  timer = setTimeout(refresh, POLL_MS);
}

// One at a time, in order.
function refresh() {
  running = running.then(turn);
  return running;
}

addEventListener("hashchange", refresh);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
byId("sign-out").addEventListener("click", async () => {
  await signOut().catch(() => {});
  askForToken();
  showVerdict();
});
refresh();
