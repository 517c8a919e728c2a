// What was sent to whom, and what waits.

import { readAddress, setParams } from "./address.js";
import { ask, poll } from "./ask.js";
import { badge, button, element, nothing, section, show, table, text } from "./dom.js";
import { duration, moment } from "./format.js";

const PAGE_SIZE = 50;
const STATES = ["waiting", "sent", "failed", "dropped", "merged"];
const TYPING_MS = 250;

// A search field that goes into the address as `search`.
export function searchField(label) {
  let timer = 0;
  const input = element("input", { type: "search", placeholder: label, "aria-label": label, spellcheck: "false" });
  input.value = readAddress().params.get("search") ?? "";
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      setParams({ search: input.value }, { replace: true });
      dispatchEvent(new HashChangeEvent("hashchange"));
    }, TYPING_MS);
  });
  return input;
}

function delivery(notice) {
  const cell = element("span", { class: "two" }, badge(notice.state));
  const said = [];
  if (notice.attempts > 1) said.push(`attempt ${notice.attempts}`);
  if (notice.state === "waiting" && notice.nextAttemptMs > Date.now()) {
    said.push(`next in ${duration((notice.nextAttemptMs - Date.now()) / 1000)}`);
  }
  if (said.length > 0) cell.append(text("span", said.join(", "), "quiet"));
  if (notice.lastError && notice.state !== "sent") cell.append(text("span", notice.lastError, "quiet"));
  return cell;
}

function receiver(notice) {
  const cell = element("span", { class: "two" }, text("span", notice.receiver));
  if (notice.target) cell.append(text("span", notice.target, "quiet"));
  return cell;
}

const COLUMNS = [
  { title: "When", class: "whole", cell: (notice) => moment(notice.finishedMs || notice.createdMs) },
  { title: "Tells", cell: (notice) => badge(notice.status) },
  { title: "What", class: "wide", cell: (notice) => notice.summary },
  { title: "To", cell: receiver },
  { title: "Delivery", cell: delivery },
];

export class NoticesPage {
  constructor() {
    this.title = "Notices";
    this.older = []; // Beyond the first page, which alone is asked for again.
    this.state = element("select", { "aria-label": "State of delivery" }, element("option", { value: "" }, "Every state"));
    for (const state of STATES) this.state.append(element("option", { value: state }, state));
    this.state.addEventListener("change", () => setParams({ state: this.state.value }));
    this.list = element("div");
    this.more = button("Show older ones", () => this.showOlder());
    this.element = element(
      "div", {}, text("h1", "Notices", "hidden"),
      section("Notices", element("div", { class: "filters" }, searchField("Search what, whom, errors"), this.state), this.list,
        element("p", { class: "more" }, this.more)));
  }

  address() {
    const { params } = readAddress();
    const asked = new URLSearchParams({ limit: String(PAGE_SIZE) });
    for (const key of ["search", "state"]) if (params.get(key)) asked.set(key, params.get(key));
    return `api/atalaya/notices?${asked}`;
  }

  async update({ changed }) {
    const { params } = readAddress();
    this.state.value = params.get("state") ?? "";
    if (changed) this.older = [];
    this.newest = (await poll(this.address())).notices;
    this.draw();
  }

  draw() {
    const rest = this.older.filter((notice) => notice.id < (this.newest.at(-1)?.id ?? 0));
    const all = [...this.newest, ...rest];
    const { params } = readAddress();
    const filtered = params.get("search") || params.get("state");
    show(this.list, all.length > 0 ? table(COLUMNS, all, "Notices") :
      nothing(filtered ? "No notice is like that." : "No notice was sent yet: nothing has fired since cloud_alertd knows receivers."));
    this.more.hidden = this.newest.length < PAGE_SIZE || this.atEnd === true;
  }

  async showOlder() {
    const before = (this.older.at(-1) ?? this.newest.at(-1)).id;
    const { notices } = await ask(`${this.address()}&before=${before}`);
    this.older.push(...notices);
    this.atEnd = notices.length < PAGE_SIZE;
    this.draw();
  }
}
