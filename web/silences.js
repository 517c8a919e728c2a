// Making a silence, and those that there are.

import { change } from "./ask.js";
import { badge, button, chips, element, nothing, table, text } from "./dom.js";
import { moment } from "./format.js";

const HOUR_MS = 3600000;
const TIMES = [["1 hour", 1], ["4 hours", 4], ["1 day", 24], ["1 week", 168], ["30 days", 720]];
const EXPIRED_SHOWN = 20;
const AUTHOR_KEY = "atalaya-author";

function remembered() {
  try {
    return localStorage.getItem(AUTHOR_KEY) ?? "";
  } catch {
    return ""; // Storage is switched off.
  }
}

function remember(author) {
  try {
    localStorage.setItem(AUTHOR_KEY, author);
  } catch {
    // It is asked for again.
  }
}

function field(label, input) {
  return element("label", { class: "field" }, text("span", label), input);
}

// A dialog that silences what has the chosen labels.
export class SilenceForm {
  constructor(onDone) {
    this.onDone = onDone;
    this.labels = element("fieldset");
    this.time = element("select", { name: "time" });
    for (const [label, hours] of TIMES) this.time.append(element("option", { value: String(hours) }, label));
    this.author = element("input", { name: "author", required: "", maxlength: "200", autocomplete: "name" });
    this.comment = element("input", { name: "comment", required: "", maxlength: "1000", autocomplete: "off" });
    this.problem = element("p", { class: "problem", role: "alert" });
    const form = element(
      "form", {}, text("h2", "Silence alerts"), this.labels, field("For", this.time), field("Your name", this.author),
      field("Why", this.comment), this.problem,
      element("div", { class: "actions" }, button("Cancel", () => this.element.close()),
        element("button", { type: "submit", class: "primary" }, "Silence")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.element = element("dialog", { "aria-label": "Silence alerts" }, form);
  }

  open(labels) {
    this.labels.replaceChildren(text("legend", "Alerts with all of these labels"));
    this.boxes = Object.entries(labels).map(([name, value]) => {
      const box = element("input", { type: "checkbox", checked: "" });
      this.labels.append(element("label", { class: "check" }, box, text("code", `${name}=${value}`)));
      return { box, name, value };
    });
    this.author.value = remembered();
    this.comment.value = "";
    this.say("");
    this.element.showModal();
    (this.author.value === "" ? this.author : this.comment).focus();
  }

  say(problem) {
    this.problem.textContent = problem;
  }

  async submit() {
    const matchers = this.boxes.filter(({ box }) => box.checked)
      .map(({ name, value }) => ({ name, value, isRegex: false, isEqual: true }));
    if (matchers.length === 0) {
      this.say("Choose at least one label.");
      return;
    }
    const now = Date.now();
    try {
      await change("POST", "api/v2/silences", {
        matchers, createdBy: this.author.value, comment: this.comment.value, startsAt: new Date(now).toISOString(),
        endsAt: new Date(now + Number(this.time.value) * HOUR_MS).toISOString(),
      });
    } catch (error) {
      this.say(error.message);
      return;
    }
    remember(this.author.value);
    this.element.close();
    this.onDone();
  }
}

const SIGNS = { "true false": "=", "false false": "!=", "true true": "=~", "false true": "!~" };

function matcherChips(silence) {
  return chips(silence.matchers.map(({ name, value, isEqual, isRegex }) => [name, SIGNS[`${isEqual} ${isRegex}`], value]));
}

export function silencesTable(silences, onEnded) {
  const live = silences.filter((silence) => silence.status.state !== "expired");
  const expired = silences.filter((silence) => silence.status.state === "expired")
    .sort((a, b) => b.endsAt.localeCompare(a.endsAt)).slice(0, EXPIRED_SHOWN);
  const columns = [
    { title: "State", cell: (silence) => badge(silence.status.state) },
    { title: "Alerts with", class: "wide", cell: matcherChips },
    { title: "Until", cell: (silence) => moment(Date.parse(silence.endsAt)) },
    { title: "By", cell: (silence) => silence.createdBy },
    { title: "Why", class: "wide", cell: (silence) => silence.comment },
  ];
  const end = async (silence) => {
    await change("DELETE", `api/v2/silence/${encodeURIComponent(silence.id)}`);
    onEnded();
  };
  const action = { title: "", numeric: true, cell: (silence) => {
    const node = button("End now", () => end(silence).catch(onEnded));
    node.dataset.key = `end ${silence.id}`;
    return node;
  } };
  const box = element("div", {}, live.length === 0 ? nothing("Nothing is silenced.") :
    table([...columns, action], live, "Silences"));
  if (expired.length > 0) {
    box.append(element("details", { "data-key": "expired" }, text("summary", `Ended (${expired.length})`),
      table(columns, expired, "Silences that have ended")));
  }
  return box;
}
