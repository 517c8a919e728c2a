// What fires and what is about to, why, and who was asked to be quiet about it.

import { poll } from "./ask.js";
import { badge, button, chips, element, nothing, section, show, text } from "./dom.js";
import { duration, figure, moment } from "./format.js";
import { SilenceForm, silencesTable } from "./silences.js";

const keyOf = (labels) => JSON.stringify(Object.entries(labels).sort());

// Alertmanager's view has the external labels besides: an alert there is ours with a few more.
function toldAs(alert, told) {
  return told.find((each) => Object.entries(alert.labels).every(([name, value]) => each.labels[name] === value));
}

const labelChips = (labels) =>
  chips(Object.entries(labels).filter(([name]) => name !== "alertname").map(([name, value]) => [name, "=", value]));

function quietBadges(told) {
  if (!told) return [];
  const found = [];
  if (told.status.silencedBy.length > 0) found.push(badge("silenced", "idle"));
  if (told.status.inhibitedBy.length > 0) found.push(badge("inhibited", "idle"));
  return found;
}

function why(alert, rule, told) {
  const list = element("dl", { class: "why" });
  const add = (name, ...values) => list.append(text("dt", name), element("dd", {}, ...values));
  add("Condition", text("code", rule.query));
  add("Value", text("b", figure(Number(alert.value))));
  if (rule.duration > 0) add("Must hold for", duration(rule.duration));
  for (const [name, value] of Object.entries(alert.annotations)) if (name !== "summary") add(name, value);
  add("Labels", labelChips(alert.labels));
  if (told) add("Told to", told.receivers.map((receiver) => receiver.name).join(", ") || "nobody");
  return element("details", { "data-key": keyOf(alert.labels) }, text("summary", "Why"), list);
}

export class AlertsPage {
  constructor() {
    this.title = "Alerts";
    this.form = new SilenceForm(() => this.refresh());
    this.list = element("div", { class: "alerts" });
    this.silences = element("div");
    this.element = element(
      "div", {}, text("h1", "Alerts", "hidden"), section("Active", this.list), section("Silences", this.silences),
      this.form.element);
  }

  async update() {
    const [rules, told, silences] = await Promise.all(
      ["api/v1/rules?type=alert", "api/v2/alerts", "api/v2/silences"].map(poll));
    const rows = [];
    for (const group of rules.groups) {
      for (const rule of group.rules) for (const alert of rule.alerts) rows.push({ alert, rule, told: toldAs(alert, told) });
    }
    const rank = { firing: 0, pending: 1 };
    rows.sort((a, b) => rank[a.alert.state] - rank[b.alert.state] || b.alert.activeAt.localeCompare(a.alert.activeAt));
    show(this.list, ...(rows.length === 0 ? [nothing("No alert is active.")] : rows.map((row) => this.card(row))));
    show(this.silences, silencesTable(silences, () => this.refresh()));
  }

  refresh() {
    return this.update().catch((error) => this.form.say(error.message));
  }

  card({ alert, rule, told }) {
    const head = element("div", { class: "alert-head" }, badge(alert.state), ...quietBadges(told),
      text("strong", alert.labels.alertname ?? ""));
    if (alert.labels.severity) head.append(text("span", alert.labels.severity, "quiet"));
    head.append(text("span", `since ${moment(Date.parse(alert.activeAt))}`, "quiet since"));
    const silence = button("Silence …", () => this.form.open(alert.labels));
    silence.dataset.key = `silence ${keyOf(alert.labels)}`;
    silence.setAttribute("aria-label", `Silence ${alert.labels.alertname}`);
    return element("article", {}, head, text("p", alert.annotations.summary ?? "No summary was written for this rule."),
      element("div", { class: "alert-foot" }, why(alert, rule, told), silence));
  }
}
