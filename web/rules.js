// Each rule: its state, the value it looks at now, and the threshold.

import { readAddress } from "./address.js";
import { poll } from "./ask.js";
import { badge, element, nothing, section, show, table, text } from "./dom.js";
import { NOTHING, duration, figure } from "./format.js";
import { searchField } from "./notices.js";

function nameCell(rule) {
  const file = rule.file.split("/").at(-1);
  const where = rule.group && rule.group !== rule.file ? `${file}, ${rule.group}` : file;
  return element("span", { class: "two" }, text("strong", rule.name), text("span", where, "quiet"));
}

function conditionCell(rule) {
  const cell = element("span", { class: "two" }, text("code", rule.query));
  if (rule.lastError) cell.append(text("span", rule.lastError, "problem"));
  return cell;
}

function stateCell(rule) {
  const cell = element("span", { class: "two" }, badge(rule.state));
  if (rule.alerts > 1) cell.append(text("span", `${rule.alerts} alerts`, "quiet"));
  return cell;
}

function valueCell({ decision }) {
  if (!decision || decision.value === null) return NOTHING;
  const cell = element("span", { class: "two" }, text("b", figure(decision.value)));
  if (decision.series > 1) cell.append(text("span", `of ${decision.series}`, "quiet"));
  return cell;
}

function heldFor(rule) {
  if (rule.state === "recording") return NOTHING;
  return rule.forSeconds > 0 ? duration(rule.forSeconds) : "at once";
}

const COLUMNS = [
  { title: "State", cell: stateCell },
  { title: "Rule", cell: nameCell },
  { title: "Condition", class: "wide", cell: conditionCell },
  { title: "Value", numeric: true, cell: valueCell },
  { title: "Threshold", numeric: true,
    cell: ({ decision }) => (decision ? `${decision.comparison} ${figure(decision.threshold)}` : NOTHING) },
  { title: "For", numeric: true, cell: heldFor },
  { title: "Severity", cell: (rule) => rule.severity || NOTHING },
];

const RANK = { firing: 0, pending: 1, failing: 2, unknown: 3, inactive: 4, recording: 5 };

export class RulesPage {
  constructor() {
    this.title = "Rules";
    this.list = element("div", { class: "rules" });
    this.element = element(
      "div", {}, text("h1", "Rules", "hidden"),
      section("Rules", element("div", { class: "filters" }, searchField("Search name, file, condition")), this.list));
  }

  async update() {
    const search = readAddress().params.get("search");
    const { rules, found } = await poll(`api/atalaya/rules${search ? `?${new URLSearchParams({ search })}` : ""}`);
    if (rules.length === 0) {
      show(this.list, nothing(search ? "No rule is like that." : "There are no rules: name their files under [rules] in the configuration."));
      return;
    }
    const sorted = [...rules].sort((a, b) => RANK[a.state] - RANK[b.state]);
    const left = found - rules.length;
    show(this.list, table(COLUMNS, sorted, "Rules"),
      ...(left > 0 ? [text("p", `${left} more: search to see them.`, "quiet")] : []));
  }
}
